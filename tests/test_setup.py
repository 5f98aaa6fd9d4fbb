"""From files to a dataset: formats told by content, questions and options, near misses."""

import os
import select
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, SAMPLE, Run, one_line_error
from script_runner import start_script

from selfchatbot.errors import ExportError, UsageError
from selfchatbot.parameters import RawParameters, read_parameters
from selfchatbot.preprocessors.names import closest_name
from selfchatbot.setup.dataset import folder_name
from selfchatbot.setup.exports import find_exports

FIXTURES = ROOT / "tests" / "preprocessors"
DISCORD = SAMPLE / "DiscordChatExporter"
FORMATS = {
    "chatlab": {"ChatLab", "WeChat", "QQ"},
    "discordchatexporter": {"DiscordChatExporter"},
    "googlechat": {"GoogleChat"},
    "imessage": {"iMessage"},
    "irc": {"IRC"},
    "jsonl": {"JSONL"},
    "kakaotalk": {"KakaoTalk"},
    "line": {"LINE"},
    "mail": {"Email"},
    "messenger": {"Messenger", "Instagram"},
    "signal": {"Signal"},
    "skype": {"Skype"},
    "slack": {"Slack"},
    "slack_dump": {"Slack"},
    "sms": {"SMS"},
    "snapchat": {"Snapchat"},
    "telegram": {"Telegram"},
    "telegram_html": {"Telegram"},
    "whatsapp": {"WhatsApp"},
    "whatsapp_json": {"WhatsApp"},
    "x": {"X"},
}


@pytest.mark.parametrize("folder", FORMATS)
def test_every_export_of_the_fixtures_is_recognised_as_what_it_is(folder: str) -> None:
    assert {export.format for export in find_exports([FIXTURES / folder])} == FORMATS[folder]


def test_a_folder_of_downloads_is_sorted_and_its_other_files_stay_out(tmp_path: Path) -> None:
    downloads = tmp_path / "Downloads"
    (downloads / "project" / ".git").mkdir(parents=True)
    (downloads / "project" / "package.json").write_text('{"name": "x"}')
    (downloads / "readme.txt").write_text("Thanks for downloading\n")
    shutil.copytree(FIXTURES / "slack" / "german", downloads / "Acme")
    with zipfile.ZipFile(downloads / "chat.zip", "w") as archive:
        archive.write(next(DISCORD.glob("*.txt")), "chats/one.txt")
        archive.writestr("notes.txt", "milk")
    (downloads / "broken.zip").write_bytes(b"PK no zip")
    found = {(export.format, export.place.as_posix()) for export in find_exports([downloads])}
    assert ("DiscordChatExporter", "Downloads/chat.zip") in found
    assert ("Slack", "Downloads/Acme/channels.json") in found  # names its members and channels, no chat
    assert {name for name, _ in found} == {"DiscordChatExporter", "Slack"}


def test_what_is_no_export_is_named_with_what_to_do(tmp_path: Path) -> None:
    database = tmp_path / "msgstore.db.crypt15"
    database.write_bytes(b"x")
    with pytest.raises(ExportError, match="Export chat"):
        find_exports([database])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ExportError, match="empty has no export"):
        find_exports([tmp_path / "empty"])
    with pytest.raises(UsageError, match="is not there"):
        find_exports([tmp_path / "nothing"])


def test_files_become_a_dataset_without_a_terminal(tmp_path: Path, run: Run, environment: Path) -> None:
    (environment / ".env").unlink()
    files = sorted(str(path) for path in DISCORD.glob("*.txt"))
    before = {path: Path(path).read_bytes() for path in files}
    options = ("--model", "SmolLM2-135M-Instruct", "--yes")
    error = one_line_error(run("preprocess", files[0], "--name", "Rowan: me", *options), 2)
    assert "who are you in Discord?" in error and "rowan (" in error
    assert 'did you mean "rowan"' in one_line_error(run("preprocess", files[0], "--me", "Rown", *options), 2)
    assert not list((environment / "selfChatBot_raw").iterdir())
    done = run("preprocess", files[0], "--name", "Rowan: me", "--me", "@Rowan", *options)
    assert done.returncode == 0, done.stderr
    assert "Next: selfChatBot_train -d 1\n" in done.stdout
    raw = environment / "selfChatBot_raw" / "Dataset_1_Rowan- me"
    parameters = read_parameters(raw / "parameters.json", RawParameters)
    assert parameters.preprocessor_data == {"DiscordChatExporter": {"username": "rowan"}}
    assert "is there already: add the files to it with -d 1" in one_line_error(
        run("preprocess", files[1], "--name", "Rowan: me", *options), 2
    )
    # More files for the same dataset; a second time they are known.
    for new in (1, 0):
        done = run("preprocess", "-d", "1", files[0], files[1])
        assert f"{new} new file(s)" in done.stdout, done.stderr
    assert len(list((raw / "DiscordChatExporter").iterdir())) == 2
    assert {path: Path(path).read_bytes() for path in files} == before
    done = run("preprocess", files[2], "--name", "other", "--me", "rowan", *options)
    assert "selfChatBot_train -d 2\n" in done.stdout


def test_files_of_the_same_name_keep_it(run: Run, environment: Path, tmp_path: Path) -> None:
    for number, source in enumerate(sorted(DISCORD.glob("*.txt"))[:2]):
        (tmp_path / str(number)).mkdir()
        shutil.copy(source, tmp_path / str(number) / "chat.txt")
    arguments = ("--name", "x", "--me", "rowan", "--model", "SmolLM2-135M-Instruct", "--yes")
    done = run("preprocess", str(tmp_path / "0" / "chat.txt"), str(tmp_path / "1" / "chat.txt"), *arguments)
    assert done.returncode == 0, done.stderr
    folder = environment / "raw" / "Dataset_1_x" / "DiscordChatExporter"
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.txt"))
    assert found == ["2/chat.txt", "chat.txt"]


def test_without_a_terminal_an_open_question_names_its_option(run: Run, environment: Path) -> None:
    assert "--name" in one_line_error(run("preprocess", str(DISCORD)), 2)
    assert "give the files" in one_line_error(run("preprocess"), 2)
    assert "--model" in one_line_error(run("preprocess", str(DISCORD), "-d", "1", "--model", "x"), 2)
    assert "--me needs the files" in one_line_error(run("preprocess", "-d", "1", "--me", "x"), 2)


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of POSIX")
def test_at_a_terminal_only_what_is_not_known_is_asked(environment: Path) -> None:
    screen = at_terminal(environment, "Rowan\nSmolLM2-135M-Instruct\nnobody\n2\n", str(next(DISCORD.glob("*.txt"))))
    assert "What is the dataset's name" in screen
    assert "Models that this machine can train" in screen
    assert "nobody there has this name" in screen
    assert "Next: selfChatBot_train -d 1" in screen
    data = read_parameters(environment / "raw" / "Dataset_1_Rowan" / "parameters.json", RawParameters).preprocessor_data
    assert data["DiscordChatExporter"]["username"] in screen.split("Who are you")[1].split("2  ")[1].split("\n")[0]


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of POSIX")
def test_leaving_at_a_question_leaves_nothing(environment: Path) -> None:
    screen = at_terminal(environment, "Rowan\n1\n\x04", str(next(DISCORD.glob("*.txt"))))
    assert "stopped; your files are where they were" in screen
    assert not list((environment / "raw").iterdir())


def at_terminal(folder: Path, typed: str, *arguments: str) -> str:
    """What appears at a pseudo-terminal where ``typed`` is typed ahead."""
    import pty

    ours, theirs = pty.openpty()
    variables = {**os.environ, "TERM": "dumb", "COLUMNS": "100"}
    screen = b""
    with start_script(
        "preprocess", arguments, folder=folder, variables=variables, terminal=os.ttyname(theirs)
    ) as process:
        os.write(ours, typed.encode())
        while process.process.is_alive() or select.select([ours], [], [], 0)[0]:
            if select.select([ours], [], [], 0.05)[0]:
                screen += os.read(ours, 65536)
    os.close(theirs)
    os.close(ours)
    return screen.decode(errors="replace").replace("\r\n", "\n")


def test_folders_and_files_that_are_almost_right(run: Run, environment: Path) -> None:
    raw = environment / "raw"
    folder = raw / "Dataset_Mia"
    folder.mkdir()
    assert "rename Dataset_Mia to Dataset_1_Mia" in one_line_error(run("preprocess", "-d", "1"), 2)
    folder = folder.rename(raw / "dataset_1_mia")
    assert "rename dataset_1_mia to Dataset_1_mia" in one_line_error(run("preprocess", "-d", "1"), 2)
    folder = folder.rename(raw / "Dataset_1_mia")
    (folder / "parameters.json.txt").write_text('{"model": "llama3.2:3b"}', encoding="utf-8")
    assert "rename parameters.json.txt" in one_line_error(run("preprocess", "-d", "1"), 2)
    parameters = (folder / "parameters.json.txt").rename(folder / "parameters.json")
    assert "meta-llama/Llama-3.2-3B-Instruct" in one_line_error(run("preprocess", "-d", "1"), 2)
    parameters.write_text("{\n  “model”: “gpt2”\n}", encoding="utf-8")
    assert "line 2 has curly quotes" in one_line_error(run("preprocess", "-d", "1"), 2)
    parameters.write_text('{"model": "it’s", "preprocessor_data": {"Telegram": "mia.kx"}}', encoding="utf-8")
    assert 'write {"username": "mia.kx"}' in one_line_error(run("preprocess", "-d", "1"), 2)
    parameters.write_text('{"model": "gpt2"}', encoding="utf-8")
    chat = next(DISCORD.glob("*.txt"))
    shutil.copy(chat, folder)
    assert "put it into a folder named DiscordChatExporter" in one_line_error(run("preprocess", "-d", "1"), 1)
    (folder / "Discord").mkdir()
    (folder / chat.name).rename(folder / "Discord" / chat.name)
    assert "rename it to DiscordChatExporter" in one_line_error(run("preprocess", "-d", "1"), 1)


@pytest.mark.parametrize(
    ("given", "meant"), [("Mia", "Mia K."), ("mia k", "Mia K."), ("Miaa K", "Mia K."), ("Zoë", None), ("", None)]
)
def test_the_name_that_was_probably_meant(given: str, meant: str | None) -> None:
    assert closest_name(given, ["Tom", "Mila", "Mia K."]) == meant


def test_names_that_folders_can_have() -> None:
    assert folder_name('../a\\b:c<d>e"f|g?h*i.') == "a-b-c-d-e-f-g-h-i"
    assert folder_name(" .. ") == ""
    assert folder_name("Zoë\u202egnp\udcff") == "Zoë-u202egnp-udcff"
    assert folder_name("高" * 200) == "高" * 53  # with "Dataset_1_" and what writes it, at most 255 bytes


def test_what_is_no_path_or_no_text_is_said(environment: Path, run: Run) -> None:
    (chat,) = sorted(DISCORD.glob("*.txt"))[:1]
    for name, said in (("~nobody-at-all/chat.txt", "is not there"), ("a" * 300, "File name too long")):
        assert said in one_line_error(run("preprocess", name), 1 if name.startswith("a") else 2)
    for option in ("--name", "--me", "--model"):
        assert "is not UTF-8 text" in one_line_error(run("preprocess", str(chat), option, "\udcff\udcfe"), 2)
    evil = environment / "a\x1b[2J.txt"
    shutil.copyfile(chat, evil)
    answers = ("--name", "Zoë", "--me", "rowan", "--yes", "--model")
    assert "has a control character" in one_line_error(run("preprocess", str(evil), *answers, "m"), 1)
    assert list((environment / "raw").iterdir()) == []
    (environment / "folder").mkdir()
    for model, said in (
        ("m" * 300, "is neither on this machine"),
        ("folder", "config.json"),
        (str(chat), "no .gguf"),
    ):
        done = run("preprocess", str(chat), *answers, model)
        assert done.returncode == 0 and said in done.stdout.replace("\n", " "), done.stderr
        for made in (environment / "raw").iterdir():
            shutil.rmtree(made)


KILLED = """
import os, signal, sys

where = sys.argv.pop(1)

def kill(event, arguments):
    if event == "open" and ".partial-" in str(arguments[0]) and where in str(arguments[0]):
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(kill)
from selfchatbot.cli import scripts
sys.exit(scripts.preprocess())
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_copies_of_a_killed_setup_are_removed_by_the_next(tmp_path: Path) -> None:
    chats = sorted(DISCORD.glob("*.txt"))[:2]
    answers = ("--name", "Zoë", "--me", "rowan", "--yes", "--model", "m")

    def setup(*arguments: str, killed_at: str = "nowhere") -> int:
        command = [sys.executable, "-c", KILLED, killed_at, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode

    assert setup(str(chats[0]), *answers, killed_at=".env") == -signal.SIGKILL
    assert setup(str(chats[0]), *answers, killed_at="/parameters.json") == -signal.SIGKILL
    assert setup(str(chats[0]), *answers) == 0
    assert setup(str(chats[1]), "-d", "1", killed_at=chats[1].name) == -signal.SIGKILL
    assert setup(str(chats[1]), "-d", "1") == 0
    assert not list((tmp_path / "selfChatBot_raw").rglob(".*"))
