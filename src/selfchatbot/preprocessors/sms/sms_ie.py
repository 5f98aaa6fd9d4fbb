"""One file of SMS Import / Export (tmo1/sms-ie): ``messages.ndjson``, before 2.0 ``messages-*.json``, a list.

Grammar: ``ImportExportMessages.kt``, ``tools/v1-v2-convert.py`` and MESSAGE-FILTERING.md of the app. A message is a row
of Android's tables. An SMS has ``address``, ``type`` (1 received, 2 sent), ``body`` and ``date`` in milliseconds; an
MMS, which has a ``msg_box`` instead of the type, ``date`` in seconds. What the app adds has two underscores in front
from 2.0 on: ``__display_name``, and for an MMS ``__sender_address``, ``__recipient_addresses`` (me among them), and
``__parts``, of which those with ``ct`` ``text/plain`` hold ``text``. All values are strings.
"""

from collections.abc import Callable, Iterator
from typing import Any

from selfchatbot.errors import ExportError
from selfchatbot.preprocessors.base import ExportPath
from selfchatbot.preprocessors.media import by_content_type
from selfchatbot.preprocessors.reading.json_lines import json_objects
from selfchatbot.preprocessors.reading.json_stream import CutShortError, NoObjectError, json_values
from selfchatbot.preprocessors.reading.utc import milliseconds
from selfchatbot.preprocessors.sms.backup import ME, MEDIA, RECEIVED, SENT, UNKNOWN, AddressBook, Entry, plain_address

NAME = "messages"
"""How its files of messages begin; there are others of calls and contacts."""


def is_messages(path: ExportPath) -> bool:
    """Whether a file is one of the app's, by its name."""
    return path.name.casefold().startswith(NAME)


class SmsIe:
    """One file; ``add`` is called with each of its messages, ``book`` learns the names in it."""

    def __init__(self, path: ExportPath, book: AddressBook, add: Callable[[Entry], None]) -> None:
        self._path = path
        self._book = book
        self._add = add
        self._received: dict[str, set[str]] = {}
        """By the number of a chat, everybody whom an MMS that I got there names."""
        self._sent: dict[str, set[str]] = {}
        """And everybody to whom I sent one."""
        self._senders: set[str] = set()

    def load(self) -> list[str]:
        """Read the file; what the user should know about it.

        Raises ExportError with file and message.
        """
        count = 0
        try:
            for record in self._records():
                count += 1
                try:
                    self._take({key.removeprefix("__"): value for key, value in record.items()})
                except (TypeError, KeyError, ValueError, AttributeError):
                    raise ExportError(
                        f"{self._path}, message {count:,}: its date, address or text is not as expected: export it "
                        "again, or remove the file"
                    ) from None
        except CutShortError:
            return [f"the export is cut short: {count:,} messages were found"]
        except NoObjectError:
            raise ExportError(f"{self._path}: no list of messages: export it again, or remove the file") from None
        finally:
            self._learn_my_number()
        return []

    def _learn_my_number(self) -> None:
        """Who gets what others send to a chat but not what I send there, and never writes, is me."""
        for thread, members in self._received.items():
            rest = members - self._sent.get(thread, members) - self._senders
            if len(rest) == 1:
                self._book.mine.update(rest)

    def _records(self) -> Iterator[Any]:
        if self._path.suffix.lower() == ".ndjson":
            yield from json_objects(self._path)
        else:
            for _, records in json_values(self._path, "[]"):
                yield from records

    def _take(self, record: dict[str, Any]) -> None:
        if "msg_box" in record:
            self._take_mms(record)
        elif record["type"] in (RECEIVED, SENT):  # others are drafts, and what could not be sent
            address = self._meet(record)
            sender = ME if record["type"] == SENT else address
            self._add(Entry((address,), milliseconds(record["date"]), sender, _text(record.get("body"))))

    def _take_mms(self, record: dict[str, Any]) -> None:
        if record["msg_box"] not in (RECEIVED, SENT):
            return
        sender = self._meet(record.get("sender_address") or {})
        recipients = [self._meet(one) for one in record.get("recipient_addresses") or ()]
        thread = _text(record.get("thread_id"))
        if record["msg_box"] == SENT:
            if sender != UNKNOWN:
                self._book.mine.add(sender)
            members, sender = recipients, ME
            self._sent.setdefault(thread, set()).update(recipients)
        elif len(recipients) == 1:
            # Nobody else got it.
            self._book.mine.update(one for one in recipients if one not in (UNKNOWN, sender))
            members = [sender]
        else:
            members = [sender, *recipients]
            self._received.setdefault(thread, set()).update(members)
            self._senders.add(sender)
        text, media = [], ""
        for part in record.get("parts") or ():
            kind = _text(part.get("ct"))
            if kind == "text/plain":
                text.append(_text(part.get("text")))
            elif not media and kind.lower().startswith(MEDIA):
                media = by_content_type(kind)
        time = milliseconds(record["date"], 1000)
        self._add(Entry(tuple(sorted(set(members))), time, sender, "\n".join(filter(None, text)), media))

    def _meet(self, person: dict[str, Any]) -> str:
        """The address of somebody, whose name is learned."""
        address = plain_address(_text(person.get("address")))
        name = person.get("__display_name") or person.get("display_name")
        if isinstance(name, str) and address != UNKNOWN:
            self._book.names[address] = name
        return address


def _text(value: object) -> str:
    if not isinstance(value, str | None):
        raise TypeError
    return value or ""
