"""The chat page in a real browser: its looks, its settings, the token, the game."""

import json
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright: pip install it")
from chat_page import TRAP, PagePlayer, answered, say, sent
from playwright.sync_api import Browser, Page, expect
from web_server import serving

from selfchatbot.session.game import Game

pytest_plugins = ("chat_page",)


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
