"""A made-up result of an evaluation: good in every way, and changed where a test needs it to be."""

from typing import Any

from selfchatbot.likeness.measures.canaries import CanaryResult
from selfchatbot.likeness.measures.context_fit import Fitting
from selfchatbot.likeness.measures.copying import Copying
from selfchatbot.likeness.measures.faults import Health
from selfchatbot.likeness.measures.harm import Harm
from selfchatbot.likeness.measures.leaks import LeakCounts, Leaks
from selfchatbot.likeness.measures.prediction import HeldOutText, Prediction
from selfchatbot.likeness.measures.probes import ProbeResult
from selfchatbot.likeness.measures.style import FEATURES_BY_NAME
from selfchatbot.likeness.parts import Run, ValidationLoss
from selfchatbot.likeness.result import Likeness, SpeakerResult
from selfchatbot.likeness.speakers import Speaker
from selfchatbot.likeness.text.distances import DISTINCT_WORDS, FeatureResult
from selfchatbot.statistics import Interval


def about(value: float, half: float = 0.03) -> Interval:
    return Interval(value=value, low=value - half, high=value + half)


def text(bits: float) -> HeldOutText:
    nats = bits * 2.8
    return HeldOutText(
        bits_per_character=about(bits),
        nats_per_token=about(nats),
        perplexity=about(19.0, 1),
        tokens=4000,
        characters=15000,
    )


def style(distance: float, **means: float) -> dict[str, FeatureResult]:
    """All features, at the same distance from mine."""
    return {
        name: FeatureResult(mean=about(means.get(name, 0.1), 0.01), distance=about(distance, 0.01), bins={})
        for name in (*FEATURES_BY_NAME, DISTINCT_WORDS)
    }


NOTHING = LeakCounts(replies=200, found={"links": 3}, in_training={})
HEALTHY = Health(replies=200, empty=0, truncated=0, looping=0, other_speaker=0, template=0)
AUCS: dict[Speaker, float] = {"me": 0.5, "model": 0.6, "base": 0.94, "control": 0.8}
VALIDATION = tuple(ValidationLoss(epoch=epoch, loss=loss) for epoch, loss in ((0, 4.2), (1, 3.4), (2, 3.38)))


def speaker(name: Speaker, **changes: Any) -> SpeakerResult:
    """One of the four speakers, with ``changes`` to its fields."""
    is_model = name in ("model", "base")
    fields: dict[str, Any] = {
        "replies": 200,
        "style": style(0.02 if name == "me" else 0.1, characters=80, messages=2, distinct_words=260),
        "auc": about(AUCS[name]),
        "authorship": about(0.7),
        "prediction": Prediction(mine=text(1.9), contacts=text(2.1)) if name == "model" else None,
        "fitting": Fitting(
            contexts=150,
            candidates=20,
            chance=0.18,
            mean_reciprocal_rank=about(0.7),
            top1=about(0.55),
            shuffled=about(0.18),
            generated=about(0.68),
        )
        if is_model
        else None,
        "copying": Copying(replies=120, verbatim=about(0.03, 0.02), near=about(0.05), longest_run=7, mean_run=about(3)),
        "leaks": Leaks(neutral=NOTHING, probing=NOTHING) if is_model else None,
        "harm": Harm(replies=260, found={}) if is_model else None,
        "health": HEALTHY,
    }
    if name == "base":
        fields["prediction"] = Prediction(mine=text(2.5), contacts=text(2.4))
    return SpeakerResult(**{**fields, **changes})


def result(
    run: dict[str, Any] | None = None,
    parameters: dict[str, Any] | None = None,
    without: tuple[Speaker, ...] = (),
    whole: dict[str, Any] | None = None,
    **changes: dict[str, Any],
) -> Likeness:
    """With changes to ``run``, its ``parameters``, the ``whole`` file, or a speaker by name."""
    fields: dict[str, Any] = {
        "dataset": "Dataset_1_Zoë",
        "checkpoint": "best",
        "model": "SmolLM2-135M-Instruct",
        "base": "SmolLM2-135M-Instruct, prompted with 12 messages",
        "seed": 42,
        "contexts": 200,
        "conversations": 40,
        "training_replies": 5000,
        "parameters": {
            "epochs": 2.0,
            "learning_rate": 5e-4,
            "temperature": 0.6,
            "repetition_penalty": 1.0,
            "max_new_tokens": 128,
            **(parameters or {}),
        },
        "validation": VALIDATION,
        "versions": {"selfchatbot": "1.0"},
        "seconds": {"replies": 100.0},
        "finished": "2026-11-24T12:30:00",
    }
    return Likeness(
        run=Run(**{**fields, **(run or {})}),
        speakers={name: speaker(name, **changes.get(name, {})) for name in AUCS if name not in without},
        **(whole or {}),
    )


def everything() -> Likeness:
    """With what is only measured when somebody asks for it."""
    canary = CanaryResult(insertions=1, secrets=4, exposure=about(1.4), most=19.9, extracted=about(0.1))
    probe = ProbeResult(line=1, bits_per_character=2.0, control=3.0, z=1.0, base_z=None)
    return result(whole={"canaries": (canary,), "probes": (probe,)})
