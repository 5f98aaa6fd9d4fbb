"""Reactions that phones send as text, because SMS has no reactions: ``Liked “see you at 5”``.

An iPhone quotes the text in a sentence in its own language; Google Messages writes a sentence with an emoji and
invisible marks. The sentences are from the tables of public SMS apps: all in English, French and Spanish, some in
German, Italian, Portuguese, Dutch, Japanese and Korean.
"""

import re
from collections import deque

_QUOTED = r"(?:“.*”|«[\s\u202f]*.*[\s\u202f]*»|„.*[“”]|「.*」|‘.*’)"
"""People rarely write such quotation marks around everything that follows such a word."""
_EMOJI = r"[\u200a-\u200c]*[^\w\s“”«»„‘’'\"().,!?:;-]\S{0,15}"
_THING = r"an? (?:image|photo|movie|video|audio message|voice message|attachment|GIF|sticker|link|location)"
_REMOVED = r"an? (?:like|heart|dislike|laugh|exclamation(?: mark)?|question(?: mark)?|emphasis|sticker|reaction)"
# "@" stands for the quoted text or the kind of attachment.
_ENGLISH = (
    r"(?:Liked|Loved|Disliked|Laughed at|Emphasi[sz]ed|Questioned) @|Reacted with a sticker to @",
    rf"(?:Reacted (?:with )?)?{_EMOJI} to @|Removed (?:{_REMOVED}|(?:the )?{_EMOJI}) from @",
)
_FRENCH = (
    r"[Aa] (?:aimé|adoré|ri de|mis en évidence|souligné|posé une question sur) @|N['’]a pas aimé @",
    r"S['’]est interrogée?(?:\(e\))? sur @|[Aa] attribué la mention « [^»]{1,20} » à @",
    rf"[Aa] ajouté une? .{{1,30}} à @[.]?|[Aa] réagi (?:avec|par) {_EMOJI} à @|[Aa] (?:retiré|supprimé) .{{1,40}} de @",
)
_SPANISH = (
    r"Le (?:gustó|encantó|dio risa|disgustó) @|No le gustó @|(?:Exclamó por|Dudó sobre|Se ri[oó] de) @",
    rf"(?:Enfatizó|Destacó|Cuestionó) @|Reaccionó con {_EMOJI} a @|(?:Quitó|Eliminó) .{{1,40}} (?:de|a) @",
)
_OTHERS = (
    r"Gefällt @",
    r"@ (?:mit „Gefällt mir(?: nicht)?“ markiert|ein Herz hinzugefügt|hervorgehoben|hinterfragt)|Lachte über @",
    rf"(?:Hat |Reagierte )?mit {_EMOJI} auf @(?: reagiert)?|Hat @ (?:geliked|hervorgehoben|hinterfragt)",
    rf"Vond @ (?:leuk|geweldig)|(?:Heeft|Reageerde) met {_EMOJI} (?:gereageerd )?op @",
    rf"Ha (?:reagito con {_EMOJI} a|aggiunto (?:un cuore|“[^”]{{1,20}}”) a|riso di|enfatizzato|messo in dubbio) @",
    r"(?:Gostou de|Não gostou de|Amou|Adorou|Riu de|Enfatizou|Questionou) @",
    rf"Reagiu com {_EMOJI} a @|Removeu .{{1,40}} de @",
    rf"@\s?に\s?(?:{_EMOJI}\s?で\s?リアクションしました|ハートを.{{0,10}}しました|疑問を示しました)|@を強調しました",
    rf"@(?:에|에서) {_EMOJI} ?(?:표시(?:함| 제거함)|반응함)",
)
_THINGS = (
    r"(?:Le (?:gustó|encantó|dio risa)|Exclamó por) (?:una imagen|un video|un archivo adjunto)",
    r"[Aa] (?:aimé|adoré|ri de|mis en évidence) une (?:image|photo|vidéo|pièce jointe)",
    r"(?:Gostou de|Amou|Adorou|Riu de|Enfatizou) (?:uma imagem|um vídeo|um anexo)",
)


def _pattern(templates: tuple[str, ...], what: str) -> str:
    return "|".join(templates).replace("@", what)


# An emoji between two marks, then the quoted text between two others.
_GOOGLE = (
    r"\u200a?[^\u200a-\u200c]{0,60}(?:\u200b[^\u200b]{1,20}\u200b|\u200c[^\u200c]{1,20}\u200c)"
    r"[^\u200a]{0,60}\u200a.*"
)
_BY_FORM = re.compile(
    "|".join(
        (_pattern((*_ENGLISH, *_FRENCH, *_SPANISH, *_OTHERS), _QUOTED), _pattern(_ENGLISH, _THING), *_THINGS, _GOOGLE)
    ),
    re.DOTALL,
)
_IN_STRAIGHT_QUOTES = re.compile(_pattern(_ENGLISH, r"\"(.*)\""), re.DOTALL)
_QUOTES = re.compile(r"[“«„「‘\"\u200a]")
_STARTS = (
    *("Liked a", "Loved a", "Disliked a", "Laughed at a", "Emphasized a", "Emphasised a", "Questioned a"),
    *(
        "Removed ",
        "Reacted ",
        "Le ",
        "Exclamó",
        "Reaccionó",
        "A ",
        "a ",
        "Gostou",
        "Amou",
        "Adorou",
        "Riu",
        "Enfatizou",
    ),
)
"""First words of reactions without quotation marks."""
MAX_REACTION_CHARACTERS = 2_000
"""Longer texts are not quoted in full."""
MAX_QUOTABLE_TEXTS = 1_000
"""Latest texts of a chat that a reaction can quote."""


class Tapbacks:
    """Recognises the reactions in one chat. Call `is_one` once for each text, in order."""

    def __init__(self) -> None:
        self._earlier: deque[str] = deque(maxlen=MAX_QUOTABLE_TEXTS)

    def is_one(self, text: str) -> bool:
        """Whether a phone wrote ``text`` to react to a message.

        In straight quotation marks, which people also write after such words, there must be an earlier text of the
        chat.
        """
        # Nearly all texts are told without the long patterns.
        if (
            '"' in text
            or text.startswith(_STARTS)
            or (not text.isascii() and (_QUOTES.search(text) or " to a" in text[:20]))
        ) and len(text) <= MAX_REACTION_CHARACTERS:
            stripped = text.strip(" \n")
            if _BY_FORM.fullmatch(stripped):
                return True
            match = _IN_STRAIGHT_QUOTES.fullmatch(stripped)
            if match is not None and any(quoted in self._earlier for quoted in match.groups() if quoted):
                return True
        self._earlier.append(text)
        return False
