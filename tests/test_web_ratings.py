"""Ratings, other replies and the pace on the chat page, and the endpoint that saves what was rated."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright: pip install it")
from chat_page import PagePlayer, answered, say
from playwright.sync_api import Browser, Page, expect
from web_server import ask, serving, tiny_player

from selfchatbot.session.typing_pace import Pace

HEY = [{"role": "user", "content": "hey"}]
SAVED = "Saved for the next training"


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> PagePlayer:
    player = tiny_player(tiny_model, PagePlayer)
    assert isinstance(player, PagePlayer)
    return player


@pytest.fixture
def player(model: PagePlayer) -> PagePlayer:
    model.says, model.others, model.seconds = "first", ("second", "third", "first"), 0.0
    return model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "preferences.jsonl"


@pytest.fixture
def page(browser: Browser, player: PagePlayer, path: Path) -> Iterator[Page]:
    """A conversation with one reply, "first"."""
    with serving(player, preferences=path) as address:
        page = browser.new_page()
        page.set_default_timeout(20_000)
        page.goto(address)
        say(page, "hey")
        assert answered(page) == "first"
        yield page
        page.close()


def preferences(path: Path) -> list[tuple[list[dict[str, str]], str, str]]:
    """Prompt, better and worse reply."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    return [(line["prompt"], line["chosen"][0]["content"], line["rejected"][0]["content"]) for line in lines]


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def test_a_good_reply_is_better_than_others(page: Page, path: Path) -> None:
    press(page, "A good reply")
    expect(page.get_by_text(SAVED, exact=True)).to_be_visible()
    assert preferences(path) == [(HEY, "first", "second"), (HEY, "first", "third")]
    expect(page.get_by_role("button", name="A good reply")).to_have_attribute("aria-pressed", "true")
    page.reload()
    press(page, "A good reply")  # it is saved already
    press(page, "Others")
    expect(page.get_by_role("list", name="Other replies")).to_be_visible()
    assert len(preferences(path)) == 2


def test_a_bad_reply_is_worse_than_the_one_that_the_conversation_goes_on_from(
    page: Page, path: Path, player: PagePlayer
) -> None:
    for text in ("second", "third"):
        player.says = text
        press(page, "A bad reply")
        assert answered(page) == text
    assert not path.exists()
    page.reload()
    player.says = "fine"
    say(page, "I see")
    assert answered(page) == "fine"
    assert preferences(path) == [(HEY, "third", "first"), (HEY, "third", "second")]


def test_a_correction_replaces_the_reply(page: Page, path: Path) -> None:
    press(page, "Correct it")
    field = page.get_by_label("Message")
    expect(field).to_have_value("first")
    expect(page.get_by_text("What should the reply have been?")).to_be_visible()
    field.fill("what I would say")
    field.press("Enter")
    expect(page.get_by_text(SAVED, exact=True)).to_be_visible()
    assert answered(page) == "what I would say"
    expect(page.locator(".turn")).to_have_count(2)
    assert preferences(path) == [(HEY, "what I would say", "first")]


def test_another_reply_can_be_taken(page: Page, path: Path, player: PagePlayer) -> None:
    press(page, "Others")
    offered = page.get_by_role("list", name="Other replies").get_by_role("button")
    expect(offered).to_have_text(["second", "third"])
    page.keyboard.press("Tab")  # from the first one, which has the focus
    page.keyboard.press("Enter")
    assert answered(page) == "third"
    press(page, "Others")
    expect(offered).to_have_text(["second", "first"])
    press(page, "A good reply")
    expect(page.get_by_text(SAVED, exact=True)).to_be_visible()
    assert preferences(path) == [(HEY, "third", "second"), (HEY, "third", "first")]
    player.others = ("fourth", "fourth", "fourth")
    player.says = "fourth"
    press(page, "Retry")
    assert answered(page) == "fourth"
    press(page, "Others")
    expect(page.get_by_text("It has nothing else to say")).to_be_visible()


def test_a_rating_that_is_lost_is_reported(page: Page, path: Path) -> None:
    path.mkdir()
    press(page, "A good reply")
    expect(page.get_by_role("alert")).to_contain_text("preferences.jsonl can't be written")
    expect(page.get_by_role("button", name="A good reply")).to_have_attribute("aria-pressed", "false")


def test_replies_keep_the_pace_of_the_person(browser: Browser, player: PagePlayer) -> None:
    player.says = "one two three\nfour five six"
    with serving(player, pace=Pace(0.2, 0.05)) as address:
        page = browser.new_page()
        page.goto(address)
        page.evaluate(
            """() => {
                window.seen = [];
                new MutationObserver(() => {
                    const last = [...document.querySelectorAll(".assistant .bubble:not(.typing)")].at(-1);
                    if (last && seen.at(-1)?.text !== last.textContent) {
                        seen.push({ text: last.textContent, time: performance.now() });
                    }
                }).observe(document.getElementById("log"), { childList: true, subtree: true, characterData: true });
            }"""
        )
        page.get_by_role("button", name="Settings").click()
        page.get_by_label("True pace").check()
        page.keyboard.press("Escape")
        start = page.evaluate("performance.now()")
        say(page, "count")
        assert answered(page) == player.says
        seen = page.evaluate("seen")
        assert [one["text"] for one in seen] == ["one two three", "four five six"]  # whole messages only
        needed = 1000 * (0.2 + 0.05 * 13)
        for before, after in zip([start, seen[0]["time"]], [one["time"] for one in seen], strict=True):
            assert after - before >= needed - 1
        expect(page.get_by_role("button", name="A good reply")).to_have_count(0)  # nothing would be saved here
        page.close()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 200),
        ({"chosen": 5}, 400),
        ({"rejected": "b"}, 400),
        ({"rejected": ["b"] * 65}, 400),
        ({"messages": []}, 400),
        ({"messages": [*HEY, {"role": "assistant", "content": "hi"}]}, 400),
    ],
)
def test_only_a_rating_of_a_reply_is_saved(player: PagePlayer, path: Path, change: dict[str, Any], status: int) -> None:
    body = {"messages": HEY, "chosen": "a", "rejected": ["b", "a", ""], **change}
    with serving(player, token="correct-horse-battery", preferences=path) as address:
        token = {"Authorization": "Bearer correct-horse-battery"}
        assert ask(address, "/preferences", json.dumps(body).encode())[0] == 401
        answer, _, content = ask(address, "/preferences", json.dumps(body).encode(), token)
    assert answer == status
    assert path.exists() is (status == 200)
    if status == 200:
        assert json.loads(content) == {"saved": 1}
        assert preferences(path) == [(HEY, "a", "b")]
