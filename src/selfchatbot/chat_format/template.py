"""A model's own chat template, taken apart into what stands around the contents of a conversation."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
"""The layout of base models, which have no chat template: plain text, my turns closed by the model's end token."""

FIXED_DATE = "{%- macro strftime_now(format) %}26 Jul 2024{% endmacro %}"
"""In place of today's date, which would make every day's prompts other ones than those that were trained. The date is
the one that Llama 3.2's template has where there is none."""

_PROBE = {"s": "xqSYSTEMqx", "u": "xqUSERqx", "a": "xqASSISTANTqx", "v": "xqOTHERqx", "b": "xqSECONDqx"}
_ROLES = {"s": "system", "u": "user", "v": "user", "a": "assistant", "b": "assistant"}


@dataclass(frozen=True, slots=True)
class Pieces:
    """Token ids of what stands around the contents of a conversation."""

    head: list[int]
    """Before a first turn of the others."""
    opening: list[int] | None
    """Before a first turn of mine; None: the template wants the others to begin."""
    user_to_me: list[int]
    me_to_user: list[int]
    """After my end token, before the next turn of the others."""
    system: list[int] | None
    """Before a system message; None: the template takes none."""
    system_to_user: list[int]
    system_to_me: list[int] | None
    end: int
    """The token that ends my turns."""


def ensure_template(tokenizer: "PreTrainedTokenizerBase") -> None:
    """Give a tokenizer without chat template the plain one, and to one that tells the date the same date every day."""
    if not tokenizer.chat_template:
        begins = bool(tokenizer("x")["input_ids"][:1] == [tokenizer.bos_token_id] != [None])
        tokenizer.chat_template = ("{{ bos_token }}" if begins else "") + PLAIN_TEMPLATE
    elif "strftime_now" in tokenizer.chat_template and not tokenizer.chat_template.startswith(FIXED_DATE):
        tokenizer.chat_template = FIXED_DATE + tokenizer.chat_template


def take_apart(tokenizer: "PreTrainedTokenizerBase") -> Pieces:
    """Render probe conversations and cut out what stands around their contents.

    Raises SelfChatBotError for a template that can't be read and a model without any token that ends a turn.
    """

    def ids(text: str) -> list[int]:
        """Token ids of template text, in which special tokens are special."""
        return list(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []

    whole = _render(tokenizer, "uavb")
    if whole is None:
        raise SelfChatBotError("the chat template of this model can't be read: choose another model")
    head, user_to_me, me_to_user, _, _ = whole
    after = ids(me_to_user)
    special = set(tokenizer.all_special_ids)
    ends = [index for index, token in enumerate(after) if token in special]
    if ends:
        end, rest = after[ends[0]], after[ends[0] + 1 :]
    elif tokenizer.eos_token_id is not None:
        end, rest = tokenizer.eos_token_id, after
    else:
        raise SelfChatBotError("this model has no token that ends a turn: choose another model")
    opening = _render(tokenizer, "avb")
    system = _render(tokenizer, "suavb")
    system_opening = _render(tokenizer, "savb")
    return Pieces(
        head=ids(head),
        opening=ids(opening[0]) if opening else None,
        user_to_me=ids(user_to_me),
        me_to_user=rest,
        system=ids(system[0]) if system else None,
        system_to_user=ids(system[1]) if system else [],
        system_to_me=ids(system_opening[1]) if system and system_opening else None,
        end=end,
    )


def _render(tokenizer: "PreTrainedTokenizerBase", probe: str) -> list[str] | None:
    """The texts before, between and after the contents of a probe conversation; None if the template refuses it."""
    messages = [{"role": _ROLES[letter], "content": _PROBE[letter]} for letter in probe]
    try:
        text = str(tokenizer.apply_chat_template(messages, tokenize=False))
    except Exception:  # a template raises whatever it likes
        return None
    parts = []
    for letter in probe:
        part, found, text = text.partition(_PROBE[letter])
        if not found:
            return None
        parts.append(part)
    return [*parts, text]
