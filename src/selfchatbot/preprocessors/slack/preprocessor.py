"""Slack workspaces as Slack exports them (Import/Export Data, JSON): the zip, or the folder that was in it.

Grammar: "How to read Slack data exports" of Slack's help, and hfaran/slack-export-viewer. ``users.json`` lists the
members, ``channels.json``, ``groups.json`` (private channels), ``dms.json`` and ``mpims.json`` (direct messages of
several) the chats. A chat is a folder with a ``YYYY-MM-DD.json`` for each day, a list of messages. Their times (``ts``,
seconds since 1970, UTC) are unique in a chat; ``thread_ts`` is that of the message they answer. `text` decodes what was
typed, `dump` reads what ``slackdump dump`` writes.
"""

import difflib
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from heapq import merge
from itertools import groupby
from operator import itemgetter
from pathlib import Path, PurePath
from typing import ClassVar, cast

from pydantic import PrivateAttr

from selfchatbot.errors import ParametersError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor
from selfchatbot.preprocessors.reading.lines import UTF8_BOM
from selfchatbot.preprocessors.reading.order import oldest_to_newest
from selfchatbot.preprocessors.reading.reverse import Row
from selfchatbot.preprocessors.slack.dump import DUMP, read_dumps, root_of
from selfchatbot.preprocessors.slack.messages import row
from selfchatbot.preprocessors.slack.workspace import MEMBERS, TABLES, Workspace, objects

DAY = re.compile(r"\d{4}-\d\d-\d\d")
EPOCH = datetime(1970, 1, 1)


class Slack(Preprocessor):
    """Channels and direct messages of Slack workspaces. ``username`` is an id or a user, display or real name."""

    name: ClassVar[str] = "Slack"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    companions: ClassVar[tuple[str, ...]] = TABLES

    _mine: set[str] = PrivateAttr(default_factory=set)
    _other_names: dict[str, tuple[str, ...]] = PrivateAttr(default_factory=dict)

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        found = self.export_files(path)
        dumps = [file for file in found if DUMP.fullmatch(file.name)]
        days = [file for file in found if file not in dumps]
        roots = {_place(day)[0] for day in days} | {root_of(dump) for dump in dumps}
        workspaces = self._workspaces(path, sorted(roots))
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
        yield from read_dumps(path, dumps, workspaces, files)

    def other_names(self, author: str) -> tuple[str, ...]:
        return self._other_names.get(author, ())

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        if DUMP.fullmatch(path.name):
            return b'"channel_id"' in head[:200] and b'"messages"' in head
        if path.suffix.lower() != ".json" or not head.removeprefix(UTF8_BOM).lstrip().startswith(b"["):
            return False
        return (path.name in MEMBERS and b'"team_id"' in head) or (bool(DAY.fullmatch(path.stem)) and b'"ts"' in head)

    def export_files(self, path: Path) -> list[ExportPath]:
        """The days of all chats, chat by chat, and the chats that slackdump wrote."""
        found = super().export_files(path)
        if found == [path]:
            return found
        return [file for file in found if DAY.fullmatch(file.stem) or DUMP.fullmatch(file.name)]

    def is_me(self, author: str) -> bool:
        return author in self._mine if self._mine else super().is_me(author)

    def _workspaces(self, path: Path, roots: list[str]) -> dict[str, Workspace]:
        """The workspace whose export is in each of the folders ``roots``, by what describes it there."""
        if path.is_dir() or path.suffix.lower() == ".zip":
            listed = [file for file in super().export_files(path) if file.name in TABLES]
        else:
            listed = [file for name in TABLES if (file := Path(roots[0], name)).is_file()]
        by_team: dict[str, list[ExportPath]] = {}
        teams: dict[str, str] = {}
        for root in roots:
            tables = [file for file in listed if str(PurePath(str(file)).parent) == root]
            members = (entry.get("team_id") for table in tables if table.name in MEMBERS for entry in objects(table))
            teams[root] = str(next(filter(None, members), root))
            by_team.setdefault(teams[root], []).extend(tables)
        made = {team: Workspace(tables) for team, tables in by_team.items()}
        self._other_names = {author: names for one in made.values() for author, names in one.other_names()}
        return {root: made[team] for root, team in teams.items()}

    def _find_me(self, workspaces: list[Workspace], path: Path) -> None:
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


def _place(day: ExportPath) -> tuple[str, str]:
    """The folders of the workspace (its path) and of the chat (its name)."""
    path = PurePath(str(day))
    return str(path.parent.parent), path.parent.name


def _rows(day: ExportPath, workspace: Workspace) -> Iterator[Row]:
    """The messages of a file, see `row`."""
    for number, entry in enumerate(objects(day), 1):
        if (found := row(entry, f"{day}, message {number}", workspace)) is not None:
            yield found


def _read_day(files: list[ExportPath], workspace: Workspace, export: ExportFile) -> Iterator[Message]:
    """The messages of one day, of which several exports may have ``files``: what is in several counts once.

    It counts as it was edited last.
    """
    merged = merge(*(oldest_to_newest(_rows(file, workspace)) for file in files), key=itemgetter(0))
    for (_, ts), copies in groupby(merged, key=itemgetter(0, 1)):
        microseconds, _, author, content, reply_to, _, media = max(copies, key=itemgetter(5))
        time = EPOCH + timedelta(microseconds=microseconds)
        export.add(time)
        if author:
            yield Message(time, author, content, export.chat, ts, reply_to, media=media)
