"""Splits a model's chat template into the texts that it puts around the contents of a conversation."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from selfchatbot.concurrency import within
from selfchatbot.errors import SelfChatBotError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PLAIN_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\n\n' }}"
    "{% elif message['role'] == 'user' %}{{ 'Them:\n' + message['content'] + '\n' }}"
    "{% else %}{{ 'Me:\n' + message['content'] + eos_token + '\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Me:\n' }}{% endif %}"
)
"""For base models without a chat template: plain text in which the model's end token closes my turns."""

FIXED_DATE = "{%- macro strftime_now(format) %}26 Jul 2024{% endmacro %}"
"""Replaces today's date, with which prompts would differ from the training data every day.

It is the date that Llama 3.2's template uses when there is no other.
"""

TEMPLATE_SECONDS = 20.0
"""To render a few short messages, which takes milliseconds: a template is a program, and may never end."""
_PROBE = {"s": "xqSYSTEMqx", "u": "xqUSERqx", "a": "xqASSISTANTqx", "v": "xqOTHERqx", "b": "xqSECONDqx"}
_ROLES = {"s": "system", "u": "user", "v": "user", "a": "assistant", "b": "assistant"}


@dataclass(frozen=True, slots=True)
class TemplateParts:
    """What a template puts around the contents of a conversation, as token ids."""

    head: list[int]
    """Before a first turn of the others."""
    opening: list[int] | None
    """Before a first turn of mine; None: the template requires the others to begin."""
    user_to_me: list[int]
    me_to_user: list[int]
    """After my end token, before the next turn of the others."""
    system: list[int] | None
    """Before a system message; None: the template accepts none."""
    system_to_user: list[int]
    system_to_me: list[int] | None
    end: int
    """The token that ends my turns."""
    texts: dict[str, str | None]
    """All of these as text, by name; ``me_to_user`` begins with the end token."""


def ensure_template(tokenizer: "PreTrainedTokenizerBase") -> None:
    """Set the plain template on a tokenizer without one, and a fixed date in a template that contains today's."""
    if not tokenizer.chat_template:
        has_bos = bool(tokenizer("x")["input_ids"][:1] == [tokenizer.bos_token_id] != [None])
        tokenizer.chat_template = ("{{ bos_token }}" if has_bos else "") + PLAIN_TEMPLATE
    elif "strftime_now" in tokenizer.chat_template and not tokenizer.chat_template.startswith(FIXED_DATE):
        tokenizer.chat_template = FIXED_DATE + tokenizer.chat_template


def template_parts(tokenizer: "PreTrainedTokenizerBase") -> TemplateParts:
    """Render probe conversations and cut out what stands around their contents.

    Raises SelfChatBotError for a template that can't be split and for a model without a token that ends a turn.
    """

    def ids(text: str) -> list[int]:
        """Token ids of template text, in which special tokens are special."""
        return list(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []

    probes = ("uavb", "avb", "suavb", "savb")
    try:
        whole, opening, system, system_opening = within(
            TEMPLATE_SECONDS, lambda: [_render(tokenizer, probe) for probe in probes]
        )
    except TimeoutError:
        raise SelfChatBotError(
            f"the chat template of this model does not end within {TEMPLATE_SECONDS:g} seconds: choose another model"
        ) from None
    if whole is None:
        raise SelfChatBotError("the chat template of this model can't be used: choose another model")
    head, user_to_me, me_to_user, _, _ = whole
    after = ids(me_to_user)
    end, rest = _split_end(tokenizer, after)
    end_text = str(tokenizer.decode([end]))
    if len(rest) < len(after):
        me_to_user = me_to_user.partition(end_text)[2]
    opening = _render(tokenizer, "avb")
    system = _render(tokenizer, "suavb")
    system_opening = _render(tokenizer, "savb")
    texts = {
        "head": head,
        "opening": opening[0] if opening else None,
        "user_to_me": user_to_me,
        "system": system[0] if system else None,
        "system_to_user": system[1] if system else "",
        "system_to_me": system_opening[1] if system and system_opening else None,
    }
    tokens = {name: None if text is None else ids(text) for name, text in texts.items()}
    return TemplateParts(
        **tokens,  # type: ignore[arg-type]
        me_to_user=rest,
        end=end,
        texts={**texts, "me_to_user": end_text + me_to_user, "end": end_text},
    )


def special_ids(tokenizer: "PreTrainedTokenizerBase") -> set[int]:
    """Ids of all special tokens. ``all_special_ids`` has only those with a role, such as bos and eos."""
    added = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    return added | {index for index in tokenizer.all_special_ids if index is not None}  # an empty one has none


def _split_end(tokenizer: "PreTrainedTokenizerBase", after: list[int]) -> tuple[int, list[int]]:
    """The token that ends my turns and what follows it, from what a template writes after my words.

    It is the first special token there, or else the first one that was added to the vocabulary. A template that writes
    neither gets the model's own end token.
    """
    added = {index for index, token in tokenizer.added_tokens_decoder.items() if token.content.strip()}
    for markers in (special_ids(tokenizer), added):
        for place, index in enumerate(after):
            if index in markers:
                return index, after[place + 1 :]
    if tokenizer.eos_token_id is None:
        raise SelfChatBotError("this model has no token that ends a turn: choose another model")
    return tokenizer.eos_token_id, after


def _render(tokenizer: "PreTrainedTokenizerBase", probe: str) -> list[str] | None:
    """The texts before, between and after the contents of a probe conversation; None if the template refuses it."""
    messages = [{"role": _ROLES[letter], "content": _PROBE[letter]} for letter in probe]
    try:
        text = str(tokenizer.apply_chat_template(messages, tokenize=False))
    except Exception:  # templates raise whatever they like
        return None
    parts = []
    for letter in probe:
        part, found, text = text.partition(_PROBE[letter])
        if not found:
            return None
        parts.append(part)
    return [*parts, text]
