"""JSON exports of any size, read in one pass: the wanted values are built, the rest is skipped.

The tokens come from ijson (with its C backend if available). Values are built here because ijson itself yields either
the items of one list or the values around it, but not both.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.reading.archives import ExportPath
from selfchatbot.preprocessors.reading.lines import MAX_LINE_BYTES, UTF8_BOM, refuse_utf16

MAX_DEPTH = 64
"""Of nested values. Exporters need less than ten levels."""
_QUOTE = re.compile(rb'[^\\]"')
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|.)", re.DOTALL)
# In X's archive, the files are scripts that assign a list to a variable.
_ASSIGNMENT = re.compile(rb"\A\s*window\.YTD\.[\w.]+\s*=")
_REASONS = {"UTF8": "text that is not UTF-8", "utf-8": "text that is not UTF-8", "overflow": "a number out of range"}

ITEMS = {"[]": ("start_array", "a list"), "{}": ("start_map", "an object")}
"""What a place may end in to give items: the first token of such a value, and its name."""

NextToken = Callable[[], tuple[str, Any]]
"""Returns the kind of a token and its value."""


class CutShortError(ExportError):
    """A JSON file that ends early, because the export was killed. Everything before the end has been yielded."""


class NoObjectError(ExportError):
    """A JSON file that is not an object, or not a list if that is wanted."""


def json_values(path: ExportPath, *wanted: str) -> Iterator[tuple[str, Any]]:
    """Pairs of place and value for the ``wanted`` places in a JSON object, in the order of the file.

    Examples of places: ``"channel"``, ``"personal_information.user_id"``, and ``"chats.list[].name"`` for a value in
    each item of a list. If a place ends in ``[]``, the value is an iterator over the items of the list, to be used
    before the next pair is taken; ``{}`` does the same for the values of an object, whatever their keys. Where the file
    is a list instead of an object, places begin with ``[]``. ``*`` stands for any key of an object; a place that ends
    in it gives the key itself, before its value: ``"*"``, ``"*.name"`` and ``"*.messages{}"`` read chats by their ids.

    Raises CutShortError, NoObjectError, and ExportError with the place for anything else that can't be read.
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
        # Values to build, keys, and the items of lists and objects.
        self._wanted = frozenset(place for place in wanted if not place.endswith(("*", "[]", "{}")))
        self._keys = frozenset(place for place in wanted if place.endswith("*"))
        self._items_of = {place[:-2]: ITEMS[place[-2:]] for place in wanted if place.endswith(tuple(ITEMS))}
        # The objects and lists that contain the wanted places, and the objects in which any key counts.
        self._inner = {place[: step.start()] for place in wanted for step in re.finditer(r"\.|\[\]", place)}
        self._any_key = {place[: step.start()].rstrip(".") for place in wanted for step in re.finditer(r"\*", place)}
        self._root = "start_array" if any(place.startswith("[]") for place in wanted) else "start_map"
        self._read = 0
        self._held = b""
        self._ended = False
        self._unquoted = 0
        """Bytes since the last quotation mark that may be the end of a text."""

    def values(self) -> Iterator[tuple[str, Any]]:
        import ijson

        with self._readable_errors():
            tokens = ijson.basic_parse(self, use_float=True)
            next_token: NextToken = tokens.__next__
            kind, _ = next_token()
            if kind != self._root:
                expected = "a JSON list" if self._root == "start_array" else "a JSON object"
                raise NoObjectError(f"{self._path}: expected {expected}, found another value: export it again")
            if kind == "start_map":
                yield from self._values_of_object(next_token, "")
            else:
                yield from self._values_at(next_token, "", kind, None)
            for _ in tokens:
                pass  # anything after the object is an error

    @contextmanager
    def _readable_errors(self) -> Iterator[None]:
        """Turn errors into one line, without the text that ijson quotes."""
        import ijson

        try:
            yield
        except OSError as error:
            raise ExportError(f"{self._path} can't be read: {error.strerror}") from error
        except (ijson.JSONError, ValueError, ArithmeticError, RecursionError) as error:
            if self._ended:
                raise CutShortError(f"{self._path} is cut short: export it again, or remove the file") from error
            reason = next((reason for word, reason in _REASONS.items() if word in str(error)), "no valid JSON")
            raise ExportError(f"{self._path}, near byte {self._read:,}: {reason}: export it again") from error

    def read(self, size: int) -> bytes:
        """For ijson: the JSON in the file, with invalid escapes replaced."""
        if size == 0:
            return b""
        # Inside a text, yajl begins anew with each chunk: with ever larger ones, that takes twice the time at most.
        chunk = self._file.read(max(size, self._unquoted))
        self._unquoted = 0 if _QUOTE.search(chunk) else self._unquoted + len(chunk)
        if self._unquoted > MAX_LINE_BYTES:
            raise ExportError(
                f"{self._path}, near byte {self._read:,}: a text longer than {MAX_LINE_BYTES:,} bytes: remove the file"
            )
        if self._read == 0:
            refuse_utf16(self._path, chunk)
            self._read = len(chunk)
            chunk = _ASSIGNMENT.sub(b"", chunk.removeprefix(UTF8_BOM), count=1)
        else:
            self._read += len(chunk)
        chunk = self._held + chunk
        self._ended = len(chunk) == len(self._held)
        self._held = b"" if self._ended else _incomplete_escape(chunk)
        if self._held:
            chunk = chunk[: -len(self._held)] or self.read(size)
        # Telegram Desktop writes control characters as \x0B (SerializeString in export_output_json.cpp).
        return _ESCAPE.sub(_json_escape, chunk) if b"\\x" in chunk else chunk

    def _values_of_object(self, next_token: NextToken, place: str) -> Iterator[tuple[str, Any]]:
        any_key = place in self._any_key
        while True:
            kind, key = next_token()
            if kind == "end_map":
                return
            name = "*" if any_key else key
            inside = f"{place}.{name}" if place else name
            if any_key and inside in self._keys:
                yield inside, key
            kind, value = next_token()
            yield from self._values_at(next_token, inside, kind, value)

    def _values_at(self, next_token: NextToken, place: str, kind: str, value: Any) -> Iterator[tuple[str, Any]]:
        if place in self._wanted:
            yield place, self._build(next_token, kind, value)
        elif expected := self._items_of.get(place):
            if kind != expected[0]:
                raise self._unexpected(place, expected[1])
            items = self._items(next_token)
            yield place, items
            for _ in items:
                pass
        elif f"{place}[]" in self._inner:
            if kind != "start_array":
                raise self._unexpected(place, "a list")
            while (token := next_token())[0] != "end_array":
                yield from self._values_at(next_token, f"{place}[]", *token)
        elif place in self._inner:
            if kind == "null":
                return  # an object that is left out
            if kind != "start_map":
                raise self._unexpected(place, "an object")
            yield from self._values_of_object(next_token, place)
        else:
            _skip(next_token, kind)

    def _items(self, next_token: NextToken) -> Iterator[Any]:
        # The caller takes these directly, not through `values`.
        with self._readable_errors():
            while True:
                kind, value = next_token()
                if kind == "map_key":
                    kind, value = next_token()
                elif kind in ("end_array", "end_map"):
                    return
                yield self._build(next_token, kind, value)

    def _build(self, next_token: NextToken, kind: str, value: Any) -> Any:
        """The value that starts with the given token. The most frequent branches come first."""
        if kind not in ("start_map", "start_array"):
            return value
        root: Any = {} if kind == "start_map" else []
        top = root
        parents: list[Any] = []
        while True:
            kind, value = next_token()
            if kind == "map_key":
                key = value
                kind, value = next_token()
                if value is not None or kind == "null":
                    top[key] = value
                    continue
                new: Any = {} if kind == "start_map" else []
                top[key] = new
            elif value is not None or kind == "null":
                top.append(value)
                continue
            elif kind in ("end_map", "end_array"):
                if not parents:
                    return root
                top = parents.pop()
                continue
            else:
                new = {} if kind == "start_map" else []
                top.append(new)
            parents.append(top)
            top = new
            if len(parents) > MAX_DEPTH:
                raise ExportError(
                    f"{self._path}, near byte {self._read:,}: nested deeper than {MAX_DEPTH}: export it again"
                )

    def _unexpected(self, place: str, expected: str) -> ExportError:
        return ExportError(f'{self._path}: "{place}" is not {expected}: export it again')


def _skip(next_token: NextToken, kind: str) -> None:
    depth = 1 if kind in ("start_map", "start_array") else 0
    while depth:
        kind, value = next_token()
        if value is None:
            depth += (kind in ("start_map", "start_array")) - (kind in ("end_map", "end_array"))


def _incomplete_escape(chunk: bytes) -> bytes:
    """The incomplete escape at the end of ``chunk``."""
    start = chunk.rfind(b"\\", max(0, len(chunk) - 3))
    if start < 0:
        return b""
    before = chunk[:start]
    escaped = (len(before) - len(before.rstrip(b"\\"))) % 2
    return b"" if escaped or chunk[start + 1 : start + 2] not in (b"", b"x") else chunk[start:]


def _json_escape(match: re.Match[bytes]) -> bytes:
    return b"\\u00" + match[1] if match[1] else match[0]
