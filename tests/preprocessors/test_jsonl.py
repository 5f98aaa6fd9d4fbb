"""Ready-made conversations: OpenAI, ShareGPT, Alpaca, and the lines that preprocess writes itself."""

import json
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import examples
from export_cases import DAMAGE, damaged
from hypothesis import given, settings
from hypothesis import strategies as st

from selfchatbot.errors import ExportError, SelfChatBotError
from selfchatbot.messages import Message
from selfchatbot.preprocessors import ExportFile, Preprocessors
from selfchatbot.preprocessors.jsonl import JSONL

HERE = Path(__file__).parent / "jsonl"
EXPORTS = sorted((HERE / "exports").iterdir())


def read(path: Path) -> list[Message]:
    return list(JSONL().read(path))


@pytest.mark.parametrize("export", EXPORTS, ids=lambda path: path.name)
def test_fixture(export: Path) -> None:
    expected = json.loads((HERE / "expected" / f"{export.name}.json").read_text(encoding="utf-8"))
    assert [[one.chat, one.timestamp.isoformat(), one.author, one.content] for one in read(export)] == expected


def test_me_is_the_assistant_in_every_file() -> None:
    files: list[ExportFile] = []
    messages = list(JSONL().read(HERE / "exports", files))
    assert [file.path.name for file in files] == [export.name for export in EXPORTS]
    assert {file.me for file in files} == {"assistant"}
    assert sum(file.messages for file in files) >= len(messages)
    # Conversations of two files never share a time line by accident.
    starts = {}
    for message in messages:
        starts.setdefault(message.chat, message.timestamp)
    assert len(set(starts.values())) == len(starts)


@pytest.mark.parametrize("export", EXPORTS, ids=lambda path: path.name)
def test_recognised(export: Path) -> None:
    assert Preprocessors["jsonl"].recognises(export, export.read_bytes()[: 2**16])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello\n", "line 1: no JSON object"),
        ('{"messages": []}\n{"messages": [\n', "line 2: no JSON object"),
        ('{"text": "x"}\n', 'line 1: an object without "messages"'),
        ("7\n", "line 1: int"),
        ('{"messages": {"role": "user"}}\n', 'line 1: "messages": dict, expected a list'),
        ('{"messages": ["hi"]}\n', 'line 1: "messages", 1: str, expected an object'),
        ('{"messages": [{"content": "hi"}]}\n', 'no "role"'),
        ('{"messages": [{"role": "narrator", "content": "SECRET"}]}\n', "unknown role"),
        ('{"messages": [{"role": "user", "content": 7}]}\n', "int, expected text"),
        ('{"instruction": "a", "output": "b", "history": [["a"]]}\n', '"history" is no list of pairs'),
        ('[{"messages": []}, {"messages": [', "is cut short"),
        ("[" * 100_000, "nested deeper than 64"),
        ('{"a":' * 100_000, "no JSON object"),
    ],
)
def test_bad_input_is_one_line_with_the_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "data.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ExportError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert said in message
    assert "\n" not in message
    assert "SECRET" not in message


def test_prompt_and_completion_as_lists_of_messages(tmp_path: Path) -> None:
    prompt = [{"role": "system", "content": "be me"}, {"role": "user", "content": "hi"}]
    path = tmp_path / "trl.jsonl"
    path.write_text(
        json.dumps({"prompt": prompt, "completion": [{"role": "assistant", "content": "hey"}]})
        + "\n"
        + json.dumps({"prompt": [{"type": "text", "text": "parts"}], "completion": "plain"})
        + "\n",
        encoding="utf-8",
    )
    said = [(one.author, one.content) for one in read(path)]
    assert said == [("user", "hi"), ("assistant", "hey"), ("user", "parts"), ("assistant", "plain")]


def test_array_and_lines_are_the_same(tmp_path: Path) -> None:
    records = [json.loads(line) for line in (HERE / "exports" / "openai.jsonl").read_text("utf-8").split("\n") if line]
    array = tmp_path / "openai.json"
    array.write_text("\ufeff \n" + json.dumps(records, indent=1), encoding="utf-8")
    assert [one.content for one in read(array)] == [one.content for one in read(HERE / "exports" / "openai.jsonl")]


turns = st.lists(
    st.tuples(st.sampled_from(("user", "assistant")), st.text(st.characters(codec="utf-8"), min_size=1)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=examples(60))
@given(records=st.lists(turns, max_size=5), kind=st.sampled_from(("openai", "sharegpt")), ascii_only=st.booleans())
def test_what_was_written_comes_back(records: list[list[tuple[str, str]]], kind: str, ascii_only: bool) -> None:
    lines = []
    for record in records:
        if kind == "openai":
            value = {"messages": [{"role": role, "content": content} for role, content in record]}
        else:
            names = {"user": "human", "assistant": "gpt"}
            value = {"conversations": [{"from": names[role], "value": content} for role, content in record]}
        lines.append(json.dumps(value, ensure_ascii=ascii_only))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.jsonl")
        path.write_bytes("\n".join(lines).encode())
        found = read(path)
    assert [(one.author, one.content) for one in found] == [
        (role, content) for record in records for role, content in record if content.strip()
    ]
    assert all(one.timestamp < other.timestamp for one, other in pairwise(found))


@settings(max_examples=examples(150))
@given(export=st.sampled_from(EXPORTS), damage=DAMAGE)
def test_damaged_files_never_give_a_traceback(export: Path, damage: list[tuple[str, float, float, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, export.name)
        path.write_bytes(damaged(export.read_bytes(), damage))
        try:
            assert all(message.content.strip() for message in read(path))
        except SelfChatBotError as error:
            assert "\n" not in str(error)
