"""Where a reply stops being my words: another speaker's line, text of the template, one message again and again."""

import re
from collections.abc import Iterable

from selfchatbot.messages import ChatMessages

SPEAKER = re.compile(r"^([^\n:]{1,40}): ", re.MULTILINE)
"""How the turns of a group name who speaks."""
SYNTAX = frozenset("<>[]{}|#")
"""A mark of a template with one of these is cut wherever it stands, any other only where it is a whole message."""
SAME_MESSAGES = 3
"""I may well send the same message so often in a row; more of them are a loop."""


class OwnWords:
    """Cuts replies.

    ``marks`` are texts that the template puts around turns (`ChatFormat.marks`). Speakers are those whom ``messages``
    names, as the others' turns of a group do, and ``names``.
    """

    def __init__(self, marks: Iterable[str], messages: ChatMessages, names: Iterable[str] = ()) -> None:
        marks = set(marks) - {""}
        self._anywhere = {mark for mark in marks if SYNTAX & set(mark)}
        self._messages = marks - self._anywhere
        self._openings = tuple(f"{name}:" for name in {*names, *_speakers(messages)} - {""})

    def __call__(self, text: str, finished: bool = True) -> tuple[str, bool]:
        """What of ``text`` may be shown, and whether the reply ends there, whatever comes after.

        While a reply is not ``finished``, its end is held back as long as it may yet become somebody else's words.
        """
        place = min((found for mark in self._anywhere if (found := text.find(mark)) >= 0), default=-1)
        ended = place >= 0
        lines = (text[:place] if ended else text).split("\n")
        for number, line in enumerate(lines):
            complete = finished or ended or number < len(lines) - 1
            before = lines[max(number - SAME_MESSAGES, 0) : number]
            loop = complete and len(before) == SAME_MESSAGES and set(before) == {line} and bool(line.strip())
            template = complete and line.strip() in self._messages
            if loop or template or line.lstrip().startswith(self._openings):
                return "\n".join(lines[:number]).rstrip(), True
        if ended:
            return "\n".join(lines).rstrip(), True
        if finished:
            return text, False
        if self._unsure(lines):
            return "\n".join(lines[:-1]).rstrip(), False
        tail = max((_overlap(text, mark) for mark in self._anywhere), default=0)
        return text[: len(text) - tail], False

    def _unsure(self, lines: list[str]) -> bool:
        """Whether the last line, which goes on, may still be cut as a whole."""
        last = lines[-1].lstrip()
        if any(text.startswith(last) for text in (*self._openings, *self._messages)):
            return True
        before = lines[-1 - SAME_MESSAGES : -1]
        return len(before) == SAME_MESSAGES and len(set(before)) == 1 and before[0].startswith(last)


def _speakers(messages: ChatMessages) -> set[str]:
    """Names at the beginnings of lines: of two people, or of one in two turns; less may be a sentence with a colon."""
    turns: dict[str, int] = {}
    for message in messages:
        if message["role"] == "user" and SPEAKER.match(message["content"]):
            for name in set(SPEAKER.findall(message["content"])):
                turns[name] = turns.get(name, 0) + 1
    return {name for name in turns if len(turns) > 1 or turns[name] > 1}


def _overlap(text: str, mark: str) -> int:
    """How many characters at the end of ``text`` may be the beginning of ``mark``."""
    return next((size for size in range(min(len(text), len(mark) - 1), 0, -1) if text.endswith(mark[:size])), 0)
