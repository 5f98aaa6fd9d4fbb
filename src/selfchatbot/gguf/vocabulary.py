"""Writes a fast tokenizer into a GGUF file: tokens, their kinds, merges, and how text is split before merging."""

import json
from typing import TYPE_CHECKING, Any

from selfchatbot.gguf.families import GgufError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPLITTERS = {
    CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + TAIL: "llama-bpe",
    CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + TAIL: "qwen2",
}
"""From the regular expression in tokenizer.json to llama.cpp's name of the same split (``tokenizer.ggml.pre``)."""


def add_vocabulary(writer: Any, tokenizer: "PreTrainedTokenizerBase", end: int, size: int) -> None:
    """Add a byte-level BPE tokenizer with at most ``size`` tokens, the number of rows of the embedding.

    Other programs are told to add no token before a prompt: the chat template writes all that a model needs there.
    Raises GgufError for another kind of tokenizer, and for a split of the text that llama.cpp doesn't know.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise GgufError("this tokenizer can't be written as GGUF: it has no tokenizer.json")
    described = json.loads(backend.to_str())
    model = described["model"]
    if model["type"] != "BPE" or model.get("byte_fallback") or described.get("normalizer") not in (None, _NFC):
        raise GgufError(f"this tokenizer can't be written as GGUF: only byte-level BPE can, this is {model['type']}")
    vocabulary = backend.get_vocab(with_added_tokens=True)
    if max(vocabulary.values()) >= size:
        raise GgufError("this tokenizer can't be written as GGUF: it has more tokens than the model")
    tokens = [f"[PAD{index}]" for index in range(size)]
    kinds = [UNUSED] * size
    for token, index in vocabulary.items():
        tokens[index], kinds[index] = token, NORMAL
    for index, added in backend.get_added_tokens_decoder().items():
        tokens[index], kinds[index] = added.content, CONTROL if added.special else USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(splitter(described.get("pre_tokenizer")))
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]])
    writer.add_eos_token_id(end)
    writer.add_eot_token_id(end)
    if tokenizer.bos_token_id is not None:
        writer.add_bos_token_id(tokenizer.bos_token_id)
    if tokenizer.unk_token_id is not None:
        writer.add_unk_token_id(tokenizer.unk_token_id)
    if tokenizer.pad_token_id is not None:
        writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


_NFC = {"type": "NFC"}
"""Qwen's normalizer. llama.cpp ignores it too: text that people type is almost always NFC already."""


def splitter(pre_tokenizer: dict[str, Any] | None) -> str:
    """llama.cpp's name for the way text is split before merging. Raises GgufError if it has none."""
    steps = (pre_tokenizer or {}).get("pretokenizers") or [pre_tokenizer or {}]
    match [step.get("type") for step in steps]:
        case ["ByteLevel"] if steps[0].get("use_regex", True) and not steps[0].get("add_prefix_space"):
            return "gpt-2"
        case ["Digits", "ByteLevel"] if steps[0].get("individual_digits") and steps[1].get("use_regex", True):
            return "smollm"
        case ["Split", "ByteLevel"] if name := SPLITTERS.get(steps[0].get("pattern", {}).get("Regex", "")):
            return name
    raise GgufError("this tokenizer can't be written as GGUF: it splits text in a way that llama.cpp has no name for")
