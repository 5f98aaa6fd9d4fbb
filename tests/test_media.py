"""What people send besides text: counted and left out, or marked for the model to read."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from test_preprocessing import chat, dataset, lines_of, run_with, telegram, whatsapp  # noqa: F401

from selfchatbot.environment import Dataset
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


def telegram_with(path: Path, *records: dict[str, Any]) -> Path:
    messages = [
        {
            "id": n,
            "type": "message",
            "date": f"2024-01-01T00:00:0{n}",
            "from": "Moss",
            "from_id": "user2",
            "text": "",
            **one,
        }
        for n, one in enumerate(records)
    ]
    export = {"name": "Moss", "type": "personal_chat", "id": 2, "messages": messages}
    path.mkdir(parents=True, exist_ok=True)
    (path / "result.json").write_text(json.dumps(export), encoding="utf-8")
    return path


def test_telegram(tmp_path: Path) -> None:
    call = {"type": "service", "action": "phone_call", "actor": "Moss", "actor_id": "user2"}
    del_from = {"from": None, "from_id": None}
    path = telegram_with(
        tmp_path / "Telegram",
        {"photo": "(File not included.)", "text": "look"},
        {"media_type": "sticker", "sticker_emoji": "😂", "file": "x.webp"},
        {"media_type": "voice_message", "file": "voice_messages/audio_1@01-01-2024.ogg"},
        {"media_type": "voice_message", "file": "voice_messages/audio_2@01-01-2024.ogg"},
        {"location_information": {"latitude": 1, "longitude": 2}},
        {"file": "a.pdf", "mime_type": "application/pdf"},
        {**del_from, **call},
        {"photo": "x.jpg", "forwarded_from": "Ana"},
        {"poll": {"question": "?"}},
    )
    (path / "voice_messages").mkdir()
    (path / "voice_messages" / "audio_2@01-01-2024.txt").write_text("I'm late", encoding="utf-8")
    messages, counts = sent("Telegram", path)
    assert messages == [
        *(("look", "photo"), ("😂", ""), ("", "voice message"), ("I'm late", "")),
        *(("", "location"), ("", "file"), ("", "call")),
    ]
    assert counts == {"photo": 1, "sticker": 1, "voice message": 1, "location": 1, "file": 1, "call": 1}
    assert sent("Telegram", path, "drop") == ([("look", ""), ("I'm late", "")], counts)


def test_discord(tmp_path: Path) -> None:
    author = {"id": "1", "name": "moss", "discriminator": "0000"}
    base = {"type": "Default", "content": "", "author": author, "attachments": [], "stickers": []}
    records = [
        {"attachments": [{"fileName": "x.png"}], "content": "look"},
        {"attachments": [{"fileName": "voice-message.ogg"}]},
        {"stickers": [{"id": "1", "name": "wave"}]},
        {"type": "Call", "content": "Started a call that lasted 5 minutes."},
        {"type": "ChannelPinnedMessage", "content": "Pinned a message.", "attachments": [{"fileName": "x.png"}]},
    ]
    messages = [
        {"id": str(n), "timestamp": f"2024-01-01T00:00:0{n}+00:00", **base, **one} for n, one in enumerate(records)
    ]
    head = {"guild": {"id": "0"}, "channel": {"id": "5", "type": "DirectTextChat", "name": "moss"}}
    export = {**head, "messages": messages, "messageCount": len(messages)}
    (tmp_path / "moss.json").write_text(json.dumps(export), encoding="utf-8")
    expected = [("look", "photo"), ("", "voice message"), ("", "sticker"), ("", "call")]
    assert sent("DiscordChatExporter", tmp_path)[0] == expected
    assert sent("DiscordChatExporter", tmp_path, "drop")[0] == [("look", "")]


def test_messenger_and_instagram(tmp_path: Path) -> None:
    records = [
        {"photos": [{"uri": "a.jpg"}], "content": "Moss sent a photo."},
        {"videos": [{"uri": "a.mp4"}], "content": "our dog"},
        {"audio_files": [{"uri": "a.mp4"}]},
        {"sticker": {"uri": "a.png"}},
        {"gifs": [{"uri": "a.gif"}]},
        {"call_duration": 60, "content": "Moss called you."},
        {"content": "Moss sent an attachment."},
        {"photos": [{"uri": "b.jpg"}], "is_unsent": True},
    ]
    messages = [{"sender_name": "Moss", "timestamp_ms": n * 1000, **one} for n, one in enumerate(records)]
    export = {"participants": [{"name": "Moss"}, {"name": "Rowan"}], "messages": messages, "title": "Moss"}
    expected = [
        *(("", "photo"), ("our dog", "video"), ("", "voice message"), ("", "sticker"), ("", "GIF"), ("", "call")),
    ]
    for name in ("Messenger", "Instagram"):
        folder = tmp_path / name / "inbox" / "moss_1"
        folder.mkdir(parents=True)
        (folder / "message_1.json").write_text(json.dumps(export), encoding="utf-8")
        assert sent(name, tmp_path / name)[0] == expected
        assert sent(name, tmp_path / name, "drop")[0] == [("our dog", "")]


def test_line_and_kakaotalk(tmp_path: Path) -> None:
    texts = [
        "[Photo]",
        "[スタンプ]",
        "[音声]",
        "[ボイスメッセージ]",
        "☎ Call time 1:02",
        "[File] a.pdf",
        "hi",
        "ⓘ Unsent",
    ]
    lines = ["[LINE] Chat history with Moss", "Saved on: 2024/01/01 10:00", "", "2024/01/01(Mon)"]
    lines += [f"10:0{n}\tMoss\t{text}" for n, text in enumerate(texts)]
    (tmp_path / "line").mkdir()
    (tmp_path / "line" / "a.txt").write_text("\n".join(lines), encoding="utf-8")
    expected = [
        *(("", "photo"), ("", "sticker"), ("[音声]", ""), ("", "voice message")),
        *(("", "call"), ("", "file"), ("hi", "")),
    ]
    assert sent("LINE", tmp_path / "line")[0] == expected
    texts = ["사진", "사진 3장", "동영상", "이모티콘", "보이스톡 해요", "파일: a.pdf", "안녕", "삭제된 메시지입니다."]
    lines = ["Moss 님과 카카오톡 대화", "저장한 날짜 : 2024-01-01 10:00:00", ""]
    lines += ["--------------- 2024년 1월 1일 월요일 ---------------"]
    lines += [f"[Moss] [오전 10:0{n}] {text}" for n, text in enumerate(texts)]
    (tmp_path / "kakao").mkdir()
    (tmp_path / "kakao" / "a.txt").write_text("\n".join(lines), encoding="utf-8")
    expected = [("", "photo"), ("", "photo"), ("", "video"), ("", "sticker"), ("", "call"), ("", "file"), ("안녕", "")]
    assert sent("KakaoTalk", tmp_path / "kakao")[0] == expected


def test_signal(tmp_path: Path) -> None:
    items = [
        {"standardMessage": {"text": {"body": "look"}, "attachments": [{"pointer": {"contentType": "image/jpeg"}}]}},
        {"standardMessage": {"attachments": [{"pointer": {"contentType": "audio/aac"}, "flag": "VOICE_MESSAGE"}]}},
        {"stickerMessage": {"sticker": {"emoji": "😂"}}},
        {"contactMessage": {"contact": {}}},
        {"remoteDeletedMessage": {}},
    ]
    frames: list[dict[str, Any]] = [
        {"account": {"givenName": "Rowan"}},
        {"recipient": {"id": "1", "self": {}}},
        {"recipient": {"id": "2", "contact": {"profileGivenName": "Moss"}}},
        {"chat": {"id": "1", "recipientId": "2"}},
    ]
    frames += [
        {"chatItem": {"chatId": "1", "authorId": "2", "dateSent": str(n + 1), **item}} for n, item in enumerate(items)
    ]
    (tmp_path / "main.jsonl").write_text("\n".join(map(json.dumps, frames)), encoding="utf-8")
    assert sent("Signal", tmp_path)[0] == [("look", "photo"), ("", "voice message"), ("😂", ""), ("", "contact")]
    assert sent("Signal", tmp_path, "drop")[0] == [("look", "")]


def test_signal_export(tmp_path: Path) -> None:
    base = {
        "date": "2024-01-01T10:00:00",
        "sender": "Moss",
        "body": "  ",
        "quote": "",
        "sticker": "",
        "attachments": [],
    }
    records: list[dict[str, Any]] = [
        {"attachments": [{"name": "a.jpg", "path": "media/a.jpg"}], "body": "look  "},
        {"sticker": "😂"},
        {"body": "Missed call  "},
        {"body": "hi  "},
    ]
    (tmp_path / "Moss").mkdir()
    lines = [json.dumps({**base, **one}) for one in records]
    (tmp_path / "Moss" / "data.json").write_text("\n".join(lines), encoding="utf-8")
    assert sent("Signal", tmp_path)[0] == [("look", "photo"), ("😂", ""), ("", "call"), ("hi", "")]
    assert sent("Signal", tmp_path, "drop")[0] == [("look", ""), ("hi", "")]


def test_imessage(tmp_path: Path) -> None:
    bodies = [
        "attachments/1/IMG_1.HEIC\nlook",
        "attachments/1/IMG_2.mov",
        "Audio Message.caf\nTranscription: I'm late",
        "hi",
    ]
    written = [f"May 17, 2022 10:0{n}:00 PM\nMoss\n{body}\n" for n, body in enumerate(bodies)]
    (tmp_path / "Moss.txt").write_text("\n".join(written), encoding="utf-8")
    expected = [("look", "photo"), ("", "video"), ("I'm late", ""), ("hi", "")]
    assert sent("iMessage", tmp_path)[0] == expected
    assert sent("iMessage", tmp_path, "drop")[0] == [(content, "") for content, _ in expected if content]


def test_sms(tmp_path: Path) -> None:
    def mms(n: int, *parts: str) -> str:
        address = '<addrs><addr address="+491700000001" type="137"/></addrs>'
        head = f'<mms date="{n}000" msg_box="1" address="+491700000001" contact_name="Moss">'
        return f"{head}<parts>{''.join(parts)}</parts>{address}</mms>"

    picture, text = '<part ct="image/jpeg" data="QUJD"/>', '<part ct="text/plain" text="look"/>'
    written = [
        mms(1, picture, text),
        mms(2, '<part ct="video/3gpp" data="QUJD"/>'),
        mms(3, '<part ct="application/smil"/>'),
    ]
    backup = f'<?xml version="1.0"?><smses count="3">{"".join(written)}</smses>'
    (tmp_path / "sms-1.xml").write_text(backup, encoding="utf-8")
    assert sent("SMS", tmp_path)[0] == [("look", "photo"), ("", "video")]
    assert sent("SMS", tmp_path, "drop")[0] == [("look", "")]


def test_slack(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [
        {"files": [{"mimetype": "image/png"}], "text": "look"},
        {"files": [{"mimetype": "audio/mp4", "subtype": "slack_audio"}], "text": ""},
        {"files": [{"mimetype": "application/pdf"}], "text": "", "subtype": "channel_join"},
    ]
    day = [{"type": "message", "ts": f"170000000{n}.0", "user": "U1", **one} for n, one in enumerate(records)]
    (tmp_path / "general").mkdir()
    (tmp_path / "users.json").write_text('[{"id": "U1", "name": "rowan"}]', encoding="utf-8")
    (tmp_path / "general" / "2023-11-14.json").write_text(json.dumps(day), encoding="utf-8")
    assert sent("Slack", tmp_path)[0] == [("look", "photo"), ("", "voice message")]
    assert sent("Slack", tmp_path, "drop")[0] == [("look", "")]


# --- the whole command ------------------------------------------------------------------------------------------------


def test_marks_of_others_are_read_and_mine_are_not_written(dataset: Dataset) -> None:  # noqa: F811
    path = telegram(dataset.raw, {"Moss": chat("Moss", "Rowan", exchanges=40)})
    account = json.loads(path.read_text(encoding="utf-8"))
    messages = account["chats"]["list"][0]["messages"]
    messages[0] |= {"photo": "a.jpg", "text": ""}
    messages[2] |= {"photo": "b.jpg"}
    messages[3] |= {"photo": "c.jpg"}
    messages[5] |= {"photo": "d.jpg", "text": ""}
    messages[8] |= {"media_type": "sticker", "sticker_emoji": "😂", "text": ""}
    messages[9] |= {"media_type": "sticker", "sticker_emoji": "👍", "text": ""}
    # An album is several messages.
    messages[1:1] = [{**messages[0], "id": 1_000_000 + n} for n in range(3)]
    path.write_text(json.dumps(account), encoding="utf-8")

    def written() -> list[tuple[str, str]]:
        return [(turn["role"], turn["content"]) for line in lines_of(dataset) for turn in line["messages"]]

    summary = run_with(dataset, {"Telegram": {"media": "mark"}})
    assert written()[:7] == [
        ("user", "[photo]"),
        ("assistant", "text 0 of mine"),
        ("user", "[photo]\ntext 1 of Moss?"),
        ("assistant", "text 1 of mine"),
        ("user", "text 2 of Moss?\ntext 3 of Moss?"),
        ("assistant", "text 3 of mine"),
        ("user", "😂"),
    ]
    assert written()[7] == ("assistant", "👍")
    assert not any("[photo]" in content for role, content in written() if role == "assistant")
    counts = {"photo": 7, "sticker": 2}
    assert json.loads(summary.to_json())["formats"][0]["media"] == counts
    assert summary.formats[0].senders == {"Moss": 39, "Rowan": 39}
    assert not any("[photo]" in warning for warning in summary.warnings)
    dropped = run_with(dataset)
    assert dropped.formats[0].media == counts
    assert not any("[" in content for _, content in written())
