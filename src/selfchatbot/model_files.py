"""What can be seen in the files of a model before a library reads them: some would keep it busy for ever."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from selfchatbot.errors import SelfChatBotError
from selfchatbot.files import read_small

MOST = {
    ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers"): 1_000,
    ("vocab_size", "intermediate_size", "n_inner", "ffn_dim", "d_ff"): 2**24,
    ("hidden_size", "n_embd", "d_model", "head_dim", "n_positions"): 2**20,
    ("num_attention_heads", "n_head", "num_key_value_heads"): 2**16,
}
"""Upper limits of sizes, by their names in config.json: several times those of any model."""
LIMITS = {name: most for names, most in MOST.items() for name in names}


def check_files(folder: Path) -> None:
    """Raises SelfChatBotError for a pipe or a device in ``folder``, and for sizes in config.json that no model has."""
    try:
        for path in folder.iterdir():
            if path.exists() and not (path.is_file() or path.is_dir()):
                raise SelfChatBotError(f"{path} is not a file: remove it, or choose another model")
        config = json.loads(read_small(folder / "config.json"))
    except (OSError, ValueError, RecursionError):
        return  # whoever reads it says what is wrong
    check_sizes(config, str(folder / "config.json"))


def check_sizes(config: Any, place: str) -> None:
    """Raises SelfChatBotError, which begins with ``place``, for a size that is no number from 1 to its limit."""
    for name, value in _sizes(config):
        whole = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and not (whole and 1 <= value <= LIMITS[name]):
            raise SelfChatBotError(f"{place}: {name} is no number from 1 to {LIMITS[name]:,}: choose another model")


def refuse_missing(tensors: Iterable[str], whose: str) -> None:
    """Raises SelfChatBotError if a file of weights lacks ``tensors``: libraries would make random ones up."""
    if missing := sorted(tensors):
        raise SelfChatBotError(
            f"{whose} is incomplete: {len(missing)} tensor(s) are missing, the first is {missing[0]}: get it again"
        )


def _sizes(config: Any) -> Iterator[tuple[str, Any]]:
    """The sizes in a configuration and in those inside it, by name. Some models have one for each layer."""
    inside = [config]
    while inside:
        part = inside.pop()
        for name, value in part.items() if isinstance(part, dict) else ():
            if name in LIMITS:
                yield from ((name, one) for one in (value if isinstance(value, list) else [value]))
            elif isinstance(value, dict):
                inside.append(value)
