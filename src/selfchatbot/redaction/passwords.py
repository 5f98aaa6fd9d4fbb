"""Passwords and keys, recognised by the words before them."""

import re
from collections.abc import Iterator

from selfchatbot.redaction.rule import LETTER_AFTER, LETTER_BEFORE, Rule, Span, holds, places, windows

CLEAR_WORDS = (
    "password|passwort|passwörter|kennwort|passcode|passphrase|passwd|mot de passe|contraseña|contrasena|palavra-passe|"
    "parola d'ordine|wachtwoord|lösenord|adgangskode|kodeord|passord|salasana|jelszó|пароль|пароля|κωδικός πρόσβασης|"
    "סיסמה|סיסמא|كلمة السر|كلمة المرور|mật khẩu|kata sandi|รหัสผ่าน|"
    "(?:api|secret|private|access|encryption|licen[cs]e|product|activation|recovery|wi-?fi|wlan|wpa)[ _-]?key|"
    "client[ _-]?secret|(?:access|auth|bot|api|refresh)[ _-]?token"
)
SHORT_WORDS = "pass|pwd?|mdp|senha|parola|hasło|haslo|heslo|şifre|sifre"
AMBIGUOUS_WORDS = "token|secret|clave"
"""These have other meanings: only a value that doesn't look like a word counts after them."""
UNSPACED_WORDS = "密码|密碼|口令|パスワード|暗証番号|비밀번호|비번"
"""In languages without spaces between words."""
VERBS = "is|was|ist|war|lautet|es|era|est|c'est|é|è|eh|jest|brzmi|är|er|je|este|это|είναι"
PASSWORD = re.compile(
    rf"(?:(?:(?P<clear>{CLEAR_WORDS})|{LETTER_BEFORE}(?:(?P<short>{SHORT_WORDS})|{AMBIGUOUS_WORDS}))(?:s|en|e|i)?{LETTER_AFTER}"
    r"(?P<filler>[^\n\x1e:=?.!：]{0,30}?)"
    r"(?:[ \t]*(?P<sign>[:=：]|[-=]>|→)\s*"
    rf"|[ \t]+(?:{VERBS})(?:[ \t]+(?:now|still|jetzt|ahora))?[ \t]+"
    r"|[ \t]*\?*[\n\x1e]+(?P<next>(?!\s)))"
    rf"|(?:{UNSPACED_WORDS})[ \t]*(?P<particle>[:：是はがは이은는가][ \t]*))"
    r"(?:[\"'“‘`«](?P<quoted>[^\n\x1e\"'”’`»]{3,64})[\"'”’`»]|(?P<value>[^\s\"“”`«»]{3,256}))(?P<rest>[^\n\x1e]{0,40})"
)
WORD_STEMS = (
    *("pass", "kennw", "pwd", "pw", "contrase", "senha", "parola", "wachtw", "lösen", "adgangsk", "kodeord"),
    *("salasana", "jelsz", "парол", "κωδ", "סיסמ", "كلمة", "mật", "sandi", "รหัส", "key", "token", "secret", "mdp"),
    *("hasło", "haslo", "heslo", "şifre", "sifre", "clave", "密", "口令", "パスワード", "暗証", "비밀", "비번"),
)
"""Each of the words above contains one of these."""
MAX_BEFORE_STEM = 20
"""Characters of a word before its stem."""
MAX_AFTER_STEM = 400
"""Characters after a stem that a match can extend to: replacing half a password would be worse than none of it."""
CLOSING = ".,;!?)]}'’…"
COMMON = """
about again also always anyway awesome back bad been being better broken case changed correct cool different dumb
easy empty enough expired fake fine first forgotten free from fun funny good gone great hacked hard have here
hidden how incorrect inside invalid just kind known last leaked like literally long lost love maybe mine missing
much needed never nice none nonsense nothing obvious okay only open over probably really required reset right safe
same saved secret secure short simple something still stolen strong stupid sure terrible that the their there this
too true unknown useless very weak weird what when where which whatever working worse written wrong your yours
falsch richtig nicht noch auch sehr gleich anders geheim lang kurz sicher unsicher vergessen abgelaufen incorrecta
correcta misma mala buena mauvais faux correct oublié même sbagliata errada errado igual
"""
COMMON_WORDS = frozenset(COMMON.split())
"""Words with which people talk about passwords."""


def _passwords(text: str, lower: str) -> Iterator[Span]:
    for first, stop in windows(places(WORD_STEMS, lower), len(lower), MAX_BEFORE_STEM, MAX_AFTER_STEM):
        position = first
        while match := PASSWORD.search(lower, position, stop):
            start, end = match.span("value" if match["quoted"] is None else "quoted")
            position = start
            while match["quoted"] is None and end > start + 1 and text[end - 1] in CLOSING:
                end -= 1
            alone = not lower[end : match.end()].strip(CLOSING + ' \t"”»`')
            if _is_secret(text[start:end], match, alone):
                yield start, end
                position = end


def _is_secret(value: str, match: re.Match[str], alone: bool) -> bool:
    if "://" in value or value.startswith(("[", "<", "@")):
        return False
    strong = _looks_random(value)
    if match["next"] is not None:  # on the next line: nothing but the place suggests a password
        return alone and strong and len(value) >= 6 and len(value.split()) == 1
    if match["sign"] is not None and alone and match["clear"] is not None:
        return True
    if match["quoted"] is not None:
        return True
    if value.lower() in COMMON_WORDS:
        return False
    if strong and len(value) >= 4:
        return True
    if match["sign"] is not None:
        return alone and match["short"] is not None and not match["filler"].strip()
    return alone and len(value) >= 5 and (match["clear"] is not None or match["particle"] is not None)


def _looks_random(value: str) -> bool:
    """Whether a value looks unlike any word: with digits, signs, or capitals after the first letter."""
    return (
        any(map(str.isdigit, value))
        or any(not (c.isalnum() or c in "'’-.,…()") for c in value)
        or (any(map(str.islower, value)) and any(map(str.isupper, value[1:])))
    )


RULES = (Rule("passwords", holds(*WORD_STEMS), _passwords),)
