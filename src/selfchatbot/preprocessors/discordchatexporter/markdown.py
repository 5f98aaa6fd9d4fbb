"""Markdown as it was typed, from the HTML that DiscordChatExporter makes of it.

Grammar: ``HtmlMarkdownVisitor.cs`` and ``MarkdownParser.cs``. Which of two ways of writing the same was typed, ``*a*``
or ``_a_``, can't be seen: it is the usual one. Mentions and dates stay as they are shown, as in other kinds of export.
"""

import re
from dataclasses import dataclass, field

from selfchatbot.preprocessors.reading.html_stream import Tag, unescaped

MARKS = {"strong": "**", "em": "*", "u": "__", "s": "~~"}
HEADINGS = {"h1": "# ", "h2": "## ", "h3": "### "}
CUSTOM_EMOJI = re.compile(r"\w+", re.ASCII)
"""Names of emoji of Discord's own; of others, it is the emoji itself."""
VOID = frozenset(("img", "br", "wbr"))


@dataclass(slots=True)
class _Open:
    """An element that is not closed yet."""

    name: str
    before: str = ""
    after: str = ""
    kind: str = ""
    """``quote``, ``link``, ``block``, or nothing special."""
    href: str = ""
    text: list[str] = field(default_factory=list)


class Markdown:
    """Takes the tags inside the content of a message, one after the other."""

    def __init__(self, first: Tag) -> None:
        """``first`` is the tag of the content itself."""
        self._stack = [_Open(first.name, text=[unescaped(first.text)])]
        self._after_block = False
        """Whether a line break belongs in front of what follows: that behind a heading, say, is left out."""

    def take(self, tag: Tag) -> str | None:
        """Add a tag and the text behind it; gives what was typed when that closes the content."""
        if tag.name.startswith("!"):
            self._add(unescaped(tag.text))
        elif tag.name.startswith("/"):
            if (whole := self._close(tag.name[1:])) is not None:
                return whole
            self._add(unescaped(tag.text))
        elif tag.name in VOID:
            self._add(_void(tag))
            self._add(unescaped(tag.text))
        else:
            if self._after_block:
                self._add("\n")
            self._stack.append(_opened(tag))
            self._add(unescaped(tag.text))
        return None

    def _add(self, text: str) -> None:
        if text:
            if self._after_block and not text.startswith("\n"):
                self._stack[-1].text.append("\n")
            self._after_block = False
            self._stack[-1].text.append(text)

    def _close(self, name: str) -> str | None:
        top = self._stack[-1]
        if top.name != name:
            return None
        text = "".join(top.text)
        if len(self._stack) == 1:
            return text
        self._stack.pop()
        after_block, self._after_block = self._after_block, False
        if top.kind == "quote":
            ended = text.endswith("\n")
            text = "> " + text.removesuffix("\n").replace("\n", "\n> ")
            self._add(text)
            self._after_block = ended
        elif top.kind == "link":
            self._add(text if text == top.href else f"[{text}]({top.href})")
        elif top.kind == "block":
            self._add(f"{top.before}{text}")
            self._after_block = True
        else:
            self._add(f"{top.before}{text}{top.after}")
            self._after_block = after_block
        return None


def _opened(tag: Tag) -> _Open:
    if tag.name in MARKS:
        return _Open(tag.name, MARKS[tag.name], MARKS[tag.name])
    if tag.name in HEADINGS:
        return _Open(tag.name, HEADINGS[tag.name], kind="block")
    if tag.name == "li":
        return _Open(tag.name, "- ", kind="block")
    attributes = tag.attributes()
    classes = attributes.get("class", "").split()
    if tag.name == "a":
        return _Open(tag.name, kind="link", href=attributes.get("href", ""))
    if any("spoiler" in one for one in classes):
        return _Open(tag.name, "||", "||")
    if any(one.endswith("pre--multiline") for one in classes):
        language = next((one.removeprefix("language-") for one in classes if one.startswith("language-")), "")
        return _Open(tag.name, f"```{language}\n", "\n```")
    if any(one.endswith("pre--inline") for one in classes):
        return _Open(tag.name, "`", "`")
    return _Open(tag.name, kind="quote" if {"chatlog__markdown-quote-content", "quote"} & {*classes} else "")


def _void(tag: Tag) -> str:
    if tag.name == "br":
        return "\n"
    name = tag.attributes().get("alt", "")
    return f":{name}:" if CUSTOM_EMOJI.fullmatch(name) else name
