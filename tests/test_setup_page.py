"""The page that goes from files to a model that talks, in a real browser."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SAMPLE, edit_settings, make_talker, write_training_data
from setup_requests import load
from web_server import ask, serving

from selfchatbot.environment import Environment
from selfchatbot.setup.dataset import create, new_dataset
from selfchatbot.setup.exports import find_exports
from selfchatbot.web.setup_routes import Setup

playwright = pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright: pip install it")
from playwright.sync_api import Browser, ConsoleMessage, Page, expect  # noqa: E402

DISCORD = sorted((SAMPLE / "DiscordChatExporter").glob("*.txt"))
NAME = "Rowan <b>& co</b>"
SHOWN = "Rowan -b-& co-b"
"""As the name of a folder."""
FOLDER = f"Dataset_1_{SHOWN}"
MINUTES = 120_000
"""In milliseconds: the scripts import torch, on a machine that may be busy."""
expect.set_options(timeout=30_000)


@pytest.fixture
def address(here: Path) -> Iterator[str]:
    with serving(None, setup=Setup(load)) as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The open page. At the end, there must be no error in its console and no request to another server."""
    context = browser.new_context(viewport={"width": 390, "height": 780})
    page = context.new_page()
    page.set_default_timeout(30_000)
    wrong: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        refused = "status of 400" in message.text  # the page shows the error of such a request
        if message.type in ("error", "warning") and not refused:
            wrong.append(message.text)

    page.on("console", on_console)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: request.url.startswith(address) or wrong.append(request.url))
    page.goto(address)
    expect(page.get_by_role("heading", name="Your model").first).to_be_visible()
    yield page
    context.close()
    assert not wrong


def fits(page: Page) -> None:
    """Nothing is wider than the screen, and every control has a name."""
    assert page.evaluate("() => document.scrollingElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate("() => document.getElementById('scroll').scrollWidth - innerWidth") <= 0
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, svg:not([aria-hidden])")].filter(
            (one) => one.checkVisibility() && !one.ariaLabel && !one.textContent.trim() && !one.labels?.length
        ).map((one) => one.outerHTML)"""
    )
    assert nameless == []


@pytest.mark.training
def test_from_files_to_a_conversation(page: Page, here: Path, tiny_model: Path) -> None:
    give_files(page, here)
    choose_model(page, tiny_model)
    say_who_i_am(page, here / "preprocessed" / FOLDER / "summary.json")
    train(page, here / "preprocessed" / FOLDER / "parameters.json")
    page.get_by_role("button", name="Talk to it").click()
    expect(page.get_by_role("heading", name=SHOWN).first).to_be_visible(timeout=MINUTES)
    page.get_by_label("Message").fill("hey")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("button", name="Retry")).to_be_visible()
    # And back to the chats.
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("link", name="Your chats and trainings").click()
    expect(page.get_by_text("You are rowan")).to_be_visible()
    page.get_by_role("link", name="To the conversation").click()
    expect(page.get_by_label("Message")).to_be_visible()


def give_files(page: Page, here: Path) -> None:
    """One export, and a file that is none."""
    expect(page.get_by_role("button", name="Read my chats")).to_be_disabled()
    notes = here / "notes.txt"
    notes.write_text("milk\n", encoding="utf-8")
    page.locator("#pick-files").set_input_files([DISCORD[0], notes])
    found = page.get_by_role("list", name="What was found in your files")
    expect(found.get_by_text("Discord", exact=True)).to_be_visible()
    expect(found).to_contain_text("is no export that is known here")


def choose_model(page: Page, model: Path) -> None:
    """With the keyboard; a name of Ollama first."""
    page.get_by_label("Name, perhaps yours").fill(NAME)
    expect(page.get_by_text("This machine has")).to_be_visible(timeout=MINUTES)
    page.get_by_label("Name of another model").fill("llama3.2:3b")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("is a name of Ollama")
    page.get_by_label("Name of another model").fill(str(model))
    fits(page)
    page.keyboard.press("Enter")


def say_who_i_am(page: Page, summary: Path) -> None:
    """Also after a reload; then one conversation is shown with my words marked."""
    expect(page.get_by_text("Who are you in Discord?")).to_be_visible(timeout=MINUTES)
    fits(page)
    page.reload()
    page.get_by_role("radio", name="rowan (").check()
    page.get_by_role("button", name="This is me").click()
    expect(page.get_by_text("You are rowan: the name that you gave")).to_be_visible(timeout=MINUTES)
    example = json.loads(summary.read_text(encoding="utf-8"))["example"]
    mine = [line.strip() for turn in example if turn["role"] == "assistant" for line in turn["content"].split("\n")]
    assert page.locator(".example mark").all_inner_texts() == list(filter(None, mine))
    fits(page)


def test_somebody_is_left_out(page: Page, here: Path, tiny_model: Path) -> None:
    """Their chat and their name are gone then."""
    environment = Environment(**{stage: here / stage for stage in ("raw", "preprocessed", "results")})
    create(new_dataset(environment, "Rowan"), find_exports(DISCORD[:2]), str(tiny_model), "lora")
    page.reload()
    page.get_by_role("button", name="Read the chats").click()
    expect(page.get_by_text("2 files, 2 chats")).to_be_visible(timeout=MINUTES)
    page.get_by_text("Leave people out").click()
    page.get_by_role("checkbox", name="gale.816 (").check()
    fits(page)
    page.get_by_role("button", name="Save, and read the chats again").click()
    # Only the list of those who are left out names them.
    expect(page.get_by_role("checkbox", name="gale.816", exact=True)).to_be_checked(timeout=MINUTES)
    summary = here / "preprocessed" / "Dataset_1_Rowan" / "summary.json"
    assert "gale" not in summary.read_text(encoding="utf-8")


def train(page: Page, settings: Path) -> None:
    """Curve, samples and time left, also after a reload; stop and resume."""
    values = json.loads(settings.read_text(encoding="utf-8"))
    changed = {"max_length": 128, "epochs": 20, "samples": 2, "choose_sampling": False, "evaluations_per_epoch": 20}
    settings.write_text(json.dumps({**values, **changed}), encoding="utf-8")
    page.get_by_label("Name of the run").fill("first try")
    page.get_by_role("button", name="Train", exact=True).click()
    status = page.locator("#training-status")
    for _ in range(2):
        expect(page.get_by_role("img", name="Validation loss: base model")).to_be_visible(timeout=MINUTES)
        expect(page.get_by_text("What it says after step")).to_be_visible()
        expect(status).to_contain_text("left")
        expect(page.locator("#training-numbers")).to_contain_text("validation ")
        fits(page)
        page.reload()
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(status).to_contain_text("resumes from there", timeout=MINUTES)
    rest = {"early_stopping_patience": 1, "samples": 0}  # it ends at the first validation that is no better
    settings.write_text(json.dumps({**values, **changed, **rest}), encoding="utf-8")
    page.get_by_role("button", name="Resume").click()
    expect(status).to_contain_text("The run first try is complete", timeout=MINUTES)


def test_a_folder_is_dropped(page: Page, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the place for it, too. What is no export, too deep or too much stays out."""
    downloads = here / "Downloads"
    deep = downloads.joinpath(*"a" * 16)
    deep.mkdir(parents=True)
    for number, folder in enumerate((downloads, downloads / "a", deep)):
        shutil.copy(DISCORD[number], folder)
    (downloads / "holiday.jpg").write_bytes(b"\xff\xd8")
    mouse = page.context.new_cdp_session(page)

    def drop() -> None:
        data = {"items": [], "files": [str(downloads)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            mouse.send("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": 20, "data": data})

    drop()
    found = page.get_by_role("list", name="What was found in your files")
    expect(found.get_by_text("Discord, 2 files")).to_be_visible()
    (uploads,) = (here / "raw").glob(".uploads*")
    assert {path.name for path in uploads.rglob("*.*")} == {path.name for path in DISCORD[:2]}
    page.get_by_role("button", name="Remove these files").click()
    expect(found).to_be_empty()
    monkeypatch.setattr("selfchatbot.web.setup_routes.MAX_BYTES", 1000)
    page.reload()
    expect(page.get_by_role("button", name="Read my chats")).to_be_visible()
    drop()
    expect(page.get_by_role("alert")).to_contain_text("leave out films")
    assert not list((here / "raw").iterdir())


def test_a_token_is_asked_for(browser: Browser, here: Path) -> None:
    with serving(None, setup=Setup(load), token="correct-horse-battery") as address:
        page = browser.new_page()
        page.goto(address)
        for token in ("wrong", "correct-horse-battery"):
            page.locator("#token").fill(token)
            page.locator("#token").press("Enter")
        expect(page.get_by_role("button", name="Read my chats")).to_be_visible()
        page.locator("#pick-files").set_input_files([DISCORD[0]])
        expect(page.get_by_text("Discord", exact=True)).to_be_visible()
        page.close()


@pytest.mark.training
def test_what_can_be_done_with_a_trained_model(browser: Browser, here: Path, made_base: Path) -> None:
    data = write_training_data(here / "preprocessed" / FOLDER, made_base)
    shutil.copy(data / "train.jsonl", data / "test.jsonl")
    splits = {name: {"replies": 40, "words": 200} for name in ("train", "validation", "test")}
    (data / "summary.json").write_text(json.dumps({"splits": splits}), encoding="utf-8")
    results = make_talker(here / "results" / FOLDER, made_base)
    make_talker(results / "runs" / "first try", made_base)
    edit_settings(results, max_new_tokens=8)  # both models answer 112 messages
    with serving(None, setup=Setup(load), token="correct-horse-battery") as address:
        page = browser.new_page(viewport={"width": 390, "height": 780})
        page.set_default_timeout(30_000)
        page.goto(address)
        page.locator("#token").fill("correct-horse-battery")
        page.locator("#token").press("Enter")
        expect(page.get_by_role("radio", name="first try")).to_be_visible()
        expect(page.get_by_role("button", name="Open the report")).to_be_disabled()
        fits(page)
        page.get_by_role("button", name="Evaluate").click()
        expect(page.get_by_role("button", name="Open the report")).to_be_enabled(timeout=MINUTES)
        with page.expect_popup() as opened:
            page.get_by_role("button", name="Open the report").click()
        expect(opened.value.get_by_role("heading").first).to_be_visible()
        assert opened.value.evaluate("getComputedStyle(document.body).margin") == "0px"  # its styles are allowed
        # It has an address of its own, as a tab sends no token, and no other one works.
        report = opened.value.url.removeprefix(address)
        opened.value.close()
        status, headers, content = ask(address, report)
        assert status == 200 and content == (results / "likeness.html").read_bytes()
        assert "script" not in headers["Content-Security-Policy"]
        assert ask(address, report[:-1])[0] == 401
        expect(page.locator("#runs-body tr").first.locator("td").nth(2)).not_to_be_empty()  # told apart
        state = json.loads(ask(address, "/setup/state", headers={"Authorization": "Bearer correct-horse-battery"})[2])
        assert not state["task"]["failed"] and state["task"]["progress"]["step"] == state["task"]["progress"]["steps"]
        # Forget: only after the name was typed, and only what is shown.
        changed = (data / "train.jsonl").read_text(encoding="utf-8").split("\n")
        (data / "train.jsonl").write_text("\n".join(changed[1:]), encoding="utf-8")
        for path in results.rglob("*"):
            os.utime(path, (1e9, 1e9))
        page.get_by_role("button", name="Forget").click()
        dialog = page.get_by_role("dialog", name="Forget")
        expect(dialog).to_contain_text("This deletes for ever: best/, final/, likeness/, likeness.html, runs/")
        fits(page)
        dialog.get_by_role("textbox").fill("somebody")
        page.keyboard.press("Enter")
        assert (results / "best").is_dir()
        dialog.get_by_role("textbox").fill(SHOWN)
        page.keyboard.press("Enter")
        expect(page.locator("#after")).to_be_hidden()
        assert not any((results / name).exists() for name in ("best", "final", "runs/first try", "likeness.html"))
        page.close()
