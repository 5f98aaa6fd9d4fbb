"""Messenger and Instagram: the exports in messenger/ give what the .json beside them says; hypothesis writes others."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.base import ExportFile
from selfchatbot.preprocessors.messenger.notices import PREDICATES, Notices
from selfchatbot.preprocessors.messenger.preprocessor import Instagram, Messenger, repaired
from selfchatbot.preprocessors.reading import reverse

EXPORTS = Path(__file__).parent / "messenger"
INBOX = EXPORTS / "english" / "your_facebook_activity" / "messages" / "inbox"

Seen = list[str]


def read(path: Path, kind: str = "Messenger") -> tuple[list[Seen], list[ExportFile]]:
    files: list[ExportFile] = []
    messages = Preprocessors[kind]().read(path, files)
    return [[one.chat, one.timestamp.isoformat(timespec="seconds"), one.author, one.content] for one in messages], files


@pytest.mark.parametrize("case", sorted(path.stem for path in EXPORTS.glob("*.json")))
def test_exports_give_what_was_typed(case: str) -> None:
    expected = json.loads((EXPORTS / f"{case}.json").read_text(encoding="utf-8"))
    messages, files = read(EXPORTS / case, expected["format"])
    assert messages == expected["messages"]
    assert [[one.path.name, one.chat, one.messages, one.me, one.group] for one in files] == expected["files"]
    assert not any(one.notes for one in files)


def test_a_download_is_read_in_its_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "facebook-tom.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((EXPORTS / "english").rglob("*.json")):
            archive.write(path, path.relative_to(EXPORTS / "english"))
    messages, files = read(tmp_path)
    assert messages == read(EXPORTS / "english")[0]
    assert {one.me for one in files} == {"Tom O’Neil"}


def test_both_are_registered_and_recognise_their_own() -> None:
    assert Preprocessors["messenger"] is Messenger
    assert Preprocessors["instagram"] is Instagram
    for path in EXPORTS.rglob("message_*.json"):
        head = path.read_bytes()[:65536]
        assert Messenger.recognises(path, head) != Instagram.recognises(path, head)
    german = next((EXPORTS / "german").rglob("message_1.json"))
    assert Instagram.recognises(german, german.read_bytes())
    assert not Messenger.recognises(german, b'{"name": "x", "type": "personal_chat"}')


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("caf\u00c3\u00a9", "café"),
        ("\u00f0\u009f\u0098\u0082", "😂"),
        ("café", "café"),  # right already: no UTF-8
        ("日本", "日本"),  # right already: no Latin-1
        ("\u00c3\u00bc \u00f0\u009f\u0098", "ü "),  # cut in the middle of its last character
        ("naïve café", "naïve café"),
        ("plain", "plain"),
    ],
)
def test_mojibake_is_repaired_string_by_string(written: str, right: str) -> None:
    assert repaired(written) == right


@settings(max_examples=examples(100))
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_what_the_app_does_to_it(text: str) -> None:
    assert repaired(text.encode().decode("latin-1")) == text


# Sentences that the apps write, and below ones that only look like them, in chats of Ann Lee and Bo.
@pytest.mark.parametrize(
    "text",
    [
        "Ann Lee sent an attachment.",
        "Ann called you.",
        "You called Ann.",
        "You missed a call from Ann.",
        "Bo missed your video call.",
        "Ann Lee named the group No. 1.",
        "Ann set the nickname for Bo to boss.",
        "Ann set her own nickname to queen.",
        "You set the quick reaction to 😂.",
        "Ann Lee changed the theme to Love.",
        "Ann Lee removed Bo from the group.",
        "Ann created a poll: Movie.",
        'Ann voted for "Option 1" in the poll.',
        "The video call ended.",
        "This poll is no longer available.",
        "Ann started a video chat",
        "Audio call ended",
        "Liked a message",
        "Reacted 👍🏽 to your message ",
        "Ann hat einen Anhang gesendet.",
        "Du hast ein Foto gesendet.",
        "Ann hat deinen Anruf verpasst.",
        "Ann Lee a envoyé une pièce jointe.",
        "Vous avez envoyé 3 photos.",
        "A réagi 😮 à votre message ",
        "Ann a démarré une discussion vidéo de groupe.",
        "Vous avez rejoint l’appel vidéo de groupe.",
        "Ann a défini son propre pseudo sur Fée.",
        "Ann a modifié les couleurs de la discussion.",
        "Ann a voté pour « oui » dans le sondage.",
        "La discussion vidéo est terminée.",
        "Ann envió un archivo adjunto.",
        "Enviaste un archivo adjunto.",
        "Ann ha inviato un allegato.",
        "Hai inviato una foto.",
        "Ann enviou um anexo.",
        "Você enviou uma foto.",
        "Reagiu com 😂 à sua mensagem ",
        "Ann heeft een bijlage verzonden.",
        "Użytkownik Ann wysłał(a) załącznik.",
        "Ann zmienił(-a) zdjęcie grupy.",
        "Ann nadała grupie nazwę Góry.",
        "Ann bir ek gönderdi.",
    ],
)
def test_what_the_app_wrote_is_a_notice(text: str) -> None:
    assert Notices(["Ann Lee", "Bo"]).wrote(text, "Ann Lee", attached=False)


@pytest.mark.parametrize(
    "text",
    [
        "he left the group.",
        "You called me stupid.",
        "You sent a photo",
        "you sent a photo.",
        "Du hast recht.",
        "Tu as changé d'avis.",
        "Ann a commencé à pleurer.",
        "Ann sent an attachment.\nsee?",
        "Ann is great.",
        "Reacted badly to your message, sorry",
        "Cleo sent a photo.",
        "I changed the theme to Love.",
        "Liked a message from you",
        "You turned off the lights.",
        "",
    ],
)
def test_what_a_person_wrote_is_none(text: str) -> None:
    assert not Notices(["Ann Lee", "Bo"]).wrote(text, "Bo", attached=False)


def test_in_other_languages_the_sender_and_an_attachment_make_a_notice() -> None:
    notices = Notices(["Ann Lee", "Bo"])
    assert notices.wrote("Ann Lee lähetti liitteen.", "Ann Lee", attached=True)
    assert not notices.wrote("Ann Lee lähetti liitteen.", "Ann Lee", attached=False)
    assert not notices.wrote("Ann Lee lähetti liitteen.", "Bo", attached=True)
    assert len(PREDICATES) == 10


def chat(tmp_path: Path, records: list[Any], **header: Any) -> Path:
    path = tmp_path / "ann_1" / "message_1.json"
    path.parent.mkdir(exist_ok=True)
    whole = {"participants": [{"name": "Ann"}, {"name": "Bo"}], "messages": records, "title": "Ann", **header}
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path


def test_a_long_chat_is_turned_round_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reverse, "BLOCK_ROWS", 7)
    records = [{"sender_name": "Bo", "timestamp_ms": number, "content": f"é {number}"} for number in range(50, 0, -1)]
    contents = [message[3] for message in read(chat(tmp_path, records))[0]]
    assert contents == [f"é {number}" for number in range(1, 51)]


def test_the_cut_off_end_of_a_download_is_noted(tmp_path: Path) -> None:
    path = INBOX / "bandpractice_222" / "message_1.json"
    (tmp_path / "message_1.json").write_bytes(path.read_bytes()[:430])
    messages, files = read(tmp_path)
    assert [message[3] for message in messages] == ["me too"]
    assert ["cut short" in note for note in files[0].notes] == [True]
