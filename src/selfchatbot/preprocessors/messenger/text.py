"""The text of one message: its characters put right, and its last version where it was edited."""

from collections.abc import Iterable, Iterator

from selfchatbot.preprocessors.reading.reverse import Row

EDITED = " (edited)"
EDIT_WINDOW = 15 * 60_000
"""Milliseconds in which Instagram lets people edit a message."""
MOST_WAITING = 200
ALIKE = 0.5


def repaired(text: str) -> str:
    """``text`` with its UTF-8, which was taken for Latin-1, read as UTF-8; unchanged where it isn't that."""
    if text.isascii():
        return text
    try:
        raw = text.encode("latin-1")
    except UnicodeEncodeError:
        return text
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        # Cut in the middle of its last character. Whether it is UTF-8 at all, the characters before that tell.
        whole = raw[: error.start]
        return whole.decode() if error.reason == "unexpected end of data" and not whole.isascii() else text


def last_versions(rows: Iterable[Row]) -> Iterator[Row]:
    """``rows`` (time, sender, content, ...), oldest first, without what was edited later.

    Instagram exports an edited message twice: as it was sent, and some time later with " (edited)" behind it. Somebody
    can type that as well, so that it counts only behind a message much like an earlier one of the same person, or where
    the last field says that it may be an edit and others of the file say no.
    """
    waiting: list[Row] = []
    plain_seen = False
    for row in rows:
        while waiting and (row[0] - waiting[0][0] > EDIT_WINDOW or len(waiting) == MOST_WAITING):
            yield waiting.pop(0)
        plain_seen = plain_seen or not row[4]
        content: str = row[2]
        if not content.endswith(EDITED):
            waiting.append(row)
            continue
        typed = (row[0], row[1], content.removesuffix(EDITED), *row[3:])
        index = _first_version(waiting, typed)
        if index is None:
            waiting.append(typed if row[4] and plain_seen else row)
        elif any(other[1] != row[1] for other in waiting[index + 1 :]):
            # Others have answered it since: it stays where they did.
            waiting[index] = (waiting[index][0], *typed[1:])
        else:
            del waiting[index]
            waiting.append(typed)
    yield from waiting


def _first_version(waiting: list[Row], edited: Row) -> int | None:
    """The index of the latest message of the same person that is much like ``edited``."""
    for index in range(len(waiting) - 1, -1, -1):
        if waiting[index][1] == edited[1] and _alike(waiting[index][2], edited[2]):
            return index
    return None


def _alike(one: str, other: str) -> bool:
    """Whether half of the longer text, or half of its words, is the same as in the other one."""
    length = min(len(one), len(other))
    start = next((at for at in range(length) if one[at] != other[at]), length)
    end = next((at for at in range(length - start) if one[-1 - at] != other[-1 - at]), length - start)
    if start + end >= ALIKE * max(len(one), len(other)):
        return True
    words, others = set(one.casefold().split()), set(other.casefold().split())
    return len(words & others) >= ALIKE * max(len(words), len(others))
