"""The forecast equals the measurements where there are some, and more data never promises less."""

import re

import pytest

from selfchatbot.conversations.learning_curve import MEASURED, MIN_REPLIES, expected_gain, forecast


def test_what_was_measured_is_said() -> None:
    assert [expected_gain(replies) for replies, _ in MEASURED] == pytest.approx([nats for _, nats in MEASURED])


def test_more_replies_promise_more() -> None:
    gains = [expected_gain(replies) for replies in range(0, 100_000, 7)]
    assert 0 <= gains[0] < gains[-1]
    assert gains == sorted(gains)
    # A line over the logarithm.
    assert expected_gain(1000) == pytest.approx((expected_gain(500) + expected_gain(2000)) / 2)


@pytest.mark.parametrize("replies", [MIN_REPLIES, 532, 1900, 5000])
def test_the_sentence_says_how_much_of_the_way_that_is(replies: int) -> None:
    found = re.match(
        r"([\d,]+) replies of yours .* about (\d+)% of what it would from ([\d,]+) ", forecast(replies) or ""
    )
    assert found is not None
    assert int(found[1].replace(",", "")) == replies
    share = expected_gain(replies) / expected_gain(int(found[3].replace(",", "")))
    assert float(found[2]) == pytest.approx(100 * share, abs=0.51)


def test_with_more_than_was_measured_nothing_is_missing() -> None:
    assert "plenty" in (forecast(50_000) or "")


def test_nothing_is_promised_for_next_to_nothing() -> None:
    assert forecast(MIN_REPLIES - 1) is None
