"""What was typed, from the text of a Telegram message, plain or of its rich editor."""

from typing import Any

NOT_TYPED = frozenset(
    ("button", "inline_image", "related_articles", "channel", "embed", "embed_post", "map", "thinking")
)
"""Kinds of rich text and of blocks whose words, if any, are somebody else's."""


def plain_text(record: dict[str, Any]) -> str:
    """The text of a message: a string, or a list of strings and of objects with a ``text``; or that of its rich editor.

    Raises TypeError and KeyError for what is none of them.
    """
    text = record.get("text", "")
    if text in ("", []):
        text = record.get("text_entities", "")
    if not isinstance(text, str):
        text = "".join([part if isinstance(part, str) else part["text"] for part in text])
    if not text and isinstance(rich := record.get("rich_message"), dict):
        return "\n".join(_lines(rich.get("blocks")))
    return text


def _lines(blocks: Any) -> list[str]:
    """The lines of blocks of a rich message, without those that say nothing.

    ``blocks`` is a list of ``{"type", "text"}``, headings and paragraphs; or of what holds others: a quotation or
    details (``blocks``), a list (``items``, each with a ``text`` or ``blocks``), a table (``rows`` of ``cells``). A
    picture has a ``caption``.
    """
    lines: list[str] = []
    for block in blocks if isinstance(blocks, list) else ():
        if not isinstance(block, dict) or block.get("type") in NOT_TYPED:
            continue
        lines += (inline(block.get(key)) for key in ("title", "summary", "text", "source"))
        if cells := block.get("cells"):
            lines.append(" ".join(_lines(cells)))
        for key in ("blocks", "items", "rows"):
            lines += _lines(block.get(key))
        if isinstance(caption := block.get("caption"), dict):
            lines.append(inline(caption.get("text")))
    return [line for line in lines if line.strip()]


def inline(node: Any) -> str:
    """Rich text as plain text: a string, a list of nodes, or ``{"type", "text"}`` around another node."""
    if isinstance(node, str):
        return node
    if isinstance(node, list):
        return "".join(map(inline, node))
    if isinstance(node, dict) and node.get("type") not in NOT_TYPED:
        return inline(node.get("text", node.get("source", "")))
    return ""
