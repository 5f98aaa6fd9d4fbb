"""What an app may have written in somebody's name is reported, and ``drop`` leaves it out."""

import json
import time
from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from chat_folders import chat, dataset, error_of, group_of_three, lines_of, run_with, telegram  # noqa: F401
from conftest import SAMPLE
from hypothesis import given
from hypothesis import strategies as st

from selfchatbot.conversations.app_phrases import MAX_PHRASES, AppPhrases
from selfchatbot.conversations.drop import DropPatterns
from selfchatbot.environment import Dataset
from selfchatbot.preprocessors import Preprocessors

MINUTE = datetime(2024, 3, 1, 12)


def found(*messages: tuple[str, str]) -> list[tuple[str, int]]:
    phrases = AppPhrases()
    for author, content in messages:
        phrases.add(author, content)
    return phrases.suspicious(Counter(author for author, _ in messages))


def typed(count: int, author: str = "Moss") -> list[tuple[str, str]]:
    """Messages none of which is like another."""
    return [
        (author, f"{word} the {word * 2} of yesterday")
        for word in (chr(97 + n // 26 % 26) + chr(97 + n % 26) for n in range(count))
    ]


@pytest.mark.parametrize(
    ("phrases", "shown"),
    [
        # In any known language, whatever the format.
        (["Live-Standort wird geteilt"] * 3, "Live-Standort wird geteilt"),
        (["Photos"] * 10, "Photos"),
        (["This message was deleted."] * 3, "This message was deleted."),
        (["보이스톡 해요"] * 3, "보이스톡 해요"),
        (["メッセージの送信を取り消しました"] * 3, "メッセージの送信を取り消しました"),
        (["Moss sent an attachment."] * 3, "Moss sent an attachment."),
        # In none that is known: by form or number.
        ([f"Standort: https://maps.google.com/?q=52.{n},13.{n}" for n in range(214)], "Standort: *"),
        ([f"Anruf beendet, Dauer {n}:0{n % 10}" for n in range(30)], "Anruf beendet, Dauer *"),
        ([f"GLASOVANJE: o {n * 'o'}" for n in range(60)], "GLASOVANJE: *"),
        (["[Nálepka]"] * 8, "[Nálepka]"),
        (["Slika je izpuščena"] * 90, "Slika je izpuščena"),
        (["તમે આ મેસેજ ડિલીટ કર્યો"] * 90, "તમે આ મેસેજ ડિલીટ કર્યો"),
        ([f"Slika je izpuščena\nlook at {'this' * n}" for n in range(90)], "Slika je izpuščena"),
    ],
)
def test_what_an_app_may_have_written_is_named(phrases: list[str], shown: str | None) -> None:
    talk = [*typed(600), *(("Moss", phrase) for phrase in phrases)]
    reported = [phrase for phrase, count in found(*talk) if count == len(phrases)]
    assert reported == ([shown] if shown else reported)


@pytest.mark.parametrize(
    "phrases",
    [
        ["ok"] * 60,
        ["haha"] * 90,
        ["Good night"] * 24,
        ["in 5 min"] * 8,
        ["12:30"] * 40,
        ["PS: take care"] * 19,
        ["missed call"] * 2,
        ["(laughs)"] * 4,
        ["🙂"] * 99,
        ["photo"] * 5,
        ["おやすみ"] * 24,
    ],
)
def test_what_people_repeat_is_not(phrases: list[str]) -> None:
    assert found(*typed(600), *(("Moss", phrase) for phrase in phrases)) == []


def test_rare_phrases_are_forgotten_and_frequent_ones_never() -> None:
    phrases = AppPhrases()
    for number in range(3 * MAX_PHRASES):
        phrases.add("Moss", f"{number:x}".translate(str.maketrans("0123456789", "ghijklmnop")))
        if number % 10 == 0:
            phrases.add("Moss", "Slika je izpuščena")
    assert len(phrases._phrases) <= MAX_PHRASES
    ((phrase, count),) = phrases.suspicious({"Moss": 66_000})
    assert phrase == "Slika je izpuščena"
    assert 5_990 <= count <= 6_000


def test_real_chats_raise_no_alarm() -> None:
    phrases = AppPhrases()
    senders: Counter[str] = Counter()
    for message in Preprocessors["DiscordChatExporter"]().read(SAMPLE / "DiscordChatExporter"):
        phrases.add(message.author, message.content)
        senders[message.author] += 1
    assert phrases.suspicious(senders) == []
    assert phrases.joined(senders) is None
    assert senders.total() > 1_000


@pytest.mark.parametrize(
    "line",
    [
        "12/05/2024, 9:31 pm - Moss: hi",
        "[2024.05.12 21:31:07] Moss: hi",
        "2025.11.27 วันพฤหัสบดี",
        "2024年5月12日 午後9:31 Moss",
    ],
)
def test_messages_that_swallowed_the_next_one_are_counted(line: str) -> None:
    phrases = AppPhrases()
    for _, content in typed(300):
        phrases.add("Moss", content)
    for _ in range(4):
        phrases.add("Moss", f"see you\n{line}")
    joined = phrases.joined({"Moss": 304})
    assert joined is not None
    assert joined[1] == 4
    assert "Moss" not in joined[0]
    assert not set(joined[0]) & set("0123456789")
    assert phrases.joined({"Moss": 3_000}) is None
    # They are to be read, not to be dropped.
    for _ in range(20):
        phrases.add("Moss", f"see you\n{line}")
    assert all("see you" in phrase for phrase, _ in phrases.suspicious({"Moss": 324}))


# --- drop -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "content", "rest"),
    [
        ("Foto", "Foto", ""),
        ("Foto", "Foto!", "Foto!"),
        ("Foto", "foto", "foto"),
        ("Foto", "\u200eFoto ", ""),
        ("Foto", "Foto\nschau mal", "schau mal"),
        ("Foto", "schau\nFoto\nmal", "schau\nmal"),
        ("Standort: *", "Standort: https://x.y\nhier", ""),
        ("Standort: *", "mein Standort: hier", "mein Standort: hier"),
        ("* joined", "Ana joined", ""),
        ("* joined", "Ana joined us", "Ana joined us"),
        ("*call*:*", "missed call at 5:20", ""),
        ("a*a", "a", "a"),
        ("a*a", "aa", ""),
        ("1.5 (x)?", "1.5 (x)?", ""),
        ("1.5", "1x5", "1x5"),
        ("POLL:\n*", "POLL:\nwhere?\nOPTION: here", ""),
    ],
)
def test_a_pattern_is_a_whole_message_or_line(pattern: str, content: str, rest: str) -> None:
    assert DropPatterns([pattern]).rest(content) == rest


@given(st.text("ab*", min_size=1, max_size=8), st.text("ab", max_size=12))
def test_a_star_is_anything(pattern: str, text: str) -> None:
    import re

    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None
    assert (DropPatterns([pattern]).rest(text) == "") == (expected or not text)


def test_no_pattern_takes_more_than_linear_time() -> None:
    patterns = DropPatterns(["*a" * 500 + "b", "a*" * 1000])
    started = time.perf_counter()
    assert patterns.rest("a" * 900) == "a" * 900
    patterns.rest("a" * 1_000_000)
    assert time.perf_counter() - started < 5


def test_whole_command(dataset: Dataset) -> None:
    lines: list[Any] = [(n, ("Moss", "Rowan")[n % 2], content) for n, (_, content) in enumerate(typed(400))]
    for number in range(0, 200, 10):
        lines.insert(number, (number, "Moss", f"Standort: https://maps.google.com/?q=52.{number},13.4"))
    telegram(dataset.raw, {"Moss": lines})
    shown = '"Standort: *" 20 times: written by the app? Then add it to preprocessor_data.Telegram.drop'
    assert f"Telegram: {shown}" in run_with(dataset).warnings
    summary = run_with(dataset, {"Telegram": {"drop": ["Standort: *", "Foto"]}})
    assert summary.warnings == [
        "preprocessor_data.Telegram.drop: entry 2 matches nothing: check how the export writes it"
    ]
    assert summary.formats[0].dropped == 20
    assert "Standort" not in json.dumps(lines_of(dataset))
    assert json.loads(summary.to_json())["formats"][0]["dropped_messages"] == 20


def test_phrases_of_chats_that_are_left_out_are_not_named(dataset: Dataset) -> None:
    group = [(minutes, author.title(), "Slika je izpuščena") for minutes, author, _ in group_of_three()]
    telegram(dataset.raw, {"Moss": chat("Moss", "Rowan", day=1, exchanges=40), "Friends": group})
    assert any("Slika" in warning for warning in run_with(dataset).warnings)
    for left_out in ({"preprocessor_data": {"Telegram": {"group_chats": "exclude"}}}, {"exclude": {"chats": ["Fr*"]}}):
        data = left_out.pop("preprocessor_data", {})
        assert not any("Slika" in warning for warning in run_with(dataset, data, **left_out).warnings)


def test_a_pattern_that_drops_everything_is_refused(dataset: Dataset) -> None:
    telegram(dataset.raw, {"Moss": chat("Moss", "Rowan", exchanges=30)})
    for pattern in ("*", " ", "**\n"):
        message = error_of(dataset, {"Telegram": {"drop": [pattern]}})
        assert "preprocessor_data.Telegram" in message
        assert "more than *" in message
