"""Training: the loss is exact, what is saved loads, the same seed gives the same losses, nothing is lost."""

import gc
import json
import math
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import WORDS, write_training_data

from selfchatbot.chat_format import IGNORED, ChatFormat
from selfchatbot.errors import SelfChatBotError
from selfchatbot.messages import read_conversations
from selfchatbot.models import Machine, load_config, load_model, load_tokenizer
from selfchatbot.parameters import TrainingParameters, read_parameters
from selfchatbot.trainer import Result, Trainer
from selfchatbot.trainer.data import Batch
from selfchatbot.trainer.loss import LabelledLoss
from selfchatbot.trainer.model_setup import add_embedding_noise, trainable_model
from selfchatbot.trainer.schedule import peak_rate, rate_factor

CPU = Machine("cpu", torch.float32)


def train(data: Path, output: Path, **changes: object) -> Result:
    parameters = read_parameters(data / "parameters.json", TrainingParameters).model_copy(update=changes)
    return Trainer(parameters, data, output, machine=CPU).train()


def validation_loss_by_hand(model: torch.nn.Module, tokenizer: object, data: Path) -> float:
    return loss_by_hand(model, tokenizer, data / "validation.jsonl")


def loss_by_hand(model: torch.nn.Module, tokenizer: object, path: Path) -> float:
    """The plain way: one window at a time, all logits, transformers' own loss."""
    total, count = 0.0, 0
    conversations = read_conversations(path)
    for window in ChatFormat(tokenizer).windows(conversations, 128):
        ids, labels = torch.tensor([window.input_ids]), torch.tensor([window.labels])
        with torch.no_grad():
            loss = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss
        trained = int(labels.ne(IGNORED).sum())
        total += loss.item() * trained
        count += trained
    return total / count


@pytest.mark.parametrize("method", ["lora", "fine_tune", "qlora"])
def test_each_method_learns_and_its_checkpoints_load(method: str, tiny_model: Path, tmp_path: Path) -> None:
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    data = write_training_data(tmp_path / "data", tiny_model, epochs=4, type_fine_tune=method)
    result = train(data, tmp_path / "out")
    assert result.best_loss < result.base_loss - 0.5
    for name in ("best", "final"):
        folder = tmp_path / "out" / name
        files = {path.name for path in folder.iterdir()}
        assert "tokenizer.json" in files
        assert not any(path.endswith((".bin", ".pt", ".pkl")) for path in files)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        assert "<|im_start|>" in tokenizer.chat_template
        if method == "fine_tune":
            model = AutoModelForCausalLM.from_pretrained(folder)
        else:
            model = AutoPeftModelForCausalLM.from_pretrained(folder)
        if name == "best" and method != "qlora":  # there the base model was trained in 4 bits and is loaded in 32
            assert validation_loss_by_hand(model, tokenizer, data) == pytest.approx(result.best_loss, abs=1e-4)


def test_the_base_loss_is_exact_and_a_base_model_without_template_trains(tiny_base_model: Path, tmp_path: Path) -> None:
    data = write_training_data(tmp_path / "data", tiny_base_model, epochs=2)
    result = train(data, tmp_path / "out")
    base = load_model(str(tiny_base_model), torch.float32)
    expected = validation_loss_by_hand(base, load_tokenizer(str(tiny_base_model)), data)
    assert result.base_loss == pytest.approx(expected, abs=1e-4)
    assert result.best_loss < result.base_loss


def test_same_seed_same_losses_and_another_seed_others(tiny_model: Path, tmp_path: Path) -> None:
    data = write_training_data(tmp_path / "data", tiny_model, epochs=1)

    def losses(name: str, seed: int) -> list[float]:
        train(data, tmp_path / name, seed=seed)
        lines = (tmp_path / name / "metrics.jsonl").read_text(encoding="utf-8").strip().split("\n")
        return [record.get("loss", record.get("validation_loss")) for record in map(json.loads, lines)]

    first = losses("a", 1)
    assert first == losses("b", 1)
    assert first != losses("c", 2)


@pytest.mark.parametrize(
    ("given", "method", "width", "steps", "rate"),
    [
        (None, "lora", 576, 60, 2e-3),
        (None, "qlora", 4096, 60, 2e-3 * (576 / 4096) ** 0.781),
        (None, "fine_tune", 576, 60, 2e-4),
        (None, "lora", 64, 10, 2e-3),
        (None, "lora", 576, 240, 2e-3 * 0.25**0.32),
        (1e-4, "lora", 4096, 240, 1e-4),
    ],
)
def test_the_learning_rate_is_that_of_method_width_and_length_or_the_given_one(
    given: float | None, method: str, width: int, steps: int, rate: float, tiny_model: Path
) -> None:
    config = load_config(str(tiny_model))
    config.hidden_size = width
    parameters = TrainingParameters(model="m", type_fine_tune=method, learning_rate=given)
    assert peak_rate(parameters, config, steps) == pytest.approx(rate)


def test_the_rate_rises_stays_and_falls_to_zero_where_training_ends(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def factors(steps: int, warmup: float, cooldown: float) -> list[float]:
        assert rate_factor(steps, steps, warmup, cooldown or 1) == 0.0
        return [rate_factor(step, steps, warmup, cooldown) for step in range(steps)]

    assert factors(10, 0.2, 0.4) == pytest.approx([0.5, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])
    assert factors(4, 0.0, 0.0) == [1, 1, 1, 1]
    assert factors(1, 0.05, 0.4) == [1]
    assert factors(4, 0.0, 1.0) == pytest.approx([1, 0.75, 0.5, 0.25])

    used = []
    step = torch.optim.AdamW.step

    def noted(self: torch.optim.AdamW, *arguments: Any) -> Any:
        used.append({group["lr"] for group in self.param_groups})
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", noted)
    result = train(write_training_data(tmp_path / "data", tiny_model, epochs=1.5, cooldown_ratio=0.3), tmp_path / "r")
    assert used == [{0.01 * rate_factor(step, result.steps, 0.05, 0.3)} for step in range(result.steps)]


def test_the_optimizer_is_adamw_without_decay_of_vectors(tiny_model: Path) -> None:
    """Against the definition (Loshchilov & Hutter 2019, algorithm 2), with a decay that shows."""
    from selfchatbot.trainer.model_setup import adamw

    model = load_model(str(tiny_model), torch.float32)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = adamw(model, TrainingParameters(model="m", weight_decay=0.5), CPU)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    optimizer.step()
    for name, parameter in model.named_parameters():
        decay = 0.0 if parameter.ndim == 1 else 0.5
        gradient = parameter.grad
        # After one step, both moments divided by their biases are the gradient and its square.
        expected = before[name] * (1 - 0.1 * decay) - 0.1 * gradient / (gradient.abs() + 1e-8)
        torch.testing.assert_close(parameter.detach(), expected, rtol=1e-4, atol=1e-5)


def test_embedding_noise_has_its_size_and_is_for_training_only(tiny_model: Path) -> None:
    model = load_model(str(tiny_model), torch.float32)
    embeddings = model.get_input_embeddings()
    ids = torch.randint(3, 300, (64, 25), generator=torch.Generator().manual_seed(0))
    plain = embeddings(ids)
    add_embedding_noise(model, 5.0)
    bound = 5.0 / math.sqrt(25 * 32)
    noise = embeddings.train()(ids) - plain
    assert noise.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert noise.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.01)  # of a uniform distribution
    assert torch.equal(embeddings.eval()(ids), plain)


def test_a_run_without_a_learning_rate_learns(tiny_model: Path, tmp_path: Path) -> None:
    data = write_training_data(tmp_path / "data", tiny_model, epochs=5, learning_rate=None)
    result = train(data, tmp_path / "results")
    assert result.best_loss < result.base_loss - 0.01
    report = (tmp_path / "results" / "report.md").read_text(encoding="utf-8")
    assert result.steps > 60
    assert f"| learning\\_rate | {2e-3 * (60 / result.steps) ** 0.32} |" in report


def test_what_a_run_leaves_behind(tiny_model: Path, tmp_path: Path) -> None:
    data = write_training_data(tmp_path / "data", tiny_model, epochs=1)
    result = train(data, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("best", "final", "parameters.json", ".parameters.written.json", "metrics.jsonl", "loss.png", "log.txt"),
        *("report.md", "run.json", ".training.lock"),
    }
    assert (tmp_path / "out" / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert "umbrella" not in (tmp_path / "out" / "log.txt").read_text(encoding="utf-8")
    records = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").open(encoding="utf-8")]
    validations = [record for record in records if "validation_loss" in record]
    assert validations[0]["step"] == 0 and validations[-1]["step"] == result.steps
    assert min(record["validation_loss"] for record in validations[1:]) == result.best_loss


def test_the_memory_of_the_model_is_given_back(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command keeps the trainer while it loads the model again, to choose the sampling."""
    made: list[weakref.ref[torch.nn.Module]] = []

    def followed(*arguments: Any) -> torch.nn.Module:
        model = trainable_model(*arguments)
        made.append(weakref.ref(model))
        return model

    monkeypatch.setattr("selfchatbot.trainer.trainer.trainable_model", followed)
    data = write_training_data(tmp_path / "data", tiny_model, epochs=0.1)
    trainer = Trainer(
        read_parameters(data / "parameters.json", TrainingParameters), data, tmp_path / "out", machine=CPU
    )
    trainer.train()
    gc.collect()
    assert [model() for model in made] == [None]


def test_early_stopping_keeps_the_best(tiny_model: Path, tmp_path: Path) -> None:
    # The replies that validate are never trained: once the others are learned by heart, these become unlikely.
    options = {"type_fine_tune": "fine_tune", "epochs": 8, "evaluations_per_epoch": 4}
    data = write_training_data(tmp_path / "data", tiny_model, early_stopping_patience=2, **options)
    text = (data / "validation.jsonl").read_text(encoding="utf-8")
    text = text.replace(json.dumps(WORDS), '"ok cool, see you at 7 or 8"')
    (data / "validation.jsonl").write_text(text, encoding="utf-8")
    result = train(data, tmp_path / "out")
    assert result.stopped_early
    assert result.best_step < result.steps
    best, tokenizer = load_model(str(tmp_path / "out" / "best"), torch.float32), load_tokenizer(str(tiny_model))
    assert validation_loss_by_hand(best, tokenizer, data) == pytest.approx(result.best_loss, abs=1e-4)


def test_a_step_in_pieces_has_the_same_gradient(tiny_model: Path, tmp_path: Path) -> None:
    """What a lack of memory leads to changes nothing but the time."""
    data = write_training_data(tmp_path / "data", tiny_model, epochs=2, batch_size=4, lora_dropout=0.0)
    whole = train(data, tmp_path / "whole")
    original = LabelledLoss.__call__
    sizes: list[int] = []

    def out_of_memory_once(self: LabelledLoss, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        if model.training:
            sizes.append(batch["input_ids"].numel())
            if len(sizes) == 1:
                raise torch.OutOfMemoryError("CUDA out of memory.")
        return original(self, model, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LabelledLoss, "__call__", out_of_memory_once)
        pieces = train(data, tmp_path / "pieces")
    assert 256 < sizes[0] <= 512 and max(sizes[1:]) <= 256
    assert pieces.best_loss == pytest.approx(whole.best_loss, abs=1e-3)
    assert "out of memory" in (tmp_path / "pieces" / "log.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_other_number_formats_learn_in_the_same_process(dtype: torch.dtype, tiny_model: Path, tmp_path: Path) -> None:
    """With float16, gradients are scaled; neither format is that of the trainings before."""
    data = write_training_data(tmp_path / "data", tiny_model, epochs=2)
    parameters = read_parameters(data / "parameters.json", TrainingParameters)
    in_float32 = train(data, tmp_path / "float32")
    result = Trainer(parameters, data, tmp_path / "out", machine=Machine("cpu", dtype)).train()
    assert result.base_loss == pytest.approx(in_float32.base_loss, abs=0.02)
    assert result.base_loss != in_float32.base_loss
    assert result.best_loss == pytest.approx(in_float32.best_loss, abs=0.2)
    assert result.best_loss < result.base_loss - 0.3


def test_a_model_that_gives_no_numbers_is_said(tiny_model: Path, tmp_path: Path) -> None:
    broken = load_model(str(tiny_model), torch.float32)
    with torch.no_grad():
        broken.get_input_embeddings().weight.fill_(math.nan)
    broken.save_pretrained(tmp_path / "broken")
    load_tokenizer(str(tiny_model)).save_pretrained(tmp_path / "broken")
    data = write_training_data(tmp_path / "data", tmp_path / "broken")
    with pytest.raises(SelfChatBotError, match=r"computes no numbers.*use another model"):
        train(data, tmp_path / "out")


@pytest.mark.parametrize(
    ("rate", "epochs", "evaluations", "said"),
    [
        (1e38, 1, 1, "the loss is (nan|inf) at step 2"),
        (1e38, 1, 1000, "the validation loss is (nan|inf) at step 1,"),
        (1e38, 0.01, 1, "the validation loss is (nan|inf) at step 1,"),
        (1.0, 1, 10, r"the validation loss is \d+\.\d+ at step 2,"),
    ],
    ids=["training", "validation", "last step", "far above the base model"],
)
def test_a_run_that_diverges_is_stopped(
    rate: float, epochs: float, evaluations: int, said: str, tiny_model: Path, tmp_path: Path
) -> None:
    data = write_training_data(tmp_path / "data", tiny_model, type_fine_tune="fine_tune")
    with pytest.raises(SelfChatBotError, match=f"{said}.*lower learning_rate.*with --restart"):
        train(data, tmp_path / "out", learning_rate=rate, epochs=epochs, evaluations_per_epoch=evaluations)
    assert not (tmp_path / "out" / "best").exists()
    assert not (tmp_path / "out" / "final").exists()
    assert (tmp_path / "out" / "report.md").exists()
