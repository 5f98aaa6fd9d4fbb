"""A chat format as a file: what playing needs of it, without importing transformers, which takes a second."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from selfchatbot.chat_format.chat_format import ChatFormat
from selfchatbot.chat_format.template import TemplateParts
from selfchatbot.files import read_small, write_text


class SavedTokenizer:
    """As much of a tokenizer of transformers as `ChatFormat` uses, with the same results."""

    is_fast = True

    def __init__(self, backend: Tokenizer, special: Sequence[int]) -> None:
        self.backend_tokenizer = backend
        self.all_special_ids = list(special)
        self.added_tokens_decoder: dict[int, Any] = {}

    def __call__(self, text: str, add_special_tokens: bool = False, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": self.backend_tokenizer.encode(text, add_special_tokens=add_special_tokens).ids}

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False, **_: Any) -> str:
        return str(self.backend_tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens))


def save_chat_format(chat_format: ChatFormat, path: Path) -> None:
    """Write ``path``; nothing for a tokenizer whose texts are more than its backend's."""
    tokenizer = chat_format.tokenizer
    if not tokenizer.is_fast or getattr(tokenizer, "clean_up_tokenization_spaces", False):
        return
    values = {
        "tokenizer": tokenizer.backend_tokenizer.to_str(),
        "special": sorted(chat_format.special),
        "parts": asdict(chat_format.parts),
    }
    write_text(path, json.dumps(values))


def load_chat_format(path: Path) -> ChatFormat | None:
    """What `save_chat_format` wrote; None if it is missing or damaged."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        values = json.loads(read_small(path))
        parts = TemplateParts(**values["parts"])
        try:
            backend = Tokenizer.from_str(values["tokenizer"])
        except Exception:  # tokenizers has no exception of its own
            return None
        return ChatFormat(SavedTokenizer(backend, values["special"]), parts)
    return None


__all__ = ["load_chat_format", "save_chat_format"]
