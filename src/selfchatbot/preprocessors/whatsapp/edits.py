"""Messages that were edited between two exports of one chat: the newer wording counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from selfchatbot.preprocessors.whatsapp.content import is_marked_edited
from selfchatbot.preprocessors.whatsapp.layout import Layout
from selfchatbot.preprocessors.whatsapp.parts import Unread, parts, texts


@dataclass(slots=True)
class _Minute:
    """What one person wrote in one minute, as another export has it."""

    edited: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)


class Edits:
    """The wording in other exports of a chat of what they say was edited.

    An edited message keeps its time, and exports of Android tell only the minute. So what stands for a message of the
    same person and minute that the other export doesn't have is its earlier wording.
    """

    def __init__(self, layout: Layout, others: Iterable[Layout]) -> None:
        self._minutes: dict[tuple[datetime, str], _Minute] = {}
        self._newer: dict[tuple[datetime, str], _Minute] = {}
        for other in others:
            if other is layout or other.chat != layout.chat or not other.edited:
                continue
            if other.earliest <= layout.latest and layout.earliest <= other.latest:
                self._read(other, layout.latest < other.latest)

    def __bool__(self) -> bool:
        return bool(self._minutes)

    def newer(self, time: datetime, author: str, text: str, content: str) -> str:
        """The newer wording of ``content``, the part of a message's ``text`` that was typed, or ``content`` itself."""
        key = (time.replace(second=0), author)
        minute = (self._newer if is_marked_edited(text) else self._minutes).get(key)
        if minute is None:
            return content
        for same in (minute.unchanged, minute.edited):
            if content in same:
                same.remove(content)
                return content
        return minute.edited.pop(0) if minute.edited else content

    def _read(self, other: Layout, is_newer: bool) -> None:
        """Keep the minutes of ``other`` in which somebody edited something."""
        now: datetime | None = None
        minute: dict[str, _Minute] = {}
        for time, author, text, content in texts(other, parts(other, Unread())):
            if (start := time.replace(second=0)) != now:
                self._keep(now, minute, is_newer)
                now, minute = start, {}
            if content:
                one = minute.setdefault(author, _Minute())
                (one.edited if is_marked_edited(text) else one.unchanged).append(content)
        self._keep(now, minute, is_newer)

    def _keep(self, now: datetime | None, minute: dict[str, _Minute], is_newer: bool) -> None:
        for author, one in minute.items():
            if now is not None and one.edited:
                self._minutes[now, author] = one
                if is_newer:
                    self._newer[now, author] = one
