"""Which files of a folder are exports of Telegram, and which were sent in the chats."""

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from selfchatbot.preprocessors.base import ExportPath

RESULT = re.compile(r"result\b.*\.json", re.IGNORECASE)
PAGE = re.compile(r"messages(\d*)\.html", re.IGNORECASE)


def exports(found: Iterable[ExportPath]) -> list[ExportPath]:
    """Of the .json and .html files of a folder, those that are exports, in their order.

    What was sent in the chats lies below an export. HTML is left out where there is JSON of the same export.
    """
    found = list(found)
    exported = {folders(file)[0] for file in found if RESULT.fullmatch(file.name)}
    pages = [file for file in found if PAGE.fullmatch(file.name) and exported.isdisjoint(folders(file))]
    exported.update(folders(page)[0] for page in pages)
    others = [file for file in found if file.suffix.lower() == ".json"]
    kept = {str(file) for file in (*pages, *others) if exported.isdisjoint(folders(file)[1:])}
    return [file for file in found if RESULT.fullmatch(file.name) or str(file) in kept]


def folders(file: ExportPath) -> Sequence[PurePath]:
    """The folders around ``file``, the one in which it lies first."""
    return PurePath(str(file)).parents
