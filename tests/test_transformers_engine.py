"""What the engine on torch reads, keeps and draws."""

import random
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import pytest
import torch
import transformers
from transformers import DynamicCache, PreTrainedModel

from selfchatbot.models import load_model
from selfchatbot.player.engines.kv_cache import (
    SPARE_TOKENS,
    GrowingLayer,
    cache_argument,
    new_cache,
    repeat,
    select_rows,
)
from selfchatbot.player.engines.likelihood import BATCH_TOKENS, PASS_TOKENS, _batches
from selfchatbot.player.engines.protocol import Sampling
from selfchatbot.player.engines.sampling import sample
from selfchatbot.player.engines.transformers import TransformersEngine

GREEDY = Sampling(0, 1, 0, 1, 5, -1, frozenset(), 0)


@pytest.fixture
def model(tiny_model: Path) -> PreTrainedModel:
    return load_model(str(tiny_model), torch.float32).eval()


def test_what_was_read_is_not_read_again(model: PreTrainedModel) -> None:
    engine = TransformersEngine(model, 512)
    read: list[int] = []
    forward = model.forward

    def noted(*args: object, **options: object) -> object:
        read.append(options["input_ids"].shape[1])  # type: ignore[attr-defined]
        return forward(*args, **options)

    model.forward = noted  # type: ignore[method-assign]
    prompt = list(range(20, 60))
    reply = [token.id for token in engine.generate(prompt, GREEDY)]
    assert read == [40, 1, 1, 1, 1]
    longer = [*prompt, *reply, 7, 8, 9]
    read.clear()
    after = [token.id for token in engine.generate(longer, GREEDY)]
    assert read[0] == 4  # the last token of the reply was never fed
    read.clear()
    other = [*prompt[:30], 99]  # something earlier was changed: /edit, /undo
    assert [token.id for token in engine.generate(other, GREEDY)] == fresh(model, other)
    assert read[0] == 1
    assert after == fresh(model, longer)


def fresh(model: PreTrainedModel, prompt: list[int]) -> list[int]:
    return [token.id for token in TransformersEngine(model, 512).generate(prompt, GREEDY)]


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("passes", [0, 1, 3])
def test_ctrl_c_while_it_reads_leaves_nothing_half_read(model: PreTrainedModel, layer: int, passes: int) -> None:
    """Stopped in any layer of any forward pass: the next reply is that of a new engine."""
    engine = TransformersEngine(model, 512)
    prompt = list(range(20, 60))
    prompt += [token.id for token in engine.generate(prompt, GREEDY)]
    left = passes

    def interrupt(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt

    hook = model.model.layers[layer].register_forward_pre_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        list(engine.generate([*prompt, 7, 8], GREEDY))
    hook.remove()
    longer = [*prompt, 7, 8, 9, 10, 11, 12]
    assert [token.id for token in engine.generate(longer, GREEDY)] == fresh(model, longer)


@torch.inference_mode()
def test_the_growing_cache_is_the_one_of_transformers(model: PreTrainedModel) -> None:
    """Whatever is done to it: logits are the same.

    `GrowingLayer` builds on internals of transformers. If this fails after an update, the version below changed them.
    """
    version = f"player/engines/kv_cache.py doesn't fit transformers {transformers.__version__}"
    rng = random.Random(0)
    ours, theirs = new_cache(model.config), DynamicCache(config=model.config)
    assert all(type(layer) is GrowingLayer for layer in ours.layers), version
    rows = 1

    def feed(length: int) -> None:
        ids = torch.tensor([[rng.randrange(10, 300) for _ in range(length)] for _ in range(rows)])
        name = cache_argument(model)
        one, other = (model(input_ids=ids, logits_to_keep=1, **{name: cache}).logits for cache in (ours, theirs))
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6, msg=lambda difference: f"{version}: {difference}")
        assert ours.get_seq_length() == theirs.get_seq_length(), version

    feed(17)
    for cache in (ours, theirs):
        repeat(cache, 4, model.device)
    rows = 4
    for _ in range(SPARE_TOKENS + 5):
        feed(1)
    for kept in ([0, 2, 3], [2, 0], [1]):
        for cache in (ours, theirs):
            select_rows(cache, torch.tensor(kept))
        rows = len(kept)
        feed(1)
        feed(3)
    before = deepcopy(ours)
    for cache in (ours, theirs):
        cache.crop(-20)
    feed(2)
    length = before.get_seq_length()
    assert length == ours.get_seq_length() + 18
    ours, theirs = before, DynamicCache([(layer.keys.clone(), layer.values.clone()) for layer in before.layers])
    feed(1)  # what was fed to the other one is not in the copy


@pytest.mark.parametrize(("top_k", "top_p"), [(0, 1.0), (5, 1.0), (0, 0.9)])
def test_tokens_are_drawn_as_often_as_they_are_probable(top_k: int, top_p: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 40, generator=generator) * 2
    logits[0, :3] = -torch.inf
    logits[0, 38:] = -torch.inf
    sampling = Sampling(0.8, top_p, top_k, 1, 5, 0, frozenset(), 0)
    rows = logits.expand(20_000, -1)
    drawn = sample(rows, torch.zeros_like(rows, dtype=torch.bool), sampling, generator)
    probable = (logits[0] / 0.8).softmax(-1)
    ordered, tokens = probable.sort(descending=True)
    kept = len(tokens)
    if top_k:
        kept = top_k
    elif top_p < 1:
        kept = int((ordered.cumsum(0) - ordered < top_p).sum())
    expected = torch.zeros(40)
    expected[tokens[:kept]] = ordered[:kept] / ordered[:kept].sum()
    found = drawn.bincount(minlength=40) / len(drawn)
    assert not found[expected == 0].any()
    assert (found - expected).abs().max() < 0.015  # four standard errors of a half


def test_what_is_impossible_is_never_drawn() -> None:
    """The first and the last token among them, however the numbers are rounded."""
    rows = torch.full((50_000, 9), -torch.inf)
    rows[:, [2, 6]] = 0.0
    sampling, generator = Sampling(1, 1, 0, 1, 5, 0, frozenset(), 0), torch.Generator().manual_seed(5)
    drawn = sample(rows, torch.zeros_like(rows, dtype=torch.bool), sampling, generator)
    assert set(drawn.tolist()) == {2, 6}


@pytest.mark.parametrize("seed", range(5))
def test_rows_are_divided_in_the_cheapest_way(seed: int) -> None:
    rng = random.Random(seed)
    lengths = [rng.randint(1, 40) for _ in range(9)]
    batches = _batches(lengths)
    assert sorted(row for batch in batches for row in batch) == list(range(9))
    cost = sum(PASS_TOKENS + max(lengths[row] for row in batch) * len(batch) for batch in batches)
    assert cost == min(costs(sorted(lengths, reverse=True)))
    assert sorted(_batches([BATCH_TOKENS + 1, 3])) == [[0], [1]]
    assert all(len(batch) * 40 <= BATCH_TOKENS for batch in _batches([40] * 64))


def costs(lengths: Sequence[int]) -> list[int]:
    """Of every way to divide them."""
    if not lengths:
        return [0]
    return [
        PASS_TOKENS + lengths[0] * end + rest for end in range(1, len(lengths) + 1) for rest in costs(lengths[end:])
    ]
