"""Reactions that phones send as texts are recognised by their form, and nothing that people type is."""

import time

import pytest

from selfchatbot.preprocessors.reading.tapbacks import MAX_QUOTABLE_TEXTS, MAX_REACTION_CHARACTERS, Tapbacks

HAIR, ADDED, TAKEN = "\u200a", "\u200b", "\u200c"
IPHONE = [
    "Liked “see you at 5”",
    "Loved an image",
    "Laughed at “see you at 5”",
    "Emphasized “a\nb”",
    "Questioned “what”",
    "Disliked a movie",
    "Removed a heart from “x”",
    "Removed 😂 from “x”",
    "Removed an exclamation from an image",
    "Reacted 👀 to “See you”",
    "Reacted with a sticker to “See you”",
    "A ajouté un « J’adore » à « À demain ».",
    "A réagi avec 😂 à « À demain »",
    "a attribué la mention « Adore » à « nice »",
    "A retiré la mention « Adore » de « ok »",
    "N’a pas aimé « bof »",
    "A mis en évidence « RDV 18h »",
    "S'est interrogé(e) sur « ok »",
    "Le encantó “hola”",
    "Le encantó una imagen",
    "Reaccionó con 😂 a “x”",
    "„Bis morgen“ ein Herz hinzugefügt",
    "Hat mit 😂 auf „Bis morgen“ reagiert",
]
GOOGLE = [
    "👍 to “x y”",
    f"{HAIR}Reacted {ADDED}😂{ADDED} to “{HAIR}See you soon{HAIR}”{HAIR}",
    f"{HAIR}Removed {TAKEN}👍{TAKEN} from “{HAIR}See you soon{HAIR}”{HAIR}",
    f"{HAIR}A réagi avec {ADDED}😂{ADDED} à « {HAIR}À demain{HAIR} »{HAIR}",
    f"“{HAIR}また明日{HAIR}”に{HAIR}👀{HAIR}でリアクションしました",
    "‘내일 봐’에서 👀 표시 제거함",
]
TYPED = [
    "Liked it, thanks - see you Tuesday",
    "Loved the service last time",
    "Questioned whether you do comforters?",
    'Loved "Inception"',
    "Loved “Inception” so much",
    "Loved an image of yours",
    "I loved it",
    "I like “x”",
    "Liked",
    "“quote only”",
    "He said “no” again",
    'Go to "the door"',
    'Reacted well to "your plan"',
    "A réagi vite à « x »",
    "A aimé le film « Amélie » hier",
    "Le encantó la comida",
    "See you soon",
]


@pytest.mark.parametrize("text", IPHONE + GOOGLE)
def test_a_reaction_is_recognised(text: str) -> None:
    assert Tapbacks().is_one(text)


@pytest.mark.parametrize("text", TYPED)
def test_what_people_type_stays(text: str) -> None:
    assert not Tapbacks().is_one(text)


def test_straight_quotation_marks_need_the_text_they_quote() -> None:
    chat = Tapbacks()
    assert not chat.is_one('Liked "see you at 5"')
    assert not chat.is_one("see you at 5")
    assert chat.is_one('Liked "see you at 5"')
    for number in range(MAX_QUOTABLE_TEXTS):
        assert not chat.is_one(f"{number}")
    assert not chat.is_one('Liked "see you at 5"')


@pytest.mark.parametrize(
    "text",
    [
        "“" * (MAX_REACTION_CHARACTERS - 1),
        "Liked “" + "”" * 1900 + "x",
        "A retiré " + "de « " * 390,
        "👍 to “" + "“”" * 900 + "x",
        "‘" * 900 + "’에 👍" + "’" * 900,
        HAIR * 100 + ADDED * 900 + HAIR * 900,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    begin = time.perf_counter()
    assert not Tapbacks().is_one(text)
    assert time.perf_counter() - begin < 1
