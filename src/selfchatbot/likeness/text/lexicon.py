"""How people laugh, smile and greet in chats of many languages, as patterns."""

import re
import unicodedata
from functools import lru_cache

LAUGHTER = {
    "haha": r"\b(?:b|mw|mu|bw)?(?=[ah]*ha+h)[ah]{4,}\b|\bha(?: ha)+\b|哈{2,}",
    "hehe": r"\b(?=[eh]*he+h)[eh]{3,}\b|呵{2,}|嘿{2,}",
    "hihi": r"\b(?=[ih]*hi+h)[ih]{3,}\b",
    "lol": r"\bl+o+l+(?:o+l+|z+)*\b",
    "lmao": r"\bl+m+f?a+o+\b|\brofl\w*\b",
    "jaja": r"\b(?=[aj]*ja+j)[aj]{4,}\b|\b(?=[ej]*je+j)[ej]{4,}\b",
    "kkk": r"\bk{3,}\b|\b(?:rs){2,}\b",
    "mdr": r"\bp?t?mdr+\b|\bptdr+\b",
    "xd": r"\bx+d+\b",
    "хаха": r"\b(?=[ах]*ха+х)[ах]{4,}\b|\bлол\b|\bахах\b",
    "ㅋㅋ": r"[ㅋㅎ]{2,}",
    "www": r"(?<![a-z.])w{2,}(?![a-z.])|草+\s*$|[(（]?笑[)）]?\s*$",
    "555": r"(?<!\d)5{3,}\+*(?!\d)",
    "wkwk": r"\b(?:wk){2,}w?\b",
    "ههه": r"ه{3,}|ח{3,}",
}
"""Spelling -> its pattern, for text in lower case."""
EMOTICON = re.compile(
    r"(?<![\w/])(?:[:;=][-'^o]?[)(DPpOo3*/\\|]|<3+|\^[_.]?\^|[tT]_+[tT]|[-–]_+[-–]|:'\(|\([:;=]|[oO]_+[oO]|[xX]-?[)(]|D:"
    r"|¯\\_\(ツ\)_/¯)(?!\w)"
)
GREETING = re.compile(
    r"\W*(?:h(?:i+|e+y+|ello+|iya|allo+|ej|ei|ola|owdy|ai)|hey+a|yo+|sup|morning|good (?:morning|evening|afternoon)|"
    r"moin+|servus|guten (?:morgen|tag|abend)|grüß\w*|salut|bonjour|bonsoir|coucou|buenos días|buenas|oi+|olá|opa|e aí|"
    r"bom dia|boa (?:tarde|noite)|ciao|buongiorno|buonasera|cześć|hejka|siema|ahoj|čau|szia|salam|merhaba|selam|"
    r"namaste|привет\w*|здравствуй\w*|добр\w+ (?:день|утро|вечер)|γειά?|שלום|مرحبا|السلام|नमस्ते|"
    r"halo|apa kabar|xin chào|สวัสดี\w*)(?!\w)"
    r"|\W*(?:你好|嗨|早上好|早安|哈囉|こんにちは|こんばんは|おはよう|やあ|안녕|여보세요)",
    re.IGNORECASE,
)
"""Matches at the start of a reply."""

_LAUGHTER = {name: re.compile(pattern) for name, pattern in LAUGHTER.items()}
_SYMBOL = re.compile("[\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff]")
SCRIPTS = {
    "LATIN": "Latin",
    "CYRILLIC": "Cyrillic",
    "GREEK": "Greek",
    "ARABIC": "Arabic",
    "HEBREW": "Hebrew",
    "DEVANAGARI": "Devanagari",
    "THAI": "Thai",
    "CJK": "Chinese",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HANGUL": "Korean",
}
"""First word of a letter's Unicode name -> script. Japanese kanji count as Chinese."""


def laughter(message: str) -> str | None:
    """The first spelling in ``LAUGHTER`` that occurs in a message."""
    lower = message.casefold()
    return next((name for name, pattern in _LAUGHTER.items() if pattern.search(lower)), None)


def has_emoji(message: str) -> bool:
    """Whether there is any emoji in a message."""
    if not _SYMBOL.search(message):
        return False
    import emoji

    return emoji.emoji_count(message) > 0


@lru_cache(maxsize=4096)
def script(letter: str) -> str:
    """The writing system of a letter; empty for one that isn't in ``SCRIPTS``."""
    return SCRIPTS.get(unicodedata.name(letter, "").split(" ", 1)[0], "")
