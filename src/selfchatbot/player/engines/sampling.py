"""Samples the next token of one or several replies that are generated together."""

import math

import torch

from selfchatbot.player.engines.protocol import Sampling, Token
from selfchatbot.player.reply.repetition import repeating_tokens

SORTED_TOKENS = 1_024
"""The most probable tokens, which are sorted first for top_p; rarely are more needed."""


class Sampler:
    """Samples several replies step by step; a reply that has ended is dropped from the batch.

    ``logits``, shape (replies, vocabulary), are those of the first step.
    """

    def __init__(self, logits: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> None:
        self.last = torch.empty(0, dtype=torch.long, device=logits.device)
        """The tokens sampled last, of the replies that are still running; shape (rows,)."""
        self._replies = list(range(logits.shape[0]))
        """The number of the reply in each row."""
        self._ids: list[list[int]] = [[] for _ in self._replies]
        """The tokens of the reply in each row."""
        self._sampling = sampling
        self._generator = generator
        self._never = torch.tensor(sorted(sampling.never), dtype=torch.long, device=logits.device)
        self._seen = torch.zeros_like(logits, dtype=torch.bool)
        self._steps = 0

    def step(self, logits: torch.Tensor, bare_logits: torch.Tensor | None = None) -> list[Token]:
        """Sample one token for each row from ``logits``, shape (rows, vocabulary), which are overwritten.

        ``bare_logits`` are those after the prompt without the conversation, for guidance.
        """
        totals = logits.logsumexp(-1)
        logits[:, self._never] = -torch.inf
        if self._steps == 0 and not self._sampling.may_be_empty:
            logits[:, self._sampling.end] = -torch.inf
        self._steps += 1
        for row, ids in enumerate(self._ids):
            if repeating := repeating_tokens(ids, self._sampling.no_repeat_ngram_size):
                logits[row, sorted(repeating)] = -torch.inf
        preferred = logits if bare_logits is None else guided(logits, bare_logits, self._sampling)
        self.last = sample(preferred, self._seen, self._sampling, self._generator)
        for ids, token in zip(self._ids, self.last.tolist(), strict=True):
            ids.append(token)
        log_probabilities = logits.gather(-1, self.last[:, None])[:, 0] - totals
        return list(map(Token, self._replies, self.last.tolist(), log_probabilities.tolist()))

    def running(self) -> torch.Tensor | None:
        """The rows of the last step that continue, which are the rows of the next step; None if there are none."""
        if self._steps == self._sampling.max_new_tokens:
            return None
        running = (self.last != self._sampling.end).nonzero()[:, 0]
        if running.numel() == 0:
            return None
        self._seen.scatter_(1, self.last[:, None], True)
        if running.numel() < len(self._replies):
            self.last, self._seen = self.last[running], self._seen[running]
            self._replies = [self._replies[index] for index in running.tolist()]
            self._ids = [self._ids[index] for index in running.tolist()]
        return running


def guided(logits: torch.Tensor, bare_logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """The log-probabilities, not normalised, that prefer what the conversation makes more probable.

    Classifier-free guidance (Sanchez et al. 2023, "Stay on topic with Classifier-Free Guidance"): log p(token |
    conversation) + guidance * (log p(token | conversation) - log p(token | none)). As in contrastive decoding (Li et
    al. 2022), only tokens that are plausible in the conversation take part. All shapes are (rows, vocabulary).
    """
    own = logits.log_softmax(-1)
    plausible = own >= own.amax(-1, keepdim=True) + sampling.plausible
    return (own + sampling.guidance * (own - bare_logits.log_softmax(-1))).masked_fill(~plausible, -torch.inf)


def sample(logits: torch.Tensor, seen: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> torch.Tensor:
    """The next token of each reply, shape (replies,).

    ``logits`` and ``seen``, the tokens in the reply so far (bool), have shape (replies, vocabulary).
    """
    if sampling.repetition_penalty != 1:
        penalty = sampling.repetition_penalty
        logits = torch.where(seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits)
    if sampling.temperature == 0:
        return logits.argmax(-1)
    logits = logits / sampling.temperature
    tokens = None
    if sampling.top_k or sampling.top_p < 1:
        # Sorting the whole vocabulary takes as long as a layer of a small model.
        size = min(sampling.top_k or SORTED_TOKENS, logits.shape[-1])
        ordered, tokens = logits.topk(size)
        if sampling.top_p < 1:
            if not sampling.top_k:
                covered = (ordered.logsumexp(-1) - logits.logsumexp(-1)).exp()
                if bool((covered < sampling.top_p).any()):
                    ordered, tokens = logits.sort(descending=True)
            total = (ordered if sampling.top_k else logits).logsumexp(-1, keepdim=True)
            probabilities = (ordered - total).exp()
            beyond = probabilities.cumsum(-1) - probabilities >= sampling.top_p
            ordered = ordered.masked_fill(beyond, -torch.inf)
        logits = ordered
    if sampling.min_p:
        logits = logits.masked_fill(logits < logits.amax(-1, keepdim=True) + math.log(sampling.min_p), -torch.inf)
    # One random number per row: torch.multinomial draws one per token, which took a tenth of the time.
    cumulative = logits.softmax(-1).cumsum(-1)
    total = cumulative[:, -1:]
    point = torch.rand(total.shape, generator=generator, device=total.device) * total
    drawn = torch.searchsorted(cumulative, torch.minimum(point, total.nextafter(total.new_zeros(()))), right=True)
    return (drawn if tokens is None else tokens.gather(-1, drawn))[:, 0]
