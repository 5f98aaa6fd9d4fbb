"""What WhatsApp itself writes into an export, in the languages of its users: ``phrases.json`` by language.

Sources: the strings of WhatsApp's apps (Android's ``export_media_omitted``, ``email_file_attached``,
``revoked_msg_incoming``, ``revoked_msg_outgoing``, ``missed_voice_call``, the subject of the e-mail with the export and
their counterparts on iOS) as public parsers have collected them, and exports. The keys of a language:

- ``title``: the file's name without its ending, ``{}`` being the contact or the group;
- ``omitted``: in the place of media, Android's word for all kinds and iOS's for each;
- ``attached``: after the name of a file, in round brackets (Android);
- ``deleted``, and ``mine`` for what the owner of the phone deleted, so that its author made the export;
- ``edited``: after the text, in angle brackets (`is_edited` knows four more languages by two words);
- ``other``: calls and messages that can't be shown;
- ``notice``: how the notice about encryption begins.
"""

import json
import re
from pathlib import Path

_EDGES = " \t.。।<>\u200e\u200f"


def plain(text: str) -> str:
    """``text`` for comparison with a phrase: case, angle brackets and a full stop don't count."""
    return text.strip(_EDGES).casefold()


def _load() -> dict[str, list[str]]:
    """The phrases of all languages, by key."""
    languages: dict[str, dict[str, list[str]]] = json.loads(
        Path(__file__).with_name("phrases.json").read_text(encoding="utf-8")
    )
    found: dict[str, list[str]] = {}
    for phrases in languages.values():
        for key, alternatives in phrases.items():
            found.setdefault(key, []).extend(alternatives)
    return found


_ALL = _load()
OMITTED = frozenset(map(plain, _ALL["omitted"]))
MINE = frozenset(map(plain, _ALL["mine"]))
_EDITED = frozenset(map(plain, _ALL["edited"]))
# No public export shows the phrase of these languages. It speaks of a message, and of editing.
_EDITED_WORDS = re.compile(
    r"(?=.*メッセージ)(?=.*編集)|(?=.*메시지)(?=.*(?:수정|편집))|(?=.*(?:消息|[訊讯]息))(?=.*[编編][辑輯])"
    r"|(?=.*(?:मैसेज|मेसेज|संदेश))(?=.*(?:एडिट|संपादित|बदला))"
)
WHOLE = OMITTED | MINE | frozenset(map(plain, (*_ALL["deleted"], *_ALL["other"])))
"""What stands in the place of a whole message."""
NOTICES = tuple(map(plain, _ALL["notice"]))
LONGEST, LONGEST_MINE = (max(map(len, phrases)) + len(_EDGES) for phrases in (WHOLE, MINE))
ATTACHED = re.compile(rf"[^\n]*\.\w{{1,5}} \((?:{'|'.join(map(re.escape, _ALL['attached']))})\)")
"""The name of an attached file as Android writes it."""
_TITLES = [re.compile(re.escape(title).replace(r"\{\}", "(.+)")) for title in _ALL["title"]]
_COPY = re.compile(r"(.+?) ?\(\d{1,2}\)")


def is_edited(word: str) -> bool:
    """Whether what stands in angle brackets, as `plain` gives it, says that the message was edited."""
    return word in _EDITED or _EDITED_WORDS.match(word) is not None


def titled(stem: str) -> str | None:
    """The contact or group of which a file or folder with this name holds the chat; None for another kind of name.

    A number in brackets, which browsers append to a second download, is left out.
    """
    # Some ways of sending the file make all spaces underscores.
    for name in dict.fromkeys((stem, stem.replace("_", " "))):
        for title in _TITLES:
            if match := title.fullmatch(name):
                copy = _COPY.fullmatch(match[1])
                return (copy[1] if copy else match[1]).strip()
    return None
