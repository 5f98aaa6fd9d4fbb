"""The format Email."""

from selfchatbot.preprocessors.mail.preprocessor import Email

__all__ = ["Email"]
