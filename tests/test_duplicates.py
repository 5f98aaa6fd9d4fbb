"""Messages that several exports of one chat hold count once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from selfchatbot.conversations.duplicates import Duplicates
from selfchatbot.conversations.edits import Edits
from selfchatbot.messages import Message

START = datetime(2024, 3, 1, 12)


def message(minute: int, text: str = "x", chat: str = "a", author: str = "moss", id_: str | None = None) -> Message:
    return Message(START + timedelta(minutes=minute), author, text, chat, id_)


def kept(folder: Path, *files: Sequence[Message]) -> list[Message]:
    with Duplicates(folder) as duplicates:
        return [one for number, file in enumerate(files, 1) for one in file if not duplicates.contains(one, number)]


def test_equal_messages_of_one_file_are_several(tmp_path: Path) -> None:
    twice = [message(0, "ok"), message(0, "ok")]
    assert kept(tmp_path, twice) == twice
    assert kept(tmp_path, twice, [*twice, message(0, "ok")]) == [*twice, message(0, "ok")]
    assert kept(tmp_path, twice, [message(0, "ok")], twice) == twice


def test_other_chats_authors_and_times_are_others(tmp_path: Path) -> None:
    files = [[message(0)], [message(0, chat="b")], [message(0, author="me")], [message(1)], [message(0, "y")]]
    assert kept(tmp_path, *files) == [one for file in files for one in file]


def test_chats_that_come_again_later(tmp_path: Path) -> None:
    first = [message(minute, chat=chat) for chat in "ab" for minute in range(0, 5000, 100)]
    second = [message(minute, chat=chat) for chat in "ab" for minute in range(2000, 7000, 100)]
    assert len(kept(tmp_path, first, second)) == 2 * 70
    assert len(kept(tmp_path, first, second, first, second)) == 2 * 70


def test_an_edited_message_is_the_same(tmp_path: Path) -> None:
    assert (
        len(kept(tmp_path, [message(0, "helo", id_="7")], [message(0, "hello", id_="7"), message(0, "x", id_="8")]))
        == 2
    )


def test_seconds_that_only_one_phone_exports_do_not_count(tmp_path: Path) -> None:
    old = [message(0, "ok"), message(0, "ok"), message(1, "x")]
    new = [replace(one, timestamp=one.timestamp + timedelta(seconds=31)) for one in (*old, message(1, "y"))]
    assert kept(tmp_path, old, new) == [*old, new[-1]]


def test_a_name_that_lost_its_number_is_the_same(tmp_path: Path) -> None:
    old = [message(0, author="bob#1111"), message(1, author="bob#1111")]
    assert kept(tmp_path, old, [message(1, author="bob"), message(2, author="bob")]) == [*old, message(2, author="bob")]


@settings(max_examples=examples(80))
@given(
    texts=st.lists(st.tuples(st.integers(0, 900), st.sampled_from("xyz")), max_size=40),
    cuts=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=5),
)
def test_pieces_of_a_chat_give_each_of_its_messages_once(
    tmp_path_factory: object, texts: list[tuple[int, str]], cuts: list[tuple[int, int]]
) -> None:
    minute = 0
    whole = []
    for pause, text in texts:
        minute += pause
        whole.append(message(minute, text))
    pieces = [whole[min(cut) : max(cut)] for cut in cuts]
    found = kept(Path(tmp_path_factory.getbasetemp()), *pieces)  # type: ignore[attr-defined]
    # Pieces may end between two equal messages: then nobody can tell which one of them is where.
    for one in whole:
        assert found.count(one) == max(piece.count(one) for piece in pieces)


def test_the_latest_wording_counts_whichever_export_has_it() -> None:
    first, second = message(0, "helo", id_="7"), replace(message(0, "hello", id_="7"), edited=20)
    third = replace(second, content="hello!", edited=30)
    for order in ((first, second, third), (third, second, first)):
        edits = Edits(order)
        assert {edits.latest(one).content for one in order} == {"hello!"}
    other = [message(0, "x", id_="7", chat="b"), message(0, "x", id_="8"), message(0, "x")]
    assert [edits.latest(one) for one in other] == other
