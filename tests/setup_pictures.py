"""Pictures of the page that goes from files to a model, for the documents: python tests/setup_pictures.py [ENVIRONMENT]

Every screen in the real browser, on a desk and on a phone. ENVIRONMENT is a folder with a dataset that is trained: by
default SampleEnvironment, after its run.py. A small training is begun as well, for a picture of it: some minutes. The
pictures that the documents show go to docs/, all of them to the folder setup-pictures among the temporary files.
"""

import io
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from conftest import BROWSERS, FLAGS, ROOT, SAMPLE
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from setup_requests import load
from web_server import serving

from selfchatbot.web.setup_routes import Setup

CHATS = sorted((SAMPLE / "DiscordChatExporter").glob("*.txt"))[3::-3]
SHOWN = {
    *("files-desk", "who-phone", "chats-desk"),
    *("training-desk", "training-phone", "model-desk", "forget-phone"),
}
MINUTES = 1_200_000
"""In milliseconds."""
COLORS = 48
ONLY = """(ids) => document.querySelectorAll(".step, #datasets").forEach(
    (one) => (one.style.display = ids.length && !ids.includes(one.id) ? "none" : "")
)"""
"""Shows the sections with these ids only; all of them if there are none."""


class Pictures:
    """The same page on two screens."""

    def __init__(self, browser: Browser, address: str, folder: Path) -> None:
        self._folder = folder
        self.desk = browser.new_page(viewport={"width": 860, "height": 800})
        self._phone = browser.new_page(viewport={"width": 390, "height": 780}, device_scale_factor=2)
        for page in (self.desk, self._phone):
            page.goto(address)
            expect(page.locator("#status")).not_to_have_text("connecting")

    def take(self, name: str, *sections: str, ready: str | None = None, whole_on_phone: bool = True) -> None:
        """The sections with these ids, as high as they are; of a long one, a phone may show what its screen shows."""
        self._phone.reload()
        for kind, page in (("desk", self.desk), ("phone", self._phone)):
            for section in sections:
                expect(page.locator(f"#{section}")).to_be_visible()
            if ready:
                expect(page.locator(ready).first).to_be_visible(timeout=60_000)
            page.evaluate(ONLY, list(sections))
            page.mouse.move(0, 0)
            self._save(page, f"{name}-{kind}", whole=whole_on_phone or kind == "desk")
            page.evaluate(ONLY, [])

    def phone_dialog(self, name: str, button: str) -> None:
        self._phone.get_by_role("button", name=button).click()
        expect(self._phone.get_by_role("dialog")).to_be_visible()
        self._save(self._phone, f"{name}-phone", whole=False)
        self._phone.keyboard.press("Escape")

    def _save(self, page: Page, name: str, whole: bool = True) -> None:
        before = page.viewport_size
        assert before is not None
        if whole:
            page.evaluate("document.getElementById('scroll').scrollTop = 0")
            height = page.evaluate(
                "document.querySelector('.bar').offsetHeight + Math.ceil([...document.querySelectorAll('.step')]"
                ".filter((one) => one.offsetHeight).at(-1).getBoundingClientRect().bottom"
                " - document.getElementById('scroll').getBoundingClientRect().top) + 16"
            )
            page.set_viewport_size({"width": before["width"], "height": height})
        page.wait_for_timeout(300)  # colours fade in
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(COLORS)
        page.set_viewport_size(before)
        for folder in [self._folder, *([ROOT / "docs"] if name in SHOWN else [])]:
            picture.save(folder / f"setup-{name}.png", optimize=True)


def main(trained: Path) -> None:
    folder = Path(tempfile.gettempdir(), "setup-pictures")
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as working, sync_playwright() as started:
        os.chdir(working)
        stages = ("raw", "preprocessed", "results")
        Path(".env").write_text("".join(f"selfChatBot_{stage}={stage}\n" for stage in stages), encoding="utf-8")
        Path("raw").mkdir()
        Path("holiday.jpg").write_bytes(b"\xff\xd8\xff\xe0")
        path = next(filter(None, map(shutil.which, BROWSERS)), None)
        browser = started.chromium.launch(executable_path=path, args=list(FLAGS))
        with serving(None, setup=Setup(load)) as address:
            pictures = Pictures(browser, address, folder)
            read_chats(pictures)
            train(pictures)
        for stage in stages:
            shutil.rmtree(stage)
            shutil.copytree(trained / f"selfChatBot_{stage}", stage)
        with serving(None, setup=Setup(load)) as address:
            look_at_the_model(Pictures(browser, address, folder))
        browser.close()
        os.chdir(ROOT)


def read_chats(pictures: Pictures) -> None:
    page = pictures.desk
    page.locator("#pick-files").set_input_files([*CHATS, "holiday.jpg"])
    expect(page.locator("#found li")).to_have_count(3)
    expect(page.get_by_text("This machine has")).to_be_visible(timeout=MINUTES)
    page.get_by_label("Name, perhaps yours").fill("Rowan")
    page.get_by_role("radio", name="SmolLM2").check()
    pictures.take("files", "files", "new", ready="#models small")
    page.get_by_role("button", name="Remove these files").click()
    expect(page.locator("#found li")).to_have_count(0)
    page.locator("#pick-files").set_input_files(CHATS[0])  # of several chats, it is the one who writes in all of them
    page.get_by_role("button", name="Read my chats").click()
    expect(page.get_by_text("Who are you in")).to_be_visible(timeout=MINUTES)
    pictures.take("who", "chats", ready="#who")
    page.get_by_role("radio", name="rowan (").check()
    page.get_by_role("button", name="This is me").click()
    expect(page.get_by_text("You are rowan")).to_be_visible(timeout=MINUTES)
    pictures.take("chats", "chats", ready=".example mark")


def train(pictures: Pictures) -> None:
    """Several validations, and short steps, so that one chat makes a curve."""
    (path,) = Path("preprocessed").glob("*/parameters.json")
    values = json.loads(path.read_text(encoding="utf-8")) | {"evaluations_per_epoch": 5, "max_length": 256}
    path.write_text(json.dumps(values, indent=2), encoding="utf-8")
    page = pictures.desk
    page.get_by_role("button", name="Train").click()
    expect(page.locator("#curve circle")).to_have_count(4, timeout=MINUTES)
    pictures.take("training", "training", ready="#samples dl", whole_on_phone=False)
    page.locator("#stop").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible(timeout=MINUTES)


def look_at_the_model(pictures: Pictures) -> None:
    pictures.take("model", "after", ready="#runs input")
    # What was made from other conversations can be forgotten.
    (conversations,) = Path("preprocessed").glob("*/train.jsonl")
    conversations.write_text(conversations.read_text(encoding="utf-8").partition("\n")[2], encoding="utf-8")
    pictures.phone_dialog("forget", "Forget…")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "SampleEnvironment").resolve())
