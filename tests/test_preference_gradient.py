"""What a step of a preference round computes: the gradient of DPO, pairs, which weights are the best."""

import math
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from varied_data import write_varied_data

from selfchatbot.chat_format import ChatFormat
from selfchatbot.models import Machine, load_model, load_tokenizer
from selfchatbot.parameters import TrainingParameters
from selfchatbot.trainer.memory_estimate import MemoryPlan
from selfchatbot.trainer.metrics import best_validation
from selfchatbot.trainer.preference_pairs import Pair, Replies
from selfchatbot.trainer.preference_round import BETA, SUPERVISED, PreferenceRound, log_probabilities, pair_accuracy
from selfchatbot.trainer.result import MOST_LOSS, Result, RoundEnd
from selfchatbot.trainer.updates import Updates

CPU = Machine("cpu", torch.float32)


@pytest.fixture
def data(tiny_model: Path, tmp_path: Path) -> Path:
    return write_varied_data(tmp_path / "data", tiny_model, epochs=1, preference_rounds=2)


@pytest.fixture
def chat_format(tiny_model: Path) -> ChatFormat:
    return ChatFormat(load_tokenizer(str(tiny_model)))


def updates_of(model: torch.nn.Module, micro_tokens: int = 100) -> Updates:
    memory = MemoryPlan(micro_tokens=micro_tokens, gradient_checkpointing=False, needed=0, available=2**40)
    return Updates(model, TrainingParameters(model="m", max_grad_norm=1e9), memory, CPU, Accelerator(cpu=True))


def test_the_gradient_is_that_of_dpo(data: Path, chat_format: ChatFormat, tiny_model: Path) -> None:
    """Against the definition, by autograd, one sequence at a time, all logits."""
    pairs = Replies(data / "train.jsonl", chat_format, 128).pairs(1, 10)
    model = load_model(str(tiny_model), torch.float32)
    updates = updates_of(model)
    reference = log_probabilities(updates, pairs, 128)
    with torch.no_grad():  # so that the model is no longer the reference
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))

    def log_probability(pair: Pair, reply: object) -> torch.Tensor:
        ids = torch.tensor([[*pair.prompt, *reply]])
        start = len(pair.prompt)
        scores = model(input_ids=ids).logits[0].log_softmax(-1)
        return scores[start - 1 : -1].gather(1, ids[0, start:, None]).sum()

    better = torch.stack([log_probability(pair, pair.chosen) for pair in pairs])
    worse = torch.stack([log_probability(pair, pair.rejected) for pair in pairs])
    margins = (better - reference[:, 0]) - (worse - reference[:, 1])
    preference_loss = -torch.nn.functional.logsigmoid(BETA * margins).mean()
    supervised = -better.sum() / sum(len(pair.chosen) for pair in pairs)
    (preference_loss + SUPERVISED * supervised).backward()
    expected = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()

    step = PreferenceRound(updates, pairs, reference.tolist(), 128).gradients(0)
    assert step.preference_loss == pytest.approx(preference_loss.item(), rel=1e-4)
    assert step.loss == pytest.approx(supervised.item(), rel=1e-4)
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-3, atol=1e-3 * gradient.abs().max().item())


def test_it_learns_to_prefer(data: Path, chat_format: ChatFormat, tiny_model: Path) -> None:
    pairs = Replies(data / "train.jsonl", chat_format, 128).pairs(1, 48)
    updates = updates_of(load_model(str(tiny_model), torch.float32), 1000)
    before = pair_accuracy(updates, pairs, 128)
    one = PreferenceRound(updates, pairs, log_probabilities(updates, pairs, 128).tolist(), 128)
    assert one.steps == 3
    first = one.gradients(0)
    assert first.preference_loss == pytest.approx(math.log(2), abs=1e-3)  # nothing has risen yet
    for step in range(60):
        one.gradients(step % one.steps)
        updates.apply(0.01)
    assert pair_accuracy(updates, pairs, 128) > before
    last = one.gradients(0)
    assert last.accuracy > 0.7
    assert last.preference_loss < first.preference_loss - 0.05


def test_pairs_are_found_again(data: Path, chat_format: ChatFormat, tiny_model: Path) -> None:
    """However micro-batches are cut, each score is that of its reply."""
    pairs = Replies(data / "train.jsonl", chat_format, 128).pairs(1, 5)
    updates = updates_of(load_model(str(tiny_model), torch.float32))

    def scores(some: list[Pair]) -> torch.Tensor:
        return log_probabilities(updates, some, 128)

    torch.testing.assert_close(scores(pairs), torch.cat([scores([pair]) for pair in pairs]), rtol=1e-5, atol=1e-5)


def test_what_becomes_best() -> None:
    def ended(accuracy: float, loss: float, best_accuracy: float = 0.7) -> bool:
        result = Result(base_loss=4.0)
        result.add_validation(10, 3.0, 4)
        better = result.add_round(RoundEnd(1, 20, 1.0, loss, accuracy, best_accuracy))
        assert (result.best_step, result.best_loss) == ((20, loss) if better else (10, 3.0))
        assert result.steps == 20
        return better

    assert ended(0.8, 3.0 + MOST_LOSS / 2)
    assert not ended(0.8, 3.0 + MOST_LOSS * 1.1)
    assert not ended(0.7, 2.9)
    assert not ended(float("nan"), 2.9, float("nan"))
    # Two rounds together may not cost more than one.
    result = Result(base_loss=4.0)
    result.add_validation(10, 3.0, 4)
    assert result.add_round(RoundEnd(1, 20, 1.0, 3.08, 0.8, 0.7))
    assert not result.add_round(RoundEnd(2, 30, 1.0, 3.16, 0.9, 0.8))
    assert result.best_step == 20


def test_the_best_validation_of_the_records() -> None:
    plain = [{"validation_loss": loss} for loss in (4.0, 3.1, 3.0, 3.2)]
    assert best_validation(plain) == 2
    ended = {"validation_loss": 2.9, "preference_round": 1}
    assert best_validation([*plain, ended | {"best": False}]) == 2
    assert best_validation([*plain, {**ended, "validation_loss": 3.05, "best": True}, ended | {"best": False}]) == 4
    assert best_validation(plain[:1]) == 0
