"""Conversations as token ids and labels, the same for training and playing."""

from selfchatbot.chat_format.chat_format import IGNORED, ChatFormat, Window

__all__ = ["IGNORED", "ChatFormat", "Window"]
