"""``selfChatBot_preprocess``: chat exports to conversations."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from selfchatbot.cli.shell import add_events_option, parser, run, text
from selfchatbot.display import visible, visible_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from rich.console import RenderableType

    from selfchatbot.cli.console import Console
    from selfchatbot.conversations.summary import FormatSummary, Summary
    from selfchatbot.environment import Dataset
    from selfchatbot.preprocessors import ExportFile

PANEL_WIDTH = 4
"""Of the border of a panel and the space within."""
MAX_ROWS = 12
"""Rows of a table on the screen. summary.json has all of them."""


def main() -> None:
    """The console script."""
    arguments = parser(
        "selfChatBot_preprocess",
        "Turn chat exports into conversations to train on: of files that you give, or of a dataset.",
        needs_dataset=False,
    )
    arguments.add_argument(
        "--forget", action="store_true", help="delete models, sessions and reports made from earlier conversations"
    )
    _add_setup_options(arguments)
    add_events_option(arguments)
    chosen = arguments.parse_args()
    if not chosen.files:
        if not chosen.dataset:
            arguments.error("give the files of your chats, or the ID of a dataset with -d/--dataset")
        if given := next((name for name in ("name", "me", "model", "yes") if getattr(chosen, name)), None):
            arguments.error(f"--{given} needs the files of your chats; a dataset that exists has a parameters.json")
    elif chosen.dataset and (given := next((name for name in ("name", "model") if getattr(chosen, name)), None)):
        arguments.error(f"--{given} is for a new dataset: leave out -d, or --{given}")
    sys.exit(run(lambda: _stage(chosen)))


def _add_setup_options(arguments: argparse.ArgumentParser) -> None:
    """What `setup.Setup` takes."""
    arguments.add_argument("files", nargs="*", metavar="FILE", help="exports of your chats, or folders with them")
    options = arguments.add_argument_group("with files")
    options.add_argument("--name", type=text, help="the new dataset's name")
    options.add_argument(
        "--me",
        type=text,
        action="append",
        default=[],
        metavar="NAME",
        help="your name in the chats; repeat it for several names",
    )
    options.add_argument(
        "--model", type=text, help="the model to train: a name on huggingface.co, a folder or a .gguf file"
    )
    options.add_argument("--yes", action="store_true", help="ask nothing: take what is recommended")


def _stage(chosen: argparse.Namespace) -> None:
    from selfchatbot.cli.events import consoles
    from selfchatbot.cli.signals import exit_on_signals
    from selfchatbot.conversations.stage import preprocess
    from selfchatbot.environment import find_dataset, read_environment
    from selfchatbot.errors import SelfChatBotError, UnknownMeError
    from selfchatbot.parameters import FILE_NAME, RawParameters, read_parameters
    from selfchatbot.setup.model_check import problem_of
    from selfchatbot.trainer.lock import is_training

    console, progress = consoles(chosen.events)
    training = False
    if chosen.files:
        from selfchatbot.cli.setup import Setup

        dataset, summary = Setup(chosen, console).run()
    else:
        dataset = find_dataset(read_environment(), chosen.dataset, "raw")
        training = is_training(dataset.results)
        if chosen.forget and training:
            raise SelfChatBotError(f"{dataset.results}: a training is running, and would write again: stop it first")
        try:
            with exit_on_signals(), progress.status("reading") as status:
                summary = preprocess(dataset, progress=status.update)
        except UnknownMeError as error:
            progress.send("who", format=error.format, app=error.app, senders=dict(error.senders.most_common()))
            raise
    _show(console, summary)
    if training:
        _warn(console, "a training is running, and goes on with the conversations as they were: train again after it")
    _show_forgetting(console, dataset, summary, chosen.forget)
    total = sum(part.conversations for part in summary.splits.values())
    console.print(f"\n{total:,} conversations are in {dataset.preprocessed}", soft_wrap=True)
    with progress.status("checking the model"):
        problem = problem_of(read_parameters(dataset.raw / FILE_NAME, RawParameters))
    if problem:
        console.print(f"warning: {problem}", style="yellow", soft_wrap=True)
    console.print(f"Next: selfChatBot_train -d {dataset.id}", soft_wrap=True)


def _show(console: Console, summary: Summary) -> None:
    from selfchatbot.conversations.learning_curve import forecast
    from selfchatbot.conversations.summary import HOW

    for found in summary.formats:
        console.print(_files(found, summary.hide))
        console.print(_senders(found))
        if found.media:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in found.media.most_common())
            done = "marked in its place" if found.marks_media else "left out"
            console.print(f"besides text ({done}): {kinds}", soft_wrap=True)
        console.print(f"you are {visible_line(' and '.join(found.me))}: {HOW[found.how]}\n", soft_wrap=True)
    if len(summary.formats) > 1:
        console.print(_contacts(summary))
    console.print(_splits(summary))
    if summary.redacted:
        console.print(_redacted(summary))
    console.print(_example(summary, console))
    if (expected := forecast(summary.splits["train"].replies)) is not None:
        console.print(expected, soft_wrap=True)
    for warning in [*summary.warnings, *summary.lookalikes]:
        _warn(console, warning)


def _show_forgetting(console: Console, dataset: Dataset, summary: Summary, forgets: bool) -> None:
    """What still knows the conversations as they were, if anything is left out now; deleted with ``forgets``."""
    from selfchatbot.forgetting import forget, names, remaining

    if forgets:
        deleted = forget(dataset)
        console.print(f"deleted from {dataset.results}: {deleted or 'nothing'}", soft_wrap=True)
    elif summary.leaves_out and (left := remaining(dataset)):
        _warn(
            console,
            f"what you leave out now may still be in what was made before: {names(dataset, left)}; delete all of that "
            f"with selfChatBot_preprocess -d {dataset.id} --forget, then train again",
        )


def _warn(console: Console, warning: str) -> None:
    console.print(f"warning: {visible_line(warning)}", style="yellow", soft_wrap=True)


def _files(found: FormatSummary, hide: Callable[[str], str]) -> RenderableType:
    from rich.table import Table

    title = f"{found.app}: {len({str(file.path) for file in found.files}):,} file(s), {found.chats:,} chat(s)"
    counts = (
        (found.duplicates, "message(s) in several exports, counted once"),
        (found.dropped, 'message(s) left out by "drop"'),
        (found.excluded, "message(s) excluded"),
        (found.excluded_groups, "group chat(s) excluded"),
    )
    title = ", ".join([title, *(f"{count:,} {what}" for count, what in counts if count)])
    table = Table("chat" if found.by_chat else "file", title=title, title_justify="left")
    for heading in ("messages", "stated", "from", "to"):
        table.add_column(heading, justify="right")
    rows: dict[str, list[ExportFile]] = {}
    for file in found.files:
        rows.setdefault(file.chat if found.by_chat else str(file.path), []).append(file)
    largest = sorted(rows.values(), key=_messages, reverse=True)
    for files in largest[:MAX_ROWS]:
        stated = [file.declared for file in files if file.declared is not None]
        first = min((file.first for file in files if file.first), default=None)
        last = max((file.last for file in files if file.last), default=None)
        table.add_row(
            visible_line(hide(files[0].chat if found.by_chat else files[0].path.name)),
            f"{_messages(files):,}",
            f"{sum(stated):,}" if stated else "",
            *(time.date().isoformat() if time else "" for time in (first, last)),
        )
    if rest := largest[MAX_ROWS:]:
        table.add_row(f"... {len(rest)} more", f"{sum(map(_messages, rest)):,}", "", "", "")
    return table


def _messages(files: list[ExportFile]) -> int:
    return sum(file.messages for file in files)


def _senders(found: FormatSummary) -> RenderableType:
    from rich.table import Table

    table = Table("sender", title="Senders", title_justify="left")
    table.add_column("messages with text", justify="right")
    table.add_column("")
    ranked = found.senders.most_common()
    shown = ranked[:MAX_ROWS] + [pair for pair in ranked[MAX_ROWS:] if pair[0] in found.me]
    for author, count in shown:
        is_me = author in found.me
        table.add_row(visible_line(author), f"{count:,}", "you" if is_me else "", style="bold green" if is_me else None)
    if len(ranked) > len(shown):
        table.add_row(
            f"... {len(ranked) - len(shown)} more", f"{found.senders.total() - sum(c for _, c in shown):,}", ""
        )
    return table


def _contacts(summary: Summary) -> RenderableType:
    from rich.table import Table

    table = Table("contact", title="Who you reply to, in all apps", title_justify="left")
    for found in summary.formats:
        table.add_column(found.app, justify="right")
    contacts = summary.contacts()
    for contact in list(contacts)[:MAX_ROWS]:
        counts = (contacts[contact].get(found.name, 0) for found in summary.formats)
        table.add_row(visible_line(contact), *(f"{count:,}" if count else "" for count in counts))
    if len(contacts) > MAX_ROWS:
        table.add_row(f"... {len(contacts) - MAX_ROWS:,} more")
    return table


def _redacted(summary: Summary) -> RenderableType:
    from rich.table import Table

    table = Table("kind", title="Replaced by placeholders", title_justify="left")
    table.add_column("count", justify="right")
    for kind, count in summary.redacted.items():
        table.add_row(kind.replace("_", " "), f"{count:,}")
    return table


def _splits(summary: Summary) -> RenderableType:
    from rich.table import Table

    table = Table("split", title="Conversations, split by time: the newest are the test", title_justify="left")
    for heading in ("conversations", "turns", "your replies", "your words"):
        table.add_column(heading, justify="right")
    for name, part in summary.splits.items():
        table.add_row(name, *(f"{n:,}" for n in (part.conversations, part.turns, part.replies, part.words)))
    return table


def _example(summary: Summary, console: Console) -> RenderableType:
    """One conversation; each line on the screen that the model learns to say has a mark."""
    from rich.panel import Panel
    from rich.text import Text

    text = Text()
    for message in summary.example:
        mine = message["role"] == "assistant"
        label = {"assistant": "you  > ", "user": "them   ", "system": "system "}[message["role"]]
        width = max(1, console.width - len(label) - PANEL_WIDTH)
        content = Text(visible(message["content"]), style="bold green" if mine else "dim")
        for number, line in enumerate(content.wrap(console, width)):
            start = label if number == 0 else "     > " if mine else " " * len(label)
            text.append(start, style=content.style).append_text(line).append("\n")
    text.rstrip()
    return Panel(text, title="Part of a conversation; the model learns to say the lines marked >", title_align="left")


if __name__ == "__main__":
    main()
