"""What an evaluation has computed so far: it goes on there after Ctrl-C, and finds it again next time."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from selfchatbot.files import read_jsonl

Piece = TypeVar("Piece")


class Cache:
    """Results of one kind in one folder, each kind of work in a JSONL file of its own that only its user may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def computed(
        self,
        name: str,
        depends_on: object,
        pieces: Sequence[Piece],
        compute: Callable[[Piece], Any],
        on_piece: Callable[[int], None] = lambda _: None,
        mapped: Callable[[Callable[[Piece], Any], Sequence[Piece]], Iterator[Any]] = map,
    ) -> list[Any]:
        """``compute`` of each of ``pieces``, as JSON has it; what an earlier run has finished is not computed again.

        ``depends_on`` is all that the results depend on, as JSON; ``on_piece`` gets the number of pieces that are done;
        ``mapped`` does what `map` does.
        """
        key = hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()[:12]
        path = self._folder / f"{name}-{key}.jsonl"
        results = list(read_jsonl(path, stop_at_damage=True))[: len(pieces)]
        on_piece(len(results))
        if len(results) == len(pieces):
            return results
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Written anew, without the line that a killed run left unfinished.
        descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(json.dumps(result) + "\n" for result in results)
            file.flush()  # the next piece may take long, and be killed
            for result in mapped(compute, pieces[len(results) :]):
                line = json.dumps(result)
                file.write(line + "\n")
                file.flush()
                results.append(json.loads(line))
                on_piece(len(results))
        return results
