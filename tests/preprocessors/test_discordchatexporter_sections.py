"""DiscordChatExporter's text: what the exporter writes between messages."""

from datetime import timedelta
from pathlib import Path

import pytest
from discord_writer import RULE, Sent, export
from hypothesis import strategies as st
from test_discordchatexporter import START, chat, of, typed

from selfchatbot.preprocessors import ExportFile

EVERYTHING = Sent(
    START,
    "moss",
    "",
    forwarded="words of\n\nsomebody else",
    attachments=["https://cdn.discordapp.com/attachments/1/2/a.png", r"trips.txt_Files\IMG 1-0A1B2.jpg"],
    embeds=[["https://example.org", "A title", "text\n\nmore text", "{name}"], ["only a title"]],
    stickers=["https://discord.com/stickers/1.json"],
    reactions=["👍 (2)", "KEKW (12)", "❤️"],
)


@pytest.mark.parametrize("version", ["2.47", "2.40", "2.36", "2.19", "2.15"])
@pytest.mark.parametrize("content", ["", "hello", "hello\n\nthere", "{Embed} and {Reactions} are words", "}{ {{x}}"])
def test_sections_are_not_typed(tmp_path: Path, version: str, content: str) -> None:
    sections = ("forwarded", "attachments", "embeds", "stickers", "reactions")
    messages = [Sent(START, "rowan", "before")]
    for kept in range(2 ** len(sections)):
        some = {name: getattr(EVERYTHING, name) for bit, name in enumerate(sections) if kept & 2**bit}
        if some.get("forwarded") and content == "" and version != "2.47":
            continue
        messages.append(Sent(START, "moss", content, **some))
    messages.append(Sent(START, "rowan", "after"))
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages, version))
    files: list[ExportFile] = []
    assert typed(path, files) == of(messages)
    assert files[0].notes == []


@pytest.mark.parametrize(
    "content",
    [
        "{Attachments}",
        "look:\n\n{Attachments}\nand that was it",
        "look:\n\n{Attachments}\n\nhttps://example.org/a.png",
        "look:\n\n{Attachments}\nhttps://example.org/a.png\n\nbelow",
        "look:\n{Attachments}\nhttps://example.org/a.png",
        "{Stickers}\nare fun",
        "look:\n\n{Embed}",
        "look:\n\n{Embed}\n\nis what it writes",
        "{Reactions}\nwhat do these words mean?",
        "look:\n\n{Reactions}\nLOL",
        "{Forwarded Message}\nsaid nobody",
        "{Forwarded Message}\nOriginally sent: never",
        "so\n\n{Forwarded Message}\nOriginally sent: 2024-01-10 20:00 by me",
        "Exported 5 message(s)",
        f"{RULE}\nExported 5 message(s)\n{RULE}",
        f"as in\n\n{RULE}\n\nor so",
        "Guild: x",
    ],
)
def test_words_of_the_exporter_in_the_text(tmp_path: Path, content: str) -> None:
    messages = chat("one", content, "three", content)
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages))
    files: list[ExportFile] = []
    assert typed(path, files) == of(messages)
    assert (files[0].messages, files[0].declared, files[0].notes) == (4, 4, [])


def test_real_sections_below_such_words(tmp_path: Path) -> None:
    text = "look:\n\n{Embed}\nis what it writes"
    messages = [Sent(START, "rowan", text, attachments=["https://cdn.discordapp.com/a"]), Sent(START, "moss", "ok")]
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages))
    assert typed(path) == of(messages)


@pytest.mark.parametrize(
    "sentence",
    [
        *(
            "Added Bob the Builder to the group.",
            "Added a recipient.",
            "Left the group.",
            "Removed Bob from the group.",
        ),
        *("Removed a recipient.", "Started a call.", "Started a call that lasted 0 minutes.", "Pinned a message."),
        *("Started a call that lasted 1,024 minutes.", "Changed the channel name.", "Changed the channel icon."),
        *("Changed the channel name: the new one", "Started a thread.", "Joined the server."),
    ],
)
def test_system_messages_are_not_typed(tmp_path: Path, sentence: str) -> None:
    messages = chat("one", sentence, f"haha {sentence}", f"{sentence[:-1]}\n:)")
    path = tmp_path / "a.txt"
    path.write_bytes(export(messages))
    files: list[ExportFile] = []
    assert [content for _, _, content in typed(path, files)] == ["one", f"haha {sentence}", f"{sentence[:-1]}\n:)"]
    assert files[0].messages == 4


NASTY = st.sampled_from(
    [
        *(
            "",
            "",
            "{Embed} ",
            " {Attachments}",
            "{Stickers}.",
            "[2024-01-10 20:00]",
            "[2024-01-10 20:00]moss",
            RULE[1:],
        ),
        *("[x] moss", "https://example.org/{a}?b=[c]", "(pinned)", "Exported 5 message(s)", "Guild: x", "\u2028[1] a"),
        *("*{Reactions}*", "Originally sent: 2024-01-10 20:00", "\u0085", "\x0c", "[", "]", "{}", "👍 (2)", "\ufeff"),
    ]
)

# NUL and the halves of surrogate pairs can't be sent; Discord turns CRLF into LF.
LINE = NASTY | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), max_size=30)

TEXT = st.lists(LINE, min_size=1, max_size=6).map("\n".join).map(str.strip)

NAME = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"]), min_size=2, max_size=32)

URL = st.from_regex(r"https://cdn\.discordapp\.com/[a-z0-9]{1,9}", fullmatch=True)

REACTION = st.from_regex(r"(?:👍|❤️|🧗|[A-Za-z0-9_]{2,12})(?: \([1-9][0-9]?\))?", fullmatch=True)


@st.composite
def sent(draw: st.DrawFn) -> list[Sent]:
    time, messages = START, []
    names = draw(st.lists(NAME, min_size=1, max_size=4))
    for _ in range(draw(st.integers(1, 12))):
        time += timedelta(minutes=draw(st.sampled_from([0, 1, 59, 1500, 44_000])))
        messages.append(
            Sent(
                time,
                draw(st.sampled_from(names)),
                draw(TEXT),
                pinned=draw(st.booleans()),
                attachments=draw(st.lists(URL, max_size=2)),
                embeds=draw(st.lists(st.lists(URL | NAME, min_size=1, max_size=3), max_size=2)),
                reactions=draw(st.lists(REACTION, max_size=3)),
            )
        )
    return messages
