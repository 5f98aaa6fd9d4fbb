"""Many clients of the `openai` package at once, with a running `selfChatBot_play -t web`; with others that do harm.

python benchmarks/web.py http://127.0.0.1:8642 --clients 32 --tokens 12
python benchmarks/web.py http://127.0.0.1:8642 --clients 10 --tokens 12 --hostile
"""

import argparse
import json
import socket
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import urlsplit

import openai

IDLE_CONNECTIONS = 600
HARMFUL = {
    "stop sequences of 400 kB": {"stop": ["a" * 100_000] * 4},
    "a message of 4 MB": {"messages": [{"role": "user", "content": "what about you? " * 250_000}]},
    "a word of 200 kB": {"messages": [{"role": "user", "content": "x" * 200_000}]},
    "many names": {"messages": [{"role": "user", "content": "".join(f"n{one}: hi\n" for one in range(100_000))}]},
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("address", help="the address that -t web prints")
    arguments.add_argument("--clients", type=int, default=32)
    arguments.add_argument("--tokens", type=int, default=12, help="maximum length of a reply")
    arguments.add_argument("--token", default="none", help="the server's --token")
    arguments.add_argument("--hostile", action="store_true", help="other clients do what they can against these")
    chosen = arguments.parse_args()
    base = f"{chosen.address.rstrip('/')}/v1"
    ended = threading.Event()
    if chosen.hostile:
        _attack(chosen.address, ended)
    begun = time.perf_counter()

    def one(number: int) -> tuple[float, float, int]:
        """Seconds from the common start to the first text and to the end, and the number of tokens."""
        client = openai.OpenAI(base_url=base, api_key=chosen.token, max_retries=0, timeout=120)
        messages = [{"role": "user", "content": f"hey, what did you do on day {number}?"}]
        stream = client.chat.completions.create(
            model="any",
            messages=messages,  # type: ignore[arg-type]
            max_tokens=chosen.tokens,
            stream=True,
            stream_options={"include_usage": True},
        )
        first, tokens = 0.0, 0
        for chunk in stream:
            first = first or time.perf_counter() - begun
            tokens = chunk.usage.completion_tokens if chunk.usage else tokens
        return first, time.perf_counter() - begun, tokens

    failed: list[str] = []

    def tried(number: int) -> tuple[float, float, int] | None:
        try:
            return one(number)
        except openai.OpenAIError as error:
            failed.append(type(error).__name__)
            return None

    with ThreadPoolExecutor(chosen.clients) as clients:
        answers = sorted(filter(None, clients.map(tried, range(chosen.clients))))
    ended.set()
    print(f"{len(answers)} of {chosen.clients} answered {' '.join(sorted(failed))}")
    if not answers:
        return
    ends = [end for _, end, _ in answers]
    tokens = sum(tokens for *_, tokens in answers)
    turns = [end - first for first, end, _ in answers]
    print(f"{tokens} tokens in {max(ends):.1f} s: {tokens / max(ends):.1f}/s")
    print(f"first text: first client {answers[0][0]:.2f} s, last client {answers[-1][0]:.2f} s")
    print(f"from first text to end: median {statistics.median(turns):.2f} s, longest {max(turns):.2f} s")


def _attack(address: str, ended: threading.Event) -> None:
    """Hold connections open that say nothing, or half of something, and send what is long to read, again and again."""
    target = (urlsplit(address).hostname, urlsplit(address).port)
    half = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    held = []
    for number in range(IDLE_CONNECTIONS):
        connection = socket.create_connection(target)
        held.append(connection)
        connection.sendall((b"", half, half + b'Content-Length: 4000000\r\n\r\n{"messages": [')[number % 3])

    def repeat(values: dict[str, object]) -> None:
        hey = [{"role": "user", "content": "hey"}]
        body = json.dumps({"messages": hey, "max_tokens": 12, **values}).encode()
        while not ended.is_set():
            with suppress(OSError), socket.create_connection(target, timeout=10) as connection:
                connection.sendall(half + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
                connection.recv(65_536)

    def start(work: Callable[[dict[str, object]], None], values: dict[str, object]) -> None:
        threading.Thread(target=work, args=(values,), daemon=True).start()

    for values in HARMFUL.values():
        start(repeat, values)
    time.sleep(3)
    threading.Thread(target=lambda: (ended.wait(), held.clear()), daemon=True).start()


if __name__ == "__main__":
    main()
