"""Telegram's HTML: every export in telegram_html/ gives what the .json beside it says, and so do written pages."""

import html
import shutil
import tracemalloc
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import examples
from export_cases import DAMAGE, NAMES, cases, check_case, check_damaged, error_of, read, text
from hypothesis import given, settings
from hypothesis import strategies as st

from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.reading.hints import hint_for_folder
from selfchatbot.preprocessors.telegram import Telegram

EXPORTS = Path(__file__).parent / "telegram_html"
FILES = sorted(path for path in EXPORTS.rglob("*.html") if path.parent.name != "both")
HEAD = (
    "<!DOCTYPE html>\n<html>\n\n <head>\n\n<title>Exported Data</title>\n\n </head>\n\n <body>\n"
    '\n  <div class="page_wrap">\n\n   <div class="page_header">\n\n    <div class="content">\n'
    '\n     <div class="text bold">\nAna \n     </div>\n\n    </div>\n\n   </div>\n'
)
TAIL = "\n  </div>\n\n </body>\n\n</html>\n"


def page(*messages: str) -> str:
    return HEAD + "".join(messages) + TAIL


def message(number: int, author: str | None, time: datetime, typed: str, more: str = "") -> str:
    """A message as the exporter indents it; ``more`` stands between the name and the text."""
    escaped = html.escape(typed).replace("&#x27;", "&apos;").replace("\n", "<br>")
    name = f'\n       <div class="from_name">\n{html.escape(author)}\n       </div>\n' if author else ""
    return (
        f'\n     <div class="message default clearfix{"" if author else " joined"}" id="message{number}">\n'
        f'\n      <div class="body">\n\n       <div class="pull_right date details" title="{time:%d.%m.%Y %H:%M:%S} '
        f'UTC+01:00">\n{time:%H:%M}\n       </div>\n{name}{more}\n       <div class="text">\n{escaped}\n       </div>\n'
        "\n      </div>\n\n     </div>\n"
    )


NOON = datetime(2024, 1, 31, 12)


@pytest.mark.parametrize("case", cases(EXPORTS))
def test_exports_give_what_was_typed(case: str) -> None:
    check_case(Telegram(), EXPORTS, case)


def test_it_recognises_its_own() -> None:
    for path in FILES:
        assert Telegram.recognises(path, path.read_bytes()[:65536]) == path.name.startswith("messages"), path


def test_pages_that_were_sent_are_not_read(tmp_path: Path) -> None:
    sent = tmp_path / "ChatExport" / "files"
    sent.mkdir(parents=True)
    (sent.parent / "messages.html").write_text(page(message(1, "Ana", NOON, "hi")), encoding="utf-8")
    (sent / "messages.html").write_text(page(message(1, "Eve", NOON, "sent")), encoding="utf-8")
    assert [one.author for one in read(Telegram(), tmp_path)[0]] == ["Ana"]


def test_a_page_in_another_apps_folder_is_known(tmp_path: Path) -> None:
    (tmp_path / "messages.html").write_text(page(message(1, "Ana", NOON, "hi")), encoding="utf-8")
    hint = hint_for_folder(Preprocessors["WhatsApp"], tmp_path) or ""
    assert "looks like Telegram: put it into a folder named Telegram" in hint


SENT = st.tuples(NAMES, text('<div class="message">', "&lt;br&gt;", "a  b", "&#x0B;"), st.integers(0, 3))


@settings(max_examples=examples(60))
@given(sent=st.lists(SENT, min_size=1, max_size=8), pages=st.integers(1, 3))
def test_any_chat_comes_back_message_for_message(sent: list[tuple[str, str, int]], pages: int) -> None:
    # Qt has no control characters in what it shows but line breaks, and pages no U+2028 and U+2029.
    sent = [
        (name, "".join(c for c in typed if c == "\n" or c.isprintable()).strip(), kind) for name, typed, kind in sent
    ]
    media = '\n       <div class="media_wrap">\n\n        <div class="text">\nPhoto\n        </div>\n\n       </div>\n'
    expected, written, last = [], [], None
    for number, (name, typed, kind) in enumerate(sent, 1):
        time = NOON + timedelta(seconds=number)
        joined = last == name and kind == 0
        written.append(message(number, None if joined else name, time, typed, media if kind == 1 else ""))
        last = name
        if typed:
            expected.append((time, name, typed))
    size = -(-len(written) // pages)
    with TemporaryDirectory() as temporary:
        for first in range(0, len(written), size):
            part = written[first : first + size]
            if "from_name" not in part[0]:  # the first of a page never joins another
                part[0] = message(first + 1, sent[first][0], NOON + timedelta(seconds=first + 1), sent[first][1])
            name = f"messages{first // size + 1 if first else ''}.html"
            Path(temporary, name).write_text(page(*part), encoding="utf-8", newline="\n")
        found, files = read(Telegram(), Path(temporary))
    assert [(one.timestamp, one.author, one.content) for one in found] == expected
    assert files[0].messages == len(sent)


@settings(max_examples=examples(100))
@given(file=st.sampled_from(FILES), damage=DAMAGE)
def test_damaged_files_never_give_a_traceback(file: Path, damage: list[tuple[str, float, float, bytes]]) -> None:
    check_damaged(Telegram(), EXPORTS / file.relative_to(EXPORTS).parts[0], file, damage)


def test_a_killed_export_gives_what_is_there(tmp_path: Path) -> None:
    whole = page(message(1, "Ana", NOON, "one"), message(2, "Bo", NOON, "two"))
    (tmp_path / "messages.html").write_text(whole[: whole.index("two") + 1], encoding="utf-8")
    messages, files = read(Telegram(), tmp_path)
    assert [one.content for one in messages] == ["one"]
    assert files[0].notes == ["messages.html is cut short: what it has was read; export it again for the rest"]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("<html></html>", "no chat of a Telegram export"),
        (page(message(1, None, NOON, "secret")), "message id 1: it has no sender"),
        (page(message(1, "Ana", NOON, "secret").replace("31.01.2024", "31.13.2024")), "message id 1: it has no date"),
        (page(message(1, "Ana", NOON, "secret").replace("31.01.2024", "1/31/2024")), "message id 1: it has no date"),
    ],
)
def test_what_is_no_export_is_one_line(tmp_path: Path, written: str, found: str) -> None:
    (tmp_path / "messages.html").write_text(written, encoding="utf-8")
    error = error_of(Telegram(), tmp_path)
    assert found in error
    assert "messages.html" in error
    assert "secret" not in error


def test_memory_and_time_stay_small_whatever_the_page_holds(tmp_path: Path) -> None:
    junk = ["<a " * 2**20, "<!--" * 2**20, "&#" * 2**20, "< " * 2**20]
    more = [*junk, *[""] * 9_000]
    messages = [message(number, "Ana", NOON, "word " * 100, more[number]) for number in range(9_000)]
    (tmp_path / "messages.html").write_text(page(*messages), encoding="utf-8")
    del messages
    tracemalloc.start()
    try:
        assert sum(1 for _ in Telegram().read(tmp_path)) > 8_900
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20  # the file has 20 MiB, with a line of 4 MiB
    finally:
        tracemalloc.stop()


def test_html_is_read_in_a_folder_of_its_own_beside_json_of_other_chats(tmp_path: Path) -> None:
    page, result = EXPORTS / "account" / "chats" / "chat_001" / "messages.html", EXPORTS / "both" / "result.json"
    places = ("ChatExport_b", "chats/chat_001", "files", "ChatExport_b/files", "chats/chat_001/files", "")
    for place in places:
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(page, tmp_path / place)
    shutil.copy(result, tmp_path)
    read = [str(file.relative_to(tmp_path)) for file in map(Path, map(str, Telegram().export_files(tmp_path)))]
    assert read == ["ChatExport_b/messages.html", "result.json"]
