"""A session in this process: commands, editing, contacts, odd input, stopping, pace, completion."""

import io
import json
import os
import re
import signal
from copy import copy
from datetime import datetime
from pathlib import Path

import pytest
from conftest import WORDS
from session_in_a_pipe import ANSWER, Talk, kept, load_talker, session_in_a_pipe, user

from selfchatbot.cli.session import session
from selfchatbot.cli.session.commands import HELP
from selfchatbot.cli.session.keyboard import Keyboard
from selfchatbot.cli.session.screen import Screen
from selfchatbot.display import visible
from selfchatbot.environment import Dataset
from selfchatbot.player import Player
from selfchatbot.session.dialogue import Dialogue
from selfchatbot.session.typing_pace import Pace, learned_pace


@pytest.fixture(autouse=True)
def private_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept in the user's folders stays in the test's."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))


@pytest.fixture(scope="module")
def loaded(talker: Path) -> Player:
    return load_talker(talker)


@pytest.fixture
def player(loaded: Player) -> Player:
    """The talker's model as if it had just been loaded."""
    return copy(loaded)


@pytest.fixture
def talk(dataset: Dataset, player: Player, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talk:
    return session_in_a_pipe(dataset, player, monkeypatch, capsys)


def test_a_conversation_is_shown_and_kept(talk: Talk, dataset: Dataset) -> None:
    shown = talk("hey", "", "what about you?", "exit", "never read")
    assert shown.count(WORDS + "\n") == 2
    assert kept(dataset) == [[user("hey"), ANSWER, user("what about you?"), ANSWER]]
    line = json.loads(next((dataset.results / "sessions").iterdir()).read_text(encoding="utf-8"))
    assert set(line) == {"messages", "chat", "start", "contact"}
    assert datetime.fromisoformat(line["start"]) <= datetime.now()
    if os.name == "posix":
        assert (dataset.results / "sessions").stat().st_mode & 0o077 == 0


def test_every_command_is_there_and_an_unknown_one_is_said(talk: Talk) -> None:
    shown = talk("/help", "/retri", "/zzz", "/exit", "never read")
    for name in HELP:
        assert name in shown
    assert "did you mean /retry?" in shown
    assert "there is no /zzz: /help lists all" in shown


def test_undo_retry_and_slashes(talk: Talk, dataset: Dataset) -> None:
    shown = talk("/undo", "/retry", "hey", "//shrug", "/undo", "/retry", "/ what", "/usr/bin is full")
    assert "nothing to take back" in shown
    assert "nothing to reply to yet" in shown
    assert kept(dataset)[-1] == [user("hey"), ANSWER, user("/ what"), ANSWER, user("/usr/bin is full"), ANSWER]
    talk("//shrug")
    assert kept(dataset)[-1] == [user("/shrug"), ANSWER]


def test_others_are_shown_and_picked(talk: Talk, dataset: Dataset) -> None:
    lively = {"temperature": 3.0, "guidance": 0.0, "seed": 4, "num_return_sequences": 4, "max_new_tokens": 30}
    shown = talk("hey", "/others", "/others 9", "/others x", "/others 2", "/others", **lively)
    listed = re.findall(r"^(?:> )?(\d): (.*)$", shown, re.MULTILINE)
    assert [number for number, _ in listed[:3]] == ["1", "2", "3"]
    assert "there are 3 others" in shown and "which one?" in shown
    said = kept(dataset)[-1][-1]["content"]
    assert visible(said.split("\n")[0]) == listed[1][1]
    # The first choice has changed places with it.
    assert listed[4][1] not in {text for _, text in listed[:3]}


@pytest.mark.parametrize("field", ["best_of", "num_return_sequences"])
def test_the_one_of_several_that_fits_best_is_said(talk: Talk, dataset: Dataset, loaded: Player, field: str) -> None:
    lively = {"temperature": 3.0, "guidance": 0.0, "seed": 4, field: 5, "max_new_tokens": 30}
    talk("hey", **lively)
    player = copy(loaded)
    player.parameters = player.parameters.model_copy(update=lively)
    replies = player.candidates([user("hey")], 5)
    assert kept(dataset)[-1][-1]["content"] == max(replies, key=lambda reply: reply.pmi).text
    assert len({reply.text for reply in replies}) == 5


def test_set_and_show(talk: Talk, dataset: Dataset) -> None:
    before = (dataset.results / "parameters.json").read_bytes()
    shown = talk("/set max_new_tokens 1", "hey", "/show", "/set temperature hot", "/set tmp 1", "/set model x", "/set")
    assert re.search(r"max_new_tokens +1\n", shown)
    assert len(kept(dataset)[-1][-1]["content"]) < 8
    assert 'key "temperature": found "hot"' in shown
    assert 'did you mean "' in shown or "known keys" in shown
    assert "can't change while the model is loaded" in shown
    assert (dataset.results / "parameters.json").read_bytes() == before


def test_edit_and_ratings_in_a_pipe(talk: Talk, dataset: Dataset) -> None:
    shown = talk("/edit too early", "hey", "/edit", "/edit well hello", "/good", "/bad", "sure")
    assert "there is no reply yet" in shown
    assert "/edit TEXT replaces" in shown
    pairs = [json.loads(line) for line in (dataset.results / "preferences.jsonl").read_text("utf-8").splitlines()]
    # Greedily it can only say the same again, which is better than the edited one.
    assert [pair["chosen"][0]["content"] for pair in pairs] == ["well hello", "well hello", WORDS]
    assert "1 preference saved" in shown


def test_as_a_contact(talk: Talk, dataset: Dataset) -> None:
    assert "does not know contacts" in talk("/as kai")
    path = dataset.preprocessed / "train.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line, name in zip(lines, ["kai", "Moss"] * len(lines), strict=False):
        line["messages"].insert(0, {"role": "system", "content": f"with {name}"})
        line["contact"] = name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    shown = talk("/as", "/as jade", "/as moss", "hey", "/show")
    assert "who? there are: kai, Moss" in shown and "nobody is called jade?" in shown
    assert kept(dataset)[-1] == [{"role": "system", "content": "with Moss"}, user("hey"), ANSWER]
    assert re.search(r"you are +Moss", shown)
    transcripts = {name: path.parent / f"{name}.jsonl" for name in ("kai", "nobody")}
    for name, file in transcripts.items():
        system = [{"role": "system", "content": "with kai"}] if name == "kai" else []
        file.write_text(json.dumps({"messages": [*system, user("hey"), ANSWER]}) + "\n", encoding="utf-8")
    assert re.search(r"(?m)^you are +kai", talk("/as moss", f"/load {transcripts['kai']}", "/show"))
    assert not re.search(r"(?m)^you are ", talk("/as moss", f"/load {transcripts['nobody']}", "/show"))


def test_odd_input(talk: Talk, dataset: Dataset) -> None:
    """Bytes that are no text, a megabyte, a prompt that fills the window, control characters."""
    shown = talk(b"hey \xff\xfe there", "x" * 2**20, "what about you? " * 300, "\x1b[2J\x07")
    assert shown.count(WORDS + "\n") == 4
    assert "\x1b" not in shown
    assert "\ufffd" in kept(dataset)[-1][0]["content"]
    assert len(kept(dataset)[-1][2]["content"]) == 2**20


def test_ctrl_c_stops_a_reply_and_keeps_what_was_said(
    dataset: Dataset, player: Player, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second bubble is interrupted while it is typed, by the pace."""
    monkeypatch.setattr("sys.stdin", io.StringIO("hey\nsure\n"))
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("selfchatbot.cli.session.screen.time.sleep", sleep)
    session(lambda: player, dataset, dataset.results / "best", Pace(5, 0.01))
    first, second = WORDS.split("\n")
    assert kept(dataset)[-1] == [user("hey"), {"role": "assistant", "content": first}, user("sure"), ANSWER]
    shown = capsys.readouterr().out
    assert f"{first}\n...\n" in shown
    assert shown.count(second) == 1


def test_replies_come_at_my_pace(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = [100.0]
    monkeypatch.setattr("selfchatbot.cli.session.screen.time.monotonic", lambda: now[0])

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("selfchatbot.cli.session.screen.time.sleep", sleep)
    Screen(Pace(1, 0.5)).show_reply(["four", "x" * 1000, "a"])
    assert now[0] == pytest.approx(100 + 3 + 8 + 1.5)


def test_my_pace_is_learned(dataset: Dataset) -> None:
    assert learned_pace(dataset) == Pace()
    summary = dataset.preprocessed / "summary.json"
    summary.write_text('{"pace": {"pause": 2.5, "seconds_per_character": 0.1}}', encoding="utf-8")
    assert learned_pace(dataset) == Pace(2.5, 0.1)
    summary.write_text('{"pace": {"pause": "quick"}}', encoding="utf-8")
    assert learned_pace(dataset) == Pace()


def test_a_message_that_is_being_shown_is_said(player: Player) -> None:
    dialogue = Dialogue(lambda: player, lambda *_: None)
    dialogue.say("hey")
    first = WORDS.split("\n")[0]
    for shown in (False, True):
        messages = dialogue.answer()
        assert next(messages) == first
        if shown:
            dialogue.mark_shown(first)
        messages.close()
        assert dialogue.last_reply == (first if shown else None)


def test_completion(player: Player, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    from selfchatbot.cli.session.commands import Commands
    from selfchatbot.cli.session.completion import CommandCompleter

    monkeypatch.setattr("sys.stdin", io.StringIO())
    commands = Commands(Dialogue(lambda: player, lambda *_: None), Screen(), Keyboard(dataset, False), dataset, False)
    line = {"messages": [{"role": "system", "content": "with Zoë"}, user("hey")], "contact": "Zoë"}
    (dataset.preprocessed / "train.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    monkeypatch.chdir(dataset.results)
    completer = CommandCompleter(lambda: commands)

    def completed(text: str) -> list[str]:
        return [found.text for found in completer.get_completions(Document(text), CompleteEvent())]

    assert completed("/re") == ["/retry"]
    assert len(completed("/")) == len(HELP)
    assert completed("/set top") == ["top_p", "top_k"]
    assert completed("/as z") == ["Zoë"]
    assert completed("/load be") == ["st"]
    assert completed("hey /re") == []
    assert completed("/re\n") == []
