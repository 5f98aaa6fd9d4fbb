"""Which files of a folder are exports of Telegram, and which were sent in the chats."""

import re
from collections.abc import Iterable, Sequence, Set
from pathlib import PurePath

from selfchatbot.preprocessors.base import ExportPath

RESULT = re.compile(r"result\b.*\.json", re.IGNORECASE)
PAGE = re.compile(r"messages(\d*)\.html", re.IGNORECASE)


def exports(found: Iterable[ExportPath]) -> list[ExportPath]:
    """Of the .json and .html files of a folder, those that are exports, in their order.

    What was sent in the chats lies below an export, pages in its folder ``files``. HTML is left out where there is JSON
    of the same export, which lies beside it, or beside the folder ``chats`` of an account.
    """
    found = list(found)
    exported = {folders(file)[0] for file in found if RESULT.fullmatch(file.name)}
    pages = [
        file
        for file in found
        if PAGE.fullmatch(file.name) and exported.isdisjoint((folders(file)[0], _export_folder(file)))
    ]
    exported.update(folders(page)[0] for page in pages)
    others = [file for file in found if file.suffix.lower() == ".json" and exported.isdisjoint(folders(file)[1:])]
    kept = {str(file) for file in (*others, *(page for page in pages if not _was_sent(page, exported)))}
    return [file for file in found if RESULT.fullmatch(file.name) or str(file) in kept]


def _export_folder(page: ExportPath) -> PurePath | None:
    """The folder of the account's export that a page of one chat is in."""
    around = folders(page)
    return around[2] if len(around) > 2 and around[1].name == "chats" else None


def _was_sent(page: ExportPath, exported: Set[PurePath]) -> bool:
    around = folders(page)
    return any(
        folder.name == "files" and not exported.isdisjoint(around[number + 1 :]) for number, folder in enumerate(around)
    )


def folders(file: ExportPath) -> Sequence[PurePath]:
    """The folders around ``file``, the one in which it lies first."""
    return PurePath(str(file)).parents
