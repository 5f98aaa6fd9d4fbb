"""Three ways of writing a chat: ChatLab's own, WeFlow's and echotrace's for WeChat, qq-chat-exporter's for QQ.

Grammar: ChatLab's "chat data exchange format" 0.0.1 and 0.0.2; ``exportService.ts`` of WeFlow and of CipherTalk,
``chat_export_service.dart`` and ``message.dart`` of echotrace; ``types.rs``, ``simple_parser.rs`` and
``json_exporter.rs`` of qq-chat-exporter 4 and 5.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from selfchatbot.preprocessors.media import CALL, CONTACT, FILE, LOCATION, PHOTO, STICKER, VIDEO, VOICE
from selfchatbot.preprocessors.reading.utc import iso_milliseconds, milliseconds

TEXT, REPLY = 0, 25
"""ChatLab's types of messages that somebody typed; the others are media, cards, calls, forwards and notices."""
WEFLOW_TYPED = ("文本消息", "引用消息")
CHATLAB_MEDIA = {1: PHOTO, 2: VOICE, 3: VIDEO, 4: FILE, 5: STICKER, 8: LOCATION, 23: CALL, 27: CONTACT}
WEFLOW_MEDIA = {
    "图片消息": PHOTO,
    "语音消息": VOICE,
    "视频消息": VIDEO,
    "文件消息": FILE,
    "动画表情": STICKER,
    "位置消息": LOCATION,
    "名片消息": CONTACT,
    "通话消息": CALL,
}
QQ_MEDIA = {"image": PHOTO, "audio": VOICE, "video": VIDEO, "file": FILE, "market_face": STICKER, "location": LOCATION}
TRANSCRIPT = re.compile(r"\[语音(?:转文字|消息)\] (.+)", re.DOTALL)
"""The content of a voice message that the exporter has transcribed."""
PLACEHOLDERS = ("[引用消息]", "[不支持的消息类型]")
"""What stands for a message that the exporters can't read."""
QUOTE = "[引用 "


class Said(NamedTuple):
    """One message of a chat."""

    time: int
    """Milliseconds since 1970, UTC."""
    sender: str
    """The id of who sent it."""
    name: str
    text: str
    """What was typed; empty where nothing was."""
    id: str | None = None
    reply_to: str | None = None
    mine: bool = False
    media: str = ""
    """See `preprocessors.media`."""


@dataclass(slots=True)
class Head:
    """What a file says about its chat before the first message."""

    name: str = ""
    key: str = ""
    """The chat's id, or its name."""
    group: bool | None = None
    me: str | None = None
    """My id."""
    platform: str = ""
    members: dict[str, str] = field(default_factory=dict)
    """Names by id."""

    def owner(self) -> str | None:
        """My id; in a chat of two, I am the one after whom the chat is not named."""
        if self.me is None and self.group is False and len(self.members) == 2:
            others = [key for key, name in self.members.items() if name == self.name or key == self.key]
            if len(others) == 1:
                return next(key for key in self.members if key != others[0])
        return self.me


Reader = Callable[[dict[str, Any], Head], Said]
"""Reads one message. Raises TypeError, KeyError and ValueError for what is none."""


def chatlab_head(meta: dict[str, Any]) -> Head:
    name, kind = _text(meta.get("name")), meta.get("type")
    group = kind != "private" if kind in ("private", "group") else None
    return Head(name, _id(meta.get("groupId")) or name, group, _id(meta.get("ownerId")), _text(meta.get("platform")))


def chatlab_message(record: dict[str, Any], head: Head) -> Said:
    sender = _id(record["sender"]) or "?"
    kind, content = record["type"], _text(record.get("content"))
    if kind == REPLY and head.platform == "wechat":
        content = _without_quote(content)
    # In groups, WeChat keeps the sender's id in front of the text, and not every exporter takes it off.
    content = content.removeprefix(f"{sender}:\n")
    text, media = _said(content, kind in (TEXT, REPLY), CHATLAB_MEDIA.get(kind, "") if isinstance(kind, int) else "")
    return Said(
        milliseconds(record["timestamp"], 1000),
        sender,
        _text(record.get("accountName")) or _text(record.get("groupNickname")),
        text,
        _id(record.get("platformMessageId")),
        _id(record.get("replyToMessageId")),
        media=media,
    )


def weflow_head(session: dict[str, Any]) -> Head:
    key = _id(session.get("wxid")) or _id(session.get("username")) or ""
    name = _text(session.get("displayName")) or _text(session.get("nickname")) or key
    return Head(name, key or name, session.get("type") == "群聊" or key.endswith("@chatroom"))


def weflow_message(record: dict[str, Any], head: Head) -> Said:
    kind, content = record["type"], _text(record.get("content"))
    mine = record.get("isSend") == 1
    # The first versions have no names, and in chats of two no ids.
    sender = _id(record.get("senderUsername")) or ("" if mine or head.group else head.key)
    name = _text(record.get("senderDisplayName")) or (head.name if sender == head.key else sender)
    if kind == "引用消息" and (quoted := record.get("quotedContent")):
        label = f"{record['quotedSender']}：{quoted}" if record.get("quotedSender") else quoted
        content = content.removesuffix(f"{QUOTE}{label}]")
    text, media = _said(content, kind in WEFLOW_TYPED, WEFLOW_MEDIA.get(kind, "") if isinstance(kind, str) else "")
    return Said(
        milliseconds(record["createTime"], 1000),
        sender or "me",
        name or "me",
        text,
        _id(record.get("platformMessageId")),
        _id(record.get("replyToMessageId")),
        mine,
        media,
    )


def qq_head(chat: dict[str, Any]) -> Head:
    name, kind = _text(chat.get("name")), chat.get("type")
    group = kind == "group" if kind in ("group", "private", "friend") else None
    key = _id(chat.get("peerUid")) or _id(chat.get("peerUin")) or name
    return Head(name, key, group, _id(chat.get("selfUid")) or _id(chat.get("selfUin")))


def qq_message(record: dict[str, Any], head: Head) -> Said:
    sender, content = record["sender"], record["content"]
    ids = [key for key in (_id(sender.get("uid")), _id(sender.get("uin"))) if key]
    time = record["timestamp"]
    silent = any(map(record.get, ("system", "recalled", "isSystemMessage", "isRecalled")))
    text, reply_to, media = _qq_text(record, content)
    return Said(
        iso_milliseconds(time) if isinstance(time, str) and not time.isdecimal() else milliseconds(time),
        head.me if head.me in ids else ids[0] if ids else "?",
        _text(sender.get("nickname")) or _text(sender.get("name")),
        "" if silent else text.strip(),
        _id(record.get("id")) or _id(record.get("messageId")),
        reply_to,
        media="" if silent else media,
    )


def _said(content: str, is_typed: bool, media: str) -> tuple[str, str]:
    """The text and the media of a message, from its content and kind."""
    if media == VOICE and (transcribed := TRANSCRIPT.fullmatch(content)):
        return transcribed[1], ""
    return content if is_typed and content not in PLACEHOLDERS else "", media


def _qq_text(record: dict[str, Any], content: dict[str, Any]) -> tuple[str, str | None, str]:
    """What was typed, the id of the message that it answers, and the first picture or file."""
    text: list[str] = []
    answered, media = None, ""
    for element in content.get("elements") or ():
        kind, data = element.get("type"), element.get("data") or {}
        if not media and isinstance(kind, str):
            media = STICKER if kind == "image" and data.get("subType") == "sticker" else QQ_MEDIA.get(kind, "")
        if kind == "text":
            text.append(_text(data.get("text")))
        elif kind == "at":
            text.append(f"@{_text(data.get('name')).removeprefix('@')}")
        elif kind == "face":
            text.append(_text(data.get("name")))
        elif kind == "reply":
            answered = _id(data.get("referencedMessageId")) or _id(data.get("messageId"))
        elif kind == "forward":
            return "", None, ""
    if text or "elements" in content:
        return "".join(text), answered, media
    # The first versions: the elements as QQ itself has them.
    for element in (record.get("rawMessage") or {}).get("elements") or ():
        text.append(_text((element.get("textElement") or {}).get("content")))
        text.append(_text((element.get("faceElement") or {}).get("faceText")))
    answered = _id((content.get("reply") or {}).get("referencedMessageId"))
    for resource in content.get("resources") or ():
        media = media or QQ_MEDIA.get(_text(resource.get("type")), "")
    if text or any(map(content.get, ("resources", "emojis", "reply", "special", "card", "multiForward", "location"))):
        return "".join(text), answered, media
    return _text(content.get("text")), answered, ""


def _without_quote(text: str) -> str:
    """``text`` without the quoted message, which WeFlow puts behind it as ``[引用 name：text]``."""
    start = text.find(QUOTE)
    return text[:start] if start >= 0 and text.endswith("]") else text


def _text(value: object) -> str:
    if value is not None and not isinstance(value, str):
        raise TypeError
    return value or ""


def _id(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise TypeError
    return str(value) if value not in (None, "", 0, "0") else None
