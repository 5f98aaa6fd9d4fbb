"""The first stage as a whole: who I am, contacts, overlaps, what is left out, and what a wrong file is told."""

import json
import random
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Run, one_line_error

from selfchatbot.conversations.stage import preprocess
from selfchatbot.conversations.summary import Summary
from selfchatbot.environment import Dataset, Environment
from selfchatbot.errors import SelfChatBotError
from selfchatbot.session.contacts import contact_names
from selfchatbot.session.typing_pace import Pace, learned_pace

START = datetime(2024, 3, 1, 12)
RULE = "=" * 62
Line = tuple[float, str, str]
"""Minutes after the start, author, text."""


def discord(raw: Path, chat: str, lines: Iterable[Line], folder: str = "DiscordChatExporter") -> Path:
    """One channel as DiscordChatExporter writes it."""
    path = raw / folder / f"Direct Messages - {chat} [{zlib.crc32(chat.encode())}].txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f"{RULE}\nGuild: Direct Messages\nChannel: {chat}\n{RULE}\n\n"
    count = 0
    for minutes, author, content in lines:
        time = START + timedelta(minutes=minutes)
        text += f"[{time.month}/{time.day}/{time.year} {time:%I:%M %p}] {author}\n{content}\n\n\n"
        count += 1
    path.write_text(f"{text}{RULE}\nExported {count} message(s)\n{RULE}\n", encoding="utf-8")
    return path


def whatsapp(raw: Path, name: str, lines: Iterable[Line], folder: str = "WhatsApp") -> Path:
    """One chat as an iPhone exports it."""
    path = raw / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    times = ((START + timedelta(minutes=minutes), author, text) for minutes, author, text in lines)
    path.write_text("".join(f"[{time:%d.%m.%y, %H:%M:%S}] {a}: {text}\n" for time, a, text in times), encoding="utf-8")
    return path


def telegram(
    raw: Path, chats: dict[str, list[tuple[Any, ...]]], me: str | None = "Rowan", folder: str = "Telegram"
) -> Path:
    """A whole account as Telegram Desktop exports it; a line may have an id and the id that it answers."""
    people: dict[str, int] = {me or "Rowan": 1}
    listed = []
    for number, (name, lines) in enumerate(chats.items(), 100):
        messages = []
        for index, (minutes, author, text, *ids) in enumerate(lines):
            time = START + timedelta(minutes=minutes)
            user = people.setdefault(author, len(people) + 1)
            record = {"id": ids[0] if ids else number * 10_000 + index, "type": "message", "date": time.isoformat()}
            record |= {"date_unixtime": str(int((time - datetime(1970, 1, 1)).total_seconds()))}
            record |= {"from": author, "from_id": f"user{user}", "text": text, "text_entities": []}
            if len(ids) > 1:
                record["reply_to_message_id"] = ids[1]
            messages.append(record)
        group = len({author for _, author, *_ in lines}) > 2
        kind = "private_group" if group else "personal_chat"
        partner = next((people[author] for _, author, *_ in lines if author != me), number)
        listed.append({"name": name, "type": kind, "id": number if group else partner, "messages": messages})
    export: dict[str, Any] = {"about": "x", "chats": {"about": "x", "list": listed}}
    if me is not None:
        export = {"personal_information": {"user_id": 1, "first_name": me, "last_name": ""}, **export}
    path = raw / folder / "result.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(export, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


def chat(other: str, me: str = "rowan", day: float = 0, exchanges: int = 12, word: str = "text") -> list[Line]:
    """A talk, two minutes for an exchange."""
    lines = []
    for number in range(exchanges):
        minutes = day * 1440 + 2 * number
        lines += [(minutes, other, f"{word} {number} of {other}?"), (minutes + 1, me, f"{word} {number} of mine")]
    return lines


@pytest.fixture
def dataset(environment: Path) -> Dataset:
    found = Dataset(
        "1", "Dataset_1_Test", Environment(*(environment / stage for stage in ("raw", "preprocessed", "results")))
    )
    found.raw.mkdir()
    found.environment.preprocessed.mkdir()
    return found


def run_with(dataset: Dataset, preprocessor_data: dict[str, Any] | None = None, **parameters: Any) -> Summary:
    values = {"model": "m", "preprocessor_data": preprocessor_data or {}, **parameters}
    (dataset.raw / "parameters.json").write_text(json.dumps(values), encoding="utf-8")
    return preprocess(dataset)


def lines_of(dataset: Dataset) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for name in ("train", "validation", "test")
        for line in (dataset.preprocessed / f"{name}.jsonl").read_text(encoding="utf-8").split("\n")
        if line
    ]


def error_of(dataset: Dataset, preprocessor_data: dict[str, Any] | None = None, **parameters: Any) -> str:
    """The one line a user gets; nothing is written then."""
    with pytest.raises(SelfChatBotError) as caught:
        run_with(dataset, preprocessor_data, **parameters)
    message = str(caught.value)
    assert "\n" not in message
    assert not dataset.preprocessed.exists()
    assert list(dataset.environment.preprocessed.iterdir()) == []
    return message


def outputs(dataset: Dataset) -> bytes:
    """Everything that was written, hidden files as well."""
    return b"".join(path.read_bytes() for path in dataset.preprocessed.rglob("*") if path.is_file())


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


def group_of_three() -> list[Line]:
    lines: list[Line] = []
    for number in range(25):
        lines += [
            (number * 3, "moss", f"m{number}"),
            (number * 3 + 1, "fern", f"f{number}"),
            (number * 3 + 2, "rowan", "r"),
        ]
    return lines


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


# --- typing pace ------------------------------------------------------------------------------------------------------


def typed(exchanges: int, me: str = "Rowan") -> list[Line]:
    """Bursts of three messages of mine, typed with a pause of 2 s and 0.25 s per character."""
    rng = random.Random(0)
    lines: list[Line] = []
    minutes = 0.0
    for _ in range(exchanges):
        minutes += 90 + rng.random()
        lines.append((minutes, "Moss", "hm?"))
        for index in range(3):
            text = "x" * rng.randint(5, 45)
            minutes += (2 + 0.25 * len(text)) / 60 if index else 1
            lines.append((minutes, me, text))
    return lines


def pace_of(dataset: Dataset) -> Any:
    return json.loads((dataset.preprocessed / "summary.json").read_text(encoding="utf-8"))["pace"]


@pytest.mark.parametrize("to_the_minute", [False, True])
def test_my_typing_pace_is_in_the_summary(dataset: Dataset, to_the_minute: bool) -> None:
    lines = typed(6000 if to_the_minute else 300)
    if to_the_minute:
        discord(dataset.raw, "Moss", lines)
    else:
        whatsapp(dataset.raw, "WhatsApp Chat with Moss.txt", lines)
    name = "DiscordChatExporter" if to_the_minute else "WhatsApp"
    run_with(dataset, {name: {"username": "Rowan"}})
    pace = pace_of(dataset)
    assert pace["pause"] == pytest.approx(2, abs=1 if to_the_minute else 0.6)  # to the second: half of one is lost
    assert pace["seconds_per_character"] == pytest.approx(0.25, abs=0.05 if to_the_minute else 0.01)
    assert learned_pace(dataset) == Pace(pace["pause"], pace["seconds_per_character"])


def test_excluded_messages_and_copies_say_nothing_about_my_pace(dataset: Dataset) -> None:
    whatsapp(dataset.raw, "WhatsApp Chat with Moss.txt", typed(200), folder="WhatsApp/a")
    run_with(dataset, {"WhatsApp": {"username": "Rowan"}})
    alone = pace_of(dataset)
    whatsapp(dataset.raw, "WhatsApp Chat with Moss.txt", typed(200)[:300], folder="WhatsApp/b")
    slow = [(50_000 + n * 1.5, "Ivy" if n == 0 else "Rowan", "x" * (n % 9 + 1)) for n in range(300)]
    whatsapp(dataset.raw, "WhatsApp Chat with Ivy.txt", slow, folder="WhatsApp/c")
    run_with(dataset, {"WhatsApp": {"username": "Rowan"}}, exclude={"chats": ["Ivy"]})
    assert pace_of(dataset) == alone
    run_with(dataset, {"WhatsApp": {"username": "Rowan"}})
    assert pace_of(dataset)["pause"] > alone["pause"] + 5


def test_no_pace_from_little_or_from_conversations_without_times(dataset: Dataset) -> None:
    whatsapp(dataset.raw, "WhatsApp Chat with Moss.txt", typed(24))  # 48 gaps
    run_with(dataset, {"WhatsApp": {"username": "Rowan"}})
    assert pace_of(dataset) is None
    shutil.rmtree(dataset.raw / "WhatsApp")
    (dataset.raw / "JSONL").mkdir()
    turns = [{"role": "user", "content": "hm?"}, *[{"role": "assistant", "content": "x"}] * 3]
    lines = [json.dumps({"messages": turns})] * 100
    (dataset.raw / "JSONL" / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    run_with(dataset)
    assert pace_of(dataset) is None
    assert learned_pace(dataset) == Pace()


# --- privacy ----------------------------------------------------------------------------------------------------------


def test_secrets_are_in_no_output(dataset: Dataset, run: Run) -> None:
    secrets = ["4242 4242 4242 4242", "DE89 3704 0044 0532 0130 00", "hunter2!x", "482913", "johanna@example.org"]
    lines = chat("moss", exchanges=25)
    lines[4] = (*lines[4][:2], f"card {secrets[0]} and {secrets[1]}")
    lines[5] = (*lines[5][:2], f"password: {secrets[2]}")
    lines[40] = (*lines[40][:2], "what was the code?")
    lines[41] = (*lines[41][:2], f"code is {secrets[3]}, mail {secrets[4]}")
    discord(dataset.raw, "moss", lines)
    summary = run_with(dataset, {"DiscordChatExporter": {"username": "rowan"}}, redact={"emails": True})
    assert summary.redacted == {
        "payment_cards": 1,
        "ibans": 1,
        "passwords": 1,
        "one_time_codes": 1,
        "emails": 1,
    }
    written = outputs(dataset)
    assert [secret for secret in secrets if secret.encode() in written] == []
    done = run("preprocess", "-d", "1")
    assert "Replaced by placeholders" in done.stdout
    assert [secret for secret in secrets if secret in done.stdout + done.stderr] == []


def test_excluded_people_are_in_no_output(dataset: Dataset, run: Run) -> None:
    word = "zyxword"
    discord(dataset.raw, "gale.816", chat("gale.816#0001", word=word))
    discord(
        dataset.raw, "moss", [*chat("moss", exchanges=25), (60, "moss", "Gale.816 said hi"), (61, "rowan", "oh, @gale")]
    )
    group = group_of_three()
    group[3:3] = [(2.2, "gale.816#0001", f"{word} one"), (2.4, "rowan", "answerword")]
    discord(dataset.raw, "friends and gale.816", group)
    telegram(
        dataset.raw,
        {
            "Gale Storm": chat("Gale Storm", "Rowan", word=word),
            "Ivy": chat("Ivy", "Rowan"),
            "Gale Storm's": chat("Ivy", "Rowan"),
        },
    )
    summary = run_with(
        dataset,
        {"DiscordChatExporter": {"username": "rowan"}},
        contacts={"Gale": ["gale.816", "Gale Storm"]},
        exclude={"contacts": ["Gale Storm"]},
    )
    written = outputs(dataset).lower()
    for forbidden in (b"gale", b"storm", word.encode(), b"answerword"):
        assert forbidden not in written, forbidden
    assert b"moss: m1" in written  # the others of the group stay
    assert b"[name] said hi" in written
    # Of the group, what Gale said and what I answered; the chats of two are gone with my words in them.
    assert [found.excluded for found in summary.formats] == [24 + 2, 24]
    done = run("preprocess", "-d", "1")
    assert done.returncode == 0, done.stderr
    shown = (done.stdout + done.stderr).lower()
    assert "gale" not in shown
    assert "storm" not in shown
    assert word not in shown


def test_what_i_answer_to_excluded_people_later_is_left_out(dataset: Dataset) -> None:
    lines: list[tuple[Any, ...]] = [*chat("Moss", "Rowan", exchanges=25)]
    lines += [
        (60, "Gale", "to all", 7000),
        (61, "Moss", "between", 7001),
        (62, "Rowan", "answerword", 7002, 7000),
        (63, "Rowan", "moreword", 7003),
        (64, "Moss", "next", 7004),
        (65, "Rowan", "keptword", 7005, 7001),
    ]
    telegram(dataset.raw, {"Group": lines})
    summary = run_with(dataset, exclude={"contacts": ["Gale"]})
    written = outputs(dataset)
    assert summary.formats[0].excluded == 3
    assert b"keptword" in written
    assert b"answerword" not in written
    assert b"moreword" not in written


def test_i_am_not_excluded_with_my_namesake(dataset: Dataset) -> None:
    path = telegram(
        dataset.raw, {"Moss": chat("Moss", "Rowan", exchanges=25), "Ivy": chat("Ivy", "Rowan", word="ivyword")}
    )
    path.write_text(path.read_text(encoding="utf-8").replace('"Ivy"', '"Rowan"'), encoding="utf-8")
    summary = run_with(dataset, {"Telegram": {"username": "Rowan"}}, exclude={"contacts": ["Rowan"]})
    assert (summary.formats[0].me, dict(summary.formats[0].contacts)) == (["Rowan"], {"Moss": 25})
    assert b"ivyword" not in outputs(dataset)


def test_names_in_the_summary_are_redacted_as_in_the_conversations(dataset: Dataset) -> None:
    group = [(minutes, author.replace("moss", "+49 30 901820"), text) for minutes, author, text in group_of_three()]
    discord(dataset.raw, "Ivy Storm", chat("Ivy Storm", exchanges=25))
    whatsapp(dataset.raw, "WhatsApp Chat with +49 30 901820.txt", [*chat("Ivy Storm", day=1), *group])
    run_with(
        dataset,
        {"DiscordChatExporter": {"username": "rowan"}, "WhatsApp": {"username": "rowan"}},
        redact={"phone_numbers": True, "words": ["Storm"]},
    )
    written = outputs(dataset)
    assert b"901820" not in written
    assert b"Storm" not in written
    assert b"[phone]: " in (dataset.preprocessed / "train.jsonl").read_bytes()
    assert {"[phone]", "Ivy [private]"} <= contact_names(dataset.preprocessed)


def test_excluded_chats_and_days(dataset: Dataset) -> None:
    discord(dataset.raw, "moss", [*chat("moss", exchanges=25), *chat("moss", day=5, word="laterword")])
    discord(dataset.raw, "family", chat("mum", day=1, word="familyword"))
    discord(dataset.raw, "old friends", chat("ivy", day=2, word="oldword"))
    summary = run_with(
        dataset,
        {"DiscordChatExporter": {"username": "rowan"}},
        exclude={
            "chats": ["*family*", "no such chat"],
            "dates": [{"from": "2024-03-03", "to": "2024-03-03"}, {"from": "2024-03-06"}, {"to": "2001-01-01"}],
        },
    )
    written = outputs(dataset)
    for forbidden in (b"family", b"mum", b"oldword", b"laterword"):
        assert forbidden not in written, forbidden
    assert summary.formats[0].excluded == 72
    assert [warning for warning in summary.warnings if "exclude" in warning] == [
        "exclude.chats: entry 2 matches nothing: check how the export writes it",
        "exclude.dates: entry 3 matches nothing: check how the export writes it",
    ]


def test_everything_excluded(dataset: Dataset) -> None:
    discord(dataset.raw, "moss", chat("moss", exchanges=25))
    message = error_of(
        dataset, {"DiscordChatExporter": {"username": "rowan"}}, exclude={"dates": [{"from": "2000-01-01"}]}
    )
    assert "no message with text in the files that may be used" in message


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
