"""The API of ``-t web``, with OpenAI's client and with malformed requests."""

import http.client
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import openai
import pytest
from web_server import GREEDY, HEY, SlowPlayer, ask, completion_body, openai_client, serving, tiny_player

from selfchatbot.environment import Environment, find_dataset
from selfchatbot.session.game import Game
from selfchatbot.web.stop_sequences import StopSequences


@pytest.fixture(scope="module")
def player(tiny_model: Path) -> SlowPlayer:
    return tiny_player(tiny_model)


@pytest.fixture(scope="module")
def address(player: SlowPlayer) -> Iterator[str]:
    with serving(player) as address:
        yield address


@pytest.fixture(scope="module")
def client(address: str) -> openai.OpenAI:
    return openai_client(address)


def test_the_model_is_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["Zoë"]
    assert client.models.retrieve("Zoë").owned_by == "me"
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("gpt-4o")
    assert raised.value.code == "model_not_found"


def test_a_completion_is_the_reply_of_the_player(client: openai.OpenAI, player: SlowPlayer) -> None:
    completion = client.chat.completions.create(**GREEDY)
    assert completion.object == "chat.completion"
    assert completion.model == "Zoë"
    choice = completion.choices[0]
    assert (choice.index, choice.message.role) == (0, "assistant")
    parameters = player.parameters.model_copy(update={"temperature": 0.0})
    chunks = list(player.chunks(HEY, parameters=parameters))
    assert choice.message.content == "".join(chunk.text for chunk in chunks)
    assert choice.finish_reason == chunks[-1].finish_reason
    assert completion.usage.prompt_tokens == len(player.prompt(HEY))
    assert completion.usage.completion_tokens == chunks[-1].tokens
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


def test_the_stream_is_the_same_reply(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(**GREEDY)
    chunks = list(client.chat.completions.create(**GREEDY, stream=True, stream_options={"include_usage": True}))
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole.choices[0].message.content
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == whole.choices[0].finish_reason
    assert chunks[-1].usage == whole.usage
    assert len(chunks) > 5


def test_max_tokens_and_its_newer_name(client: openai.OpenAI) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        completion = client.chat.completions.create(**GREEDY, **{name: 3})
        assert completion.usage.completion_tokens == 3
        assert completion.choices[0].finish_reason == "length"


def test_seed_temperature_and_top_p(client: openai.OpenAI) -> None:
    def reply(**options: object) -> str:
        return client.chat.completions.create(**{**GREEDY, **options}).choices[0].message.content

    assert reply(temperature=1.5, seed=7) == reply(temperature=1.5, seed=7)
    assert reply(temperature=1.5, seed=-7) != reply(temperature=1.5, seed=8)
    assert reply(temperature=1.5, top_p=0) == reply()
    assert reply(temperature=1.5, extra_body={"top_k": 1}) == reply()


def test_several_choices(client: openai.OpenAI) -> None:
    asked = {**GREEDY, "temperature": 1.5, "seed": 3, "n": 3}
    completion = client.chat.completions.create(**asked)
    texts = [choice.message.content for choice in completion.choices]
    assert [choice.index for choice in completion.choices] == [0, 1, 2]
    assert len(set(texts)) == 3
    streamed = ["", "", ""]
    for chunk in client.chat.completions.create(**asked, stream=True):
        streamed[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert streamed == texts


def test_a_reply_is_the_best_of_some(
    client: openai.OpenAI, player: SlowPlayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player, "parameters", player.parameters.model_copy(update={"best_of": 2}))
    parameters = player.parameters.model_copy(update={"temperature": 1.5})
    best, other = [chunk for chunk in player.chunks(HEY, 2, parameters, 3) if chunk.text]
    asked = {**GREEDY, "temperature": 1.5, "seed": 3}
    completion = client.chat.completions.create(**asked)
    assert completion.choices[0].message.content == best.text != other.text
    assert completion.usage.completion_tokens == best.tokens
    chunks = list(client.chat.completions.create(**asked, stream=True))
    assert [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content] == [best.text]
    assert chunks[-1].choices[0].finish_reason == best.finish_reason


def test_stop_sequences_end_the_reply_before_them(client: openai.OpenAI) -> None:
    text = client.chat.completions.create(**GREEDY).choices[0].message.content
    middle = len(text) // 2
    stop = text[middle : middle + 6]
    for stops in (stop, ["never said", stop]):
        completion = client.chat.completions.create(**GREEDY, stop=stops)
        assert completion.choices[0].message.content == text[: text.index(stop)]
        assert completion.choices[0].finish_reason == "stop"
        chunks = client.chat.completions.create(**GREEDY, stop=stops, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == text[: text.index(stop)]


def test_stop_sequences_may_be_split_between_chunks() -> None:
    for size in range(1, 8):
        stops = StopSequences(["\n\n", "END."])
        text = "one\ntwo E EN END.three"
        passed_on = (
            "".join(stops.feed(text[place : place + size]) for place in range(0, len(text), size)) + stops.rest()
        )
        assert passed_on == "one\ntwo E EN "
    stops = StopSequences(["END."])
    assert stops.feed("the EN") + stops.rest() == "the EN"


def test_system_messages_and_parts(client: openai.OpenAI) -> None:
    system = [{"role": "developer", "content": "be short"}]
    parts = [{"role": "user", "content": [{"type": "text", "text": HEY[0]["content"]}]}]
    first, second = (
        client.chat.completions.create(**{**GREEDY, "messages": m}).usage for m in (system + HEY, system + parts)
    )
    assert first == second
    assert first.prompt_tokens != client.chat.completions.create(**GREEDY).usage.prompt_tokens


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "secret words"}, "messages"),
        ({"messages": [{"role": "robot", "content": "secret words"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "text": "secret words"}]}]}, "messages"),
        ({"messages": [{"role": "tool", "content": "secret words"}]}, "messages"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": "secret words"}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": 9}, "n"),
        ({"extra_body": {"top_k": 10**400}}, "top_k"),
        ({"extra_body": {"top_k": 10_000_000}}, "top_k"),
        ({"stop": list("abcdefghijklmnopq")}, "stop"),
        ({"stop": "x" * 1001}, "stop"),
        ({"stop": {"a": 1}}, "stop"),
        ({"tools": [{"type": "function", "function": {"name": "x"}}], "tool_choice": "required"}, "tool_choice"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
    ],
)
def test_wrong_requests_name_the_field(client: openai.OpenAI, changes: dict[str, object], param: str | None) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(**{**GREEDY, **changes})
    assert raised.value.type == "invalid_request_error"
    if param:
        assert raised.value.param == param
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("path", "body", "headers", "method", "status"),
    [
        ("/v1/nothing", None, {}, "GET", 404),
        ("/../../etc/passwd", None, {}, "GET", 404),
        ("/v1/chat/completions", None, {}, "GET", 405),
        ("/v1/chat/completions", completion_body(), {"Content-Type": "text/plain"}, "POST", 415),
        ("/v1/chat/completions", b"{", {}, "POST", 400),
        ("/v1/chat/completions", b"", {}, "POST", 400),
        ("/v1/chat/completions", b'{"messages": [{"role": "user", "content": "\xff\xfe"}]}', {}, "POST", 400),
        ("/v1/chat/completions", b'{"messages": [{"role": "user", "content": "\\ud800"}]}', {}, "POST", 400),
        ("/v1/chat/completions", b"[" * 100_000, {}, "POST", 400),
        ("/v1/chat/completions", completion_body(user="x" * 5_000_000), {}, "POST", 413),
    ],
)
def test_errors_have_openai_s_shape(
    address: str, path: str, body: bytes | None, headers: dict[str, str], method: str, status: int
) -> None:
    found, _, content = ask(address, path, body, headers, method)
    assert found == status, content
    error = json.loads(content)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]


def test_a_body_without_a_length_is_bounded_too(address: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    chunks = iter([b"x" * 2**20] * 6)
    try:
        connection.request("POST", "/v1/chat/completions", chunks, {"Content-Type": "application/json"})
    except (BrokenPipeError, ConnectionResetError):  # answered before the end was read
        pass
    else:
        assert connection.getresponse().status == 413
    connection.close()


def test_a_long_message_is_answered(client: openai.OpenAI) -> None:
    long = [{"role": "user", "content": "what about you? " * 2**16}]  # 1 MiB
    completion = client.chat.completions.create(**{**GREEDY, "messages": long, "max_tokens": 8})
    assert completion.choices[0].message.content
    assert completion.usage.prompt_tokens < 512


def test_thirty_two_clients_at_once_all_get_their_reply(client: openai.OpenAI) -> None:
    def one(number: int) -> tuple[int, str]:
        messages = [{"role": "user", "content": f"hey {number}"}]
        completion = client.chat.completions.create(model="x", messages=messages, temperature=0, max_tokens=8)
        return number, completion.choices[0].message.content

    with ThreadPoolExecutor(32) as clients:
        together = dict(clients.map(one, range(32)))
    assert all(together.values())
    # Each one is the reply to that client.
    for number in (0, 9, 31):
        assert together[number] == one(number)[1]


def test_the_game_reveals_the_real_reply_only_after_a_guess(player: SlowPlayer, tmp_path: Path) -> None:
    reply = "well it was quite a long day"
    line = {"messages": [*HEY, {"role": "assistant", "content": reply}]}
    (tmp_path / "test.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    with serving(player, game=Game(player, tmp_path, tmp_path, "best", seed=3)) as address:
        assert json.loads(ask(address, "/about")[2])["game"] is True
        this = json.loads(ask(address, "/game/round", b"{}")[2])
        assert set(this) == {"id", "context", "a", "b"} and this["context"] == HEY
        assert reply in (this["a"], this["b"]) and this["a"] != this["b"]
        for wrong, status in ((b"[]", 400), (b'{"id": []}', 400), (b'{"id": 7, "side": "a"}', 404), (b"{", 400)):
            assert ask(address, "/game/guess", wrong)[0] == status
        guess = {"id": this["id"], "side": "c"}
        assert ask(address, "/game/guess", json.dumps(guess).encode())[0] == 400
        guess["side"] = "a" if this["a"] == reply else "b"
        status, _, content = ask(address, "/game/guess", json.dumps(guess).encode())
        verdict = json.loads(content)
        assert (status, verdict["right"], verdict["real"]) == (200, True, guess["side"])
        assert verdict["score"].startswith("1 of 1 right")
        assert ask(address, "/game/guess", json.dumps(guess).encode())[0] == 404
        assert ask(address, "/game/round", b"{}")[0] == 404
    assert reply not in (tmp_path / "game.jsonl").read_text(encoding="utf-8")


def test_after_a_failed_reply_the_game_goes_on(tiny_model: Path, tmp_path: Path) -> None:
    player = tiny_player(tiny_model)
    line = {"messages": [*HEY, {"role": "assistant", "content": "well it was quite a long day"}]}
    (tmp_path / "test.jsonl").write_text((json.dumps(line) + "\n") * 3, encoding="utf-8")
    chunks = player.chunks
    player.chunks = lambda *arguments, **options: (_ for _ in ()).throw(RuntimeError)  # type: ignore[method-assign]
    with serving(player, game=Game(player, tmp_path, tmp_path, "best")) as address:
        assert ask(address, "/game/round", b"{}")[0] == 500
        player.chunks = chunks  # type: ignore[method-assign]
        assert ask(address, "/game/round", b"{}")[0] == 200
        assert ask(address, "/game/round", b"{}")[0] == 200
        assert ask(address, "/game/round", b"{}")[0] == 404
        for deep in (b"[" * 100_000, b'{"id": "x", "side": ' + b"[" * 100_000):
            assert ask(address, "/game/guess", deep)[0] == 400


def test_a_panic_of_a_library_ends_one_request_only(tiny_model: Path) -> None:
    """What Rust raises is no Exception."""
    player = tiny_player(tiny_model)
    chunks = player.chunks
    player.chunks = lambda *arguments, **options: (_ for _ in ()).throw(BaseException)  # type: ignore[method-assign]
    with serving(player) as address:
        assert ask(address, "/v1/chat/completions", completion_body())[0] == 500
        player.chunks = chunks  # type: ignore[method-assign]
        assert ask(address, "/v1/chat/completions", completion_body())[0] == 200


@pytest.mark.skipif(os.name == "nt", reason="names are text on Windows")
def test_a_name_that_is_no_text(player: SlowPlayer, tmp_path: Path) -> None:
    stages = [tmp_path / stage for stage in ("raw", "preprocessed", "results")]
    Path(os.fsdecode(os.fsencode(stages[2]) + b"/Dataset_1_Zo\xeb")).mkdir(parents=True)
    dataset = find_dataset(Environment(*stages), "1", "results")
    with serving(player, name=dataset.name) as address:
        assert json.loads(ask(address, "/about")[2])["name"] == "Zo?"
        assert json.loads(ask(address, "/v1/chat/completions", completion_body(max_tokens=2))[2])["model"] == "Zo?"
