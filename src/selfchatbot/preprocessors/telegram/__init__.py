"""The format Telegram."""

from selfchatbot.preprocessors.telegram.preprocessor import Telegram

__all__ = ["Telegram"]
