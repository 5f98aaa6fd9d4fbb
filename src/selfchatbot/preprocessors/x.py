"""Direct messages of X (Twitter) from "Download an archive of your data": ``data/direct-messages.js`` and others.

Grammar: timhutton/twitter-archive-parser (``parser.py``), rust-utilities/twitter-archive and
alkihis/twitter-archive-reader (``GDPRDMs.ts``). ``direct-messages.js``, ``direct-messages-group.js``, large ones with
``-part1`` and so on, are assignments of a list to a variable. It holds each conversation, that of many messages several
times, 1,000 messages each, newest first. Only a ``messageCreate`` was typed. Its ``text`` has entities for ``& < >``,
as X's API, and short links, whose ``urls`` are the long ones, that of a picture ``https://twitter.com/messages/media/…``;
``mediaUrls`` has where it lies.
There are no names but ids: ``account.js`` tells mine, and the ``user_mentions`` of my own tweets (``tweets.js``) those
of others.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any, ClassVar

from pydantic import PrivateAttr

from selfchatbot.errors import ExportError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor
from selfchatbot.preprocessors.media import FILE, by_url
from selfchatbot.preprocessors.media import MEDIA as ANY_MEDIA
from selfchatbot.preprocessors.reading.json_stream import CutShortError, NoObjectError, json_values
from selfchatbot.preprocessors.reading.sorter import Sent, Sorter
from selfchatbot.preprocessors.reading.unique_names import Names
from selfchatbot.preprocessors.reading.utc import iso_milliseconds, milliseconds, moment

MESSAGES = re.compile(r"direct-messages?(-group)?(?:-part\d+)?\.js")
TWEETS = re.compile(r"tweets?(?:-part\d+)?\.js")
ACCOUNT, TWEETS_FILE = "account.js", "tweets.js"
CONVERSATION = "[].dmConversation"
OWN = re.compile(rb"(?:\xef\xbb\xbf)?\s*window\.YTD\.direct_messages?(?:_group)?\.part\d+\s*=")
MEDIA = re.compile(r"https?://(?:mobile\.)?(?:twitter|x)\.com/messages/media/\d+")


ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


class X(Preprocessor):
    """Direct messages and groups of X. ``username`` is a name, with or without ``@``, or the id of an account."""

    name: ClassVar[str] = "X"
    suffixes: ClassVar[tuple[str, ...]] = (".js",)
    companions: ClassVar[tuple[str, ...]] = (ACCOUNT, TWEETS_FILE)

    _people: Names = PrivateAttr(default_factory=Names)
    _handles: dict[str, str] = PrivateAttr(default_factory=dict)
    """Names after ``@`` by shown names."""

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        self._people, self._handles = Names(), {}
        exports = self.export_files(path)
        me = self._meet(super().export_files(path) if exports != [path] else _beside(path))
        with Sorter(path) as sorter:
            titles, notes = _load(exports, sorter)
            chats = Names()
            for key, sent in sorter.chats():
                members = key.split("-")
                others = [one for one in members if one != me] or members
                shown = titles.get(key) or ", ".join(self._name(one) for one in others)
                file: ExportFile | None = None
                for message in sent:
                    if file is None:
                        file = ExportFile(exports[message.file], chats.of(key, shown), group=len(members) == 1)
                        file.me = None if me is None else self._name(me)
                        file.notes, notes = notes, []
                        files.append(file)
                    file.add(moment(message.time))
                    if message.text or message.media:
                        time, author, media = moment(message.time), self._name(message.author), message.media
                        yield Message(time, author, message.text, file.chat, message.id, media=media)

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        return OWN.match(head) is not None

    def export_files(self, path: Path) -> list[ExportPath]:
        """The files with messages."""
        found = super().export_files(path)
        return found if found == [path] else [file for file in found if MESSAGES.fullmatch(file.name)]

    def is_me(self, author: str) -> bool:
        """As for every format, also by id and by the name after ``@``."""
        return any(map(super().is_me, (*self._people.forms(author), self._handles.get(author, author))))

    def _meet(self, tables: list[ExportPath]) -> str | None:
        """Learn the names of people; my id, if ``account.js`` tells it."""
        me = None
        for file in tables:
            if file.name == ACCOUNT:
                for account in _values(file, "[].account"):
                    me = self._learn(account, "accountId", "accountDisplayName", "username") or me
        for file in tables:
            if TWEETS.fullmatch(file.name):
                for mentioned in _values(file, "[].tweet.entities.user_mentions"):
                    for one in mentioned if isinstance(mentioned, list) else ():
                        self._learn(one, "id_str", "name", "screen_name")
        return me

    def _learn(self, account: Any, *keys: str) -> str | None:
        """Name an account by its id, name and ``@`` name, which stand at ``keys``; the id."""
        found = [account.get(key) for key in keys] if isinstance(account, dict) else [None]
        key, *names = (one if isinstance(one, str) else "" for one in found)
        if not key or not any(names):
            return key or None
        name, handle = names
        self._handles.setdefault(self._people.of(key, name or handle), handle)
        return key

    def _name(self, key: str) -> str:
        return self._people.of(key, key)


def _beside(path: Path) -> list[ExportPath]:
    """The tables beside a file that was asked for alone."""
    return [*filter(Path.is_file, (path.with_name(ACCOUNT), path.with_name(TWEETS_FILE)))]


def _values(path: ExportPath, place: str) -> Iterator[Any]:
    """The values at a place; none in what is no archive of X, since they are only names."""
    try:
        for _, value in json_values(path, place):
            yield value
    except (CutShortError, NoObjectError):
        pass


def _load(exports: list[ExportPath], sorter: Sorter) -> tuple[dict[str, str], list[str]]:
    """Put the messages into ``sorter``. The names of groups by their ids, and what the user should know."""
    titles: dict[str, tuple[int, str]] = {}
    notes = []
    for number, path in enumerate(exports):
        key, count = "", 0
        try:
            for place, value in json_values(path, f"{CONVERSATION}.conversationId", f"{CONVERSATION}.messages[]"):
                if place.endswith("Id"):
                    key, count = value if isinstance(value, str) else "", 0
                    continue
                for record in value:
                    count += 1
                    try:
                        if "messageCreate" in record:
                            sorter.add(_sent(record["messageCreate"], key, number))
                        elif named := record.get("conversationNameUpdate"):
                            titles[key] = max(titles.get(key, (0, "")), (_time(named["createdAt"]), str(named["name"])))
                    except (TypeError, KeyError, ValueError, AttributeError):
                        raise ExportError(
                            f"{path}, message {count:,} of a conversation: its createdAt, senderId or text is not as "
                            "expected: download the archive again"
                        ) from None
        except CutShortError:
            notes.append(f"{PurePath(str(path)).name} is cut short: what it has was read; download the archive again")
        except NoObjectError:
            raise ExportError(f"{path}: no list of conversations: download the archive again") from None
    return {key: title for key, (_, title) in titles.items()}, notes


def _sent(record: dict[str, Any], chat: str, file: int) -> Sent:
    sender, text, number = record["senderId"], record.get("text") or "", record.get("id")
    if not all(isinstance(value, str) for value in (sender, text, number or "")):
        raise TypeError
    for entity, character in ENTITIES:
        text = text.replace(entity, character)
    for url in record.get("urls") or ():
        text = text.replace(url["url"], "" if MEDIA.fullmatch(url["expanded"]) else url["expanded"])
    media = [by_url(url) for url in record.get("mediaUrls") or ()]
    kind = "" if not media else ANY_MEDIA if media[0] == FILE else media[0]
    return Sent(chat, _time(record["createdAt"]), sender, text.strip(), number, None, file, media=kind)


def _time(value: object) -> int:
    """ISO 8601 in UTC, or in some archives milliseconds."""
    return milliseconds(value) if isinstance(value, str) and value.isdecimal() else iso_milliseconds(value)
