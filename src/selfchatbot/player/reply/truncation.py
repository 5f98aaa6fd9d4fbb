"""Cuts a reply where it is no longer mine: another person's line, text of the chat template, a repeated message."""

import re
from collections.abc import Iterable

from selfchatbot.messages import ChatMessages

NAME_PREFIX = re.compile(r"^([^\n:]{1,40}): ", re.MULTILINE)
"""In a group chat, the name of the author before a message."""
MARKUP_CHARACTERS = frozenset("<>[]{}|#")
"""A template marker with one of these is cut anywhere, any other only where it is a whole message."""
MAX_SAME_MESSAGES = 3
"""The same message may be sent this often in a row; more is a loop."""


class Truncator:
    """Truncates the replies to one conversation.

    ``markers`` are the texts that the chat template puts around turns (`ChatFormat.markers`). A line is another
    person's if it starts with one of ``names`` or with a name that precedes messages in the group chat ``messages``.
    """

    def __init__(self, markers: Iterable[str], messages: ChatMessages, names: Iterable[str] = ()) -> None:
        markers = set(markers) - {""}
        self._markup = {marker for marker in markers if MARKUP_CHARACTERS & set(marker)}
        self._plain_markers = markers - self._markup
        self._name_prefixes = tuple(f"{name}:" for name in {*names, *_names_in(messages)} - {""})

    def __call__(self, text: str, finished: bool = True) -> tuple[str, bool]:
        """The part of ``text`` that may be shown, and whether the reply ends there whatever follows.

        Unless the reply is ``finished``, an end that might still turn into another person's words is held back.
        """
        place = min((found for marker in self._markup if (found := text.find(marker)) >= 0), default=-1)
        ended = place >= 0
        lines = (text[:place] if ended else text).split("\n")
        for number, line in enumerate(lines):
            complete = finished or ended or number < len(lines) - 1
            before = lines[max(number - MAX_SAME_MESSAGES, 0) : number]
            repeated = complete and len(before) == MAX_SAME_MESSAGES and set(before) == {line} and bool(line.strip())
            template = complete and line.strip() in self._plain_markers
            if repeated or template or line.lstrip().startswith(self._name_prefixes):
                return "\n".join(lines[:number]).rstrip(), True
        if ended:
            return "\n".join(lines).rstrip(), True
        if finished:
            return text, False
        if self._may_be_cut(lines):
            return "\n".join(lines[:-1]).rstrip(), False
        held_back = max((overlap(text, marker) for marker in self._markup), default=0)
        return text[: len(text) - held_back], False

    def _may_be_cut(self, lines: list[str]) -> bool:
        """Whether the last line, which is still growing, may yet have to be cut as a whole."""
        last = lines[-1].lstrip()
        if any(text.startswith(last) for text in (*self._name_prefixes, *self._plain_markers)):
            return True
        before = lines[-1 - MAX_SAME_MESSAGES : -1]
        return len(before) == MAX_SAME_MESSAGES and len(set(before)) == 1 and before[0].startswith(last)


def overlap(text: str, sequence: str) -> int:
    """How many characters at the end of ``text`` are the beginning of ``sequence``, but not all of it."""
    longest = min(len(text), len(sequence) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(sequence[:size])), 0)


def _names_in(messages: ChatMessages) -> set[str]:
    """Names before messages: two different ones, or one in two turns. A single one may be a sentence with a colon."""
    turns: dict[str, int] = {}
    for message in messages:
        if message["role"] == "user" and NAME_PREFIX.match(message["content"]):
            for name in set(NAME_PREFIX.findall(message["content"])):
                turns[name] = turns.get(name, 0) + 1
    return {name for name in turns if len(turns) > 1 or turns[name] > 1}
