"""Which models are worth trying, and which one fits this machine.

models.json is written by tests/model_table.py from the memory estimate, so that a recommendation needs no computation.
"""

import json
import os
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

GIB = 2**30
SMALLEST = "SmolLM2-135M-Instruct"
USABLE_SHARE = 0.9
"""The fraction of free memory to count on, as in training."""
ENOUGH_CORES = 4
"""With fewer, half a billion parameters take hours on a CPU."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A model and how to train it."""

    model: str
    method: str
    """``lora`` or ``qlora``."""
    needed: float
    """Peak memory in GiB."""
    billions: float
    """Parameters of the model."""
    download: float
    """In GB; 0 for the model that comes with the sample."""
    licence: str

    def __str__(self) -> str:
        what = f"{self.billions:.2g} billion parameters, {self.method}, {self.download:.1f} GB to download"
        return f"{what}; English only: to try the program, not to talk well" if self.model == SMALLEST else what


@dataclass(frozen=True, slots=True)
class Hardware:
    """What this machine has to train on."""

    device: str
    """``cuda``, ``mps`` or ``cpu``."""
    free: int
    """Bytes that are free there."""
    cores: int

    def __str__(self) -> str:
        cpu = f"no graphics card, {self.cores} cores"
        name = {"cuda": "a graphics card", "mps": "a Mac's GPU"}.get(self.device, cpu)
        return f"{name}, {self.free / GIB:.0f} GiB of memory free"


def this_hardware() -> Hardware:
    """Loads torch, which takes a moment: it knows whether the card can be used."""
    from selfchatbot.memory import free
    from selfchatbot.models import this_machine

    device = this_machine().device
    return Hardware(device, free(device), os.cpu_count() or 1)


def fitting(hardware: Hardware) -> list[Recommendation]:
    """The listed models that can be trained there, each by its best method; the first one is recommended."""
    found: dict[str, Recommendation] = {}
    for entry in _listed():
        for method, needed in entry["needs"][hardware.device].items():
            if needed <= USABLE_SHARE * hardware.free / GIB and entry["name"] not in found:
                found[entry["name"]] = Recommendation(
                    entry["name"], method, needed, entry["billions"], entry["download"], entry["licence"]
                )
    fits = list(found.values())
    if hardware.device == "cpu":
        largest = 1.0 if hardware.cores >= ENOUGH_CORES else 0.2
        # The others can be trained too, with patience: they come after what is quick.
        fits.sort(key=lambda one: (one.billions > largest, one.billions if one.billions > largest else -one.billions))
    return fits


def advice(hardware: Hardware) -> str:
    """Which model to take there, and which larger one needs patience, in one line."""
    fits = fitting(hardware)
    if not fits:
        return f"This machine ({hardware}) has too little memory to train a model."
    best, larger = fits[0], [one for one in fits if one.billions > fits[0].billions]
    patience = f"; with patience, {larger[0].model}" if larger else ""
    return f"For this machine ({hardware}): {best.model}{patience}."


@cache
def _listed() -> list[dict[str, Any]]:
    """The largest model first."""
    text = files("selfchatbot.setup").joinpath("models.json").read_text(encoding="utf-8")
    entries: list[dict[str, Any]] = json.loads(text)
    return entries
