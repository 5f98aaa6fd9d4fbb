"""Write setup/models.json and the README's table of models from the memory estimate: python tests/model_table.py"""

import json
import math
import re
from pathlib import Path
from typing import NamedTuple

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
REPLIES_TOKENS = 130_000
"""Of conversations with 2,000 replies: 254 full windows of 512 with the sample's person (benchmarks/RECORD.md)."""
UTILISATION = 0.3
"""Share of a GPU's peak that training is taken to reach. Not measured on these cards."""
CORE_FLOPS = 57e9
"""Of a core without instructions for bfloat16: two of them train the smallest model with 213 tokens/s, a forward and a
backward pass of 134 million parameters for each (benchmarks/RECORD.md)."""


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


class Example(NamedTuple):
    """A machine of a row of the table."""

    hardware: Hardware
    """What the system and the screen leave of it."""
    flops: float
    """Per second: the peak of the format that it computes in; of a CPU, what training reaches."""
    name: str = ""


# A GeForce card since the 30 series multiplies bfloat16 twice as fast as float32, of which NVIDIA states the peak.
ROWS = {
    "no graphics card, 2 cores": Example(Hardware("cpu", 6 * GIB, 2), 2 * CORE_FLOPS),
    "no graphics card, 4 cores or more": Example(Hardware("cpu", 6 * GIB, 4), 4 * CORE_FLOPS),
    "a card with 8 GB": Example(Hardware("cuda", round(7.3 * GIB), 8), 2 * 20.3e12, "RTX 3070"),
    "a card with 12 GB": Example(Hardware("cuda", round(11.2 * GIB), 8), 2 * 40.1e12, "RTX 4070 Ti"),
    "a card with 16 GB": Example(Hardware("cuda", round(15.2 * GIB), 8), 2 * 23.7e12, "RTX 5060 Ti"),
    "a card with 24 GB": Example(Hardware("cuda", round(23.2 * GIB), 8), 2 * 35.6e12, "RTX 3090"),
    "a card with 80 GB": Example(Hardware("cuda", round(78.5 * GIB), 16), 989e12, "H100"),
    "a Mac with 16 GB": Example(Hardware("mps", round(10.6 * GIB), 8), 3.6e12, "M2"),
}


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


def minutes(config: PretrainedConfig, example: Example) -> int:
    """Estimated minutes to train adapters once on conversations with 2,000 replies, without loading and validating.

    2 operations for each weight and token in the forward pass, as many in the backward pass, as frozen weights need no
    gradients, and on a GPU as many again, as checkpointing computes activations twice.
    """
    shape = ModelShape(config)
    weights = shape.linear + shape.vocabulary * shape.hidden * WINDOW.labels / WINDOW.tokens
    on_cpu = example.hardware.device == "cpu"
    speed = example.flops * (1 if on_cpu else UTILISATION)
    return math.ceil(2 * (2 if on_cpu else 3) * weights * REPLIES_TOKENS / speed / 60)


def table() -> str:
    """The model that is recommended for each kind of machine."""
    lines = [
        "| your machine | model | method | memory | download | 2,000 replies take about |",
        "| --- | --- | --- | --: | --: | --: |",
    ]
    for machine, example in ROWS.items():
        best = fitting(example.hardware)[0]
        time = f"{minutes(MODELS[best.model][0], example)} min" + (f" ({example.name})" if example.name else "")
        needs, download = f"{best.needed:.1f} GiB", f"{best.download:.1f} GB"
        lines.append(f"| {machine} | `{best.model}` | `{best.method}` | {needs} | {download} | {time} |")
    return "\n".join(lines)


def with_current_table(text: str) -> str:
    return MARKED.sub(lambda match: f"{match[1]}\n{table()}\n\n{match[2]}", text)


if __name__ == "__main__":
    LIST.write_text(model_list(), encoding="utf-8", newline="\n")
    README.write_text(with_current_table(README.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
