"""How far the data will carry: what was measured is said as it was measured, and more data never promises less."""

import re

import pytest

from selfchatbot.conversations.learning_curve import FEWEST, MEASURED, gain, outlook


def test_what_was_measured_is_said() -> None:
    assert [gain(replies) for replies, _ in MEASURED] == pytest.approx([nats for _, nats in MEASURED])


def test_more_replies_promise_more() -> None:
    gains = [gain(replies) for replies in range(0, 100_000, 7)]
    assert 0 <= gains[0] < gains[-1]
    assert gains == sorted(gains)
    assert gain(1000) == pytest.approx((gain(500) + gain(2000)) / 2)  # a line over the logarithm


@pytest.mark.parametrize("replies", [FEWEST, 1900, 50_000])
def test_the_sentence_says_both_figures(replies: int) -> None:
    sentence = outlook(replies) or ""
    found = re.fullmatch(
        r"([\d,]+) replies to train on: expect about ([\d.]+) nats .*, (\d) times .* ([\d.]+) more .*", sentence
    )
    assert found is not None
    assert int(found[1].replace(",", "")) == replies
    assert float(found[2]) == pytest.approx(gain(replies), abs=0.051)
    assert float(found[4]) == pytest.approx(gain(replies * int(found[3])) - gain(replies), abs=0.051)


def test_nothing_is_promised_for_next_to_nothing() -> None:
    assert outlook(FEWEST - 1) is None
