"""``selfChatBot_play -t session``: talk to the model in a terminal."""

from selfchatbot.cli.session.conversation import session

__all__ = ["session"]
