"""One folder that other programs can load."""

from selfchatbot.export.folder import export

__all__ = ["export"]
