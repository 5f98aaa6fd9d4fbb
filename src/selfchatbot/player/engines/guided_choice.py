"""Chooses the next token among a few, with and without the conversation: what llama.cpp's server can't do itself.

In plain Python, as loading torch would take longer than the first reply. `selfchatbot.player.engines.sampling` is the
same for whole vocabularies, and a test compares them.
"""

import math
import random
from collections.abc import Collection, Mapping

from selfchatbot.player.engines.protocol import Sampling


def choose(
    own: Mapping[int, float],
    bare: Mapping[int, float],
    sampling: Sampling,
    seen: Collection[int],
    never: Collection[int],
    rng: random.Random,
) -> int:
    """One token of ``own``, the log-probabilities of the most probable tokens in the conversation (nats).

    ``bare`` has those without it; a token that is missing there counts as its least probable one. ``seen`` are the
    tokens of the reply so far. If all tokens are among ``never``, the reply ends.
    """
    allowed = {token: value for token, value in own.items() if token not in never}
    if not allowed:
        return sampling.end
    least = max(allowed.values()) + sampling.plausible
    lowest = min(bare.values())
    scores = {
        token: _penalised(value + sampling.guidance * (value - bare.get(token, lowest)), token in seen, sampling)
        for token, value in allowed.items()
        if value >= least
    }
    ordered = sorted(scores, key=lambda token: -scores[token])
    if not sampling.temperature:
        return ordered[0]
    ordered = ordered[: sampling.top_k or len(ordered)]
    best = scores[ordered[0]]
    weights = [math.exp((scores[token] - best) / sampling.temperature) for token in ordered]
    total, before, kept = sum(weights), 0.0, 0
    for weight in weights:
        if before >= sampling.top_p * total or weight < sampling.min_p:
            break
        before += weight
        kept += 1
    return rng.choices(ordered[:kept], weights[:kept])[0]


def _penalised(score: float, seen: bool, sampling: Sampling) -> float:
    if not seen:
        return score
    return score / sampling.repetition_penalty if score > 0 else score * sampling.repetition_penalty
