"""Export formats by the name of their folder. To add one, see docs/formats.md."""

from selfchatbot.preprocessors.base import ExportFile, ExportPath, Preprocessor
from selfchatbot.preprocessors.reading.lines import decoded_lines
from selfchatbot.preprocessors.registry import Registry

Preprocessors = Registry(
    {
        "DiscordChatExporter": "selfchatbot.preprocessors.discordchatexporter:DiscordChatExporter",
        "Telegram": "selfchatbot.preprocessors.telegram:Telegram",
        "Messenger": "selfchatbot.preprocessors.messenger:Messenger",
        "Instagram": "selfchatbot.preprocessors.messenger:Instagram",
        "WhatsApp": "selfchatbot.preprocessors.whatsapp:WhatsApp",
        "LINE": "selfchatbot.preprocessors.line:LINE",
        "KakaoTalk": "selfchatbot.preprocessors.kakaotalk:KakaoTalk",
        "IRC": "selfchatbot.preprocessors.irc:IRC",
        "Signal": "selfchatbot.preprocessors.signal:Signal",
        "iMessage": "selfchatbot.preprocessors.imessage:IMessage",
        "SMS": "selfchatbot.preprocessors.sms:SMS",
        "Slack": "selfchatbot.preprocessors.slack:Slack",
        "X": "selfchatbot.preprocessors.x:X",
        "Snapchat": "selfchatbot.preprocessors.snapchat:Snapchat",
        "Skype": "selfchatbot.preprocessors.skype:Skype",
        "Teams": "selfchatbot.preprocessors.skype:Teams",
        "Email": "selfchatbot.preprocessors.mail:Email",
        "GoogleChat": "selfchatbot.preprocessors.google_chat:GoogleChat",
        "ChatLab": "selfchatbot.preprocessors.chatlab:ChatLab",
        "WeChat": "selfchatbot.preprocessors.chatlab:WeChat",
        "QQ": "selfchatbot.preprocessors.chatlab:QQ",
        "JSONL": "selfchatbot.preprocessors.jsonl:JSONL",
    }
)
"""Each format takes one line: its name and the place of its class, which is imported on demand."""

__all__ = ["ExportFile", "ExportPath", "Preprocessor", "Preprocessors", "decoded_lines"]
