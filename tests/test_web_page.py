"""The chat page in a real browser: Chromium or Chrome, as it is installed on this machine."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright: pip install it")
from chat_page import TRAP, PagePlayer, answered, say, sent
from playwright.sync_api import Browser, Page, expect
from web_server import serving, tiny_player

from selfchatbot.session.game import Game


@pytest.fixture(scope="module")
def served(tiny_model: Path) -> Iterator[tuple[PagePlayer, str]]:
    player = tiny_player(tiny_model, PagePlayer)
    assert isinstance(player, PagePlayer)
    player.parameters = player.parameters.model_copy(update={"temperature": 0.0})
    with serving(player) as address:
        yield player, address


@pytest.fixture
def player(served: tuple[PagePlayer, str]) -> PagePlayer:
    player = served[0]
    player.seconds, player.says = 0.0, None
    return player


@pytest.fixture
def page(browser: Browser, served: tuple[PagePlayer, str], player: PagePlayer) -> Iterator[Page]:
    """The open page. At the end, there must be no error in its console and no request to another server."""
    context = browser.new_context(viewport={"width": 1100, "height": 720})
    page = context.new_page()
    page.set_default_timeout(20_000)
    wrong: list[str] = []
    page.on("console", lambda message: message.type in ("error", "warning") and wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: request.url.startswith(served[1]) or wrong.append(request.url))
    page.goto(served[1])
    expect(page.get_by_role("heading", name="Zoë").first).to_be_visible()
    yield page
    context.close()
    assert not wrong


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
    assert bubbles(text) == bubbles(player.reply([{"role": "user", "content": "hey\nhow are you?"}]))
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


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_s_screen(page: Page, player: PagePlayer, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 640})
    player.says = "haha yeah\n" + "a" * 200 + "\nit's raining again, don't forget your umbrella"
    for text in ("what about you? " * 10, "https://example.org/" + "b" * 100):
        say(page, text)
        answered(page)
    page.get_by_label("Message").fill("three\nlines\nhere")
    wider = "() => document.scrollingElement.scrollWidth - innerWidth"
    assert page.evaluate(wider) <= 0
    assert page.evaluate("() => document.getElementById('scroll').scrollWidth - innerWidth") <= 0
    # The end of the conversation and the field are in sight.
    expect(page.locator(".turn.assistant .bubble").last).to_be_in_viewport()
    expect(page.get_by_label("Message")).to_be_in_viewport(ratio=1)
    assert page.get_by_role("button", name="Send").bounding_box()["height"] >= 40
    page.get_by_role("button", name="Settings").click()
    page.wait_for_timeout(300)
    assert page.evaluate(wider) <= 0
    assert page.get_by_role("dialog", name="Settings").bounding_box()["width"] <= width


@pytest.mark.parametrize("width", [320, 390])
def test_names_are_whole_on_a_phone(browser: Browser, player: PagePlayer, tmp_path: Path, width: int) -> None:
    name, contact = "Jonathan", "user_with_quite_a_name_1987"
    messages = [{"role": "user", "content": "hey"}, {"role": "assistant", "content": "hey you"}]
    (tmp_path / "test.jsonl").write_text(json.dumps({"messages": messages}) + "\n", encoding="utf-8")
    game = Game(player, tmp_path, tmp_path, "best")
    with serving(player, name=name, contacts={contact: "You are talking to them."}, game=game) as address:
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.goto(address)
        heading = page.get_by_role("heading", name=name).first
        expect(heading).to_be_visible()
        assert heading.evaluate("(one) => one.scrollWidth <= one.clientWidth && one.scrollHeight <= one.clientHeight")
        page.get_by_label("Who you are").select_option(f"As {contact}")
        room = page.get_by_label("Who you are").evaluate(
            """(field) => {
                const { font, paddingLeft, paddingRight } = getComputedStyle(field);
                const pen = document.createElement("canvas").getContext("2d");
                pen.font = font;
                const text = pen.measureText(field.selectedOptions[0].text).width;
                return field.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight) - text;
            }"""
        )
        assert room >= 0
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        page.close()


def test_dark_and_light(page: Page) -> None:
    def ground() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = ground()
    page.emulate_media(color_scheme="dark")
    dark = ground()
    assert light != dark
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Light", exact=True).check(force=True)
    assert ground() == light
    page.reload()
    expect(page.get_by_text("Say something to begin")).to_be_visible()
    assert ground() == light


def test_parameters_are_sent_when_they_were_changed(page: Page, player: PagePlayer) -> None:
    hey = [{"role": "user", "content": "hey"}]
    assert sent(page, "hey") == {"messages": hey, "stream": True}
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_label("Liveliness")).to_have_value("0")
    page.get_by_label("Liveliness").fill("1.5")
    page.get_by_label("Longest reply").fill("12")
    page.get_by_label("Seed").fill("7")
    page.get_by_label("Word choice").fill("-3")
    page.get_by_role("button", name="Close").click()
    body = sent(page, "again")
    assert {key: body[key] for key in body if key not in ("messages", "stream")} == {
        "temperature": 1.5,
        "max_tokens": 12,
        "seed": 7,
    }
    page.reload()
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_label("Liveliness")).to_have_value("1.5")
    page.get_by_role("button", name="Reset to the model").click()
    expect(page.get_by_label("Liveliness")).to_have_value("0")
    expect(page.get_by_label("Seed")).to_have_value("")


def test_contacts_are_offered_where_the_model_knows_any(browser: Browser, page: Page, player: PagePlayer) -> None:
    expect(page.get_by_label("Who you are")).to_be_hidden()
    with serving(player, contacts={"Ana": "You are talking to Ana.", "<b>Bo</b>": "You are talking to Bo."}) as address:
        other = browser.new_page()
        other.goto(address)
        other.get_by_label("Who you are").select_option("As Ana")
        system = {"role": "system", "content": "You are talking to Ana."}
        assert sent(other, "hey")["messages"] == [system, {"role": "user", "content": "hey"}]
        other.reload()
        expect(other.get_by_label("Who you are")).to_have_value("You are talking to Ana.")
        other.close()


def test_a_token_is_asked_for(browser: Browser, player: PagePlayer) -> None:
    player.says = "welcome"
    with serving(player, token="correct-horse-battery") as address:
        page = browser.new_page()
        page.goto(address)
        expect(page.get_by_role("heading", name="Token")).to_be_visible()
        expect(page.get_by_role("alert")).to_be_hidden()
        page.locator("#token").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("That token is wrong")
        page.locator("#token").fill("correct-horse-battery")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Token")).to_be_hidden()
        say(page, "hey")
        assert answered(page) == "welcome"
        page.reload()
        expect(page.locator(".bubble")).to_have_text(["hey", "welcome"])
        page.close()


def test_a_lost_server_is_reported_and_retry_works_when_it_is_back(browser: Browser, player: PagePlayer) -> None:
    player.says = "back again"
    page = browser.new_page()
    with serving(player) as address:
        page.goto(address)
        expect(page.get_by_role("heading", name="Zoë").first).to_be_visible()
    say(page, "still there?")
    expect(page.get_by_role("alert")).to_contain_text("can't be reached")
    page.get_by_role("button", name="Get a reply").click()
    expect(page.get_by_role("alert")).to_contain_text("can't be reached")
    with serving(player, port=int(address.rpartition(":")[2])):
        page.get_by_role("button", name="Get a reply").click()
        assert answered(page) == "back again"
    # A reply stays if the one that should replace it does not come.
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("alert")).to_contain_text("can't be reached")
    assert answered(page) == "back again"
    page.close()


def test_the_game_is_played_with_the_keyboard(browser: Browser, page: Page, player: PagePlayer, tmp_path: Path) -> None:
    expect(page.get_by_role("link", name="Me or model?")).to_be_hidden()
    turns = [
        ("user", f"any news {TRAP}?"),
        ("assistant", "not much, it rains"),
        ("user", "still?"),
        ("assistant", "it does!"),
    ]
    messages = [{"role": role, "content": text} for role, text in turns]
    (tmp_path / "test.jsonl").write_text(json.dumps({"messages": messages}) + "\n", encoding="utf-8")
    player.says = "here too"
    real = {"not much, it rains", "it does!"}
    with serving(player, game=Game(player, tmp_path, tmp_path, "best", seed=1)) as address:
        other = browser.new_page()
        other.goto(address)
        link = other.get_by_role("link", name="Me or model?")
        assert link.inner_text().startswith("Game")
        link.click()
        rights = 0
        for number in (1, 2):
            verdict = other.get_by_role("status")
            expect(verdict).to_contain_text("One reply is real")
            expect(other.locator("button.answer:enabled")).to_have_count(2)
            expect(other.locator(".turn.user").first).to_contain_text(f"any news {TRAP}?")
            texts = other.locator(".answer .text").all_inner_texts()
            assert "here too" in texts and set(texts) & real
            # None of them looks chosen.
            assert not other.locator(".answer.real, .answer:focus").count()
            other.keyboard.press("a")
            expect(verdict).to_contain_text(" was real. ")
            rights += texts[0] in real
            assert ("Right" if texts[0] in real else "Wrong") in verdict.inner_text()
            assert f"{rights} of {number} right" in verdict.inner_text()
            assert other.locator(".answer.real .text").inner_text() in real
            other.keyboard.press("Enter")
        expect(other.get_by_text("no more replies to guess")).to_be_visible()
        assert other.title() == "Me or model?"
        other.close()
    records = [json.loads(line) for line in (tmp_path / "game.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]
    assert [record["right"] for record in records].count(True) == rights
