"""Messages to conversations: bursts, silences, groups, replies; conversations to splits."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from selfchatbot.conversations.build import MAX_CONVERSATION_CHARACTERS, build_conversations
from selfchatbot.conversations.split import split
from selfchatbot.conversations.store import MAX_MEMORY_BYTES, ConversationStore
from selfchatbot.messages import Conversation, Message, Turn

START = datetime(2024, 3, 1, 12)
GAP = timedelta(minutes=60)
Line = tuple[float, str, str] | tuple[float, str, str, str | None, str | None]
"""Minutes after the start, author, text; id and the id it answers."""


def build(*lines: Line, context_turns: int = 10, group: bool | None = None) -> list[Conversation]:
    messages = [Message(START + timedelta(minutes=line[0]), line[1], line[2], "chat", *line[3:]) for line in lines]
    speaker = {"me": None}
    return list(
        build_conversations(messages, lambda author: speaker.get(author, author), GAP, context_turns, group, "Test")
    )


def texts(conversations: Sequence[Conversation]) -> list[list[str]]:
    return [
        [f"{'me' if turn.role == 'assistant' else 'them'}: {turn.content}" for turn in one.turns]
        for one in conversations
    ]


def test_bursts_are_one_turn_and_the_last_word_is_mine() -> None:
    (found,) = build(
        (0, "ana", "hi"), (1, "ana", "you there?"), (2, "me", "yes"), (3, "me", "what's up"), (4, "ana", "oh")
    )
    assert texts([found]) == [["them: hi\nyou there?", "me: yes\nwhat's up"]]
    assert (found.turns[1].start, found.turns[1].end) == (START + timedelta(minutes=2), START + timedelta(minutes=3))
    assert (found.chat, found.contact, found.format) == ("chat", "ana", "Test")


def test_silence_ends_a_conversation_and_one_without_me_is_left_out() -> None:
    found = build(
        (0, "me", "hello?"),
        (61, "ana", "sorry"),
        (62, "me", "np"),
        (200, "ana", "so"),
        (300, "ana", "hm"),
        (301, "me", "hm"),
    )
    assert texts(found) == [["me: hello?"], ["them: sorry", "me: np"], ["them: hm", "me: hm"]]
    assert {one.contact for one in found[1:]} == {"ana"}
    assert found[0].contact == "chat"  # nobody has answered yet


def test_clock_set_back_in_autumn_is_no_border_but_another_piece_of_the_chat_is() -> None:
    assert len(build((0, "ana", "a"), (5, "me", "b"), (-55, "ana", "c"), (-50, "me", "d"))) == 1
    assert len(build((0, "ana", "a"), (5, "me", "b"), (-900, "ana", "c"), (-899, "me", "d"))) == 2


def test_several_others_are_named() -> None:
    found = build(
        (0, "ana", "one"), (1, "ana", "two"), (2, "bob", "three"), (3, "me", "four"), (4, "bob", "x"), (5, "me", "y")
    )
    assert texts(found) == [["them: ana: one\nana: two\nbob: three", "me: four", "them: bob: x", "me: y"]]
    assert found[0].contact == "chat"


def test_who_spoke_after_me_only_is_not_named() -> None:
    assert texts(build((0, "ana", "one"), (1, "me", "two"), (2, "bob", "three"))) == [["them: one", "me: two"]]


def test_contact_with_two_names_in_a_chat_of_two() -> None:
    lines: list[Line] = [(0, "ana", "one"), (1, "ana2", "two"), (2, "me", "three")]
    assert texts(build(*lines, group=False)) == [["them: one\ntwo", "me: three"]]
    assert texts(build(*lines)) == [["them: ana: one\nana2: two", "me: three"]]


def test_a_channel_is_what_lies_around_my_words() -> None:
    lines: list[Line] = [(number / 10, f"user{number % 50}", f"text {number}") for number in range(3000)]
    lines[1500] = (150, "me", "hello")
    lines[1504] = (150.4, "me", "again")
    lines[2999] = (299.9, "me", "last")
    first, second = build(*lines, context_turns=3)
    assert texts([first]) == [
        [
            "them: user47: text 1497\nuser48: text 1498\nuser49: text 1499",
            "me: hello",
            "them: user1: text 1501\nuser2: text 1502\nuser3: text 1503",
            "me: again",
        ]
    ]
    assert texts([second]) == [["them: user46: text 2996\nuser47: text 2997\nuser48: text 2998", "me: last"]]


def test_with_one_other_nothing_is_bounded() -> None:
    lines: list[Line] = [(number / 100, "me" if number == 999 else "ana", str(number)) for number in range(1000)]
    (found,) = build(*lines, context_turns=2)
    assert found.turns[0].content.count("\n") == 998


def test_reply_brings_what_it_answers() -> None:
    lines: list[Line] = [(0, "ana", "shall we go?", "1", None)]
    lines += [(1 + number / 100, f"user{number}", "noise", f"n{number}", None) for number in range(20)]
    lines += [(2, "me", "yes!", "2", "1")]
    assert texts(build(*lines, context_turns=2)) == [["them: user19: noise\nana: shall we go?", "me: yes!"]]
    # A silence is no reason to forget what was asked, either.
    found = build((0, "ana", "shall we go?", "1", None), (500, "me", "yes!", "2", "1"))
    assert texts(found) == [["them: shall we go?", "me: yes!"]]
    assert found[0].start == START + timedelta(minutes=500)


def test_others_reply_brings_what_it_answers() -> None:
    found = build((0, "ana", "who comes?", "1", None), (500, "bob", "I do", "2", "1"), (501, "me", "me too", "3", None))
    assert texts(found) == [["them: ana: who comes?\nbob: I do", "me: me too"]]


def test_reply_to_what_is_near_changes_nothing() -> None:
    found = build((0, "ana", "who comes?", "1", None), (1, "ana", "please say", "2", None), (2, "me", "I do", "3", "1"))
    assert texts(found) == [["them: who comes?\nplease say", "me: I do"]]


@pytest.mark.parametrize("answered", ["missing", "3", "2", ""])
def test_reply_to_nothing_itself_or_me(answered: str) -> None:
    found = build(
        (0, "ana", "hi", "1", "3"), (1, "me", "hey", "2", None), (200, "ana", "so", "3", answered), (201, "me", "ok")
    )
    assert texts(found) == [["them: hi", "me: hey"], ["them: so", "me: ok"]]


def test_an_endless_conversation_is_cut() -> None:
    lines: list[Line] = [(number / 100, "me" if number % 2 else "ana", "x" * 1000) for number in range(4000)]
    found = build(*lines)
    assert len(found) > 1
    assert all(sum(len(turn.content) for turn in one.turns) < MAX_CONVERSATION_CHARACTERS + 10_000 for one in found)
    assert sum(one.replies for one in found) == 2000


messages = st.lists(
    st.tuples(
        st.integers(-100, 200),
        st.sampled_from(("me", "ana", "bob", "cem")),
        st.text(min_size=1, max_size=5),
        st.one_of(st.none(), st.sampled_from("abcdef")),
        st.one_of(st.none(), st.sampled_from("abcdefg")),
    ),
    max_size=40,
)


@settings(max_examples=examples(150))
@given(steps=messages, context_turns=st.integers(1, 4), group=st.sampled_from((None, True, False)))
def test_all_my_words_once_and_in_order(
    steps: list[tuple[int, str, str, str | None, str | None]], context_turns: int, group: bool | None
) -> None:
    time = 0
    lines: list[Line] = []
    for minutes, author, text, id_, reply_to in steps:
        time += minutes
        lines.append((time, author, text, id_, reply_to))
    found = build(*lines, context_turns=context_turns, group=group)
    mine = [turn.content for one in found for turn in one.turns if turn.role == "assistant"]
    assert "\n".join(mine) == "\n".join(text for _, author, text, *_ in lines if author == "me")
    for one in found:
        roles = [turn.role for turn in one.turns]
        assert roles[-1] == "assistant"
        assert all(role != other for role, other in pairwise(roles))


# --- splits -----------------------------------------------------------------------------------------------------------


def talk(day: int, replies: int, chat: str = "chat", pause: int | None = None) -> Conversation:
    """A conversation with so many replies, a minute apart; after reply number ``pause`` there is an hour."""
    turns = []
    time = START + timedelta(days=day)
    for number in range(replies):
        turns.append(Turn("user", f"question {number}", time, time))
        time += timedelta(minutes=1)
        turns.append(Turn("assistant", f"answer {number}", time, time))
        time += timedelta(minutes=59 if number == pause else 1)
    return Conversation(tuple(turns), chat, "ana", "Test")


def in_splits(
    folder: Path, conversations: Sequence[Conversation], validation: float = 0.1, test: float = 0.1
) -> list[list[Conversation]]:
    with ConversationStore(folder) as store:
        for one in conversations:
            store.add(one)
        return [[store.get(number) for number in part] for part in split(store, validation, test)]


def test_newest_conversations_are_the_test_then_the_validation(tmp_path: Path) -> None:
    talks = [talk(day, 2) for day in (7, 3, 9, 0, 5, 1, 2, 8, 4, 6)]
    train, validation, test = in_splits(tmp_path, talks)
    assert [one.start.day for one in train] == list(range(1, 9))
    assert ([one.start.day for one in validation], [one.start.day for one in test]) == ([9], [10])


def test_one_long_conversation_is_cut_at_its_silences(tmp_path: Path) -> None:
    train, validation, test = in_splits(tmp_path, [talk(0, 100, pause=89)])
    assert [sum(one.replies for one in part) for part in (train, validation, test)] == [80, 10, 10]
    assert test[0].turns[0].content == "question 90"
    assert (test[0].contact, test[0].format) == ("ana", "Test")


def test_no_test(tmp_path: Path) -> None:
    train, validation, test = in_splits(tmp_path, [talk(day, 2) for day in range(10)], test=0)
    assert (len(train), len(validation), len(test)) == (9, 1, 0)


@settings(max_examples=examples(80))
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=30),
    validation=st.floats(0.05, 0.4),
    test=st.floats(0.05, 0.4),
)
def test_every_reply_in_one_split_and_none_empty(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], validation: float, test: float
) -> None:
    talks = [talk(day, size) for day, size in enumerate(sizes)]
    if sum(sizes) < 20:
        return
    parts = in_splits(tmp_path_factory.getbasetemp(), talks, validation, test)
    assert all(parts)
    found = [(one.start.date(), turn.content) for part in parts for one in part for turn in one.turns]
    assert found == [(one.start.date(), turn.content) for one in talks for turn in one.turns]


# --- the store --------------------------------------------------------------------------------------------------------


def test_store_returns_what_was_added(tmp_path: Path) -> None:
    with ConversationStore(tmp_path) as store:
        talks = [talk(day, 3, "Gruppe „äöü“ 😀") for day in range(5)]
        assert [store.add(one) for one in talks] == list(range(5))
        assert [store.get(number) for number in range(5)] == talks
        assert store.line(3) == talks[3].to_json().encode() + b"\n"
        store.truncate(2)
        assert len(store) == 2
        assert store.add(talks[4]) == 2
        assert [store.get(number) for number in range(3)] == [*talks[:2], talks[4]]
        assert list(store.replies) == [3, 3, 3]


def test_store_leaves_nothing_behind(tmp_path: Path) -> None:
    turns = (Turn("user", "x" * 10_000, START, START), Turn("assistant", "y", START, START))
    with ConversationStore(tmp_path) as store:
        for _ in range(MAX_MEMORY_BYTES // 10_000 + 10):
            store.add(Conversation(turns, "chat"))
        assert store.get(0).turns == turns
    assert list(tmp_path.iterdir()) == []


def test_half_a_character_is_no_reason_to_fail(tmp_path: Path) -> None:
    turns = (Turn("assistant", "a\ud83d", START, START),)
    with ConversationStore(tmp_path) as store:
        store.add(Conversation(turns, "chat"))
        assert store.get(0).turns[0].content == "a?"
