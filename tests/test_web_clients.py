"""What real programs send to ``-t web``: each file in tests/clients has the shapes of one program's requests."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web_server import SlowPlayer, ask, serving, tiny_player

CLIENTS = sorted((Path(__file__).parent / "clients").glob("*.json"))
REQUESTS = {
    f"{path.stem}: {case['what']}": case
    for path in CLIENTS
    for case in json.loads(path.read_text(encoding="utf-8"))["requests"]
}


@pytest.fixture(scope="module")
def player(tiny_model: Path) -> SlowPlayer:
    return tiny_player(tiny_model)


@pytest.fixture(scope="module")
def address(player: SlowPlayer) -> Iterator[str]:
    with serving(player) as address:
        yield address


def answer(address: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """The status, and the error or the whole response, put together if it was streamed."""
    status, headers, content = ask(address, "/v1/chat/completions", json.dumps(request, ensure_ascii=False).encode())
    if not headers["Content-Type"].startswith("text/event-stream"):
        return status, json.loads(content)
    chunks = [json.loads(event[6:]) for event in content.decode().split("\n\n") if event.startswith("data: {")]
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks if chunk["choices"])
    return status, {"choices": [{"message": {"content": text}}], "usage": chunks[-1].get("usage")}


@pytest.mark.parametrize("case", REQUESTS.values(), ids=REQUESTS)
def test_a_request_is_served_or_told_what_is_wrong(address: str, case: dict[str, Any]) -> None:
    status, found = answer(address, case["request"])
    assert status == case["status"], found
    if status == 400:
        error = found["error"]
        assert error["param"] == case["param"] and error["message"].startswith(f"{case['param']}: ")
        assert case.get("says", "") in error["message"] and "valid string" not in error["message"]
        assert "base64" not in error["message"]
    else:
        choices = [choice["message"]["content"] for choice in found["choices"]]
        assert len(choices) == case["request"].get("n", 1) and all(choices)


@pytest.mark.parametrize("case", [case for case in REQUESTS.values() if "continues" in case], ids=lambda c: c["what"])
def test_a_last_message_of_the_assistant_goes_on(address: str, player: SlowPlayer, case: dict[str, Any]) -> None:
    """The model reads it as its own words, and only what is new is sent back."""
    request = {**case["request"], "temperature": 0, "stream": False}
    _, found = answer(address, request)
    text = found["choices"][0]["message"]["content"]
    assert text and not text.startswith(case["continues"])
    *before, last = [message for message in request["messages"] if message["role"] != "system"]
    assert last["content"] == case["continues"]
    system = "\n\n".join(m["content"] for m in request["messages"] if m["role"] == "system")
    chat = [{"role": "system", "content": system}, *before] if system else before
    prompt = player.prompt(chat, player.parameters.model_copy(update={"max_new_tokens": 30}))
    begun = player.chat_format.turn(case["continues"])[:-1]
    assert found["usage"]["prompt_tokens"] == len(prompt) + len(begun)


@pytest.mark.parametrize(
    ("content", "says"),
    [(5, "a text was expected"), ([5], "a text was expected"), ([{"type": "text", "text": 5}], "a text was expected")],
)
def test_content_that_is_no_text(address: str, content: object, says: str) -> None:
    status, found = answer(address, {"messages": [{"role": "user", "content": content}]})
    assert status == 400 and found["error"]["param"] == "messages.0.content" and says in found["error"]["message"]
