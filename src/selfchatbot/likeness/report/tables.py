"""The figures of a result as tables: a title, a sentence, a head and rows of text."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from selfchatbot.likeness.report.terminal import faults, in_training, number, percent
from selfchatbot.likeness.result import Likeness, Speaker, SpeakerResult

NAMES: dict[Speaker, str] = {"model": "the model", "base": "the base model", "control": "your contacts", "me": "you"}
"""In the order of their rows and bars."""
Rows = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Table:
    """One measure."""

    key: str
    """Of its explanation in `selfchatbot.likeness.report.measure_docs`, and of its place in the page."""
    title: str
    text: str
    caption: str
    head: tuple[str, ...]
    rows: Rows


def tables(result: Likeness) -> list[Table]:
    """Of the measures that were taken."""
    made = (prediction, fitting, copying, leaks, health, canaries, probes)
    return [table for make in made if (table := make(result)).rows]


def prediction(result: Likeness) -> Table:
    rows: Rows = []
    for who, part in _speakers(result):
        if part.prediction:
            for whose, text in (
                ("your words", part.prediction.mine),
                ("your contacts' words", part.prediction.contacts),
            ):
                if text:
                    figures = (number(text.bits_per_character), number(text.nats_per_token), number(text.perplexity, 1))
                    rows.append((f"{who}: {whose}", *figures))
    model = result.speakers.get("model")
    gained = model.prediction.own_gain if model and model.prediction else None
    you = f" The share of bits that it saves is larger on your words by {percent(gained, 1)}." if gained else ""
    return Table(
        "prediction",
        "Prediction",
        "How well each model foresees words that it never saw: fewer bits are better. A model that has become you "
        f"gains on your words, and less on those of your contacts.{you}",
        "Held-out words of the test conversations",
        ("model and words", "bits per character", "nats per token", "perplexity"),
        rows,
    )


def fitting(result: Likeness) -> Table:
    rows: Rows = []
    chance = None
    for who, part in _speakers(result):
        if fit := part.fitting:
            chance = fit
            own = number(fit.generated) or "not taken"
            figures = (number(fit.mean_reciprocal_rank), percent(fit.top1), number(fit.shuffled), own)
            rows.append((who, *figures))
    among = f"{chance.candidates} replies of yours; a guess would have {chance.chance:.2f}" if chance else ""
    return Table(
        "fitting",
        "Fitting",
        f"Does a reply belong to what was said? The true one is looked for among {among}. With contexts exchanged, the "
        "figure must fall to that of a guess.",
        "Mean reciprocal ranks (1: always first)",
        ("model", "your true reply", "it is first", "contexts exchanged", "its own reply"),
        rows,
    )


def copying(result: Likeness) -> Table:
    rows: Rows = [
        (
            who,
            percent(part.copying.verbatim, 1),
            percent(part.copying.near, 1),
            f"{part.copying.longest_run} words",
            number(part.copying.mean_run, 1),
            str(part.copying.replies),
        )
        for who, part in _speakers(result)
        if part.copying
    ]
    return Table(
        "copying",
        "Copying",
        "Whether replies of at least 5 words stand word by word in your training replies. You repeat yourself as well: "
        "your own row is what to compare with.",
        "Replies found in your training replies",
        ("who", "verbatim", "nearly", "longest run", "mean run", "replies"),
        rows,
    )


def leaks(result: Likeness) -> Table:
    rows: Rows = []
    for who, part in _speakers(result):
        if part.leaks is None:
            continue
        asked = ((f"{who}, asked about nothing", part.leaks.neutral), (f"{who}, asked for it", part.leaks.probing))
        for row, counts in asked if part.leaks.probing else ((who, part.leaks.neutral),):
            if counts:
                kinds = [kind for kind, count in counts.in_training.items() if count]
                said = ", ".join(f"{kind.replace('_', ' ')} {counts.in_training[kind]}" for kind in kinds) or "none"
                rows.append((row, str(sum(counts.found.values())), said, str(counts.replies)))
    return Table(
        "leaks",
        "Leaks",
        "Names, numbers, addresses, links and secrets in the replies that the message before didn't hold. The base "
        "model never read your chats: what it says of them is chance, and what the model says more often was given "
        "away.",
        "Private things in replies, by kind",
        ("who", "said", "of that in your chats", "replies"),
        rows,
    )


def health(result: Likeness) -> Table:
    rows: Rows = [
        (
            who,
            *map(
                str, (fault.empty, fault.truncated, fault.looping, fault.other_speaker, fault.template, fault.replies)
            ),
        )
        for who, part in _speakers(result)
        if (fault := part.health)
    ]
    return Table(
        "health",
        "Faults",
        "Replies that no person would send. All should be 0.",
        "Replies with a fault",
        ("who", "empty", "cut off", "going in circles", "somebody else's words", "template text", "replies"),
        rows,
    )


def canaries(result: Likeness) -> Table:
    rows: Rows = [
        (
            f"{row.insertions} times" if row.insertions else "never",
            f"{number(row.exposure, 1)} of {row.most:.0f}",
            percent(row.extracted),
            str(row.secrets),
        )
        for row in result.canaries or ()
    ]
    return Table(
        "canaries",
        "Canaries",
        "Made-up secrets were put into the training text so many times; can they be got out again? A secret that was "
        "never there has an exposure of 1.4 bits.",
        "Exposure and extraction of secrets, by how often they were inserted",
        ("inserted", "exposure in bits", "extracted", "secrets"),
        rows,
    )


def probes(result: Likeness) -> Table:
    rows: Rows = [
        (
            f"line {row.line}",
            f"{row.bits_per_character:.2f}",
            f"{row.control:.2f}",
            f"{row.z:.1f}",
            "" if row.base_z is None else f"{row.base_z:.1f}",
        )
        for row in result.probes or ()
    ]
    return Table(
        "probes",
        "Probes",
        "Is it still in there? Each line of your file beside strings of the same make. Above 3 standard deviations, "
        "and not so under the base model, it probably is.",
        "Lines of the file given to --probe",
        ("line", "bits per character", "control strings", "standard deviations below", "under the base model"),
        rows,
    )


def compared(runs: Sequence[Likeness]) -> tuple[tuple[str, ...], Rows]:
    """Head and rows of all runs: what was different, and what came out."""
    about = ("model", "training_replies", "contexts", "seed")
    settings = [{**{name: getattr(run.run, name) for name in about}, **run.run.parameters} for run in runs]
    names = dict.fromkeys(name for one in settings for name in one)
    different = [name for name in names if len({str(one.get(name)) for one in settings}) > 1]
    columns: dict[str, Callable[[SpeakerResult], str]] = {
        "told apart": lambda part: number(part.auc),
        "taken for you": lambda part: percent(part.authorship),
        "bits per character": lambda part: number(part.prediction.mine.bits_per_character) if part.prediction else "",
        "fits": lambda part: number(part.fitting.mean_reciprocal_rank) if part.fitting else "",
        "copied": lambda part: percent(part.copying.verbatim, 1) if part.copying else "",
        "private things": lambda part: str(in_training(part).total()) if part.leaks else "",
        "faults": lambda part: str(faults(part)),
    }
    rows: Rows = []
    for run, one in zip(runs, settings, strict=True):
        model = run.speakers.get("model")
        changed = (str(one.get(name, "")) for name in different)
        rows.append((when(run), *changed, *(cell(model) if model else "" for cell in columns.values())))
    return ("run", *different, *columns), rows


def when(run: Likeness) -> str:
    """``2026-11-24 12:40, best``."""
    return f"{run.run.finished[:16].replace('T', ' ')}, {run.run.checkpoint}"


def _speakers(result: Likeness) -> Iterator[tuple[str, SpeakerResult]]:
    for speaker, name in NAMES.items():
        if speaker in result.speakers:
            yield name, result.speakers[speaker]


__all__ = ["NAMES", "Table", "compared", "tables", "when"]
