"""The format SMS."""

from selfchatbot.preprocessors.sms.preprocessor import SMS

__all__ = ["SMS"]
