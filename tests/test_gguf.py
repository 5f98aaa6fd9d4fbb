"""A model as a GGUF file: the mirror that reads it, and llama.cpp, see what transformers computes."""

from pathlib import Path

import pytest
import torch
from tiny_models import CHATML, tiny_tokenizer
from tokenizers.pre_tokenizers import ByteLevel, Digits, Metaspace, Sequence
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen3Config,
    set_seed,
)

from selfchatbot.gguf.writer import GgufError, check_gguf, write_gguf

TOKENIZER = tiny_tokenizer(CHATML)
END = TOKENIZER.convert_tokens_to_ids("<|im_end|>")
TEXT = "hey how are you doing today? I am good, thanks 😀"
SIZES = {
    "vocab_size": len(TOKENIZER) + 3,  # some rows of the embedding have no token, as in many families
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,
    "bos_token_id": 0,
    "eos_token_id": END,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "norm_topk_prob": True}
LONG = {"rope_type": "longrope", "rope_theta": 10_000.0, "original_max_position_embeddings": 64}
LONG |= {"short_factor": [1.0, 1.1, 1.2, 1.5, 2.0, 2.5, 3.0, 3.5], "long_factor": [2.0] * 8}
GEMMA = {"head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 8}
LAYERS_6 = {**SIZES, "num_hidden_layers": 6}
STRETCHED = {
    "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
    "full_attention": {"rope_type": "linear", "rope_theta": 100_000.0, "factor": 8.0},
}
YARN = {"rope_type": "yarn", "rope_theta": 10_000.0, "factor": 8.0, "original_max_position_embeddings": 64}
LAYERS_4 = {**SIZES, "num_hidden_layers": 4, "layer_types": ["sliding_attention"] * 3 + ["full_attention"]}
CONFIGS = {
    "llama": LlamaConfig(**SIZES),
    "llama, tied": LlamaConfig(**SIZES, tie_word_embeddings=True),
    "llama, biases": LlamaConfig(**SIZES, attention_bias=True),  # the mirror doesn't read them
    "llama 3 positions": LlamaConfig(**SIZES, rope_parameters=LLAMA3),
    "linear positions": LlamaConfig(
        **SIZES, rope_parameters={"rope_type": "linear", "rope_theta": 10_000.0, "factor": 4.0}
    ),
    "mistral": MistralConfig(**SIZES, sliding_window=None),
    "qwen2": Qwen2Config(**SIZES),
    "qwen3": Qwen3Config(**SIZES, head_dim=32, tie_word_embeddings=True),
    "gemma": AutoConfig.for_model("gemma", **SIZES, head_dim=16),
    "gemma2": AutoConfig.for_model("gemma2", **SIZES, **GEMMA),
    "gemma3": AutoConfig.for_model("gemma3_text", **LAYERS_6, **GEMMA),
    "gemma3, stretched": AutoConfig.for_model("gemma3_text", **LAYERS_6, **GEMMA, rope_parameters=STRETCHED),
    "phi3": AutoConfig.for_model("phi3", **SIZES, pad_token_id=0),
    "phi3, longrope": AutoConfig.for_model("phi3", **SIZES, pad_token_id=0, rope_parameters=LONG),
    "smollm3": AutoConfig.for_model("smollm3", **{**SIZES, "num_hidden_layers": 4}, pad_token_id=0),
    "granite": AutoConfig.for_model(
        "granite",
        **SIZES,
        attention_multiplier=0.1,
        embedding_multiplier=3.0,
        residual_multiplier=0.5,
        logits_scaling=4.0,
    ),
    "olmo2": AutoConfig.for_model("olmo2", **SIZES),
    "qwen3_moe": AutoConfig.for_model("qwen3_moe", **SIZES, **EXPERTS, head_dim=16),
    "qwen3, yarn": Qwen3Config(**SIZES, head_dim=16, rope_parameters=YARN),
    "llama, yarn": LlamaConfig(**SIZES, rope_parameters={**YARN, "attention_factor": 1.1}),
    "olmo3": AutoConfig.for_model("olmo3", **LAYERS_4, sliding_window=8),
    "olmo3, yarn": AutoConfig.for_model(
        "olmo3",
        **LAYERS_4,
        sliding_window=8,
        rope_parameters={"full_attention": YARN, "sliding_attention": STRETCHED["sliding_attention"]},
    ),
    "qwen2_moe": AutoConfig.for_model(
        "qwen2_moe", **SIZES, **{**EXPERTS, "norm_topk_prob": False}, shared_expert_intermediate_size=32
    ),
    "granitemoe": AutoConfig.for_model(
        "granitemoe", **SIZES, num_local_experts=4, num_experts_per_tok=2, attention_multiplier=0.1, logits_scaling=4.0
    ),
    "exaone4": AutoConfig.for_model(
        "exaone4", **SIZES, head_dim=16, sliding_window=None, layer_types=["full_attention"] * 2, pad_token_id=0
    ),
    "cohere2": AutoConfig.for_model("cohere2", **LAYERS_4, head_dim=16, sliding_window=8, pad_token_id=0),
    "lfm2": AutoConfig.for_model("lfm2", **SIZES, layer_types=["conv", "full_attention"], pad_token_id=0),
    "glm4": AutoConfig.for_model("glm4", **SIZES, head_dim=16, pad_token_id=0),
    "seed_oss": AutoConfig.for_model("seed_oss", **SIZES, head_dim=16, pad_token_id=0),
    "ernie4_5": AutoConfig.for_model("ernie4_5", **SIZES, head_dim=16, pad_token_id=0),
    "starcoder2": AutoConfig.for_model("starcoder2", **SIZES, sliding_window=None),
    "gpt2": GPT2Config(
        vocab_size=SIZES["vocab_size"], n_positions=512, n_embd=64, n_layer=2, n_head=4, initializer_range=0.2
    ),
}


def random_model(config: PreTrainedConfig) -> PreTrainedModel:
    set_seed(1)
    model = AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        if parameter.dim() == 1:  # norms of ones and biases of zeros would hide a mistake
            parameter.data += 0.1 * torch.randn_like(parameter)
    return model


def log_probabilities(model: PreTrainedModel) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.tensor([TOKENIZER(TEXT)["input_ids"]])).logits[0, -1].float().log_softmax(-1)


@pytest.mark.parametrize("kind", ["llama", "llama, tied", "qwen2"])
def test_transformers_reads_the_same_model_and_tokenizer(kind: str, tmp_path: Path) -> None:
    model = random_model(CONFIGS[kind])
    write_gguf(tmp_path / "model.gguf", model, TOKENIZER, END, "f32")
    read = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="model.gguf", dtype=torch.float32)
    torch.testing.assert_close(log_probabilities(read), log_probabilities(model), atol=1e-4, rtol=1e-4)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path, gguf_file="model.gguf")
    assert tokenizer(TEXT)["input_ids"] == TOKENIZER(TEXT)["input_ids"]
    assert tokenizer.chat_template == CHATML
    assert tokenizer.eos_token_id == END


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize(("quantization", "allowed"), [("f32", 3e-3), ("f16", 0.02), ("q8_0", 0.5)])
def test_llamacpp_computes_the_same(kind: str, quantization: str, allowed: float, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="there is no wheel for every machine")
    from selfchatbot.player.engines.llamacpp import LlamaCppEngine

    model = random_model(CONFIGS[kind])
    write_gguf(tmp_path / "model.gguf", model, TOKENIZER, END, quantization)
    expected = log_probabilities(model)
    engine = LlamaCppEngine(tmp_path / "model.gguf", 256, threads=1, exact=True)
    for token in [END, *expected.topk(20).indices.tolist(), *range(300, 320)]:
        found = engine.log_probability(TOKENIZER(TEXT)["input_ids"], token, END)
        assert found == pytest.approx(expected[token].item(), abs=allowed), token


def test_what_splits_text_is_named(tmp_path: Path) -> None:
    from gguf import GGUFReader

    model = random_model(CONFIGS["llama"])
    splits = {
        "gpt-2": ByteLevel(add_prefix_space=False),
        "smollm": Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]),
    }
    for name, split in splits.items():
        tokenizer = tiny_tokenizer(CHATML)
        tokenizer.backend_tokenizer.pre_tokenizer = split
        write_gguf(tmp_path / "model.gguf", model, tokenizer, END)
        assert GGUFReader(tmp_path / "model.gguf").get_field("tokenizer.ggml.pre").contents() == name


def test_a_window_that_llamacpp_would_not_slide_is_the_longest_context(tmp_path: Path) -> None:
    from gguf import GGUFReader

    config = MistralConfig(**SIZES, sliding_window=64)
    write_gguf(tmp_path / "model.gguf", random_model(config), TOKENIZER, END)
    assert GGUFReader(tmp_path / "model.gguf").get_field("llama.context_length").contents() == 64
    check_gguf(config, TOKENIZER, 64)
    with pytest.raises(GgufError, match="64 tokens"):
        check_gguf(config, TOKENIZER, 65)


def test_what_is_not_known_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    tokenizer = tiny_tokenizer(CHATML)
    tokenizer.backend_tokenizer.pre_tokenizer = Metaspace()
    with pytest.raises(GgufError, match="splits text"):
        write_gguf(path, random_model(CONFIGS["llama"]), tokenizer, END)
    stretched = {"rope_type": "dynamic", "rope_theta": 10_000.0, "factor": 4.0}
    with pytest.raises(GgufError, match="dynamic"):
        write_gguf(path, random_model(LlamaConfig(**SIZES, rope_parameters=stretched)), TOKENIZER, END)
    with pytest.raises(GgufError, match="slide in another order"):
        write_gguf(
            path,
            random_model(AutoConfig.for_model("gemma2", **LAYERS_6, layer_types=["full_attention"] * 6)),
            TOKENIZER,
            END,
        )
    two_bases = {"full_attention": YARN, "sliding_attention": {"rope_type": "default", "rope_theta": 500_000.0}}
    olmo = AutoConfig.for_model("olmo3", **LAYERS_4, sliding_window=8, rope_parameters=two_bases)
    with pytest.raises(GgufError, match="setting of olmo2"):
        write_gguf(path, random_model(olmo), TOKENIZER, END)
    with pytest.raises(GgufError, match="YaRN"):
        write_gguf(
            path, random_model(LlamaConfig(**SIZES, rope_parameters={**YARN, "truncate": False})), TOKENIZER, END
        )
    with pytest.raises(GgufError, match="activation"):
        write_gguf(path, random_model(LlamaConfig(**SIZES, hidden_act="relu")), TOKENIZER, END)
    neox = GPTNeoXConfig(
        vocab_size=400, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    with pytest.raises(GgufError, match="gpt_neox"):
        write_gguf(path, AutoModelForCausalLM.from_config(neox), TOKENIZER, END)
    assert list(tmp_path.iterdir()) == []
