"""The chat format as a Jinja template, for the tokenizer and the GGUF file of an exported model.

A model's own template may end a prompt with something that was never trained, such as an open ``<think>``. This one
writes what `ChatFormat` writes: rendered with ``add_generation_prompt``, it is the prompt that was trained. It keeps to
the part of Jinja that llama.cpp understands.
"""

import json

from selfchatbot.chat_format import ChatFormat


def chat_template(chat_format: ChatFormat) -> str:
    """The template over ``messages``; consecutive messages of one role are lines of one turn."""
    texts = chat_format.texts()
    head, to_me, end = texts["head"] or "", texts["user_to_me"] or "", texts["end"] or ""
    opening = texts["opening"] if texts["opening"] is not None else head + to_me
    if texts["system"] is not None:
        before_system, after_system = texts["system"], ""
    else:  # it goes into the first turn of the others
        before_system, after_system = head, "\n\n"
    system_to_me = texts["system_to_me"]
    if system_to_me is None:
        system_to_me = (texts["system_to_user"] or "") + to_me
    before_user = {
        "": head,
        "system": texts["system_to_user"] or "",
        "user": "\n",
        "assistant": texts["me_to_user"] or "",
    }
    before_me = {"": opening, "system": system_to_me, "user": to_me, "assistant": "\n"}
    return (
        "{%- set state = namespace(last='') -%}{%- for message in messages -%}{%- if message['content'] -%}"
        "{%- if message['role'] == 'system' -%}"
        f"{_write(before_system)}{{{{- message['content'] -}}}}{_write(after_system)}"
        f"{{%- elif message['role'] == 'user' -%}}{_after_last(before_user)}{{{{- message['content'] -}}}}"
        f"{{%- else -%}}{_after_last(before_me)}{{{{- message['content'] -}}}}{{%- endif -%}}"
        "{%- set state.last = message['role'] -%}{%- endif -%}{%- endfor -%}"
        f"{{%- if state.last == 'assistant' -%}}{_write(end)}{{%- elif add_generation_prompt -%}}"
        f"{_after_last(before_me)}{{%- endif -%}}"
    )


def _after_last(texts: dict[str, str]) -> str:
    """Code that writes the text for the role of the message before."""
    branches = [f"if state.last == '{role}' -%}}{_write(text)}" for role, text in texts.items()]
    return "{%- " + "{%- el".join(branches) + "{%- endif -%}"


def _write(text: str) -> str:
    """Code that writes ``text``; JSON's escapes are a subset of Jinja's."""
    return f"{{{{- {json.dumps(text, ensure_ascii=False)} -}}}}" if text else ""
