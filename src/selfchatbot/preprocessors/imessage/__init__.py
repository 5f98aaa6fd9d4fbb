"""The format IMessage."""

from selfchatbot.preprocessors.imessage.preprocessor import IMessage

__all__ = ["IMessage"]
