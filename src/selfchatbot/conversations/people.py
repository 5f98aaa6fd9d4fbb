"""Who is who: one person under several names, and people, chats and days that are to be left out."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from selfchatbot.errors import ParametersError
from selfchatbot.parameters import ExcludeOptions
from selfchatbot.preprocessors.base import DISCRIMINATOR
from selfchatbot.preprocessors.reading.unique_names import NAMESAKE
from selfchatbot.redaction.contacts import words
from selfchatbot.redaction.rule import Rule, lower, replaced

HIDDEN = "[excluded]"


class Contacts:
    """``contacts`` of the raw parameters.json: contact → the names that they have in the apps.

    Names are compared as everywhere (`same_name`). Raises ParametersError for a name that belongs to two contacts.
    """

    def __init__(self, contacts: Mapping[str, Iterable[str]], place: str = "contacts") -> None:
        self._contacts = {contact: (contact, *names) for contact, names in contacts.items()}
        self._exact: dict[str, str] = {}
        self._without_number: dict[str, str] = {}
        for contact, names in self._contacts.items():
            for name in map(plain, names):
                if self._exact.setdefault(name, contact) != contact:
                    raise ParametersError(f'{place}: "{name}" is a name of {self._exact[name]} and of {contact}')
                self._without_number.setdefault(DISCRIMINATOR.sub("", name), contact)

    def name_of(self, author: str) -> str:
        """The contact that an author is, else the author as the export writes it."""
        return self.find(author) or author

    def find(self, author: str) -> str | None:
        """The contact that an author is, None for one who is in no list."""
        if not self._exact:
            return None
        name = plain(author)
        return self._exact.get(name) or self._exact.get(DISCRIMINATOR.sub("", name)) or self._without_number.get(name)

    def names(self, name: str) -> tuple[str, ...]:
        """All names of the contact who has this one among them."""
        return self._contacts.get(self.name_of(name), (name,))


def plain(name: str) -> str:
    """A name as it is compared: case and a leading ``@`` don't count."""
    return name.strip().removeprefix("@").casefold()


class Exclusion:
    """``exclude`` of the raw parameters.json. What it knows of is named in no output, also not by `hide`."""

    def __init__(self, options: ExcludeOptions, contacts: Contacts) -> None:
        people: dict[frozenset[str], list[int]] = {}
        spelled: set[str] = set()
        for number, name in enumerate(options.contacts, 1):
            names = contacts.names(name)
            people.setdefault(frozenset(map(plain, names)), []).append(number)
            spelled.update(form for one in names for form in _forms(lower(one.strip().removeprefix("@"))))
        # No author is called like these numbers of entries.
        self._people = Contacts({"\0" + " ".join(map(str, numbers)): names for names, numbers in people.items()})
        self._chats = [_wildcards(pattern) for pattern in options.chats]
        self._dates = options.dates
        self._used: set[str] = set()
        self._hidden_chats: set[str] = set()
        self._hidden: tuple[int, Rule] | None = None
        """What `hide` looks for, and how many chats are in it: a pattern of thousands takes its time."""
        self.names = tuple(spelled)
        """The names of excluded people in lower case, with and without the ``#1234`` behind them."""
        self.active = bool(options.contacts or options.chats or options.dates)

    def person(self, author: str) -> bool:
        """Whether an author is to be left out."""
        numbers = self._people.find(author) or self._people.find(NAMESAKE.sub("", author))
        if numbers is None:
            return False
        self._used.update(f"contacts {number}" for number in numbers[1:].split())
        return True

    def chat(self, chat: str) -> bool:
        """Whether a chat is to be left out, by its name or because it is named after a person who is."""
        numbers = [number for number, pattern in enumerate(self._chats, 1) if pattern.fullmatch(chat)]
        self._used.update(f"chats {number}" for number in numbers)
        if numbers or self.person(chat):
            self._hidden_chats.add(chat)
            return True
        return False

    def time(self, time: datetime) -> bool:
        """Whether a day is to be left out."""
        day = time.date()
        for number, dates in enumerate(self._dates, 1):
            if (dates.first is None or dates.first <= day) and (dates.last is None or day <= dates.last):
                self._used.add(f"dates {number}")
                return True
        return False

    def leave_out(self, chat: str) -> None:
        """A chat has turned out to be one with nobody but people to be left out."""
        self._hidden_chats.add(chat)

    def is_hidden(self, chat: str) -> bool:
        """Whether a chat was left out."""
        return chat in self._hidden_chats

    def hide(self, text: str) -> str:
        """A name, path or warning without the names of people and chats that are left out."""
        if self._hidden is None or self._hidden[0] != len(self._hidden_chats):
            self._hidden = len(self._hidden_chats), words("hidden", {*self.names, *self._hidden_chats})
        return replaced(text, self._hidden[1].find(text, lower(text)), HIDDEN)

    def unused(self, options: ExcludeOptions) -> list[str]:
        """Entries that nothing matched, without their names."""
        return [
            f"exclude.{key}: entry {number} matches nothing: check how the export writes it"
            for key in ("contacts", "chats", "dates")
            for number in range(1, len(getattr(options, key)) + 1)
            if f"{key} {number}" not in self._used
        ]


def _wildcards(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.strip().split("*"))), re.IGNORECASE | re.DOTALL)


def _forms(name: str) -> set[str]:
    return {name, DISCRIMINATOR.sub("", name)} - {""}
