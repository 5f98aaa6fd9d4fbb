"""Guidance, no repeated sequences and min_p: the same in both engines, in batches and among few tokens."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_models import save_tiny_model

from selfchatbot.models import Machine
from selfchatbot.player.checkpoint import load_checkpoint
from selfchatbot.player.engines.batch import Batch
from selfchatbot.player.engines.guided_choice import choose
from selfchatbot.player.engines.protocol import Sampling
from selfchatbot.player.engines.sampling import guided, sample
from selfchatbot.player.engines.transformers import TransformersEngine
from selfchatbot.player.reply.repetition import repeating_tokens

CPU = Machine("cpu", torch.float32)
END = 2
BARE = (5, 9, 11)
PROMPTS = [[5, 9, 40, 41, 42, 43, 11], [5, 9, 60, 11], [5, 9, 70, 71, 72, 11]]


def sampling(**changes: object) -> Sampling:
    settings: dict[str, object] = {"temperature": 0.0, "top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0}
    settings |= {"max_new_tokens": 12, "end": END, "never": frozenset({0, 1}), "seed": 1}
    settings |= {"guidance": 1.0, "bare_prompt": BARE, "no_repeat_ngram_size": 3}
    return Sampling(**{**settings, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with random weights: likely and unlikely tokens after any prompt."""
    return save_tiny_model(tmp_path_factory.mktemp("random") / "best", spread=0.5)


@pytest.fixture(scope="module")
def engine(checkpoint: Path) -> TransformersEngine:
    return TransformersEngine(load_checkpoint(checkpoint, machine=CPU).model, 128)


def greedy_by_hand(engine: TransformersEngine, prompt: list[int], how: Sampling) -> list[int]:
    """Whole sequences are read anew for each token; the formula of `guided` in plain numbers."""
    model = engine._model
    reply: list[int] = []
    while len(reply) < how.max_new_tokens and reply[-1:] != [END]:
        with torch.inference_mode():
            own, bare = (
                model(input_ids=torch.tensor([[*start, *reply]])).logits[0, -1].log_softmax(-1)
                for start in (prompt, how.bare_prompt)
            )
        own, bare = own.clone(), bare.clone()
        own[[0, 1, *repeating_tokens(reply, how.no_repeat_ngram_size)]] = -torch.inf
        scores = own + how.guidance * (own - bare)
        scores[own.exp() < 0.01 * own.exp().max()] = -torch.inf
        reply.append(int(scores.argmax()))
    return reply


@pytest.mark.parametrize("guidance", [0.5, 2.0])
def test_guided_tokens_are_those_of_the_formula(engine: TransformersEngine, guidance: float) -> None:
    how = sampling(guidance=guidance)
    plain = sampling(guidance=0.0)
    found = [[token.id for token in engine.generate(prompt, how)] for prompt in PROMPTS]
    assert found == [greedy_by_hand(engine, prompt, how) for prompt in PROMPTS]
    assert found != [[token.id for token in engine.generate(prompt, plain)] for prompt in PROMPTS]
    twice = list(engine.generate(PROMPTS[0], how, count=2))
    assert [token.id for token in twice if token.candidate == 1] == found[0]


def test_a_batch_says_the_same(engine: TransformersEngine) -> None:
    batch = Batch(engine._model, PROMPTS, [list(BARE)] * len(PROMPTS))
    for how in (sampling(), sampling(guidance=0.0)):
        alone = [[token.id for token in engine.generate(prompt, how)] for prompt in PROMPTS]
        for last in (False, False):
            together = [reply.ids for reply in batch.replies(how, last=last)]
            assert together == [[token for token in ids if token != END] for ids in alone]


def test_llamacpp_says_the_same(checkpoint: Path, engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for the whole tiny vocabulary, as a model with random weights finds all of it plausible."""
    pytest.importorskip("xllamacpp")
    from selfchatbot.player.engines import llamacpp
    from selfchatbot.player.engines.llamacpp import LlamaCppEngine
    from selfchatbot.player.gguf_cache import checkpoint_gguf

    monkeypatch.setattr(llamacpp, "GUIDED_TOKENS", 1_000)
    other = LlamaCppEngine(checkpoint_gguf(checkpoint, quantization="f32"), 128, threads=1, exact=True)
    for how in (sampling(), sampling(guidance=0.0), sampling(guidance=0.0, temperature=1.0, top_p=0.9)):
        for prompt in PROMPTS:
            found = list(other.generate(prompt, how))
            ids = [token.id for token in found]
            assert len(ids) == how.max_new_tokens or ids[-1] == END
            assert all(ids[place] not in repeating_tokens(ids[:place], 3) for place in range(len(ids)))
            if how.temperature == 0:
                expected = list(engine.generate(prompt, how))
                assert ids == [token.id for token in expected]
                for one, twin in zip(found, expected, strict=True):
                    assert one.log_probability == pytest.approx(twin.log_probability, abs=3e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 0.7},
        {"temperature": 1.0, "top_p": 0.7},
        {"temperature": 1.5, "top_k": 3},
        {"temperature": 1.0, "min_p": 0.3, "repetition_penalty": 1.3},
    ],
)
def test_few_tokens_are_drawn_like_many(changes: dict[str, float]) -> None:
    """Plain Python against torch: 4,000 draws of each, as often within four standard errors."""
    how = sampling(**changes)
    generator = torch.Generator().manual_seed(3)
    own, bare = (torch.randn(1, 12, generator=generator) * 2).log_softmax(-1), torch.randn(1, 12, generator=generator)
    seen = torch.zeros(1, 12, dtype=torch.bool)
    seen[0, [3, 4]] = True
    preferred = guided(own, bare, how)
    count = 4_000
    by_torch = sample(preferred.repeat(count, 1), seen.repeat(count, 1), how, generator)
    rng, names = random.Random(5), range(12)
    values = dict(zip(names, own[0].tolist(), strict=True))
    others = dict(zip(names, bare.log_softmax(-1)[0].tolist(), strict=True))
    by_python = Counter(choose(values, others, how, [3, 4], (), rng) for _ in range(count))
    for token in names:
        share = int((by_torch == token).sum()) / count
        assert by_python[token] / count == pytest.approx(share, abs=4 * (2 * 0.25 / count) ** 0.5)


def test_nothing_left_to_say_ends_the_reply() -> None:
    assert choose({7: -1.0}, {7: -2.0}, sampling(), [], {7}, random.Random(0)) == END


def test_min_p_keeps_what_is_probable_enough() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    how = replace(sampling(temperature=1.0), min_p=0.35)
    drawn = sample(logits.repeat(500, 1), torch.zeros(500, 4, dtype=torch.bool), how, torch.Generator().manual_seed(0))
    assert set(drawn.tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("ids", "size", "found"),
    [
        ([7, 8, 9, 7, 8], 3, {9}),
        ([7, 8, 9, 7], 3, set()),
        ([7, 8, 9, 7, 8], 4, set()),
        ([1, 1, 1, 1, 1], 3, set()),
        ([1, 2, 1, 2, 1], 3, set()),
        ([1, 2, 3, 1, 2, 4, 1, 2], 3, {3, 4}),
        ([7, 8], 0, set()),
    ],
)
def test_what_would_repeat(ids: list[int], size: int, found: set[int]) -> None:
    """Laughter, of two tokens at most, may go on."""
    assert repeating_tokens(ids, size) == found
