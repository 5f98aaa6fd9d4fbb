"""The format Signal."""

from selfchatbot.preprocessors.signal.preprocessor import Signal

__all__ = ["Signal"]
