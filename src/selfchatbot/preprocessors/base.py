"""The base class of export formats, and what is known about an export file."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path, PurePath
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from selfchatbot.messages import Message
from selfchatbot.parameters import Parameters
from selfchatbot.preprocessors.media import STICKER, emoji_of
from selfchatbot.preprocessors.names import same_name
from selfchatbot.preprocessors.reading.archives import ExportPath, files_below, members
from selfchatbot.preprocessors.reading.lines import decoded_lines

# Formats import all of these from here.
__all__ = ["ExportFile", "ExportPath", "Preprocessor", "decoded_lines", "same_name"]


@dataclass(slots=True)
class ExportFile:
    """Facts about one export file, filled in while it is read."""

    path: ExportPath
    chat: str
    messages: int = 0
    """Messages of any kind, counted as the exporter counts them."""
    declared: int | None = None
    """The number of messages that the export states."""
    first: datetime | None = None
    """The time of the oldest message."""
    last: datetime | None = None
    me: str | None = None
    """The author who made the export, if the export states it; set before the first message is yielded."""
    group: bool | None = None
    """Whether the chat has more than two members, if the export states it."""
    media: Counter[str] = field(default_factory=Counter)
    """What was sent besides text, by kind, counted by `Preprocessor.read`."""
    notes: list[str] = field(default_factory=list)
    """What the user should know. Never contains message text."""

    def add(self, time: datetime) -> None:
        """Count a message sent at ``time``."""
        self.messages += 1
        self.cover(time)

    def cover(self, time: datetime) -> None:
        """Extend ``first`` or ``last`` to include ``time``."""
        if self.first is None or time < self.first:
            self.first = time
        if self.last is None or time > self.last:
            self.last = time


class Preprocessor(Parameters):
    """Reads one export format. Its fields are the keys of ``preprocessor_data.<name>`` in the raw parameters.json."""

    name: ClassVar[str]
    """Name of the format, of its folder and of its key in ``preprocessor_data``."""
    app: ClassVar[str] = ""
    """What people call the app, where it is not ``name``."""
    suffixes: ClassVar[tuple[str, ...]]
    """Extensions of the files it reads, in lower case."""
    exports_overlap: ClassVar[bool] = True
    """Whether two exports can contain the same messages of one chat."""
    companions: ClassVar[tuple[str, ...]] = ()
    """Names of files beside the chats that it reads too, such as a list of members."""
    has_times: ClassVar[bool] = True
    """Whether the times are those at which messages were sent."""

    username: str | None = Field(
        None,
        min_length=1,
        description="Your name there, with or without `@` and `#1234`; not needed if the export says it.",
    )
    aliases: tuple[str, ...] = Field((), strict=False, description="Other names you had there.")
    group_chats: Literal["include", "exclude"] = Field(
        "include", description="`exclude`: chats with more than one other person are left out."
    )

    media: Literal["drop", "mark"] = Field(
        "drop",
        description="Pictures, stickers, calls and the like. `mark`: those of others are shown as `[photo]`, "
        "stickers by their emoji.",
    )
    drop: tuple[str, ...] = Field(
        (),
        strict=False,
        description="What the app wrote and was read as typed: whole messages, or whole lines of them; "
        '`*` matches anything: `"Location: *"`.',
    )

    @field_validator("drop")
    @classmethod
    def _not_everything(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        if not all(pattern.strip(" \n*") for pattern in patterns):
            raise ValueError("texts that hold more than *, which would drop every message")
        return patterns

    @classmethod
    def app_name(cls) -> str:
        """What people call the app that the chats come from."""
        return cls.app or cls.name

    def prepare(self, path: Path, progress: Callable[[str], None]) -> list[str]:
        """Called once before a folder is read. Returns what the user should know.

        ``progress`` is called with a few words about the current step.
        """
        return []

    def read(self, path: Path, files: list[ExportFile] | None = None) -> Iterator[Message]:
        """Yield the messages of a file, or of all files in a folder, chat by chat, oldest first.

        Each `ExportFile` is appended to ``files`` before the first of its messages. Messages without text are yielded
        only where ``media`` asks for them.

        Raises ExportError for files that can't be read, ParametersError where the user has to decide something.
        """
        files = [] if files is None else files
        for message in self.read_exports(path, files):
            if message.media and (prepared := self._with_media(message, files)) is not message:
                if prepared is not None:
                    yield prepared
                continue
            yield message

    def _with_media(self, message: Message, files: list[ExportFile]) -> Message | None:
        """Count what was sent besides text; the message as ``media`` wants it, None for none."""
        emoji = emoji_of(message.media)
        if files:
            files[-1].media[STICKER if emoji else message.media] += 1
        if self.media == "drop":
            return replace(message, media="") if message.content else None
        return replace(message, content=message.content or emoji, media="") if emoji else message

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        """See `read`; each format implements this. The files to read are ``self.export_files(path)``.

        Messages without text but with `Message.media` are yielded as well.
        """
        raise NotImplementedError

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        """Whether a file that starts with ``head`` (at most 64 KiB) looks like this format.

        Files of a new dataset are sorted by it, and hints come from it.
        """
        return False

    def export_files(self, path: Path) -> list[ExportPath]:
        """``path`` itself, or the files below it that this format reads, sorted by path. Zips are read in place.

        Raises ExportError for links that lead out of the folder and for unsafe archives.
        """
        if path.is_dir():
            return files_below(path, self._is_export)
        if path.suffix.lower() == ".zip" and not self._is_export(path):
            return [*members(path, self._is_export)]
        return [path]

    def _is_export(self, path: PurePath) -> bool:
        return path.suffix.lower() in self.suffixes

    def other_names(self, author: str) -> tuple[str, ...]:
        """What else the export calls an author, for `exclude`. Known once a message of that author was yielded."""
        return ()

    def is_me(self, author: str) -> bool:
        """Whether ``author``, as written in the export, is my user name or one of my aliases."""
        names = self.aliases if self.username is None else (self.username, *self.aliases)
        return _is_one_of(names, author)


@lru_cache(maxsize=4096)
def _is_one_of(names: tuple[str, ...], author: str) -> bool:
    return any(same_name(name, author) for name in names)
