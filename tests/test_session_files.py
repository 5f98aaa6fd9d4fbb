"""What a session keeps, saves and loads, and what happens when that can't be."""

import io
import os
import shutil
from collections.abc import Iterator
from copy import copy
from pathlib import Path

import pytest
from conftest import WORDS
from session_in_a_pipe import ANSWER, Talk, kept, load_talker, session_in_a_pipe, user

from selfchatbot.cli.session import session
from selfchatbot.environment import Dataset
from selfchatbot.messages import read_conversations
from selfchatbot.player import Player


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


def test_save_and_load(talk: Talk, dataset: Dataset, tmp_path: Path) -> None:
    file = tmp_path / "my chat.jsonl"
    other = tmp_path / "other.jsonl"
    other.write_text('{"messages": 3}\n', encoding="utf-8")
    shown = talk("/save", f"/save {file}", "hey", f"/save {file}", "sure", f"/save {file}", f"/save {other}")
    assert "the conversation is empty" in shown and "exists already" in shown
    assert list(read_conversations(file)) == [[user("hey"), ANSWER, user("sure"), ANSWER]]
    nowhere = (tmp_path / "nothing", tmp_path, "~nosuch/x")
    shown = talk(f"/load {file}", "bye", f"/load {other}", *(f"/load {path}" for path in nowhere))
    assert "> sure\n" in shown
    assert kept(dataset)[-1] == [user("hey"), ANSWER, user("sure"), ANSWER, user("bye"), ANSWER]
    assert "other.jsonl, line 1" in shown
    assert shown.count("can't be read") == len(nowhere)
    assert "exists already" in talk("x", f"/save {file}")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are of POSIX")
def test_what_does_not_end_is_not_loaded(talk: Talk, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    deep = tmp_path / "deep"
    deep.write_text('{"messages": ' + "[" * 100_000, encoding="utf-8")
    shown = talk("/load /dev/zero", f"/load {tmp_path / 'pipe'}", f"/load {deep}", "/set seed " + "[" * 100_000)
    assert shown.count("can't be read: it is not a file") == 2
    assert 'deep, line 1: expected {"messages"' in shown and 'key "seed": found' in shown


def test_load_opens_the_last_session_and_clear_begins_anew(talk: Talk, dataset: Dataset) -> None:
    assert "there is no saved conversation" in talk("/load")
    talk("first")
    talk("/load", "second", "/clear", "third")
    assert kept(dataset) == [
        [user("first"), ANSWER],
        [user("first"), ANSWER, user("second"), ANSWER],
        [user("third"), ANSWER],
    ]


def test_nothing_is_kept_if_told_so(talk: Talk, dataset: Dataset, tmp_path: Path) -> None:
    assert WORDS in talk("hey", keep=False)
    assert not (dataset.results / "sessions").exists()
    assert not (tmp_path / "user").exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions of POSIX, which root ignores")
def test_a_results_folder_that_is_read_only(talk: Talk, dataset: Dataset) -> None:
    dataset.results.chmod(0o500)
    try:
        check_unwritable(talk)
    finally:
        dataset.results.chmod(0o700)


def test_a_results_folder_that_cannot_be_written(talk: Talk, dataset: Dataset) -> None:
    """Files and folders in the places of those to be written stand in for a read-only folder: root may write there."""
    (dataset.results / "sessions").write_text("a file", encoding="utf-8")
    (dataset.results / "preferences.jsonl").mkdir()
    check_unwritable(talk)


def check_unwritable(talk: Talk) -> None:
    shown = talk("hey", "sure", "/edit no", "/good")
    assert shown.count("nothing is saved unless you /save") == 1
    assert shown.count("the rating is lost") == 2
    assert shown.count(WORDS) == 2


def test_a_checkpoint_that_is_replaced_while_it_plays(
    dataset: Dataset, player: Player, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    best = dataset.results / "best"

    def lines() -> Iterator[str]:
        yield "hey\n"
        shutil.copytree(best, dataset.results / "new")
        shutil.rmtree(best)
        yield "sure\n"
        (dataset.results / "new").rename(best)
        yield "when?\n"

    class Typed(io.StringIO):
        source = lines()

        def readline(self, _size: int | None = -1) -> str:
            return next(self.source, "")

    monkeypatch.setattr("sys.stdin", Typed())
    session(lambda: player, dataset, best)
    shown = capsys.readouterr().out
    assert shown.count(WORDS) == 3
    assert shown.count("best/ has changed, but this is still the old model") == 2
