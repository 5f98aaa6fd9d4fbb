"""What to do next, where something follows from the figures. The rules of a measure are in its own file."""

from typing import Any

from selfchatbot.likeness.measures.base import Priority, Rule
from selfchatbot.likeness.measures.registry import MEASURES
from selfchatbot.likeness.parts import Run, ValidationLoss
from selfchatbot.likeness.report.phrasing import now
from selfchatbot.likeness.result import Likeness

RISE = 0.005
"""Of the validation loss, relative: validations a few steps apart differ by about this much."""
STILL_FALLING = 0.01
"""Of the validation loss, relative, over the last epoch: training ended before it was done."""
NEARLY_ONE_EPOCH = 0.95
"""Validations come after whole steps, so an epoch may have a few more or less."""


def advice(result: Likeness) -> list[str]:
    """Sentences, ordered by priority and then by measure."""
    sentences = [(rule.priority, rule.sentence(None, result.run)) for rule in TRAINING_RULES]
    for measure in MEASURES:
        if findings := result.findings(measure):
            sentences += [(rule.priority, rule.sentence(findings, result.run)) for rule in measure.rules]
    return [sentence for _, sentence in sorted(sentences, key=lambda one: one[0]) if sentence]


def all_rules() -> list[Rule[Any]]:
    """In the order of `advice`."""
    rules: list[Rule[Any]] = [*TRAINING_RULES, *(rule for measure in MEASURES for rule in measure.rules)]
    return sorted(rules, key=lambda rule: rule.priority)


def nothing_learned(_: None, run: Run) -> str | None:
    """The best validation loss is no better than the base model's."""
    if len(run.validation) < 3 or _best(run).loss < run.validation[0].loss:
        return None
    return (
        f"Training made it no better than the base model (validation loss {_best(run).loss:.3f}, before "
        f"{run.validation[0].loss:.3f}): lower learning_rate{now(run, 'learning_rate')}, or add more chats."
    )


def past_the_best(_: None, run: Run) -> str | None:
    """The last validation loss is 0.5 % above the best."""
    if len(run.validation) < 3 or nothing_learned(None, run):
        return None
    best, last = _best(run), run.validation[-1]
    if last.loss <= best.loss * (1 + RISE):
        return None
    return (
        f"More epochs won't help: the validation loss rises from epoch {best.epoch:.2g} on ({best.loss:.3f} there, "
        f"{last.loss:.3f} at epoch {last.epoch:.2g})."
    )


def still_learning(_: None, run: Run) -> str | None:
    """The last validation loss is 1 % below the one an epoch earlier.

    In the first epoch it falls in any case. Only a further one shows whether seeing every reply again helps.
    """
    if len(run.validation) < 3 or nothing_learned(None, run) or past_the_best(None, run):
        return None
    last = run.validation[-1]
    before = next((one for one in reversed(run.validation[1:]) if one.epoch <= last.epoch - NEARLY_ONE_EPOCH), None)
    if before is None or last.loss >= before.loss * (1 - STILL_FALLING):
        return None
    return (
        f"It was still learning when training ended: the validation loss fell from {before.loss:.3f} to "
        f"{last.loss:.3f} in the last epoch. Try twice as many epochs{now(run, 'epochs')}."
    )


def _best(run: Run) -> ValidationLoss:
    """The lowest loss after training began."""
    return min(run.validation[1:], key=lambda one: one.loss)


TRAINING_RULES: tuple[Rule[None], ...] = (
    Rule(Priority.TRAINING, "lower learning rate, more chats", nothing_learned),
    Rule(Priority.TRAINING, "more epochs won't help", past_the_best),
    Rule(Priority.TRAINING, "try twice as many epochs", still_learning),
)

__all__ = ["advice", "all_rules"]
