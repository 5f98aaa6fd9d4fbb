"""Dates of every country as chat apps write them."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfchatbot.preprocessors.reading.dates import Order, OrderEvidence, orders, parse, shape

JANUARY = datetime(2023, 1, 5, 15, 4)
NOVEMBER = datetime(2018, 11, 3, 17, 5)

# One line per form: what it looks like, the order of its fields, the time it means.
FORMS: list[tuple[str, Order, datetime]] = [
    # DiscordChatExporter up to 2.37, then up to 2.40, then the short date and time of a locale
    ("03-Nov-18 05:05 PM", "dmy", NOVEMBER),
    ("01/15/2024 3:04 PM", "mdy", datetime(2024, 1, 15, 15, 4)),
    ("1/5/2023 3:04 PM", "mdy", JANUARY),
    ("1/5/2023 3:04\u202fPM", "mdy", JANUARY),
    ("1/5/2023 3:04\u00a0PM", "mdy", JANUARY),
    ("1/5/2023 3:04PM", "mdy", JANUARY),
    ("05/01/2023 15:04", "dmy", JANUARY),
    ("05.01.2023 15:04", "dmy", JANUARY),
    ("2023-01-05 3:04 p.m.", "ymd", JANUARY),
    ("2023-01-05 3:04\u202fp.\u00a0m.", "ymd", JANUARY),
    ("2023-01-05 3:04 PM", "ymd", JANUARY),
    ("2023-01-05 15 h 04", "ymd", JANUARY),
    ("2023-01-05 15:04", "ymd", JANUARY),
    ("2023/01/05 15:04", "ymd", JANUARY),
    ("2023. 1. 5. 오후 3:04", "ymd", JANUARY),
    ("2023. 1. 5. 오전 12:04", "ymd", datetime(2023, 1, 5, 0, 4)),
    ("2023/1/5 下午3:04", "ymd", JANUARY),
    ("2023/1/5 上午12:04", "ymd", datetime(2023, 1, 5, 0, 4)),
    ("5.01.2023 г. 15:04", "dmy", JANUARY),
    ("5.1.2023 15.04", "dmy", JANUARY),
    ("2023. 01. 05. 15:04", "ymd", JANUARY),
    ("5/1/2566 15:04", "dmy", JANUARY),
    ("12\u200f/6\u200f/1444 هـ 3:04 م", "dmy", JANUARY),
    ("١٢\u200f/٦\u200f/١٤٤٤ هـ ٣:٠٤ م", "dmy", JANUARY),
    ("12/06/44 03:04 م", "dmy", JANUARY),
    ("1401/10/15 15:04", "ymd", JANUARY),
    ("1402/12/29 15:04", "ymd", datetime(2024, 3, 19, 15, 4)),
    ("1403/12/30 15:04", "ymd", datetime(2025, 3, 20, 15, 4)),
    ("5/1/2023 3:04 μ.μ.", "dmy", JANUARY),
    ("05/01/2023 3:04\u202fCH", "dmy", JANUARY),
    ("5/01/2023 3:04\u202fPTG", "dmy", JANUARY),
    ("5.1.2023 3:04\u202fm.d.", "dmy", JANUARY),
    ("05/01/2023 3:04 ከሰዓት", "dmy", JANUARY),
    ("05/01/2023 15:04 น.", "dmy", JANUARY),
    ("5/1/2023 3:04 da tarde", "dmy", JANUARY),
    ("5.1.2023 3:04 nachm.", "dmy", JANUARY),
    ("5.1.2023 3:04 дня", "dmy", JANUARY),
    ("5/1/2023 12:04 da madrugada", "dmy", datetime(2023, 1, 5, 0, 4)),
    ("5/1/2023 11:04 at night", "dmy", datetime(2023, 1, 5, 23, 4)),
    ("5/1/2023 2:04 at night", "dmy", datetime(2023, 1, 5, 2, 4)),
    ("2023-01-05 15 h 04 min 09 s", "ymd", JANUARY.replace(second=9)),
    # Japanese eras, the calendar of Taiwan, named Islamic years
    ("1/5/R5, 15:04", "mdy", JANUARY),
    ("R5/1/5 15:04", "ymd", JANUARY),
    ("平成30年11月3日 17:05", "ymd", NOVEMBER),
    ("民國112/1/5 下午3:04", "ymd", JANUARY),
    ("6/12/1444 AH, 3:04 PM", "mdy", JANUARY),
    # Unix times, of which the milliseconds are kept
    ("1541264700", "ymd", NOVEMBER),
    ("1541264700123", "ymd", NOVEMBER.replace(microsecond=123_000)),
    # What people wrote into the date format of older versions
    ("2018-11-03T17:05:00.0000000+00:00", "ymd", NOVEMBER),
    ("2018-11-03T17:05:09Z", "ymd", NOVEMBER.replace(second=9)),
    ("2018-11-03T17:05+01:00", "ymd", NOVEMBER),
    ("2018-11-03 17:05:09", "ymd", NOVEMBER.replace(second=9)),
    ("Saturday, 3 November 2018 17:05", "dmy", NOVEMBER),
    ("Sat Nov 3, 2018 at 5:05 PM", "mdy", NOVEMBER),
    # Other apps and imitators
    ("03/11/2018, 17:05", "dmy", NOVEMBER),
    ("11/3/18, 5:05:09 PM", "mdy", NOVEMBER.replace(second=9)),
    ("18/11/3 17:05", "ymd", NOVEMBER),
    ("5/1/66 15:04", "dmy", JANUARY),
]


@pytest.mark.parametrize(("text", "order", "time"), FORMS)
def test_form(text: str, order: Order, time: datetime) -> None:
    found = shape(text)
    assert found is not None
    assert order in orders(found)
    assert parse(text, order) == time


@pytest.mark.parametrize(
    "text",
    [
        *("", "hello", "12:30", "1/5/2023", "spoiler", "1/2 3/4", "https://example.org/1/2/3 4:5", "12345678"),
        *("1/5/2023 3:04 PM and more", "1.2.3.4.5.6.7", "3/14/15926 5:35", "18446744073709551616", "²⁰¹⁸ 1 2 3:4"),
    ],
)
def test_no_date(text: str) -> None:
    found = shape(text)
    assert found is None or parse(text, orders(found)[0]) is None


@pytest.mark.parametrize(
    ("text", "order"),
    [
        *(("2/29/2023 3:04 PM", "mdy"), ("13/5/2023 15:04", "mdy"), ("1/5/2023 13:04 PM", "mdy")),
        *(("1/5/2023 24:00", "dmy"), ("31.04.2023 15:04", "dmy"), ("1402/12/30 15:04", "ymd")),
        *(("31/6/1444 هـ 3:04 م", "dmy"), ("03-Nov-18 05:05 PM", "mdy"), ("0/0/0 0:0", "dmy")),
    ],
)
def test_a_date_that_does_not_exist(text: str, order: Order) -> None:
    assert parse(text, order) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1/5/2023 3:04 PM", "12/25/2023 11:59\u202fAM"),
        ("2023. 1. 5. 오후 3:04", "2023. 12. 25. 오전 11:59"),
        ("03-Nov-18 05:05 PM", "12-May-19 05:05 AM"),
        ("1541264700", "1541264701"),
    ],
)
def test_dates_of_one_file_have_one_shape(one: str, other: str) -> None:
    assert shape(one) == shape(other) is not None


def test_dates_of_two_programs_have_two_shapes() -> None:
    forms = ("1/5/2023 3:04 PM", "1/5/23 3:04 PM", "1/5/2023, 3:04 PM", "1/5/2023 15:04", "2023-01-05 15:04")
    assert len({shape(form) for form in forms}) == len(forms)


def evidence(*dates: str) -> OrderEvidence:
    found = shape(dates[0])
    assert found is not None
    collected = OrderEvidence(found)
    for date in dates:
        assert shape(date) == found
        collected.add(date)
    return collected


def test_a_day_after_the_twelfth_proves_the_order() -> None:
    assert evidence("1/5/2023 15:04", "13/5/2023 15:04").proof() == "dmy"
    assert evidence("1/5/2023 15:04", "5/13/2023 15:04").proof() == "mdy"


def test_times_that_jump_to_and_fro_decide_the_order() -> None:
    dates = [f"{day}/{month}/2023 12:00" for month in (1, 2, 3) for day in (1, 5, 9)]
    assert evidence(*dates).proof() is None
    assert evidence(*dates).decide() == "dmy"
    assert evidence(*reversed(dates)).decide() == "dmy"


def test_a_pasted_date_does_not_outweigh_the_file() -> None:
    dates = [f"{day}/1/2023 12:00" for day in range(1, 32)]
    assert evidence(*dates[:20], "1/25/2022 12:00", *dates[20:]).decide() == "dmy"


def test_the_autumn_hour_is_no_evidence() -> None:
    assert evidence("10/11/2023 02:59", "10/11/2023 02:01").decide() is None


def test_few_dates_decide_nothing() -> None:
    assert evidence("1/5/2023 15:04").decide() is None
    assert evidence("1/5/2023 15:04").guess() is None


def test_guesses() -> None:
    assert evidence("05.01.2023 15:04").guess() == "dmy"
    assert evidence("1/5/2023 3:04 PM").guess() == "mdy"
    assert evidence("1/5/2023 3:04 PM", "2/4/2023 3:04 PM", "3/1/2023 3:04 PM").guess() == "mdy"
    # Australia: forward in time only with the day first.
    assert evidence("5/1/2023 3:04 PM", "4/2/2023 3:04 PM").guess() == "dmy"


def test_years_of_two_digits_come_first_where_else_they_would_be_long_past_or_to_come() -> None:
    assert evidence("23/1/5 15:04", "23/2/7 15:04").decide() == "ymd"
    assert evidence("13/5/23 15:04", "14/5/23 15:04").decide() == "dmy"
    assert evidence("5/13/23 15:04", "5/14/23 15:04").decide() == "mdy"
    assert evidence("23/1/5 下午3:04").decide() == "ymd"
    assert evidence("5/1/23 下午3:04", "6/1/23 下午3:04").decide() != "ymd"


def test_newest_first() -> None:
    assert evidence("13/5/2023 15:04", "12/5/2023 15:04", "11/5/2023 15:04").newest_first("dmy")
    assert not evidence("12/5/2023 15:04", "13/5/2023 15:04", "11/5/2023 15:04").newest_first("dmy")


@given(
    time=st.datetimes(datetime(2009, 1, 1), datetime(2025, 12, 31)),
    form=st.sampled_from(
        [
            ("{0.month}/{0.day}/{0.year} {1}:{0.minute:02} {2}", "mdy"),
            ("{0.day:02}.{0.month:02}.{0.year} {0.hour:02}:{0.minute:02}", "dmy"),
            ("{0.year}. {0.month}. {0.day}. {3} {1}:{0.minute:02}", "ymd"),
            ("{0.year}-{0.month:02}-{0.day:02}T{0.hour:02}:{0.minute:02}", "ymd"),
        ]
    ),
)
def test_every_minute_comes_back(time: datetime, form: tuple[str, Order]) -> None:
    pattern, order = form
    half = ("AM", "PM")[time.hour >= 12], ("오전", "오후")[time.hour >= 12]
    text = pattern.format(time, time.hour % 12 or 12, *half)
    assert parse(text, order) == time.replace(second=0, microsecond=0)


@given(st.text(max_size=120) | st.from_regex(r"[\d٠-٩/.:\- APMمص下午\u202f]{0,90}", fullmatch=True))
def test_any_text_is_a_date_or_none(text: str) -> None:
    found = shape(text)
    for order in orders(found) if found else ("dmy",):
        time = parse(text, order)
        assert time is None or (isinstance(time, datetime) and time.tzinfo is None)
