"""The quick engine says what the other one says: same prompts, same tokens, same probabilities, and it stops."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from conftest import WORDS, make_talker
from llamacpp_player import CPU, QUESTION, player
from tiny_models import save_tiny_model

from selfchatbot.parameters import GenerationParameters, read_parameters
from selfchatbot.player.checkpoint import load_checkpoint
from selfchatbot.player.engines.protocol import Sampling
from selfchatbot.player.engines.transformers import TransformersEngine
from selfchatbot.player.gguf_cache import checkpoint_gguf

pytest.importorskip("xllamacpp", reason="there is no wheel for every machine")

from selfchatbot.player.engines.llamacpp import LlamaCppEngine


@pytest.fixture(scope="module")
def results(made_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that says one sentence."""
    return make_talker(tmp_path_factory.mktemp("llamacpp"), made_base)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> tuple[TransformersEngine, LlamaCppEngine]:
    """Both, in float32, with random weights: likely and unlikely tokens after any prompt."""
    checkpoint = save_tiny_model(tmp_path_factory.mktemp("random") / "best", spread=0.5)
    model = load_checkpoint(checkpoint, machine=CPU).model
    gguf = checkpoint_gguf(checkpoint, quantization="f32")
    return TransformersEngine(model, 128), LlamaCppEngine(gguf, 128, threads=1, exact=True)


def sampling(**changes: object) -> Sampling:
    settings = {"temperature": 0.0, "top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0, "max_new_tokens": 30}
    return Sampling(**{**settings, "end": 2, "never": frozenset({0, 1}), "seed": 1, **changes})  # type: ignore[arg-type]


def prompts(results: Path) -> list[list[int]]:
    chat_format = player(results, "transformers").chat_format
    questions = [
        "hey",
        "how are you doing today?",
        "what? 12",
        "😀🎉",
        "ok cool",
        "7 or 8",
        "umbrella",
        "a b c",
        "sure",
        "\n",
    ]
    return [chat_format.prompt([{"role": "user", "content": question}], 64) for question in questions]


def test_prompts_are_the_same_tokens(results: Path) -> None:
    chat = [*QUESTION, {"role": "assistant", "content": "haha <|im_end|> 😀"}, *QUESTION]
    one, other = (player(results, engine) for engine in ("transformers", "llama.cpp"))
    for messages in (QUESTION, chat, [{"role": "system", "content": "x"}, *chat], chat * 10, []):
        assert one.prompt(messages) == other.prompt(messages)


def test_it_says_its_words(results: Path) -> None:
    speaker = player(results, "llama.cpp")
    assert speaker.reply(QUESTION) == WORDS
    assert "".join(speaker.stream(QUESTION)) == WORDS


@pytest.mark.parametrize("penalty", [1.0, 1.1, 1.5])
def test_greedy_tokens_and_probabilities_are_equal(
    results: Path, engines: tuple[TransformersEngine, LlamaCppEngine], penalty: float
) -> None:
    """The penalty counts the reply's own tokens only; parts of emoji have ids and probabilities too."""
    equal = 0
    for prompt in prompts(results):
        one, other = (list(engine.generate(prompt, sampling(repetition_penalty=penalty))) for engine in engines)
        same = [token.id for token in one][:20] == [token.id for token in other][:20]
        equal += same
        if same:
            for token, twin in zip(one[:20], other[:20], strict=True):
                assert twin.log_probability == pytest.approx(token.log_probability, abs=3e-3)
        unasked = engines[1].generate(prompt, sampling(repetition_penalty=penalty, log_probabilities=False))
        assert [token.id for token in unasked] == [token.id for token in other]
    assert equal >= 9


def test_probabilities_of_given_replies_are_equal(
    results: Path, engines: tuple[TransformersEngine, LlamaCppEngine]
) -> None:
    chat_format = player(results, "transformers").chat_format
    replies = [chat_format.turn(text) for text in (WORDS, "😀🎉 7", "a\nb")] + [chat_format.turn("no end")[:-1]]
    for prompt in [chat_format.prompt([], 64), *prompts(results)[:2]]:
        one, other = (engine.log_probabilities(prompt, replies) for engine in engines)
        assert other == pytest.approx(one, abs=2e-2)


def test_samples_are_distributed_alike(results: Path, engines: tuple[TransformersEngine, LlamaCppEngine]) -> None:
    prompt = prompts(results)[0]
    for changes in ({"temperature": 0.7}, {"temperature": 1.0, "top_p": 0.7}, {"temperature": 2.0, "top_k": 5}):
        counts = []
        for engine in engines:
            tokens = engine.generate(prompt, sampling(max_new_tokens=1, may_be_empty=False, **changes), 600)
            seen = [token.id for token in tokens]
            counts.append({token: seen.count(token) / 600 for token in set(seen)})
        assert max(counts[0].values()) > 0.2, "nothing was likely, so nothing was compared"
        for token in {*counts[0], *counts[1]}:
            assert counts[0].get(token, 0) == pytest.approx(counts[1].get(token, 0), abs=0.1), changes


def test_forbidden_tokens_never_come(engines: tuple[TransformersEngine, LlamaCppEngine]) -> None:
    allowed = {2, *range(300, 310)}
    never = frozenset(range(400)) - allowed
    tokens = engines[1].generate([5, 6, 7], sampling(temperature=2.0, never=never, may_be_empty=False), 8)
    first: dict[int, int] = {}
    for token in tokens:
        assert token.id in allowed
        first.setdefault(token.candidate, token.id)
    assert len(first) == 8
    assert 2 not in first.values()


def test_a_seed_repeats_candidates_which_differ(results: Path) -> None:
    first, again, other = (
        player(results, "llama.cpp", temperature=3.0, max_new_tokens=12, seed=seed).replies(QUESTION, 3)
        for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other
    assert len(set(first)) > 1


def test_closing_stops_it_and_what_was_read_stays_read(engines: tuple[TransformersEngine, LlamaCppEngine]) -> None:
    engine = engines[1]
    prompt = [3 + index % 200 for index in range(100)]
    stream = engine.generate(prompt, sampling(max_new_tokens=20))
    next(stream)
    stream.close()
    request = {"prompt": [*prompt, 9, 9], "n_predict": 1, "temperature": 0}
    assert engine._server.request("/completion", request)["timings"]["cache_n"] >= 99


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_while_it_reads_replies_stops_it(
    engines: tuple[TransformersEngine, LlamaCppEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, main_thread = engines[1], threading.get_ident()
    asked: list[int] = []
    ask = engine.log_probability

    def watched(*arguments: Any) -> float:
        asked.append(1)
        if len(asked) == 5:
            signal.pthread_kill(main_thread, signal.SIGINT)
        return ask(*arguments)

    monkeypatch.setattr(engine, "log_probability", watched)
    with pytest.raises(KeyboardInterrupt):
        engine.log_probabilities([9, 30], [[40] * 50] * 20)
    before = len(asked)
    time.sleep(0.2)
    assert len(asked) <= before + 2 < 1000, "each of two workers ends with the token that it is at"


def test_nobody_else_may_ask(engines: tuple[TransformersEngine, LlamaCppEngine]) -> None:
    address = engines[1]._server.address
    assert address.startswith("127.0.0.1:")
    for path, body in (("/completion", b'{"prompt": "hi", "n_predict": 1}'), ("/slots", None), ("/props", None)):
        request = urllib.request.Request(f"http://{address}{path}", data=body)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request)
        assert refused.value.code in (401, 404)


@pytest.mark.skipif(sys.platform == "win32", reason="timers of POSIX")
@pytest.mark.parametrize("seconds", [0.002, 0.003, 0.004, 0.005])
def test_ctrl_c_while_it_is_loaded_ends(results: Path, seconds: float) -> None:
    """A server that is ended as soon as the library's constructor returns waits for itself."""
    parameters = read_parameters(results / "parameters.json", GenerationParameters)
    code = (
        "import signal, sys\n"
        "from pathlib import Path\n"
        "import xllamacpp\n"
        "from selfchatbot.cli.shell import run\n"
        "from selfchatbot.player.engines.llamacpp import LlamaCppEngine\n"
        "signal.signal(signal.SIGALRM, signal.default_int_handler)\n"
        "signal.setitimer(signal.ITIMER_REAL, float(sys.argv[2]))\n"
        "sys.exit(run(lambda: LlamaCppEngine(Path(sys.argv[1]), 128, threads=1)))"
    )
    command = [sys.executable, "-c", code, str(checkpoint_gguf(results / "best", parameters)), str(seconds)]
    assert subprocess.run(command, timeout=60, check=False).returncode == 130


def test_a_pause_between_two_turns(engines: tuple[TransformersEngine, LlamaCppEngine]) -> None:
    """llama.cpp closes connections on which nothing came for five seconds."""
    first = [token.id for token in engines[1].generate([5, 6, 7], sampling())]
    time.sleep(6)
    assert [token.id for token in engines[1].generate([5, 6, 7], sampling())] == first
