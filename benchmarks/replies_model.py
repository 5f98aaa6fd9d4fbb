"""What benchmarks/replies.py generates: replies with different sampling, the choice among candidates, retrieval."""

import random
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

SAMPLINGS: dict[str, tuple[str, float]] = {
    "default": ("", 0.0),
    "top_p 0.98": ("top_p", 0.98),
    "min_p 0.02": ("min_p", 0.02),
    "min_p 0.05": ("min_p", 0.05),
    "typical 0.95": ("typical", 0.95),
}
REPLY_TOKENS = 64
CANDIDATE_TOKENS = 40


class ReplyModel:
    """A trained model, the contexts that it replies to, and what has been generated so far."""

    def __init__(self, data: Path, checkpoint: Path, work: Path, count: int) -> None:
        from selfchatbot.likeness.run.cache import Cache
        from selfchatbot.likeness.run.contexts import read_contexts, read_training
        from selfchatbot.likeness.run.model_pair import ModelPair
        from selfchatbot.models import quiet
        from selfchatbot.parameters import FILE_NAME, GenerationParameters, read_parameters
        from selfchatbot.session.contacts import contact_names

        quiet()
        parameters = read_parameters(checkpoint.parent / FILE_NAME, GenerationParameters)
        self.names = contact_names(data)
        self.places = read_contexts(data, count, 0)
        self.training = read_training(data, self.names)
        self.data = data
        self.cache = Cache(work / "cache")
        self.models = ModelPair(checkpoint, parameters, 0, self.cache, None)
        self.format = self.models.chat_format

    def replies(self, variant: str, seed: int) -> list[str]:
        """One reply to each context; ``variant`` is a key of ``SAMPLINGS`` or "retrieval"."""
        from selfchatbot.player.reply.repetition import without_loop

        prompts = [self._prompt(place.messages, variant == "retrieval") for place in self.places]
        order = sorted(range(len(prompts)), key=lambda number: -len(prompts[number]))
        batches = [order[start : start + 32] for start in range(0, len(order), 32)]
        depends_on = [self.models.identity("model"), variant, SAMPLINGS.get(variant), seed, prompts, REPLY_TOKENS]

        def answer(batch: list[int]) -> list[list[int]]:
            return self._generate([prompts[number] for number in batch], variant, seed + 1000 * batches.index(batch))

        found = self.cache.computed("ways", depends_on, batches, answer)
        print(f"{variant}, seed {seed}: done", flush=True)
        texts = {
            number: self.format.reply(without_loop(ids)).strip()
            for batch, line in zip(batches, found, strict=True)
            for number, ids in zip(batch, line, strict=True)
        }
        return [texts[number] for number in range(len(prompts))]

    def _generate(self, prompts: list[list[int]], variant: str, seed: int) -> list[list[int]]:
        from selfchatbot.player.engines import sampling as sampling_module
        from selfchatbot.player.engines.batch import Batch
        from selfchatbot.player.engines.protocol import Sampling

        kind, value = SAMPLINGS.get(variant, ("", 0.0))
        never = frozenset(self.format.special - {self.format.end})
        top_p = value if kind == "top_p" else 1.0
        sampling = Sampling(1.0, top_p, 0, 1.0, REPLY_TOKENS, self.format.end, never, seed, may_be_empty=False)
        keep = {"min_p": min_p, "typical": typical}.get(kind)
        sample = sampling_module.sample
        if keep is not None:
            sampling_module.sample = lambda logits, *rest: sample(keep(logits, value), *rest)
        try:
            candidates = Batch(self.models.loaded("model").model, prompts).replies(sampling, last=True)
            return [candidate.ids for candidate in candidates]
        finally:
            sampling_module.sample = sample

    def _prompt(self, messages: Any, retrieval: bool) -> list[int]:
        from selfchatbot.likeness.run.model_pair import UNLIMITED_TOKENS
        from selfchatbot.likeness.run.replies import CONTEXT_TOKENS, context_prompt

        prompt = context_prompt(self.format, messages, self.models.window)
        if not retrieval:
            return prompt
        question, answer = self._similar(messages[-1]["content"])
        more = len(self.format.prompt([question], UNLIMITED_TOKENS)) + len(self.format.turn(answer["content"]))
        return self.format.prompt([question, answer, *messages], CONTEXT_TOKENS + more)

    @cached_property
    def _similar(self) -> Callable[[str], list[dict[str, str]]]:
        """From a text to the training exchange in which the others' turn is most similar to it."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        from selfchatbot.messages import read_conversations

        pairs = [
            [one, other]
            for conversation in read_conversations(self.data / "train.jsonl")
            for one, other in pairwise(conversation)
            if (one["role"], other["role"]) == ("user", "assistant") and len(other["content"]) <= 200
        ]
        vectorizer = TfidfVectorizer(sublinear_tf=True)
        known = vectorizer.fit_transform(pair[0]["content"][-400:] for pair in pairs)
        return lambda text: pairs[int((known @ vectorizer.transform([text[-400:]]).T).toarray().argmax())]

    def best(self, candidates: Sequence[list[str]], power: float) -> list[str]:
        """For each context, the candidate with the highest pointwise mutual information / tokens**power."""
        picked = self.picked(candidates, self.information(candidates), range(len(candidates)), power)
        return [candidates[one][place] for place, one in enumerate(picked)]

    def picked(
        self, candidates: Sequence[list[str]], information: list[list[float]], among: Sequence[int], power: float
    ) -> list[int]:
        """For each context, the number of that candidate ``among`` them."""
        return [
            max(among, key=lambda one: row[one] / len(self.ids(candidates[one][place])) ** power)
            for place, row in enumerate(information)
        ]

    def nearest_length(self, candidates: Sequence[list[str]]) -> list[str]:
        """For each context, the candidate nearest in length to a random reply of mine."""
        rng = random.Random(0)
        wanted = [len(rng.choice(self.training.mine)) for _ in self.places]
        return [
            min((texts[number] for texts in candidates), key=lambda text: abs(len(text) - length))
            for number, length in enumerate(wanted)
        ]

    def ids(self, text: str) -> list[int]:
        return self.format.turn(text or "?")[:CANDIDATE_TOKENS]

    def information(self, candidates: Sequence[list[str]]) -> list[list[float]]:
        """The pointwise mutual information of each context and its candidates, in nats."""
        rows = [[texts[number] for texts in candidates] for number in range(len(self.places))]
        return self.information_of([(place.messages, row) for place, row in zip(self.places, rows, strict=True)])

    def information_of(self, contexts: list[tuple[Any, list[str]]]) -> list[list[float]]:
        """The pointwise mutual information of each context and the texts beside it, in nats."""
        from selfchatbot.likeness.run.replies import context_prompt
        from selfchatbot.player.engines.likelihood import continuation_log_probabilities

        texts = sorted({text for _, row in contexts for text in row})
        alone = [([], texts[start : start + 64]) for start in range(0, len(texts), 64)]

        def score(context: tuple[Any, list[str]]) -> list[float]:
            prompt = context_prompt(self.format, context[0], self.models.window)
            return continuation_log_probabilities(
                self.models.loaded("model").model, prompt, [self.ids(text) for text in context[1]]
            )

        both = [*alone, *contexts]
        found = self.cache.computed("gains", [self.models.identity("model"), both], both, score)
        without = dict(zip(texts, [value for row in found[: len(alone)] for value in row], strict=True))
        return [
            [value - without[text] for value, text in zip(values, row, strict=True)]
            for values, (_, row) in zip(found[len(alone) :], contexts, strict=True)
        ]


def min_p(logits: torch.Tensor, share: float) -> torch.Tensor:
    """Keep tokens with at least ``share`` of the highest probability; shape (rows, vocabulary)."""
    return logits.masked_fill(logits < logits.max(-1, keepdim=True).values + torch.tensor(share).log(), -torch.inf)


def typical(logits: torch.Tensor, mass: float) -> torch.Tensor:
    """Keep the tokens with the most typical surprise, up to a total probability of ``mass``."""
    logs = logits.log_softmax(-1)
    probabilities = logs.exp()
    entropy = -(probabilities * logs.nan_to_num(neginf=0.0)).sum(-1, keepdim=True)
    order = (-logs - entropy).abs().argsort(-1)
    sorted_probabilities = probabilities.gather(-1, order)
    beyond = sorted_probabilities.cumsum(-1) - sorted_probabilities >= mass
    return logits.masked_fill(torch.zeros_like(beyond).scatter(-1, order, beyond), -torch.inf)
