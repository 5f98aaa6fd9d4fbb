"""Many clients of the `openai` package at once, with a running `selfChatBot_play -t web`.

python benchmarks/web.py http://127.0.0.1:8642 --clients 32 --tokens 12
"""

import argparse
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import openai


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("address", help="the address that -t web prints")
    arguments.add_argument("--clients", type=int, default=32)
    arguments.add_argument("--tokens", type=int, default=12, help="maximum length of a reply")
    arguments.add_argument("--token", default="none", help="the server's --token")
    chosen = arguments.parse_args()
    base = f"{chosen.address.rstrip('/')}/v1"
    begun = time.perf_counter()

    def one(number: int) -> tuple[float, float, int]:
        """Seconds from the common start to the first text and to the end, and the number of tokens."""
        client = openai.OpenAI(base_url=base, api_key=chosen.token, max_retries=0)
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

    with ThreadPoolExecutor(chosen.clients) as clients:
        answers = sorted(clients.map(one, range(chosen.clients)))
    ends = [end for _, end, _ in answers]
    tokens = sum(tokens for *_, tokens in answers)
    turns = [end - first for first, end, _ in answers]
    print(
        f"{len(answers)} of {chosen.clients} answered, {tokens} tokens in {max(ends):.1f} s: {tokens / max(ends):.1f}/s"
    )
    print(f"first text: first client {answers[0][0]:.2f} s, last client {answers[-1][0]:.2f} s")
    print(f"from first text to end: median {statistics.median(turns):.2f} s, longest {max(turns):.2f} s")


if __name__ == "__main__":
    main()
