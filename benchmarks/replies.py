"""What could make replies more like mine without training again? Measured on the validation split.

    python benchmarks/replies.py DATASET CHECKPOINT WORK [--contexts 200]

DATASET is a Dataset_<ID>_<Name> folder that selfChatBot_preprocess wrote, CHECKPOINT a best/ trained on it. Each
variant replies to the same contexts of validation.jsonl:

- other samplings: top_p (Holtzman et al. 2020), min_p (Nguyen et al. 2024), locally typical (Meister et al. 2023);
- one of four candidates: the one with the highest pointwise mutual information with its context (PMI; Li et al. 2016),
  per token or per square root of the tokens, or the one nearest in length to a random training reply of mine;
- retrieval: the most similar training exchange (TF-IDF of words) comes before the conversation.

The table goes to stdout: how well a classifier distinguishes the replies from mine (AUC, 95 % interval), how well they
fit their own context (mean reciprocal rank among 20 real ones), characters, messages and distinct words as shares of
mine, style features near mine, verbatim copies, faults. A second table has the better of two candidates by PMI and
several powers of the tokens, as the mean over four pairs of candidates. WORK caches what is generated, so that an
interrupted run resumes.
"""

import argparse
import random
import shutil
import statistics
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from likeness import MEANS, near
from replies_model import SAMPLINGS, ReplyModel

CANDIDATES = 4
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
    shutil.copyfile(dataset / "validation.jsonl", data / "test.jsonl")  # the split that is measured
    model = ReplyModel(data, checkpoint, work, chosen.contexts)
    variants = {name: model.replies(name, 0) for name in SAMPLINGS}
    candidates = [variants["default"], *(model.replies("default", seed) for seed in range(1, CANDIDATES))]
    variants["one of four by PMI per token"] = model.best(candidates, 1.0)
    variants["one of four by PMI per root"] = model.best(candidates, 0.5)
    variants["one of two by PMI per root"] = model.best(candidates[:2], 0.5)
    variants["one of four by length"] = model.nearest_length(candidates)
    variants["retrieval"] = model.replies("retrieval", 0)
    tables = Tables(model)
    tables.show(variants)
    tables.show_powers(candidates)


class Tables:
    """Measures replies and prints them; `show` first, `show_powers` uses its ranks."""

    def __init__(self, model: ReplyModel) -> None:
        self.model = model
        self.places = model.places
        self.true: dict[int, list[float]] = {}
        """By the number of a place, the information of its context and 20 real replies to other places."""

    def fits(self, variants: dict[str, list[str]]) -> dict[str, list[float]]:
        """Reciprocal rank of each variant's reply among 20 real replies, where replies are long enough to tell."""
        from selfchatbot.likeness.measures.context_fit import long_enough

        different = {
            place.reply.casefold(): number for number, place in enumerate(self.places) if long_enough(place.reply)
        }
        numbers = sorted(different.values())
        numbers = random.Random(0).sample(numbers, min(GROUPS, len(numbers) // GROUP) * GROUP)
        groups = [numbers[start : start + GROUP] for start in range(0, len(numbers), GROUP)]
        contexts, owners = [], []
        for group in groups:
            for number in group:
                real = [self.places[other].reply for other in group if other != number]
                own = [self.places[number].reply, *(texts[number] for texts in variants.values())]
                contexts.append((self.places[number].messages, [*real, *own]))
                owners.append(number)
        ranks: dict[str, list[float]] = {name: [] for name in ("me", *variants)}
        for number, row in zip(owners, self.model.information_of(contexts), strict=True):
            real, own = row[: GROUP - 1], row[GROUP - 1 :]
            self.true[number] = real
            for name, information in zip(("me", *variants), own, strict=True):
                if name == "me" or long_enough(variants[name][number]):
                    ranks[name].append(1 / (1 + sum(other > information for other in real)))
        return ranks

    @cached_property
    def features(self) -> Any:
        """The style features that the training text supports."""
        from selfchatbot.likeness.text.features import Reference, style_features

        return style_features(Reference.of(self.model.training.mine, self.model.training.contacts))

    def styles(self, texts: list[str]) -> tuple[Any, list[float], int, int]:
        """AUC, the means of a style as shares of mine, the number of style features near mine, and of all features."""
        from selfchatbot.likeness.measures.discriminator import separability
        from selfchatbot.likeness.text.distances import measure_style
        from selfchatbot.statistics import bootstrap_groups

        groups, features = bootstrap_groups([place.conversation for place in self.places]), self.features
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

    def show(self, variants: dict[str, list[str]]) -> None:
        """Print the first table."""
        from selfchatbot.likeness.measures.copying import TrainingIndex, copying
        from selfchatbot.likeness.measures.faults import health

        conversations = [place.conversation for place in self.places]
        index = TrainingIndex(self.model.training.mine)
        mine = [place.reply for place in self.places]
        fits = self.fits(variants)
        print("| variant | told apart (AUC) | fits | characters, messages, words | style | copied | faults |")
        print("|---|---|---:|---|---:|---:|---:|")
        for name, texts in {"me": mine, **variants}.items():
            auc, shares, like, of = self.styles(texts)
            copied = copying(texts, conversations, index, 0)
            faults = health(texts, [True] * len(texts), self.model.format.markers, self.model.names)
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
        """Print the second table."""
        from selfchatbot.likeness.measures.context_fit import long_enough

        information = self.model.information(candidates)
        print("| one of two by PMI / tokens^power | told apart (AUC) | fits | characters, messages, words | style |")
        print("|---|---:|---:|---|---:|")
        for power in (None, *POWERS):
            found: list[list[float]] = []
            fits: list[float] = []
            for pair in PAIRS if power is not None else [(number,) for number in range(len(candidates))]:
                best = self.model.picked(candidates, information, pair, power or 0)
                texts = [candidates[one][place] for place, one in enumerate(best)]
                for place, real in self.true.items():
                    if long_enough(texts[place]):
                        fits.append(1 / (1 + sum(other > information[place][best[place]] for other in real)))
                auc, shares, like, of = self.styles(texts)
                found.append([auc.value, *shares, like])
            auc, *shares, like = (statistics.fmean(column) for column in zip(*found, strict=True))
            name = "the first" if power is None else f"{power:g}"
            cells = f"{auc:.3f} | {statistics.fmean(fits):.2f} ({len(fits)})"
            print(
                f"| {name} | {cells} | {', '.join(f'{share:.0%}' for share in shares)} | {like:.1f} of {of} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
