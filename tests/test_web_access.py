"""Who may ask the server of ``-t web``: hosts, origins, tokens."""

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from web_server import GREEDY, SlowPlayer, ask, completion_body, openai_client, serving, tiny_player


@pytest.fixture(scope="module")
def player(tiny_model: Path) -> SlowPlayer:
    return tiny_player(tiny_model)


@pytest.fixture(scope="module")
def address(player: SlowPlayer) -> Iterator[str]:
    with serving(player) as address:
        yield address


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Host": "localhost:8642"}, True),
        ({"Host": "[::1]:1"}, True),
        ({"Host": "evil.example"}, False),
        ({"Host": "127.0.0.1.evil.example"}, False),
        ({"Host": "192.168.1.5"}, False),
        ({"Host": "localhost:80@evil.example"}, False),
        ({"Host": ""}, False),
        ({"Host": "localhost:8642", "Origin": "http://localhost:8642"}, True),
        ({"Host": "localhost:8642", "Origin": "http://localhost:3000"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, False),
    ],
)
def test_other_pages_and_other_names_are_refused(address: str, headers: dict[str, str], allowed: bool) -> None:
    for path, body in (("/v1/models", None), ("/v1/chat/completions", completion_body(max_tokens=1)), ("/about", None)):
        status, answered, content = ask(address, path, body, headers)
        assert status == (200 if allowed else 403), content
        assert "access-control-allow-origin" not in answered


def test_the_page_is_guarded_and_can_be_linked_to(address: str) -> None:
    status, headers, content = ask(address, "/", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert b"https://" not in content and b"http://" not in content
    assert ask(address, "/", headers={"Host": "evil.example"})[0] == 403


def test_a_token_is_required_if_there_is_one(player: SlowPlayer) -> None:
    with serving(player, token="correct-horse-battery", host="0.0.0.0") as address:
        assert openai_client(address, "correct-horse-battery").models.list().data[0].id == "Zoë"
        for wrong in ("correct-horse", "correct-horse-battery-staple"):
            with pytest.raises(openai.AuthenticationError):
                openai_client(address, wrong).chat.completions.create(**GREEDY)
        for path in ("/v1/models", "/about", "/v1/chat/completions", "/nothing"):
            status, headers, content = ask(address, path)
            assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
            assert b"horse" not in content
        assert ask(address, "/")[0] == ask(address, "/style.css")[0] == 200
        # By any address of this machine, but not by another site's name.
        assert ask(address, "/", headers={"Host": "192.168.1.5:8642"})[0] == 200
        assert ask(address, "/", headers={"Host": "evil.example"})[0] == 403


def test_other_names_can_be_allowed(player: SlowPlayer) -> None:
    with serving(player, allowed_hosts=["Host.Docker.Internal", "chat.example"]) as address:
        for host in ("host.docker.internal:8642", "HOST.docker.internal", "chat.example", "localhost"):
            assert ask(address, "/about", headers={"Host": host})[0] == 200
            assert ask(address, "/about", headers={"Host": host, "Origin": f"https://{host}"})[0] == 200
        for host in ("internal", "evil.chat.example", "docker.internal"):
            status, _, content = ask(address, "/about", headers={"Host": host})
            assert status == 403 and b"--allow-host" in content
