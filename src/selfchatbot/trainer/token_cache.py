"""Conversations as windows of tokens, cached beside them."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from selfchatbot.chat_format import ChatFormat
from selfchatbot.files import atomic_file
from selfchatbot.messages import read_conversations
from selfchatbot.trainer.data import as_dataset

if TYPE_CHECKING:
    from datasets import Dataset

VERSION = 1
"""Increment whenever the same conversations become different windows: caches are then rebuilt."""
DIGEST_BYTES = 32


def tokenized(conversations: Path, chat_format: ChatFormat, max_length: int, keep: bool = True) -> "Dataset":
    """The windows of a JSONL file, as made by `as_dataset`.

    They come from the cache ``.NAME.windows`` beside the file if it is undamaged and was made from the same
    conversations with the same tokenizer, template and ``max_length``. Otherwise they are made and cached there,
    readable by the user only; with ``keep`` False nothing is written.

    Raises SelfChatBotError with file and line for anything that is not a conversation.
    """
    kept = conversations.with_name(f".{conversations.stem}.windows")
    key = _key(conversations, chat_format, max_length)
    windows = _read(kept, key)
    if windows is None:
        windows = as_dataset(chat_format.windows(read_conversations(conversations), max_length))
        if keep:
            with suppress(OSError):  # without a cache, it only takes longer next time
                _write(kept, key, windows)
    return windows


def _key(conversations: Path, chat_format: ChatFormat, max_length: int) -> bytes:
    """Digest of everything that windows depend on."""
    tokenizer: Any = chat_format.tokenizer
    with conversations.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    vocabulary = tokenizer.backend_tokenizer.to_str() if tokenizer.is_fast else tokenizer.get_vocab()
    template = [chat_format.texts(), chat_format.end]
    return hashlib.sha256(json.dumps([VERSION, content, vocabulary, template, max_length]).encode()).digest()


def _read(kept: Path, key: bytes) -> "Dataset | None":
    from datasets import Dataset
    from datasets.table import InMemoryTable

    try:
        content = memoryview(kept.read_bytes())
    except OSError:
        return None
    if content[:DIGEST_BYTES] != _digest(key, content[DIGEST_BYTES:]):
        return None
    return Dataset(InMemoryTable(pa.ipc.open_stream(content[DIGEST_BYTES:]).read_all()))


def _write(kept: Path, key: bytes, windows: "Dataset") -> None:
    table = windows.data.table
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    payload = memoryview(sink.getvalue())
    with atomic_file(kept) as partial:
        partial.touch(mode=0o600)
        with partial.open("wb") as file:
            file.write(_digest(key, payload))
            file.write(payload)


def _digest(key: bytes, payload: memoryview) -> bytes:
    """One digest of both, so that neither a wrong key nor damaged windows match."""
    digest = hashlib.sha256(key)
    digest.update(payload)
    return digest.digest()
