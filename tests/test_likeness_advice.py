"""The verdict, the summary in the terminal, and advice where something follows from the figures."""

import io
from pathlib import Path
from typing import Any

import pytest
from likeness_results import HEALTHY, NOTHING, VALIDATION, about, result, style, text
from rich.console import Console

from selfchatbot.likeness.measures.base import SpeakerMeasure
from selfchatbot.likeness.measures.canaries import CanaryResult
from selfchatbot.likeness.measures.copying import Copying
from selfchatbot.likeness.measures.leaks import Leaks
from selfchatbot.likeness.measures.prediction import Prediction
from selfchatbot.likeness.measures.probes import ProbeResult
from selfchatbot.likeness.measures.registry import MEASURES
from selfchatbot.likeness.parts import ValidationLoss
from selfchatbot.likeness.report.advice import advice
from selfchatbot.likeness.report.page import write_page
from selfchatbot.likeness.report.terminal import print_summary
from selfchatbot.likeness.report.verdict import NOT_MEASURED, verdict
from selfchatbot.likeness.result import Likeness
from selfchatbot.likeness.speakers import Speaker


def copying(verbatim: float, half: float = 0.02) -> Copying:
    return Copying(replies=120, verbatim=about(verbatim, half), near=about(0.1), longest_run=9, mean_run=about(3))


def leaking(**kinds: int) -> Leaks:
    return Leaks(neutral=NOTHING, probing=NOTHING.model_copy(update={"found": kinds, "in_training": kinds}))


def trained(*losses: float) -> tuple[ValidationLoss, ...]:
    return tuple(ValidationLoss(epoch=epoch, loss=loss) for epoch, loss in enumerate(losses))


@pytest.mark.parametrize(
    ("aucs", "said"),
    [
        (
            {"model": about(0.6)},
            "Its wording is closer to yours than your friends' is; still told apart in 6 of",
        ),
        ({"model": about(0.79)}, "Its wording is about as close to yours as your friends' is; told apart in 8 of 10"),
        ({"model": about(0.87)}, "Its wording is further from yours than your friends' is; told apart in 9 of 10"),
        ({"model": about(0.92)}, "Its wording is no closer to yours than the base model's"),
        ({"model": about(0.52)}, "By the words alone it can't be told from you: told apart in 5 of 10"),
        (
            {"model": about(0.55, 0.15)},
            "Its wording is closer to yours than your friends' is; told apart in 4 to 7",
        ),
        ({"model": about(0.65, 0.13)}, "Too few test replies to be sure: told apart in 5 to 8 of 10 guesses"),
        (
            {"model": about(0.6), "control": None},
            "Its wording is closer to yours than the base model's; told apart in 6",
        ),
        ({"model": about(0.6), "control": None, "base": None}, "It is told apart in 6 of 10 guesses"),
        ({"model": None}, "There are too few test replies to say"),
    ],
)
def test_the_verdict_counts_only_differences_beyond_the_intervals(aucs: dict[str, Any], said: str) -> None:
    found = verdict(result(**{speaker: {"auc": auc} for speaker, auc in aucs.items()}))
    assert found.startswith(f"{NOT_MEASURED} {said}")


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (
            {"conversations": 4},
            "Too early to say: all test replies come from 4 conversations, and it takes at least 5",
        ),
        ({"conversations": 1}, "Too early to say: all test replies come from a single conversation"),
        ({"conversations": 40, "contacts": 1}, "Too early to say: all test conversations are with one person"),
        ({"conversations": 5, "contacts": 2}, NOT_MEASURED),
        ({"conversations": 5, "contacts": 0}, NOT_MEASURED),
    ],
)
def test_few_conversations_or_one_contact_allow_no_verdict(run: dict[str, Any], said: str, tmp_path: Path) -> None:
    made = result(run=run, model={"health": HEALTHY.model_copy(update={"empty": 3})})
    assert verdict(made).startswith(said)
    assert verdict(made).endswith("Faults in its replies: 3."), "what was counted is said in any case"
    assert ("Its wording is closer to yours" in verdict(made)) == (said == NOT_MEASURED)
    write_page(tmp_path / "page.html", made)
    assert said.partition(":")[0] in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_verdict_warns_of_what_must_not_be_overlooked() -> None:
    assert verdict(result()).startswith(NOT_MEASURED)
    assert verdict(result()).count(".") == 2
    bad = result(
        model={"copying": copying(0.12), "leaks": leaking(emails=2), "health": HEALTHY.model_copy(update={"empty": 3})}
    )
    more = result(model={"leaks": leaking(names=4)}, base={"leaks": leaking(names=3)})
    assert "private things from your chats: 1." in verdict(more)
    for warning in ("recites", "private things from your chats: 2.", "Faults in its replies: 3."):
        assert warning in verdict(bad)


@pytest.mark.parametrize("without", [(), ("base",), ("control",), ("base", "control")])
def test_the_summary_has_a_line_of_eighty_columns_for_each_measure(without: tuple[Speaker, ...]) -> None:
    console = Console(file=io.StringIO(), width=80)
    print_summary(result(without=without), console)
    lines = console.file.getvalue().split("\n")[:-1]  # type: ignore[attr-defined]
    assert len(lines) == 2 + sum(isinstance(one, SpeakerMeasure) and one.summary is not None for one in MEASURES)
    assert all(len(line) <= 80 for line in lines[1:])
    (apart,) = (line for line in lines if line.startswith("told apart"))
    assert "0.60 (.57–.63)" in apart
    assert ("0.94 (.91–.97)" in apart) is ("base" not in without)


def test_where_all_is_well_there_is_no_advice() -> None:
    assert advice(result()) == []


def test_a_falling_loss_in_the_first_epoch_is_no_reason_for_more() -> None:
    halves = tuple(ValidationLoss(epoch=epoch / 2, loss=loss) for epoch, loss in enumerate((4.2, 3.6, 3.4)))
    assert advice(result(run={"validation": halves})) == []
    assert len(advice(result(run={"validation": (*halves, ValidationLoss(epoch=1.5, loss=3.3))}))) == 1


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (result(model={"leaks": leaking(emails=2)}), "emails: 2). Set `redact.emails` in"),
        (result(model={"leaks": leaking(names=1)}), "names: 1). Set `redact.words` or `exclude` in"),
        (result(model={"copying": copying(0.12)}), "train for fewer epochs (now 2) or with a lower learning_rate"),
        (
            result(run={"validation": trained(4.2, 3.4, 3.5)}),
            "More epochs won't help: the validation loss rises from epoch 1",
        ),
        (result(run={"validation": trained(4.2, 3.6, 3.4)}), "still learning when training ended"),
        (result(run={"validation": trained(4.2, 4.3, 4.4)}), "no better than the base model"),
        (
            result(
                parameters={"temperature": 0.3},
                me={"style": style(0.02, distinct_words=300)},
                model={"style": style(0.1, distinct_words=258)},
            ),
            "14 % fewer different words than you: temperature 0.45 (now 0.3)",
        ),
        (
            result(
                parameters={"temperature": 0.6},
                me={"style": style(0.02, distinct_words=300)},
                model={"style": style(0.1, distinct_words=600)},
            ),
            "100 % more different words than you: temperature 0.30 (now 0.6)",
        ),
        (
            result(parameters={"temperature": 1.0}),
            "Few replies make sense at such a temperature (now 1)",
        ),
        (
            result(
                parameters={"temperature": 0.2},
                me={"style": style(0.02, distinct_words=300)},
                model={"style": style(0.1, distinct_words=600)},
            ),
            "100 % more different words than you: temperature 0.05 (now 0.2)",
        ),
        (result(model={"health": HEALTHY.model_copy(update={"truncated": 5})}), "raise max_new_tokens (now 128)"),
        (result(model={"health": HEALTHY.model_copy(update={"looping": 1})}), "Try repetition_penalty 1.05"),
        (result(model={"health": HEALTHY.model_copy(update={"template": 1})}), "that contain chat-template text: 1."),
        (
            result(model={"prediction": Prediction(mine=text(2.3), contacts=text(2.1))}),
            "how people chat more than how you",
        ),
        (result(run={"training_replies": 400}), "400 of your replies: more chats help"),
        (result(model={"auc": about(0.6, 0.09)}), "These figures are rough: 200 replies from 40 conversations"),
        (
            result(whole={"probes": (ProbeResult(line=3, bits_per_character=1, control=4, z=5.0, base_z=0.5),)}),
            "the model knows line 3",
        ),
        (  # a famous name that was in the chats too
            result(
                whole={"probes": (ProbeResult(line=3, bits_per_character=1, control=4, z=9.0, base_z=5.0, gain_z=4.0),)}
            ),
            "the model knows line 3",
        ),
        (
            result(
                whole={
                    "canaries": tuple(
                        CanaryResult(insertions=n, secrets=8, exposure=about(bits, 0.5), most=20, extracted=about(0, 0))
                        for n, bits in ((0, 1.4), (1, 1.6), (4, 6.0), (16, 19.0))
                    )
                }
            ),
            "A secret that occurs 4 times in your chats is remembered (exposure 6.0 of 20 bits, 0 % extracted)",
        ),
    ],
)
def test_one_thing_amiss_gives_one_advice(made: Likeness, said: str) -> None:
    (sentence,) = advice(made)
    assert said in sentence


@pytest.mark.parametrize(
    "made",
    [
        result(model={"copying": copying(0.049)}),  # within two points of my own 3 %
        result(model={"copying": copying(0.06, 0.05)}),  # chance reaches my own rate
        result(model={"leaks": leaking(names=2, numbers=1)}, base={"leaks": leaking(names=2, numbers=3)}),
        result(run={"validation": trained(4.2, 3.4, 3.41)}),
        result(run={"validation": VALIDATION[:2]}),
        result(me={"style": style(0.02, distinct_words=300)}, model={"style": style(0.1, distinct_words=275)}),
        result(model={"health": HEALTHY.model_copy(update={"truncated": 4})}),
        result(parameters={"repetition_penalty": 1.2}, model={"health": HEALTHY.model_copy(update={"looping": 1})}),
        result(model={"auc": about(0.52)}, run={"training_replies": 400}),
        result(whole={"probes": (ProbeResult(line=1, bits_per_character=1, control=4, z=5.0, base_z=4.0),)}),
        result(
            whole={"probes": (ProbeResult(line=1, bits_per_character=1, control=4, z=3.7, base_z=2.7, gain_z=1.2),)}
        ),
        result(without=("base", "control")),
        result(without=("me",)),
        result(without=("model",)),
    ],
)
def test_below_the_threshold_there_is_no_advice(made: Likeness) -> None:
    assert advice(made) == []


def test_its_replies_fit_less_than_mine() -> None:
    fitting = result().speakers["model"].fitting
    assert fitting is not None
    worse = fitting.model_copy(update={"generated": about(0.5)})
    (sentence,) = advice(result(model={"fitting": worse}))
    assert "0.50, yours 0.70" in sentence and "best_of" not in sentence
    (sentence,) = advice(result(run={"parameters": {"best_of": 1}}, model={"fitting": worse}))
    assert "`best_of` 2" in sentence and "temperature" not in sentence


def test_what_can_do_harm_comes_first() -> None:
    made = advice(result(run={"validation": trained(4.2, 3.4, 3.5)}, model={"leaks": leaking(links=1)}))
    assert ["links" in sentence for sentence in made] == [True, False]
