"""Write the list of errors in docs/troubleshooting.md from the code: python tests/troubleshooting_list.py"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "troubleshooting.md"
SOURCE = ROOT / "src" / "selfchatbot"
MARKED = re.compile(r"(<!-- errors -->\n).*?(<!-- end -->)", re.DOTALL)
SECTIONS = {
    "The command line and the folders": ("cli", "environment", "setup", "runs"),
    "parameters.json and models": (
        "parameters",
        "models",
        "model_families",
        "model_files",
        "gguf_models",
        "memory",
        "hub",
    ),
    "Exports and conversations": ("preprocessors", "conversations", "redaction", "messages"),
    "Training": ("trainer", "distributed", "chat_format"),
    "Playing, evaluating, exporting": ("player", "session", "web", "likeness", "export", "gguf"),
}
"""By the first part of a module's path. An error of a module that is in none of them has no place, and a test fails."""
FEWEST_WORDS = 3
"""With less text of its own, an error only passes on what another one says."""


def errors() -> Iterator[tuple[str, str]]:
    """Module and text of every error for the person at the keyboard; ``…`` stands for what differs."""
    for path in sorted(SOURCE.rglob("*.py")):
        module = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for argument in _messages(node):
                text = re.sub(r"\s+", " ", _text(argument)).strip()
                if len(re.findall(r"[a-z]{2,}", text)) >= FEWEST_WORDS:
                    yield module, text


def _messages(node: ast.AST) -> list[ast.expr]:
    """The message of an error that is made here, or that argparse reports."""
    if not isinstance(node, ast.Call) or not node.args:
        return []
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    ours = re.fullmatch(r"(?:SelfChatBot|Usage|Parameters|Export|UnknownMe|Gguf|BrokenPlugin)Error|_error|fail", name)
    reports = (
        name == "error" and isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "arguments"
    )
    return node.args if name == "_error" else node.args[:1] if ours or reports else []


def _text(node: ast.expr) -> str:
    """A string expression as text."""
    if isinstance(node, ast.Constant):
        return str(node.value) if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    return "…"


def error_list() -> str:
    """All errors under their headings, each once, in the order of the alphabet."""
    found = list(errors())
    parts = []
    for heading, modules in SECTIONS.items():
        texts = sorted(
            {text for module, text in found if module in modules},
            key=lambda text: (text.strip("…: \"'/").lower(), text),
        )
        parts += [f"### {heading}", "\n".join(f"- {_escaped(text)}" for text in texts)]
    return "\n\n".join(parts)


def _escaped(text: str) -> str:
    return re.sub(r"([*_<>\[\]`|])", r"\\\1", text)


def with_current_list(text: str) -> str:
    return MARKED.sub(lambda match: f"{match[1]}\n{error_list()}\n\n{match[2]}", text)


if __name__ == "__main__":
    text = with_current_list(DOCUMENT.read_text(encoding="utf-8"))
    DOCUMENT.write_text(text, encoding="utf-8", newline="\n")
