"""An unfinished run on disk: everything that a run needs to go on as if nothing had happened.

A checkpoint is a folder ``step-<n>`` that appears whole or not at all; the last two are kept. Tensors are safetensors,
the rest is JSON: nothing in it can run code when it is loaded.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from transformers.trainer import TRAINER_STATE_NAME

from selfchatbot import distributed
from selfchatbot.errors import SelfChatBotError, UsageError
from selfchatbot.parameters import TrainingParameters
from selfchatbot.trainer.saved_models import whole_folder

FOLDER_NAME = "checkpoints"
KEPT = 2
WEIGHTS, OPTIMIZER, RANDOM, STATE = "weights.safetensors", "optimizer.safetensors", "random.safetensors", "state.json"

FREE = (
    *("checkpoint_minutes", "choose_sampling", "early_stopping_patience", "evaluations_per_epoch"),
    *("gradient_checkpointing", "report_to", "samples"),
)
"""Parameters that may change in the middle of a run."""


class Checkpoints:
    """The checkpoints of one run, told from those of another by what it depends on."""

    def __init__(self, folder: Path, parameters: TrainingParameters, data: list[Path]) -> None:
        self.folder = folder
        of_a_step = {"batch_size times processes": parameters.batch_size * distributed.world_size()}
        self._run = {
            "parameters": parameters.model_dump(exclude={*FREE, "batch_size"}) | of_a_step,
            "data": {path.name: _digest(path) for path in data},
            "free": parameters.model_dump(mode="json", include=set(FREE)),
        }

    def latest(self) -> Path | None:
        """The newest checkpoint, if there is an unfinished run.

        Raises UsageError when data or parameters have changed since: the losses of such a mixture would mean nothing.
        """
        for folder in reversed(self._all()):
            try:
                run = read_state(folder)["run"]
                for name in (WEIGHTS, OPTIMIZER, RANDOM):
                    with safe_open(folder / name, "pt"):  # which looks whether all of it is there
                        pass
            except (OSError, ValueError, KeyError, SafetensorError):
                continue  # damaged from outside: the one before is as good
            if changes := _changes(run, self._run):
                raise UsageError(
                    f"an unfinished run is in {self.folder}, but since then {changes}: change it back to go on, or "
                    "begin anew with --restart"
                )
            return folder
        return None

    def changed(self, checkpoint: Path) -> list[str]:
        """The names of the parameters that may change and have, since ``checkpoint``."""
        free: dict[str, Any] = self._run["free"]
        before = read_state(checkpoint)["run"].get("free", free)
        return [name for name in sorted(free) if free[name] != before.get(name)]

    def save(
        self, step: int, tensors: dict[str, dict[str, torch.Tensor]], trainer: dict[str, Any], state: dict[str, Any]
    ) -> None:
        """Write ``tensors`` (by file name), the state of transformers' trainer and ours as the newest checkpoint.

        In the first process only; it is the same run in any number of processes.
        """
        if not distributed.is_main():
            return
        self.folder.mkdir(exist_ok=True)
        with whole_folder(self.folder / f"step-{step}") as partial:
            for name, values in tensors.items():
                save_file({key: value.contiguous() for key, value in values.items()}, partial / name)
            for name, values in ((TRAINER_STATE_NAME, trainer), (STATE, {"run": self._run, **state})):
                (partial / name).write_text(json.dumps(values, indent=1), encoding="utf-8", newline="\n")
        for old in self._all()[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)

    def clear(self) -> None:
        """The run has ended, or begins anew."""
        if not distributed.is_main():
            return
        shutil.rmtree(self.folder, ignore_errors=True)

    def _all(self) -> list[Path]:
        folders = ((path, re.fullmatch(r"step-(\d+)", path.name)) for path in self.folder.glob("step-*"))
        return [path for _, path in sorted((int(match[1]), path) for path, match in folders if match)]


def read_state(checkpoint: Path) -> dict[str, Any]:
    """The JSON part of a checkpoint."""
    state: dict[str, Any] = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    return state


def trained_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The parameters that are trained, by name."""
    return {name: _whole(parameter.data) for name, parameter in _trained(model)}


def load_weights(checkpoint: Path, model: torch.nn.Module) -> None:
    """Put saved parameters back. Raises SelfChatBotError when they are not those of this model."""
    own, saved = dict(_trained(model)), load_file(checkpoint / WEIGHTS)
    if own.keys() != saved.keys() or any(own[name].shape != saved[name].shape for name in own):
        raise SelfChatBotError(f"{checkpoint} does not fit this model: begin anew with --restart")
    for name, value in saved.items():
        own[name].data.copy_(_spread(value, own[name]))


def optimizer_tensors(optimizer: Any) -> dict[str, torch.Tensor]:
    """The moments of AdamW, by parameter number and name."""
    state = optimizer.state_dict()["state"]
    return {f"{number}.{name}": _whole(value) for number, values in state.items() for name, value in values.items()}


def optimizer_groups(optimizer: Any) -> list[dict[str, Any]]:
    """The rest of the optimizer's state: learning rates and other numbers."""
    groups: list[dict[str, Any]] = optimizer.state_dict()["param_groups"]
    return groups


def load_optimizer(checkpoint: Path, groups: list[dict[str, Any]], optimizer: Any) -> None:
    """Put the optimizer's state back."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in load_file(checkpoint / OPTIMIZER).items():
        number, name = key.split(".", 1)
        # A copy: what is used must not hold on to a file that will be removed.
        state.setdefault(int(number), {})[name] = _spread(value.clone(), parameters[int(number)])
    groups = [{key: tuple(v) if key == "betas" else v for key, v in group.items()} for group in groups]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def random_tensors() -> dict[str, torch.Tensor]:
    """The state of torch's random number generators, on which dropout depends: a row for each process."""
    return {name: distributed.gather(get()) for name, get, _ in _generators()}


def load_random(checkpoint: Path) -> None:
    """Put the random number generators back to where they were; those of a process that was not there stay."""
    saved = load_file(checkpoint / RANDOM)
    for name, _, put_back in _generators():
        if name in saved and distributed.rank() < len(saved[name]):
            put_back(saved[name][distributed.rank()].clone())  # torch reads from where a view's storage begins


def _generators() -> Iterator[tuple[str, Callable[[], torch.Tensor], Callable[[torch.Tensor], None]]]:
    yield "cpu", torch.get_rng_state, torch.set_rng_state
    if torch.cuda.is_available():
        yield "cuda", torch.cuda.get_rng_state, torch.cuda.set_rng_state
    if torch.backends.mps.is_available():
        yield "mps", torch.mps.get_rng_state, torch.mps.set_rng_state


def _trained(model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Parameter]]:
    return ((name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad)


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor that FSDP has spread over the processes, in one piece, which only the first of them keeps."""
    if not hasattr(tensor, "full_tensor"):
        return tensor
    whole: torch.Tensor = tensor.full_tensor()
    return whole.new_empty(0) if distributed.rank() else whole.cpu()


def _spread(tensor: torch.Tensor, parameter: Any) -> torch.Tensor:
    """The other way, where FSDP has spread the parameter that the tensor belongs to."""
    if not hasattr(parameter, "full_tensor") or tensor.shape != parameter.shape:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor.to(parameter.device), parameter.device_mesh, parameter.placements)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _changes(before: dict[str, Any], now: dict[str, Any]) -> str:
    """What differs between two runs, in words; empty when nothing does."""
    old, new = before["parameters"], now["parameters"]
    changes = [
        f"{name} was {old.get(name)} and is {new.get(name)}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    changes += [f"{name} has changed" for name in now["data"] if before["data"].get(name) != now["data"][name]]
    return ", ".join(changes)
