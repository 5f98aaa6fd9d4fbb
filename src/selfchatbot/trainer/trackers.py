"""`report_to`: transformers' own integrations with trackers, checked before anything is loaded."""

from collections.abc import Sequence

from selfchatbot.errors import UsageError


def check_trackers(names: Sequence[str]) -> None:
    """Raises UsageError for a tracker that transformers doesn't know, or whose package is not installed."""
    if not names:
        return
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    for name in names:
        if name not in INTEGRATION_TO_CALLBACK:
            known = ", ".join(sorted(INTEGRATION_TO_CALLBACK))
            raise UsageError(f'key "report_to": found "{name}", expected some of {known}')
        try:
            INTEGRATION_TO_CALLBACK[name]()
        except (ImportError, RuntimeError, ValueError) as error:  # they say which package is missing
            reason = " ".join(str(error).split())
            raise UsageError(f'key "report_to": "{name}" does not work here: {reason}') from error
