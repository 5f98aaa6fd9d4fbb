"""Copying: what part of the replies occurs in my training replies, word for word.

"haha yeah" is not copying: only replies of several words count, and my own test replies show how often I repeat
myself. In Chinese, Japanese and Korean, words are characters here, so all rates are higher, mine included.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from pydantic import Field

from selfchatbot.likeness.measures.base import Explanation, Figure, Priority, Rule, SpeakerMeasure, named
from selfchatbot.likeness.parts import Part, Run
from selfchatbot.likeness.report.phrasing import now, number, percent, share
from selfchatbot.likeness.report.sections import Section, Table, Tile
from selfchatbot.likeness.run.inputs import Inputs
from selfchatbot.likeness.speakers import Speaker
from selfchatbot.statistics import Interval, bootstrap_groups, mean_interval
from selfchatbot.style import words_of

MIN_WORDS = 5
"""Shorter replies don't count."""
NEAR_COPY = 0.75
"""Share of a reply's word pairs that one training reply must have."""
COPY_MARGIN = 0.02
"""Added to my own rate, since I repeat myself a little more often at times, by chance."""

WordPair = tuple[str, str]


class Copying(Part):
    """How much of a speaker's replies occurs in my training replies."""

    replies: int = Field(description="Replies of at least 5 words; only these count.")
    verbatim: Interval = Field(description="Share that occurs there word for word, as a whole.")
    near: Interval = Field(description="Share that one training reply contains nearly whole, including verbatim ones.")
    longest_run: int = Field(description="Longest run of words found there, over all replies.")
    mean_run: Interval = Field(description="Mean over replies of the longest run, in words.")


class TrainingIndex:
    """My training replies, indexed by pairs of neighbouring words: one second for 24,000 of them."""

    def __init__(self, replies: Iterable[str]) -> None:
        self._places: defaultdict[WordPair, list[int]] = defaultdict(list)
        """Places are numbered through all replies."""
        self._reply_at: list[int] = []
        """For each place, the index of its reply."""
        for index, reply in enumerate(replies):
            words = words_of(reply)
            for place, pair in enumerate(pairwise(words), len(self._reply_at)):
                self._places[pair].append(place)
            # One place more than there are pairs, so that a run never continues into the next reply.
            self._reply_at.extend([index] * len(words))

    def longest_run(self, words: Sequence[str]) -> int:
        """The most consecutive ``words`` that occur in one training reply; 0 where not even two do."""
        longest = 0
        run_ending_at: dict[int, int] = {}
        for pair in pairwise(words):
            run_ending_at = {place: run_ending_at.get(place - 1, 1) + 1 for place in self._places.get(pair, ())}
            longest = max(longest, *run_ending_at.values(), 0)
        return longest

    def containment(self, words: Sequence[str]) -> float:
        """Share of the distinct word pairs that one training reply has, for the one that has most (Broder 1997)."""
        pairs = set(pairwise(words))
        shared = Counter(
            number for pair in pairs for number in {self._reply_at[place] for place in self._places.get(pair, ())}
        )
        return max(shared.values(), default=0) / len(pairs) if pairs else 0.0


def copying(replies: Sequence[str], conversations: Sequence[int], index: TrainingIndex, seed: int) -> Copying | None:
    """For those ``replies`` that have at least five words; None where there are none.

    ``conversations``: the conversation of each reply, for the intervals.
    """
    long = [
        (words, conversation)
        for reply, conversation in zip(replies, conversations, strict=True)
        if len(words := words_of(reply)) >= MIN_WORDS
    ]
    if not long:
        return None
    groups = bootstrap_groups([conversation for _, conversation in long])
    runs = [index.longest_run(words) for words, _ in long]
    verbatim = [run == len(words) for run, (words, _) in zip(runs, long, strict=True)]
    near = [copied or index.containment(words) >= NEAR_COPY for copied, (words, _) in zip(verbatim, long, strict=True)]
    return Copying(
        replies=len(long),
        verbatim=mean_interval(verbatim, groups, seed),
        near=mean_interval(near, groups, seed),
        longest_run=max(runs),
        mean_run=mean_interval(runs, groups, seed),
    )


def recites(findings: Mapping[Speaker, Copying]) -> bool:
    """Whether the model copies more often than I do, beyond the margin and chance."""
    me, model = findings.get("me"), findings.get("model")
    if me is None or model is None:
        return False
    return model.verbatim.value > me.verbatim.value + COPY_MARGIN and model.verbatim.low > me.verbatim.value


def train_less(findings: Mapping[Speaker, Copying], run: Run) -> str | None:
    """Verbatim copies exceed the person's own rate by more than 2 points, and by more than chance."""
    if not recites(findings):
        return None
    model, mine = findings["model"].verbatim.value, findings["me"].verbatim.value
    return (
        f"It repeats training replies word for word ({share(model)} of its longer replies, you {share(mine)}): train "
        f"for fewer epochs{now(run, 'epochs')} or with a lower learning_rate{now(run, 'learning_rate')}."
    )


class CopyingMeasure(SpeakerMeasure[Copying]):
    """Share of replies that occur word for word in my training replies."""

    key = "copying"
    explanation = Explanation(
        title="Copying",
        what="Replies of at least five words that occur word for word in one of your training replies, those of which "
        "one training reply has three quarters of the word pairs, and the longest run of copied words. You repeat "
        "yourself too, so your own test replies are the yardstick.",
        formula="verbatim = replies found whole / replies of five words or more; near = the same with "
        "|pairs in one training reply| / |pairs| ≥ ¾. Case and punctuation are ignored.",
        source="Carlini et al. 2023, “Quantifying Memorization Across Neural Language Models”; Broder 1997, “On the "
        "Resemblance and Containment of Documents”",
        good="At most your own rate plus 2 points.",
        fools="A copied thought in other words isn't found. A model that writes little copies little: check how many "
        "replies count.",
    )
    summary = Figure("copied", lambda one: percent(one.verbatim))
    column = Figure("copied", lambda one: percent(one.verbatim, 1))
    rules = (Rule(Priority.MEMORIZATION, "fewer epochs or a lower learning rate", train_less),)

    def measure(self, inputs: Inputs) -> dict[Speaker, Copying]:
        index = TrainingIndex(inputs.data.training.mine)
        return {
            speaker: found
            for speaker, texts in inputs.answers.items()
            if (found := copying(texts, inputs.conversations, index, inputs.seed))
        }

    def warning(self, findings: Mapping[Speaker, Copying]) -> str | None:
        return "It recites its training replies." if recites(findings) else None

    def tile(self, findings: Mapping[Speaker, Copying]) -> Tile | None:
        me, model = findings.get("me"), findings.get("model")
        if model is None:
            return None
        return Tile(share(model.verbatim.value), "copied", f"you repeat {share(me.verbatim.value)}" if me else "")

    def section(self, findings: Mapping[Speaker, Copying]) -> Section:
        head = ("who", "verbatim", "nearly", "longest run", "mean run", "replies")
        rows = [
            (
                name,
                percent(one.verbatim, 1),
                percent(one.near, 1),
                f"{one.longest_run} words",
                number(one.mean_run, 1),
                str(one.replies),
            )
            for name, one in named(findings)
        ]
        return Section(
            "Do replies of at least 5 words occur word for word in your training replies? You repeat yourself too: "
            "compare with your own row.",
            [Table("Replies found in your training replies", head, rows)],
        )
