"""An independent check of what was read: phrases that an app may have written in somebody's name.

Apps write into chats in more languages and versions than any table knows. What they write repeats word for word, or but
for numbers and links, and more often than what people type. The shares are from the 258,000 messages of real people in
chitchat-dataset 0.9.0, in which strangers greet one another over and over: of nobody who wrote 200 messages or more,
a phrase of two words reached 25 times and 5 %, a line with a number in it 5 times, and words before a colon 3 %.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from selfchatbot.conversations.known_notices import is_known_notice

MAX_CHARACTERS = 100
"""Longer lines are not counted: what apps write is short."""
MAX_LABEL_CHARACTERS = 40
MAX_PHRASES = 20_000
"""That are counted at the same time."""
MAX_REPORTED = 10
VARIES = "*"
"""Stands for a number, a link, or what follows a label, as in the patterns of ``drop``."""
_VARIABLE = re.compile(r"\d+(?:[.,:/-]\d+)*|https?://\S+")
_VARIES = re.compile("[0-9:\n]")
_WORD = re.compile(r"[^\W\d_]\S{2,}|[\u3040-\u30ff\u3400-\u9fff]{2,}")
_SENTENCE = re.compile(r"[^\W\d_]\S*\s+\S|[^\W\d_]{8,}")
_IN_BRACKETS = re.compile(r"\[[^\[\]]+\]|<[^<>]+>|\([^()]+\)|【[^【】]+】|«[^«»]+»")
# A date and a time of the day at the start of a line, or a line that is a date and a weekday.
_DATE = r"\d{1,4}[./年년-] ?\d{1,2}[./月월-] ?\d{1,4}[日일.]?"
_MESSAGE_START = re.compile(
    rf"\W?{_DATE}[^\n\d]{{1,12}}\d{{1,2}}[:.]\d\d|\W{{0,20}}{_DATE}\W{{1,3}}[^\W\d]\S{{0,20}}\W{{0,20}}\Z"
)


class Rule(NamedTuple):
    """How often somebody has to write a phrase before it is reported."""

    times: int
    share: float
    """Of the sender's messages."""


KNOWN = Rule(3, 0.001)
"""Two words or more that some app writes in some language."""
KNOWN_WORD = Rule(10, 0.01)
BRACKETS = Rule(5, 0.005)
WITH_VARIABLE = Rule(10, 0.005)
LABEL = Rule(20, 0.03)
PHRASE = Rule(25, 0.05)
JOINED = Rule(3, 0.005)
"""Messages that end in the beginning of another one."""


class AppPhrases:
    """Counts the phrases of one chat or format. Its memory is bounded: rare phrases of large chats are forgotten."""

    def __init__(self) -> None:
        self._phrases: dict[tuple[str, str], int] = {}
        self._joined: Counter[tuple[str, str]] = Counter()

    def add(self, author: str, content: str) -> None:
        """Count a message."""
        if not _VARIES.search(content):
            # Most messages; the rest costs several times as much.
            if len(content) <= MAX_CHARACTERS:
                key = (author, content)
                self._phrases[key] = self._phrases.get(key, 0) + 1
                if len(self._phrases) > MAX_PHRASES:
                    self._prune()
        elif "\n" in content:
            first, _, rest = content.partition("\n")
            last = rest.rpartition("\n")[2]
            self._count(author, first)
            if match := _MESSAGE_START.match(last):
                # Nothing to drop: the words before the line would be lost with what was joined to them.
                if len(self._joined) < MAX_PHRASES:
                    self._joined[author, _VARIABLE.sub(VARIES, match[0])] += 1
            else:
                self._count(author, last)
        else:
            self._count(author, content)

    def update(self, other: "AppPhrases") -> None:
        """Add the counts of another chat."""
        for key, count in other._phrases.items():
            self._phrases[key] = self._phrases.get(key, 0) + count
        self._prune()
        for key, count in other._joined.items():
            if key in self._joined or len(self._joined) < MAX_PHRASES:
                self._joined[key] += count

    def suspicious(self, messages: Mapping[str, int]) -> list[tuple[str, int]]:
        """Phrases that the app may have written, with ``*`` for what varies, and how often they occur.

        ``messages``: how many each sender wrote.
        """
        found: Counter[str] = Counter()
        reported: set[str] = set()
        for (author, phrase), count in self._phrases.items():
            found[phrase] += count
            total = messages.get(author, 0)
            # No rule asks for less. Most phrases need no look at the patterns and tables.
            if _reaches(KNOWN, count, total) and _reaches(_rule(phrase, author), count, total):
                reported.add(phrase)
        return [(phrase, count) for phrase, count in found.most_common() if phrase in reported][:MAX_REPORTED]

    def joined(self, messages: Mapping[str, int]) -> tuple[str, int] | None:
        """The commonest form of dates in which messages end, as if another began there, and how many do."""
        senders: Counter[str] = Counter()
        forms: Counter[str] = Counter()
        for (author, form), count in self._joined.items():
            senders[author] += count
            forms[form] += count
        if any(_reaches(JOINED, count, messages.get(author, 0)) for author, count in senders.items()):
            return forms.most_common(1)[0][0], senders.total()
        return None

    def _count(self, author: str, line: str) -> None:
        if len(line) > MAX_CHARACTERS:
            return
        phrases = self._phrases
        phrase = _VARIABLE.sub(VARIES, line)
        key = (author, phrase)
        phrases[key] = phrases.get(key, 0) + 1
        if (colon := phrase.find(": ", 0, MAX_LABEL_CHARACTERS)) > 0:
            label = (author, f"{phrase[:colon]}: {VARIES}")
            if label != key:
                phrases[label] = phrases.get(label, 0) + 1
        if len(phrases) > MAX_PHRASES:
            self._prune()

    def _prune(self) -> None:
        """Misra and Gries, 1982: what is a larger part than 1 / MAX_PHRASES of all is never lost."""
        while len(self._phrases) > MAX_PHRASES:
            self._phrases = {key: count - 1 for key, count in self._phrases.items() if count > 1}


def _rule(phrase: str, author: str) -> Rule | None:
    """What a phrase has to reach, None if it is nothing that an app writes."""
    if not _WORD.search(phrase):
        return None
    if is_known_notice(phrase.replace(VARIES, "1"), author):
        return KNOWN if _SENTENCE.search(phrase) else KNOWN_WORD
    if _IN_BRACKETS.fullmatch(phrase):
        return BRACKETS
    if phrase.endswith(f": {VARIES}") and phrase.count(VARIES) == 1:
        return LABEL
    if not _SENTENCE.search(phrase):
        return None
    return WITH_VARIABLE if VARIES in phrase else PHRASE


def _reaches(rule: Rule | None, count: int, messages: int) -> bool:
    return rule is not None and count >= rule.times and count >= rule.share * messages
