"""Files that the browser sends, on their way into a dataset: in a private folder, until they are copied or dropped."""

import asyncio
import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from starlette.requests import ClientDisconnect, Request

from selfchatbot.errors import SelfChatBotError
from selfchatbot.files import partial_path, remove_leftovers
from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.reading.archives import CONTROL, UNSAFE_NAME
from selfchatbot.setup.exports import FoundExport, find_exports
from selfchatbot.web.openai_schema import ApiError

MAX_BYTES = 16 * 2**30
"""Of all files that wait."""
SPARE_BYTES = 2**30
"""What stays free on the disk."""
MAX_DEPTH = 16
WRITE_BYTES = 2**20


class Uploads:
    """The files that wait."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._bytes = 0

    async def receive(self, request: Request, parent: Path, name: str) -> None:
        """Write the body of a request as the file ``name``, a relative path with slashes, whole or not at all.

        ``parent`` is a folder on the disk that the files will be copied to.

        Raises ApiError for a name that leads elsewhere, for files that are too large, and if the client disconnects.
        """
        parts = PurePosixPath(name).parts
        if not parts or UNSAFE_NAME.match(name) or CONTROL.search(name) or len(parts) > MAX_DEPTH:
            raise ApiError(400, f"{name[:200]!r} is no name of a file", param="path")
        await asyncio.to_thread(self._make_folder, parent)
        assert self._folder is not None
        path = self._folder.joinpath(*parts)
        partial = partial_path(path)
        size = 0
        try:
            for folder in reversed(partial.relative_to(self._folder).parents[:-1]):
                (self._folder / folder).mkdir(mode=0o700, exist_ok=True)
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                async for part in _large_parts(request):
                    self._check_room(len(part))
                    size += len(part)
                    self._bytes += len(part)
                    await asyncio.to_thread(file.write, part)
            self._bytes -= path.stat().st_size if path.exists() else 0
            partial.replace(path)
        except BaseException as error:
            self._bytes -= size
            with suppress(OSError):
                partial.unlink()
            if isinstance(error, OSError):
                reason = error.strerror or str(error)
                raise ApiError(400, f"{name[:200]} can't be kept: {reason}", param="path") from None
            if isinstance(error, ClientDisconnect):
                raise ApiError(400, "the client has disconnected") from None
            raise

    def found(self) -> tuple[list[FoundExport], list[dict[str, Any]]]:
        """The exports among the files, and for each file or folder that was given: its formats, or why it has none."""
        exports, shown = [], []
        for entry in sorted(self._folder.iterdir()) if self._folder and self._folder.is_dir() else ():
            if entry.name.startswith("."):
                continue
            formats: Counter[str] = Counter()
            problem = None
            try:
                new = find_exports([entry])
                exports += new
                formats.update(Preprocessors[export.format].app_name() for export in new)
            except SelfChatBotError as error:
                problem = str(error).replace(f"{self._folder}{os.sep}", "")
            shown.append({"name": entry.name, "folder": entry.is_dir(), "formats": formats, "problem": problem})
        return exports, shown

    def clear(self) -> None:
        """Delete all of them."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder, self._bytes = None, 0

    def _make_folder(self, parent: Path) -> None:
        if self._folder is None:
            remove_leftovers(parent)
            self._folder = parent / f".uploads.partial-{os.getpid()}"
            with suppress(FileExistsError):
                self._folder.mkdir(mode=0o700)

    def _check_room(self, size: int) -> None:
        if self._bytes + size > MAX_BYTES:
            raise ApiError(413, f"the files have more than {MAX_BYTES // 2**30} GiB together: leave out films")
        if self._folder and shutil.disk_usage(self._folder).free < SPARE_BYTES + size:
            raise ApiError(413, "the disk is almost full: free some space first")


async def _large_parts(request: Request) -> AsyncIterator[bytes]:
    """The body in parts that are worth a thread."""
    waiting = bytearray()
    async for part in request.stream():
        waiting += part
        if len(waiting) >= WRITE_BYTES:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)
