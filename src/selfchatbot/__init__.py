"""Turn a person's chat exports into a language model that talks like that person."""

import logging
import os
import sys

# How long a thread that waits for another one keeps its core busy; libgomp reads it when torch or llama.cpp is loaded.
# With its own default, two programs that compute at once got less than half of their share. Alone, this one costs torch
# nothing and llama.cpp a twentieth, which a tenth of it made a third slower.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# Only the model that the user names is asked for, and no native code is fetched. With the package `kernels`,
# bitsandbytes and transformers ask the hub for compiled kernels, even those that a model's config names. None makes its
# import fail, which both expect.
sys.modules.setdefault("kernels", None)  # type: ignore[arg-type]
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # which complains about that while it is being imported
os.environ["DISABLE_SAFETENSORS_CONVERSION"] = (
    "1"  # transformers would ask a server to convert a model without safetensors
)
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
