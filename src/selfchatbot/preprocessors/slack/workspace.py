"""What stands beside the chats of a Slack workspace: its members and the list of its chats."""

from collections.abc import Iterator
from typing import Any

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.base import ExportPath, same_name
from selfchatbot.preprocessors.reading.json_stream import json_values
from selfchatbot.preprocessors.reading.unique_names import Names

MEMBERS = ("users.json", "org_users.json")
CHANNELS, DIRECT = ("channels.json", "groups.json"), ("dms.json", "mpims.json")
TABLES = (*MEMBERS, *CHANNELS, *DIRECT)
NO_DIRECT = (
    "the export holds no direct messages, only channels: the owner of a workspace can apply to Slack for an export of "
    "all conversations"
)


class Workspace:
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
            for entry in objects(table):
                key = str(entry.get("id"))
                if table.name in MEMBERS:
                    self._add_member(key, entry)
                else:
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

    def other_names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The author's name of each member, and all names."""
        return ((self.author(user), tuple(filter(None, names))) for user, names in self._called.items())

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


def objects(path: ExportPath) -> Iterator[dict[str, Any]]:
    """The objects of a JSON list, one by one. Raises ExportError for everything else."""
    for _, entries in json_values(path, "[]"):
        for number, entry in enumerate(entries, 1):
            if not isinstance(entry, dict):
                raise ExportError(f"{path}, entry {number}: expected an object: export again, or remove the file")
            yield entry
