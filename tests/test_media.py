"""What people send besides text: counted and left out, or marked for the model to read."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from chat_folders import chat, dataset, lines_of, run_with, telegram, whatsapp  # noqa: F401

from selfchatbot.errors import ParametersError
from selfchatbot.preprocessors import ExportFile, Preprocessors
from selfchatbot.preprocessors.media import by_name, transcript


def sent(name: str, path: Path, media: str = "mark") -> tuple[list[tuple[str, str]], dict[str, int]]:
    """Content and media of each message, and what was counted."""
    files: list[ExportFile] = []
    messages = list(Preprocessors[name](media=media, username="Rowan").read(path, files))
    return [(one.content, one.media) for one in messages], dict(
        sum((file.media for file in files), type(files[0].media)())
    )


def test_kinds_by_file_name() -> None:
    names = ("a.JPG", "b.mp4", "c.opus", "voice-message.ogg", "d.mp3", "e.webp", "f.gif", "g.vcf", "h.pdf", "i")
    kinds = ["photo", "video", "voice message", "voice message", "audio", "sticker", "GIF", "contact", "file", "file"]
    assert [by_name(name) for name in names] == kinds


WHATSAPP = {
    "\u200eimage omitted": "photo",
    "\u200eBild weggelassen": "photo",
    "\u200eímagen omitida": "",
    "\u200evídeo omitido": "video",
    "\u200eسٹیکر نظرانداز": "",
    "\u200eاسٹیکر نظرانداز": "sticker",
    "\u200e連絡先カードを省略": "contact",
    "\u200eGIF 생략됨": "GIF",
    "\u200eдокумент отсутствует": "file",
    "\u200eaudio omesso": "audio",
    "\u200eaudio omitted": "audio",
    "\u200eMissed voice call": "call",
    "\u200eMissed video call, \u200eTap to call back": "call",
    "\u200eLocation: https://maps.google.com/?q=52.1,13.4": "location",
    "\u200e<attached: 00000012-PHOTO-2020-01-15-10-11-12.jpg>": "photo",
    "\u200e<attached: 00000013-AUDIO-2020-01-15-10-11-12.opus>": "voice message",
    "\u200eThis message was deleted.": "",
}


@pytest.mark.parametrize(("line", "kind"), WHATSAPP.items())
def test_whatsapp_of_an_iphone(tmp_path: Path, line: str, kind: str) -> None:
    whatsapp(
        tmp_path,
        "WhatsApp Chat with Moss.txt",
        [(0, "Moss", "\u200eimage omitted"), (1, "Moss", line), (2, "Rowan", "hi")],
    )
    messages, counts = sent("WhatsApp", tmp_path / "WhatsApp")
    assert messages == [("", "photo"), *([("", kind)] if kind else []), ("hi", "")]
    assert sum(counts.values()) == 1 + bool(kind)
    assert sent("WhatsApp", tmp_path / "WhatsApp", "drop") == ([("hi", "")], counts)


ANDROID = {
    "<Media omitted>": ("", "media"),
    "<Medien ausgeschlossen>": ("", "media"),
    "IMG-20240512-WA0001.jpg (file attached)\nlook at this": ("look at this", "photo"),
    "PTT-20240512-WA0002.opus (Datei angehängt)": ("", "voice message"),
    "STK-20240512-WA0003.webp (file attached)": ("", "sticker"),
    "Ana.vcf (file attached)": ("", "contact"),
    "live location shared": ("", "location"),
    "Café\nStreet 1\nhttps://foursquare.com/v/5a187743ccad6b307315e6fe": ("", "location"),
    "see https://maps.google.com/?q=1,2 there": ("see https://maps.google.com/?q=1,2 there", ""),
    "see you <This message was edited>": ("see you", ""),
}


@pytest.mark.parametrize(("text", "expected"), ANDROID.items())
def test_whatsapp_of_android(tmp_path: Path, text: str, expected: tuple[str, str]) -> None:
    lines = ["5/12/24, 9:31 PM - Moss: hey", f"5/12/24, 9:32 PM - Moss: {text}", "5/13/24, 9:33 PM - Rowan: hi"]
    (tmp_path / "WhatsApp Chat with Moss.txt").write_text("\n".join(lines), encoding="utf-8")
    assert sent("WhatsApp", tmp_path)[0] == [("hey", ""), expected, ("hi", "")]
    content = [(expected[0], "")] if expected[0] else []
    assert sent("WhatsApp", tmp_path, "drop")[0] == [("hey", ""), *content, ("hi", "")]


@pytest.mark.parametrize("name", ["PTT-20240512-WA0002.txt", "PTT-20240512-WA0002.opus.txt"])
def test_a_transcript_beside_a_voice_message_is_its_text(tmp_path: Path, name: str) -> None:
    lines = ["5/12/24, 9:31 PM - Moss: PTT-20240512-WA0002.opus (file attached)", "5/13/24, 9:33 PM - Rowan: hi"]
    (tmp_path / "WhatsApp Chat with Moss.txt").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / name).write_text(" 5/1/24, 9:00 PM - is what he said \n", encoding="utf-8")
    for media in ("drop", "mark"):
        assert sent("WhatsApp", tmp_path, media) == ([("5/1/24, 9:00 PM - is what he said", ""), ("hi", "")], {})


def test_a_transcript_lies_within_the_export(tmp_path: Path) -> None:
    (tmp_path / "private.txt").write_text("secret", encoding="utf-8")
    export = tmp_path / "export" / "result.json"
    export.parent.mkdir()
    for name in ("../private.ogg", str(tmp_path / "private.ogg"), "", ".", "a\0b", "(File not included.)"):
        assert transcript(export, name) == ""
    (export.parent / "a.txt").write_text("said", encoding="utf-8")
    assert transcript(export, "a.ogg") == "said"


class Whisper:
    """Answers as the package faster_whisper does, which may not be installed."""

    class WhisperModel:
        def __init__(self, name: str, device: str, compute_type: str) -> None:
            if name != "small":
                raise ValueError(f"Invalid model size '{name}'")

        def transcribe(self, path: str, vad_filter: bool) -> tuple[Any, None]:
            if Path(path).read_text(encoding="utf-8") == "damaged":
                raise ValueError("no audio")
            return iter([SimpleNamespace(text=" I'm"), SimpleNamespace(text=" late ")]), None


def test_missing_transcripts_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("PTT-20240512-WA0001.opus", "PTT-20240512-WA0002.opus", "PTT-20240512-WA0003.opus")
    lines = [f"5/12/24, 9:3{n} PM - Moss: {name} (file attached)" for n, name in enumerate(names)]
    (tmp_path / "chat").mkdir()
    (tmp_path / "chat" / "WhatsApp Chat with Moss.txt").write_text("\n".join(lines), encoding="utf-8")
    for name, content in zip(names, ("x", "x", "damaged"), strict=True):
        (tmp_path / "chat" / name).write_text(content, encoding="utf-8")
    corrected = tmp_path / "chat" / "PTT-20240512-WA0002.txt"
    corrected.write_text("as I heard it", encoding="utf-8")
    kind, steps = Preprocessors["WhatsApp"], list[str]()
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(ParametersError, match=r'transcribe": the package faster-whisper is not installed: pip install'):
        kind(transcribe="small").prepare(tmp_path / "chat", steps.append)
    monkeypatch.setitem(sys.modules, "faster_whisper", Whisper)
    with pytest.raises(ParametersError, match=r'the model "tinny" can\'t be loaded \(ValueError\)'):
        kind(transcribe="tinny").prepare(tmp_path / "chat", steps.append)
    assert kind(transcribe="small").prepare(tmp_path / "chat", steps.append) == [
        "WhatsApp: 1 voice message(s) can't be transcribed: are they damaged?"
    ]
    assert steps == [f"transcribing voice message {n} of 2 of WhatsApp" for n in (1, 2)]
    said = [("I'm late", ""), ("as I heard it", ""), ("", "voice message")]
    assert sent("WhatsApp", tmp_path / "chat")[0] == said
    assert kind().prepare(tmp_path / "chat", steps.append) == []


# --- the whole command ------------------------------------------------------------------------------------------------
