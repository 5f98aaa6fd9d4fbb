"""The format LINE."""

from selfchatbot.preprocessors.line.preprocessor import LINE

__all__ = ["LINE"]
