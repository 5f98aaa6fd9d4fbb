"""Telegram: every export in telegram/ gives what the .json beside it says, and so does what hypothesis writes."""

import json
from pathlib import Path

import pytest

from selfchatbot.errors import ParametersError
from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.base import ExportFile
from selfchatbot.preprocessors.telegram import Telegram

EXPORTS = Path(__file__).parent / "telegram"
CHAT = EXPORTS / "chat" / "result.json"

Seen = list[str | None]


def read(path: Path) -> tuple[list[Seen], list[ExportFile]]:
    files: list[ExportFile] = []
    messages = Telegram().read(path, files)
    return [
        [one.chat, one.timestamp.isoformat(), one.author, one.content, one.id, one.reply_to] for one in messages
    ], files


@pytest.mark.parametrize("case", sorted(path.stem for path in EXPORTS.glob("*.json")))
def test_exports_give_what_was_typed(case: str) -> None:
    expected = json.loads((EXPORTS / f"{case}.json").read_text(encoding="utf-8"))
    messages, files = read(EXPORTS / case)
    assert messages == expected["messages"]
    assert [[one.path.name, one.chat, one.messages, one.me, one.group, len(one.notes)] for one in files] == expected[
        "files"
    ]


def test_it_is_registered_and_recognises_its_own() -> None:
    assert Preprocessors["telegram"] is Telegram
    for path in EXPORTS.glob("*/result.json"):
        assert Telegram.recognises(path, path.read_bytes()[:65536]), path
    assert not Telegram.recognises(CHAT, b'{"guild": {"id": "0"}, "channel": {"type": "DirectTextChat"}}')


def test_i_am_known_before_my_first_message_but_not_guessed(tmp_path: Path) -> None:
    files: list[ExportFile] = []
    next(Telegram().read(CHAT, files))
    assert [file.me for file in files] == ["Lena K."]
    export = json.loads(CHAT.read_bytes().replace(rb"\x0B", b""))
    for change in ({"id": 1}, {"type": "private_group"}):  # an id that is nobody's; a group
        (tmp_path / "result.json").write_text(json.dumps({**export, **change}), encoding="utf-8")
        assert [file.me for file in read(tmp_path)[1]] == [None]


def test_saved_messages_tell_who_i_am_where_the_account_does_not(tmp_path: Path) -> None:
    account = json.loads((EXPORTS / "account" / "result.json").read_text(encoding="utf-8"))
    del account["personal_information"]
    account["chats"]["list"].insert(0, account["chats"]["list"].pop(1))
    (tmp_path / "result.json").write_text(json.dumps(account), encoding="utf-8")
    messages, files = read(tmp_path)
    assert {file.me for file in files} == {"Ana Gómez"}
    assert "leche" not in str(messages)


def test_exports_of_one_chat_follow_one_another_in_time(tmp_path: Path) -> None:
    export = json.loads(CHAT.read_bytes().replace(rb"\x0B", b""))
    other = {**export, "id": 1, "name": "Ann", "messages": export["messages"][:2]}
    late = {**export, "messages": [{**export["messages"][1], "date": "2024-01-01T00:00:00"}]}
    for folder, chat in (("ChatExport_1", late), ("ChatExport_2", other), ("ChatExport_3", export)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "result.json").write_text(json.dumps(chat), encoding="utf-8")
    chats = [message[0] for message in read(tmp_path)[0]]
    assert chats == ["Ann", *["Мария Иванова"] * 5]
    times = [message[1] or "" for message in read(tmp_path)[0]][1:]
    assert times == sorted(times)


def namesakes(*senders: int, **more: object) -> str:
    """A chat with several accounts called Alex."""
    messages = [
        {
            "id": n,
            "type": "message",
            "date": f"2024-01-01T00:00:0{n}",
            "from": "Alex",
            "from_id": f"user{n}",
            "text": "x",
        }
        for n in senders
    ]
    return json.dumps({"name": "Alex", "type": "private_group", "id": 1, "messages": messages, **more})


@pytest.mark.parametrize(
    ("username", "mine"),
    [
        ("Alex", ["Alex (user2)"]),
        ("user1", ["Alex"]),
        ("Alex (user1)", ["Alex"]),
        ("Alex (user2)", ["Alex (user2)"]),
        ("Alex (user3)", []),
    ],
)
def test_of_namesakes_i_am_who_the_export_says_or_whose_id_i_give(
    tmp_path: Path, username: str, mine: list[str]
) -> None:
    (tmp_path / "result.json").write_text(namesakes(1, 2, type="personal_chat"), encoding="utf-8")
    telegram = Telegram(username=username)
    authors = [one.author for one in telegram.read(tmp_path, [])]
    assert authors == ["Alex", "Alex (user2)"]
    assert [author for author in authors if telegram.is_me(author)] == mine


def test_namesakes_of_whom_the_export_says_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(namesakes(1, 2), encoding="utf-8")
    telegram = Telegram(username="Alex")
    with pytest.raises(
        ParametersError, match=r'called "Alex": write yours with its id: Alex \(user1\), Alex \(user2\)'
    ):
        for message in telegram.read(tmp_path):
            telegram.is_me(message.author)


# Written by hand after export_output_json.cpp: no code in common with the parser.
