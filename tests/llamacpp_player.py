"""A player of a made model with the engine that a test names; greedy, if it isn't told otherwise."""

from pathlib import Path

import torch

from selfchatbot.models import Machine
from selfchatbot.parameters import GenerationParameters, read_parameters
from selfchatbot.player import Player

CPU = Machine("cpu", torch.float32)
QUESTION = [{"role": "user", "content": "how are you doing today? 3 1"}]


def player(results: Path, engine: str, **changes: object) -> Player:
    parameters = read_parameters(results / "parameters.json", GenerationParameters)
    settings = {"temperature": 0.0, "repetition_penalty": 1.0, "guidance": 0.0, "max_new_tokens": 60, **changes}
    return Player(results / "best", parameters.model_copy(update=settings), CPU, engine)  # type: ignore[arg-type]
