"""Names that several formats show, and what several formats count."""

import pytest

from selfchatbot.preprocessors.reading.unique_names import Names, visible
from selfchatbot.preprocessors.reading.unread import Unread


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("Rowan", "Rowan"),
        ("\u202aRowan\u202c", "Rowan"),
        ("\u200e Rowan Hill\x00", "Rowan Hill"),
        ("Ro\u00adwan", "Rowan"),
        ("👩\u200d🔬 Ada", "👩\u200d🔬 Ada"),  # a joiner is a part of the emoji
        ("می\u200cخواهم", "می\u200cخواهم"),  # and a non-joiner of the word
        ("\u200b", "\u200b"),  # nothing else is there
    ],
)
def test_a_name_is_what_is_seen_of_it(name: str, seen: str) -> None:
    assert visible(name) == seen


def test_an_account_keeps_its_name_whatever_marks_it_has() -> None:
    names = Names()
    assert names.of("1", "\u2068Moss\u2069") == "Moss" == names.of("1", "Moss")
    assert names.of("2", "Moss\u200f") == "Moss (2)"


def test_what_cannot_be_read_is_told_once() -> None:
    unread = Unread()
    assert unread.notes() == []
    unread.add(7)
    assert unread.notes() == ["1 line looks like the beginning of a message but can't be read, the first is line 7"]
    unread.add(9)
    assert unread.notes() == ["2 lines look like the beginning of a message but can't be read, the first is line 7"]
