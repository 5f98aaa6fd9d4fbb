"""All measures. To add one: a file in this folder, a line here, and a field in `selfchatbot.likeness.result`."""

from typing import Any

from selfchatbot.likeness.measures.authorship import AuthorshipMeasure
from selfchatbot.likeness.measures.base import Measure
from selfchatbot.likeness.measures.canaries import CanariesMeasure
from selfchatbot.likeness.measures.context_fit import ContextFitMeasure
from selfchatbot.likeness.measures.copying import CopyingMeasure
from selfchatbot.likeness.measures.discriminator import DiscriminatorMeasure
from selfchatbot.likeness.measures.faults import FaultsMeasure
from selfchatbot.likeness.measures.harm import HarmMeasure
from selfchatbot.likeness.measures.leaks import LeaksMeasure
from selfchatbot.likeness.measures.prediction import PredictionMeasure
from selfchatbot.likeness.measures.probes import ProbesMeasure
from selfchatbot.likeness.measures.sense import ReaderMeasure, SenseMeasure
from selfchatbot.likeness.measures.style import StyleMeasure
from selfchatbot.likeness.measures.told_apart import ToldByJudgeMeasure

MEASURES: tuple[Measure[Any], ...] = (
    SenseMeasure(),
    ReaderMeasure(),
    DiscriminatorMeasure(),
    ToldByJudgeMeasure(),
    AuthorshipMeasure(),
    StyleMeasure(),
    PredictionMeasure(),
    ContextFitMeasure(),
    CopyingMeasure(),
    LeaksMeasure(),
    HarmMeasure(),
    FaultsMeasure(),
    CanariesMeasure(),
    ProbesMeasure(),
)
"""In the order of the reports. The verdict begins with their headlines."""
