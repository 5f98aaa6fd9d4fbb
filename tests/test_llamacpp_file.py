"""The GGUF file of a checkpoint: made once, and again when it is damaged; without one, transformers plays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import WORDS, make_talker
from llamacpp_player import QUESTION, player

from selfchatbot.chat_format.saved import load_chat_format
from selfchatbot.errors import SelfChatBotError
from selfchatbot.parameters import GenerationParameters, read_parameters
from selfchatbot.player.engines.transformers import TransformersEngine
from selfchatbot.player.gguf_cache import checkpoint_gguf, format_file

pytest.importorskip("xllamacpp", reason="there is no wheel for every machine")

from selfchatbot.player.engines.llamacpp import LlamaCppEngine


@pytest.fixture(scope="module")
def results(made_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that says one sentence."""
    return make_talker(tmp_path_factory.mktemp("llamacpp"), made_base)


def test_the_file_is_made_once_and_again_for_another_checkpoint(results: Path) -> None:
    parameters = read_parameters(results / "parameters.json", GenerationParameters)
    first = checkpoint_gguf(results / "best", parameters)
    made = first.stat().st_mtime_ns
    assert checkpoint_gguf(results / "best", parameters) == first
    assert first.stat().st_mtime_ns == made
    template = results / "best" / "chat_template.jinja"
    original = template.read_text(encoding="utf-8")
    try:
        template.write_text(original + " ", encoding="utf-8")
        second = checkpoint_gguf(results / "best", parameters)
        assert second != first
        assert not first.exists()
        beside = {f"{second.name}{suffix}" for suffix in ("", ".sha256", ".format.json")}
        assert {file.name for file in results.glob("best-*q8_0*")} == beside
    finally:
        template.write_text(original, encoding="utf-8")


@pytest.mark.parametrize("damage", ["empty", "middle", "no checksum"])
def test_a_damaged_file_is_made_again(results: Path, damage: str) -> None:
    parameters = read_parameters(results / "parameters.json", GenerationParameters)
    path = checkpoint_gguf(results / "best", parameters)
    content = path.read_bytes()
    middle = len(content) // 2
    changed = {"empty": b"", "middle": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]}
    if damage in changed:
        path.write_bytes(changed[damage])
    else:
        path.with_name(f"{path.name}.sha256").unlink()
    assert checkpoint_gguf(results / "best", parameters) == path
    assert path.read_bytes() == content


def test_its_format_file_gives_the_same_tokens_without_transformers(results: Path) -> None:
    import selfchatbot

    parameters = read_parameters(results / "parameters.json", GenerationParameters)
    gguf = checkpoint_gguf(results / "best", parameters)
    format_file(gguf).unlink(missing_ok=True)
    from_tokenizer = player(results, "llama.cpp").chat_format  # writes it again
    saved = load_chat_format(format_file(gguf))
    assert saved is not None
    conversation = [*QUESTION, {"role": "assistant", "content": WORDS}, {"role": "user", "content": "<|im_end|> 😀"}]
    prompt = from_tokenizer.prompt(conversation, 100)
    assert saved.prompt(conversation, 100) == prompt
    assert saved.turn(WORDS) == from_tokenizer.turn(WORDS)
    assert saved.reply(saved.turn(WORDS)) == from_tokenizer.reply(saved.turn(WORDS)) == WORDS
    assert (saved.end, saved.special, saved.markers) == (
        from_tokenizer.end,
        from_tokenizer.special,
        from_tokenizer.markers,
    )
    code = (
        "import sys; from pathlib import Path; from selfchatbot.player import Player; "
        "from selfchatbot.parameters import GenerationParameters, read_parameters; folder = Path(sys.argv[1]); "
        "parameters = read_parameters(folder / 'parameters.json', GenerationParameters); "
        "print(Player(folder / 'best', parameters, engine='llama.cpp').reply([{'role': 'user', 'content': 'hi'}])); "
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", code, str(results)]
    path = str(Path(selfchatbot.__file__).parent.parent)
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", check=False, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0 and done.stdout.strip() == WORDS, done.stderr
    format_file(gguf).write_text('{"tokenizer": "broken"', encoding="utf-8")
    assert player(results, "llama.cpp").reply(QUESTION) == WORDS


def test_what_it_cannot_play_transformers_plays(
    results: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from selfchatbot.gguf import families

    monkeypatch.setattr(families, "FAMILIES", {})
    for file in results.glob("*.gguf"):
        file.unlink()
    speaker = player(results, "auto")
    assert isinstance(speaker._engine, TransformersEngine)
    assert speaker.reply(QUESTION) == WORDS
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(lines) == 1
    assert "can't be written as GGUF" in lines[0]
    with pytest.raises(SelfChatBotError, match="llama"):
        player(results, "llama.cpp")


def test_without_the_extra_it_is_said(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert isinstance(player(results, "auto")._engine, TransformersEngine)
    with pytest.raises(SelfChatBotError, match="pip install xllamacpp"):
        player(results, "llama.cpp")


def test_a_broken_file_is_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF nothing")
    with pytest.raises(SelfChatBotError, match="can't load"):
        LlamaCppEngine(broken, 64)
