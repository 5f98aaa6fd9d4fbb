"""What goes wrong when a model is written as GGUF."""

from selfchatbot.errors import SelfChatBotError


class GgufError(SelfChatBotError):
    """A model that can't be written as GGUF; the text says which part of it is not supported."""
