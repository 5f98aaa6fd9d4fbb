"""What is never style is replaced, what people say about it is not."""

import json
import time
from datetime import datetime

import pytest
from conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from selfchatbot.errors import ParametersError
from selfchatbot.messages import Conversation, Turn
from selfchatbot.parameters import RawParameters, RedactOptions, validate
from selfchatbot.redaction.redactor import PLACEHOLDERS, Redactor

START = datetime(2024, 1, 2, 3, 4)
ALL = RedactOptions(
    emails=True,
    phone_numbers=True,
    phone_region="DE",
    links=True,
    street_addresses=True,
    words=("Johanna", "高橋", "X 9"),
)


def redacted(text: str, options: RedactOptions | None = None) -> str:
    return Redactor(options or RedactOptions()).text(text)


def conversation(*contents: str) -> Conversation:
    turns = (Turn("assistant" if n % 2 else "user", content, START, START) for n, content in enumerate(contents))
    return Conversation(tuple(turns), "chat", "moss", "Test")


BY_DEFAULT = [
    # payment cards: test numbers of their issuers
    ("my card is 4242 4242 4242 4242 exp 12/27", "my card is [card] exp 12/27"),
    ("4111-1111-1111-1111", "[card]"),
    ("5555555555554444.", "[card]."),
    ("amex 3782 822463 10005 ok", "amex [card] ok"),
    ("378282246310005", "[card]"),
    # IBAN: examples of the registry
    ("IBAN DE89 3704 0044 0532 0130 00 on Monday", "IBAN [IBAN] on Monday"),
    ("de89370400440532013000", "[IBAN]"),
    ("pay GB82 WEST 1234 5698 7654 32, thanks", "pay [IBAN], thanks"),
    ("FR14 2004 1010 0505 0001 3M02 606", "[IBAN]"),
    ("MT84MALT011000012345MTLCAST001S!", "[IBAN]!"),
    # passwords
    ("my password is hunter2", "my password is [password]"),
    ("my password is banana", "my password is [password]"),
    ("password: correct-horse", "password: [password]"),
    ("Password:\nhunter2", "Password:\n[password]"),
    ('the password is "open sesame", ok', 'the password is "[password]", ok'),
    ("the pass for wifi is Sun42flower", "the pass for wifi is [password]"),
    ("wlan-Passwort lautet Blume77.", "wlan-Passwort lautet [password]."),
    ("Passwort: geheim", "Passwort: [password]"),
    ("mot de passe : Soleil99", "mot de passe : [password]"),
    ("contraseña: luna123", "contraseña: [password]"),
    ("hasło to było, hasło: kotek99", "hasło to było, hasło: [password]"),
    ("пароль: солнце7", "пароль: [password]"),
    ("密码是abc123", "密码是[password]"),
    ("パスワードは neko22", "パスワードは [password]"),
    ("비밀번호는 abc123", "비밀번호는 [password]"),
    ("api key = 9f8a7d6c5b", "api key = [password]"),
    ("the token is aB3xK9", "the token is [password]"),
    # access tokens, all of them invented
    ("use ghp_abcdefghijklmnopqrstuvwxyz0123456789 there", "use [token] there"),
    ("sk-ant-api03-AbCdEfGhIjKlMnOpQrSt", "[token]"),
    ("AKIAIOSFODNN7EXAMPLE", "[token]"),
    ("Authorization: Bearer abcdefghijklmnop123456", "Authorization: Bearer [token]"),
    ("https://x.y/?a=1&token=abcdefgh123&b=2", "https://x.y/?a=1&token=[token]&b=2"),
    ("https://user:pa55word@host.x/y", "https://user:[token]@host.x/y"),
    ("x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U y", "x [token] y"),
    ("MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs", "[token]"),
    ("bot 123456789:AAabcdefghijklmnopqrstuvwxyz_123456", "bot [token]"),
    (
        "key:\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\nAAAAAB==\n"
        "-----END OPENSSH PRIVATE KEY-----\nthere",
        "key:\n[token]\nthere",
    ),
    # one-time codes
    ("Your code is 482913", "Your code is [code]"),
    ("code: 4829", "code: [code]"),
    ("code 482913", "code [code]"),
    ("G-482913 is your Google verification code", "[code] is your Google verification code"),
    ("your verification code 482 913.", "your verification code [code]."),
    ("use 482913 to log in", "use [code] to log in"),
    ("here's the code\n482913", "here's the code\n[code]"),
    ("482913 ist dein Bestätigungscode", "[code] ist dein Bestätigungscode"),
    ("Tu código es 482913", "Tu código es [code]"),
    ("【X】验证码:482913，请勿泄露", "【X】验证码:[code]，请勿泄露"),
    ("認証コードは482913です", "認証コードは[code]です"),
    ("인증번호 [482913]", "인증번호 [[code]]"),
    ("PIN ist 4821", "PIN ist [code]"),
]
BEFORE = frozenset(text for text, _ in BY_DEFAULT)


@pytest.mark.parametrize(("text", "expected"), BY_DEFAULT, ids=lambda text: text[:20].strip())
def test_by_default(text: str, expected: str) -> None:
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # wrong check digit
        "<@4111111111111111> hi",  # a mention
        "https://example.org/status/4111111111111111",
        "1700000000000",  # a time
        "DE89 3704 0044 0532 0130 01",  # wrong check digits
        "pm10 see you at gt86 4 times 1234 5678 9012",
        "the password is wrong",
        "I forgot my password again",
        "my password is too long lol",
        "I'll pass, thanks",
        "pass me the salt",
        "what a secret: nobody knows",
        "that's the key to success",
        "the monkey is here",
        "what's the password?\nlol idk",
        'keep my password a secret\n"what was it then?"',
        "the password is https://example.org/reset",
        "zip code 12345",
        "Postleitzahl: 12345",
        "error code 40404",
        "code 2000 lines today",
        "wrote code for 3000 hours in 2023",
        "my code works since 2021",
        "meet at 1830, bring 2000 euros",
        "it was 2023 when 1234 people came",
        "see you in 2024 :) \U0001f600 {what} [x] https://example.org/?q=hello",
        "mail me: bob@example.org, +49 30 901820, Hauptstraße 12",  # only when asked for
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ],
)
def test_left_as_it_is(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail me at bob.smith+x@mail.example.com.", "mail me at [email]."),
        ("call 030 901820 or +44 20 7946 0958 tomorrow", "call [phone] or [phone] tomorrow"),
        ("see https://example.org/a?b=c#d, www.example.org and discord.gg/abc!", "see [link], [link] and [link]!"),
        ("I live at 221B Baker Street, come", "I live at [address], come"),
        ("12 rue de la Paix, Hauptstraße 12a und calle Mayor, 5", "[address], [address] und [address]"),
        ("123 main st, apt 4b or ul. Długa 7", "[address] or [address]"),
        ("it was a 5 hour drive, 16 years down the road, 70 in the left lane", None),
        ("the class called cs 142, Katie 1, a decade 2, in 1000 place it right", None),
        ("johanna's, Johannas, JOHANNA and johannaxyz", "[private]'s, [private], [private] and johannaxyz"),
        ("高橋さん x  9 and x9", "[private]さん [private] and x9"),
    ],
)
def test_when_asked_for(text: str, expected: str | None) -> None:
    assert redacted(text, ALL) == (text if expected is None else expected)


def test_phone_numbers_without_a_region_need_a_plus() -> None:
    options = RedactOptions(phone_numbers=True)
    assert redacted("030 901820 or +49 30 901820", options) == "030 901820 or [phone]"


def test_every_kind_can_be_switched_off() -> None:
    nothing = RedactOptions(
        payment_cards=False, ibans=False, passwords=False, access_tokens=False, one_time_codes=False
    )
    assert all(redacted(text, nothing) == text for text, _ in BY_DEFAULT)


def test_answer_of_the_other_side() -> None:
    redactor = Redactor(RedactOptions())
    found = redactor.conversation(conversation("what's the wifi password?", "Sunflower42", "thanks!"))
    assert [turn.content for turn in found.turns] == ["what's the wifi password?", "[password]", "thanks!"]
    assert [(turn.role, turn.start) for turn in found.turns][1] == ("assistant", START)
    assert redactor.counts == {"passwords": 1}


def test_conversation_without_secrets_is_the_same_object() -> None:
    plain = conversation("hi", "hey")
    assert Redactor(ALL).conversation(plain) is plain


def test_separator_in_a_message_is_kept() -> None:
    found = Redactor(RedactOptions()).conversation(conversation("a\x1eb", "code: 482913", "\x1e"))
    assert [turn.content for turn in found.turns] == ["a\x1eb", "code: [code]", "\x1e"]


def test_names_of_chats_and_contacts() -> None:
    redactor = Redactor(RedactOptions(phone_numbers=True))
    found = redactor.conversation(Conversation(conversation("hi", "hey").turns, "+49 30 901820", "+49 30 901820", "X"))
    assert (found.chat, found.contact) == ("[phone]", "[phone]")
    assert not redactor.counts


def test_excluded_names() -> None:
    redactor = Redactor(RedactOptions(), ["gale.816", "Bob"])
    text = redactor.text("@gale.816: bob and Bob's friend Bobby, BOB!")
    assert text == "@[name]: [name] and [name]'s friend Bobby, [name]!"
    assert redactor.counts == {"excluded_names": 4}


def test_words_however_they_are_spelled() -> None:
    redactor = Redactor(RedactOptions(words=("İbrahim", "O’Brien", "Γιώργος")), ["Großmann"])
    text = redactor.text("İbrahim, O'Brien, O’Brien's, Γιώργος, ΓΙΏΡΓΟΣ, O’Brienne, Großmann")
    assert text == "[private], [private], [private]'s, [private], [private], O’Brienne, [name]"


def test_same_text_gives_the_same_placeholder_and_placeholders_stay() -> None:
    redactor = Redactor(ALL)
    for text, _ in BY_DEFAULT:
        once = redactor.text(text)
        assert redacted(once, ALL) == once
    assert set(redactor.counts) <= set(PLACEHOLDERS)


def test_unknown_region() -> None:
    with pytest.raises(ParametersError, match=r'redact.phone_region": found "ZZ", expected a country'):
        validate(RawParameters, {"model": "x", "redact": {"phone_region": "ZZ"}}, "p")


@settings(max_examples=examples(150))
@given(
    pieces=st.lists(
        st.one_of(
            st.text(st.characters(codec="utf-8"), max_size=12),
            st.sampled_from(sorted(BEFORE)),
            st.sampled_from(("password", "is", ": ", "\n", "\x1e", "code", " ", "İ", "ẞ", "DE89", "1234 ", '"', "://")),
        ),
        max_size=10,
    )
)
def test_turns_stay_turns(pieces: list[str]) -> None:
    before = conversation(*pieces, "end")
    after = Redactor(ALL, ["bob"]).conversation(before)
    assert len(after.turns) == len(before.turns)
    assert [turn.role for turn in after.turns] == [turn.role for turn in before.turns]
    assert json.loads(after.to_json())


@settings(max_examples=examples(60))
@given(
    secret=st.sampled_from([text for text, _ in BY_DEFAULT if "4242" in text or "DE89" in text]),
    noise=st.text(max_size=30),
)
def test_numbers_are_found_in_any_surroundings(secret: str, noise: str) -> None:
    found = redacted(f"{noise}\n{secret}\n{noise}")
    assert "4242 4242" not in found
    assert "3704 0044" not in found


@pytest.mark.parametrize(
    "text",
    ["eyJ" * 200_000, "password " * 60_000, "a" * 1_000_000, "1234 " * 120_000, "pass:" * 120_000, "code 1" * 100_000,
     "://a:" * 120_000, "DE89" * 150_000, "-----BEGIN PRIVATE KEY-----\n" * 20_000, "@" * 300_000, "a.b" * 200_000,
     "12 rue a " * 60_000, "=" * 500_000],
    ids=lambda text: text[:12].strip(),
)  # fmt: skip
def test_hostile_text_takes_no_time(text: str) -> None:
    start = time.process_time()
    redacted(text, RedactOptions(emails=True, links=True, street_addresses=True))
    assert time.process_time() - start < 15
