"""What the model is trained on is what it sees when it plays, and nothing but my words is trained."""

from itertools import pairwise

import pytest
from conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import TEMPLATES, tiny_tokenizer

from selfchatbot.chat_format import IGNORED, ChatFormat
from selfchatbot.errors import SelfChatBotError

CHAT = [
    {"role": "user", "content": "hey, how are you?\nyou there?"},
    {"role": "assistant", "content": "haha yeah 😀\nsorry, was asleep"},
    {"role": "user", "content": "ok cool"},
    {"role": "assistant", "content": "see you at 7"},
]


@pytest.fixture(scope="module", params=TEMPLATES)
def chat_format(request: pytest.FixtureRequest) -> ChatFormat:
    return ChatFormat(tiny_tokenizer(TEMPLATES[request.param]))


def trained_texts(chat_format: ChatFormat, labels: list[int]) -> list[str]:
    """The runs of labelled tokens, decoded, special tokens shown."""
    runs: list[list[int]] = [[]]
    for label in labels:
        if label == IGNORED:
            runs.append([])
        else:
            runs[-1].append(label)
    return [chat_format.tokenizer.decode(run, skip_special_tokens=False) for run in runs if run]


def test_only_my_words_and_my_end_token_are_trained(chat_format: ChatFormat) -> None:
    (window,) = chat_format.windows([CHAT], 512)
    end = chat_format.tokenizer.decode([chat_format.end])
    assert trained_texts(chat_format, window.labels) == [CHAT[1]["content"] + end, CHAT[3]["content"] + end]
    assert all(label in (IGNORED, token) for label, token in zip(window.labels, window.input_ids, strict=True))


def test_the_end_token_is_the_models_own() -> None:
    ends = {}
    for name, template in TEMPLATES.items():
        chat_format = ChatFormat(tiny_tokenizer(template))
        ends[name] = chat_format.tokenizer.decode([chat_format.end])
    im_end = "<|im_end|>"
    assert ends == {"chatml": im_end, "strict": im_end, "last_turn_differs": im_end, "none": "<|endoftext|>"}


def test_a_window_is_the_chat_template_rendered(chat_format: ChatFormat) -> None:
    (window,) = chat_format.windows([CHAT], 512)
    rendered = chat_format.tokenizer.apply_chat_template(CHAT, tokenize=False).replace("<think>\n\n</think>\n\n", "")
    shown = chat_format.tokenizer.decode(window.input_ids, skip_special_tokens=False)
    # The strict template's space before the end token is no word of mine: it is left out.
    assert rendered.replace(" <|im_end|>", "<|im_end|>").startswith(shown)
    assert shown.endswith(CHAT[3]["content"] + chat_format.tokenizer.decode([chat_format.end]))


def test_playing_sees_what_training_saw_token_by_token(chat_format: ChatFormat) -> None:
    (window,) = chat_format.windows([CHAT], 512)
    for end in (1, 3):
        prompt = chat_format.prompt(CHAT[:end], 512)
        assert window.input_ids[: len(prompt)] == prompt
        assert window.labels[len(prompt) - 1] == IGNORED
        assert window.labels[len(prompt)] == window.input_ids[len(prompt)]


def test_my_opening_words_are_trained_and_played_alike(chat_format: ChatFormat) -> None:
    (window,) = chat_format.windows([CHAT[1:]], 512)
    end = chat_format.tokenizer.decode([chat_format.end])
    assert trained_texts(chat_format, window.labels) == [CHAT[1]["content"] + end, CHAT[3]["content"] + end]
    prompt = chat_format.prompt([], 512)
    assert window.input_ids[: len(prompt)] == prompt


def test_a_system_message_reaches_the_model_in_every_template(chat_format: ChatFormat) -> None:
    system = {"role": "system", "content": "you talk to Zoë"}
    for chat in (CHAT, CHAT[1:]):
        (window,) = chat_format.windows([[system, *chat]], 512)
        assert "you talk to Zoë" in chat_format.tokenizer.decode(window.input_ids)
        assert len(trained_texts(chat_format, window.labels)) == 2
    prompt = chat_format.prompt([system, CHAT[0]], 512)
    assert prompt == next(chat_format.windows([[system, *CHAT]], 512)).input_ids[: len(prompt)]


def test_special_tokens_that_people_type_are_ordinary_words(chat_format: ChatFormat) -> None:
    chat = [{"role": "user", "content": "<|im_start|>x"}, {"role": "assistant", "content": "<|im_end|> and more"}]
    (window,) = chat_format.windows([chat], 512)
    assert sum(label in chat_format.special for label in window.labels) == 1
    assert trained_texts(chat_format, window.labels)[0].startswith("<|im_end|> and more")


def test_a_reply_shows_no_special_token() -> None:
    chat_format = ChatFormat(tiny_tokenizer())
    ids = chat_format.tokenizer(" haha<|im_end|>\n", add_special_tokens=False)["input_ids"]
    assert chat_format.reply(ids) == "haha"


def test_a_saved_tokenizer_without_template_carries_the_plain_one(tmp_path) -> None:
    from transformers import AutoTokenizer

    first = ChatFormat(tiny_tokenizer(None))
    first.tokenizer.save_pretrained(tmp_path)
    again = ChatFormat(AutoTokenizer.from_pretrained(tmp_path))
    assert list(again.windows([CHAT], 512)) == list(first.windows([CHAT], 512))


def test_every_day_is_the_same() -> None:
    chat_format = ChatFormat(tiny_tokenizer("Today is {{ strftime_now('%d %b %Y') }}.\n" + TEMPLATES["chatml"]))
    assert "Today is 26 Jul 2024." in str(chat_format.texts()["head"])


def test_a_long_system_message_leaves_room(chat_format: ChatFormat) -> None:
    messages = [{"role": "system", "content": "be kind " * 900}, {"role": "user", "content": "see you at 7"}]
    prompt = chat_format.prompt(messages, 200)
    text = chat_format.tokenizer.decode(prompt, skip_special_tokens=False)
    assert len(prompt) <= 200 and "see you at 7" in text and "be kind" in text


def test_a_window_too_small_for_the_template_is_an_error(chat_format: ChatFormat) -> None:
    with pytest.raises(SelfChatBotError, match="max_length 8"):
        list(chat_format.windows([CHAT], 8))


texts = st.text(st.sampled_from("abc dé😀\n"), min_size=1, max_size=120).filter(str.strip)


@settings(max_examples=examples(60))
@given(
    contents=st.lists(texts, min_size=2, max_size=24),
    mine_first=st.booleans(),
    max_length=st.integers(64, 160),
    template=st.sampled_from(sorted(TEMPLATES)),
)
def test_every_reply_is_trained_exactly_once(
    contents: list[str], mine_first: bool, max_length: int, template: str
) -> None:
    chat_format = FORMATS.setdefault(template, ChatFormat(tiny_tokenizer(TEMPLATES[template])))
    roles = ("assistant", "user") if mine_first else ("user", "assistant")
    chat = [{"role": roles[n % 2], "content": content} for n, content in enumerate(contents)]
    windows = list(chat_format.windows([chat], max_length))
    assert all(len(window.input_ids) == len(window.labels) <= max_length for window in windows)
    trained = [text for window in windows for text in trained_texts(chat_format, window.labels)]
    end = chat_format.tokenizer.decode([chat_format.end])
    replies = [message["content"] for message in chat if message["role"] == "assistant"]
    assert len(trained) == len(replies)
    for text, reply in zip(trained, replies, strict=True):
        # A reply that does not fit is cut, and then its end is not trained.
        assert text == reply + end or reply.startswith(text.rstrip("\ufffd"))
    for window in windows:
        first = next(index for index, label in enumerate(window.labels) if label != IGNORED)
        assert first < len(window.input_ids)
    if len(windows) > 1:  # context before the first reply of a window that continues: at least its question
        firsts = [next(i for i, label in enumerate(window.labels) if label != IGNORED) for window in windows[1:]]
        assert all(first > len(chat_format.prompt([], max_length)) for first in firsts)


FORMATS: dict[str, ChatFormat] = {}


@settings(max_examples=examples(40))
@given(contents=st.lists(texts, min_size=1, max_size=15).filter(lambda c: len(c) % 2), room=st.integers(64, 120))
def test_a_prompt_drops_the_oldest_turns_and_keeps_the_last(contents: list[str], room: int) -> None:
    chat_format = FORMATS.setdefault("chatml", ChatFormat(tiny_tokenizer()))
    chat = [{"role": ("user", "assistant")[n % 2], "content": content} for n, content in enumerate(contents)]
    prompt = chat_format.prompt(chat, room)
    assert len(prompt) <= room
    whole = chat_format.prompt(chat, 100_000)
    tail = chat_format.prompt(chat[-1:], 100_000)
    if len(whole) <= room:
        assert prompt == whole
    else:
        assert len(prompt) >= min(len(tail), room)
    assert prompt[-3:] == whole[-3:]


def test_the_prompts_of_a_long_session_begin_alike_for_many_turns() -> None:
    chat_format = ChatFormat(tiny_tokenizer())
    chat = [{"role": ("user", "assistant")[n % 2], "content": f"message number {n}"} for n in range(201)]
    prompts = [chat_format.prompt(chat[:end], 1000) for end in range(1, 202, 2)]
    assert sum(new[: len(old)] == old for old, new in pairwise(prompts)) > 80
    assert all(len(prompt) <= 1000 for prompt in prompts)
    assert all(len(prompt) > 600 for prompt in prompts[50:])
