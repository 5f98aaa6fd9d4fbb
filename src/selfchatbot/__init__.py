"""Turn a person's chat exports into a language model that talks like that person."""

import os

# How long a thread that waits for another one keeps its core busy; libgomp reads it when torch or llama.cpp is loaded.
# With its own default, two programs that compute at once got less than half of their share; with none at all, llama.cpp
# alone was a third slower. Alone, this one costs llama.cpp a twentieth, torch nothing.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__version__ = "0.1.0"
