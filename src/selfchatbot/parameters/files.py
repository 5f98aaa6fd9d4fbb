"""Reading, checking and updating parameters.json files, and handing values on from stage to stage."""

import difflib
import json
import re
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from selfchatbot.errors import ParametersError
from selfchatbot.files import atomic_files, read_small

FILE_NAME = "parameters.json"
WRITTEN_NAME = ".parameters.written.json"
MAX_BYTES = 2**20
"""Of a parameters.json."""
MAX_JSON5_CHARACTERS = 2**16
"""json5 reads some 30,000 characters in a second."""
BROKEN_JSON = re.compile(r"<string>:(\d+) (.*) at column (\d+)", re.DOTALL)
CURLY_QUOTES = re.compile("[\u2018\u2019\u201c\u201d\u201e]\\s*[:,}\\]]|[:,{\\[]\\s*[\u2018\u201c\u201d\u201e]")
"""Where a key or text begins or ends, as word processors and some phones write them."""

P = TypeVar("P", bound=BaseModel)


def read_parameters(path: Path, kind: type[P]) -> P:
    """Read and validate one parameters.json. Raises ParametersError: file, line or key, what was found."""
    return validate(kind, read_json(path), str(path))


def validate(kind: type[P], values: object, place: str) -> P:
    """``values`` as ``kind``. Raises ParametersError that starts with ``place``, a file or a file and a key."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ParametersError(f"{place}: {_explain(error, kind)}") from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; comments, trailing commas and a byte order mark are allowed.

    Raises ParametersError for a missing, undecodable or broken file, and for a duplicate key.
    """
    try:
        text = read_small(path, MAX_BYTES).decode("utf-8-sig")
    except FileNotFoundError:
        raise ParametersError(f"{path} is not there: {_instead_of(path)}") from None
    except UnicodeDecodeError as error:
        raise ParametersError(f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        raise ParametersError(f"{path} can't be read: {error.strerror}") from error
    try:
        values = _parsed(text)
        _dump(values).encode()  # "\ud800" is half a character, which no file can hold
    except UnicodeEncodeError:
        raise ParametersError(f"{path}: a text with \\ud... that is no character: write the character itself") from None
    except (ValueError, RecursionError) as error:
        reason = BROKEN_JSON.sub(r"line \1, column \3: \2", str(error)).replace("\n", "\\n")
        for number, line in enumerate(text.split("\n"), 1):
            if CURLY_QUOTES.search(line):
                reason = f'line {number} has curly quotes: write straight ones, "'
                break
        raise ParametersError(f"{path} is not valid JSON: {reason}") from error
    if not isinstance(values, dict):
        raise ParametersError(f"{path}: expected an object {{...}}, found {_shown(values)}")
    return values


def _instead_of(path: Path) -> str:
    """What to do about a missing parameters.json: rename the file that was meant to be it, or write one."""
    for other in sorted(path.parent.glob("*")) if path.parent.is_dir() else ():
        if other.is_file() and other.name.casefold().startswith(("parameters.", "parameter.", "params.")):
            return f"rename {other.name} to {path.name}"
    return "write one, the README shows a sample to copy"


def _parsed(text: str) -> Any:
    """JSON with what people write into settings files besides. Raises ValueError and RecursionError."""
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        if len(text) > MAX_JSON5_CHARACTERS:
            raise
    import json5

    return json5.loads(text, allow_duplicate_keys=False)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key appears twice")  # json5 says which
    return values


def hand_over(directory: Path, computed: dict[str, Any]) -> None:
    """Write ``computed`` into the parameters.json of the next stage, keeping what the user edited there."""
    texts = handed_over(directory, computed)
    with atomic_files(*texts) as partials:
        for partial, text in zip(partials, texts.values(), strict=True):
            partial.write_text(text, encoding="utf-8", newline="\n")


def handed_over(directory: Path, computed: dict[str, Any]) -> dict[Path, str]:
    """The files that `hand_over` writes, by path, for callers that write other files together with them.

    A hidden file beside parameters.json records what was written last: a value that differs from the record was edited
    and is kept, any other is overwritten. If no value changes, the file is left as it is, with its comments.

    Raises ParametersError if the user's file is broken.
    """
    path = directory / FILE_NAME
    record = directory / WRITTEN_NAME
    existing = read_json(path) if path.exists() else {}
    written = _written(record)
    edited = {key: value for key, value in existing.items() if key not in written or value != written[key]}
    merged = {**computed, **edited}
    texts = {}
    if merged != existing:
        texts[path] = _dump(merged)
    if computed != written:
        texts[record] = _dump(computed)
    return texts


def _written(record: Path) -> dict[str, Any]:
    """What was written last; without a record, every value counts as edited, so that none is lost."""
    try:
        values = json.loads(read_small(record))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _dump(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def _explain(error: ValidationError, kind: type[BaseModel]) -> str:
    """The first error, for a reader who doesn't know pydantic."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f'key "{key}" is missing'
    if first["type"] == "dict_type" and key.startswith("preprocessor_data.") and isinstance(first["input"], str):
        return f'key "{key}": found {_shown(first["input"])}, write {{"username": {_shown(first["input"])}}}'
    if first["type"] == "extra_forbidden":
        known = _fields_at(kind, first["loc"][:-1])
        name = str(first["loc"][-1])
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f'did you mean "{near[0]}"?' if near else f"known keys: {', '.join(known)}"
        return f'unknown key "{key}": {hint}'
    message = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    message = message.replace("a valid tuple", "a list [...]")
    return f'key "{key}": found {_shown(first["input"])}, expected {message}'


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fields_at(kind: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        if isinstance(part, int):  # an item of a list
            continue
        field = kind.model_fields.get(part)
        annotation = field.annotation if field else None
        kinds = [one for one in (annotation, *get_args(annotation)) if isinstance(one, type)]
        models = [one for one in kinds if issubclass(one, BaseModel)]
        if not models:
            return []
        kind = models[0]
    return [field.alias or name for name, field in kind.model_fields.items()]
