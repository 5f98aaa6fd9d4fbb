"""Write GGUF files, the model format of llama.cpp."""

from selfchatbot.gguf.writer import QUANTIZATIONS, GgufError, Quantization, write_gguf

__all__ = ["QUANTIZATIONS", "GgufError", "Quantization", "write_gguf"]
