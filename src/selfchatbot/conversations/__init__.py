"""The first stage: chat exports to conversations in three splits. Start reading in `stage`."""
