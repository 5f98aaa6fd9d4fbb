"""The second stage: fine-tune a base model on conversations."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selfchatbot.trainer.trainer import Progress, Result, Trainer

__all__ = ["Progress", "Result", "Trainer"]


def __getattr__(name: str) -> Any:
    """Import on first use: the light modules of this package must not load torch."""
    if name in __all__:
        return getattr(import_module("selfchatbot.trainer.trainer"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
