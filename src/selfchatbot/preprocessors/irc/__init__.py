"""The format IRC."""

from selfchatbot.preprocessors.irc.preprocessor import IRC

__all__ = ["IRC"]
