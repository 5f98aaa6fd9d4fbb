"""What a model that was trained with canaries gives away of them."""

from collections.abc import Callable, Sequence
from itertools import takewhile

from selfchatbot.likeness.measures.canaries import Canary, canary_results
from selfchatbot.likeness.result import CanaryResult
from selfchatbot.likeness.run.model_pair import Models
from selfchatbot.likeness.run.replies import context_prompt, replies
from selfchatbot.messages import ChatMessages

ASKED = 8
"""Times that each secret is asked for."""


def extract(
    models: Models,
    canaries: Sequence[Canary],
    system: ChatMessages,
    on_progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> tuple[CanaryResult, ...]:
    """Ask for each of ``canaries``, and compare its probability with that of secrets that were never there.

    ``system``: what conversations of the training began with, if anything: they are asked in a new one of the kind.
    """
    prompts = [[*system, *canary.prompt] for canary in canaries for _ in range(ASKED)]
    said = [reply.text for reply in replies(models, "model", prompts, [], [], on_progress)]
    each = [said[start : start + ASKED] for start in range(0, len(said), ASKED)]
    return canary_results(
        canaries, lambda messages, texts: _log_probabilities(models, [*system, *messages], texts), each, models.seed
    )


def _log_probabilities(models: Models, messages: ChatMessages, texts: Sequence[str]) -> list[float]:
    """Of ``texts``, but for what all of them begin with: that is read once, and the same for all."""
    from selfchatbot.player.engines.likelihood import of_continuations

    model, chat_format = models.loaded("model").model, models.chat_format
    prompt = context_prompt(chat_format, messages, models.window // 2)
    turns = [chat_format.turn(text) for text in texts]
    shared = sum(1 for _ in takewhile(lambda tokens: len(set(tokens)) == 1, zip(*turns, strict=False)))
    return of_continuations(model, prompt + turns[0][:shared], [turn[shared:] for turn in turns])
