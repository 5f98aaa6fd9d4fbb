"""Ollama's Modelfile: the GGUF file, the chat template, the token that ends a turn, and the sampling.

Its grammar: docs.ollama.com/modelfile; the template language is Go's text/template.
"""

import json

from selfchatbot.chat_format import ChatFormat
from selfchatbot.parameters import GenerationParameters


def modelfile(gguf: str, chat_format: ChatFormat, parameters: GenerationParameters) -> str:
    """The Modelfile for the GGUF file ``gguf`` beside it."""
    end = chat_format.texts()["end"]
    settings: dict[str, object] = {
        "num_ctx": parameters.max_length,
        "num_predict": parameters.max_new_tokens,
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        "top_k": parameters.top_k,
        "min_p": parameters.min_p,
        "repeat_penalty": parameters.repetition_penalty,
    }
    if parameters.seed is not None:
        settings["seed"] = parameters.seed
    lines = [f"FROM ./{gguf}", f'TEMPLATE """{template(chat_format)}"""', f"PARAMETER stop {_quoted(end or '')}"]
    lines += [f"PARAMETER {key} {value}" for key, value in settings.items()]
    return "\n".join(lines) + "\n"


def template(chat_format: ChatFormat) -> str:
    """The chat format as a Go template over ``.Messages``, up to where my next turn begins."""
    texts = {name: text or "" for name, text in chat_format.texts().items()}
    supported = {name for name, text in chat_format.texts().items() if text is not None}
    if "system" in supported:
        before_system, after_system = texts["system"], ""
    else:  # it goes into the first turn of the others
        before_system, after_system = texts["head"], "\n\n"
    opening, system_to_me = texts["opening"], texts["system_to_me"]
    if "opening" not in supported:
        opening = texts["head"] + texts["user_to_me"]
    if "system_to_me" not in supported:
        system_to_me = texts["system_to_user"] + texts["user_to_me"]
    to_user = {"": texts["head"], "system": texts["system_to_user"], "user": "\n", "assistant": texts["me_to_user"]}
    to_me = {"": opening, "system": system_to_me, "user": texts["user_to_me"]}
    system = f'{{{{ if eq .Role "system" }}}}{_literal(before_system)}{{{{ .Content }}}}{_literal(after_system)}'
    return (
        '{{ $last := "" }}{{ range .Messages }}'
        + system
        + f'{{{{ else if eq .Role "user" }}}}{_after("$last", to_user)}{{{{ .Content }}}}'
        + f'{{{{ else if eq .Role "assistant" }}}}{_after("$last", to_me | {"assistant": chr(10)})}{{{{ .Content }}}}'
        + "{{ end }}{{ $last = .Role }}{{ end }}"
        + _after("$last", to_me)
    )


def _after(variable: str, texts: dict[str, str]) -> str:
    """Go code that writes the text for the role in ``variable``."""
    branches = [f"if eq {variable} {_quoted(role)} }}}}{_literal(text)}" for role, text in texts.items()]
    return "{{ " + "{{ else ".join(branches) + "{{ end }}"


def _literal(text: str) -> str:
    return f"{{{{ {_quoted(text)} }}}}" if text else ""


def _quoted(text: str) -> str:
    """A string literal for Go and for a Modelfile; JSON's escapes are a subset of Go's."""
    return json.dumps(text, ensure_ascii=False)
