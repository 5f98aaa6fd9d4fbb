"""Write setup/models.json and the README's table of models from the memory estimate: python tests/model_table.py"""

import json
import re
from pathlib import Path

import torch
from transformers import LlamaConfig, PretrainedConfig, Qwen3Config

from selfchatbot.models import Machine
from selfchatbot.parameters import TrainingParameters
from selfchatbot.setup.models import GIB, Hardware, fitting
from selfchatbot.trainer.memory_estimate import MicroBatch, ModelShape, bytes_needed

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "src" / "selfchatbot" / "setup" / "models.json"
README = ROOT / "README.md"
MARKED = re.compile(r"(<!-- models -->\n).*?(<!-- end -->)", re.DOTALL)
WINDOW = MicroBatch(tokens=1024, labels=512)
MACHINES = {
    "cuda": Machine("cuda", torch.bfloat16),
    "mps": Machine("mps", torch.float32),
    "cpu": Machine("cpu", torch.float32),
}
CUDA_BYTES = GIB // 2
"""What CUDA takes for itself."""


def _qwen3(hidden: int, inner: int, layers: int, heads: int, tied: bool) -> PretrainedConfig:
    """From the config.json of each model; all have 8 key-value heads of 128 and 151,936 words."""
    return Qwen3Config(
        hidden_size=hidden,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=8,
        head_dim=128,
        vocab_size=151936,
        tie_word_embeddings=tied,
    )


SMALLEST = LlamaConfig(
    hidden_size=576,
    intermediate_size=1536,
    num_hidden_layers=30,
    num_attention_heads=9,
    num_key_value_heads=3,
    vocab_size=49152,
    tie_word_embeddings=True,
)
MODELS = {
    "Qwen/Qwen3-14B-Base": (_qwen3(5120, 17408, 40, 40, False), ("lora",)),
    "Qwen/Qwen3-8B-Base": (_qwen3(4096, 12288, 36, 32, False), ("lora", "qlora")),
    "Qwen/Qwen3-4B-Base": (_qwen3(2560, 9728, 36, 32, True), ("lora", "qlora")),
    "Qwen/Qwen3-1.7B-Base": (_qwen3(2048, 6144, 28, 16, True), ("lora", "qlora")),
    "Qwen/Qwen3-0.6B-Base": (_qwen3(1024, 3072, 28, 16, True), ("lora",)),
    "SmolLM2-135M-Instruct": (SMALLEST, ("lora",)),
}
"""The configuration of each model and the methods worth trying, the better one first."""
LICENCE = "Apache-2.0"
"""Of all of them, and none is gated: nobody has to ask for access."""

ROWS = {
    "no graphics card, 2 cores": Hardware("cpu", 6 * GIB, 2),
    "no graphics card, 4 cores or more": Hardware("cpu", 6 * GIB, 8),
    "a card with 8 GB": Hardware("cuda", round(7.3 * GIB), 8),
    "a card with 12 GB": Hardware("cuda", round(11.2 * GIB), 8),
    "a card with 16 GB": Hardware("cuda", round(15.2 * GIB), 8),
    "a card with 24 GB": Hardware("cuda", round(23.2 * GIB), 8),
    "a card with 80 GB": Hardware("cuda", round(78.5 * GIB), 16),
    "a Mac with 16 GB": Hardware("mps", round(10.6 * GIB), 8),
}
"""What is left of each by the system and the screen."""


def model_list() -> str:
    """The content of models.json: what training needs at its peak, with checkpointing where there is a GPU, in GiB."""
    entries = []
    for name, (config, methods) in MODELS.items():
        shape = ModelShape(config)
        entries.append(
            {
                "name": name,
                "billions": round(shape.parameters / 1e9, 2),
                # In 16 bits; the smallest one comes as a wheel of PyPI.
                "download": round(2 * shape.parameters / 1e9, 1) if "/" in name else 0.1,
                "licence": LICENCE,
                "needs": {device: _needs(shape, methods, device) for device in MACHINES},
            }
        )
    return json.dumps(entries, indent=2) + "\n"


def _needs(shape: ModelShape, methods: tuple[str, ...], device: str) -> dict[str, float]:
    needs = {}
    for method in methods:
        if method == "qlora" and device != "cuda":  # there it is no faster, and peft computes in float32
            continue
        parameters = TrainingParameters(model="m", type_fine_tune=method)
        needed = bytes_needed(parameters, shape, MACHINES[device], WINDOW, gradient_checkpointing=True)
        needs[method] = round((needed + (CUDA_BYTES if device == "cuda" else 0)) / GIB, 1)
    return needs


def table() -> str:
    """The model that is recommended for each kind of machine."""
    lines = [
        "| your machine | model | method | needs | download |",
        "| --- | --- | --- | --: | --: |",
    ]
    for machine, hardware in ROWS.items():
        best = fitting(hardware)[0]
        lines.append(
            f"| {machine} | `{best.model}` | `{best.method}` | {best.needed:.1f} GiB | {best.download:.1f} GB |"
        )
    return "\n".join(lines)


def with_current_table(text: str) -> str:
    return MARKED.sub(lambda match: f"{match[1]}\n{table()}\n\n{match[2]}", text)


if __name__ == "__main__":
    LIST.write_text(model_list(), encoding="utf-8", newline="\n")
    README.write_text(with_current_table(README.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
