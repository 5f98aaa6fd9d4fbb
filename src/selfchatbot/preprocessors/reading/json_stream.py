r"""JSON exports of any size, value by value in one pass: what is asked for is built, the rest is skipped.

The tokens come from ijson (its C backend where there is one); a value is built from them here, because ijson alone
yields the items of one list and nothing of what stands around it.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.reading.archives import ExportPath
from selfchatbot.preprocessors.reading.lines import UTF8_BOM, refuse_utf16

DEEPEST = 64
"""How deep a value may be nested; the exporters stay below ten."""
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|.)", re.DOTALL)
_REASONS = {"UTF8": "text that is not UTF-8", "utf-8": "text that is not UTF-8", "overflow": "a number out of range"}

Next = Callable[[], tuple[str, Any]]


class CutShortError(ExportError):
    """A JSON file that ends too early, as a killed export does. What came before has been yielded."""


class NoObjectError(ExportError):
    """A JSON file that holds something else than an object, or than a list where that is wanted."""


def json_values(path: ExportPath, *wanted: str) -> Iterator[tuple[str, Any]]:
    """The ``wanted`` values of a JSON object, in file order, with their places.

    A place is ``"channel"`` or ``"personal_information.user_id"``; ``"chats.list[].name"`` is in each item of a list.
    A place that ends in ``[]`` gives the list as an iterator of its items, to be used before the next value is taken;
    ``"[]"`` itself is the place of a list that is the whole file, which is no object then.

    Raises CutShortError, NoObjectError, and ExportError with the place for everything else that can't be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise ExportError(f"{path} can't be read: {error.strerror}") from error
    with file:
        yield from _Reader(file, path, wanted).values()


class _Reader:
    """One pass over one file."""

    def __init__(self, file: IO[bytes], path: ExportPath, wanted: tuple[str, ...]) -> None:
        self._file = file
        self._path = path
        self._wanted = frozenset(wanted)
        # The places of the objects and lists around the wanted ones.
        self._inner = {place[: step.start()] for place in wanted for step in re.finditer(r"\.|\[\]", place)}
        self._read = 0
        self._held = b""
        self._ended = False

    def values(self) -> Iterator[tuple[str, Any]]:
        import ijson

        with self._explained():
            tokens = ijson.basic_parse(self, use_float=True)
            following: Next = tokens.__next__
            kind, _ = following()
            if kind != ("start_array" if "[]" in self._wanted else "start_map"):
                expected = "a JSON list" if "[]" in self._wanted else "a JSON object"
                raise NoObjectError(f"{self._path}: expected {expected}, found another value: export it again")
            yield from self._of_map(following, "") if kind == "start_map" else self._of_value(following, "", kind, None)
            for _ in tokens:
                pass  # Whatever stands behind the object is an error.

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors of the file and of JSON in one line, without the text that ijson quotes."""
        import ijson

        try:
            yield
        except OSError as error:
            raise ExportError(f"{self._path} can't be read: {error.strerror}") from error
        except (ijson.JSONError, ValueError, ArithmeticError, RecursionError) as error:
            if self._ended:
                raise CutShortError(f"{self._path} is cut short: export it again, or remove the file") from error
            reason = next((said for word, said in _REASONS.items() if word in str(error)), "no valid JSON")
            raise ExportError(f"{self._path}, near byte {self._read:,}: {reason}: export it again") from error

    def read(self, size: int) -> bytes:
        """What ijson reads: the file without byte order mark, and with escapes that JSON knows."""
        if size == 0:
            return b""
        chunk = self._file.read(size)
        if self._read == 0:
            refuse_utf16(self._path, chunk)
            self._read = len(chunk)
            chunk = chunk.removeprefix(UTF8_BOM)
        else:
            self._read += len(chunk)
        chunk = self._held + chunk
        self._ended = len(chunk) == len(self._held)
        self._held = b"" if self._ended else _open_escape(chunk)
        if self._held:
            chunk = chunk[: -len(self._held)] or self.read(size)
        # Telegram Desktop writes control characters as \x0B (SerializeString in export_output_json.cpp).
        return _ESCAPE.sub(_json_escape, chunk) if b"\\x" in chunk else chunk

    def _of_map(self, following: Next, place: str) -> Iterator[tuple[str, Any]]:
        while True:
            kind, key = following()
            if kind == "end_map":
                return
            inside = f"{place}.{key}" if place else key
            kind, value = following()
            yield from self._of_value(following, inside, kind, value)

    def _of_value(self, following: Next, place: str, kind: str, value: Any) -> Iterator[tuple[str, Any]]:
        if place in self._wanted:
            yield place, self._built(following, kind, value)
        elif f"{place}[]" in self._wanted:
            if kind != "start_array":
                raise self._unexpected(place, "a list")
            items = self._items(following)
            yield place, items
            for _ in items:
                pass
        elif f"{place}[]" in self._inner:
            if kind != "start_array":
                raise self._unexpected(place, "a list")
            while (token := following())[0] != "end_array":
                yield from self._of_value(following, f"{place}[]", *token)
        elif place in self._inner:
            if kind != "start_map":
                raise self._unexpected(place, "an object")
            yield from self._of_map(following, place)
        else:
            _skip(following, kind)

    def _items(self, following: Next) -> Iterator[Any]:
        # These are taken by the caller directly, not through `values`.
        with self._explained():
            while True:
                kind, value = following()
                if kind == "end_array":
                    return
                yield self._built(following, kind, value)

    def _built(self, following: Next, kind: str, value: Any) -> Any:
        """The value that begins with a token. The order of the branches is that of their frequency."""
        if kind not in ("start_map", "start_array"):
            return value
        root: Any = {} if kind == "start_map" else []
        top = root
        outer: list[Any] = []
        while True:
            kind, value = following()
            if kind == "map_key":
                key = value
                kind, value = following()
                if value is not None or kind == "null":
                    top[key] = value
                    continue
                new: Any = {} if kind == "start_map" else []
                top[key] = new
            elif value is not None or kind == "null":
                top.append(value)
                continue
            elif kind in ("end_map", "end_array"):
                if not outer:
                    return root
                top = outer.pop()
                continue
            else:
                new = {} if kind == "start_map" else []
                top.append(new)
            outer.append(top)
            top = new
            if len(outer) > DEEPEST:
                raise ExportError(
                    f"{self._path}, near byte {self._read:,}: nested deeper than {DEEPEST}: export it again"
                )

    def _unexpected(self, place: str, expected: str) -> ExportError:
        return ExportError(f'{self._path}: "{place}" is not {expected}: export it again')


def _skip(following: Next, kind: str) -> None:
    depth = 1 if kind in ("start_map", "start_array") else 0
    while depth:
        kind, value = following()
        if value is None:
            depth += (kind in ("start_map", "start_array")) - (kind in ("end_map", "end_array"))


def _open_escape(chunk: bytes) -> bytes:
    """The escape at the end of ``chunk`` that goes on in the next one."""
    start = chunk.rfind(b"\\", max(0, len(chunk) - 3))
    if start < 0:
        return b""
    before = chunk[:start]
    escaped = (len(before) - len(before.rstrip(b"\\"))) % 2
    return b"" if escaped or chunk[start + 1 : start + 2] not in (b"", b"x") else chunk[start:]


def _json_escape(match: re.Match[bytes]) -> bytes:
    return b"\\u00" + match[1] if match[1] else match[0]
