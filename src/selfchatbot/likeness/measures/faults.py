"""Faults that no reply may have, whatever its style."""

import re
from collections.abc import Collection, Sequence
from itertools import groupby

from selfchatbot.likeness.measures.lexicon import laughter
from selfchatbot.likeness.result import Health
from selfchatbot.player.reply.truncation import MARKUP_CHARACTERS
from selfchatbot.style import words_of

SAME_MESSAGES = 4
PHRASE = 8
"""Words of the longest phrase that counts as a loop when it comes again and again."""
TIMES = 4
WORD_TIMES = 8
"""Of a single word: "no no no no" is none."""
UNIT = re.compile(r"(.{2,40}?)\1{7,}", re.DOTALL)
LAUGHTER = 3
"""Different characters of what may go on for ever: "hahahaha"."""


def health(
    replies: Sequence[str], finished: Sequence[bool], marks: Collection[str], speakers: Collection[str]
) -> Health:
    """Count the faults of ``replies`` as the model made them, before anything is cut.

    ``finished``: whether each ended its turn by itself. ``marks``: text that the template puts around turns
    (`ChatFormat.markers`). ``speakers``: names that stand before messages of others.
    """
    names = tuple(f"{name}:" for name in speakers if name)
    marks = {mark for mark in marks if mark.strip()}
    return Health(
        replies=len(replies),
        empty=sum(not reply.strip() for reply in replies),
        truncated=len(finished) - sum(finished),
        looping=sum(map(loops, replies)),
        other_speaker=sum(
            any(line.lstrip().startswith(names) for line in reply.split("\n")) for reply in replies if names
        ),
        template=sum(_has_mark(reply, marks) for reply in replies),
    )


def loops(reply: str) -> bool:
    """Whether a message, a phrase or a few characters come again and again, more than people do for effect."""
    lines = [line.strip() for line in reply.split("\n") if line.strip()]
    if any(len(list(same)) >= SAME_MESSAGES for _, same in groupby(lines)):
        return True
    words = [word for word in words_of(reply) if laughter(word * 2) is None]
    if any(_repeats(words, size, WORD_TIMES if size == 1 else TIMES) for size in range(1, PHRASE + 1)):
        return True
    return any(len(set(match[1])) > LAUGHTER for match in UNIT.finditer(reply))


def _repeats(words: Sequence[str], size: int, times: int) -> bool:
    """Whether ``size`` words come so many times in a row."""
    same = 0
    for before, word in zip(words, words[size:], strict=False):
        same = same + 1 if before == word else 0
        if same >= size * (times - 1):
            return True
    return False


def _has_mark(reply: str, marks: Collection[str]) -> bool:
    """As `selfchatbot.player.reply.truncation` cuts them: any other mark than markup only as a whole message."""
    lines = {line.strip() for line in reply.split("\n")}
    return any(mark in reply if MARKUP_CHARACTERS & set(mark) else mark.strip() in lines for mark in marks)
