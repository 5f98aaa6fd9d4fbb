"""Turn a person's chat exports into a language model that talks like that person."""

import os

# How long a thread that waits for another one keeps its core busy; libgomp reads it when torch or llama.cpp is loaded.
# With its own default, two programs that compute at once got less than half of their share. Alone, this one costs torch
# nothing and llama.cpp a twentieth, which a tenth of it made a third slower.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__version__ = "0.1.0"
