"""The third stage: load a checkpoint and reply."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selfchatbot.player.player import Player, Reply, ReplyChunk

__all__ = ["Player", "Reply", "ReplyChunk"]


def __getattr__(name: str) -> Any:
    """Import on first use: the light modules of this package must not load torch."""
    if name in __all__:
        return getattr(import_module("selfchatbot.player.player"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
