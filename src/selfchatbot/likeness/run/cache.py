"""What an evaluation has computed so far, so that it resumes after Ctrl-C and a later one reuses the results."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from selfchatbot.files import read_jsonl

Unit = TypeVar("Unit")


class Cache:
    """Results in one folder: each kind of work in a JSONL file of its own that only its owner may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def computed(
        self,
        name: str,
        depends_on: object,
        units: Sequence[Unit],
        compute: Callable[[Unit], Any],
        on_unit: Callable[[int], None] = lambda _: None,
        mapped: Callable[[Callable[[Unit], Any], Sequence[Unit]], Iterator[Any]] = map,
    ) -> list[Any]:
        """``compute`` of each unit of work, as JSON; what an earlier run has finished is not computed again.

        ``depends_on``: everything that the results depend on, as JSON. ``on_unit`` is called with the number of
        finished units. ``mapped`` is `map`, or a parallel version of it.
        """
        key = hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()[:12]
        path = self._folder / f"{name}-{key}.jsonl"
        results = list(read_jsonl(path, stop_at_damage=True))[: len(units)]
        on_unit(len(results))
        if len(results) == len(units):
            return results
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Written anew, without the line that a killed run left incomplete.
        descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(json.dumps(result) + "\n" for result in results)
            file.flush()  # the next unit may take long, and be killed
            for result in mapped(compute, units[len(results) :]):
                line = json.dumps(result)
                file.write(line + "\n")
                file.flush()
                results.append(json.loads(line))
                on_unit(len(results))
        return results
