"""Writes a model as one folder for other programs."""

from selfchatbot.export.folder import export

__all__ = ["export"]
