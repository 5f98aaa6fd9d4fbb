"""A tiny random model of a family, with a tokenizer and a few conversations to train it on."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForSeq2SeqLM,
    PreTrainedTokenizerFast,
    set_seed,
)

SHAPES = json.loads((Path(__file__).resolve().parent.parent / "families.json").read_text(encoding="utf-8"))
"""By name: the models that people know, and what the configuration has besides ``SHAPE``."""
LENGTH = 160
"""Tokens in a window."""
SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
OWN_SHAPE = {
    "gpt2": {},
    "bloom": {"hidden_dropout": 0.0, "attention_dropout": 0.0},
    "t5": {},
    "mamba2": {"hidden_size": 64, "num_hidden_layers": 2},
    "rwkv": {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2},
}
"""Families whose configuration has other keys."""
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}"
)
"""It opens a thought in the generation prompt, as many do: nobody trained that."""
WORDS = (
    "hey how are you doing today? I am good, thanks! what about you? haha yeah\nthat is so nice 😀 see you later "
    "do you want to get food? sure, when? at 7 or 8 maybe. ok cool 🎉 it's raining again, don't forget your umbrella"
)
REPLIES = ["haha yeah\nit's raining again, don't forget 😀", "I am good, thanks!", "sure, when?", "at 7 or 8 maybe"]


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE whose end token is special, but has no role: llama.cpp and transformers are told another one."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        [WORDS] * 5,
        trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, bos_token=special[0], eos_token=special[0])
    tokenizer.chat_template = CHATML
    return tokenizer


def save_tiny(name: str, folder: Path) -> str:
    """Write model and tokenizer as a hub has them; returns the name of the model's class."""
    set_seed(0)
    tokenizer = tiny_tokenizer()
    config = tiny_config(name, len(tokenizer))
    if name == "t5":
        model = AutoModelForSeq2SeqLM.from_config(config)
    elif name == "gemma3n":  # its eyes need a package that nothing else here needs
        model = AutoModelForCausalLM.from_config(config.text_config)
    elif "text_config" in SHAPES[name]["config"] or name == "mistral4":  # transformers counts it as one that sees
        model = AutoModelForImageTextToText.from_config(config)
    else:
        model = AutoModelForCausalLM.from_config(config)
    for parameter in model.parameters():  # norms of ones and biases of zeros would hide a mistake
        if parameter.dim() == 1 and parameter.is_floating_point():
            parameter.data += 0.05 * torch.randn_like(parameter)
    tokenizer.save_pretrained(folder)
    if name == "gemma3n":
        weights = {key.replace("model.", "model.language_model.", 1): w for key, w in model.state_dict().items()}
        del weights["lm_head.weight"]
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
        config.save_pretrained(folder)
    else:
        model.save_pretrained(folder)
    return type(model).__name__


def tiny_config(name: str, vocabulary: int) -> Any:
    """The configuration of a family, with a language model of ``SHAPE`` in it."""
    values = dict(SHAPES[name]["config"])
    if "text_config" in values:
        text = tiny_config(values.pop("text_config"), vocabulary).to_dict()
        parts = {key: value for key, value in values.items() if value is not None or key == "audio_config"}
        tied = text["tie_word_embeddings"]
        return AutoConfig.for_model(name, text_config=text, **parts, tie_word_embeddings=tied)
    ids = {"vocab_size": vocabulary, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    if name in ("gemma3n_text", "gemma4_text"):
        ids["vocab_size_per_layer_input"] = vocabulary
    values = {**OWN_SHAPE.get(name, SHAPE), **values, **ids}
    if values.get("num_hidden_layers", 0) is None:
        del values["num_hidden_layers"]
    return AutoConfig.for_model(SHAPES[name].get("model_type", name), **values)


def write_conversations(folder: Path, model: Path, **parameters: object) -> Path:
    """A preprocessed dataset."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(12):
        messages = []
        for turn in range(2 + number % 3):
            said = f"how are you doing today? {number} {turn}" + " ok" * (number % 4)
            messages.append({"role": "user", "content": said})
            messages.append({"role": "assistant", "content": REPLIES[(number + turn) % 4]})
        lines.append(json.dumps({"messages": messages, "chat": "c", "start": f"2024-01-{number + 1:02d}T10:00:00"}))
    for name, part in (("train", lines[3:]), ("validation", lines[:3]), ("test", lines[1:2])):
        (folder / f"{name}.jsonl").write_text("\n".join(part) + "\n", encoding="utf-8")
    values = {
        "model": str(model),
        "max_length": LENGTH,
        "epochs": 2,
        "batch_size": 100,
        "learning_rate": 0.005,
        "warmup_ratio": 0.0,
        "evaluations_per_epoch": 1,
        "samples": 1,
        **parameters,
    }
    (folder / "parameters.json").write_text(json.dumps(values), encoding="utf-8")
    return folder
