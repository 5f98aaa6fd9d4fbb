"""Names of one person, and people, chats and days that are left out."""

import unicodedata
from datetime import date, datetime

import pytest

from selfchatbot.conversations.people import Contacts, Exclusion
from selfchatbot.errors import ParametersError
from selfchatbot.parameters import DateRange, ExcludeOptions


def test_names_are_compared_as_user_names_are() -> None:
    contacts = Contacts({"Ana": ["ana.92#0001", "Ana María"], "Bob": []})
    for name in ("ana.92", "@Ana.92#0001", "ANA MARÍA", "ana", "Ana#1234"):
        assert contacts.name_of(name) == "Ana", name
    assert contacts.name_of("bob#0042") == "Bob"
    assert contacts.name_of("Ana Maria") == "Ana Maria"
    assert contacts.name_of("ana.92#0002") == "ana.92#0002"
    assert set(contacts.names("ana maría")) == {"Ana", "ana.92#0001", "Ana María"}
    assert contacts.names("Cem") == ("Cem",)


def test_a_name_has_one_contact() -> None:
    with pytest.raises(ParametersError, match='"ana" is a name of Ana and of Bob'):
        Contacts({"Ana": [], "Bob": ["@ANA"]})


def exclusion(known: Contacts | None = None, **options: object) -> Exclusion:
    return Exclusion(ExcludeOptions.model_validate(options), known or Contacts({}))


def test_people_by_any_name() -> None:
    found = exclusion(Contacts({"Ana": ["ana.92", "Ana María"]}), contacts=["ana.92", "bob#0001", "Ana"])
    assert all(found.excludes_person(name) for name in ("Ana", "ANA.92#0007", "ana maría", "bob", "@bob#0001"))
    assert not any(found.excludes_person(name) for name in ("bob#0002", "Anabel", "1"))
    assert set(found.names) == {"ana", "ana.92", "ana maría", "bob#0001", "bob"}
    assert found.unused(ExcludeOptions(contacts=("ana.92", "bob#0001", "Ana"))) == []
    assert found.excludes_chat("Ana María")
    assert not found.excludes_chat("Ana María's")


def test_names_are_what_one_sees_of_them() -> None:
    decomposed = unicodedata.normalize("NFD", "Zoë")  # as a Mac names files
    for written in ("Zoë", decomposed, "Zo\u200bë\u202e", "Ｚｏë"):
        found = exclusion(contacts=[written], chats=[f"{written} & *"])
        for name in ("zoë", decomposed, "\u200eZoë\u200e"):
            assert found.excludes_person(name), (written, name)
            assert found.excludes_chat(f"{name} & me") is (written != "Ｚｏë")
    assert not found.excludes_person("Zoe")


def test_people_by_a_name_that_got_an_id() -> None:
    found = exclusion(contacts=["Alex"])
    assert all(
        found.excludes_person(name)
        for name in ("Alex", "alex (user12)", "Alex (U3CCCCCCC)", "Alex (123456789012345678)")
    )
    assert not any(found.excludes_person(name) for name in ("Alex (work)", "Alex (2)"))
    found = exclusion(contacts=["Alex (user12)"])
    assert found.excludes_person("Alex (user12)")
    assert not found.excludes_person("Alex")


def test_chats_by_name_and_stars() -> None:
    found = exclusion(chats=["Family", "work*[1]"])
    assert [found.excludes_chat(name) for name in ("family", "Work - x [1]", "work [12]", "my family")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("dates", "inside"),
    [
        ({"from": "2020-02-01", "to": "2020-02-29"}, [False, True, True, False]),
        ({"from": "2020-02-01"}, [False, True, True, True]),
        ({"to": "2020-02-01"}, [True, True, False, False]),
        ({}, [True, True, True, True]),
    ],
)
def test_days_are_included_at_both_ends(dates: dict[str, str], inside: list[bool]) -> None:
    found = exclusion(dates=[dates])
    times = [datetime(2020, 1, 31, 23, 59), datetime(2020, 2, 1), datetime(2020, 2, 29, 23, 59), datetime(2020, 3, 1)]
    assert [found.excludes_time(time) for time in times] == inside
    assert DateRange.model_validate({"from": "2020-02-01"}).first == date(2020, 2, 1)


def test_names_are_hidden_wherever_they_stand() -> None:
    found = exclusion(contacts=["gale.816", "Al"], chats=["Old friends"])
    assert found.excludes_chat("old friends")
    assert found.hide("x/Direct Messages - gale.816 [1].txt") == "x/Direct Messages - [excluded] [1].txt"
    assert found.hide("Old friends.txt: AL and Alfred, al_1") == "[excluded].txt: [excluded] and Alfred, [excluded]_1"
    assert exclusion().hide("gale") == "gale"


def test_names_are_hidden_however_they_are_spelled() -> None:
    found = exclusion(contacts=["Großmann", "Γιώργος", "İbrahim", "O'Brien"])
    for name in ("Großmann", "GROSSMANN", "Γιώργος", "ΓΙΏΡΓΟΣ", "İbrahim", "ibrahim", "O’Brien", "O'BRIEN"):
        assert found.hide(f"with {name}.txt") == "with [excluded].txt", name


def test_chats_that_are_left_out_later_are_hidden_too() -> None:
    found = exclusion(contacts=["Al"])
    assert found.hide("Al, Old friends") == "[excluded], Old friends"
    found.hide_chat("Old friends")
    assert found.hide("Al, Old friends") == "[excluded], [excluded]"
