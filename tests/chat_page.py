"""What tests of the chat page share: a player that says what it is told, and the steps of somebody who chats."""

import json
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from web_server import SlowPlayer, serving, tiny_player

from selfchatbot.player import ReplyChunk

TRAP = "<img src=x onerror=\"document.title='trapped'\"><script>document.title='trapped'</script>&amp; **hi**"


class PagePlayer(SlowPlayer):
    """Replies with a given text if there is one, else with the tiny model."""

    says: str | None = None
    others: tuple[str, ...] = ()
    """What it says when several replies are wanted."""
    goes_on = threading.Event()
    """It waits for this before each part of what it says."""
    goes_on.set()

    def chunks(self, *arguments: Any, **options: Any) -> Generator[ReplyChunk, None, None]:
        if self.says is None:
            yield from super().chunks(*arguments, **options)
        elif len(arguments) > 1 and arguments[1] > 1:
            for number, text in enumerate(self.others):
                yield ReplyChunk(number, text, 1, "stop")
        else:
            for place in range(0, len(self.says), 5):
                self.goes_on.wait(20)
                time.sleep(self.seconds)
                self.made += 1
                yield ReplyChunk(0, self.says[place : place + 5], place // 5 + 1)
            yield ReplyChunk(0, "", len(self.says), "stop")


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


def say(page: Page, text: str) -> None:
    page.get_by_label("Message").fill(text)
    page.get_by_role("button", name="Send").click()


def answered(page: Page) -> str:
    """The last reply, when it is complete."""
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(page.get_by_role("button", name="Retry")).to_be_visible()
    return "\n".join(page.locator(".turn.assistant").last.locator(".bubble").all_inner_texts())


def sent(page: Page, text: str) -> dict[str, Any]:
    """The request that a message makes."""
    with page.expect_request("**/v1/chat/completions") as made:
        say(page, text)
    answered(page)
    body: dict[str, Any] = json.loads(made.value.post_data)
    return body
