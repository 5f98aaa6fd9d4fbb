"""Writes a fast tokenizer into a GGUF file: tokens, their kinds, and how text becomes tokens.

llama.cpp knows two kinds: byte-level BPE with merges ("gpt2"), which first splits text by a rule with a name, and
SentencePiece's BPE with scores ("llama"), in which spaces are letters and unknown characters become bytes.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from selfchatbot.gguf.errors import GgufError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NORMAL, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 3, 4, 5, 6
SPACE = "▁"
UNREACHED_SCORE = -1e6
"""Of a token of SentencePiece that no merge makes."""

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
CASES = r"[^\r\n\p{{L}}\p{{N}}]?{0}*{1}+{2}|[^\r\n\p{{L}}\p{{N}}]?{0}+{1}*{2}|"
SLASHES = TAIL.replace(r"[\r\n]*", r"[\r\n/]*", 1)
SPLITTERS = {
    CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + TAIL: "llama-bpe",
    CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + TAIL: "qwen2",
    CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}" + TAIL.replace("L}", "L}\\p{M}", 1): "qwen35",
    # Mistral's. llama.cpp takes letters beside a to z for either case, which only differs in words like "éTé".
    CASES.format(UPPER, LOWER, "") + r"\p{N}" + SLASHES: "tekken",
    CASES.format(UPPER, LOWER, CONTRACTIONS + "?") + r"\p{N}{1,3}" + SLASHES: "gpt-4o",
}
"""From the regular expression in tokenizer.json to llama.cpp's name of the same split (``tokenizer.ggml.pre``)."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What llama.cpp has to know of a tokenizer."""

    kind: str
    """``gpt2`` or ``llama``."""
    tokens: dict[int, str]
    kinds: dict[int, int]
    split: str
    merges: list[str]
    """Only of ``gpt2``."""
    scores: dict[int, float]
    """Only of ``llama``: the highest is merged first."""
    space_before: bool
    """Whether a text gets a space before its first word."""


def read_vocabulary(tokenizer: "PreTrainedTokenizerBase") -> Vocabulary:
    """Raises GgufError for a tokenizer of a kind, or with a split of the text, that llama.cpp doesn't know."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise GgufError("this tokenizer can't be written as GGUF: it has no tokenizer.json")
    described = json.loads(backend.to_str())
    model = described["model"]
    if model["type"] != "BPE":
        raise GgufError(f"this tokenizer can't be written as GGUF: only BPE can, this is {model['type']}")
    tokens = {index: token for token, index in backend.get_vocab(with_added_tokens=True).items()}
    kinds = dict.fromkeys(tokens, NORMAL)
    pairs = [tuple(merge.split(" ", 1)) if isinstance(merge, str) else tuple(merge) for merge in model["merges"]]
    split, merges, space_before = "default", [], False
    scores: dict[int, float] = {}
    if model.get("byte_fallback"):
        space_before = _space_before(described)
        ids = {token: index for index, token in tokens.items()}
        scores = dict.fromkeys(tokens, UNREACHED_SCORE)
        for rank, pair in reversed(list(enumerate(pairs))):
            if (index := ids.get("".join(pair))) is not None:
                scores[index] = -float(rank)
        for byte in range(256):
            if (index := ids.get(f"<0x{byte:02X}>")) is not None:
                kinds[index], scores[index] = BYTE, 0.0
    elif described.get("normalizer") in (None, _NFC):
        split = splitter(described.get("pre_tokenizer"))
        merges = [" ".join(pair) for pair in pairs]
    else:
        raise GgufError("this tokenizer can't be written as GGUF: it changes text in a way that llama.cpp doesn't")
    for index, added in backend.get_added_tokens_decoder().items():
        tokens[index], kinds[index] = added.content, CONTROL if added.special else USER_DEFINED
    kind = "llama" if scores else "gpt2"
    return Vocabulary(kind, tokens, kinds, split, merges, scores, space_before)


def add_vocabulary(writer: Any, tokenizer: "PreTrainedTokenizerBase", end: int, size: int) -> None:
    """Add a tokenizer with at most ``size`` tokens, the number of rows of the embedding.

    The file asks other programs to add no token before a prompt: the chat template writes all that is needed.
    Raises GgufError for a tokenizer that can't be written.
    """
    found = read_vocabulary(tokenizer)
    if max(found.tokens) >= size:
        raise GgufError("this tokenizer can't be written as GGUF: it has more tokens than the model")
    writer.add_tokenizer_model(found.kind)
    writer.add_tokenizer_pre(found.split)
    writer.add_token_list([found.tokens.get(index, f"[PAD{index}]") for index in range(size)])
    if found.kind == "llama":
        writer.add_token_scores([found.scores.get(index, UNREACHED_SCORE) for index in range(size)])
    writer.add_token_types([found.kinds.get(index, UNUSED) for index in range(size)])
    if found.kind == "gpt2":
        writer.add_token_merges(found.merges)
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
    writer.add_add_space_prefix(found.space_before)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def _space_before(described: dict[str, Any]) -> bool:
    """Whether a SentencePiece tokenizer puts a space before a text. Raises GgufError if it changes anything else."""
    normalizer = described.get("normalizer") or {}
    steps = normalizer.get("normalizers", [normalizer] if normalizer else [])
    before = False
    for step in steps:
        match step:
            case {"type": "Prepend", "prepend": prefix} if prefix == SPACE:
                before = True
            case {"type": "Replace", "pattern": {"String": " "}, "content": content} if content == SPACE:
                pass
            case _:
                raise GgufError(
                    "this tokenizer can't be written as GGUF: it changes text in a way that llama.cpp doesn't"
                )
    splitting = described.get("pre_tokenizer")
    match splitting:
        case None | {"type": "Split", "pattern": {"String": " "}}:  # after the replacement there is no space
            return before
        case {"type": "Metaspace", "replacement": replacement, "split": False} if replacement == SPACE:
            return before or splitting.get("prepend_scheme") in ("first", "always")
    raise GgufError("this tokenizer can't be written as GGUF: it splits text in a way that llama.cpp has no name for")


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
        case ["Split", "ByteLevel"] if not steps[1].get("add_prefix_space"):
            if name := SPLITTERS.get(steps[0].get("pattern", {}).get("Regex", "")):
                return name
    raise GgufError("this tokenizer can't be written as GGUF: it splits text in a way that llama.cpp has no name for")
