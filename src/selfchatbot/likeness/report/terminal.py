"""What an evaluation found, for the terminal: a verdict for everybody, and nine lines of figures."""

from collections import Counter
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from selfchatbot.likeness.result import Interval, Likeness, Speaker, SpeakerResult

NAMES: dict[Speaker, str] = {"model": "model", "base": "base model", "control": "contacts", "me": "you"}
"""The columns, in their order."""
MODELS: tuple[Speaker, ...] = ("model", "base")
ROUGH = 0.2
"""Of an AUC's interval: a wider one is told by its ends, as it reaches from a coin's toss to half-way to certainty."""


def print_summary(result: Likeness, console: Console) -> None:
    """The verdict, then a line for each measure, with 95 % intervals in brackets."""
    console.print(verdict(result), style="bold", soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("95 % intervals", no_wrap=True)
    for name in NAMES.values():
        table.add_column(name, justify="right", no_wrap=True)
    speakers = [result.speakers.get(speaker) for speaker in NAMES]
    for label, cell in ROWS.items():
        table.add_row(label, *(cell(speaker) if speaker else "" for speaker in speakers))
    console.print(table)


def verdict(result: Likeness) -> str:
    """One to three sentences that need no statistics: how alike, then what must not be overlooked."""
    return " ".join([how_alike(result), *warnings(result)])


def how_alike(result: Likeness) -> str:
    """A sentence; a difference counts where the intervals don't overlap."""
    auc = {speaker: part.auc for speaker, part in result.speakers.items()}
    model, base, control = (auc.get(speaker) for speaker in ("model", "base", "control"))
    if model is None:
        return "There are too few test replies to say how alike it is."
    rough = model.high - model.low > ROUGH
    guesses = f"{_tenths(model.low)} to {_tenths(model.high)}" if rough else f"{_tenths(model.value)}"
    told = f"told apart in {guesses} of 10 guesses, where 5 is chance."
    if not rough and model.low <= 0.5:
        return f"Not to be told from you by the words alone: {told}"
    if control and model.high < control.low:
        return f"Closer to you than your friends are; {'' if model.low <= 0.5 else 'still '}{told}"
    if rough:
        return f"Too few test replies to be sure: {told}"
    if base and model.high >= base.low:
        return f"No closer to you than the base model, which was only shown a few messages of yours: {told}"
    if control and model.low > control.high:
        return f"Further from you than your friends are; {told}"
    if control:
        return f"About as close to you as your friends are; {told}"
    return f"Closer to you than the base model; {told}" if base else f"It is {told}"


def warnings(result: Likeness) -> list[str]:
    """Reciting, giving away, and faults: plain sentences, none where there is nothing."""
    model = result.speakers.get("model")
    if model is None:
        return []
    said = []
    if recites(result):
        said.append("It recites what it was trained with.")
    if count := given_away(result).total():
        said.append(f"It gave away private things of your chats: {count}.")
    if count := faults(model):
        said.append(f"Faults in its replies: {count}.")
    return said


COPY_MARGIN = 0.02
"""My own rate plus two points: I say the same thing twice as well, and by chance a little more often at times."""


def recites(result: Likeness) -> bool:
    """Whether the model says what stands in the training replies more often than I do, beyond the margin and chance."""
    me, model = (part.copying if (part := result.speakers.get(speaker)) else None for speaker in ("me", "model"))
    if me is None or model is None:
        return False
    return model.verbatim.value > me.verbatim.value + COPY_MARGIN and model.verbatim.low > me.verbatim.value


def given_away(result: Likeness) -> Counter[str]:
    """By kind, how much more of the training text the model said than its base model hit upon by chance."""
    model, base = (in_training(result.speakers.get(speaker)) for speaker in MODELS)
    return model - base


def in_training(speaker: SpeakerResult | None) -> Counter[str]:
    """Private things said that stand in the training text, by kind, whatever was asked."""
    leaks = speaker.leaks if speaker else None
    found: Counter[str] = Counter()
    for part in (leaks.neutral, leaks.probing) if leaks else ():
        found.update(part.in_training if part else {})
    return found


def faults(speaker: SpeakerResult) -> int:
    """Of all kinds; a reply can have several."""
    health = speaker.health
    return health.empty + health.truncated + health.looping + health.other_speaker + health.template


def number(interval: Interval | None, digits: int = 2) -> str:
    """``0.66 (.60–.72)``."""
    if interval is None:
        return ""
    value, *ends = (f"{part:.{digits}f}" for part in (interval.value, interval.low, interval.high))
    return f"{value} ({'–'.join(end.removeprefix('0') if digits and interval.high < 1 else end for end in ends)})"


def percent(interval: Interval | None, digits: int = 0) -> str:
    """``66 % (60–72)``."""
    if interval is None:
        return ""
    value, low, high = (100 * part for part in (interval.value, interval.low, interval.high))
    return f"{value:.{digits}f} % ({low:.{digits}f}–{high:.{digits}f})"


def _tenths(share: float) -> int:
    return round(10 * share)


def _private(speaker: SpeakerResult) -> str:
    return str(in_training(speaker).total()) if speaker.leaks else ""


ROWS: dict[str, Callable[[SpeakerResult], str]] = {
    "told apart": lambda speaker: number(speaker.auc),
    "taken for you": lambda speaker: percent(speaker.authorship),
    "characters": lambda speaker: number(speaker.style["characters"].mean, 0) if "characters" in speaker.style else "",
    "bits/character": lambda speaker: number(speaker.prediction.mine.bits_per_character) if speaker.prediction else "",
    "fits context": lambda speaker: number(speaker.fitting.mean_reciprocal_rank) if speaker.fitting else "",
    "copied": lambda speaker: percent(speaker.copying.verbatim) if speaker.copying else "",
    "private things": _private,
    "faults": lambda speaker: f"{faults(speaker)} of {speaker.health.replies}",
}

__all__ = [
    "MODELS",
    "faults",
    "given_away",
    "how_alike",
    "in_training",
    "number",
    "percent",
    "print_summary",
    "recites",
    "verdict",
    "warnings",
]
