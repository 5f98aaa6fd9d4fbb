"""The conversation at the terminal, for ``selfChatBot_play -t session``."""

from selfchatbot.cli.session.conversation import session

__all__ = ["session"]
