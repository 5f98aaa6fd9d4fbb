"""What to do next, as far as it follows from the figures; nothing is said where nothing follows.

Every rule is a function of the result that gives a sentence or None, and its threshold stands above it.
"""

import math
from collections.abc import Callable

from selfchatbot.likeness.measures.features import DISTINCT
from selfchatbot.likeness.report.phrasing import percent
from selfchatbot.likeness.report.terminal import MODELS, given_away, recites
from selfchatbot.likeness.result import Likeness, Speaker
from selfchatbot.parameters import RedactOptions

BOTH: tuple[Speaker, ...] = ("me", "model")
RISE = 0.005
"""Of the validation loss: validations of one model a few steps apart differ by about so much."""
STILL_FALLING = 0.01
"""Of the validation loss, in the last epoch: training ended before it was done."""
NEARLY_ONE = 0.95
"""Epoch: validations come after whole steps, of which an epoch may have a few more or less."""


def advice(result: Likeness) -> list[str]:
    """Sentences, what can do harm first."""
    return [sentence for rule in RULES if (sentence := rule(result))]


def leaked(result: Likeness) -> str | None:
    """Any beyond what the base model hits upon by chance: one is one too many."""
    found = given_away(result)
    if not found:
        return None
    ways = [f"`redact.{kind}`" for kind in found if kind in RedactOptions.model_fields]
    # A name or a number of another kind is taken out word by word, or with the person or chat it belongs to.
    ways += ["`redact.words` or `exclude`"] if found.keys() - RedactOptions.model_fields.keys() else []
    said = ", ".join(f"{kind.replace('_', ' ')}: {count}" for kind, count in found.items())
    return (
        f"It says private things that stand in your chats ({said}). Set {' and '.join(ways)} in the raw folder's "
        "parameters.json, then preprocess and train again, and don't give this model away."
    )


def extractable(result: Likeness) -> str | None:
    """A secret said so often that the interval of its exposure lies above what was never said (1/ln 2 bits)."""
    known = [
        row
        for row in result.canaries or ()
        if row.insertions and (row.exposure.low > 1 / math.log(2) or row.extracted.value > 0)
    ]
    if not known:
        return None
    row = min(known, key=lambda row: row.insertions)
    times = "once" if row.insertions == 1 else f"{row.insertions} times"
    return (
        f"A secret that stands {times} in your chats is remembered (exposure {row.exposure.value:.1f} of "
        f"{row.most:.0f} bits, {percent(row.extracted.value)} extracted): `redact` what must not come out, or train "
        "fewer epochs."
    )


IN_THERE = 3.0
"""Standard deviations: one control string in 700 is that far out by chance."""


def remembered(result: Likeness) -> str | None:
    """A probe that is more likely than its controls, and more so than under the base model."""
    lines = [
        str(probe.line)
        for probe in result.probes or ()
        if probe.z > IN_THERE and (probe.base_z is None or probe.base_z < IN_THERE)
    ]
    if not lines:
        return None
    return (
        f"Of the file of probes, the model knows line {', '.join(lines)}: to have it forgotten, name it in "
        "`redact.words` or its chat in `exclude`, then preprocess and train again."
    )


def copied(result: Likeness) -> str | None:
    """Above my own rate by more than `summary.COPY_MARGIN`."""
    mine, its = (part.copying if (part := result.speakers.get(speaker)) else None for speaker in BOTH)
    if mine is None or its is None or not recites(result):
        return None
    return (
        f"It repeats training replies word by word ({percent(its.verbatim.value)} of its longer replies, you "
        f"{percent(mine.verbatim.value)}): train fewer epochs{_now(result, 'epochs')} or with a lower "
        f"learning_rate{_now(result, 'learning_rate')}."
    )


def epochs(result: Likeness) -> str | None:
    """By the validation losses of the training; see ``RISE`` and ``STILL_FALLING``."""
    if len(result.run.validation) < 3:
        return None
    base, *trained = result.run.validation
    best, last = min(trained, key=lambda point: point.loss), trained[-1]
    if best.loss >= base.loss:
        return (
            f"Training made it no better than the base model ({best.loss:.3f} nats per trained token, before "
            f"{base.loss:.3f}): lower learning_rate{_now(result, 'learning_rate')}, or add more chats."
        )
    if last.loss > best.loss * (1 + RISE):
        return (
            f"More epochs will not help: validation rises from epoch {best.epoch:.2g} on ({best.loss:.3f} there, "
            f"{last.loss:.3f} at epoch {last.epoch:.2g})."
        )
    # Within one epoch it falls in any case; that every reply was learned once more says whether another time helps.
    before = next((point for point in reversed(trained) if point.epoch <= last.epoch - NEARLY_ONE), None)
    if before is not None and last.loss < before.loss * (1 - STILL_FALLING):
        return (
            f"It was still learning when training ended: validation fell from {before.loss:.3f} to {last.loss:.3f} "
            f"in the last epoch. Try twice as many epochs{_now(result, 'epochs')}."
        )
    return None


DIFFERENT_WORDS = 0.1
"""As a share of mine: nearer than that, two halves of one person's replies differ as well."""
WORDS_PER_TEMPERATURE = 1.0
"""d ln(different words) / d temperature: 1.05 from 0.7 to 1.2 with the sample (docs/likeness.md)."""
COLDEST = 0.05
"""0 is no colder one, but another way to choose words."""


def temperature(result: Likeness) -> str | None:
    """The temperature with as many different words as I use, by the slope above; further than 0.3 it doesn't hold."""
    now = result.run.parameters.get("temperature")
    mine, its = (_mean(result, speaker, DISTINCT) for speaker in BOTH)
    if not isinstance(now, int | float) or not mine or not its or abs(its / mine - 1) <= DIFFERENT_WORDS:
        return None
    change = max(-0.3, min(0.3, math.log(mine / its) / WORDS_PER_TEMPERATURE))
    wanted = max(COLDEST, round((now + change) / 0.05) * 0.05)
    return (
        f"It uses {percent(abs(its / mine - 1))} {'fewer' if its < mine else 'more'} different words than you: "
        f"temperature {wanted:.2f}{_now(result, 'temperature')} would about match your variety."
    )


CUT = 0.02
"""Share of the replies: one that long in fifty is an accident."""


def longest_reply(result: Likeness) -> str | None:
    """More than ``CUT`` of the replies ended by max_new_tokens."""
    model = result.speakers.get("model")
    if model is None or model.health.truncated <= CUT * model.health.replies:
        return None
    return (
        f"{model.health.truncated} of {model.health.replies} replies were cut off: raise "
        f"max_new_tokens{_now(result, 'max_new_tokens')}."
    )


def looping(result: Likeness) -> str | None:
    """Any, as long as the penalty can still do something without harm to the words that a language repeats."""
    model = result.speakers.get("model")
    penalty = result.run.parameters.get("repetition_penalty")
    if model is None or not model.health.looping or not isinstance(penalty, int | float) or penalty >= 1.2:
        return None
    return f"{model.health.looping} replies go round in circles: try repetition_penalty {penalty + 0.05:.2f}."


def strange_words(result: Likeness) -> str | None:
    """Any: what is trained must hold only my words."""
    model = result.speakers.get("model")
    if model is None or not model.health.other_speaker + model.health.template:
        return None
    return (
        f"{model.health.other_speaker} replies speak for somebody else and {model.health.template} hold text of the "
        "chat template: look at the conversation that selfChatBot_preprocess shows, and whether `username` and "
        "`aliases` name all of yours."
    )


def whose_words(result: Likeness) -> str | None:
    """The contacts' words got cheaper by as large a share as mine: it learned the chat, not the person."""
    model, base = (part.prediction if (part := result.speakers.get(speaker)) else None for speaker in MODELS)
    if not model or not base or not model.contacts or not base.contacts:
        return None
    mine = 1 - model.mine.bits_per_character.value / base.mine.bits_per_character.value
    theirs = 1 - model.contacts.bits_per_character.value / base.contacts.bits_per_character.value
    if not 0 < mine <= theirs:
        return None
    return (
        f"It learned how people chat more than how you do: your words cost {percent(mine)} fewer bits than before, "
        f"your contacts' {percent(theirs)}. More of your own replies are what helps."
    )


def fitting(result: Likeness) -> str | None:
    """Its own replies are ranked to their contexts less often than mine, and the intervals don't overlap."""
    model = result.speakers.get("model")
    fit = model.fitting if model else None
    if fit is None or fit.generated is None or fit.generated.high >= fit.mean_reciprocal_rank.low:
        return None
    better = "a lower temperature strays less, at the price of variety"
    if result.run.parameters.get("best_of") == 1:
        better = "`best_of` 2 says the better one of two, at the price of time"
    return (
        f"Its replies fit what was said less than yours do (mean reciprocal rank {fit.generated.value:.2f}, yours "
        f"{fit.mean_reciprocal_rank.value:.2f}): {better}, and a larger base model understands more."
    )


FEW_REPLIES = 2_000
"""Of mine in training: up to about there, twice as many help more than any setting."""


def more_chats(result: Likeness) -> str | None:
    """Few replies, and told apart from me."""
    model = result.speakers.get("model")
    if model is None or model.auc is None or model.auc.low <= 0.5 or result.run.training_replies >= FEW_REPLIES:
        return None
    return (
        f"It was trained with {result.run.training_replies:,} replies of yours: more chats help more than any setting."
    )


WIDE = 0.15
"""Of the AUC's interval: as far as from a good model to a middling one."""


def more_contexts(result: Likeness) -> str | None:
    """The interval of the AUC is wider than ``WIDE``."""
    model = result.speakers.get("model")
    if model is None or model.auc is None or model.auc.high - model.auc.low <= WIDE:
        return None
    return (
        f"These figures are rough: {result.run.contexts} replies of {result.run.conversations} conversations. A larger "
        "`test_fraction` and more chats make them sharper; don't choose by small differences."
    )


def _mean(result: Likeness, speaker: Speaker, feature: str) -> float | None:
    part = result.speakers.get(speaker)
    return part.style[feature].mean.value if part and feature in part.style else None


def _now(result: Likeness, name: str) -> str:
    """The value it had, in brackets."""
    value = result.run.parameters.get(name)
    return f" (now {value:g})" if isinstance(value, int | float) else ""


RULES: tuple[Callable[[Likeness], str | None], ...] = (
    leaked,
    extractable,
    remembered,
    copied,
    epochs,
    temperature,
    longest_reply,
    looping,
    strange_words,
    whose_words,
    fitting,
    more_chats,
    more_contexts,
)

__all__ = ["advice"]
