"""Requests wait for each other: clients that disconnect, a full queue, turns, and replies that fail."""

import asyncio
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import openai
import pytest
from web_server import (
    GREEDY,
    SlowPlayer,
    begin,
    openai_client,
    serving,
    slow_player,
    wait_until,
)

from selfchatbot.web.worker import Job, QueueFull, Worker


@pytest.fixture
def slow(tiny_model: Path) -> SlowPlayer:
    return slow_player(tiny_model)


def rests(player: SlowPlayer) -> bool:
    """Whether it makes nothing for the time of several chunks."""
    made = player.made
    time.sleep(0.6)
    return player.made == made


def test_a_client_that_disconnects_stops_its_reply(slow: SlowPlayer) -> None:
    with serving(slow) as address:
        for stream, temperature in ((True, 0), (False, 0), (True, 1), (False, 1)):
            before = slow.made
            connection = begin(address, stream=stream, max_tokens=300, temperature=temperature)
            wait_until(lambda before=before: slow.made > before + 2)
            connection.close()
            wait_until(lambda: rests(slow), 10)  # to the end, it would take 30 seconds


def test_a_full_queue_gives_429_until_a_client_disconnects(slow: SlowPlayer) -> None:
    with serving(slow, max_waiting=2) as address:
        client = openai_client(address, **{"User-Agent": ""})  # as `begin`, and so the same client
        connections = [begin(address, max_tokens=300)]
        wait_until(lambda: slow.made > 0)
        connections += [begin(address, stream=True), begin(address)]
        time.sleep(0.5)
        with pytest.raises(openai.RateLimitError) as raised:
            client.chat.completions.create(**GREEDY)
        assert raised.value.code == "rate_limit_exceeded"
        assert "too many requests are waiting, 2 of them yours: try again later" in str(raised.value)
        assert raised.value.response.headers["Retry-After"]
        for connection in connections:
            connection.close()
        time.sleep(0.5)
        assert client.chat.completions.create(**GREEDY, max_tokens=2).choices[0].message.content


def test_another_client_takes_a_place_of_the_one_with_most(slow: SlowPlayer) -> None:
    with serving(slow, max_waiting=3) as address:
        first = begin(address, max_tokens=300)
        wait_until(lambda: slow.made > 0)
        many = []
        for tokens in (2, 40, 40):
            many.append(begin(address, max_tokens=tokens))
            time.sleep(0.2)  # in this order
        other = begin(address, agent="other", max_tokens=2)
        many[2].settimeout(10)
        answer = b""
        while not answer.endswith(b"}"):  # head and body may arrive one after the other
            part = many[2].recv(10_000)
            assert part, answer
            answer += part
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"too many requests are waiting, 2 of them yours: try again later" in answer
        first.close()
        other.settimeout(60)
        assert other.recv(10_000).startswith(b"HTTP/1.1 200 ")
        many[1].setblocking(False)
        with suppress(BlockingIOError):  # the other one had its turn before
            assert many[1].recv(10_000) == b""
        for connection in (*many, other):
            connection.close()


def test_clients_take_turns() -> None:
    done: list[str] = []

    async def run() -> list[int]:
        worker, go, given_way = Worker(4), threading.Event(), []

        def work(name: str) -> Generator[str, None, None]:
            go.wait(30)
            done.append(name)
            yield name

        async def wait(job: Job[str]) -> None:
            try:
                assert [item async for item in job.items()]
            except QueueFull as full:
                given_way.append(full.own)

        jobs = [worker.submit(lambda: work("x1"), "x")]
        await asyncio.sleep(0.2)  # it runs
        for name in ("a1", "a2", "a3", "a4", "b1", "c1", "d1"):
            jobs.append(worker.submit(lambda name=name: work(name), name[0]))
        with pytest.raises(QueueFull) as full:
            worker.submit(lambda: work("e1"), "e")
        assert full.value.own == 0
        go.set()
        await asyncio.gather(*map(wait, jobs))
        worker.stop()
        return given_way

    assert sorted(asyncio.run(run())) == [1, 2, 3]  # of a2, a3 and a4
    assert done == ["x1", "a1", "b1", "c1", "d1"]


def test_a_failure_of_the_model_is_reported_and_the_next_request_served(slow: SlowPlayer) -> None:
    slow.seconds = 0
    chunks = slow.chunks

    def failing(*arguments: object, **options: object) -> Iterator[object]:
        yield from list(chunks(*arguments, **options))[:3]
        raise RuntimeError("secret words")

    slow.chunks = failing  # type: ignore[method-assign,assignment]
    with serving(slow) as address:
        client = openai_client(address)
        with pytest.raises(openai.InternalServerError) as raised:
            client.chat.completions.create(**GREEDY)
        assert "RuntimeError" in str(raised.value) and "secret" not in str(raised.value)
        with pytest.raises(openai.APIError, match="RuntimeError"):
            list(client.chat.completions.create(**GREEDY, stream=True))
        slow.chunks = chunks  # type: ignore[method-assign]
        assert client.chat.completions.create(**GREEDY).choices[0].message.content
