"""The formats Messenger and Instagram."""

from selfchatbot.preprocessors.messenger.preprocessor import Instagram, Messenger

__all__ = ["Instagram", "Messenger"]
