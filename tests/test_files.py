"""Files and folders that are there as before or as after, whatever happens between."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from selfchatbot.changes import record
from selfchatbot.chat_format.saved import load_chat_format
from selfchatbot.errors import SelfChatBotError
from selfchatbot.files import (
    atomic_directory,
    atomic_file,
    atomic_files,
    read_jsonl,
    remove_leftovers,
    restore_directory,
    write_text,
)
from selfchatbot.likeness.measures.probes import read_probes
from selfchatbot.likeness.result import load
from selfchatbot.runs import RUN_FILE, run_name
from selfchatbot.session.transcripts import read_transcript
from selfchatbot.trainer.preference_pairs import read_preferences


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_is_utf_8_with_line_feeds(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "ä\n🧗\n")
    assert (tmp_path / "a.txt").read_bytes() == "ä\n🧗\n".encode()
    assert names(tmp_path) == ["a.txt"]


def test_a_file_is_the_old_one_until_it_is_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_file(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_file_stays_the_old_one_when_something_goes_wrong(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), atomic_file(path) as partial:
        partial.write_text("ne")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_several_files_appear_together(tmp_path: Path) -> None:
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_text("old")
    with pytest.raises(ValueError), atomic_files(one, two) as partials:
        partials[0].write_text("new")
        partials[1].write_text("ne")
        raise ValueError
    assert one.read_text() == "old" and names(tmp_path) == ["1"]
    with atomic_files(one, two) as partials:
        for partial in partials:
            partial.write_text("new")
        assert one.read_text() == "old" and not two.exists()
    assert one.read_text() == two.read_text() == "new"
    assert names(tmp_path) == ["1", "2"]


def test_a_folder_in_the_place_of_a_file_is_seen_before_anything_is_renamed(tmp_path: Path) -> None:
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_text("old")
    two.mkdir()
    with pytest.raises(IsADirectoryError) as raised, atomic_files(one, two) as partials:
        partials[0].write_text("new")
    assert raised.value.filename == str(two)
    assert one.read_text() == "old"


def test_one_that_was_not_written_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_text("old")
    with pytest.raises(FileNotFoundError), atomic_files(one, two) as partials:
        partials[0].write_text("new")
    assert one.read_text() == "old" and names(tmp_path) == ["1"]


@pytest.mark.parametrize("old", [True, False])
def test_a_folder_takes_the_place_of_the_old_one(tmp_path: Path, old: bool) -> None:
    path = tmp_path / "deep" / "best"
    if old:
        path.mkdir(parents=True)
        (path / "only in the old one").write_text("old")
    with atomic_directory(path) as partial:
        (partial / "sub").mkdir()
        (partial / "sub" / "a").write_text("new")
        assert path.exists() == old
    assert names(path) == ["sub"] and (path / "sub" / "a").read_text() == "new"
    assert names(path.parent) == ["best"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_folder_stays_the_old_one_when_something_goes_wrong(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "best"
    path.mkdir()
    (path / "a").write_text("old")
    with pytest.raises(error), atomic_directory(path) as partial:
        (partial / "a").write_text("ne")
        raise error
    assert (path / "a").read_text() == "old"
    assert names(tmp_path) == ["best"]


def test_a_run_killed_between_the_two_renames_leaves_the_old_folder_to_be_put_back(tmp_path: Path) -> None:
    path, old = tmp_path / "best", tmp_path / ".best.old"
    old.mkdir()
    (old / "a").write_text("old")
    restore_directory(path)
    assert (path / "a").read_text() == "old" and names(tmp_path) == ["best"]
    # It was killed after the second one: the new folder is there, the old one can go.
    old.mkdir()
    restore_directory(path)
    assert (path / "a").read_text() == "old" and names(tmp_path) == ["best"]
    restore_directory(tmp_path / "never there")
    assert names(tmp_path) == ["best"]


def test_leftovers_are_removed_and_nothing_else(tmp_path: Path) -> None:
    gone = 2**30  # more than there are processes
    (tmp_path / f".a.partial-{gone}").write_text("half")
    (tmp_path / f".best.partial-{gone}" / "sub").mkdir(parents=True)
    for name in (".env", "a.partial-1", ".parameters.written.json"):
        (tmp_path / name).write_text("mine")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == [".env", ".parameters.written.json", "a.partial-1"]


def test_what_another_process_writes_is_no_leftover(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as writer:
        partial = tmp_path / f".a.partial-{writer.pid}"
        partial.write_text("half")
        remove_leftovers(tmp_path)
        assert partial.exists()
        os.utime(partial, (1, 1))  # as if it were older than the process, whose number has come round again
        remove_leftovers(tmp_path)
        assert not partial.exists()


WRITER = """
import sys, time
from pathlib import Path
from selfchatbot.files import atomic_directory, atomic_file
path = Path(sys.argv[1])
with (atomic_directory if sys.argv[2] == "folder" else atomic_file)(path) as partial:
    (partial / "a" if sys.argv[2] == "folder" else partial).write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_process_that_is_killed_leaves_the_old_state_and_a_leftover(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "best"
    if kind == "folder":
        path.mkdir()
        (path / "a").write_text("old")
    else:
        path.write_text("old")
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), kind], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "writing\n"
        process.kill()
        process.wait()
    assert (path / "a" if kind == "folder" else path).read_text() == "old"
    assert len(names(tmp_path)) == 2
    remove_leftovers(tmp_path)
    assert names(tmp_path) == ["best"]


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C can't be sent to one process there")
def test_ctrl_c_leaves_no_leftover(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), "file"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "writing\n"
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.wait()
    assert path.read_text() == "old" and names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("damage", [b'{"a": 2', b"\0" * 30, b'{"a": \xff', b"null, 3", b""])
def test_incomplete_lines_of_jsonl_are_skipped(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": 1}\n' + damage + b'\n{"a": "\xe2\x80\xa8"}\n' + b'{"a": 4}')
    assert list(read_jsonl(path)) == [{"a": 1}, {"a": "\u2028"}]  # the last one may have been longer
    assert list(read_jsonl(path, stop_at_damage=True)) == [{"a": 1}]


def test_jsonl_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert list(read_jsonl(tmp_path / "a.jsonl")) == []
    assert list(read_jsonl(tmp_path)) == []


def test_the_longest_name_that_a_file_can_have(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 127)
    write_text(path, "hey")
    assert path.read_text() == "hey" and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are of POSIX")
def test_a_pipe_where_a_file_is_read_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / RUN_FILE
    os.mkfifo(pipe)
    assert list(read_jsonl(pipe)) == [] and record(pipe) == {} and run_name(tmp_path) == ""
    assert load_chat_format(pipe) is None and read_preferences(pipe) == []
    for read in (load, read_probes, read_transcript):
        with pytest.raises(SelfChatBotError, match="it is not a file"):
            read(pipe)
