"""What was typed, from the ``text`` of a Slack message.

Grammar: "Formatting message text" of Slack's documentation: ``<@U1>``, ``<@U1|name>``, ``<#C1|name>``, ``<!here>``,
``<!subteam^S1|@name>``, ``<!date^...|fallback>``, ``<url>``, ``<url|label>``, and three entities for ``& < >``. Emoji
are kept as ``:name:`` (with ``:skin-tone-2:`` to ``6``). The blocks of a message, where it has them (since 2019), say
which ``:names:`` are emoji and which were typed; without them, every name that the package emoji knows is one.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

MARKUP = re.compile(r"<([^<>]*)>|:([^\s:<>]+):(?::skin-tone-([2-6]):)?")
SHARED = re.compile(r"<@\w+(?:\|[^<>]*)?> (?:uploaded|shared) a file: <[^<>]*>(?: and commented: (.*))?", re.DOTALL)
ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
VARIATION = "\ufe0f"
SLACK_ONLY = {"simple_smile": "\U0001f642"}


def comment_on_file(entry: Mapping[str, Any]) -> object:
    """What was typed with a file. Until 2018 it stood in a sentence of Slack's."""
    text = entry.get("text")
    if not isinstance(text, str) or (shared := SHARED.fullmatch(text)) is None:
        return text
    file = entry.get("file")
    comment = file.get("initial_comment") if isinstance(file, dict) else None
    return comment.get("comment") if isinstance(comment, dict) else shared[1]


def decoded(text: str, blocks: object, author: Callable[[str], str], channels: Mapping[str, str]) -> str:
    """What was typed; ``author`` names a member by id, ``channels`` a channel."""
    if "<" in text or ":" in text:
        typed = _emoji_of(blocks) if ":" in text else None

        def plain(match: re.Match[str]) -> str:
            if match[1] is not None:
                return _reference(match[1], author, channels)
            name, tone = match[2], match[3]
            character = _named(name, tone) if typed is None else typed.get((name, tone))
            return character or match[0]

        text = MARKUP.sub(plain, text)
    if "&" in text:
        for entity, character in ENTITIES:
            text = text.replace(entity, character)
    return text


def _reference(inside: str, author: Callable[[str], str], channels: Mapping[str, str]) -> str:
    """What people see of a mention or link."""
    target, _, label = inside.partition("|")
    kind, name = target[:1], target[1:]
    if kind == "@":
        known = author(name)
        return f"@{label.removeprefix('@') if known == name and label else known}"
    if kind == "#":
        return f"#{channels.get(name) or label or name}"
    if kind == "!":
        return label or f"@{name.partition('^')[0].replace('subteam', 'group')}"
    return label or target


def _emoji_of(blocks: object) -> dict[tuple[str, str | None], str] | None:
    """Emoji by name and skin tone in the blocks of a message, None if it has no blocks that were typed."""
    if not isinstance(blocks, list) or not any(isinstance(b, dict) and b.get("type") == "rich_text" for b in blocks):
        return None
    found: dict[tuple[str, str | None], str] = {}
    waiting: list[Any] = list(blocks)
    while waiting:
        element = waiting.pop()
        if not isinstance(element, dict):
            continue
        if element.get("type") == "emoji" and isinstance(codes := element.get("unicode"), str):
            tone = element.get("skin_tone")
            try:
                character = "".join(chr(int(code, 16)) for code in codes.split("-"))
                found[str(element.get("name")), str(tone) if tone else None] = character
            except (ValueError, OverflowError):
                pass  # no code points: the name stays
        elif isinstance(inner := element.get("elements"), list):
            waiting.extend(inner)
    return found


@lru_cache(maxsize=4096)
def _named(name: str, tone: str | None) -> str | None:
    """The emoji of a name that Slack and others use for it."""
    from emoji import emojize

    if re.fullmatch(r"flag-[a-z]{2}", name):
        return "".join(chr(ord(letter) - ord("a") + 0x1F1E6) for letter in name[-2:])
    if name in SLACK_ONLY:
        return SLACK_ONLY[name]
    codes = (f":{name}:", f":{name.replace('-', '_')}:")
    character = next((e for code in codes if (e := emojize(code, language="alias")) != code), None)
    if character is None or tone is None:
        return character
    return character[0] + chr(0x1F3FB + int(tone) - 2) + character[1:].removeprefix(VARIATION)
