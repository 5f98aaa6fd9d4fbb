"""The first stage: chat exports to conversations in three splits."""
