"""What a full disk, other limits, the rights to files and Ctrl-C do to preprocess, the installed script."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import SAMPLE
from preprocess_case import CHAT, NAME, Case, command, grow, run, snapshot, variables

pytest_plugins = ("preprocess_case",)


@pytest.fixture
def small_disk(case: Case) -> Iterator[Path]:
    """The output folder on a disk of its own with 512 KiB."""
    folder = case.environment / "preprocessed"
    kept = case.environment / "kept"
    folder.rename(kept)
    folder.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run([mount, "-t", "tmpfs", "-o", "size=512k", "none", folder], check=False).returncode
    ):
        folder.rmdir()
        kept.rename(folder)
        pytest.skip("nothing can be mounted here")
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_the_disk_is_full(case: Case, small_disk: Path) -> None:
    case.parameters(training={"epochs": 9})
    grow(case, 60)
    case.fails(1, "the disk is full", "run the same command again")
    # With less to write, the same command works: nothing half written takes up the space.
    shutil.copy(SAMPLE / "DiscordChatExporter" / CHAT, case.chat)
    assert run(case.environment, "-d", "1").returncode == 0
    assert json.loads((small_disk / NAME / "parameters.json").read_text(encoding="utf-8"))["epochs"] == 9


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_no_file_may_become_so_large(case: Case) -> None:
    grow(case, 60)
    limited = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2**18, 2**18)); "
    limited += "os.execv(sys.argv[1], sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", limited, *command("-d", "1")],
        cwd=case.environment,
        env=variables(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    case.failed(done, 1, "File too large")


def test_what_is_printed_finds_no_room(case: Case) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command("-d", "1"),
            cwd=case.environment,
            env=variables(),
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "the disk is full" in done.stderr


@pytest.mark.parametrize("stage", ["preprocessed", "results"])
def test_a_file_in_the_place_of_an_output_directory(case: Case, stage: str) -> None:
    (case.environment / "a file").write_text("mine")
    case.fails(2, f"selfChatBot_{stage}", "a file", **{f"selfChatBot_{stage}": "a file"})
    assert (case.environment / "a file").read_text() == "mine"


def test_a_file_in_the_place_of_the_datasets_folder(case: Case) -> None:
    shutil.rmtree(case.output)
    case.output.write_text("mine")
    case.before = snapshot(case.environment / "preprocessed")
    case.fails(1, NAME, "File exists")


def test_a_folder_in_the_place_of_a_file(case: Case) -> None:
    (case.output / "test.jsonl").unlink()
    (case.output / "test.jsonl").mkdir()
    case.before = snapshot(case.environment / "preprocessed")
    grow(case, 2)
    case.fails(1, "test.jsonl")


def test_the_output_is_read_only(case: Case, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    case.fails(1, "Read-only file system", NAME)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="the administrator may write everywhere")
def test_no_permission(case: Case) -> None:
    case.output.chmod(0o555)
    try:
        case.fails(1, "Permission denied", NAME)
    finally:
        case.output.chmod(0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C can't be sent to one process there")
@pytest.mark.parametrize("wait", [0.0, 0.3])
def test_ctrl_c(case: Case, wait: float) -> None:
    grow(case, 600)
    with subprocess.Popen(
        command("-d", "1"),
        cwd=case.environment,
        env=variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        wait_until_open(process, case.chat)
        time.sleep(wait)
        process.send_signal(signal.SIGINT)
        shown, said = process.communicate(timeout=60)
    assert (process.returncode, shown, said.strip()) == (130, "", "interrupted")
    assert snapshot(case.environment / "preprocessed") == case.before


def wait_until_open(process: "subprocess.Popen[str]", path: Path) -> None:
    """Wait until a process reads a file; where that can't be seen, a second."""
    descriptors = Path(f"/proc/{process.pid}/fd")
    if not descriptors.exists():
        time.sleep(1)
        return
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError):  # a file that is closed just now
            if any(os.path.realpath(link) == str(path.resolve()) for link in descriptors.iterdir()):
                return
        time.sleep(0.005)
    pytest.fail(f"it ended with {process.returncode} before it read anything")
