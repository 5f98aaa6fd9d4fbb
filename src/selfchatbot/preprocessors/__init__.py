"""Export formats by the name of their folder."""

from selfchatbot.preprocessors.base import ExportFile, Preprocessor
from selfchatbot.preprocessors.discordchatexporter import DiscordChatExporter

Preprocessors: dict[str, type[Preprocessor]] = {kind.name: kind for kind in (DiscordChatExporter,)}

__all__ = ["ExportFile", "Preprocessor", "Preprocessors"]
