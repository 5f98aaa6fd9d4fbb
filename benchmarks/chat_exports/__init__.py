"""Chat exports of any length out of the words of the sample, laid out as each exporter does: for benchmarks.

Not a line of the parsers is used here. All chats of the sample are put into one group by time, again and again with
later and later dates; the owner of the export is rowan.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from chat_exports.as_json import discord_json, jsonl, messenger, signal_json, slack, telegram
from chat_exports.as_text import discord_csv, discord_txt, imessage, irc, kakaotalk, line, signal_md, sms, whatsapp
from chat_exports.chat import ME, Chat

__all__ = ["EXPORTS", "ME", "Chat", "Export"]


class Export(NamedTuple):
    """One layout of a format."""

    format: str
    path: str
    """Its file, or its folder where it has many."""
    write: Callable[[Chat], Iterator[str]] | Callable[[Chat, Path], None]
    says_me: bool = False
    """Whether the export tells who made it."""
    many_files: bool = False

    def write_to(self, folder: Path, chat: Chat) -> Path:
        """Write ``chat`` below ``folder``; the file, or the folder of the export."""
        path = folder / self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.many_files:
            path.mkdir()
            self.write(chat, path)  # type: ignore[call-arg]
        else:
            with path.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(self.write(chat))  # type: ignore[call-arg, arg-type]
        return path


# As nobody has it: one file with more than fits into memory, to be turned round.
_in_one_file = partial(messenger, part_of=sys.maxsize)

EXPORTS = {
    "Discord txt": Export("DiscordChatExporter", "Direct Messages - everybody [1].txt", discord_txt),
    "Discord json": Export("DiscordChatExporter", "Direct Messages - everybody [1].json", discord_json),
    "Discord csv": Export("DiscordChatExporter", "Direct Messages - everybody [1].csv", discord_csv),
    "WhatsApp": Export("WhatsApp", "WhatsApp Chat with everybody.txt", whatsapp),
    "Telegram": Export("Telegram", "result.json", telegram),
    "Messenger": Export("Messenger", "messages/inbox/everybody_1", messenger, many_files=True),
    "Messenger whole": Export("Messenger", "messages/inbox/everybody_1", _in_one_file, many_files=True),
    "Instagram": Export("Instagram", "messages/inbox/everybody_1", messenger, many_files=True),
    "Signal json": Export("Signal", "everybody/data.json", signal_json, says_me=True),
    "Signal md": Export("Signal", "everybody/chat.md", signal_md, says_me=True),
    "iMessage": Export("iMessage", "everybody.txt", imessage, says_me=True),
    "Slack": Export("Slack", "workspace", slack, many_files=True),
    "SMS": Export("SMS", "sms-20260101120000.xml", sms, says_me=True),
    "LINE": Export("LINE", "[LINE] everybodyのトーク.txt", line),
    "KakaoTalk": Export("KakaoTalk", "KakaoTalkChats.txt", kakaotalk),
    "IRC": Export("IRC", "libera/#everybody.log", irc),
    "JSONL": Export("JSONL", "conversations.jsonl", jsonl, says_me=True),
}
