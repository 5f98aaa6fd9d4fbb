"""The programs that run a model token by token: transformers, or llama.cpp."""
