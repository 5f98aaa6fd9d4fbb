"""What can go wrong with preprocess, through the real console script.

Each time: one line on stderr, no traceback, the right exit code, and what was there before is still there.
"""

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

NAME = "Dataset_1_Zoë the 2nd"
SCRIPT = Path(sys.executable).with_name("selfChatBot_preprocess.exe" if os.name == "nt" else "selfChatBot_preprocess")
CHAT = "Direct Messages - gale.816 [922a405f].txt"


def command(*arguments: str) -> list[str]:
    return [str(SCRIPT), *arguments]


def variables(**values: str) -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("selfChatBot_", "SELFCHATBOT"))}
    return {**mine, "PYTHONUTF8": "1", **values}


def run(environment: Path, *arguments: str, **values: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=environment,
        env=variables(**values),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its bytes, every folder with None."""
    paths = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in paths}


class Case:
    """A dataset that was preprocessed, and what it looks like since."""

    def __init__(self, environment: Path) -> None:
        self.environment = environment
        self.raw = environment / "raw" / NAME
        self.format = self.raw / "DiscordChatExporter"
        self.chat = self.format / CHAT
        self.output = environment / "preprocessed" / NAME

    def preprocess(self) -> None:
        done = run(self.environment, "-d", "1")
        assert done.returncode == 0, done.stderr
        self.before = snapshot(self.environment / "preprocessed")
        assert any(name.endswith("train.jsonl") for name in self.before)

    def fails(self, code: int, *said: str, arguments: tuple[str, ...] = ("-d", "1"), **values: str) -> None:
        self.failed(run(self.environment, *arguments, **values), code, *said)

    def failed(self, done: subprocess.CompletedProcess[str], code: int, *said: str) -> None:
        assert done.returncode == code, (done.returncode, done.stderr)
        assert done.stdout == ""
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.endswith("\n") and "Traceback" not in done.stderr
        for words in said:
            assert words in done.stderr, (words, done.stderr)
        assert snapshot(self.environment / "preprocessed") == self.before

    def parameters(self, text: str | bytes | None = None, **values: object) -> None:
        path = self.raw / "parameters.json"
        if text is None:
            known = {"model": "gpt2", "preprocessor_data": {"DiscordChatExporter": {"username": "rowan"}}}
            text = json.dumps({key: value for key, value in {**known, **values}.items() if value is not None})
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.fixture(scope="module")
def preprocessed(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """One chat of the sample, preprocessed once for all tests."""
    folder = tmp_path_factory.mktemp("preprocessed")
    stages = ("raw", "preprocessed", "results")
    (folder / ".env").write_text("".join(f"selfChatBot_{stage}={stage}\n" for stage in stages), encoding="utf-8")
    case = Case(folder)
    case.format.mkdir(parents=True)
    shutil.copy(SAMPLE / "DiscordChatExporter" / CHAT, case.chat)
    case.parameters()
    case.preprocess()
    return case


@pytest.fixture
def case(preprocessed: Case, tmp_path: Path) -> Case:
    """A copy of it to be damaged."""
    shutil.copytree(preprocessed.environment, tmp_path / "copy")
    case = Case(tmp_path / "copy")
    case.before = preprocessed.before
    return case


def test_the_undamaged_case_works_and_gives_the_same_again(case: Case) -> None:
    case.preprocess()
    again = Case(case.environment)
    again.preprocess()
    assert again.before == case.before


# -- usage and environment --------------------------------------------------------------------------------------------


def test_no_dataset_id(case: Case) -> None:
    case.fails(2, "-d/--dataset", "--help", arguments=())
    case.fails(2, "-d/--dataset", arguments=("-d",))
    case.fails(2, "--nothing", arguments=("-d", "1", "--nothing"))


def test_a_wrong_dataset_id_lists_the_datasets(case: Case) -> None:
    (case.environment / "raw" / "Dataset_4_other").mkdir()
    case.fails(2, "Dataset_7_<Name>", NAME, "Dataset_4_other", arguments=("-d", "7"))


def test_two_datasets_with_one_id(case: Case) -> None:
    (case.environment / "raw" / "Dataset_01_copy").mkdir()
    case.fails(2, NAME, "Dataset_01_copy")


@pytest.mark.parametrize("stage", ["raw", "preprocessed", "results"])
def test_a_variable_that_is_not_set(case: Case, stage: str) -> None:
    path = case.environment / ".env"
    path.write_text(path.read_text().replace(f"selfChatBot_{stage}=", "OTHER="))
    case.fails(2, f"selfChatBot_{stage} is not set", ".env")


def test_no_raw_directory(case: Case) -> None:
    case.fails(2, "selfChatBot_raw", "nowhere", selfChatBot_raw="nowhere")


def test_an_env_file_in_another_encoding(case: Case) -> None:
    (case.environment / ".env").write_bytes("selfChatBot_raw=raw".encode("utf-16"))
    case.fails(2, ".env", "UTF-8")


# -- parameters.json --------------------------------------------------------------------------------------------------


def test_no_parameters(case: Case) -> None:
    (case.raw / "parameters.json").unlink()
    case.fails(2, "parameters.json is not there", "README")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n"model": "gpt2"\n"max_length": 512}', "line 3"),
        ('{"model": "gpt2", "model": "gpt3"}', 'Duplicate key "model"'),
        ("[]", "expected an object"),
        ("", "not valid JSON"),
        (b"\xff\xfe{\0}\0", "UTF-8"),
        (b"\x80\x03}q\0", "UTF-8"),
        ('{"model": "gpt2", "model\\nname": 1}', "unknown key"),
    ],
    ids=range(7),
)
def test_broken_parameters(case: Case, text: str | bytes, said: str) -> None:
    case.parameters(text)
    case.fails(2, "parameters.json", said)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"max_lenght": 512}, 'unknown key "max_lenght": did you mean "max_length"?'),
        ({"max_length": 5}, "found 5, expected greater than or equal to 32"),
        ({"max_length": "512"}, 'found "512", expected a valid integer'),
        ({"type_fine_tune": "full"}, "'lora', 'qlora' or 'fine_tune'"),
        ({"validation_fraction": 0.9}, "less than or equal to 0.4"),
        ({"model": None}, 'key "model" is missing'),
        ({"preprocessor_data": {"DiscordChatExporter": {"username": 5}}}, "preprocessor_data.DiscordChatExporter"),
        ({"preprocessor_data": {"DiscordChatExporter": {"user": "x"}}}, 'did you mean "username"?'),
        ({"preprocessor_data": {"DiscordChatExporters": {}}}, 'did you mean "DiscordChatExporter"?'),
        ({"preprocessor_data": {"MySpace": {}}}, "DiscordChatExporter"),
    ],
)
def test_wrong_parameters(case: Case, values: dict[str, object], said: str) -> None:
    case.parameters(**values)
    case.fails(2, "parameters.json", said)


def test_edits_that_broke_the_written_parameters(case: Case) -> None:
    (case.output / "parameters.json").write_text('{"epochs": ')
    case.before = snapshot(case.environment / "preprocessed")
    case.fails(2, str(Path("preprocessed") / NAME / "parameters.json"), "line 1")


# -- the person -------------------------------------------------------------------------------------------------------


def test_an_unknown_user_name_lists_the_authors(case: Case) -> None:
    case.parameters(preprocessor_data={"DiscordChatExporter": {"username": "rowena"}})
    case.fails(2, "preprocessor_data.DiscordChatExporter.username", '"rowena"', "rowan (", "gale.816 (")


def test_too_few_replies_says_how_many(case: Case) -> None:
    text = case.chat.read_text(encoding="utf-8")
    head, *messages = text.split("\n\n\n")
    case.chat.write_text("\n\n\n".join([head, *messages[:9]]) + "\n\n\n", encoding="utf-8")
    case.fails(1, "replies of yours", "at least 20")


def test_no_message_with_text(case: Case) -> None:
    rule = "=" * 62
    case.chat.write_text(f"{rule}\nGuild: g\nChannel: c\n{rule}\n\n{rule}\nExported 0 message(s)\n{rule}\n")
    case.fails(1, "no message with text")


# -- exports ----------------------------------------------------------------------------------------------------------


def test_an_empty_dataset(case: Case) -> None:
    shutil.rmtree(case.format)
    case.fails(1, NAME, "DiscordChatExporter")


def test_an_empty_format_folder(case: Case) -> None:
    case.chat.unlink()
    case.fails(1, str(case.format), ".txt")


def test_an_unknown_format_folder_lists_the_known(case: Case) -> None:
    case.format.rename(case.raw / "Discord exports")
    case.fails(1, "Discord exports", "DiscordChatExporter")


def test_a_link_to_nothing(case: Case) -> None:
    case.chat.unlink()
    case.chat.symlink_to(case.format / "gone.txt")
    case.fails(1, str(case.format))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\0\1\2\3" * 99, "NUL"),
        (b"\x89PNG\r\n\x1a\n", "line 1"),
        ("[1/5/2023 3:04 PM] rowan\nhi".encode("utf-16"), "UTF-16"),
        (b"[1/5/2023 3:04 PM] rowan\nhi\xe9\n", "line 2"),
        (b"my secret diary\n", "no plain text of DiscordChatExporter"),
        (b"[05/01/2023 15:04] rowan\nhi\n", "date_order"),
    ],
    ids=["empty", "binary", "png", "utf-16", "latin-1", "other text", "undecidable dates"],
)
def test_a_file_that_cannot_be_read_is_named(case: Case, content: bytes, said: str) -> None:
    (case.format / "bad one.txt").write_bytes(content)
    if said == "date_order":
        case.chat.unlink()  # which would show the order
        case.fails(2, "bad one.txt", said)
    else:
        case.fails(1, "bad one.txt", said)
    done = run(case.environment, "-d", "1")
    assert "secret" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="names can't hold a line end there")
def test_a_name_with_a_line_end_is_shown_in_one_line(case: Case) -> None:
    (case.environment / "raw" / "Dataset_4_a\nb").mkdir()
    case.fails(2, r"Dataset_4_a\nb", arguments=("-d", "7"))
    (case.format / "bad\none.txt").write_bytes(b"")
    case.fails(1, "bad", "one.txt")


# -- the machine ------------------------------------------------------------------------------------------------------


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


def grow(case: Case, times: int) -> None:
    """A chat that is so many times as long."""
    text = case.chat.read_text(encoding="utf-8")
    start, end = text.index("["), text.rindex("\n\n\n=") + 3
    case.chat.write_text(text[:start] + text[start:end] * times, encoding="utf-8")


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
