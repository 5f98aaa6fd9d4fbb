"""Any causal model of the hub: every family trains, fully and with adapters, by transformers' own loss, and replies."""

import json
from pathlib import Path

import pytest
import torch
from conftest import write_training_data
from test_trainer import CPU, loss_by_hand, train
from tiny_families import FAMILIES

from selfchatbot.chat_format import IGNORED, ChatFormat
from selfchatbot.models import load_model, load_tokenizer
from selfchatbot.parameters import GenerationParameters
from selfchatbot.player import Player
from selfchatbot.player.engines.protocol import Sampling
from selfchatbot.player.engines.select import load_engine
from selfchatbot.trainer.data import collate, micro_batches
from selfchatbot.trainer.loss import LabelledLoss

QUESTION = [{"role": "user", "content": "hey, how are you?"}]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model."""
    return FAMILIES[request.param].save(request.param, tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("method", ["fine_tune", "lora"])
def test_trains_and_replies(method: str, family: Path, tmp_path: Path) -> None:
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM

    options = {"epochs": 2, "batch_size": 100, "learning_rate": 0.002, "lora_dropout": 0.0, "warmup_ratio": 0.0}
    data = write_training_data(tmp_path / "data", family, type_fine_tune=method, **options)
    result = train(data, tmp_path / "out")
    base, tokenizer = load_model(str(family), torch.float32), load_tokenizer(str(family))
    assert result.steps == 2
    assert result.base_loss == pytest.approx(loss_by_hand(base, tokenizer, data / "validation.jsonl"), abs=1e-4)
    records = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").open(encoding="utf-8")]
    first, second = [record["loss"] for record in records if "loss" in record]
    assert first == pytest.approx(loss_by_hand(base, tokenizer, data / "train.jsonl"), abs=1e-4)
    assert second < first
    best = tmp_path / "out" / "best"
    auto = AutoModelForCausalLM if method == "fine_tune" else AutoPeftModelForCausalLM
    model, tokenizer = auto.from_pretrained(best).eval(), load_tokenizer(str(best))
    assert result.best_loss == pytest.approx(loss_by_hand(model, tokenizer, data / "validation.jsonl"), abs=1e-4)
    greedy = GenerationParameters(model=str(family), temperature=0.0, max_new_tokens=12)
    assert isinstance(Player(best, greedy, CPU).reply(QUESTION), str)
    loaded = load_engine(best, greedy, CPU, "transformers")
    prompt, end = loaded.chat_format.prompt(QUESTION, 200), loaded.chat_format.end
    never = loaded.chat_format.special - {end}
    ids = torch.tensor([prompt])
    (expected,) = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=12,
        do_sample=False,
        eos_token_id=end,
        suppress_tokens=sorted(never) or None,
    )
    sampling = Sampling(0.0, 1.0, 0, 1.0, 12, end, frozenset(never))
    for _ in range(2):  # the second time from what was read before
        assert [token.id for token in loaded.engine.generate(prompt, sampling)] == expected[len(prompt) :].tolist()


def test_a_conversation_is_the_same_alone_and_in_any_batch(family: Path) -> None:
    """Without any attention mask: logits, loss and gradient, also where attention slides."""
    model = load_model(str(family), torch.float32).train()
    generator = torch.Generator().manual_seed(0)
    rows = []
    for length in (5, 60, 33, 12):
        ids = torch.randint(10, 300, (length,), generator=generator).tolist()
        rows.append({"input_ids": ids, "labels": [IGNORED] * 3 + ids[3:]})
    expected = 0.0
    for row in rows:
        ids, labels = torch.tensor([row["input_ids"]]), torch.tensor([row["labels"]])
        output = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels)
        row["logits"] = output.logits[0].detach()
        (output.loss * (ids.shape[1] - 3)).backward()
        expected += output.loss.item() * (ids.shape[1] - 3)
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    for tokens, width, multiple in ((1000, 0, 1), (64, 0, 1), (64, 100, 16)):
        model.zero_grad(set_to_none=True)
        total = 0.0
        for piece in micro_batches(collate(rows, width), tokens, multiple=multiple):
            together = model(input_ids=piece["input_ids"], use_cache=False).logits
            for ids, logits in zip(piece["input_ids"].tolist(), together, strict=True):
                (alone,) = [row for row in rows if row["input_ids"] == ids[: len(row["input_ids"])]]
                torch.testing.assert_close(logits[: len(alone["input_ids"])], alone["logits"], rtol=1e-4, atol=1e-5)
            loss = LabelledLoss(model, multiple)(model, piece)
            loss.backward()
            total += loss.item()
        assert total == pytest.approx(expected, rel=1e-5)
        for name, parameter in model.named_parameters():
            tolerance = 1e-5 * gradients[name].abs().max().item()
            torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-4, atol=tolerance)


def test_the_end_of_a_turn_is_trained_whatever_pads(family: Path) -> None:
    chat_format = ChatFormat(load_tokenizer(str(family)))
    reply = {"role": "assistant", "content": "haha yeah\nno 😀"}
    (window,) = chat_format.windows([[*QUESTION, reply]], 256)
    trained = [label for label in window.labels if label != IGNORED]
    assert trained[-1] == chat_format.end == window.input_ids[-1]
    assert chat_format.reply(trained) == reply["content"]
    batch = collate([window._asdict(), {"input_ids": [1] * 200, "labels": [IGNORED] * 200}])
    assert int(batch["labels"].ne(IGNORED).sum()) == len(trained)
