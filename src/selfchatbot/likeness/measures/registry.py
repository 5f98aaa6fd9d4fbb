"""All measures. To add one: a file in this folder, a line here, and a field in `selfchatbot.likeness.result`."""

from typing import Any

from selfchatbot.likeness.measures.authorship import Authorship
from selfchatbot.likeness.measures.base import Measure
from selfchatbot.likeness.measures.canaries import Canaries
from selfchatbot.likeness.measures.context_fit import ContextFit
from selfchatbot.likeness.measures.copying import CopyingMeasure
from selfchatbot.likeness.measures.discriminator import Discriminator
from selfchatbot.likeness.measures.faults import Faults
from selfchatbot.likeness.measures.leaks import LeaksMeasure
from selfchatbot.likeness.measures.prediction import PredictionMeasure
from selfchatbot.likeness.measures.probes import Probes
from selfchatbot.likeness.measures.style import Style

MEASURES: tuple[Measure[Any], ...] = (
    Discriminator(),
    Authorship(),
    Style(),
    PredictionMeasure(),
    ContextFit(),
    CopyingMeasure(),
    LeaksMeasure(),
    Faults(),
    Canaries(),
    Probes(),
)
"""In the order of the reports. The verdict begins with the headline of the first measure that has one."""
