"""Checkpoints of an unfinished run: everything needed to continue as if it had never stopped.

A checkpoint is a folder ``step-<n>`` that appears whole or not at all; the last two are kept. Tensors are safetensors
and the rest is JSON, so loading one can't run code.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from selfchatbot import distributed
from selfchatbot.environment import PREFERENCES_FILE
from selfchatbot.errors import SelfChatBotError, UsageError
from selfchatbot.files import atomic_file, read_small
from selfchatbot.parameters import TrainingParameters, Trait
from selfchatbot.trainer.preference_pairs import read_preferences
from selfchatbot.trainer.saved_models import whole_folder

CHECKPOINTS_FOLDER = "checkpoints"
KEPT_CHECKPOINTS = 2
BEST = "best"
"""Beside the checkpoints: the trained weights of the best validation, from which preference rounds start."""
WEIGHTS, OPTIMIZER, RANDOM, STATE = "weights.safetensors", "optimizer.safetensors", "random.safetensors", "state.json"

FORMAT = 2
"""Increment whenever checkpoints change. Those of format 1 had no number."""


class Checkpoints:
    """The checkpoints of one run, identified by everything that its losses depend on."""

    def __init__(self, folder: Path, parameters: TrainingParameters, data: list[Path]) -> None:
        self.folder = folder
        changeable = TrainingParameters.fields_with(Trait.RESUMABLE)
        step_size = {"batch_size times processes": parameters.batch_size * distributed.world_size()}
        self._run = {
            "parameters": parameters.model_dump(mode="json", exclude={*changeable, "batch_size"}) | step_size,
            "data": {path.name: _digest(path) for path in data},
            "changeable": parameters.model_dump(mode="json", include=changeable),
        }

    @property
    def run(self) -> dict[str, Any]:
        """What the losses depend on, as JSON: the parameters, and the SHA-256 of each file of conversations."""
        return self._run

    def latest(self) -> Path | None:
        """The newest undamaged checkpoint; None if no run is unfinished.

        Raises UsageError when data or parameters have changed since, and for checkpoints of another version of
        selfchatbot.
        """
        for folder in reversed(self._all()):
            try:
                state = read_state(folder)
                run, version = state["run"], state.get("format", 1)
                for name in (WEIGHTS, OPTIMIZER, RANDOM):
                    with safe_open(folder / name, "pt"):  # which looks whether all of it is there
                        pass
            except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError):
                continue  # damaged: the one before is as good
            if version != FORMAT:
                raise UsageError(
                    f"the unfinished run in {self.folder} is of another version of selfchatbot: finish it with that "
                    "version, or start over with --restart"
                )
            if changes := _changes(run, self._run):
                raise UsageError(
                    f"there is an unfinished run in {self.folder}, but since then {changes}: change it back to resume, "
                    "or start over with --restart"
                )
            return folder
        return None

    def changed(self, checkpoint: Path) -> list[str]:
        """The names of parameters that are free to change and have changed since ``checkpoint``."""
        now: dict[str, Any] = self._run["changeable"]
        before = read_state(checkpoint)["run"]["changeable"]
        return [name for name in sorted(now) if now[name] != before.get(name)]

    def save(self, step: int, tensors: dict[str, dict[str, torch.Tensor]], state: dict[str, Any]) -> None:
        """Write ``tensors``, by file name, and ``state`` as the newest checkpoint; only the first process does."""
        if not distributed.is_main():
            return
        self.folder.mkdir(exist_ok=True)
        with whole_folder(self.folder / f"step-{step}") as partial:
            for name, values in tensors.items():
                save_file({key: value.contiguous() for key, value in values.items()}, partial / name)
            content = json.dumps({"format": FORMAT, "step": step, "run": self._run, **state}, indent=1)
            (partial / STATE).write_text(content, encoding="utf-8", newline="\n")
        for old in self._all()[:-KEPT_CHECKPOINTS]:
            shutil.rmtree(old, ignore_errors=True)

    def save_best(self, model: torch.nn.Module) -> None:
        """Keep the trained weights of ``model`` as those that `load_best` restores; only the first process writes."""
        weights = trained_weights(model)
        if distributed.is_main():
            self.folder.mkdir(exist_ok=True)
            with whole_folder(self.folder / BEST) as partial:
                save_file({name: value.contiguous() for name, value in weights.items()}, partial / WEIGHTS)

    def load_best(self, model: torch.nn.Module) -> None:
        """Restore the weights of `save_best`. Raises SelfChatBotError when they are not those of this model."""
        distributed.wait()
        load_weights(self.folder / BEST, model)

    def keep_ratings(self, path: Path) -> None:
        """Keep a copy of preferences.jsonl, which may grow before the run ends, if there is one.

        Raises SelfChatBotError with file and line for a malformed line.
        """
        read_preferences(path)
        if distributed.is_main():
            self.folder.mkdir(exist_ok=True)
            self.ratings.unlink(missing_ok=True)
            if path.exists():
                with atomic_file(self.ratings) as partial:
                    shutil.copyfile(path, partial)
                    partial.chmod(0o600)
        distributed.wait()

    @property
    def ratings(self) -> Path:
        """The copy that `keep_ratings` makes."""
        return self.folder / PREFERENCES_FILE

    def clear(self) -> None:
        """Remove all checkpoints: the run has ended or starts over."""
        if not distributed.is_main():
            return
        shutil.rmtree(self.folder, ignore_errors=True)

    def _all(self) -> list[Path]:
        folders = ((path, re.fullmatch(r"step-(\d+)", path.name)) for path in self.folder.glob("step-*"))
        return [path for _, path in sorted((int(match[1]), path) for path, match in folders if match)]


@contextmanager
def undamaged(checkpoint: Path) -> Iterator[None]:
    """Raises SelfChatBotError where a part of ``checkpoint`` is not what was written."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise SelfChatBotError(f"{checkpoint} is damaged: start over with --restart") from error


def read_state(checkpoint: Path) -> dict[str, Any]:
    """The JSON part of a checkpoint."""
    state: dict[str, Any] = json.loads(read_small(checkpoint / STATE))
    return state


def trained_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The trained parameters, by name."""
    return {name: _whole(parameter.data) for name, parameter in _trained(model)}


def load_weights(checkpoint: Path, model: torch.nn.Module) -> None:
    """Restore the trained parameters. Raises SelfChatBotError when they are not those of this model."""
    own, saved = dict(_trained(model)), load_file(checkpoint / WEIGHTS)
    if own.keys() != saved.keys() or any(own[name].shape != saved[name].shape for name in own):
        raise SelfChatBotError(f"{checkpoint} does not fit this model: start over with --restart")
    for name, value in saved.items():
        own[name].data.copy_(_sharded_like(value, own[name]))


def optimizer_tensors(optimizer: Any) -> dict[str, torch.Tensor]:
    """The state of AdamW: a tensor for each "<number of the parameter>.<name of the value>"."""
    state = optimizer.state_dict()["state"]
    return {f"{number}.{name}": _whole(value) for number, values in state.items() for name, value in values.items()}


def load_optimizer(checkpoint: Path, optimizer: Any) -> None:
    """Restore the optimizer's state, except learning rates and the like, which follow from the parameters."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in load_file(checkpoint / OPTIMIZER).items():
        number, name = key.split(".", 1)
        # A copy: the loaded tensor is a view of a file that will be removed.
        state.setdefault(int(number), {})[name] = _sharded_like(value.clone(), parameters[int(number)])
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def random_tensors() -> dict[str, torch.Tensor]:
    """The states of torch's random number generators, which dropout depends on: a row for each process."""
    return {name: distributed.gather(get()) for name, get, _ in _generators()}


def load_random(checkpoint: Path) -> None:
    """Restore the random number generators; a process that did not exist before keeps its own."""
    saved = load_file(checkpoint / RANDOM)
    for name, _, restore in _generators():
        if name in saved and distributed.rank() < len(saved[name]):
            restore(saved[name][distributed.rank()].clone())  # torch ignores the offset of a view


def _generators() -> Iterator[tuple[str, Callable[[], torch.Tensor], Callable[[torch.Tensor], None]]]:
    yield "cpu", torch.get_rng_state, torch.set_rng_state
    if torch.cuda.is_available():
        yield "cuda", torch.cuda.get_rng_state, torch.cuda.set_rng_state
    if torch.backends.mps.is_available():
        yield "mps", torch.mps.get_rng_state, torch.mps.set_rng_state


def _trained(model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Parameter]]:
    return ((name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad)


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor that FSDP has sharded, put together; only the first process keeps it."""
    if not hasattr(tensor, "full_tensor"):
        return tensor
    whole: torch.Tensor = tensor.full_tensor()
    return whole.new_empty(0) if distributed.rank() else whole.cpu()


def _sharded_like(tensor: torch.Tensor, parameter: Any) -> torch.Tensor:
    """``tensor``, sharded like the parameter that it belongs to."""
    if not hasattr(parameter, "full_tensor") or tensor.shape != parameter.shape:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor.to(parameter.device), parameter.device_mesh, parameter.placements)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _changes(before: dict[str, Any], now: dict[str, Any]) -> str:
    """The differences between two runs, in words; empty if there are none."""
    old, new = before["parameters"], now["parameters"]
    changes = [
        f"{name} was {old.get(name)} and is {new.get(name)}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    changes += [f"{name} has changed" for name in now["data"] if before["data"].get(name) != now["data"][name]]
    return ", ".join(changes)
