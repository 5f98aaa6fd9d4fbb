"""The first stage as a whole: who I am, folders and keys, overlaps, groups."""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from chat_folders import Line, chat, dataset, discord, error_of, group_of_three, lines_of, run_with, telegram, whatsapp  # noqa: F401
from conftest import Run

from selfchatbot.environment import Dataset

# --- who I am ---------------------------------------------------------------------------------------------------------


def test_me_by_name(dataset: Dataset) -> None:
    discord(dataset.raw, "moss", chat("moss#0001", "rowan#1234", exchanges=20))
    summary = run_with(dataset, {"DiscordChatExporter": {"username": "@Rowan"}}).formats[0]
    assert (summary.me, summary.how) == (["rowan#1234"], "username")


def test_me_as_the_export_says(dataset: Dataset) -> None:
    telegram(dataset.raw, {"Moss": chat("Moss", "Rowan"), "Fern": chat("Fern", "Rowan", day=1)})
    summary = run_with(dataset).formats[0]
    assert (summary.me, summary.how, summary.chats) == (["Rowan"], "export", 2)
    written = json.loads((dataset.preprocessed / "summary.json").read_text(encoding="utf-8"))
    assert written["formats"][0]["me_found"] == "according to the export"


def test_me_is_who_writes_in_every_chat(dataset: Dataset) -> None:
    discord(dataset.raw, "moss", chat("moss", exchanges=12))
    discord(dataset.raw, "fern", chat("fern", day=1))
    discord(dataset.raw, "group", [*chat("moss", day=2), *chat("ivy", day=3)])
    summary = run_with(dataset).formats[0]
    assert (summary.me, summary.how) == (["rowan"], "common")


def test_one_chat_says_nothing(dataset: Dataset) -> None:
    discord(dataset.raw, "moss", [*chat("moss"), (100, "moss", "bye")])
    message = error_of(dataset)
    assert 'parameters.json: key "preprocessor_data.DiscordChatExporter.username"' in message
    assert "there is only one chat; set it to your name; most messages are by: moss (13), rowan (12)" in message


def test_two_in_every_chat_say_nothing(dataset: Dataset) -> None:
    for day, name in enumerate(("moss", "fern")):
        discord(dataset.raw, name, [*chat(name, day=day), (day * 1440 + 30, "bot", "x")])
    message = error_of(dataset)
    assert "2 people write in every chat; set it to your name; " in message
    assert message.endswith("most messages are by: rowan (24), fern (12), moss (12), bot (2)")


def test_unknown_name_lists_ten(dataset: Dataset) -> None:
    lines = [(n + k / 100, f"user{n}", "x") for n in range(15) for k in range(15 - n)]
    discord(dataset.raw, "channel", lines)
    message = error_of(dataset, {"DiscordChatExporter": {"username": "rowan"}})
    assert '"rowan" wrote none of the messages' in message
    assert re.findall(r"user\d+ \(\d+\)", message) == [f"user{n} ({15 - n})" for n in range(10)]


def test_wrong_name_where_the_export_knows_better(dataset: Dataset) -> None:
    telegram(dataset.raw, {"Moss": chat("Moss", "Rowan", exchanges=20)})
    summary = run_with(dataset, {"Telegram": {"username": "rowan.of.discord"}})
    assert (summary.formats[0].me, summary.formats[0].how) == (["Rowan"], "export")
    assert any('"rowan.of.discord" wrote no message' in warning for warning in summary.warnings)


def test_name_known_in_one_export_is_me_in_the_others(dataset: Dataset) -> None:
    telegram(dataset.raw, {"Moss": chat("Moss", "Rowan")}, folder="Telegram/a")
    group = [(0.0, "Ivy", "a"), (1.0, "Fern", "b"), *chat("Fern", "Rowan", day=1)]
    telegram(dataset.raw, {"Group": group}, me=None, folder="Telegram/b")
    summary = run_with(dataset).formats[0]
    assert (summary.me, summary.how, summary.chats) == (["Rowan"], "export", 2)
    assert sum(len(line["messages"]) // 2 for line in lines_of(dataset)) == 24


def test_namesakes(dataset: Dataset) -> None:
    discord(dataset.raw, "a", [*chat("moss", "rowan#0001"), *chat("fern", "rowan#0002", day=1)])
    assert "several authors have this name: rowan#0001, rowan#0002" in error_of(
        dataset, {"DiscordChatExporter": {"username": "rowan"}}
    )
    run_with(dataset, {"DiscordChatExporter": {"username": "rowan#0001", "aliases": ["rowan#0002"]}})


# --- folders and keys -------------------------------------------------------------------------------------------------


def test_names_of_folders_and_keys_without_regard_to_case(dataset: Dataset) -> None:
    discord(dataset.raw, "moss", chat("moss", exchanges=20), folder="discordchatexporter/2024/march")
    assert run_with(dataset, {"DISCORDCHATEXPORTER": {"username": "rowan"}}).formats[0].name == "DiscordChatExporter"


def test_same_format_twice(dataset: Dataset) -> None:
    discord(dataset.raw, "moss", chat("moss"), folder="DiscordChatExporter")
    discord(dataset.raw, "fern", chat("fern"), folder="discordchatexporter")
    if len(list(dataset.raw.iterdir())) == 2:  # a file system without regard to case can't have both
        assert "have the same format" in error_of(dataset, {"DiscordChatExporter": {"username": "rowan"}})
    data = {"DiscordChatExporter": {"username": "rowan"}, "discordchatexporter": {"username": "moss"}}
    assert "appears twice" in error_of(dataset, data)


def test_unknown_folder_and_key_name_the_known(dataset: Dataset) -> None:
    (dataset.raw / "Discrod").mkdir()
    assert "is not a known format: rename it to one of DiscordChatExporter," in error_of(dataset)
    assert 'did you mean "WhatsApp"?' in error_of(dataset, {"WhatsUp": {}})


def test_no_folder_and_empty_folder(dataset: Dataset) -> None:
    assert "has no folder with exports" in error_of(dataset)
    (dataset.raw / "Telegram").mkdir()
    assert "Telegram contains no export (.json or .html)" in error_of(dataset)


def test_too_few_replies(dataset: Dataset) -> None:
    discord(dataset.raw, "moss", chat("moss", exchanges=19))
    assert "only 19 replies of yours" in error_of(dataset, {"DiscordChatExporter": {"username": "rowan"}})


# --- across formats ---------------------------------------------------------------------------------------------------


def test_three_apps_and_one_friend(dataset: Dataset, run: Run) -> None:
    discord(dataset.raw, "ana.92", chat("ana.92#0001"))
    discord(dataset.raw, "fern", chat("fern", day=1))
    telegram(dataset.raw, {"Ana": chat("Ana María", "Rowan", day=2)})
    whatsapp(dataset.raw, "WhatsApp Chat with Ana.txt", chat("+49 30 901820", "Rowan B", day=3))
    whatsapp(dataset.raw, "WhatsApp Chat with Ivy.txt", chat("Ivy", "Rowan B", day=4))
    contacts = {"Ana": ["ana.92", "Ana María", "+49 30 901820"]}
    summary = run_with(dataset, {}, contacts=contacts)
    found = {(line["contact"], line["format"], line["chat"]) for line in lines_of(dataset)}
    assert {pair[:2] for pair in found if pair[0] == "Ana"} == {
        ("Ana", "DiscordChatExporter"),
        ("Ana", "Telegram"),
        ("Ana", "WhatsApp"),
    }
    assert {pair[0] for pair in found} == {"Ana", "fern", "Ivy"}
    assert summary.contacts()["Ana"] == {"DiscordChatExporter": 12, "Telegram": 12, "WhatsApp": 12}
    assert [(one.name, one.me, one.how) for one in summary.formats] == [
        ("DiscordChatExporter", ["rowan"], "common"),
        ("Telegram", ["Rowan"], "export"),
        ("WhatsApp", ["Rowan B"], "export"),
    ]
    done = run("preprocess", "-d", "1")
    assert done.returncode == 0, done.stderr
    assert "Who you reply to, in all apps" in done.stdout
    assert "you are rowan: the only one who writes in every chat" in done.stdout
    assert "you are Rowan B: according to the export" in done.stdout


def test_contact_with_a_name_of_another(dataset: Dataset) -> None:
    discord(dataset.raw, "moss", chat("moss", exchanges=20))
    message = error_of(
        dataset, {"DiscordChatExporter": {"username": "rowan"}}, contacts={"Ana": ["moss"], "Bob": ["@Moss"]}
    )
    assert 'key "contacts": "moss" is a name of Ana and of Bob' in message


def test_every_line_of_the_example_that_is_trained_has_a_mark(dataset: Dataset, run: Run) -> None:
    words = " ".join(f"word{number}" for number in range(60))
    discord(dataset.raw, "moss", chat("moss", exchanges=20, word=words))
    parameters = {"model": "gpt2", "preprocessor_data": {"DiscordChatExporter": {"username": "rowan"}}}
    (dataset.raw / "parameters.json").write_text(json.dumps(parameters), encoding="utf-8")
    lines = run("preprocess", "-d", "1").stdout.partition("Part of a conversation")[2].split("\n")
    mine = None
    marks = {True: 0, False: 0}
    for line in lines:
        label = line[2:9]
        if label in ("you  > ", "them   "):
            mine = label == "you  > "
        elif line.startswith("│ ") and mine is not None:
            assert label == ("     > " if mine else "       ")
            marks[mine] += 1
    assert min(marks.values()) > 10


def test_many_replies_are_worth_training_all_weights(dataset: Dataset, run: Run, made_base: Path) -> None:
    discord(dataset.raw, "moss", chat("moss", exchanges=2500))
    parameters = {"model": str(made_base), "preprocessor_data": {"DiscordChatExporter": {"username": "rowan"}}}
    (dataset.raw / "parameters.json").write_text(json.dumps(parameters), encoding="utf-8")
    edited = dataset.preprocessed / "parameters.json"
    assert run("preprocess", "-d", "1").returncode == 0
    assert f"GiB here: edit {edited}\n" in run("train", "-d", "1", "-n").stderr
    edited.write_text(edited.read_text(encoding="utf-8").replace('"lora"', '"fine_tune"'), encoding="utf-8")
    assert "GiB here" not in run("train", "-d", "1", "-n").stderr


def test_messages_in_two_exports_count_once(dataset: Dataset) -> None:
    lines = chat("Moss", "Rowan", exchanges=30)
    lines[10:10] = [(9.5, "Rowan", "ok"), (9.5, "Rowan", "ok")]  # twice is twice, within one export
    once = [(minutes, author, text) for minutes, author, text in lines]
    whatsapp(dataset.raw, "WhatsApp Chat with Moss.txt", once[:40], folder="WhatsApp/old")
    whatsapp(dataset.raw, "WhatsApp Chat with Ivy.txt", chat("Ivy", "Rowan", day=3), folder="WhatsApp/other")
    whatsapp(dataset.raw, "WhatsApp Chat with Moss.txt", once[5:], folder="WhatsApp/young")
    summary = run_with(dataset)
    assert summary.formats[0].duplicates == 35
    assert summary.formats[0].senders["Rowan"] == sum(author == "Rowan" for _, author, _ in once) + 12
    said = [turn["content"] for line in lines_of(dataset) for turn in line["messages"] if "Moss" in line["chat"]]
    words = [text for content in said for text in content.split("\n")]
    assert words == [text for _, author, text in once]
    assert any("35 messages are in another export of the chat too" in warning for warning in summary.warnings)


@pytest.mark.parametrize("folders", [("ChatExport_1", "ChatExport_2"), ("ChatExport_2", "ChatExport_1")])
def test_a_message_edited_between_two_exports_keeps_its_last_wording(
    dataset: Dataset, folders: tuple[str, str]
) -> None:
    """Whichever of them is read first, and where the message was answered in between."""
    lines = [line for line in chat("Moss", "Rowan", exchanges=30) if line[2] != "text 4 of Moss?"]
    for folder, until, sent, edited in ((folders[0], 40, "tonight at 7", 0), (folders[1], 60, "tonight at 8", 1)):
        both = sorted([*lines[:until], (8, "Moss", sent)])
        path = telegram(dataset.raw, {"Moss": both}, folder=f"Telegram/{folder}")
        account = json.loads(path.read_text(encoding="utf-8"))
        changed = next(one for one in account["chats"]["list"][0]["messages"] if one["text"] == sent)
        if edited:
            changed |= {"edited": "2024-03-01T18:00:00", "edited_unixtime": "1709316000"}
        path.write_text(json.dumps(account), encoding="utf-8")
    summary = run_with(dataset)
    assert summary.formats[0].duplicates == 41
    said = [turn["content"] for line in lines_of(dataset) for turn in line["messages"]]
    assert [text for text in said if "tonight" in text] == ["tonight at 8"]
    assert len(said) == 60


def test_zip_beside_its_own_content(dataset: Dataset) -> None:
    path = whatsapp(dataset.raw, "WhatsApp Chat with Moss.txt", chat("Moss", "Rowan", exchanges=25))
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
        archive.write(path, path.name)
    summary = run_with(dataset, {"WhatsApp": {"username": "Rowan"}})
    assert (summary.formats[0].duplicates, summary.formats[0].senders["Rowan"]) == (50, 25)


# --- groups -----------------------------------------------------------------------------------------------------------


def test_groups_name_the_speakers(dataset: Dataset) -> None:
    discord(dataset.raw, "friends", group_of_three())
    run_with(dataset, {"DiscordChatExporter": {"username": "rowan"}}, contacts={"Fernanda": ["fern"]})
    line = lines_of(dataset)[0]
    assert line["messages"][0] == {"role": "user", "content": "moss: m0\nFernanda: f0"}
    assert line["contact"] == line["chat"]


def test_groups_left_out(dataset: Dataset) -> None:
    discord(dataset.raw, "friends", group_of_three())
    discord(dataset.raw, "moss", chat("moss", day=1, exchanges=22))
    summary = run_with(dataset, {"DiscordChatExporter": {"username": "rowan", "group_chats": "exclude"}})
    assert summary.formats[0].excluded_groups == 1
    assert {line["contact"] for line in lines_of(dataset)} == {"moss"}
    assert "fern" not in summary.formats[0].senders
    assert not any("no message of yours" in warning for warning in summary.warnings)


def test_reply_is_put_into_its_context(dataset: Dataset) -> None:
    lines: list[tuple[Any, ...]] = [(0, "Moss", "who brings the cake?", 1)]
    lines += [(10 + n, ("Fern", "Ivy")[n % 2], f"noise {n}", 10 + n) for n in range(30)]
    lines += [(41, "Rowan", "me!", 50, 1)]
    chats = {"Group": lines, "Ivy": [(*line, 1000 + n) for n, line in enumerate(chat("Ivy", "Rowan", exchanges=25))]}
    telegram(dataset.raw, chats)
    run_with(dataset, context_turns=2)
    (line,) = (line for line in lines_of(dataset) if line["chat"] == "Group")
    assert line["messages"] == [
        {"role": "user", "content": "Ivy: noise 29\nMoss: who brings the cake?"},
        {"role": "assistant", "content": "me!"},
    ]
