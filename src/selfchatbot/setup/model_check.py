"""Whether a model can be had and trained here, found out before anybody waits for a training to fail."""

from pathlib import Path

from selfchatbot import hub, models
from selfchatbot.errors import SelfChatBotError
from selfchatbot.parameters import RawParameters, TrainingParameters

GIB = 2**30
MANY_REPLIES = 2000
PLENTY = 0.5
"""The fraction of free memory up to which a training fits without doubt."""
MAX_LABELS = 512
"""Trained tokens in a window, at most, for the estimate."""


def problem_of(raw: RawParameters) -> str | None:
    """What stands against training the model of ``raw`` here, in a sentence; None if nothing does.

    A name on huggingface.co is looked up there unless the model is on this machine. Loading torch and the model's
    configuration takes some seconds.
    """
    try:
        if models.is_hub_name(raw.model):
            if not hub.is_downloaded(raw.model):
                hub.ask_hub(raw.model)
        elif not (model := Path(raw.model).expanduser()).is_dir():
            if model.exists() and (model.suffix.lower() != ".gguf" or not model.is_file()):
                return f"{model} is no .gguf file: use the folder that contains config.json"
            return None  # the embedded model is the smallest, and a .gguf takes long to read
        return _too_large(raw)
    except SelfChatBotError as error:
        return str(error)
    except ValueError:  # a model of an unknown shape: nothing can be said about its memory
        return None


def full_fine_tuning(parameters: TrainingParameters, replies: int) -> str | None:
    """Advice to train all weights instead of adapters, or None.

    It is given for as many replies as that was measured to learn more from (docs/training.md), if memory is plentiful.
    """
    if parameters.type_fine_tune != "lora" or replies < MANY_REPLIES:
        return None
    try:
        full = parameters.model_copy(update={"type_fine_tune": "fine_tune"})
        needed, available = _memory(full, gradient_checkpointing=False)
    except (SelfChatBotError, ValueError):
        return None
    if needed > PLENTY * available:
        return None
    return (
        'with this many replies, "type_fine_tune": "fine_tune" learned more than "lora" (measured with the smallest '
        f"model); it needs about {needed / GIB:.0f} of {available / GIB:.0f} GiB here"
    )


def _memory(parameters: TrainingParameters, gradient_checkpointing: bool) -> tuple[int, int]:
    """Bytes that training needs for a window, and those that are free.

    Raises SelfChatBotError for a model that can't be had, ValueError for one of an unknown shape.
    """
    from selfchatbot.memory import free
    from selfchatbot.trainer.memory_estimate import MicroBatch, ModelShape, bytes_needed

    machine = models.fast_machine()
    config = models.load_config(parameters.model)
    length = models.window(config, parameters.max_length)
    window = MicroBatch(length, min(length, MAX_LABELS))
    return bytes_needed(parameters, ModelShape(config), machine, window, gradient_checkpointing), free(machine.device)


def _too_large(raw: RawParameters) -> str | None:
    from selfchatbot.trainer.memory_estimate import USABLE_SHARE

    parameters = TrainingParameters(model=raw.model, type_fine_tune=raw.type_fine_tune, max_length=raw.max_length)
    needed, available = _memory(parameters, gradient_checkpointing=True)
    if needed <= USABLE_SHARE * available:
        return None
    smaller = "a smaller model"
    if parameters.type_fine_tune != "qlora":
        smaller = '"type_fine_tune": "qlora" or a smaller model'
    return (
        f'model "{raw.model}": training needs {needed / GIB:.0f} GiB or more, and {available / GIB:.0f} are free here: '
        f"choose {smaller}"
    )
