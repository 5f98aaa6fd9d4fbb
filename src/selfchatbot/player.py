"""The third stage: a checkpoint that replies. It knows conversations, sampling and stopping, and no terminal.

player = Player(results / "best", read_parameters(results / "parameters.json", GenerationParameters))
print(player.reply([{"role": "user", "content": "hey, how was your day?"}]))
"""

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from selfchatbot.chat_format import ChatFormat
from selfchatbot.errors import SelfChatBotError
from selfchatbot.messages import ChatMessages
from selfchatbot.models import Machine, load_model, load_tokenizer, quiet, resolve, this_machine, window
from selfchatbot.parameters import GenerationParameters

if TYPE_CHECKING:
    import torch
    from transformers import GenerationConfig, PreTrainedModel

RETRIES = 3


class Player:
    """Loads a checkpoint folder (adapters or a whole model) and says what I would say next.

    Raises SelfChatBotError when the checkpoint is not there or broken.
    """

    def __init__(
        self, checkpoint: Path, parameters: GenerationParameters | None = None, machine: Machine | None = None
    ) -> None:
        import torch

        quiet()
        machine = machine or this_machine()
        adapter = _adapter_config(checkpoint)
        base = str(checkpoint) if adapter is None else _base_model(adapter, parameters)
        self.parameters = parameters or GenerationParameters(model=base)
        self._chat_format = ChatFormat(_loaded(checkpoint, lambda: load_tokenizer(str(checkpoint))))
        if adapter is None:
            model = _loaded(checkpoint, lambda: load_model(base, machine.dtype))
        else:
            model = _loaded(checkpoint, lambda: _merged(load_model(base, machine.dtype), checkpoint))
        self._model: PreTrainedModel = model.to(machine.device).eval()
        self._window = window(self._model, self.parameters.max_length)
        if self.parameters.seed is not None:
            torch.manual_seed(self.parameters.seed)

    def reply(self, messages: ChatMessages) -> str:
        """My next turn after ``messages``, which ends with a turn of the others (or is empty)."""
        return self.replies(messages, 1)[0]

    def replies(self, messages: ChatMessages, count: int) -> list[str]:
        """``count`` answers to choose from. Empty ones are tried again a few times."""
        import torch

        prompt = self._prompt(messages)
        found: list[str] = []
        for attempt in range(RETRIES):
            missing = count - len(found)
            with torch.inference_mode():
                output = self._model.generate(
                    prompt, generation_config=self._generation(prompt.shape[1], missing, attempt)
                )
            texts = (self._chat_format.reply(row[prompt.shape[1] :].tolist()) for row in output)
            found.extend(text for text in texts if text)
            if len(found) == count:
                break
        return found + [""] * (count - len(found))

    def stream(self, messages: ChatMessages) -> Iterator[str]:
        """The same as `reply`, piece by piece as it is made; closing the iterator stops the model."""
        import torch
        from transformers import TextIteratorStreamer

        prompt = self._prompt(messages)
        stopped = False

        def stop(input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
            return torch.full((input_ids.shape[0],), stopped, dtype=torch.bool, device=input_ids.device)

        for attempt in range(RETRIES):
            streamer = TextIteratorStreamer(self._chat_format.tokenizer, skip_prompt=True, skip_special_tokens=True)
            thread = Thread(
                target=_generate,
                args=(self._model, prompt, self._generation(prompt.shape[1], 1, attempt), [stop], streamer),
                daemon=True,
            )
            thread.start()
            said = False
            pending = ""
            try:
                for piece in streamer:
                    # White space waits until something follows it: none at the beginning, none at the end.
                    text = pending + piece if said else (pending + piece).lstrip()
                    pending = text[len(text.rstrip()) :]
                    if shown := text.rstrip():
                        said = True
                        yield shown
            finally:
                stopped = True
                thread.join()
            stopped = False
            if said:
                return

    def _prompt(self, messages: ChatMessages) -> "torch.Tensor":
        import torch

        room = max(self._window - self.parameters.max_new_tokens, self._window // 2)
        return torch.tensor([self._chat_format.prompt(messages, room)], device=self._model.device)

    def _generation(self, prompt_length: int, count: int, attempt: int) -> "GenerationConfig":
        """Sampling as in parameters.json; a retry after an empty reply forbids to end at once."""
        from transformers import GenerationConfig

        parameters = self.parameters
        sampling: dict[str, Any] = {"do_sample": False}
        if parameters.temperature > 0:
            sampling = {
                "do_sample": True,
                "temperature": parameters.temperature,
                "top_p": parameters.top_p,
                "top_k": parameters.top_k or None,
            }
        end = self._chat_format.end
        return GenerationConfig(
            **sampling,
            repetition_penalty=parameters.repetition_penalty,
            # Greedy decoding knows one answer only.
            num_return_sequences=count if parameters.temperature > 0 else 1,
            max_new_tokens=max(1, min(parameters.max_new_tokens, self._window - prompt_length)),
            min_new_tokens=2 if attempt else None,
            eos_token_id=end,
            pad_token_id=end,
            suppress_tokens=sorted(self._chat_format.special - {end}) or None,
        )


def _generate(
    model: "PreTrainedModel", prompt: Any, generation: "GenerationConfig", stopping: list[Any], streamer: Any
) -> None:
    """What runs beside the reader of the stream; whatever happens, the stream ends."""
    import torch

    try:
        with torch.inference_mode():
            model.generate(prompt, generation_config=generation, stopping_criteria=stopping, streamer=streamer)
    finally:
        streamer.end()


def _adapter_config(checkpoint: Path) -> dict[str, Any] | None:
    if not (checkpoint / "config.json").exists() and not (checkpoint / "adapter_config.json").exists():
        raise SelfChatBotError(f"{checkpoint} holds no checkpoint: train again")
    if not (checkpoint / "adapter_config.json").exists():
        return None
    try:
        config: dict[str, Any] = json.loads((checkpoint / "adapter_config.json").read_text(encoding="utf-8"))
        return config
    except (OSError, ValueError) as error:
        raise SelfChatBotError(f"{checkpoint} is damaged (adapter_config.json): train again") from error


def _base_model(adapter: dict[str, Any], parameters: GenerationParameters | None) -> str:
    """The name in parameters.json, which stays valid when the results move to another machine, else the saved one."""
    if parameters is not None:
        return parameters.model
    return resolve(str(adapter.get("base_model_name_or_path")))


def _merged(model: "PreTrainedModel", checkpoint: Path) -> "PreTrainedModel":
    """The base model with the adapters added to its weights: as fast as the base model alone."""
    from peft import PeftModel

    merged: PreTrainedModel = PeftModel.from_pretrained(model, checkpoint).merge_and_unload()
    return merged


def _loaded(checkpoint: Path, load: Any) -> Any:
    """Load a part of the checkpoint; a file that is cut or of another kind is said in one line."""
    try:
        return load()
    except SelfChatBotError:
        raise
    except Exception as error:  # safetensors, json and peft have their own exceptions each
        reason = str(error).strip().split("\n")[0]
        raise SelfChatBotError(f"{checkpoint} is damaged ({type(error).__name__}: {reason}): train again") from error
