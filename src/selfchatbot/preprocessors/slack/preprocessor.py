"""Slack workspaces as Slack exports them (Import/Export Data, JSON): the zip, or the folder that was in it.

Grammar: "How to read Slack data exports" of Slack's help, and hfaran/slack-export-viewer. ``users.json`` lists the
members, ``channels.json``, ``groups.json`` (private channels), ``dms.json`` and ``mpims.json`` (direct messages of
several) the chats. A chat is a folder with a ``YYYY-MM-DD.json`` for each day, a list of messages. Their times (``ts``,
seconds since 1970, UTC) are unique in a chat; ``thread_ts`` is that of the message they answer. `text` decodes what was
typed.
"""

import difflib
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from heapq import merge
from itertools import groupby
from operator import itemgetter
from pathlib import Path, PurePath
from typing import Any, ClassVar, cast

from pydantic import PrivateAttr

from selfchatbot.errors import ExportError, ParametersError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor, same_name
from selfchatbot.preprocessors.reading.json_stream import json_values
from selfchatbot.preprocessors.reading.lines import UTF8_BOM
from selfchatbot.preprocessors.reading.order import oldest_to_newest
from selfchatbot.preprocessors.reading.reverse import Row
from selfchatbot.preprocessors.reading.unique_names import Names
from selfchatbot.preprocessors.slack.text import comment_on_file, decoded

DAY = re.compile(r"\d{4}-\d\d-\d\d")
MEMBERS = ("users.json", "org_users.json")
CHANNELS, DIRECT = ("channels.json", "groups.json"), ("dms.json", "mpims.json")
WRITTEN = (None, "me_message", "thread_broadcast", "reply_broadcast", "file_share")
"""Subtypes of what people write. Others are joins, topics, calls, reminders, deleted messages and bots."""
TS = re.compile(r"([0-9]{1,11})(?:\.([0-9]{1,6}))?")
LAST_SECOND = 253_402_300_799
"""The end of the year 9999, as far as dates go."""
EPOCH = datetime(1970, 1, 1)
NO_DIRECT = (
    "the export holds no direct messages, only channels: the owner of a workspace can apply to Slack for an export of "
    "all conversations"
)


class Slack(Preprocessor):
    """Channels and direct messages of Slack workspaces. ``username`` is an id or a user, display or real name."""

    name: ClassVar[str] = "Slack"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    companions: ClassVar[tuple[str, ...]] = (*MEMBERS, *CHANNELS, *DIRECT)

    _mine: set[str] = PrivateAttr(default_factory=set)

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        days = self.export_files(path)
        workspaces = self._workspaces(path, sorted({_place(day)[0] for day in days}))
        distinct = list(dict.fromkeys(workspaces.values()))
        self._find_me(distinct, path)

        def chat_of(day: ExportPath) -> tuple[int, str]:
            root, folder = _place(day)
            return distinct.index(workspaces[root]), folder

        # Exports of one workspace, made at different times, are one, and what is in several of them counts once.
        for (number, folder), same_chat in groupby(sorted(days, key=lambda day: (chat_of(day), day.stem)), key=chat_of):
            workspace, in_order = distinct[number], list(same_chat)
            chat, group = workspace.chat(folder)
            if len(distinct) > 1:
                chat = f"{PurePath(_place(in_order[0])[0]).name}: {chat}"
            # One for the whole chat: a file for each day would be thousands.
            export = ExportFile(cast(ExportPath, in_order[0].parent), chat, me=workspace.me_as_author(), group=group)
            files.append(export)
            export.notes, workspace.notes = workspace.notes, []
            for _, same_day in groupby(in_order, key=lambda day: day.stem):
                yield from _read_day(list(same_day), workspace, export)

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        if path.suffix.lower() != ".json" or not head.removeprefix(UTF8_BOM).lstrip().startswith(b"["):
            return False
        return (path.name in MEMBERS and b'"team_id"' in head) or (bool(DAY.fullmatch(path.stem)) and b'"ts"' in head)

    def export_files(self, path: Path) -> list[ExportPath]:
        """The days of all chats, chat by chat."""
        found = super().export_files(path)
        return found if found == [path] else [file for file in found if DAY.fullmatch(file.stem)]

    def is_me(self, author: str) -> bool:
        return author in self._mine if self._mine else super().is_me(author)

    def _workspaces(self, path: Path, roots: list[str]) -> dict[str, "_Workspace"]:
        """The workspace whose export is in each of the folders ``roots``, by what describes it there."""
        if path.is_dir() or path.suffix.lower() == ".zip":
            listed = super().export_files(path)
        else:
            listed = [file for name in (*MEMBERS, *CHANNELS, *DIRECT) if (file := Path(roots[0], name)).is_file()]
        by_team: dict[str, list[ExportPath]] = {}
        teams: dict[str, str] = {}
        for root in roots:
            tables = [file for file in listed if str(PurePath(str(file)).parent) == root]
            members = (entry.get("team_id") for table in tables if table.name in MEMBERS for entry in _objects(table))
            teams[root] = str(next(filter(None, members), root))
            by_team.setdefault(teams[root], []).extend(tables)
        made = {team: _Workspace(tables) for team, tables in by_team.items()}
        return {root: made[team] for root, team in teams.items()}

    def _find_me(self, workspaces: list["_Workspace"], path: Path) -> None:
        """By ``username`` and ``aliases``, or else as the only member of all direct chats.

        Raises ParametersError for a name that nobody or more than one member has.
        """
        given = [name for name in (self.username, *self.aliases) if name]
        for workspace in workspaces:
            for name in given:
                found = workspace.members_called(name)
                if len(found) > 1:
                    raise ParametersError(
                        f'{path}: key "preprocessor_data.{self.name}.username": several members are called "{name}": '
                        f"write the id instead: {', '.join(sorted(found))}"
                    )
                workspace.mine += [user for user in found if user not in workspace.mine]
            if not given:
                workspace.mine = workspace.only_member_everywhere()
            if (me := workspace.me_as_author()) is not None:
                self._mine.add(me)
        if given and not self._mine and (members := sorted({m for w in workspaces for m in w.all_names()})):
            near = difflib.get_close_matches(given[0], members, n=5, cutoff=0.5) or members[:10]
            raise ParametersError(
                f'{path}: key "preprocessor_data.{self.name}.username": nobody is called "{given[0]}"; members are: '
                f"{', '.join(near)}{'' if len(near) == len(members) else ', ...'}"
            )


class _Workspace:
    """What stands beside the folders of the chats."""

    def __init__(self, tables: list[ExportPath]) -> None:
        self.mine: list[str] = []
        """My ids, that of the account in ``username`` first."""
        self._names = Names()
        self._called: dict[str, tuple[str, ...]] = {}
        """Names of each member, the surest first: id, user name, display name, real name; empty where there is none."""
        self._bots = {"USLACKBOT"}
        self._chats: dict[str, tuple[str, dict[str, Any]]] = {}
        """By folder: the table that lists the chat, and what it says there."""
        self.channels: dict[str, str] = {}
        for table in tables:
            for entry in _objects(table):
                key = str(entry.get("id"))
                if table.name in MEMBERS:
                    self._add_member(key, entry)
                elif table.name in (*CHANNELS, *DIRECT):
                    name = str(entry.get("name") or key)
                    self.channels[key] = name
                    self._chats[key] = self._chats[name] = (table.name, entry)
        self._direct = [entry for table, entry in self._chats.values() if table == DIRECT[0]]
        has_direct = any(table in DIRECT for table, _ in self._chats.values())
        self.notes = [] if has_direct or not self._chats else [NO_DIRECT]

    def _add_member(self, user: str, entry: dict[str, Any]) -> None:
        profile = entry.get("profile")
        profile = profile if isinstance(profile, dict) else {}
        kinds = (entry.get("name"), profile.get("display_name"), profile.get("real_name") or entry.get("real_name"))
        names = (user, *(kind if isinstance(kind, str) else "" for kind in kinds))
        self._called[user] = names
        self._names.of(user, names[2] or names[3] or names[1])
        if entry.get("is_bot"):
            self._bots.add(user)

    def author(self, user: str, profile: object = None) -> str:
        """The name of a member; of somebody from elsewhere, by the ``user_profile`` of a message."""
        if user in self.mine:
            user = self.mine[0]
        if user not in self._called and isinstance(profile, dict):
            self._add_member(user, {"profile": profile, "name": profile.get("name")})
        # Nobody knows yet what to call somebody from elsewhere who is only mentioned.
        return self._names.of(user, None) if user in self._called else user

    def is_bot(self, user: str) -> bool:
        return user in self._bots

    def me_as_author(self) -> str | None:
        return self.author(self.mine[0]) if self.mine else None

    def members_called(self, name: str) -> list[str]:
        """Ids of those who have this name of the surest kind that anybody has it as."""
        for kind in range(4):
            if found := [user for user, names in self._called.items() if names[kind] and same_name(name, names[kind])]:
                return found
        return []

    def all_names(self) -> Iterator[str]:
        return (self.author(user) for user in self._called if not self.is_bot(user))

    def only_member_everywhere(self) -> list[str]:
        """Exports of one member hold the direct chats of nobody else."""
        members = [set(entry["members"]) for entry in self._direct if isinstance(entry.get("members"), list)]
        common = set.intersection(*members) if len(members) > 1 else set()
        return [str(user) for user in common] if len(common) == 1 else []

    def chat(self, folder: str) -> tuple[str, bool | None]:
        """The name of the chat in a folder, and whether it is a group."""
        table, entry = self._chats.get(folder, ("", {}))
        if table not in DIRECT:
            return (f"#{folder}", True) if table else (folder, None)
        members = [str(user) for user in entry.get("members") or []]
        others = [user for user in members if user not in self.mine] or members
        return ", ".join(self.author(user) for user in others) or folder, table != DIRECT[0]


def _place(day: ExportPath) -> tuple[str, str]:
    """The folders of the workspace (its path) and of the chat (its name)."""
    path = PurePath(str(day))
    return str(path.parent.parent), path.parent.name


def _rows(day: ExportPath, workspace: _Workspace) -> Iterator[Row]:
    """Microseconds since 1970, "ts", author, text and the "ts" that is answered, of each message of a file.

    The text is empty where nobody typed any.
    """
    for number, entry in enumerate(_objects(day), 1):
        if entry.get("type") != "message":
            continue
        ts = entry.get("ts")
        match = TS.fullmatch(ts) if isinstance(ts, str) else None
        if match is None or int(match[1]) > LAST_SECOND:
            raise ExportError(f'{day}, message {number}: "ts" is no time in seconds: export again, or remove the file')
        microseconds = int(match[1]) * 1_000_000 + int((match[2] or "").ljust(6, "0"))
        user, subtype = entry.get("user"), entry.get("subtype")
        author = content = ""
        if isinstance(user, str) and not (workspace.is_bot(user) or entry.get("bot_id")) and subtype in WRITTEN:
            text = comment_on_file(entry) if subtype == "file_share" else entry.get("text")
            if isinstance(text, str) and text.strip():
                content = decoded(text, entry.get("blocks"), workspace.author, workspace.channels)
                author = workspace.author(user, entry.get("user_profile"))
        thread = entry.get("thread_ts")
        yield microseconds, ts, author, content, thread if isinstance(thread, str) and thread != ts else None


def _read_day(files: list[ExportPath], workspace: _Workspace, export: ExportFile) -> Iterator[Message]:
    """The messages of one day, of which several exports may have ``files``: what is in several counts once."""
    known: set[str] = set()
    for row in merge(*(oldest_to_newest(_rows(file, workspace)) for file in files), key=itemgetter(0)):
        microseconds, ts, author, content, reply_to = row
        if ts in known:
            continue
        known.add(ts)
        time = EPOCH + timedelta(microseconds=microseconds)
        export.add(time)
        if author:
            yield Message(time, author, content, export.chat, ts, reply_to)


def _objects(path: ExportPath) -> Iterator[dict[str, Any]]:
    """The objects of a JSON list, one by one. Raises ExportError for everything else."""
    for _, entries in json_values(path, "[]"):
        for number, entry in enumerate(entries, 1):
            if not isinstance(entry, dict):
                raise ExportError(f"{path}, entry {number}: expected an object: export again, or remove the file")
            yield entry
