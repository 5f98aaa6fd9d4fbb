"""Who is who: contacts with several names, and excluded people, chats and days."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime

from selfchatbot.conversations.lookalikes import is_phone_number
from selfchatbot.display import without_hidden
from selfchatbot.errors import ParametersError
from selfchatbot.parameters import ExcludeOptions
from selfchatbot.preprocessors.names import comparable, without_discriminator
from selfchatbot.preprocessors.reading.unique_names import NAMESAKE
from selfchatbot.redaction.contacts import words
from selfchatbot.redaction.rule import Rule, lower, replace_spans

HIDDEN = "[excluded]"


class Contacts:
    """``contacts`` of the raw parameters.json: the names that each contact has in the apps.

    Names are compared as in `same_name`. Raises ParametersError for a name that belongs to two contacts.
    """

    def __init__(self, contacts: Mapping[str, Iterable[str]], place: str = "contacts") -> None:
        self._contacts = {contact: (contact, *names) for contact, names in contacts.items()}
        self._exact: dict[str, str] = {}
        self._without_number: dict[str, str] = {}
        for contact, names in self._contacts.items():
            for name in map(comparable, names):
                if self._exact.setdefault(name, contact) != contact:
                    raise ParametersError(f'{place}: "{name}" is a name of {self._exact[name]} and of {contact}')
                self._without_number.setdefault(without_discriminator(name), contact)

    def name_of(self, author: str) -> str:
        """The contact to whom an author belongs, else the author as written in the export."""
        return self.find(author) or author

    def find(self, author: str) -> str | None:
        """The contact to whom an author belongs, None if there is none."""
        if not self._exact:
            return None
        name = comparable(author)
        return self._exact.get(name) or self._exact.get(without_discriminator(name)) or self._without_number.get(name)

    def names(self, name: str) -> tuple[str, ...]:
        """All names of the contact who has this name."""
        return self._contacts.get(self.name_of(name), (name,))


class Exclusion:
    """``exclude`` of the raw parameters.json. Output never contains the names of what is excluded: see `hide`."""

    def __init__(self, options: ExcludeOptions, contacts: Contacts) -> None:
        people: dict[frozenset[str], list[int]] = {}
        spellings: set[str] = set()
        for number, name in enumerate(options.contacts, 1):
            names = tuple(map(without_hidden, contacts.names(name)))
            people.setdefault(frozenset(map(comparable, [*names, *_digits(names)])), []).append(number)
            spellings.update(form for one in names for form in _forms(lower(one.strip().removeprefix("@"))))
        # The keys are the numbers of the entries; no author has such a name.
        self._people = Contacts({"\0" + " ".join(map(str, numbers)): names for names, numbers in people.items()})
        self._chats = [_wildcards(pattern) for pattern in options.chats]
        self._dates = options.dates
        self._used: set[str] = set()
        self._hidden_chats: set[str] = set()
        self._hidden: tuple[int, Rule] | None = None
        """The number of hidden chats and the pattern for them. With thousands of names, compiling takes time."""
        self.names = tuple(spellings)
        """The names of excluded people in lower case, with and without ``#1234``."""
        self.active = bool(options.contacts or options.chats or options.dates)

    def excludes_person(self, author: str) -> bool:
        """Whether an author is excluded."""
        spellings = (author, NAMESAKE.sub("", author), *_digits([author]))
        numbers = next(filter(None, map(self._people.find, spellings)), None)
        if numbers is None:
            return False
        self._used.update(f"contacts {number}" for number in numbers[1:].split())
        return True

    def excludes_chat(self, chat: str) -> bool:
        """Whether a chat is excluded, by its name or because it is named after an excluded person."""
        numbers = [number for number, pattern in enumerate(self._chats, 1) if pattern.fullmatch(_composed(chat))]
        self._used.update(f"chats {number}" for number in numbers)
        if numbers or self.excludes_person(chat):
            self._hidden_chats.add(chat)
            return True
        return False

    def excludes_time(self, time: datetime) -> bool:
        """Whether the day of ``time`` is excluded."""
        day = time.date()
        for number, dates in enumerate(self._dates, 1):
            if (dates.first is None or dates.first <= day) and (dates.last is None or day <= dates.last):
                self._used.add(f"dates {number}")
                return True
        return False

    def hide_chat(self, chat: str) -> None:
        """Hide the name of a chat in which only excluded people wrote to me."""
        self._hidden_chats.add(chat)

    def is_hidden(self, chat: str) -> bool:
        """Whether a chat is excluded and its name hidden."""
        return chat in self._hidden_chats

    def hide(self, text: str) -> str:
        """A name, path or warning without the names of excluded people and chats."""
        if self._hidden is None or self._hidden[0] != len(self._hidden_chats):
            self._hidden = len(self._hidden_chats), words("hidden", {*self.names, *self._hidden_chats})
        return replace_spans(text, self._hidden[1].find(text, lower(text)), HIDDEN)

    def unused(self, options: ExcludeOptions) -> list[str]:
        """Warnings about entries that matched nothing. They don't contain the names."""
        return [
            f"exclude.{key}: entry {number} matches nothing: check how the export writes it"
            for key in ("contacts", "chats", "dates")
            for number in range(1, len(getattr(options, key)) + 1)
            if f"{key} {number}" not in self._used
        ]


def _wildcards(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, _composed(pattern).strip().split("*"))), re.IGNORECASE | re.DOTALL)


def _composed(chat: str) -> str:
    """The name of a chat as one sees it: on a Mac, accents in names of files are characters of their own."""
    return unicodedata.normalize("NFC", without_hidden(chat))


def _digits(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that are phone numbers, as mentions have them: ``+49 170 1234567`` as ``491701234567``."""
    return [re.sub(r"\D", "", name) for name in names if is_phone_number(name)]


def _forms(name: str) -> set[str]:
    return {name, without_discriminator(name), *_digits([name])} - {""}
