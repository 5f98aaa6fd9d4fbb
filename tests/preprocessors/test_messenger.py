"""Messenger and Instagram: the exports in messenger/ give what the .json beside them says; hypothesis writes others."""

import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfchatbot.errors import ExportError, SelfChatBotError
from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.base import ExportFile
from selfchatbot.preprocessors.messenger.notices import PREDICATES, Notices
from selfchatbot.preprocessors.messenger.preprocessor import Instagram, Messenger, repaired
from selfchatbot.preprocessors.reading import reverse
from selfchatbot.preprocessors.reading.hints import hint_for_folder

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


def test_html_gets_a_hint(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "message_1.html").write_text("<html>", encoding="utf-8")
    (tmp_path / "events.json").write_text('{"events": []}', encoding="utf-8")
    assert Messenger().export_files(tmp_path) == []
    assert "with the format JSON" in (hint_for_folder(Messenger, tmp_path) or "")


GOOD = {"sender_name": "Ann", "timestamp_ms": 1, "content": "secret"}


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([GOOD, 3], "message 2: it is no object"),
        ([{**GOOD, "timestamp_ms": 10**17}], "message 1: its timestamp"),
        ([{**GOOD, "timestamp_ms": -(10**17)}], "message 1: its timestamp"),
        ([{**GOOD, "timestamp_ms": "x"}], "message 1: its timestamp"),
        ([{**GOOD, "timestamp_ms": None}], "message 1: its timestamp"),
        ([{**GOOD, "content": ["secret"]}], "message 1: its sender or content is no text"),
        ([{**GOOD, "sender_name": 5}], "message 1: its sender or content is no text"),
        ({"a": 1}, '"messages" is not a list'),
    ],
)
def test_a_message_of_wrong_types_is_one_line_that_names_it(tmp_path: Path, records: Any, message: str) -> None:
    path = chat(tmp_path, records)
    with pytest.raises(ExportError, match=message) as error:
        read(tmp_path)
    assert str(error.value).startswith(str(path))
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cut short"),
        (b"[]", "no chat of Messenger or Instagram"),
        (b'{"participants": []}', "no chat of Messenger or Instagram"),
        (b'{"participants": 3, "messages": []}', '"participants" is not a list'),
        (b'{"messages": [' + b"[" * 10**5, "nested deeper than 64"),
        (b"\xff\xfe{\0", "UTF-16"),
        (b'{"messages": [{"content": "\xff"}]}', "not UTF-8"),
    ],
)
def test_what_is_no_chat_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "message_1.json").write_bytes(content)
    with pytest.raises(ExportError, match=message) as error:
        read(tmp_path)
    assert "\n" not in str(error.value)


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zs"]), min_size=1, max_size=12)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def damaged(value: str) -> str:
    """A string as Facebook writes it: an escape for each byte that is not ASCII."""
    return (
        '"'
        + "".join(
            f"\\u00{byte:02x}" if byte > 126 or byte < 32 or byte in b'"\\' else chr(byte) for byte in value.encode()
        )
        + '"'
    )


@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    members=st.lists(NAMES, min_size=2, max_size=4, unique=True),
    typed=st.lists(st.tuples(st.integers(0, 3), TEXTS, st.booleans()), min_size=1, max_size=12),
    parts=st.integers(1, 3),
)
def test_what_is_written_comes_back(
    tmp_path: Path, members: list[str], typed: list[tuple[int, str, bool]], parts: int
) -> None:
    folder = tmp_path / "inbox" / "x_1"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    records = []
    expected = []
    for number, (who, text, with_photo) in enumerate(typed):
        sender = members[who % len(members)]
        content = f"> {text}"  # no notice begins like this
        photo = ', "photos": [{"uri": "a.jpg"}]' if with_photo else ""
        records.append(
            f'{{"sender_name": {damaged(sender)}, "timestamp_ms": {number}, "content": {damaged(content)}{photo}}}'
        )
        expected.append([sender, content])
    size = -(-len(records) // parts)
    names = ", ".join(f'{{"name": {damaged(name)}}}' for name in members)
    for part in range(parts):
        piece = records[::-1][part * size : (part + 1) * size]
        text = f'{{"participants": [{names}], "messages": [{", ".join(piece)}], "title": {damaged("Tïtle")}}}'
        (folder / f"message_{part + 1}.json").write_text(text, encoding="utf-8")
    messages, files = read(tmp_path)
    assert [[author, content] for _, _, author, content in messages] == expected
    assert {message[0] for message in messages} == {"Tïtle"}
    assert {file.group for file in files} == {len(members) > 2}


@settings(max_examples=examples(120), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    source=st.sampled_from([path for path in sorted(EXPORTS.rglob("*.json")) if path.parent != EXPORTS]),
    seed=st.integers(0, 2**32),
)
def test_a_damaged_file_is_never_a_traceback(tmp_path: Path, source: Path, seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray(source.read_bytes())
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(content) + 1)
        piece = chance.choice([b"", b"null", b"[]", b"{}", b"1e400", b'"', b"\\", b"\xff", b"\0", bytes(content[:50])])
        content[start : start + chance.randint(0, 20)] = piece
    (tmp_path / source.name).write_bytes(content)
    try:
        read(tmp_path)
    except SelfChatBotError as error:
        assert "\n" not in str(error)
    finally:
        (tmp_path / source.name).unlink()
