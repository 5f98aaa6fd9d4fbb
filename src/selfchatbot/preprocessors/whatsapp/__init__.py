"""The format WhatsApp."""

from selfchatbot.preprocessors.whatsapp.preprocessor import WhatsApp

__all__ = ["WhatsApp"]
