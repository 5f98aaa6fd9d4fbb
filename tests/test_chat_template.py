"""What other programs render is the prompt that was trained, token by token, and it ends where my words begin."""

from pathlib import Path

import pytest
import transformers
from tiny_families import GEMMA, PHI3, byte_level, sentencepiece
from tiny_models import TEMPLATES, save_tiny_model, tiny_tokenizer

from selfchatbot.chat_format import ChatFormat
from selfchatbot.export.chat_template import chat_template

THINKING = TEMPLATES["chatml"].replace("assistant\n' }}{% endif %}", "assistant\n<think>\n' }}{% endif %}")
NO_END = (
    "[gMASK]<sop>{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n<think></think>' }}{% endif %}"
)
"""As GLM's: the next speaker ends a turn."""
PLAIN_WORDS = "{% for message in messages %}{{ message['role'] + ':\n' + message['content'] + '\n\n' }}{% endfor %}"


def with_template(tokenizer: object, template: str | None, **tokens: str) -> ChatFormat:
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **tokens)
    fast.chat_template = template
    return ChatFormat(fast)


def formats() -> dict[str, ChatFormat]:
    end_of_text = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}
    gemma = sentencepiece("<bos>", "<eos>", "<pad>", "<start_of_turn>", "<end_of_turn>", prefix=False)
    roles = ("<|user|>", "<|assistant|>", "<|system|>")
    return {
        "chatml": ChatFormat(tiny_tokenizer(TEMPLATES["chatml"])),
        "last turn differs": ChatFormat(tiny_tokenizer(TEMPLATES["last_turn_differs"])),
        "thinking": ChatFormat(tiny_tokenizer(THINKING)),
        "none": ChatFormat(tiny_tokenizer(None)),
        "gemma": with_template(gemma, GEMMA, bos_token="<bos>", eos_token="<eos>", unk_token="<unk>"),
        "phi3": with_template(byte_level("<|endoftext|>", *roles, "<|end|>"), PHI3, **end_of_text),
        "glm": with_template(byte_level("<|endoftext|>", "[gMASK]", "<sop>", *roles), NO_END, **end_of_text),
        "plain words": with_template(byte_level("<|endoftext|>"), PLAIN_WORDS, **end_of_text),
    }


FORMATS = formats()
ROLES = {"u": "user", "a": "assistant", "s": "system"}


def chats() -> list[list[dict[str, str]]]:
    turns = ("u", "uau", "auau", "su", "suau", "sau", "uuau", "s")
    return [[{"role": ROLES[turn], "content": f"words {n}\nhaha"} for n, turn in enumerate(chat)] for chat in turns]


def test_the_end_of_a_turn_is_what_the_template_writes_after_my_words() -> None:
    """Special by role or not: of these, only the plain ones end with the token that tokenizers call their end."""
    ends = {name: chat_format.tokenizer.decode([chat_format.end]) for name, chat_format in FORMATS.items()}
    assert ends == {
        "chatml": "<|im_end|>",
        "last turn differs": "<|im_end|>",
        "thinking": "<|im_end|>",
        "none": "<|endoftext|>",
        "gemma": "<end_of_turn>",
        "phi3": "<|end|>",
        "glm": "<|user|>",
        "plain words": "<|endoftext|>",
    }
    for chat_format in FORMATS.values():
        assert chat_format.end in chat_format.special
        assert chat_format.reply([*chat_format.turn("haha yeah"), chat_format.end]) == "haha yeah"


@pytest.mark.parametrize("name", FORMATS)
def test_the_exported_template_renders_the_prompt_that_was_trained(name: str) -> None:
    chat_format = FORMATS[name]
    template = chat_template(chat_format)
    for messages in chats():
        rendered = chat_format.tokenizer.apply_chat_template(
            messages, chat_template=template, add_generation_prompt=True, return_dict=False
        )
        assert rendered == chat_format.prompt(messages, 1000), [message["role"] for message in messages]
        if messages[0]["role"] == "user":
            reply = {"role": "assistant", "content": "see you"}
            (window,) = chat_format.windows([[*messages, reply]], 1000)
            whole = chat_format.tokenizer.apply_chat_template(
                [*messages, reply], chat_template=template, return_dict=False
            )
            assert whole == window.input_ids


def test_llamacpp_renders_it_too(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra `fast`")
    import torch

    from selfchatbot.gguf.writer import write_gguf
    from selfchatbot.models import load_model
    from selfchatbot.player.engines.llamacpp_server import LlamaCppServer

    model = load_model(str(save_tiny_model(tmp_path / "model", THINKING)), torch.float32)
    chat_format = FORMATS["thinking"]
    chat_format.tokenizer.chat_template = chat_template(chat_format)
    write_gguf(tmp_path / "model.gguf", model, chat_format.tokenizer, chat_format.end)
    server = LlamaCppServer(tmp_path / "model.gguf", 1, 128, 1)
    for messages in chats():
        prompt = server.request("/apply-template", {"messages": messages})["prompt"]
        assert prompt == chat_format.tokenizer.decode(chat_format.prompt(messages, 1000))
