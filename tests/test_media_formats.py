"""Marks of media in each format."""

import json
from pathlib import Path
from typing import Any

from chat_folders import chat, dataset, lines_of, run_with, telegram, whatsapp  # noqa: F401
from test_media import sent

from selfchatbot.environment import Dataset


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
        mms(4, '<part ct="text/x-vCard" data="QUJD"/>'),
    ]
    backup = f'<?xml version="1.0"?><smses count="4">{"".join(written)}</smses>'
    (tmp_path / "sms-1.xml").write_text(backup, encoding="utf-8")
    assert sent("SMS", tmp_path)[0] == [("look", "photo"), ("", "video"), ("", "contact")]
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


def test_marks_of_others_are_read_and_mine_are_not_written(dataset: Dataset) -> None:
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
