"""Is it me? Four speakers answer the same held-out messages, and their replies are measured against my real ones."""
