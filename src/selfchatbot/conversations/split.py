"""Conversations to the three splits, by time."""

from __future__ import annotations

from array import array
from dataclasses import replace
from typing import NamedTuple

from selfchatbot.conversations.store import ConversationStore
from selfchatbot.messages import Conversation


class Splits(NamedTuple):
    """The numbers of conversations by time: the newest are the test, those before them the validation."""

    train: array[int]
    validation: array[int]
    test: array[int]


def split(store: ConversationStore, validation_fraction: float, test_fraction: float) -> Splits:
    """Split conversations by their start so that validation and test get about these fractions of my replies.

    Conversations stay whole, unless whole ones would miss a fraction by more than half: with few or very long
    conversations. Then one is cut, at the longest silence near the border, and its parts are added to ``store``.
    """
    ordered = array("Q", sorted(range(len(store)), key=store.starts.__getitem__))
    replies = sum(store.replies)
    test = array("Q")
    if test_fraction:
        ordered, test = _split_off_newest(store, ordered, max(1, round(replies * test_fraction)))
    train, validation = _split_off_newest(store, ordered, max(1, round(replies * validation_fraction)))
    return Splits(train, validation, test)


def _split_off_newest(
    store: ConversationStore, ordered: array[int], wanted_replies: int
) -> tuple[array[int], array[int]]:
    """Older and newer conversations: the newer ones with about ``wanted_replies``, both with at least one reply."""
    index = len(ordered)
    taken = 0
    while index > 0 and taken + store.replies[ordered[index - 1]] <= wanted_replies:
        index -= 1
        taken += store.replies[ordered[index]]
    older, newer = ordered[:index], ordered[index:]
    if not older:
        return newer, array("Q")
    with_border = taken + store.replies[older[-1]]
    if len(older) > 1 and with_border - wanted_replies < min(wanted_replies - taken, wanted_replies / 2):
        return older[:-1], older[-1:] + newer
    if taken >= wanted_replies / 2:
        return older, newer
    if len(older) > 1 and with_border <= 1.5 * wanted_replies:
        return older[:-1], older[-1:] + newer
    parts = array("Q", map(store.add, _cut(store.get(older[-1]), wanted_replies - taken)))
    return older[:-1] + parts[:1], parts[1:] + newer


def _cut(conversation: Conversation, wanted_replies: int) -> list[Conversation]:
    """Cut after a reply of mine, at the longest silence that leaves 0.5 to 1.5 times ``wanted_replies`` after it."""
    turns = conversation.turns
    places: list[tuple[float, int, int]] = []
    remaining = 0
    for index in range(len(turns) - 1, 0, -1):
        remaining += turns[index].role == "assistant"
        if turns[index].role == "user" and wanted_replies / 2 <= remaining <= max(1, 1.5 * wanted_replies):
            silence = (turns[index].start - turns[index - 1].end).total_seconds()
            places.append((silence, -abs(remaining - wanted_replies), index))
    if not places:
        return [conversation]
    *_, index = max(places)
    return [replace(conversation, turns=part) for part in (turns[:index], turns[index:])]
