"""Telegram Desktop, "Machine-readable JSON" (result.json): one chat, or the whole account with all of them.

Where there is no such file, `htmlfile` reads the HTML.

Grammar: ``export_output_json.cpp`` of telegramdesktop/tdesktop from 1.3 (2018) to 5.x. ``text`` is a string, or a list
of strings and ``{"type", "text", ...}`` whose texts together are what was typed; messages of the rich editor have
``rich_message`` instead (`text`). ``from_id`` is ``"user123"`` or ``"channel123"``, in old versions a bare number. Left
out are service messages, forwards (``forwarded_from``, which is null for a deleted account, and ``saved_from``), what
an inline bot wrote (``via_bot``), and Saved Messages, which nobody answers.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import PrivateAttr

from selfchatbot.errors import ParametersError
from selfchatbot.messages import Message
from selfchatbot.preprocessors.base import ExportFile, ExportPath
from selfchatbot.preprocessors.reading.unique_names import Names
from selfchatbot.preprocessors.reading.voices import WithVoices
from selfchatbot.preprocessors.telegram.htmlfile import RESULTS, chat_folders, owner, read_chats
from selfchatbot.preprocessors.telegram.jsonfile import first_chat, read_json
from selfchatbot.preprocessors.telegram.selection import PAGE, exports, folders

TYPES = re.compile(
    rb'"type":\s*"(?:personal_chat|bot_chat|saved_messages|replies|(?:private|public)_(?:group|supergroup|channel))"'
)


class Telegram(WithVoices):
    """Telegram Desktop's result.json or messages.html; other files of an export (media, contacts) are passed over.

    ``username`` is a name, an id as ``user123``, or both: ``Alex (user123)``.
    """

    name: ClassVar[str] = "Telegram"
    suffixes: ClassVar[tuple[str, ...]] = (".json", ".html")
    companions: ClassVar[tuple[str, ...]] = (RESULTS,)

    _path: Path = PrivateAttr(default_factory=Path)
    _accounts: Names = PrivateAttr(default_factory=Names)
    _files: list[ExportFile] = PrivateAttr(default_factory=list)
    _mine: set[str] = PrivateAttr(default_factory=set)
    """Authors who were taken for me because of their names alone."""

    def read_exports(self, path: Path, files: list[ExportFile]) -> Iterator[Message]:
        self._path, self._accounts, self._files, self._mine = path, Names(), files, set()
        chats = Names()
        found = self.export_files(path)
        pages = [file for file in found if file.suffix.lower() == ".html"]
        results = [file for file in found if file.suffix.lower() != ".html"]
        # Exports of one chat, made at different times, come one after the other.
        for file in sorted(results, key=first_chat) if len(results) > 1 else results:
            yield from read_json(file, self._accounts, chats, files)
        owners = {
            folders(file)[0]: owner(file) for file in super().export_files(path) if pages and file.name == RESULTS
        }
        yield from read_chats(chat_folders(pages), owners, self._accounts, files)

    @classmethod
    def recognises(cls, path: ExportPath, head: bytes) -> bool:
        if path.suffix.lower() == ".html":
            return PAGE.fullmatch(path.name) is not None and b"page_wrap" in head and b"Exported Data" in head
        return head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{") and (
            b'"personal_information"' in head or TYPES.search(head) is not None
        )

    def export_files(self, path: Path) -> list[ExportPath]:
        """As for every format, but without what was sent in the chats, and without the HTML where there is JSON."""
        found = super().export_files(path)
        return found if found == [path] else exports(found)

    def is_me(self, author: str) -> bool:
        """As for every format, also by id. Of several who have my name, it is the one whom the export calls me.

        Raises ParametersError where it calls none of them so.
        """
        name, *with_id = self._accounts.forms(author)
        if any(map(super().is_me, with_id)):
            return True
        if not super().is_me(name):
            return False
        namesakes = self._accounts.namesakes(author)
        said = namesakes & {file.me for file in self._files if file.me is not None}
        if said and author not in said:
            return False
        self._mine.add(author)
        if len(namesakes & self._mine) > 1 and not namesakes & self._mine <= said:
            raise ParametersError(
                f'{self._path}: key "preprocessor_data.{self.name}.username": several accounts are called "{name}": '
                f"write yours with its id: {', '.join(sorted(map(self._accounts.full, namesakes)))}"
            )
        return True
