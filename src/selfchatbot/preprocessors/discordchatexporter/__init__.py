"""The format DiscordChatExporter."""

from selfchatbot.preprocessors.discordchatexporter.preprocessor import DiscordChatExporter

__all__ = ["DiscordChatExporter"]
