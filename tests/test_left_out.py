"""The first stage as a whole: my typing pace, and what is left out."""

import json
import random
import shutil
from typing import Any

import pytest
from chat_folders import Line, chat, dataset, discord, error_of, group_of_three, outputs, run_with, telegram, whatsapp  # noqa: F401
from conftest import Run

from selfchatbot.environment import Dataset
from selfchatbot.session.contacts import contact_names
from selfchatbot.session.typing_pace import Pace, learned_pace

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
