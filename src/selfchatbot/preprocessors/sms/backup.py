"""One file of SMS Backup & Restore, element by element.

The file is no tree in memory: expat reports each element as it is read, and pictures are taken out of the bytes before.
Document types, and with them all entities but XML's own, are refused. The app writes emoji as numeric references to the
two halves of a surrogate pair, which XML forbids: they go through expat as characters of a private plane.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple
from xml.parsers import expat

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.base import ExportPath
from selfchatbot.preprocessors.media import by_content_type
from selfchatbot.preprocessors.reading.lines import BLOCK_BYTES, UTF16_BOMS

ME = "Me"
UNKNOWN = "unknown"
NOTHING = ("", "null", "(Unknown)", "insert-address-token")
RECEIVED, SENT = "1", "2"
FROM = "137"
"""PduHeaders.FROM of Android: the address of who sent an MMS."""
DEEPEST = 32
LONGEST = 16 * 2**20
"""Bytes of one element without its picture."""
FIRST_TIME, LAST_TIME = -62_135_596_800_000, 253_402_300_799_999
"""The years 1 to 9999."""
PHONE = re.compile(r"[+\d\s().\-/\u200e\u202a\u202c]+")
BETWEEN = re.compile(r"[^+\d]")
SAME_DIGITS = 8
PICTURE = re.compile(rb' data="[A-Za-z0-9+/=\s]{256}')
AHEAD = 263
"""Bytes that `PICTURE` matches."""
REFERENCE = re.compile(
    rb"&#(?:0*(5[5-7]\d{3}|[0-8]|1[124-9]|2\d|3[01]|6553[45])"
    rb"|[xX]0*([dD][89A-Fa-f][0-9A-Fa-f]{2}|[0-8bBcCeEfF]|1[0-9A-Fa-f]|[fF]{3}[eEfF]));"
)
HIGH, LOW = 0xD800, 0xDFFF
PLANE = 0x100000
SURROGATES = re.compile(f"[{chr(PLANE)}-{chr(PLANE + LOW - HIGH)}]+")
MEDIA = ("image/", "video/", "audio/", "text/x-vcard", "text/vcard")
"""Begin the content types of what people send; other parts are layout."""


class Entry(NamedTuple):
    """One message that was received or sent."""

    members: tuple[str, ...]
    """The addresses of the others, sorted."""
    time: int
    """Milliseconds since 1970, UTC."""
    sender: str
    """An address or ``Me``."""
    text: str
    """Empty for an MMS without text."""
    media: str = ""
    """See `preprocessors.media`; of several parts that of the first."""


@dataclass(slots=True)
class AddressBook:
    """Who an address belongs to, as far as the backups say so."""

    names: dict[str, str] = field(default_factory=dict)
    mine: set[str] = field(default_factory=set)

    def name(self, address: str) -> str:
        return self.names.get(address, address)


class Backup:
    """One file; ``add`` is called with each of its messages, ``book`` learns the names in it."""

    def __init__(self, path: ExportPath, book: AddressBook, add: Callable[[Entry], None]) -> None:
        self._path = path
        self._book = book
        self._add = add
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._depth = 0
        self._root = ""
        self._declared: int | None = None
        self._found = 0
        self._mms: dict[str, str] | None = None
        self._texts: list[str] = []
        self._media = ""
        self._from = ""

    def load(self) -> list[str]:
        """Read the file; what the user should know about it.

        Raises ExportError with file and line.
        """
        try:
            with self._path.open("rb") as file:
                complete = self._parse(_repaired(_without_pictures(iter(partial(file.read, BLOCK_BYTES), b""))))
        except OSError as error:
            raise ExportError(f"{self._path} can't be read: {error.strerror}") from error
        if self._root == "calls":
            return ["a log of calls, which holds no messages"]
        if not complete:
            return [f"the backup is cut short: {self._found:,} messages were found"]
        if self._declared not in (None, self._found):
            return [f"the backup states {self._declared:,} messages, {self._found:,} were found"]
        return []

    def _parse(self, chunks: Iterable[bytes]) -> bool:
        """Whether the file is complete."""
        fed = 0
        try:
            for chunk in chunks:
                if fed == 0 and chunk.startswith(UTF16_BOMS):
                    raise ExportError(f"{self._path} is UTF-16 text, expected UTF-8: back up again")
                fed += len(chunk)
                self._parser.Parse(chunk, False)
                if fed - self._parser.CurrentByteIndex > LONGEST:
                    raise self._error(f"an element longer than {LONGEST:,} bytes")
                if self._root == "calls":
                    return True
        except expat.ExpatError as error:
            raise self._error(f"no valid XML ({expat.ErrorString(error.code)})") from error
        try:
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            if not self._root:
                raise self._error("no XML with messages") from error
            return False
        return True

    def _start(self, tag: str, values: dict[str, str]) -> None:
        self._depth += 1
        if tag == "sms":
            self._found += 1
            self._take_sms(values)
        elif tag == "part":
            kind = values.get("ct", "")
            if self._mms is not None and kind == "text/plain" and (text := _given(values, "text")):
                self._texts.append(text)
            elif self._mms is not None and not self._media and kind.lower().startswith(MEDIA):
                self._media = by_content_type(kind)
        elif tag == "addr":
            if self._mms is not None and values.get("type") == FROM:
                self._from = plain_address(values.get("address", ""))
        elif tag == "mms":
            self._found += 1
            self._mms, self._texts, self._media, self._from = values, [], "", UNKNOWN
        elif self._depth == 1:
            self._root = tag
            if tag not in ("smses", "calls"):
                raise self._error("no <smses> at its beginning, so this is no file of SMS Backup & Restore")
            count = values.get("count", "")
            self._declared = int(count) if re.fullmatch(r"[0-9]{1,15}", count) else None
        if self._depth > DEEPEST:
            raise self._error(f"elements nested deeper than {DEEPEST}")

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if tag == "mms" and self._mms is not None:
            self._take_mms(self._mms)
            self._mms = None

    def _take_sms(self, values: dict[str, str]) -> None:
        if values.get("type") not in (RECEIVED, SENT):
            return  # drafts, and what could not be sent
        address = plain_address(values.get("address", ""))
        if (name := _given(values, "contact_name")) and address != UNKNOWN:
            self._book.names[address] = name
        sender = ME if values["type"] == SENT else address
        self._add(Entry((address,), self._time(values), sender, _given(values, "body")))

    def _take_mms(self, values: dict[str, str]) -> None:
        if values.get("msg_box") not in (RECEIVED, SENT):
            return
        members = tuple(dict.fromkeys(plain_address(address) for address in values.get("address", "").split("~")))
        contacts = _given(values, "contact_name")
        names = [contacts] if len(members) == 1 else [name.strip() for name in contacts.split(",")]
        if len(names) == len(members):
            for address, name in zip(members, names, strict=True):
                if name not in NOTHING and address != UNKNOWN:
                    self._book.names.setdefault(address, name)
        if values["msg_box"] == SENT:
            if self._from != UNKNOWN:
                self._book.mine.add(self._from)
            sender = ME
        elif self._from == UNKNOWN and len(members) == 1:
            sender = members[0]
        else:
            # One number may stand with and without the code of its country.
            alike = [one for one in members if one[-SAME_DIGITS:] == self._from[-SAME_DIGITS:]]
            sender = alike[0] if len(alike) == 1 else self._from
        self._add(Entry(tuple(sorted(members)), self._time(values), sender, "\n".join(self._texts), self._media))

    def _time(self, values: dict[str, str]) -> int:
        date = values.get("date", "")
        if re.fullmatch(r"-?[0-9]{1,15}", date) is None or not FIRST_TIME <= int(date) <= LAST_TIME:
            raise self._error('a message whose "date" is no time in milliseconds')
        return int(date)

    def _refuse_doctype(self, *_: object) -> None:
        raise self._error("a document type, which no backup has")

    def _error(self, found: str) -> ExportError:
        line = self._parser.CurrentLineNumber
        return ExportError(f"{self._path}, line {line}: {found}: back up again, or remove the file")


def _given(values: dict[str, str], key: str) -> str:
    """An attribute as text, empty where the app writes that there is nothing."""
    value = values.get(key, "")
    if value in NOTHING:
        return ""
    return value if value.isascii() else SURROGATES.sub(_surrogates, value)


def plain_address(text: str) -> str:
    """A number without what people put between its digits; other addresses as they are."""
    text = text.strip()
    if text in NOTHING:
        return UNKNOWN
    return (BETWEEN.sub("", text) or UNKNOWN) if PHONE.fullmatch(text) else text


def _without_pictures(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The file without the Base64 of pictures and sounds, of which one may be a hundred megabytes long."""
    held = b""
    inside = False
    for chunk in chunks:
        data = held + chunk
        kept: list[bytes] = []
        start = 0
        held = b""
        while True:
            if inside:
                start = data.find(b'"', start)
                if start < 0:
                    break
                inside = False
            picture = PICTURE.search(data, start)
            if picture is None:
                cut = max(start, len(data) - AHEAD)
                kept.append(data[start:cut])
                held = data[cut:]
                break
            kept.append(data[start : picture.end() - 256])
            start, inside = picture.end(), True
        yield b"".join(kept)
    yield held


def _repaired(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The file with references only to characters that XML knows."""
    held = b""
    for chunk in chunks:
        data = held + chunk
        cut = data.rfind(b"&", max(0, len(data) - 16))
        if cut < 0 or b";" in data[cut:]:
            cut = len(data)
        held = data[cut:]
        yield REFERENCE.sub(_known, data[:cut])
    yield held


def _known(reference: re.Match[bytes]) -> bytes:
    code = int(reference[1]) if reference[1] else int(reference[2], 16)
    if HIGH <= code <= LOW:
        return chr(PLANE + code - HIGH).encode()
    # Numbers just below the surrogates are letters (Hangul); control characters can't be in XML at all.
    return reference[0] if 0x20 <= code < HIGH else b""


def _surrogates(match: re.Match[str]) -> str:
    halves = "".join(chr(ord(character) - PLANE + HIGH) for character in match[0])
    return halves.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
