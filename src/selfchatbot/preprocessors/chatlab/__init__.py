"""The formats ChatLab, WeChat and QQ."""

from selfchatbot.preprocessors.chatlab.preprocessor import QQ, ChatLab, WeChat

__all__ = ["QQ", "ChatLab", "WeChat"]
