"""JSON Lines: one JSON object on each line."""

import json
from collections.abc import Iterator
from typing import Any

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.reading.archives import ExportPath
from selfchatbot.preprocessors.reading.json_stream import CutShortError
from selfchatbot.preprocessors.reading.lines import decoded_lines


def json_objects(path: ExportPath, comment: str = "") -> Iterator[dict[str, Any]]:
    """The objects of a file. Blank lines, and lines that begin with ``comment``, are passed over.

    Raises CutShortError behind the last whole line of a killed export, ExportError with file and line for the rest.
    """
    broken = 0
    for number, line in enumerate(decoded_lines(path), 1):
        if not line or line.isspace() or (comment and line.startswith(comment)):
            continue
        if broken:
            raise ExportError(f"{path}, line {broken:,}: no JSON object: export it again, or remove the file")
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            yield value
        else:
            broken = number
    if broken:
        raise CutShortError(f"{path}, line {broken:,}: no JSON object: export it again, or remove the file")
