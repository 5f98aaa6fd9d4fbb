"""GGUF of families whose layers differ: linear attention, per-layer embeddings, keys and values that layers share."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from test_gguf import END, SIZES, TEXT, TOKENIZER, YARN, log_probabilities, random_model
from tiny_models import CHATML
from tokenizers import Tokenizer, models, normalizers
from tokenizers.pre_tokenizers import ByteLevel
from transformers import AutoConfig, LlamaConfig, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers.models.qwen3_5.tokenization_qwen3_5 import Qwen3_5Tokenizer

from selfchatbot.gguf.vocabulary import splitter
from selfchatbot.gguf.writer import GgufError, check_gguf, write_gguf
from selfchatbot.player.engines.protocol import Sampling, Token

LINEAR = {
    **SIZES,
    "num_hidden_layers": 4,
    "head_dim": 32,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 6,
    "pad_token_id": 0,
}
EXPERTS = {
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 48,
}
GEMMA4 = {
    **SIZES,
    "num_hidden_layers": 4,
    "initializer_range": 0.1,
    "head_dim": 16,
    "global_head_dim": 32,
    "sliding_window": 8,
    "layer_types": ["sliding_attention", "full_attention"] * 2,
    "pad_token_id": 0,
}
NO_EMBEDDING_BY_LAYER = {"hidden_size_per_layer_input": 0, "vocab_size_per_layer_input": 0}
BY_LAYER = {"hidden_size_per_layer_input": 16, "vocab_size_per_layer_input": SIZES["vocab_size"] - 3}
GEMMA3N = {
    **SIZES,
    "num_hidden_layers": 22,
    "initializer_range": 0.02,
    "head_dim": 16,
    "sliding_window": 8,
    "num_kv_shared_layers": 2,
    "vocab_size_per_layer_input": SIZES["vocab_size"] - 3,
    "pad_token_id": 0,
}
SHARING = {"num_kv_shared_layers": 2, "use_double_wide_mlp": True, "final_logit_softcapping": 30.0}
CONFIGS = {
    "qwen3_5": AutoConfig.for_model("qwen3_5_text", **LINEAR),
    "qwen3_5, yarn": AutoConfig.for_model("qwen3_5_text", **{**LINEAR, "head_dim": 16}, rope_parameters={**YARN}),
    "qwen3_5_moe": AutoConfig.for_model("qwen3_5_moe_text", **LINEAR, **EXPERTS),
    "qwen3_next": AutoConfig.for_model("qwen3_next", **LINEAR, **EXPERTS),
    "gemma4": AutoConfig.for_model("gemma4_text", **{**GEMMA4, **BY_LAYER}, **SHARING),
    "gemma4, keys are values": AutoConfig.for_model(
        "gemma4_text", **GEMMA4, **NO_EMBEDDING_BY_LAYER, attention_k_eq_v=True, num_global_key_value_heads=1
    ),
    "gemma4 12B": AutoConfig.for_model("gemma4_unified_text", **GEMMA4, final_logit_softcapping=30.0),
    "gemma4, experts": AutoConfig.for_model(
        "gemma4_text",
        **GEMMA4,
        **NO_EMBEDDING_BY_LAYER,
        enable_moe_block=True,
        num_experts=4,
        top_k_experts=2,
        moe_intermediate_size=32,
    ),
    "gemma3n": AutoConfig.for_model("gemma3n_text", **GEMMA3N),
}


def made(kind: str) -> PreTrainedModel:
    model = random_model(CONFIGS[kind])
    for name, value in model.state_dict().items():
        if name.endswith(("layer_scalar", "router.scale", "per_expert_scale")):
            value.mul_(1.2)
    return model


def cut_off_as_llamacpp(model: PreTrainedModel) -> PreTrainedModel:
    """Gemma 3n cuts off at so many standard deviations, which llama.cpp takes of a sample, transformers of all."""
    size = SIZES["intermediate_size"]
    for layer in model.get_decoder().layers if model.config.model_type == "gemma3n_text" else ():
        if layer.mlp.activation_sparsity:
            layer.mlp.activation_sparsity = 0.5 * math.erfc(-1.6448536 * math.sqrt(size / (size - 1) / 2))
    return model


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize(("quantization", "allowed"), [("f32", 3e-3), ("f16", 0.03), ("q8_0", 1.0)])
def test_llamacpp_computes_the_same(kind: str, quantization: str, allowed: float, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="there is no wheel for every machine")
    from selfchatbot.player.engines.llamacpp import LlamaCppEngine

    model = made(kind)
    check_gguf(model.config, TOKENIZER, 256)
    write_gguf(tmp_path / "model.gguf", model, TOKENIZER, END, quantization)
    expected = log_probabilities(cut_off_as_llamacpp(model))
    engine = LlamaCppEngine(tmp_path / "model.gguf", 256, threads=1, exact=True)
    ids = TOKENIZER(TEXT)["input_ids"]
    engine.log_probability([*ids, END, *ids], END, END)  # what was read before makes no difference
    for token in [END, *expected.topk(20).indices.tolist(), *range(300, 320)]:
        assert engine.log_probability(ids, token, END) == pytest.approx(expected[token].item(), abs=allowed), token


@pytest.mark.parametrize("kind", ["qwen3_5", "gemma4"])
def test_several_replies_at_once_are_each_what_the_model_says(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="there is no wheel for every machine")
    from selfchatbot.player.engines.llamacpp import LlamaCppEngine

    model = made(kind)
    write_gguf(tmp_path / "model.gguf", model, TOKENIZER, END, "f32")
    engine = LlamaCppEngine(tmp_path / "model.gguf", 256, threads=1, exact=True)
    prompt = TOKENIZER(TEXT)["input_ids"]
    sampling = Sampling(1.0, 1.0, 0, 1.0, 8, END, frozenset(), seed=0)
    drawn: list[list[Token]] = [[], [], []]
    for token in engine.generate(prompt, sampling, 3):
        drawn[token.candidate].append(token)
    assert all(drawn)
    for tokens in drawn:
        ids = [token.id for token in tokens]
        with torch.inference_mode():
            logits = model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        expected = logits.gather(1, torch.tensor(ids)[:, None])[:, 0].tolist()
        assert [token.log_probability for token in tokens] == pytest.approx(expected, abs=5e-3)


REFUSED: dict[str, tuple[PreTrainedConfig, str]] = {
    "no softcap": (
        AutoConfig.for_model(
            "gemma2", **SIZES, head_dim=16, query_pre_attn_scalar=16, sliding_window=8, final_logit_softcapping=None
        ),
        "gemma2",
    ),
    "layers in another order": (
        AutoConfig.for_model(
            "qwen3_5_text",
            **LINEAR,
            layer_types=["linear_attention", "full_attention", "full_attention", "linear_attention"],
        ),
        "qwen35",
    ),
    "keys and values of two sizes": (
        AutoConfig.for_model("qwen3_5_text", **{**LINEAR, "linear_value_head_dim": 8}),
        "qwen35",
    ),
    "experts in some layers": (
        AutoConfig.for_model("qwen3_next", **LINEAR, **EXPERTS, mlp_only_layers=[1]),
        "mlp_only_layers",
    ),
    "other layers share": (AutoConfig.for_model("gemma3n_text", **{**GEMMA3N, "num_hidden_layers": 25}), "gemma3n"),
    "another rank": (AutoConfig.for_model("gemma3n_text", **GEMMA3N, laurel_rank=32), "laurel_rank"),
    "no layer is sparse": (
        AutoConfig.for_model("gemma3n_text", **GEMMA3N, activation_sparsity_pattern=[0.0] * 22),
        "gemma3n",
    ),
    "keys of a layer that isn't the last": (
        AutoConfig.for_model("gemma4_text", **{**GEMMA4, **BY_LAYER}, num_kv_shared_layers=1),
        "gemma4",
    ),
    "both ways": (
        AutoConfig.for_model("gemma4_text", **GEMMA4, **NO_EMBEDDING_BY_LAYER, use_bidirectional_attention="all"),
        "gemma4",
    ),
    "no layer slides": (
        AutoConfig.for_model("gemma4_text", **{**GEMMA4, **BY_LAYER, "layer_types": ["full_attention"] * 4}),
        "gemma4",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_llamacpp_takes_for_granted_is_refused(what: str) -> None:
    config, reason = REFUSED[what]
    with pytest.raises(GgufError, match=f"this setting of {reason}"):
        check_gguf(config, TOKENIZER)


def test_the_split_of_qwen3_5_has_a_name() -> None:
    described = json.loads(Qwen3_5Tokenizer().backend_tokenizer.to_str())
    assert splitter(described["pre_tokenizer"]) == "qwen35"


def test_a_mark_belongs_to_its_letter(tmp_path: Path) -> None:
    """As Qwen3.5 splits text, and earlier models don't."""
    pytest.importorskip("xllamacpp", reason="there is no wheel for every machine")
    from selfchatbot.player.engines.llamacpp import LlamaCppEngine

    first, second = ByteLevel(add_prefix_space=False).pre_tokenize_str("\u0301")[0][0]
    alphabet = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *sorted(ByteLevel.alphabet())]
    merges = [("e", first), (f"e{first}", second)]
    vocabulary = {token: index for index, token in enumerate([*alphabet, *("".join(merge) for merge in merges)])}
    backend = Tokenizer(models.BPE(vocabulary, merges))
    backend.pre_tokenizer = Qwen3_5Tokenizer().backend_tokenizer.pre_tokenizer
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>")
    config = LlamaConfig(**{**SIZES, "vocab_size": len(vocabulary), "eos_token_id": 2})
    write_gguf(tmp_path / "model.gguf", random_model(config), tokenizer, 2)
    engine = LlamaCppEngine(tmp_path / "model.gguf", 256, threads=1)
    for text in ("cafe\u0301 12, 3\n\n e\u0301", "don't \u0301"):
        assert engine.tokens(text) == tokenizer(text)["input_ids"], text
    assert vocabulary["e" + first + second] in engine.tokens("cafe\u0301")


def test_a_tokenizer_with_letters_for_spaces_is_read_alike(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="there is no wheel for every machine")
    from selfchatbot.player.engines.llamacpp import LlamaCppEngine

    tokenizer = spaced_tokenizer()
    config = AutoConfig.for_model("gemma4_text", **{**GEMMA4, **NO_EMBEDDING_BY_LAYER, "vocab_size": len(tokenizer)})
    model: Any = random_model(config)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    write_gguf(tmp_path / "model.gguf", model, tokenizer, end)
    engine = LlamaCppEngine(tmp_path / "model.gguf", 256, threads=1)
    for text in ("he  hehe", "\n\n\nhe\n", " he\n\n he\n", "zé"):
        assert engine.tokens(text) == tokenizer(text)["input_ids"], text


def spaced_tokenizer() -> PreTrainedTokenizerFast:
    """As that of Gemma: BPE over characters, bytes for what is unknown, runs of newlines as tokens."""
    letters = ["<unk>", "<|im_start|>", "<|im_end|>", *(f"<0x{byte:02X}>" for byte in range(256)), "h", "e", "▁", "\n"]
    merges = [("h", "e"), ("\n", "\n"), ("\n\n", "\n"), ("\n", "\n\n"), ("▁", "▁"), ("▁", "he"), ("▁he", "he")]
    vocabulary = {token: index for index, token in enumerate([*letters, *dict.fromkeys("".join(m) for m in merges)])}
    made = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.normalizer = normalizers.Replace(" ", "▁")
    made.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", eos_token="<|im_end|>")
    tokenizer.chat_template = CHATML
    return tokenizer
