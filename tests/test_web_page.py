"""The chat page in a real browser: a conversation."""

import time

import pytest

pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright: pip install it")
from chat_page import TRAP, PagePlayer, answered, say
from playwright.sync_api import Page, expect

from selfchatbot.display import visible

pytest_plugins = ("chat_page",)


@pytest.mark.parametrize(
    "damage",
    [
        '"x"',
        "5",
        "{",
        "[5, null]",
        '[{"role": "user"}]',
        '[{"role": "assistant", "content": "hi", "worse": 5, "others": [null], "rated": {}}]',
        '{"a": {}}',
        "null",
    ],
)
def test_what_the_browser_kept_may_be_damaged(page: Page, served: tuple[PagePlayer, str], damage: str) -> None:
    keys = ["turns", "former", "draft", "parameters", "contact", "theme", "model", "waiting", "pace"]
    page.evaluate(
        "([keys, value]) => keys.forEach((key) => localStorage.setItem(`selfchatbot.${key}`, value))", [keys, damage]
    )
    page.goto(served[1])
    expect(page.get_by_role("heading", name="Zoë").first).to_be_visible()
    say(page, "hey")
    assert answered(page)


def bubbles(text: str) -> str:
    return "\n".join(line.strip() for line in text.split("\n") if line.strip())


def test_a_conversation_with_another_model_is_set_aside(page: Page) -> None:
    say(page, "hey")
    answered(page)
    page.evaluate("localStorage.setItem('selfchatbot.model', '\"Ana\"')")  # as if that one had been here before
    page.reload()
    expect(page.get_by_role("heading", name="Zoë").first).to_be_visible()
    expect(page.locator(".turn")).to_have_count(0)
    waiting = page.evaluate("JSON.parse(localStorage.getItem('selfchatbot.waiting'))")
    assert waiting["Ana"]["turns"][0]["content"] == "hey"


def test_send_and_the_reply_in_bubbles(page: Page, player: PagePlayer) -> None:
    say(page, "hey\nhow are you?")
    expect(page.locator(".turn.user .bubble")).to_have_text("hey\nhow are you?")
    text = answered(page)
    assert bubbles(text) == bubbles(visible(player.reply([{"role": "user", "content": "hey\nhow are you?"}])))
    player.says = "haha yeah\nit's raining again 😀\n\nsee you"
    say(page, "really?")
    answered(page)
    assert page.locator(".turn.assistant").last.locator(".bubble").all_inner_texts() == [
        "haha yeah",
        "it's raining again 😀",
        "see you",
    ]
    # Screen readers get the whole reply once.
    expect(page.locator("[aria-live=polite]")).to_have_text(f"Zoë: {player.says}")


def test_the_reply_grows_while_it_is_generated(page: Page, player: PagePlayer) -> None:
    player.seconds, player.says = 0.1, "one two three four five six seven eight nine ten"
    player.goes_on.clear()
    say(page, "count")
    expect(page.locator(".typing")).to_be_visible()
    player.goes_on.set()
    reply = page.locator(".turn.assistant .bubble").first
    expect(reply).to_contain_text("one two")
    assert "ten" not in reply.inner_text()
    assert answered(page) == player.says
    expect(page.locator(".typing")).to_have_count(0)


def test_only_what_is_new_moves(page: Page, player: PagePlayer) -> None:
    """What is on the screen already does not fade out and in again when a message is sent or a reply ends."""
    page.evaluate(
        """() => {
            window.appeared = [];
            document.getElementById("log").addEventListener("animationstart", ({ animationName, target }) => {
                if (animationName === "appear" && !target.classList.contains("typing")) appeared.push(target);
            });
        }"""
    )
    for text, reply in (("hey", "one\ntwo"), ("and you?", "three")):
        player.says = reply
        say(page, text)
        assert answered(page) == reply
    page.wait_for_timeout(300)
    assert page.evaluate("appeared.map((bubble) => bubble.textContent)") == ["hey", "one", "two", "and you?", "three"]


def test_stop_keeps_the_part_so_far_and_stops_the_model(page: Page, player: PagePlayer) -> None:
    player.seconds, player.says = 0.1, "one two three four five six seven eight nine ten " * 5
    say(page, "count")
    expect(page.locator(".turn.assistant .bubble").first).to_contain_text("one two")
    page.get_by_role("button", name="Stop the reply").click()
    text = answered(page)
    assert text and player.says.startswith(text) and text != player.says
    expect(page.locator(".turn.assistant")).to_contain_text("stopped")
    time.sleep(0.4)
    made = player.made
    time.sleep(0.5)
    assert player.made == made
    player.seconds, player.says = 0.0, "fine"
    say(page, "go on")
    assert answered(page) == "fine"


def test_retry_replaces_the_reply(page: Page, player: PagePlayer) -> None:
    player.says = "first"
    say(page, "hey")
    assert answered(page) == "first"
    player.says = "second"
    page.get_by_role("button", name="Retry").click()
    assert answered(page) == "second"
    expect(page.locator(".turn")).to_have_count(2)


def test_edit_goes_back_to_that_message(page: Page, player: PagePlayer) -> None:
    player.says = "ok"
    for text in ("one", "two", "three"):
        say(page, text)
        answered(page)
    expect(page.locator(".turn")).to_have_count(6)
    second = page.locator(".turn.user").nth(1)
    second.hover()
    second.get_by_role("button", name="Edit").click()
    expect(page.get_by_label("Message")).to_have_value("two")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_label("Message")).to_have_value("")
    second.hover()
    second.get_by_role("button", name="Edit").click()
    player.says = "another thing"
    say(page, "two and a half")
    assert answered(page) == "another thing"
    assert page.locator(".turn.user .bubble").all_inner_texts() == ["one", "two and a half"]


def test_a_reload_keeps_conversation_and_draft(page: Page, player: PagePlayer) -> None:
    player.says = "it stays"
    say(page, "will it stay?")
    answered(page)
    page.get_by_label("Message").fill("not sent yet")
    page.reload()
    expect(page.locator(".bubble")).to_have_text(["will it stay?", "it stays"])
    expect(page.get_by_label("Message")).to_have_value("not sent yet")
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".bubble")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("Say something to begin")).to_be_visible()
    page.get_by_role("button", name="Back to the last conversation").click()
    expect(page.locator(".bubble")).to_have_text(["will it stay?", "it stays"])
    page.get_by_role("button", name="New conversation").click()
    page.get_by_role("button", name="New conversation").click()
    expect(page.get_by_role("button", name="Back to the last conversation")).to_be_hidden()
    assert "will it stay" not in page.evaluate("JSON.stringify(localStorage)")


def test_a_reload_in_the_middle_of_a_reply_loses_nothing(page: Page, player: PagePlayer) -> None:
    player.seconds, player.says = 0.1, "one two three four five six seven eight nine ten"
    say(page, "count")
    expect(page.locator(".turn.assistant .bubble").first).to_contain_text("one two")
    page.reload()
    expect(page.locator(".turn.user .bubble")).to_have_text("count")
    expect(page.locator(".turn.assistant .bubble").first).to_contain_text("one two")


def test_markup_stays_text_in_messages_of_both_sides(page: Page, player: PagePlayer) -> None:
    player.says = TRAP
    say(page, TRAP)
    assert answered(page) == TRAP
    page.reload()
    expect(page.locator(".bubble")).to_have_text([TRAP, TRAP])
    assert page.title() == "Zoë"
    assert page.locator("#log img, #log script").count() == 0


def test_the_keyboard_alone_is_enough(page: Page, player: PagePlayer) -> None:
    player.says = "ok"
    keys = page.keyboard
    expect(page.get_by_label("Message")).to_be_focused()
    keys.type("one")
    keys.press("Shift+Enter")
    keys.type("two")
    keys.press("Enter")
    answered(page)
    expect(page.locator(".turn.user .bubble")).to_have_text("one\ntwo")
    keys.press("ArrowUp")
    expect(page.get_by_label("Message")).to_have_value("one\ntwo")
    keys.press("Escape")
    expect(page.get_by_label("Message")).to_have_value("")
    player.seconds, player.says = 0.1, "one two three four five six seven eight nine ten"
    keys.type("count")
    keys.press("Enter")
    expect(page.locator(".turn.assistant").last.locator(".bubble").first).to_contain_text("one")
    keys.press("Escape")
    assert answered(page) != player.says
    # Tab reaches every control, and each has a name.
    player.seconds, player.says = 0.0, "again"
    names = set()
    for _ in range(12):
        keys.press("Tab")
        names.add(page.evaluate("document.activeElement.innerText || document.activeElement.ariaLabel"))
        if page.evaluate("document.activeElement.innerText") == "Retry":
            keys.press("Enter")
            break
    assert answered(page) == "again"
    page.get_by_role("button", name="Settings").focus()
    keys.press("Enter")
    expect(page.get_by_role("dialog", name="Settings")).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_role("dialog", name="Settings")).to_be_hidden()
    expect(page.get_by_role("button", name="Settings")).to_be_focused()


def test_every_control_has_a_name(page: Page, player: PagePlayer) -> None:
    player.says = "ok"
    say(page, "hey")
    answered(page)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea")].filter((control) =>
            !control.ariaLabel && !control.textContent.trim() && !control.labels?.length).map((c) => c.outerHTML)"""
    )
    assert nameless == []
