"""Whatever other people or a model write: on the screen, in the log and in reports, nothing of it is hidden."""

import json
import logging
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from conftest import Run, make_talker, one_line_error, write_training_data
from hypothesis import given
from hypothesis import strategies as st
from likeness_results import result
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from selfchatbot.cli.session.completion import CommandCompleter
from selfchatbot.cli.shell import show_log
from selfchatbot.display import markdown, visible, visible_line
from selfchatbot.export.card import model_card
from selfchatbot.likeness.report.page import Example, write_page
from selfchatbot.trainer.report import log_file
from selfchatbot.web.model_routes import ASSETS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CLIPBOARD = "\x1b]52;c;aGk=\x07"
EVIL = f"Eve{CLIPBOARD}\x9b2J\u202egnp\u2066.exe\u200b"
"""Writes into the clipboard, clears the screen, reads backwards and ends with nothing."""
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u202a-\u202e\u2060-\u2069\ufeff]")
DATASET = "Dataset_1_Zoë"
FLAG = "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in "gbeng") + "\U000e007f"
"""Of England."""


def is_visible(*texts: str) -> bool:
    """Whether ``texts`` show what EVIL is made of, and hide nothing."""
    joined = "\n".join(texts)
    return not HIDDEN.search(joined) and r"\u001b]52;c;" in joined.replace(r"\\", "\\").replace(r"\]", "]")


def test_hidden_characters_are_escaped_as_in_json() -> None:
    assert visible(EVIL) == r"Eve\u001b]52;c;aGk=\u0007\u009b2J\u202egnp\u2066.exe\u200b"
    assert visible("a\tb\nc\r\x00") == "a\tb\nc\\u000d\\u0000"
    assert visible_line("a\tb\nc") == r"a\tb\nc"
    assert visible("\U000e0041\ud83d") == r"\udb40\udc41\ud83d"
    assert visible("Ana\u200d Ana\u200e Даня\u200c") == r"Ana\u200d Ana\u200e Даня\u200c"


@pytest.mark.parametrize(
    "text",
    ["haha é 高橋 😀", "👩‍💻 ❤️‍🔥 👨🏽‍🚀", "می‌خواهم", "क्‍ष", "שלום\u200f!", FLAG],
)
def test_what_a_script_or_an_emoji_needs_stays(text: str) -> None:
    assert visible(text) == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_stays_the_same_json(text: str) -> None:
    shown = visible(json.dumps({text: text}, ensure_ascii=False))
    assert json.loads(shown) == {text: text}
    assert not HIDDEN.search(visible(text))
    assert "\n" not in visible_line(text)


def test_markdown_is_no_markup() -> None:
    assert markdown("<b>*a*\nb") == r"\<b\>\*a\*<br>b"
    assert is_visible(markdown(EVIL))


@pytest.fixture
def hostile_exports(environment: Path) -> Path:
    """A log of a channel and an odd chat, with somebody whose name, and whose messages, are hostile."""
    folder = environment / "raw" / DATASET
    (folder / "IRC").mkdir(parents=True)
    lines = [f"2024-01-{1 + n // 24:02d} {n % 24:02d}:00:00\t{'me' if n % 2 else EVIL}\t{n} {EVIL}" for n in range(200)]
    (folder / "IRC" / "irc.net.#evil\u202e.weechatlog").write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = {"model": "m", "preprocessor_data": {"IRC": {"username": "me"}}}
    (folder / "parameters.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def test_preprocess(hostile_exports: Path, run: Run, environment: Path) -> None:
    done = run("preprocess", "-d", "1")
    assert done.returncode == 0, done.stderr
    assert is_visible(done.stdout, done.stderr)
    assert is_visible((environment / "preprocessed" / DATASET / "summary.json").read_text(encoding="utf-8"))
    # Data is no screen: what was typed stays as it was typed.
    lines = (environment / "preprocessed" / DATASET / "train.jsonl").read_text(encoding="utf-8").split("\n")
    said = [turn["content"] for line in lines if line for turn in json.loads(line)["messages"]]
    assert f"1 {EVIL}" in said and f"2 {EVIL}" in said
    (hostile_exports / "IRC" / f"{EVIL}.weechatlog").write_text("", encoding="utf-8")
    assert is_visible(one_line_error(run("preprocess", "-d", "1"), 1))


@pytest.fixture
def hostile_model(environment: Path, made_base: Path) -> Path:
    """A model that says EVIL, with test conversations that do."""
    data = write_training_data(environment / "preprocessed" / DATASET, made_base)
    for file in data.glob("*.jsonl"):
        file.write_text(file.read_text(encoding="utf-8").replace("haha yeah", json.dumps(EVIL)[1:-1]), encoding="utf-8")
    make_talker(environment / "results" / DATASET, made_base, f"so {CLIPBOARD[:7]}\u202e")
    return environment


@pytest.mark.parametrize(
    ("arguments", "typed"),
    [
        (("-t", "prompt", "-p", f"hey {EVIL}"), ""),
        (("-t", "session"), f"hey {EVIL}\n/as {EVIL}\n/load {EVIL}\n/{EVIL}\n"),
        (("-t", "game", "--rounds", "1"), "a\n"),
    ],
)
def test_play(hostile_model: Path, run: Run, arguments: tuple[str, ...], typed: str) -> None:
    done = run("play", "-d", "1", *arguments, "--engine", "transformers", input=typed)
    assert done.returncode == 0, done.stderr
    assert is_visible(done.stdout, done.stderr)


def test_the_name_of_a_kept_run(hostile_model: Path, run: Run) -> None:
    results = hostile_model / "results" / DATASET
    kept = results / "runs" / EVIL
    shutil.copytree(results, kept)
    for name in ("best", "final"):
        shutil.rmtree(results / name)
    done = run("play", "-d", "1", "-t", "prompt", "-p", "hey", "--engine", "transformers")
    assert done.returncode == 0 and "the newest run has no model yet" in done.stderr
    assert is_visible(done.stdout, done.stderr)


@pytest.mark.training
def test_train(hostile_model: Path, run: Run) -> None:
    data, results = (hostile_model / stage / DATASET for stage in ("preprocessed", "results"))
    values = json.loads((data / "parameters.json").read_text(encoding="utf-8"))
    values |= {"epochs": 0.1, "evaluations_per_epoch": 1, "samples": 2, "choose_sampling": False}
    (data / "parameters.json").write_text(json.dumps(values), encoding="utf-8")
    shutil.rmtree(results)
    done = run("train", "-d", "1")
    assert done.returncode == 0, done.stderr
    assert is_visible(done.stdout, done.stderr)
    assert is_visible((results / "report.md").read_text(encoding="utf-8"))


def test_the_log_on_the_screen_and_in_its_file(tmp_path: Path) -> None:
    logger, lines = logging.getLogger("selfchatbot"), list[str]()
    handlers = list(logger.handlers)
    try:
        show_log(lines.append)
        with log_file(tmp_path / "log.txt"):
            logger.info("reading %s\nforged", EVIL)
    finally:
        logger.handlers = handlers
    (written,) = (tmp_path / "log.txt").read_text(encoding="utf-8").strip().split("\n")
    assert is_visible(lines[0]) and is_visible(written) and r"\nforged" in lines[0] and r"\nforged" in written


def test_files_that_are_offered(tmp_path: Path) -> None:
    (tmp_path / f"a\u202e{CLIPBOARD}").touch()
    completer = CommandCompleter(lambda: cast(Any, object()))
    (offered,) = completer.get_completions(Document(f"/load {tmp_path}/"), CompleteEvent())
    assert is_visible(offered.display_text) and offered.text == f"a\u202e{CLIPBOARD}"


def test_the_page_shows_the_same(browser: "Browser") -> None:
    texts = [
        EVIL,
        FLAG,
        "Ana\u200d\t\n\r\x00",
        "\U000e0041",
        "é 高橋 😀\ufe0f",
        "👩\u200d💻",
        "می\u200cخواهم",
        "שלום\u200f!",
    ]
    page = browser.new_page()
    source = (ASSETS / "dom.js").read_text(encoding="utf-8")
    page.add_script_tag(content=source + "\nwindow.visible = visible;", type="module")
    assert page.evaluate("texts => texts.map(visible)", texts) == list(map(visible, texts))
    page.close()


def test_the_model_card() -> None:
    card = model_card(f"<img src=x onerror=alert(1)> {EVIL}\n# forged", f"/models/{EVIL}", "m.gguf", (2.0, 1.0))
    assert is_visible(card)
    assert "<img" not in card.replace("\\<", "") and "\n# forged" not in card


def test_the_likeness_page(tmp_path: Path) -> None:
    page = tmp_path / "likeness.html"
    write_page(page, result(), examples=[Example(EVIL, {"model": f"so {EVIL}"})])
    assert is_visible(page.read_text(encoding="utf-8"))
