r"""ChatLab's format for chats of any app, and what exporters of WeChat and QQ write besides.

One chat is one file:

- ChatLab (.json): ``{"chatlab": {...}, "meta": {...}, "members": [...], "messages": [...]}``; (.jsonl): the same with
  one object a line, told apart by ``"_type"`` (``header``, ``member``, ``message``), and lines with ``#`` as comments.
  WeFlow, CipherTalk, imessage-chatlab and others write it;
- WeFlow, echotrace (.json): ``{"session": {...}, "messages": [...]}``, the former with ``"weflow": {...}`` in front;
- qq-chat-exporter (.json): ``{"metadata": ..., "chatInfo": {...}, "messages": [...]}``, or ``manifest.json`` with
  ``chatInfo`` and ``chunks/c000001.jsonl``, one message a line.

`layouts` reads their messages. All times are Unix times.
"""

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path, PurePath
from typing import Any, ClassVar

from pydantic import PrivateAttr

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor
from selfchatbot.preprocessors.chatlab.layouts import (
    Head,
    Reader,
    chatlab_head,
    chatlab_message,
    qq_head,
    qq_message,
    weflow_head,
    weflow_message,
)
from selfchatbot.preprocessors.reading.json_lines import json_objects
from selfchatbot.preprocessors.reading.json_stream import CutShortError, NoObjectError, json_values
from selfchatbot.preprocessors.reading.order import oldest_to_newest
from selfchatbot.preprocessors.reading.reverse import Row
from selfchatbot.preprocessors.reading.unique_names import Names
from selfchatbot.preprocessors.reading.utc import moment

HEADS = {
    "meta": (chatlab_head, chatlab_message),
    "session": (weflow_head, weflow_message),
    "chatInfo": (qq_head, qq_message),
}
CHUNK = re.compile(r"(?:c|chunk_?)\d+\.jsonl", re.IGNORECASE)
MANIFEST = "manifest.json"
NO_CHATS = (MANIFEST, "avatars.json")
OF_WECHAT = re.compile(rb'"weflow"\s*:\s*\{|"platform"\s*:\s*"wechat"|"session"\s*:\s*\{\s*"(?:wxid|username)"')
OF_QQ = re.compile(rb'QQChatExporter|"platform"\s*:\s*"qq"')
OF_CHATLAB = re.compile(rb'"chatlab"\s*:\s*\{|"_type"\s*:\s*"(?:header|chatlab)"')


class ChatLab(Preprocessor):
    """Chats in ChatLab's format. ``username`` is a name or the id of an account."""

    name: ClassVar[str] = "ChatLab"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".json")

    _accounts: Names = PrivateAttr(default_factory=Names)

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        self._accounts, chats = Names(), Names()
        manifests = {PurePath(str(file)).parent: file for file in super().export_files(path) if file.name == MANIFEST}
        exports = [_Export(file, manifests.get(PurePath(str(file)).parent.parent)) for file in self.export_files(path)]
        # Exports of one chat, made at different times, come one after the other.
        for export in sorted(exports, key=_Export.place) if len(exports) > 1 else exports:
            yield from export.messages(self._accounts, chats, files)

    def export_files(self, path: Path) -> list[ExportPath]:
        """As for every format, without the tables that stand beside the chats of qq-chat-exporter."""
        found = super().export_files(path)
        return found if found == [path] else [file for file in found if file.name.casefold() not in NO_CHATS]

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        return _kind(path, head) == cls.name

    def is_me(self, author: str) -> bool:
        """As for every format, also by id."""
        return any(map(super().is_me, self._accounts.forms(author)))


class WeChat(ChatLab):
    """WeChat, exported with WeFlow, echotrace or CipherTalk."""

    name: ClassVar[str] = "WeChat"


class QQ(ChatLab):
    """QQ, exported with qq-chat-exporter."""

    name: ClassVar[str] = "QQ"


class _Export:
    """One file."""

    def __init__(self, path: ExportPath, manifest: ExportPath | None) -> None:
        self.path = path
        self._manifest = manifest
        self._file = ExportFile(path, chat="")
        self._me: str | None = None

    def place(self) -> tuple[str, int]:
        """The id of the chat and the time of its first message, to sort by."""
        head, read, records = self._open()
        try:
            return head.key, read(next(records), head).time
        except (StopIteration, CutShortError, TypeError, KeyError, ValueError, AttributeError):
            return head.key, 0

    def messages(self, accounts: Names, chats: Names, files: list[ExportFile]) -> Iterator[Message]:
        """What was typed, oldest first."""
        file = self._file
        head, read, records = self._open()
        file.chat, file.group = chats.of(head.key or self.path.stem, head.name or None), head.group
        owner = head.owner()
        if owner is not None and head.members.get(owner):
            self._me = accounts.of(owner, head.members[owner])
        rows = self._rows(records, read, head, owner, accounts)
        # Whose messages are mine may only be said by the messages themselves.
        ordered = oldest_to_newest(rows, whole=self._me is None)
        try:
            first = next(ordered, None)
            file.me = self._me
            files.append(file)
            for time, author, text, number, answered, media in chain([first] if first else [], ordered):
                yield Message(moment(time), author, text, file.chat, number, answered, media=media)
        except CutShortError:
            file.notes.append("the export was cut short: what it has was read; export it again for the rest")

    def _rows(
        self, records: Iterator[dict[str, Any]], read: Reader, head: Head, owner: str | None, accounts: Names
    ) -> Iterator[Row]:
        for record in records:
            try:
                said = read(record, head)
            except (TypeError, KeyError, ValueError, AttributeError):
                raise ExportError(
                    f"{self.path}, message {self._file.messages + 1:,}: its time, sender or content is not as "
                    "expected: export it again"
                ) from None
            self._file.add(moment(said.time))
            if said.mine or (owner is not None and said.sender == owner):
                self._me = accounts.of(said.sender, said.name or None)
            text = said.text if not said.text.isspace() else ""
            if text or said.media:
                author = accounts.of(said.sender, said.name or None)
                yield said.time, author, text, said.id, said.reply_to, said.media

    def _open(self) -> tuple[Head, Reader, Iterator[dict[str, Any]]]:
        """What stands before the messages, and the messages."""
        try:
            return self._open_lines() if self.path.suffix.lower() == ".jsonl" else self._open_json()
        except (TypeError, KeyError, AttributeError):
            raise ExportError(f"{self.path}: its head is not as expected: export it again") from None
        except NoObjectError:
            raise self._no_chat() from None

    def _open_json(self) -> tuple[Head, Reader, Iterator[dict[str, Any]]]:
        values = json_values(self.path, *HEADS, "members[]", "messages[]")
        found: tuple[Head, Reader] | None = None
        members: dict[str, str] = {}
        for place, value in values:
            if place == "members":
                members = dict(_member(member) for member in value)
            elif place == "messages":
                if found is None:
                    break
                found[0].members = members | found[0].members
                return *found, _to_the_end(value, values)
            elif place in HEADS:
                head, read = HEADS[place]
                found = head(value), read
        raise self._no_chat()

    def _open_lines(self) -> tuple[Head, Reader, Iterator[dict[str, Any]]]:
        head: Head | None = None
        records = json_objects(self.path, comment="#")
        for record in records:
            match record.get("_type"):
                case "header":
                    head = chatlab_head(record["meta"])
                case "meta":
                    head = chatlab_head(record)
                case "member" if head is not None:
                    key, name = _member(record)
                    head.members[key] = name
                case "message" if head is not None:
                    rest = (one for one in records if one.get("_type", "message") == "message")
                    return head, chatlab_message, chain([record], rest)
                case None if head is None and "sender" in record:
                    return self._chunk_head(), qq_message, chain([record], records)
                case "chatlab":
                    pass
                case _:
                    raise self._no_chat()
        if head is None:
            raise self._no_chat()
        return head, chatlab_message, iter(())

    def _chunk_head(self) -> Head:
        for _, chat in json_values(self._manifest, "chatInfo") if self._manifest else ():
            return qq_head(chat)
        return Head(self.path.stem, self.path.stem)

    def _no_chat(self) -> ExportError:
        return ExportError(
            f'{self.path}: no chat of ChatLab, WeFlow, echotrace or qq-chat-exporter, expected "meta", "session" or '
            f'"chatInfo" before the messages: export it again in one of these formats, or remove the file'
        )


def _to_the_end(items: Iterator[Any], values: Iterator[Any]) -> Iterator[Any]:
    """``items``, then what is left of ``values``, which also keeps the file open that both are read from."""
    yield from items
    for _ in values:
        pass


def _member(member: dict[str, Any]) -> tuple[str, str]:
    key, name = member["platformId"], member.get("accountName") or ""
    if not isinstance(key, str | int) or not isinstance(name, str):
        raise TypeError
    return str(key), name


def _kind(path: ExportPath, head: bytes) -> str | None:
    """The format to whose folder a file that begins with ``head`` belongs."""
    if OF_WECHAT.search(head):
        return "WeChat"
    if OF_QQ.search(head) or (CHUNK.fullmatch(path.name) and b'"sender"' in head):
        return "QQ"
    return "ChatLab" if OF_CHATLAB.search(head) else None
