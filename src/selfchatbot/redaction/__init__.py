"""Replace private data with placeholders before anything is written."""

from selfchatbot.redaction.redactor import SEPARATOR, Redactor

__all__ = ["SEPARATOR", "Redactor"]
