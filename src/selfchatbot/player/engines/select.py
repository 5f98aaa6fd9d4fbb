"""The engines by name, and which of them runs a checkpoint. Importing this is cheap: an engine is imported to load it.

A new engine is a module with a class that has the methods of `protocol.Engine`, a loader below, and an entry in
``ENGINES``.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from selfchatbot.errors import SelfChatBotError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from selfchatbot.models import Machine
    from selfchatbot.parameters import GenerationParameters
    from selfchatbot.player.engines.protocol import LoadedEngine

    Load = Callable[[Path, GenerationParameters | None, Machine | None], LoadedEngine]

logger = logging.getLogger(__name__)


def _load_llamacpp(
    checkpoint: "Path", parameters: "GenerationParameters | None", _machine: "Machine | None"
) -> "LoadedEngine":
    from selfchatbot.player.engines import llamacpp

    return llamacpp.load(checkpoint, parameters)


def _prepare_llamacpp(checkpoint: "Path", parameters: "GenerationParameters") -> None:
    from selfchatbot.player.engines import llamacpp

    llamacpp.prepare(checkpoint, parameters)


def _llamacpp_is_fastest() -> bool:
    from selfchatbot.player.engines.llamacpp import leaves_a_gpu_idle

    return not leaves_a_gpu_idle()


def _load_transformers(
    checkpoint: "Path", parameters: "GenerationParameters | None", machine: "Machine | None"
) -> "LoadedEngine":
    from selfchatbot.player.engines import transformers

    return transformers.load(checkpoint, parameters, machine)


@dataclass(frozen=True, slots=True)
class EngineEntry:
    """How one engine is found and loaded."""

    load: "Load"
    """Raises SelfChatBotError for a checkpoint that is missing, damaged or of a family that the engine can't run."""
    package: str
    """The module that it needs."""
    install: str = ""
    """The command that installs it."""
    prepare: "Callable[[Path, GenerationParameters], None]" = lambda _checkpoint, _parameters: None
    """Writes beside a checkpoint what it needs to load it; raises SelfChatBotError for one that it can't run."""
    is_fastest: Callable[[], bool] = lambda: True
    """Whether it should come before the engines below it on this machine; asked only where it is installed."""


ENGINES = {
    "llama.cpp": EngineEntry(
        _load_llamacpp,
        package="xllamacpp",
        install="pip install xllamacpp builds it, where a C++ compiler is installed",
        prepare=_prepare_llamacpp,
        is_fastest=_llamacpp_is_fastest,
    ),
    "transformers": EngineEntry(_load_transformers, package="transformers"),
}
"""In the order in which "auto" tries them; the last one runs everywhere."""
AUTO = "auto"
ENGINE_NAMES = (AUTO, *ENGINES)


def load_engine(
    checkpoint: "Path", parameters: "GenerationParameters | None", machine: "Machine | None", name: str
) -> "LoadedEngine":
    """Load a checkpoint into the engine ``name``, one of ``ENGINE_NAMES``.

    "auto" takes the first engine that is installed, is the fastest here and can load the checkpoint; why another one is
    skipped is logged in one line. Without ``parameters`` (a checkpoint outside a results folder) it is the last one.
    Raises SelfChatBotError for a checkpoint that can't be loaded, UsageError for an engine that is not installed.
    """
    from selfchatbot.player.checkpoint import check_checkpoint

    check_checkpoint(checkpoint)
    if name != AUTO:
        return _named(name).load(checkpoint, parameters, machine)
    *faster, fallback = ENGINES.values()
    for entry in faster if parameters is not None else ():
        if find_spec(entry.package) is not None and entry.is_fastest():
            try:
                return entry.load(checkpoint, parameters, machine)
            except SelfChatBotError as error:
                logger.warning("%s; using a slower engine", error)
    return fallback.load(checkpoint, parameters, machine)


def prepare(checkpoint: "Path", parameters: "GenerationParameters") -> None:
    """Do now what would take time when the engine that "auto" chooses loads the checkpoint for the first time."""
    for entry in ENGINES.values():
        if find_spec(entry.package) is not None and entry.is_fastest():
            try:
                entry.prepare(checkpoint, parameters)
                return
            except SelfChatBotError as error:
                logger.info("%s", error)


def _named(name: str) -> EngineEntry:
    entry = ENGINES.get(name)
    if entry is None:
        raise UsageError(f'there is no engine "{name}": choose one of {", ".join(ENGINE_NAMES)}')
    if find_spec(entry.package) is None:
        raise UsageError(f"the engine {name} is not installed: {entry.install}")
    return entry
