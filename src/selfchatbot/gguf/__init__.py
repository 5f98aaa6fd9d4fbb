"""Writes GGUF files, the model format of llama.cpp and the programs built on it."""
