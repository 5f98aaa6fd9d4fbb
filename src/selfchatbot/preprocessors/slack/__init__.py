"""The format Slack."""

from selfchatbot.preprocessors.slack.preprocessor import Slack

__all__ = ["Slack"]
