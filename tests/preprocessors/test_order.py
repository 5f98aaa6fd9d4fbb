"""Messages come in the order of their times, however the app wrote its file."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfchatbot.messages import Message
from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.reading import order, reverse
from selfchatbot.preprocessors.reading.json_stream import CutShortError
from selfchatbot.preprocessors.reading.order import chronological, is_newest_first, oldest_to_newest
from selfchatbot.preprocessors.reading.reverse import Row

START = datetime(2024, 1, 31, 18)
NEWEST_FIRST = {
    "WhatsApp": ("WhatsApp Chat with Moss.txt", "31/12/2023, 10:0{n} - Moss: text {n}\n", ""),
    "Signal": ("Moss/chat.md", "[2024-01-05 10:0{n}:00] Moss: text {n}  \n\n", ""),
    "iMessage": ("Moss.txt", "May 17, 2022 10:0{n}:00 PM\nMoss\ntext {n}\n\n", ""),
    "KakaoTalk": ("a.csv", '2024-01-01 10:0{n}:00,"Moss","text {n}"\n', "Date,User,Message\n"),
    "IRC": ("irc.net.#c.weechatlog", "2024-01-01 10:0{n}:00\tMoss\ttext {n}\n", ""),
    "DiscordChatExporter": (
        "a.csv",
        '"1","Moss","2023-12-31T10:0{n}:00.0000000+00:00","text {n}","",""\n',
        "AuthorID,Author,Date,Content,Attachments,Reactions\n",
    ),
}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("name", NEWEST_FIRST)
def test_files_of_text_may_be_newest_first(tmp_path: Path, name: str, turned: bool) -> None:
    file, line, head = NEWEST_FIRST[name]
    numbers = (3, 2, 1) if turned else (1, 2, 3)
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(head + "".join(line.format(n=n) for n in numbers), encoding="utf-8")
    messages = list(Preprocessors[name](username="Rowan").read(tmp_path))
    assert [one.content for one in messages] == ["text 1", "text 2", "text 3"]


@pytest.mark.parametrize(
    ("times", "newest_first"),
    [
        ([], False),
        ([5], False),
        ([5, 5, 5], False),
        ([1, 2, 3], False),
        ([3, 2, 1], True),
        ([3, 3, 2, 2, 1, 1], True),
        ([2, 1, 3, 4, 5], False),  # two changed places, at the beginning of all places
        ([9, 10, 8, 7, 6], True),
    ],
)
def test_the_direction_is_that_of_most_steps(times: list[int], newest_first: bool) -> None:
    assert is_newest_first(times) == newest_first


@given(st.lists(st.integers(0, 9), max_size=30), st.booleans())
def test_equal_times_keep_the_order_of_their_file(times: list[int], turned: bool) -> None:
    written = [(float(time), number) for number, time in enumerate(sorted(times))]
    alike = len(set(times)) < 2  # nothing shows a direction then
    file = written[::-1] if turned and not alike else written
    assert list(oldest_to_newest(file)) == written


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_late_ones_find_their_place_in_long_files(monkeypatch: pytest.MonkeyPatch, whole: bool, turned: bool) -> None:
    monkeypatch.setattr(order, "HEAD_MESSAGES", 20)
    monkeypatch.setattr(order, "MAX_DELAY_MESSAGES", 10)
    monkeypatch.setattr(reverse, "BLOCK_ROWS", 7)
    in_order = [(float(number), f"text {number}", None) for number in range(200)]
    file = list(in_order)
    for place in range(30, 200, 20):
        file.insert(place - 9, file.pop(place))
    assert list(oldest_to_newest(file[::-1] if turned else file, whole=whole)) == in_order


def test_all_is_read_before_the_first_with_whole() -> None:
    read = []

    def rows() -> Iterator[Row]:
        for number in range(2000):
            read.append(number)
            yield (float(number),)

    assert next(oldest_to_newest(rows(), whole=True)) == (0.0,)
    assert len(read) == 2000


@pytest.mark.parametrize("turned", [False, True])
def test_a_cut_is_told_behind_the_last_one(turned: bool) -> None:
    def rows() -> Iterator[Row]:
        for number in range(3):
            yield (float(-number if turned else number),)
        raise CutShortError("cut")

    found = oldest_to_newest(rows())
    assert [next(found)[0] for _ in range(3)] == ([-2, -1, 0] if turned else [0, 1, 2])
    with pytest.raises(CutShortError):
        next(found)


def _messages(minutes: list[int]) -> list[Message]:
    return [
        Message(START + timedelta(minutes=minute), "Rowan", f"{number}", "chat", id=f"i{number}", reply_to="x")
        for number, minute in enumerate(minutes)
    ]


def test_a_wall_clock_may_go_back() -> None:
    autumn = _messages([*range(0, 120, 3), *range(60, 180, 3)])
    assert list(chronological(autumn)) == autumn
    assert list(chronological(autumn[::-1])) == autumn


def test_equal_times_say_nothing() -> None:
    same = _messages([0, 0, 0, 0])
    assert list(chronological(same)) == same


def test_thousands_are_turned_round_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reverse, "BLOCK_ROWS", 7)
    many = _messages([number // 3 for number in range(1000)])
    assert list(chronological(many[::-1])) == many
