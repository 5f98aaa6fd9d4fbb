"""DiscordChatExporter's HTML: the pages in discordchatexporter/html, and others that hypothesis writes."""

import html
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import examples
from export_cases import DAMAGE, cases, check_case, check_damaged, error_of, read
from hypothesis import given, settings
from hypothesis import strategies as st

from selfchatbot.preprocessors.discordchatexporter import DiscordChatExporter

EXPORTS = Path(__file__).parent / "discordchatexporter" / "html"
FILES = sorted(EXPORTS.glob("*/*.html"))
MODERN = next(path for path in FILES if path.parent.name == "modern").read_text(encoding="utf-8")
PREAMBLE, POSTAMBLE = (
    MODERN[: MODERN.index("<div class=chatlog__message-group>")],
    MODERN[MODERN.index("</div>\n<div class=post") :],
)
FIRST = (1706720400000 - 1420070400000) << 22


def message(number: int, content: str) -> str:
    return (
        f"<div class=chatlog__message-group><div class=chatlog__message-container data-message-id={number}><div "
        "class=chatlog__message><div class=chatlog__message-primary><div class=chatlog__header><span "
        'class=chatlog__author title="Ana" data-user-id=1>Ana</span></div><div class="chatlog__content '
        f'chatlog__markdown"><span class=chatlog__markdown-preserve>{content}</span></div></div></div></div></div>\n'
    )


def write(path: Path, *contents: str) -> None:
    written = [message(FIRST + (number << 22), content) for number, content in enumerate(contents)]
    end = re.sub(r"Exported \d+", f"Exported {len(contents)}", POSTAMBLE)
    path.write_text(PREAMBLE + "".join(written) + end, encoding="utf-8", newline="\n")


@pytest.mark.parametrize("case", cases(EXPORTS))
def test_exports_give_what_was_typed(case: str) -> None:
    check_case(DiscordChatExporter(), EXPORTS, case)


def test_it_recognises_its_own() -> None:
    for path in FILES:
        assert DiscordChatExporter.recognises(path, path.read_bytes()[:65536]), path
    assert not DiscordChatExporter.recognises(Path("messages.html"), b'<div class="page_wrap">Exported Data')


def test_the_page_counts_beside_other_kinds_of_the_same_export(tmp_path: Path) -> None:
    write(tmp_path / "general.html", "a", "b", "c")
    rows = ["AuthorID,Author,Date,Content,Attachments,Reactions", '"1","Ana","2024-01-31T17:00:00+00:00","a","",""']
    (tmp_path / "general.csv").write_text("\n".join(rows), encoding="utf-8")
    messages, files = read(DiscordChatExporter(), tmp_path)
    assert [one.content for one in messages] == ["a", "b", "c"]
    assert files[0].notes == ["general.csv is the same in another kind: left out"]


TYPED = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40) | st.just("a\n\n  b")


@settings(max_examples=examples(60))
@given(contents=st.lists(TYPED, min_size=1, max_size=6))
def test_any_text_comes_back(contents: list[str]) -> None:
    with TemporaryDirectory() as temporary:
        # WebUtility.HtmlEncode writes Latin-1 letters as numbers.
        encoded = ["".join(f"&#{ord(c)};" if 160 <= ord(c) < 256 else html.escape(c) for c in one) for one in contents]
        write(Path(temporary, "a.html"), *encoded)
        messages, files = read(DiscordChatExporter(), Path(temporary))
    assert [one.content for one in messages] == [one for one in contents if one.strip()]
    assert (files[0].messages, files[0].notes) == (len(contents), [])


@settings(max_examples=examples(100))
@given(file=st.sampled_from(FILES), damage=DAMAGE)
def test_damaged_files_never_give_a_traceback(file: Path, damage: list[tuple[str, float, float, bytes]]) -> None:
    check_damaged(DiscordChatExporter(), file.parent, file, damage)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("<html><body>secret</body></html>", "no HTML of DiscordChatExporter"),
        (PREAMBLE + message(FIRST, "secret").replace(str(FIRST), "x"), "a message whose id is no number"),
        (PREAMBLE + message(2**70, "secret"), "a message whose id is no number"),
    ],
)
def test_what_is_no_export_is_one_line(tmp_path: Path, written: str, found: str) -> None:
    (tmp_path / "a.html").write_text(written, encoding="utf-8")
    error = error_of(DiscordChatExporter(), tmp_path)
    assert found in error
    assert "a.html" in error
    assert "secret" not in error
