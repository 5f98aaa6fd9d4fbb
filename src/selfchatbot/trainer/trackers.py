"""`report_to`: experiment trackers, through accelerate."""

from collections.abc import Sequence

from selfchatbot.errors import UsageError


def check_trackers(names: Sequence[str]) -> None:
    """Raises UsageError for a tracker that accelerate does not support or whose package is not installed."""
    if not names:
        return
    from accelerate.tracking import get_available_trackers
    from accelerate.utils import LoggerType

    supported = sorted(set(LoggerType.list()) - {"all"})
    installed = [str(tracker) for tracker in get_available_trackers()]
    for name in names:
        if name not in supported:
            raise UsageError(f'key "report_to": found "{name}", expected some of {", ".join(supported)}')
        if name not in installed:
            raise UsageError(f'key "report_to": "{name}" is not installed: pip install {name}')
