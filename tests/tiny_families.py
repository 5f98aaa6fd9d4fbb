"""A tiny random model of each family that people fine-tune, with what makes it different: its tokenizer, template, tied
or fused weights, biases, sliding windows, and whether there is a pad token."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import transformers
from tiny_models import CHATML, LAST_TURN_DIFFERS, WORDS
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

INST = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}"
    "{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}{% endfor %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for message in messages %}{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else 'user') + '\n'"
    " + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
PHI3 = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)


def byte_level(*special: str) -> Tokenizer:
    """As gpt2, Qwen and Phi have it: BPE over bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    _train(tokenizer, list(special), pre_tokenizers.ByteLevel.alphabet())
    return tokenizer


def sentencepiece(*special: str, prefix: bool) -> Tokenizer:
    """As Gemma, and with ``prefix`` (a space before each text) Llama and Mistral have it: BPE, the rest as bytes."""
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=False)
    _train(trained, ["<unk>", *special], [])
    values: dict[str, Any] = json.loads(trained.to_str())["model"]
    vocabulary = values["vocab"]
    for byte in range(256):
        vocabulary[f"<0x{byte:02X}>"] = len(vocabulary)
    model = models.BPE(vocabulary, [tuple(merge) for merge in values["merges"]], unk_token="<unk>", byte_fallback=True)
    tokenizer = Tokenizer(model)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in ("<unk>", *special)])
    spaces = [normalizers.Replace(" ", "▁")]
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), *spaces] if prefix else spaces)
    strip = [decoders.Strip(" ", 1, 0)] if prefix else []
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *strip]
    )
    begin = special[0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A", special_tokens=[(begin, tokenizer.token_to_id(begin))]
    )
    return tokenizer


def _train(tokenizer: Tokenizer, special: list[str], alphabet: list[str]) -> None:
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([WORDS] * 5, trainer)


@dataclass(frozen=True)
class Family:
    """How a family's tiny model is made; ``tokens`` are the names of special ones."""

    tokenizer: Callable[[], Tokenizer]
    tokens: dict[str, str]
    template: str | None = None
    config: dict[str, Any] = field(default_factory=dict)

    def save(self, name: str, folder: Path) -> Path:
        transformers.set_seed(0)
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=self.tokenizer(), **self.tokens)
        tokenizer.chat_template = self.template
        ids = {f"{kind}_id": tokenizer.convert_tokens_to_ids(token) for kind, token in self.tokens.items()}
        # What a family's configuration class has as a default are tokens that a tiny vocabulary has not.
        ids.setdefault("pad_token_id", None)
        shape = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 256} if name == "gpt2" else SHAPE
        config = transformers.AutoConfig.for_model(name, vocab_size=len(tokenizer), **ids, **{**shape, **self.config})
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder


SHAPE = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
END_OF_TEXT = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}
BEGIN_AND_END = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
QWEN = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
QWEN_TOKENS = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
GEMMA_SPECIAL = ("<bos>", "<eos>", "<pad>", "<start_of_turn>", "<end_of_turn>")
GEMMA_TOKENS = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}


def _gemma() -> Tokenizer:
    return sentencepiece(*GEMMA_SPECIAL, prefix=False)


def _llama() -> Tokenizer:
    return sentencepiece("<s>", "</s>", prefix=True)


FAMILIES = {
    # No template, no pad token, tied embeddings; query, key and value are one projection, and it is transposed.
    "gpt2": Family(
        lambda: byte_level("<|endoftext|>"),
        END_OF_TEXT,
        config={"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
    ),
    # No pad token, embeddings not tied.
    "llama": Family(_llama, BEGIN_AND_END, INST, {"tie_word_embeddings": False}),
    # A window of attention that is shorter than the conversations; pad equal to end.
    "mistral": Family(_llama, {**BEGIN_AND_END, "pad_token": "</s>"}, INST, {"sliding_window": 24}),
    # Biases in query, key and value; tied, as the small ones are.
    "qwen2": Family(lambda: byte_level(*QWEN), QWEN_TOKENS, CHATML, {"tie_word_embeddings": True}),
    "qwen3": Family(lambda: byte_level(*QWEN), QWEN_TOKENS, LAST_TURN_DIFFERS, {"head_dim": 16}),
    # Embeddings are scaled and tied; gemma2 bends its logits; both newer ones have sliding windows.
    "gemma": Family(_gemma, GEMMA_TOKENS, GEMMA, {"head_dim": 16}),
    "gemma2": Family(_gemma, GEMMA_TOKENS, GEMMA, {"head_dim": 16, "sliding_window": 24}),
    "gemma3_text": Family(_gemma, GEMMA_TOKENS, GEMMA, {"head_dim": 16, "sliding_window": 24}),
    # No template; attention and feed-forward side by side, biases everywhere, the output layer included.
    "phi": Family(lambda: byte_level("<|endoftext|>"), END_OF_TEXT, config={"num_key_value_heads": 4}),
    # Fused projections; a pad token that is the end of text, and another one that ends turns.
    "phi3": Family(
        lambda: byte_level("<|endoftext|>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"),
        {**END_OF_TEXT, "pad_token": "<|endoftext|>"},
        PHI3,
    ),
}
