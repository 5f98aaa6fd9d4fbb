"""What selfChatBot_play can do. A new play type is a module here, an entry below, and a paragraph in the README."""

from selfchatbot.cli.play_types.base import PlayRun, PlayType
from selfchatbot.cli.play_types.evaluate import EvaluatePlay
from selfchatbot.cli.play_types.export import ExportPlay
from selfchatbot.cli.play_types.game import GamePlay
from selfchatbot.cli.play_types.prompt import PromptPlay
from selfchatbot.cli.play_types.session import SessionPlay
from selfchatbot.cli.play_types.web import WebPlay

PLAY_TYPES: dict[str, PlayType] = {
    "session": SessionPlay(),
    "prompt": PromptPlay(),
    "game": GamePlay(),
    "web": WebPlay(),
    "export": ExportPlay(),
    "evaluate": EvaluatePlay(),
}
"""By the value of ``-t``; the first one is the default."""

__all__ = ["PLAY_TYPES", "PlayRun", "PlayType"]
