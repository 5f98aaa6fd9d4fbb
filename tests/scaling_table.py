"""Write the tables of docs/scaling.md from the memory estimate: python tests/scaling_table.py"""

import re
from pathlib import Path

import torch
from transformers import LlamaConfig, PretrainedConfig, Qwen2Config

from selfchatbot.models import Machine
from selfchatbot.parameters import TrainingParameters
from selfchatbot.trainer.memory_estimate import GIB, MicroBatch, ModelShape, bytes_needed

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "scaling.md"
MARKED = re.compile(r"(<!-- (alone|sharded) -->\n).*?(<!-- end -->)", re.DOTALL)
GPU = Machine("cuda", torch.bfloat16)
WINDOW = MicroBatch(tokens=1024, labels=512)


def _config(kind: type[PretrainedConfig], numbers: tuple[int, ...], tied: bool) -> PretrainedConfig:
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
    return kind(**dict(zip((*names, "vocab_size"), numbers, strict=True)), tie_word_embeddings=tied)


MODELS = {
    "SmolLM2-135M": _config(LlamaConfig, (576, 1536, 30, 9, 3, 49152), True),
    "Qwen2.5-0.5B": _config(Qwen2Config, (896, 4864, 24, 14, 2, 151936), True),
    "Llama-3.2-1B": _config(LlamaConfig, (2048, 8192, 16, 32, 8, 128256), True),
    "Llama-3.2-3B": _config(LlamaConfig, (3072, 8192, 28, 24, 8, 128256), True),
    "Llama-3.1-8B": _config(LlamaConfig, (4096, 14336, 32, 32, 8, 128256), False),
    "Qwen2.5-14B": _config(Qwen2Config, (5120, 13824, 48, 40, 8, 152064), False),
    "Qwen2.5-32B": _config(Qwen2Config, (5120, 27648, 64, 40, 8, 152064), False),
    "Llama-3.1-70B": _config(LlamaConfig, (8192, 28672, 80, 64, 8, 128256), False),
}


def alone() -> str:
    """What one GPU needs for each model and method, without and with checkpointing."""
    lines = ["| model | parameters | `qlora` | `lora` | `fine_tune` |", "| --- | --: | --: | --: | --: |"]
    for name, config in MODELS.items():
        shape = ModelShape(config)
        cells = [
            f"{_gib(shape, method, False)} / {_gib(shape, method, True)}" for method in ("qlora", "lora", "fine_tune")
        ]
        lines.append(f"| {name} | {shape.parameters / 1e9:.2f} billion | {' | '.join(cells)} |")
    return "\n".join(lines)


def sharded() -> str:
    """What each of several GPUs needs with FSDP, with checkpointing."""
    lines = [
        "| model | `lora`, 2 GPUs | `lora`, 8 | `fine_tune`, 2 | `fine_tune`, 8 | `fine_tune`, 16 |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for name in ("Llama-3.2-3B", "Llama-3.1-8B", "Qwen2.5-14B", "Qwen2.5-32B", "Llama-3.1-70B"):
        shape = ModelShape(MODELS[name])
        columns = (("lora", 2), ("lora", 8), ("fine_tune", 2), ("fine_tune", 8), ("fine_tune", 16))
        lines.append(f"| {name} | {' | '.join(_gib(shape, method, True, count) for method, count in columns)} |")
    return "\n".join(lines)


def with_current_tables(text: str) -> str:
    return MARKED.sub(lambda match: f"{match[1]}\n{(alone if match[2] == 'alone' else sharded)()}\n\n{match[3]}", text)


def _gib(shape: ModelShape, method: str, checkpointing: bool, shards: int = 1) -> str:
    parameters = TrainingParameters(model="m", type_fine_tune=method)
    return f"{bytes_needed(parameters, shape, GPU, WINDOW, checkpointing, shards) / GIB:.1f}"


if __name__ == "__main__":
    text = with_current_tables(DOCUMENT.read_text(encoding="utf-8"))
    DOCUMENT.write_text(text, encoding="utf-8", newline="\n")
