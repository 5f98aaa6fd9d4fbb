"""What computes the next token: transformers or llama.cpp."""
