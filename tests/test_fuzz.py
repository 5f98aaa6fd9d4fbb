"""Whatever stands in a file or a request: it is read, or refused in one line.

A few examples each; 10,000 with ``pytest tests/test_fuzz.py --hypothesis-profile=fuzz``, for which half an hour of one
core is enough: models take ten minutes, exports and saved files eight each, parameters six, requests three. The last
whole runs are in benchmarks/RECORD.md.
"""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from fuzzing import fuzzed, refused_in_one_line, written
from hypothesis import given
from hypothesis import strategies as st
from preprocessors.export_cases import DAMAGE, check_damaged, damaged
from web_server import SlowPlayer, ask, serving, tiny_player

from selfchatbot.chat_format import ChatFormat
from selfchatbot.conversations.format_folders import preprocessors_by_folder
from selfchatbot.models import load_model, load_tokenizer
from selfchatbot.parameters import GenerationParameters, RawParameters, TrainingParameters, hand_over, read_parameters
from selfchatbot.player.checkpoint import check_checkpoint
from selfchatbot.preprocessors import Preprocessors
from selfchatbot.session.contacts import contact_messages, contact_names
from selfchatbot.session.dialogue import Dialogue
from selfchatbot.session.game import Game
from selfchatbot.session.transcripts import read_transcript
from selfchatbot.trainer.metrics import Metrics, validations

RAW = {
    "model": "gpt2",
    "type_fine_tune": "lora",
    "max_length": 512,
    "preprocessor_data": {"WhatsApp": {"username": "Rowan", "aliases": ["Row"], "group_chats": "include"}},
    "conversation_gap_minutes": 60.0,
    "context_turns": 10,
    "contacts": {"Ana": ["ana.92"]},
    "redact": {"emails": True, "phone_region": "DE", "words": ["Zelda"]},
    "exclude": {"contacts": ["Max"], "chats": ["work*"], "dates": [{"from": "2020-01-01", "to": "2020-02-01"}]},
    "system": "You are {me}, chatting with {contact} on {format}.",
    "training": {"epochs": 2.0},
}
TRAINING = {
    "model": "gpt2",
    "type_fine_tune": "qlora",
    "max_length": 64,
    "epochs": 1.5,
    "learning_rate": 0.1,
    "seed": 3,
}
PLAYING = {
    "model": "gpt2",
    "temperature": 0.4,
    "top_p": 0.9,
    "top_k": 0,
    "best_of": 2,
    "max_new_tokens": 9,
    "seed": None,
}


@fuzzed
@given(data=st.data())
def test_parameters(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.getbasetemp() / "parameters"
    (folder / "WhatsApp").mkdir(parents=True, exist_ok=True)
    kind, valid = data.draw(
        st.sampled_from([(RawParameters, RAW), (TrainingParameters, TRAINING), (GenerationParameters, PLAYING)])
    )
    (folder / "parameters.json").write_bytes(written(valid, data))
    (folder / ".parameters.written.json").write_bytes(written(valid, data))

    def read() -> None:
        parameters = read_parameters(folder / "parameters.json", kind)
        if isinstance(parameters, RawParameters):
            timedelta(minutes=parameters.conversation_gap_minutes)
            preprocessors_by_folder(folder, parameters)

    refused_in_one_line(read)
    refused_in_one_line(lambda: hand_over(folder, valid))


SIZES = st.sampled_from([-1, 0, 1, 2, 3, 7, 33, 64, 400, 1000, 10**6, 10**9, 10**18])
"""Without those that only take much memory."""


@fuzzed
@given(data=st.data())
def test_models(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzzed-model"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(tiny_model, folder)
    name = data.draw(st.sampled_from(sorted(path.name for path in folder.iterdir())))
    path = folder / name
    if path.suffix != ".json":
        path.write_bytes(damaged(path.read_bytes(), data.draw(DAMAGE)))
    else:
        value = json.loads(path.read_text(encoding="utf-8"))
        sizes = [key for key, one in value.items() if type(one) is int] if name == "config.json" else []
        if sizes and data.draw(st.booleans()):
            value[data.draw(st.sampled_from(sizes))] = data.draw(SIZES)
            path.write_text(json.dumps(value), encoding="utf-8")
        else:
            path.write_bytes(written(value, data))

    def load() -> None:
        check_checkpoint(folder)
        chat_format = ChatFormat(load_tokenizer(str(folder)))
        prompt = chat_format.prompt([{"role": "user", "content": "hey, what's up? 😀"}], 64)
        chat_format.reply(prompt)
        assert chat_format.markers is not None
        if name != "tokenizer.json":
            load_model(str(folder), torch.float32)

    refused_in_one_line(load)


REQUEST = {
    "model": "Zoë",
    "messages": [
        {"role": "system", "content": "be short"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "hey"}, {"type": "image_url", "image_url": {"url": "x"}}],
        },
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "4", "tool_call_id": "1"},
        {"role": "assistant", "content": "haha"},
        {"role": "user", "content": "what about food?", "name": "kai"},
    ],
    "temperature": 1,
    "top_p": 0.9,
    "top_k": 3,
    "repetition_penalty": 1.1,
    "max_tokens": 2,
    "n": 1,
    "seed": 5,
    "stop": ["a", "b"],
    "stream": False,
    "stream_options": {"include_usage": True},
    "response_format": {"type": "text"},
    "logit_bias": {},
    "tool_choice": "auto",
}


@pytest.fixture(scope="module")
def player(tiny_model: Path) -> SlowPlayer:
    player = tiny_player(tiny_model)
    player.parameters = player.parameters.model_copy(update={"max_new_tokens": 8})
    return player


@pytest.fixture(scope="module")
def address(player: SlowPlayer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("game")
    turns = [{"role": "user", "content": "hey"}, {"role": "assistant", "content": "a b"}]
    (folder / "test.jsonl").write_text(json.dumps({"messages": turns}) + "\n", encoding="utf-8")
    with serving(player, game=Game(player, folder, folder, "best")) as address:
        yield address


@fuzzed
@given(data=st.data())
def test_requests(address: str, data: st.DataObject) -> None:
    path, valid = data.draw(
        st.sampled_from([("/v1/chat/completions", REQUEST)] * 8 + [("/game/guess", {"id": "x", "side": "a"})])
    )
    status, _, content = ask(address, path, written(valid, data))
    assert status in (200, 400, 404), content
    if status != 200:
        message = json.loads(content)["error"]["message"]
        assert message and "\n" not in message


LINE = {
    "messages": [
        {"role": "system", "content": "You are Zoë, chatting with Kai."},
        {"role": "user", "content": "hey\nyou there?"},
        {"role": "assistant", "content": "haha yeah"},
        {"role": "user", "content": "ok"},
    ],
    "chat": "session",
    "start": "2024-01-31T18:00:00",
    "contact": "Kai",
}
SUMMARY = {"contacts": {"Kai": 3}, "formats": [{"senders": {"Kai": 3, "me": 4}, "me": ["me"]}], "pace": {"pause": 1}}
RECORD = {"step": 1, "epoch": 0.5, "validation_loss": 2.0, "loss": 2.5}
GUESS = {"time": "2024", "checkpoint": "best", "conversation": 1, "turn": 2, "real": "a", "guess": "a", "right": True}


@fuzzed
@given(data=st.data())
def test_saved_files(player: SlowPlayer, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Sessions, and what stands beside them in a results or preprocessed folder."""
    folder = tmp_path_factory.getbasetemp() / "saved"
    folder.mkdir(exist_ok=True)
    files = {"train.jsonl": LINE, "test.jsonl": LINE, "metrics.jsonl": RECORD, "game.jsonl": GUESS}
    for name, value in {"session.jsonl": LINE, "summary.json": SUMMARY, **files}.items():
        whole = json.dumps(value).encode() + b"\n"
        (folder / name).write_bytes(whole + written(value, data) + data.draw(st.sampled_from((b"", b"\n"))) + whole)
    (folder / "summary.json").write_bytes(written(SUMMARY, data))

    def load() -> None:
        dialogue = Dialogue(lambda: player, lambda *_: None)
        dialogue.load(read_transcript(folder / "session.jsonl")[0])
        dialogue.say("hey")
        assert player.prompt(dialogue.messages)

    refused_in_one_line(load)
    refused_in_one_line(lambda: contact_messages(folder))
    refused_in_one_line(lambda: contact_names(folder))
    refused_in_one_line(lambda: validations(folder / "metrics.jsonl"))
    refused_in_one_line(lambda: Game(player, folder, folder, "best").total_score())
    refused_in_one_line(lambda: Metrics(folder / "metrics.jsonl", until_step=1))


EXPORTS = [
    (kind, export, file)
    for kind in Preprocessors
    for export in sorted((Path(__file__).parent / "preprocessors" / kind.lower()).glob("*/"))
    for file in sorted(export.rglob("*"))
    if export.is_dir() and file.is_file()
]


@fuzzed
@given(case=st.sampled_from(EXPORTS), damage=DAMAGE)
def test_exports(case: tuple[str, Path, Path], damage: list[tuple[str, float, float, bytes]]) -> None:
    kind, export, file = case
    check_damaged(Preprocessors[kind](username="Rowan"), export, file, damage)
