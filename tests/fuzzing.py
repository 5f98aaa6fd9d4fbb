"""Values and files that are changed or damaged at random, for `test_fuzz`."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from conftest import examples
from hypothesis import settings
from hypothesis import strategies as st
from preprocessors.export_cases import DAMAGE, damaged

from selfchatbot.errors import SelfChatBotError

FEW = examples(25)
ODD = st.sampled_from(
    (
        *(
            None,
            True,
            [],
            {},
            "",
            "\0",
            "\ud800",
            "x" * 5000,
            "{",
            "auto",
            -1,
            0,
            1,
            2**31,
            2**63,
            10**18,
            10**400,
            0.5,
        ),
        *(1e308, "1", [None], [[]], {"": 0}, {"type": "text"}, "2024-01-31T18:00:00", "../..", "/dev/null", "a/b"),
    )
)
JSON = st.recursive(
    ODD | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def fuzzed(test: Callable[..., None]) -> Callable[..., None]:
    return settings(max_examples=max(FEW, settings().max_examples if settings().max_examples > 100 else 0))(test)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each value in a JSON value."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield from places(one, (*path, key))


def changed(value: Any, data: st.DataObject) -> Any:
    """``value`` with up to three values in it replaced, removed or added."""
    value = json.loads(json.dumps(value))
    for _ in range(data.draw(st.integers(1, 3))):
        *path, last = (None, *data.draw(st.sampled_from(list(places(value)))))
        if not path:
            return deepcopy(data.draw(JSON))
        holder = value
        for key in path[1:]:
            holder = holder[key]
        if isinstance(holder, dict) and data.draw(st.booleans()):
            if data.draw(st.booleans()):
                del holder[last]
            else:
                holder[data.draw(st.text(max_size=6))] = deepcopy(data.draw(JSON))
        else:
            holder[last] = deepcopy(data.draw(JSON))
    return value


def written(value: Any, data: st.DataObject) -> bytes:
    """A JSON value that was changed, or its text that was damaged."""
    if data.draw(st.booleans()):
        return json.dumps(changed(value, data)).encode()
    return damaged(json.dumps(value, indent=1, ensure_ascii=False).encode(), data.draw(DAMAGE))


def refused_in_one_line(work: Callable[[], object]) -> None:
    try:
        work()
    except SelfChatBotError as error:
        assert str(error)
