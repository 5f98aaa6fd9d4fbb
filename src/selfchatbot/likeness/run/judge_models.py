"""The two language models that read the replies: a GGUF file by llama.cpp where that is installed, others by torch.

llama.cpp reads a file as it is: 1.5 billion parameters at four bits take 1.8 GiB, where torch, which computes with
them in float32, takes 6 GiB and as much of the disk. In exchange, it reports the probability of one token at a time:
there is no way to ask it for those of a prompt.
"""

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from selfchatbot.models import Machine

MAX_PROMPT_TOKENS = 768
"""Of a transcript: the last five turns of most conversations are far shorter."""
MAX_REPLY_TOKENS = 80

logger = logging.getLogger(__name__)


class JudgeModel(Protocol):
    """A language model as a reader of plain text."""

    def tokens(self, text: str) -> list[int]:
        """Without any special tokens."""

    def log_probabilities(self, prompt: list[int], continuations: list[list[int]]) -> list[float]:
        """Of each continuation after ``prompt``: nats, summed over its tokens."""


def log_probabilities(model: JudgeModel, prompt: str, replies: Sequence[str]) -> tuple[list[float], list[int]]:
    """By reply, after ``prompt``: the sum in nats, and the number of tokens. Both texts are cut if they are long."""
    read = [model.tokens(reply)[:MAX_REPLY_TOKENS] for reply in replies]
    return model.log_probabilities(model.tokens(prompt)[-MAX_PROMPT_TOKENS:], read), [len(ids) for ids in read]


def load_judge(name: str, machine: "Machine") -> JudgeModel:
    """The model ``name``: a hub name, a folder or a GGUF file. Raises SelfChatBotError where it can't be loaded."""
    from selfchatbot.models import load_model, load_tokenizer

    if name.lower().endswith(".gguf") and Path(name).is_file():
        if find_spec("xllamacpp") is None:
            logger.warning(
                "without llama.cpp (pip install xllamacpp), the judge takes about %.0f GiB of memory and of the disk",
                Path(name).stat().st_size * 8 / 2**30 / 1.4,  # from about 5.6 bits a weight to 32
            )
        else:
            from selfchatbot.player.engines.llamacpp import LlamaCppEngine, leaves_a_gpu_idle

            if not leaves_a_gpu_idle():
                return LlamaCppEngine(Path(name), MAX_PROMPT_TOKENS + MAX_REPLY_TOKENS)
    model = load_model(name, machine.dtype).to(machine.device).eval()
    return TorchJudge(model, load_tokenizer(name))


class TorchJudge:
    """A model of transformers."""

    def __init__(self, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
        self._model = model
        self._tokenizer = tokenizer

    def tokens(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return ids

    def log_probabilities(self, prompt: list[int], continuations: list[list[int]]) -> list[float]:
        from selfchatbot.player.engines.likelihood import continuation_log_probabilities

        return continuation_log_probabilities(self._model, prompt, continuations)
