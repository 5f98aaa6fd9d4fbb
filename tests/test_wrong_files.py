"""The first stage as a whole: what a wrong file is told, and what a user sees."""

import json
import re
import shutil
import zipfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from chat_folders import START, Line, chat, dataset, discord, error_of, lines_of, outputs, run_with, whatsapp  # noqa: F401
from conftest import Run, one_line_error

from selfchatbot.environment import Dataset

# --- wrong kinds of file ----------------------------------------------------------------------------------------------


def hint(dataset: Dataset, name: str, content: bytes | str, data: dict[str, Any] | None = None) -> str:
    path = dataset.raw / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    message = error_of(dataset, data)
    shutil.rmtree(dataset.raw / Path(name).parts[0])
    return message


def test_hints(dataset: Dataset) -> None:
    assert "looks like Telegram" in hint(dataset, "Slack/messages.html", '<html><div class="page_wrap">Exported Data')
    assert "WhatsApp's database" in hint(dataset, "WhatsApp/msgstore.db.crypt14", b"\x00\x01")
    assert "WhatsApp's database" in hint(dataset, "WhatsApp/ChatStorage.sqlite", b"SQLite format 3\0")
    assert "imessage-exporter" in hint(dataset, "iMessage/chat.db", b"SQLite format 3\0")
    assert "signal-export" in hint(dataset, "Signal/signal-2024-01-02-03-04-05.backup", b"\x00")
    assert "is a database" in hint(dataset, "Slack/x.db", b"SQLite format 3\0")
    package = '[{"ID": 1, "Timestamp": "2024-01-01 10:00:00", "Contents": "SECRET", "Attachments": ""}]'
    message = hint(dataset, "DiscordChatExporter/messages/c123/messages.json", package)
    assert "Discord's own data package" in message
    assert "SECRET" not in message
    csv = "ID,Timestamp,Contents,Attachments\n1,2024-01-01 10:00:00.000000+00:00,SECRET,\n"
    assert "Discord's own data package" in hint(dataset, "DiscordChatExporter/c1/messages.csv", csv)
    assert "looks like DiscordChatExporter" in hint(dataset, "Slack/a.html", '<div class="chatlog__message">')
    assert "Messenger or Instagram" in hint(dataset, "Messenger/inbox/a/message_1.html", "<html>")
    dump = '{"id": "C1", "name": "general", "messages": [{"type": "message", "user": "U1", "ts": "1700000001.000100"}]}'
    assert 'slackdump\'s own format: run "slackdump export"' in hint(dataset, "Slack/C1.json", dump)
    archive = hint(dataset, "Slack/slackdump_20240101_000000/slackdump.sqlite", b"SQLite format 3\0")
    assert 'run "slackdump convert -f export"' in archive
    signal = hint(dataset, "Signal/signal-2024-01-02.backup", b"\x00")
    assert "Export chat history" in signal


def test_export_in_the_folder_of_another_format(dataset: Dataset) -> None:
    path = whatsapp(dataset.raw, "WhatsApp Chat with Moss.txt", chat("Moss", "Rowan"), folder="DiscordChatExporter")
    message = error_of(dataset, {"DiscordChatExporter": {"username": "rowan"}})
    assert message == f"{path} looks like WhatsApp: put it into a folder named WhatsApp"


def test_error_of_a_good_file_is_no_hint(dataset: Dataset) -> None:
    path = dataset.raw / "DiscordChatExporter" / "a.txt"
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfeh\0i\0")
    message = error_of(dataset, {"DiscordChatExporter": {"username": "rowan"}})
    assert message.startswith(str(path))
    assert "UTF-16" in message


def test_files_that_are_not_read_are_named(dataset: Dataset) -> None:
    path = whatsapp(dataset.raw, "WhatsApp Chat with Moss.txt", chat("Moss", "Rowan", exchanges=25))
    (path.parent / "old").mkdir()
    with zipfile.ZipFile(path.parent / "old" / "export.zip", "w") as archive:
        archive.writestr("result.json", json.dumps({"name": "Ana", "type": "personal_chat", "id": 2, "messages": []}))
    for thread in ("ana_1", "moss_2"):
        (path.parent / thread).mkdir()
        (path.parent / thread / "message_1.html").write_text("<html>", encoding="utf-8")
    summary = run_with(dataset, {"WhatsApp": {"username": "Rowan"}})
    told = [warning for warning in summary.warnings if "was not read" in warning]
    assert len(told) == 2
    assert "export.zip/result.json was not read: it looks like Telegram: put it into a folder named Telegram" in told[1]
    assert "message_1.html was not read: it is the HTML of Messenger or Instagram" in told[0]
    assert told[0].endswith("(2 such files)")


# --- as a user runs it ------------------------------------------------------------------------------------------------


def messenger(raw: Path, thread: str, title: str, lines: Iterable[Line], part: int = 1) -> Path:
    """A file of a chat as Messenger's download has it, newest first."""
    path = raw / "Messenger" / "inbox" / thread / f"message_{part}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    start = int((START - datetime(1970, 1, 1)).total_seconds() * 1000)
    messages = [
        {"sender_name": author, "timestamp_ms": start + int(minutes * 60_000), "content": text}
        for minutes, author, text in lines
    ]
    export = {"participants": [{"name": title}, {"name": "Rowan"}], "messages": messages[::-1], "title": title}
    path.write_text(json.dumps(export), encoding="utf-8")
    return path


def test_chats_are_shown_by_name_where_files_have_the_same(dataset: Dataset, run: Run) -> None:
    messenger(dataset.raw, "moss_1", "Moss", chat("Moss", "Rowan"))
    messenger(dataset.raw, "moss_1", "Moss", chat("Moss", "Rowan", day=-9), part=2)
    messenger(dataset.raw, "fern_2", "Fern", chat("Fern", "Rowan", exchanges=9))
    messenger(dataset.raw, "ad_3", "Some Shop", [(0, "Some Shop", "buy now")])
    (dataset.raw / "parameters.json").write_text('{"model": "m"}', encoding="utf-8")
    done = run("preprocess", "-d", "1")
    assert "message_1.json" not in done.stdout
    assert re.search(r"^ *│? *Moss +│ +48 │ +│ 2024-02-21 │ 2024-03-01 │$", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"Fern +│ +18 │", done.stdout)
    assert "Some Shop: no message of yours" in done.stdout


def test_files_are_shown_where_their_names_tell_them_apart(dataset: Dataset, run: Run) -> None:
    whatsapp(dataset.raw, "WhatsApp Chat with Moss.txt", chat("Moss", "Rowan"))
    whatsapp(dataset.raw, "WhatsApp Chat with Fern.txt", chat("Fern", "Rowan"))
    (dataset.raw / "parameters.json").write_text('{"model": "m"}', encoding="utf-8")
    assert "WhatsApp Chat with Moss.txt" in run("preprocess", "-d", "1").stdout


def test_nothing_half_is_left(dataset: Dataset, run: Run) -> None:
    discord(dataset.raw, "moss", chat("moss", exchanges=25))
    run_with(dataset, {"DiscordChatExporter": {"username": "rowan"}})
    before = outputs(dataset)
    (dataset.raw / "DiscordChatExporter" / "zz.txt").write_bytes(b"\0\0")
    line = one_line_error(run("preprocess", "-d", "1"), 1)
    assert "zz.txt" in line
    assert outputs(dataset) == before
    assert sorted(path.name for path in dataset.environment.preprocessed.iterdir()) == ["Dataset_1_Test"]


def test_huge_names_and_unicode(dataset: Dataset) -> None:
    name = "Ünïcode 😀 " + "x" * 120
    discord(dataset.raw, name, chat(name, exchanges=25))
    run_with(dataset, {"DiscordChatExporter": {"username": "rowan"}})
    assert lines_of(dataset)[0]["contact"] == name
