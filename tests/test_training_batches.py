"""Batches of windows: each token once, the same loss however they are cut."""

import json
from pathlib import Path

import pytest
import torch
from conftest import write_training_data
from test_trainer import train

from selfchatbot.chat_format import IGNORED
from selfchatbot.models import load_model
from selfchatbot.trainer.data import TokenBatches, collate, micro_batches
from selfchatbot.trainer.loss import LabelledLoss


def test_max_length_is_cut_to_the_model(tiny_base_model: Path, tmp_path: Path) -> None:
    data = write_training_data(tmp_path / "data", tiny_base_model, epochs=1, max_length=1000)
    train(data, tmp_path / "out")
    assert "cut to 256" in (tmp_path / "out" / "log.txt").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "out" / "parameters.json").read_text(encoding="utf-8"))["max_length"] == 256


def test_batches_hold_every_window_once_and_little_padding() -> None:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(20, 1000, (500,), generator=generator).tolist()
    batches = TokenBatches(lengths, 4096, seed=1)
    first, second = list(batches), None
    batches.set_epoch(1)
    second = list(batches)
    assert len(batches) == len(first) == len(second)
    assert first != second
    for epoch in (first, second):
        assert sorted(index for batch in epoch for index in batch) == list(range(500))
        padded = sum(max(lengths[index] for index in batch) * len(batch) for batch in epoch)
        assert all(max(lengths[index] for index in batch) * len(batch) <= 4096 for batch in epoch)
        assert sum(lengths) / padded > 0.95


def test_shapes_repeat_and_labels_stay(tiny_model: Path) -> None:
    """Each shape that is new costs memory where matrices are multiplied by compiled programs."""
    model = load_model(str(tiny_model), torch.float32).eval()
    shapes = set()
    model.get_output_embeddings().register_forward_hook(lambda _, inputs, __: shapes.add(inputs[0].shape))
    loss, found = LabelledLoss(model, 32), 0.0
    pieces = []
    for length in range(4, 100, 3):
        row = {"input_ids": list(range(3, length + 3)), "labels": [IGNORED, *range(4, length + 3)]}
        (piece,) = micro_batches(collate([row], 100), 512, multiple=32)
        pieces.append(piece)
        labels = piece["labels"][piece["labels"] != IGNORED]
        assert labels.tolist() == row["labels"][1:]
        with torch.no_grad():
            found += loss(model, piece).item()
    assert {piece["input_ids"].shape for piece in pieces} == {(1, width) for width in (32, 64, 96, 100)}
    assert shapes == {(labels, model.config.hidden_size) for labels in (32, 64, 96)}
    with torch.no_grad():
        expected = sum(LabelledLoss(model)(model, piece).item() for piece in pieces)
    assert found == pytest.approx(expected, rel=1e-5)


def test_a_window_has_the_same_loss_alone_and_in_any_batch(tiny_model: Path) -> None:
    model = load_model(str(tiny_model), torch.float32).eval()
    generator = torch.Generator().manual_seed(0)
    rows = []
    for length in (5, 60, 33, 12):
        ids = torch.randint(3, 300, (length,), generator=generator).tolist()
        rows.append({"input_ids": ids, "labels": [IGNORED] * 3 + ids[3:]})
    loss = LabelledLoss(model)
    with torch.no_grad():
        alone = sum(loss(model, collate([row])).item() for row in rows)
        together = loss(model, collate(rows)).item()
        pieces = sum(loss(model, piece).item() for piece in micro_batches(collate(rows), 64))
    assert together == pytest.approx(alone, rel=1e-5)
    assert pieces == pytest.approx(alone, rel=1e-5)
