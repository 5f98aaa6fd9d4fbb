"""Options of training: what counts how much, kinds of adapters, noise. Each does what it says, and nothing else."""

import json
from datetime import datetime
from itertools import groupby
from pathlib import Path

import pytest
import torch
from conftest import write_training_data
from test_trainer import train, validation_loss_by_hand

from selfchatbot.chat_format import IGNORED, ChatFormat
from selfchatbot.errors import SelfChatBotError
from selfchatbot.messages import read_conversations
from selfchatbot.models import load_model, load_tokenizer
from selfchatbot.trainer.data import as_dataset, collate, micro_batches
from selfchatbot.trainer.loss import LabelledLoss
from selfchatbot.trainer.token_weights import recency, with_weights

DAYS = (0, 10, 40)


@pytest.fixture
def data(tiny_model: Path, tmp_path: Path) -> Path:
    """Three conversations of some days' distance with replies of very different length; all of them are one step."""
    folder = write_training_data(
        tmp_path / "data", tiny_model, epochs=1, batch_size=100, lora_dropout=0.0, warmup_ratio=0.0
    )
    lines = []
    for day in DAYS:
        messages = []
        for reply in ("ok", "haha yeah\nit's raining again, don't forget your umbrella 😀", "see you" * (day + 1)):
            messages += [{"role": "user", "content": "how are you?"}, {"role": "assistant", "content": reply}]
        start = datetime.fromordinal(738_000 + day).isoformat()
        lines.append(json.dumps({"messages": messages, "start": start}))
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def weighted_loss_by_hand(
    model: torch.nn.Module, data: Path, half_life: float | None, per_reply: bool
) -> tuple[torch.Tensor, int]:
    """The plain way: windows alone, all logits, the weights from the definition; a sum, and how many are trained."""
    tokenizer = load_tokenizer(str(model.config.name_or_path))
    conversations = list(read_conversations(data / "train.jsonl"))
    losses, weights = [], []
    for number, conversation in enumerate(conversations):
        age = DAYS[-1] - DAYS[number]
        for window in ChatFormat(tokenizer).windows([conversation], 128):
            ids, labels = torch.tensor([window.input_ids]), torch.tensor(window.labels)
            logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
            losses.append(torch.nn.functional.cross_entropy(logits[:-1], labels[1:], reduction="none"))
            for trained, run in groupby(window.labels[1:], lambda label: label != IGNORED):
                length = len(list(run))
                weight = (1 / length if per_reply else 1) * (1 if half_life is None else 2 ** (-age / half_life))
                weights += [weight if trained else 0.0] * length
    weight = torch.tensor(weights)
    trained_tokens = int(weight.ne(0).sum())
    return (torch.cat(losses) * weight).sum() * trained_tokens / weight.sum(), trained_tokens


@pytest.mark.parametrize(("half_life", "per_reply"), [(15.0, False), (None, True), (15.0, True)])
def test_the_gradient_is_that_of_the_weighted_sum(half_life: float | None, per_reply: bool, data: Path) -> None:
    name = json.loads((data / "parameters.json").read_text(encoding="utf-8"))["model"]
    model = load_model(name, torch.float32)
    conversations = list(read_conversations(data / "train.jsonl"))
    windows = as_dataset(ChatFormat(load_tokenizer(name)).windows(conversations, 128))
    assert len(windows) > len(DAYS)  # a long one is cut
    starts = [datetime.fromordinal(738_000 + day) for day in DAYS]
    weighted = with_weights(windows, None if half_life is None else recency(starts, half_life), per_reply)
    expected, trained_tokens = weighted_loss_by_hand(model, data, half_life, per_reply)
    expected.backward()
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    total = 0.0
    for piece in micro_batches(collate(list(weighted), 128), 256, multiple=32):
        loss = LabelledLoss(model, 32)(model, piece)
        loss.backward()
        total += loss.item()
    assert total == pytest.approx(expected.item(), rel=1e-5)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-4 * gradient.abs().max().item())
    assert sum(map(sum, weighted["weights"])) == pytest.approx(trained_tokens, rel=1e-5)


@pytest.mark.parametrize(
    "options", [{"recency_half_life": 15.0}, {"loss_per": "reply"}, {"recency_half_life": 15.0, "loss_per": "reply"}]
)
def test_a_run_trains_the_weighted_loss_and_validates_the_plain_one(
    options: dict, data: Path, tiny_model: Path, tmp_path: Path
) -> None:
    result = train(data, tmp_path / "out", **options)
    model = load_model(str(tiny_model), torch.float32)
    expected, trained_tokens = weighted_loss_by_hand(
        model, data, options.get("recency_half_life"), options.get("loss_per") == "reply"
    )
    lines = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").open(encoding="utf-8")]
    (first,) = [line["loss"] for line in lines if "loss" in line]
    assert first == pytest.approx(expected.item() / trained_tokens, rel=1e-4)
    plain = validation_loss_by_hand(model, load_tokenizer(str(tiny_model)), data)
    assert result.base_loss == pytest.approx(plain, abs=1e-4)


def test_recency_needs_times(data: Path, tmp_path: Path) -> None:
    text = (data / "train.jsonl").read_text(encoding="utf-8")
    (data / "train.jsonl").write_text(text + '{"messages": []}\n', encoding="utf-8")
    with pytest.raises(SelfChatBotError, match=r"train\.jsonl, line 4"):
        train(data, tmp_path / "out", recency_half_life=1.0)
    (data / "train.jsonl").write_text(text.replace('"start"', '"begin"'), encoding="utf-8")
    with pytest.raises(SelfChatBotError, match=r'train\.jsonl, line 1: expected "start"'):
        train(data, tmp_path / "out", recency_half_life=1.0)


@pytest.mark.parametrize(("method", "option"), [("lora", "dora"), ("lora", "rslora"), ("qlora", "dora")])
def test_adapters_of_other_kinds_learn_and_load(method: str, option: str, tiny_model: Path, tmp_path: Path) -> None:
    from peft import AutoPeftModelForCausalLM

    data = write_training_data(tmp_path / "data", tiny_model, epochs=3, type_fine_tune=method, **{option: True})
    result = train(data, tmp_path / "out")
    assert result.best_loss < result.base_loss - 0.3
    best = tmp_path / "out" / "best"
    assert json.loads((best / "adapter_config.json").read_text(encoding="utf-8"))[f"use_{option}"] is True
    model = AutoPeftModelForCausalLM.from_pretrained(best)
    loss = validation_loss_by_hand(model, load_tokenizer(str(best)), data)
    # QLoRA was trained on a base model in 4 bits, and is loaded with one in 32.
    assert loss == pytest.approx(result.best_loss, abs=1e-4 if method == "lora" else 0.05)


def test_noise_is_in_training_only(data: Path, tmp_path: Path) -> None:
    from peft import AutoPeftModelForCausalLM

    results, losses = [], []
    for alpha in (None, 5.0):
        output = tmp_path / str(alpha)
        results.append(train(data, output, neftune_alpha=alpha))
        lines = [json.loads(line) for line in (output / "metrics.jsonl").open(encoding="utf-8")]
        losses.append([line["loss"] for line in lines if "loss" in line])
    assert results[0].base_loss == results[1].base_loss
    assert losses[0] != losses[1]
    best = tmp_path / "5.0" / "best"
    loss = validation_loss_by_hand(AutoPeftModelForCausalLM.from_pretrained(best), load_tokenizer(str(best)), data)
    assert loss == pytest.approx(results[1].best_loss, abs=1e-4)
