"""Which token comes next: one for each of some replies that are made at once."""

import torch

from selfchatbot.player.engines.protocol import Sampling, Token

LIKELIEST = 1_024
"""Tokens that are sorted first to find the likeliest of a total probability."""


class Choosing:
    """The tokens of several replies, step by step; a reply that has ended costs no more.

    ``logits``, shape (replies, vocabulary), are those of the first step.
    """

    def __init__(self, logits: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> None:
        self.last = torch.empty(0, dtype=torch.long, device=logits.device)
        """The tokens that were chosen last, of those replies that go on; shape (rows,)."""
        self._rows = list(range(logits.shape[0]))
        """The reply of each row."""
        self._sampling = sampling
        self._generator = generator
        self._never = torch.tensor(sorted(sampling.never), dtype=torch.long, device=logits.device)
        self._said = torch.zeros_like(logits, dtype=torch.bool)
        self._steps = 0

    def step(self, logits: torch.Tensor) -> list[Token]:
        """One more token for each row; ``logits``, shape (rows, vocabulary), are used up."""
        totals = logits.logsumexp(-1)
        logits[:, self._never] = -torch.inf
        if self._steps == 0 and not self._sampling.may_be_empty:
            logits[:, self._sampling.end] = -torch.inf
        self._steps += 1
        self.last = choose(logits, self._said, self._sampling, self._generator)
        told = logits.gather(-1, self.last[:, None])[:, 0] - totals
        return list(map(Token, self._rows, self.last.tolist(), told.tolist()))

    def left(self) -> torch.Tensor | None:
        """The rows of the last step that go on, None where there are none; the next step has these only."""
        if self._steps == self._sampling.max_new_tokens:
            return None
        left = (self.last != self._sampling.end).nonzero()[:, 0]
        if left.numel() == 0:
            return None
        self._said.scatter_(1, self.last[:, None], True)
        if left.numel() < len(self._rows):
            self.last, self._said = self.last[left], self._said[left]
            self._rows = [self._rows[index] for index in left.tolist()]
        return left


def choose(logits: torch.Tensor, said: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> torch.Tensor:
    """The next token of each candidate, shape (candidates,), from logits and marks, both (candidates, vocabulary)."""
    if sampling.repetition_penalty != 1:
        penalty = sampling.repetition_penalty
        logits = torch.where(said, torch.where(logits > 0, logits / penalty, logits * penalty), logits)
    if sampling.temperature == 0:
        return logits.argmax(-1)
    logits = logits / sampling.temperature
    tokens = None
    if sampling.top_k or sampling.top_p < 1:
        # To sort the whole vocabulary takes as long as a layer of a small model; the likeliest are mostly enough.
        size = min(sampling.top_k or LIKELIEST, logits.shape[-1])
        ordered, tokens = logits.topk(size)
        if sampling.top_p < 1:
            if not sampling.top_k:
                within = (ordered.logsumexp(-1) - logits.logsumexp(-1)).exp()
                if bool((within < sampling.top_p).any()):
                    ordered, tokens = logits.sort(descending=True)
            total = (ordered if sampling.top_k else logits).logsumexp(-1, keepdim=True)
            probabilities = (ordered - total).exp()
            beyond = probabilities.cumsum(-1) - probabilities >= sampling.top_p
            ordered = ordered.masked_fill(beyond, -torch.inf)
        logits = ordered
    # One random number a row: torch.multinomial draws one for every token, which took a tenth of the time.
    cumulative = logits.softmax(-1).cumsum(-1)
    total = cumulative[:, -1:]
    point = torch.rand(total.shape, generator=generator, device=total.device) * total
    drawn = torch.searchsorted(cumulative, torch.minimum(point, total.nextafter(total.new_zeros(()))), right=True)
    return (drawn if tokens is None else tokens.gather(-1, drawn))[:, 0]
