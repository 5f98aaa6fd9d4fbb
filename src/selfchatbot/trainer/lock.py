"""One training of a dataset at a time."""

from pathlib import Path

from filelock import FileLock, Timeout

LOCK_NAME = ".training.lock"


def training_lock(results: Path) -> FileLock:
    """The lock that a training holds while it runs."""
    return FileLock(results / LOCK_NAME, mode=0o600)


def is_training(results: Path) -> bool:
    """Whether a training is running that writes into ``results``."""
    if not (results / LOCK_NAME).exists():
        return False
    try:
        with training_lock(results).acquire(timeout=0):
            return False
    except Timeout:
        return True
