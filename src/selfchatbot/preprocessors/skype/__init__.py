"""The formats Skype and Teams."""

from selfchatbot.preprocessors.skype.preprocessor import Skype, Teams

__all__ = ["Skype", "Teams"]
