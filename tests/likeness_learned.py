"""A model that has memorised all answers of its test conversations, and its evaluation: cases with known answers."""

import json
import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import edit_settings, write_training_data
from tiny_models import WORDS

from selfchatbot.environment import Dataset, Environment, find_dataset
from selfchatbot.likeness.result import Likeness
from selfchatbot.likeness.run.evaluation import evaluate
from selfchatbot.models import Machine
from selfchatbot.parameters import GenerationParameters, TrainingParameters, read_parameters
from selfchatbot.player import checkpoint
from selfchatbot.player.checkpoint import Checkpoint
from selfchatbot.trainer import Trainer

CPU = Machine("cpu", torch.float32)
NAME = "Dataset_1_Zoë"
PAIRS = 24
TIMES = 15
"""How often each of them is in the training text."""
EPOCHS = 10
SECRET = "Xanthippe"
"""Occurs once in the test conversations and nowhere else."""


@cache
def pairs() -> list[tuple[str, str]]:
    """Questions, each with its own answer of random words, which only the question predicts."""
    rng = random.Random(5)
    words = sorted(set(re.findall(r"[a-z]{3,}", WORDS)))
    asked = [f"what about {letter}?" for letter in "ABCDEFGHIJKLMNOPQRSTUVW"] + ["what about 447123?"]
    return [(question, " ".join(rng.sample(words, 5))) for question in asked]


def learn(folder: Path, model: Path) -> Path:
    """An environment with a model that has memorised all answers of the test conversations."""
    (folder / "raw" / NAME).mkdir(parents=True)
    options = {"type_fine_tune": "fine_tune", "epochs": EPOCHS, "warmup_ratio": 0.1, "max_length": 512}
    data = write_training_data(folder / "preprocessed" / NAME, model, evaluations_per_epoch=1, **options)
    lines = [
        json.dumps(
            {
                "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}],
                "chat": "c",
                "start": "2024-01-01T10:00:00",
                "contact": SECRET,
            }
        )
        for question, answer in pairs()
    ]
    for name, times in (("train", TIMES), ("validation", 1), ("test", 1)):
        (data / f"{name}.jsonl").write_text("\n".join(lines * times) + "\n", encoding="utf-8")
    parameters = read_parameters(data / "parameters.json", TrainingParameters)
    Trainer(parameters, data, folder / "results" / NAME, machine=CPU).train()
    edit_settings(folder / "results" / NAME, temperature=0.0, repetition_penalty=1.0, max_new_tokens=40)
    return folder


def dataset_in(folder: Path) -> Dataset:
    stages = {stage: folder / stage for stage in ("raw", "preprocessed", "results")}
    return find_dataset(Environment(**stages), "1", "results")


def evaluated(folder: Path, **options: Any) -> Likeness:
    dataset = dataset_in(folder)
    parameters = read_parameters(dataset.results / "parameters.json", GenerationParameters)
    return evaluate(dataset, dataset.results / "best", parameters, machine=CPU, **options)


def count_loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the functions that load one of the two models, as they are called."""
    loaded: list[str] = []

    def watched(name: str) -> Callable[..., Checkpoint]:
        load = getattr(checkpoint, name)

        def watch(*arguments: Any) -> Checkpoint:
            loaded.append(name)
            found: Checkpoint = load(*arguments)
            return found

        return watch

    for name in ("load_checkpoint", "load_base"):
        monkeypatch.setattr(checkpoint, name, watched(name))
    return loaded
