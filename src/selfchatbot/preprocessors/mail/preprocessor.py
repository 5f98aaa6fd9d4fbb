"""Email, as mbox files: of Google Takeout, Thunderbird, Apple Mail and others.

`mbox` takes a file apart, `message` reads one email, `text` leaves out quotes and signatures. A chat is the mail with
one person, or with the same people; a mail is kept with the one that it answers, however late (``In-Reply-To``). I am
whoever the mail is delivered to (``Delivered-To``), or whose mail Gmail says was sent, or ``username``. Mail that was
sent by programs or to lists, and chats in which I wrote nothing, are left out, and so is mail with HTML alone.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import ClassVar

from pydantic import PrivateAttr

from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor
from selfchatbot.preprocessors.mail.mbox import is_separator, raw_messages
from selfchatbot.preprocessors.mail.message import Mail, parsed
from selfchatbot.preprocessors.reading.sorter import Sent, Sorter
from selfchatbot.preprocessors.reading.unique_names import Names
from selfchatbot.preprocessors.reading.utc import moment

BETWEEN = "\n"
"""Stands between the addresses in the key of a chat."""


class Email(Preprocessor):
    """Email. ``username`` is an address or a name; further addresses are ``aliases``."""

    name: ClassVar[str] = "Email"
    suffixes: ClassVar[tuple[str, ...]] = (".mbox",)

    _people: Names = PrivateAttr(default_factory=Names)

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        self._people, chats = Names(), Names()
        exports = self.export_files(path)
        with Sorter(path) as sorter:
            mailbox = _Mailbox()
            for number, export in enumerate(exports):
                mailbox.load(export, number, sorter)
            mine = self._mine(mailbox)
            me = min(mine, key=lambda address: (-mailbox.wrote[address], address)) if mine else None

            def others(key: str) -> str:
                """The key of a chat without me."""
                return BETWEEN.join(one for one in key.split(BETWEEN) if one not in mine)

            with_me = {others(key) for key, senders in mailbox.senders.items() if not mine.isdisjoint(senders)}
            for key, sent in sorter.chats(others):
                if not key or (mine and key not in with_me):
                    continue
                members = key.split(BETWEEN)
                shown = ", ".join(self._person(one, mailbox) for one in members)
                file: ExportFile | None = None
                for mail in sent:
                    if file is None:
                        file = ExportFile(exports[mail.file], chats.of(key, shown), group=len(members) > 1)
                        file.me = self._person(me, mailbox) if me else None
                        file.notes, mailbox.notes = mailbox.notes, []
                        files.append(file)
                    file.add(moment(mail.time))
                    if mail.text:
                        author = self._person(me if me and mail.author in mine else mail.author, mailbox)
                        ids = (mail.id, mail.reply_to)
                        yield Message(moment(mail.time), author, mail.text, file.chat, *ids, media=mail.media)

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        first, _, rest = head.partition(b"\n")
        return is_separator(first) and b":" in rest

    def is_me(self, author: str) -> bool:
        """As for every format, also by address."""
        return any(map(super().is_me, self._people.forms(author)))

    def _is_export(self, path: PurePath) -> bool:
        # Apple Mail makes a folder Sent.mbox, with a file mbox in it.
        return super()._is_export(path) or path.name == "mbox"

    def _mine(self, mailbox: "_Mailbox") -> set[str]:
        """My addresses, of those that wrote."""
        if self.username or self.aliases:
            is_mine = super().is_me
            named = ((address, mailbox.names.get(address, address)) for address in mailbox.wrote)
            return {address for address, name in named if is_mine(address) or is_mine(name)}
        return {address for address in mailbox.delivered_to if mailbox.wrote[address]} or set(mailbox.sent_by)

    def _person(self, address: str, mailbox: "_Mailbox") -> str:
        return self._people.of(address, mailbox.names.get(address) or address)


class _Mailbox:
    """What the files say about people and chats."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        """By address, as people write their own."""
        self.wrote: Counter[str] = Counter()
        self.delivered_to: set[str] = set()
        self.sent_by: set[str] = set()
        self.senders: dict[str, set[str]] = {}
        """Who wrote in each chat."""
        self.notes: list[str] = []

    def load(self, path: ExportPath, file: int, sorter: Sorter) -> None:
        """Put the messages of a file into ``sorter``."""
        unreadable = 0
        called: dict[str, str] = {}
        for raw in raw_messages(path):
            mail = parsed(raw)
            if mail is None:
                unreadable += 1
            else:
                called.update((address, name) for address, name in mail.recipients if name)
                self._take(mail, file, sorter)
        self.names = called | self.names
        if unreadable:
            self.notes.append(f"{path.name}: {unreadable:,} email(s) without a readable sender or date were left out")

    def _take(self, mail: Mail, file: int, sorter: Sorter) -> None:
        address, name = mail.sender
        self.wrote[address] += 1
        self.delivered_to.update(mail.delivered_to)
        if mail.is_sent:
            self.sent_by.add(address)
        if name:
            self.names[address] = name
        key = BETWEEN.join(sorted({address, *(one for one, _ in mail.recipients)}))
        self.senders.setdefault(key, set()).add(address)
        sorter.add(Sent(key, mail.time, address, mail.text, mail.id, mail.reply_to, file, media=mail.media))
