"""The number formats of a GGUF file that can be written here."""

from typing import Literal

Quantization = Literal["f32", "f16", "q8_0"]
DEFAULT_QUANTIZATION: Quantization = "q8_0"
"""A quarter of the size of f32, with replies that are no worse (benchmarks/play.py)."""
EXPORT_QUANTIZATIONS: tuple[Quantization, ...] = ("f16", "q8_0")
"""f32 only serves to compare engines."""
