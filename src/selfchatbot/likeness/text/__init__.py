"""What is counted in texts, and texts as vectors: shared by several measures."""
