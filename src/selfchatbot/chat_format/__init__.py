"""Conversations as token ids and labels, for training and playing alike."""

from selfchatbot.chat_format.chat_format import IGNORED, ChatFormat, Window

__all__ = ["IGNORED", "ChatFormat", "Window"]
