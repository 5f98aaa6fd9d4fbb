"""Whether a model can be had and trained here, found out before anybody waits for a training to fail."""

from pathlib import Path

from selfchatbot import hub, models
from selfchatbot.errors import SelfChatBotError
from selfchatbot.parameters import RawParameters, TrainingParameters

GIB = 2**30
MAX_LABELS = 512
"""Trained tokens in a window, at most, for the estimate."""


def problem_of(raw: RawParameters) -> str | None:
    """What stands against training the model of ``raw`` here, in a sentence; None if nothing does.

    A name on huggingface.co is looked up there unless the model is on this machine. Loading torch and the model's
    configuration takes some seconds.
    """
    try:
        if not models.is_hub_name(raw.model):
            return _incomplete(Path(raw.model))
        if not hub.is_downloaded(raw.model):
            hub.ask_hub(raw.model)
        return _too_large(raw)
    except SelfChatBotError as error:
        return str(error)
    except ValueError:  # a model of an unknown shape: nothing can be said about its memory
        return None


def _incomplete(model: Path) -> str | None:
    """What is wrong with a model on this machine, as far as can be seen without reading it."""
    if model.is_dir() and not (model / "config.json").is_file():
        return f"{model} has no config.json: a model's folder is needed, such as a download from huggingface.co"
    if model.exists() and not model.is_dir() and (model.suffix.lower() != ".gguf" or not model.is_file()):
        return f"{model} is no .gguf file: use the folder that contains config.json"
    return None


def _too_large(raw: RawParameters) -> str | None:
    from selfchatbot.memory import free
    from selfchatbot.trainer.memory_estimate import USABLE_SHARE, MicroBatch, ModelShape, bytes_needed

    parameters = TrainingParameters(model=raw.model, type_fine_tune=raw.type_fine_tune, max_length=raw.max_length)
    machine = models.fast_machine()
    config = models.load_config(raw.model)
    length = models.window(config, raw.max_length)
    window = MicroBatch(length, min(length, MAX_LABELS))
    needed = bytes_needed(parameters, ModelShape(config), machine, window, gradient_checkpointing=True)
    available = free(machine.device)
    if needed <= USABLE_SHARE * available:
        return None
    smaller = "a smaller model"
    if parameters.type_fine_tune != "qlora":
        smaller = '"type_fine_tune": "qlora" or a smaller model'
    return (
        f'model "{raw.model}": training needs {needed / GIB:.0f} GiB or more, and {available / GIB:.0f} are free here: '
        f"choose {smaller}"
    )
