"""What people send besides text, in HTML, tables and newer formats; ../test_media_formats.py has the others."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from discord_writer import Sent, export
from test_discordchatexporter_html import FIRST, POSTAMBLE, PREAMBLE
from test_media import sent
from test_telegram_html import NOON, message, page

EXPORTS = Path(__file__).parent
FIXTURES = [
    ("ChatLab", "chatlab/standard", ["photo", "call"]),
    ("QQ", "chatlab/qq", ["photo", "photo", "sticker"]),
    ("WeChat", "chatlab/weflow", ["photo"]),
    ("Snapchat", "snapchat/mydata", ["media"]),
    ("GoogleChat", "googlechat/takeout", ["photo"]),
    ("X", "x", ["photo", "photo"]),
    ("Skype", "skype/skype", ["call", "photo"]),
    ("SMS", "sms/sms-ie", ["photo"]),
    ("WhatsApp", "whatsapp_json/exporter", ["photo", "file", "sticker", "contact"]),
    ("Email", "mail/takeout", ["photo"]),
    ("DiscordChatExporter", "discordchatexporter/html/modern", ["call", "photo"]),
]


@pytest.mark.parametrize(("name", "folder", "kinds"), FIXTURES, ids=[folder for _, folder, _ in FIXTURES])
def test_fixtures(name: str, folder: str, kinds: list[str]) -> None:
    messages, counts = sent(name, EXPORTS / folder)
    assert [media for _, media in messages if media] == kinds
    assert counts == {kind: kinds.count(kind) for kind in kinds}
    without, dropped = sent(name, EXPORTS / folder, "drop")
    assert dropped == counts
    assert without == [(content, "") for content, _ in messages if content]


# --- Telegram's HTML --------------------------------------------------------------------------------------------------

TELEGRAM = {
    '<a class="photo_wrap clearfix pull_left" href="photos/a.jpg"><img class="photo"></a>': "photo",
    '<div class="media clearfix pull_left media_photo"><div class="fill pull_left"></div><div class="body">'
    '<div class="title bold">Photo</div><div class="status details">9x9, 1.0 KB</div></div></div>': "photo",
    '<div class="media clearfix pull_left media_photo"><div class="fill pull_left"></div><div class="body">'
    '<div class="title bold">Sticker</div><div class="status details">😂, 24.1 KB</div></div></div>': "😂",
    '<a class="media clearfix pull_left block_link media_photo" href="stickers/a.webp"><div class="fill pull_left">'
    '</div><div class="body"><div class="title bold">Sticker</div></div></a>': "sticker",
    '<a class="sticker_wrap clearfix pull_left" href="stickers/a.webp"><img class="sticker"></a>': "sticker",
    '<a class="animated_wrap clearfix pull_left" href="a.mp4"><div class="video_play_bg"></div></a>': "GIF",
    '<div class="media clearfix pull_left media_video"><div class="body"><div class="title bold">Animation</div></div>'
    "</div>": "GIF",
    '<a class="video_file_wrap clearfix pull_left" href="a.mp4"></a>': "video",
    '<a class="media clearfix pull_left block_link media_voice_message" href="voice_messages/a.ogg"><div class="body">'
    '<div class="title bold">Voice message</div></div></a>': "voice message",
    '<a class="media clearfix pull_left block_link media_audio_file" href="a.mp3"></a>': "audio",
    '<a class="media clearfix pull_left block_link media_file" href="Sticker.pdf"></a>': "file",
    '<div class="media clearfix pull_left media_contact"></div>': "contact",
    '<a class="media clearfix pull_left block_link media_venue" href="https://maps.google.com/"></a>': "location",
    '<div class="media clearfix pull_left media_call success"><div class="body"><div class="title bold">Rowan</div>'
    '<div class="status details">Incoming (62 seconds)</div></div></div>': "call",
    '<div class="media_poll"><div class="question bold">Sunday?</div></div>': "",
}


@pytest.mark.parametrize(("media", "kind"), TELEGRAM.items(), ids=list(TELEGRAM.values()))
def test_telegram_html(tmp_path: Path, media: str, kind: str) -> None:
    media = media.replace("><", ">\n<").replace(">", ">\n", 1)
    alone = message(2, "Ana", NOON, "", f'\n       <div class="media_wrap clearfix">\n{media}\n       </div>\n')
    alone = alone.replace('\n       <div class="text">\n\n       </div>\n', "")
    written = [message(1, "Rowan", NOON, "hey"), alone, message(3, "Ana", NOON, "look")]
    (tmp_path / "messages.html").write_text(page(*written), encoding="utf-8")
    expected = ("😂", "") if kind == "😂" else ("", kind)
    assert sent("Telegram", tmp_path)[0] == [("hey", ""), *([expected] if kind else []), ("look", "")]


def test_telegram_html_with_text_forwards_and_transcripts(tmp_path: Path) -> None:
    def media(inside: str) -> str:
        return f'\n       <div class="media_wrap clearfix">\n{inside}\n       </div>\n'

    voice = media('<a class="media clearfix pull_left block_link media_voice_message" href="voice/a.ogg">\n</a>')
    photo = media('<a class="photo_wrap clearfix pull_left" href="photos/a.jpg">\n</a>')
    forward = f'\n       <div class="forwarded body">\n{photo}\n       </div>\n'
    written = [
        message(1, "Ana", NOON, "look", photo),
        message(2, "Ana", NOON, "that was him", forward),
        message(3, "Rowan", NOON, "", voice),
    ]
    (tmp_path / "messages.html").write_text(page(*written), encoding="utf-8")
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice" / "a.txt").write_text("I am late", encoding="utf-8")
    assert sent("Telegram", tmp_path)[0] == [("look", "photo"), ("I am late", "")]


# --- Discord ----------------------------------------------------------------------------------------------------------

LINK = "https://cdn.discordapp.com/attachments/1/2"
DISCORD = {
    f"<div class=chatlog__attachment><a href={LINK}/a.png?ex=65&amp;is=64><img src={LINK}/b.mp4></a></div>": "photo",
    f'<div class="chatlog__attachment chatlog__attachment--hidden"><div class=chatlog__attachment-spoiler-caption>'
    f'SPOILER</div><video class=chatlog__attachment-media><source src="{LINK}/a.mp4"></video></div>': "video",
    '<div class="chatlog__attachment"><audio controls><source src="a_Files/voice-message-1A2B3.ogg"></audio></div>': (
        "voice message"
    ),
    f"<div class=chatlog__attachment><div class=chatlog__attachment-generic><svg><use href=#attachment-icon></use>"
    f'</svg><div class=chatlog__attachment-generic-name><a href="{LINK}/a.pdf">a.pdf</a></div></div></div>': "file",
    "<div class=chatlog__sticker title=Wave><img class=chatlog__sticker--media src=a.png></div>": "sticker",
    f"<div class=chatlog__forwarded><div class=chatlog__attachment><a href={LINK}/a.png></a></div></div>": "",
    f'<div class=chatlog__embed><a href="{LINK}/a.png"></a></div>': "",
}


@pytest.mark.parametrize(("media", "kind"), DISCORD.items(), ids=list(DISCORD.values()))
def test_discord_html(tmp_path: Path, media: str, kind: str) -> None:
    def group(number: int, inside: str) -> str:
        return (
            f"<div class=chatlog__message-group><div class=chatlog__message-container data-message-id={number}><div "
            "class=chatlog__message><div class=chatlog__message-primary><div class=chatlog__header><span "
            f'class=chatlog__author title="Ana" data-user-id=1>Ana</span></div>{inside}</div></div></div></div>\n'
        )

    typed = '<div class="chatlog__content"><span class=chatlog__markdown-preserve>hey</span></div>'
    groups = [group(FIRST, media), group(FIRST + (1 << 22), typed + media), group(FIRST + (2 << 22), typed)]
    (tmp_path / "a.html").write_text(PREAMBLE + "".join(groups) + POSTAMBLE, encoding="utf-8")
    assert sent("DiscordChatExporter", tmp_path)[0] == [*([("", kind)] if kind else []), ("hey", kind), ("hey", "")]


def test_discord_csv(tmp_path: Path) -> None:
    rows = ["AuthorID,Author,Date,Content,Attachments,Reactions"]
    cells = [
        ("look", f"{LINK}/a.png?ex=1,{LINK}/b.mp4?ex=1"),
        ("", f"{LINK}/voice-message.ogg"),
        ("Started a call that lasted 5 minutes.", ""),
        ("Pinned a message.", ""),
        ("hi", ""),
    ]
    rows += [f'"1","Ana","2024-01-31T17:00:0{n}+00:00","{text}","{url}",""' for n, (text, url) in enumerate(cells)]
    (tmp_path / "a.csv").write_text("\n".join(rows), encoding="utf-8")
    expected = [("look", "photo"), ("", "voice message"), ("", "call"), ("hi", "")]
    assert sent("DiscordChatExporter", tmp_path)[0] == expected


@pytest.mark.parametrize("version", ["2.47", "2.36", "2.15", "2.13"])
def test_discord_text(tmp_path: Path, version: str) -> None:
    messages = [
        Sent(datetime(2024, 1, 31, 12, 0), "Ana", "look", attachments=[f"{LINK}/a.png", f"{LINK}/b.mp4"]),
        Sent(datetime(2024, 1, 31, 12, 1), "Ana", "", attachments=[f"{LINK}/voice-message.ogg"]),
        Sent(datetime(2024, 1, 31, 12, 2), "Ana", "Started a call that lasted 5 minutes."),
        Sent(datetime(2024, 1, 31, 12, 3), "Ana", "hi"),
    ]
    expected = [("look", "photo"), ("", "voice message"), ("", "call"), ("hi", "")]
    if version in ("2.47", "2.36"):
        messages.append(Sent(datetime(2024, 1, 31, 12, 4), "Ana", "", stickers=[f"{LINK}/wave.png"]))
        expected.append(("", "sticker"))
    (tmp_path / "a.txt").write_bytes(export(messages, version))
    assert sent("DiscordChatExporter", tmp_path)[0] == expected


# --- ChatLab and others -----------------------------------------------------------------------------------------------


def test_voice_messages_that_weflow_transcribed(tmp_path: Path) -> None:
    contents = ["[语音转文字] 我晚点到", "[语音消息]", "[语音消息 - 转文字失败]"]
    records: list[dict[str, Any]] = [
        {
            "createTime": 1703001600 + n,
            "type": "语音消息",
            "content": content,
            "isSend": 0,
            "senderUsername": "wxid_lin",
        }
        for n, content in enumerate(contents)
    ]
    export = {"session": {"wxid": "wxid_lin", "displayName": "林", "type": "私聊"}, "messages": records}
    (tmp_path / "林.json").write_text(json.dumps(export), encoding="utf-8")
    assert sent("WeChat", tmp_path)[0] == [("我晚点到", ""), ("", "voice message"), ("", "voice message")]


def test_a_call_of_skype_counts_once_and_files_have_kinds(tmp_path: Path) -> None:
    contents = [
        ("Event/Call", '<partlist type="started" alt=""></partlist>'),
        ("Event/Call", '<partlist type="ended" alt=""></partlist>'),
        ("RichText/Media_GenericFile", '<URIObject type="File.1"><OriginalName v="a.pdf"></OriginalName></URIObject>'),
        ("RichText/Media_AudioMsg", '<URIObject type="Audio.1/Message.1"></URIObject>'),
        ("ThreadActivity/AddMember", "<addmember></addmember>"),
        ("RichText/Html", '<p>look<img itemtype="http://schema.skype.com/AMSImage"></p>'),
        ("RichText/Html", '<blockquote><img itemtype="http://schema.skype.com/AMSImage"></blockquote><p>nice</p>'),
    ]
    records = [
        {"originalarrivaltime": f"2020-07-06T17:20:0{n}Z", "messagetype": kind, "content": content, "from": "8:moss"}
        for n, (kind, content) in enumerate(contents)
    ]
    export = {"userId": "8:rowan", "conversations": [{"id": "8:moss", "MessageList": records[::-1]}]}
    (tmp_path / "messages.json").write_text(json.dumps(export), encoding="utf-8")
    kinds = [("", "call"), ("", "file"), ("", "voice message"), ("look", "photo"), ("nice", "")]
    assert sent("Skype", tmp_path)[0] == kinds
