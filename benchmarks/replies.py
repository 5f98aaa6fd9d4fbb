"""What could make replies nearer to mine, without training again? Tried on the validation split.

    python benchmarks/replies.py DATASET CHECKPOINT WORK [--contexts 200]

DATASET is a Dataset_<ID>_<Name> folder that selfChatBot_preprocess made, CHECKPOINT a best/ that was trained with it.
Every way answers the same places of validation.jsonl:

- other samplings: top_p (Holtzman et al. 2020), min_p (Nguyen et al. 2024), locally typical (Meister et al. 2023);
- one of four candidates: the one that its context makes most probable (pointwise mutual information; Li et al. 2016),
  by token or by the root of the tokens, or the one whose length is nearest to a length drawn from my training replies;
- retrieval: the most similar training exchange (TF-IDF of words) stands before the conversation.

The table goes to stdout: told apart (AUC, 95 % interval), how well the replies fit their own context (mean reciprocal
rank among 20 true ones), characters, messages and different words as shares of mine, style features near mine, verbatim
copies, faults. A second table has the one of two candidates by its gain and several powers of its tokens, the means of
four pairs of candidates. WORK keeps what was generated: what is finished is not done again.
"""

import argparse
import random
import shutil
import statistics
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from likeness import MEANS, near

SAMPLINGS: dict[str, tuple[str, float]] = {
    "as it is": ("", 0.0),
    "top_p 0.98": ("top_p", 0.98),
    "min_p 0.02": ("min_p", 0.02),
    "min_p 0.05": ("min_p", 0.05),
    "typical 0.95": ("typical", 0.95),
}
CANDIDATES = 4
LONGEST = 64
"""Tokens of a reply."""
CANDIDATE_TOKENS = 40
GROUP, GROUPS = 21, 2
PAIRS = ((0, 1), (2, 3), (0, 2), (1, 3))
POWERS = (0.0, 0.25, 0.35, 0.5, 0.65)


def main() -> None:
    """Generate, choose, measure."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("paths", nargs=3, type=Path, metavar="PATH")
    arguments.add_argument("--contexts", type=int, default=200)
    chosen = arguments.parse_args()
    dataset, checkpoint, work = chosen.paths
    data = work / "data"
    data.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(dataset / "train.jsonl", data / "train.jsonl")
    shutil.copyfile(dataset / "validation.jsonl", data / "test.jsonl")  # what is read as the split that is measured
    tried = Tried(data, checkpoint, work, chosen.contexts)
    ways = {name: tried.replies(name, 0) for name in SAMPLINGS}
    candidates = [ways["as it is"], *(tried.replies("as it is", seed) for seed in range(1, CANDIDATES))]
    ways["one of four by gain per token"] = tried.best(candidates, 1.0)
    ways["one of four by gain per root"] = tried.best(candidates, 0.5)
    ways["one of two by gain per root"] = tried.best(candidates[:2], 0.5)
    ways["one of four by length"] = tried.by_length(candidates)
    ways["retrieval"] = tried.replies("retrieval", 0)
    tried.show(ways)
    tried.show_powers(candidates)


class Tried:
    """The contexts, the model, and what was made of them."""

    def __init__(self, data: Path, checkpoint: Path, work: Path, count: int) -> None:
        from selfchatbot.likeness.run.cache import Cache
        from selfchatbot.likeness.run.contexts import read_contexts, read_training
        from selfchatbot.likeness.run.model_pair import Models
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
        self.models = Models(checkpoint, parameters, 0, self.cache, None)
        self.format = self.models.chat_format
        self.true: dict[int, list[float]] = {}
        """What each place adds to 20 true replies to other places, by the number of the place."""

    def replies(self, way: str, seed: int) -> list[str]:
        """What the model answers at each place."""
        from selfchatbot.player.reply.repetition import without_loop

        prompts = [self._prompt(place.messages, way == "retrieval") for place in self.places]
        order = sorted(range(len(prompts)), key=lambda number: -len(prompts[number]))
        batches = [order[start : start + 32] for start in range(0, len(order), 32)]
        depends_on = [self.models.identity("model"), way, SAMPLINGS.get(way), seed, prompts, LONGEST]

        def answer(batch: list[int]) -> list[list[int]]:
            return self._answers([prompts[number] for number in batch], way, seed + 1000 * batches.index(batch))

        found = self.cache.computed("ways", depends_on, batches, answer)
        print(f"{way}, seed {seed}: done", flush=True)
        texts = {
            number: self.format.reply(without_loop(ids)).strip()
            for batch, line in zip(batches, found, strict=True)
            for number, ids in zip(batch, line, strict=True)
        }
        return [texts[number] for number in range(len(prompts))]

    def _answers(self, prompts: list[list[int]], way: str, seed: int) -> list[list[int]]:
        from selfchatbot.player.engines import sampling as sampling_module
        from selfchatbot.player.engines.batch import Batch
        from selfchatbot.player.engines.protocol import Sampling

        kind, value = SAMPLINGS.get(way, ("", 0.0))
        never = frozenset(self.format.special - {self.format.end})
        top_p = value if kind == "top_p" else 1.0
        sampling = Sampling(1.0, top_p, 0, 1.0, LONGEST, self.format.end, never, seed, may_be_empty=False)
        kept = {"min_p": min_p, "typical": typical}.get(kind)
        choose = sampling_module.sample
        if kept is not None:
            sampling_module.sample = lambda logits, *rest: choose(kept(logits, value), *rest)
        try:
            made = Batch(self.models.loaded("model").model, prompts).replies(sampling, last=True)
            return [one.ids for one in made]
        finally:
            sampling_module.sample = choose

    def _prompt(self, messages: Any, retrieval: bool) -> list[int]:
        from selfchatbot.likeness.run.model_pair import UNLIMITED
        from selfchatbot.likeness.run.replies import CONTEXT_TOKENS, context_prompt

        prompt = context_prompt(self.format, messages, self.models.window)
        if not retrieval:
            return prompt
        question, answer = self._similar(messages[-1]["content"])
        more = len(self.format.prompt([question], UNLIMITED)) + len(self.format.turn(answer["content"]))
        return self.format.prompt([question, answer, *messages], CONTEXT_TOKENS + more)

    @cached_property
    def _similar(self) -> Callable[[str], list[dict[str, str]]]:
        """Gives the training exchange whose turn of the others is most like a given one."""
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
        """At each place, the candidate to which its context adds most nats per token**power."""
        picked = self._picked(candidates, self._gains(candidates), range(len(candidates)), power)
        return [candidates[one][place] for place, one in enumerate(picked)]

    def _picked(
        self, candidates: Sequence[list[str]], gains: list[list[float]], among: Sequence[int], power: float
    ) -> list[int]:
        """At each place, which of the candidates ``among`` them has the largest gain per token**power."""
        return [
            max(among, key=lambda one: row[one] / len(self._ids(candidates[one][place])) ** power)
            for place, row in enumerate(gains)
        ]

    def by_length(self, candidates: Sequence[list[str]]) -> list[str]:
        """At each place, the candidate that is nearest in length to a reply of mine that is drawn by chance."""
        rng = random.Random(0)
        wanted = [len(rng.choice(self.training.mine)) for _ in self.places]
        return [
            min((texts[number] for texts in candidates), key=lambda text: abs(len(text) - length))
            for number, length in enumerate(wanted)
        ]

    def _ids(self, text: str) -> list[int]:
        return self.format.turn(text or "?")[:CANDIDATE_TOKENS]

    def _gains(self, candidates: Sequence[list[str]]) -> list[list[float]]:
        rows = [[texts[number] for texts in candidates] for number in range(len(self.places))]
        return self._added([(place.messages, row) for place, row in zip(self.places, rows, strict=True)])

    def _added(self, pieces: list[tuple[Any, list[str]]]) -> list[list[float]]:
        """Nats that each context adds to each of its texts."""
        from selfchatbot.likeness.run.replies import context_prompt
        from selfchatbot.player.engines.likelihood import of_continuations

        texts = sorted({text for _, row in pieces for text in row})
        alone = [([], texts[start : start + 64]) for start in range(0, len(texts), 64)]

        def score(piece: tuple[Any, list[str]]) -> list[float]:
            prompt = context_prompt(self.format, piece[0], self.models.window)
            return of_continuations(self.models.loaded("model").model, prompt, [self._ids(text) for text in piece[1]])

        both = [*alone, *pieces]
        found = self.cache.computed("gains", [self.models.identity("model"), both], both, score)
        without = dict(zip(texts, [value for row in found[: len(alone)] for value in row], strict=True))
        return [
            [value - without[text] for value, text in zip(values, row, strict=True)]
            for values, (_, row) in zip(found[len(alone) :], pieces, strict=True)
        ]

    def fits(self, ways: dict[str, list[str]]) -> dict[str, list[float]]:
        """Reciprocal rank of each way's reply among 20 true replies, at the places where that says something."""
        from selfchatbot.likeness.measures.context_fit import long_enough

        different = {
            place.reply.casefold(): number for number, place in enumerate(self.places) if long_enough(place.reply)
        }
        numbers = sorted(different.values())
        numbers = random.Random(0).sample(numbers, min(GROUPS, len(numbers) // GROUP) * GROUP)
        groups = [numbers[start : start + GROUP] for start in range(0, len(numbers), GROUP)]
        pieces, owners = [], []
        for group in groups:
            for number in group:
                true = [self.places[other].reply for other in group if other != number]
                pieces.append(
                    (
                        self.places[number].messages,
                        [*true, self.places[number].reply, *(texts[number] for texts in ways.values())],
                    )
                )
                owners.append(number)
        ranks: dict[str, list[float]] = {name: [] for name in ("me", *ways)}
        for number, row in zip(owners, self._added(pieces), strict=True):
            true, own = row[: GROUP - 1], row[GROUP - 1 :]
            self.true[number] = true
            for name, gain in zip(("me", *ways), own, strict=True):
                if name == "me" or long_enough(ways[name][number]):
                    ranks[name].append(1 / (1 + sum(other > gain for other in true)))
        return ranks

    @cached_property
    def features(self) -> Any:
        """The style features, by what is in the training text."""
        from selfchatbot.likeness.measures.features import Reference, style_features

        return style_features(Reference.of(self.training.mine, self.training.contacts))

    def styles(self, texts: list[str]) -> tuple[Any, list[float], int, int]:
        """AUC, the means of a text style as shares of mine, and how many style features are near mine, of how many."""
        from selfchatbot.likeness.intervals import groups_of
        from selfchatbot.likeness.measures.discriminator import separability
        from selfchatbot.likeness.measures.style_distances import measure_style

        groups, features = groups_of([place.conversation for place in self.places]), self.features
        mine = [place.reply for place in self.places]
        styles = measure_style({"me": mine, "model": texts}, groups, features, 0)
        shares = [styles["model"][mean].mean.value / styles["me"][mean].mean.value for mean in MEANS]
        like = sum(near(key, one, styles["me"][key]) for key, one in styles["model"].items())
        return (
            separability(mine, texts, groups, features, 0) if texts != mine else None,
            shares,
            like,
            len(styles["model"]),
        )

    def show(self, ways: dict[str, list[str]]) -> None:
        """The table."""
        from selfchatbot.likeness.measures import copying
        from selfchatbot.likeness.measures.faults import health

        conversations = [place.conversation for place in self.places]
        known = copying.Training(self.training.mine)
        mine = [place.reply for place in self.places]
        fits = self.fits(ways)
        print("| way | told apart (AUC) | fits | characters, messages, words | style | copied | faults |")
        print("|---|---|---:|---|---:|---:|---:|")
        for name, texts in {"me": mine, **ways}.items():
            auc, shares, like, of = self.styles(texts)
            copied = copying.copying(texts, conversations, known, 0)
            faults = health(texts, [True] * len(texts), self.format.markers, self.names)
            bad = faults.empty + faults.looping + faults.other_speaker + faults.template
            cells = (
                "-" if auc is None else f"{auc.value:.2f} ({auc.low:.2f}-{auc.high:.2f})",
                f"{sum(fits[name]) / len(fits[name]):.2f} ({len(fits[name])})",
                ", ".join(f"{share:.0%}" for share in shares),
                f"{like} of {of}",
                "-" if copied is None else f"{copied.verbatim.value:.1%}",
                str(bad),
            )
            print(f"| {name} | {' | '.join(cells)} |", flush=True)

    def show_powers(self, candidates: Sequence[list[str]]) -> None:
        """The second table; after the first one, which tells how well true replies to other places fit."""
        from selfchatbot.likeness.measures.context_fit import long_enough

        gains = self._gains(candidates)
        print("| one of two by gain / tokens^power | told apart (AUC) | fits | characters, messages, words | style |")
        print("|---|---:|---:|---|---:|")
        for power in (None, *POWERS):
            found: list[list[float]] = []
            fits: list[float] = []
            for pair in PAIRS if power is not None else [(number,) for number in range(len(candidates))]:
                best = self._picked(candidates, gains, pair, power or 0)
                texts = [candidates[one][place] for place, one in enumerate(best)]
                for place, true in self.true.items():
                    if long_enough(texts[place]):
                        fits.append(1 / (1 + sum(other > gains[place][best[place]] for other in true)))
                auc, shares, like, of = self.styles(texts)
                found.append([auc.value, *shares, like])
            auc, *shares, like = (statistics.fmean(column) for column in zip(*found, strict=True))
            name = "the first" if power is None else f"{power:g}"
            cells = f"{auc:.3f} | {statistics.fmean(fits):.2f} ({len(fits)})"
            print(
                f"| {name} | {cells} | {', '.join(f'{share:.0%}' for share in shares)} | {like:.1f} of {of} |",
                flush=True,
            )


def min_p(logits: torch.Tensor, share: float) -> torch.Tensor:
    """Tokens of at least ``share`` of the likeliest one's probability; shape (rows, vocabulary)."""
    return logits.masked_fill(logits < logits.max(-1, keepdim=True).values + torch.tensor(share).log(), -torch.inf)


def typical(logits: torch.Tensor, mass: float) -> torch.Tensor:
    """The tokens whose surprise is nearest to the expected one, until they have ``mass`` together."""
    logs = logits.log_softmax(-1)
    probabilities = logs.exp()
    entropy = -(probabilities * logs.nan_to_num(neginf=0.0)).sum(-1, keepdim=True)
    order = (-logs - entropy).abs().argsort(-1)
    sorted_probabilities = probabilities.gather(-1, order)
    beyond = sorted_probabilities.cumsum(-1) - sorted_probabilities >= mass
    return logits.masked_fill(torch.zeros_like(beyond).scatter(-1, order, beyond), -torch.inf)


if __name__ == "__main__":
    main()
