"""The questions of ``selfChatBot_preprocess FILES...``: what only the person at the keyboard knows."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from selfchatbot.cli.console import Console
from selfchatbot.conversations.stage import preprocess
from selfchatbot.display import visible_line
from selfchatbot.environment import Dataset, Environment, find_dataset
from selfchatbot.errors import ParametersError, UnknownMeError, UsageError
from selfchatbot.hub import check_name
from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.names import closest_name, same_name
from selfchatbot.setup.dataset import add, create, new_dataset, ready_environment, set_username, suggested_name
from selfchatbot.setup.exports import FoundExport, find_exports
from selfchatbot.setup.models import fitting, this_hardware

if TYPE_CHECKING:
    import argparse

    from selfchatbot.conversations.summary import Summary

MAX_SENDERS = 12
MAX_WRONG_ANSWERS = 5


class Setup:
    """Puts files into a dataset, a new one or one that exists, and preprocesses it.

    Questions are asked at a terminal. Elsewhere, and with --yes, options answer them, or what is recommended.
    """

    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        self._options = options
        self._console = console
        self._interactive = not options.yes and sys.stdin.isatty() and sys.stdout.isatty()
        self._created = False

    def run(self) -> tuple[Dataset, Summary]:
        """Raises UsageError for a question that nobody answers, and whatever `preprocess` raises."""
        exports = find_exports(map(Path, self._options.files))
        for name, count in Counter(export.format for export in exports).items():
            self._say(f"{Preprocessors[name].app_name()}: {count:,} file(s)")
        environment, written = ready_environment()
        if written is not None:
            self._say(f"{written} says where everything is kept: in three folders beside it")
        try:
            dataset = self._put(environment, exports)
            return dataset, self._preprocessed(dataset)
        except (KeyboardInterrupt, EOFError, UnknownMeError) as error:
            if self._created:  # it holds copies only, and the same command makes it again
                shutil.rmtree(dataset.raw, ignore_errors=True)
            if isinstance(error, UnknownMeError):
                raise self._unknown_me(error) from None
            raise KeyboardInterrupt("stopped; your files are where they were") from None

    def _put(self, environment: Environment, exports: list[FoundExport]) -> Dataset:
        options = self._options
        if options.dataset:
            dataset = find_dataset(environment, options.dataset, "raw")
            self._say(f"{add(dataset, exports):,} new file(s) in {dataset.raw}")
            return dataset
        name = options.name or self._ask("What is the dataset's name, perhaps yours?", "--name", suggested_name())
        dataset = new_dataset(environment, name)
        model, method = self._model()
        create(dataset, exports, model, method)
        self._created = True
        self._say(f"{len(exports):,} file(s) were copied into {dataset.raw}")
        return dataset

    def _model(self) -> tuple[str, str]:
        """The model and its method."""
        if self._options.model:
            check_name(self._options.model)
            return self._options.model, "lora"
        with Console(stderr=True).status("looking at this machine"):
            hardware = this_hardware()
            fits = fitting(hardware)
        if not fits:
            raise UsageError(f"this machine has {hardware}, too little for the smallest model: close other programs")
        self._say(f"\nModels that this machine can train ({hardware}):")
        for number, one in enumerate(fits, 1):
            self._say(f"  {number}  {one.model}: {one}{' (recommended)' if number == 1 else ''}")
        question = "Which one? A number, or the name of another model of huggingface.co"
        for _ in range(MAX_WRONG_ANSWERS):
            answer = self._ask(question, "--model", "1")
            if not answer.isdecimal():
                check_name(answer)
                return answer, "lora"
            if 1 <= int(answer) <= len(fits):
                return fits[int(answer) - 1].model, fits[int(answer) - 1].method
        raise UsageError(f"there is no model {answer} in the list")

    def _preprocessed(self, dataset: Dataset) -> Summary:
        """Preprocess, and ask who I am in each format that doesn't say it."""
        asked: set[str] = set()
        while True:
            try:
                with Console(stderr=True).status("reading") as status:
                    summary = preprocess(dataset, progress=status.update)
            except UnknownMeError as error:
                if error.format in asked or (username := self._me(error)) is None:
                    raise
                asked.add(error.format)
                set_username(dataset, error.format, username)
                continue
            # An export may say that I am somebody else than I say.
            wrong = [
                (found.name, author)
                for found in summary.formats
                if found.name not in asked and not any(self._given(author) for author in found.me)
                for author in found.senders
                if self._given(author)
            ]
            if not wrong:
                return summary
            for format_name, author in wrong:
                asked.add(format_name)
                set_username(dataset, format_name, author)

    def _given(self, author: str) -> bool:
        return any(same_name(name, author) for name in self._options.me)

    def _me(self, error: UnknownMeError) -> str | None:
        """Who I am in a format; None if nobody can tell."""
        authors = [author for author, _ in error.senders.most_common()]
        if mine := next(filter(self._given, authors), None):
            return mine
        if not self._interactive:
            return None
        self._say(f"\nWho are you in {error.app}? Messages with text:")
        for number, author in enumerate(authors[:MAX_SENDERS], 1):
            self._say(f"  {number}  {author} ({error.senders[author]:,})")
        if len(authors) > MAX_SENDERS:
            self._say(f"  ... and {len(authors) - MAX_SENDERS:,} others, whose names you can type")
        for _ in range(MAX_WRONG_ANSWERS):
            answer = self._ask("You are (a number or a name)", "--me")
            if answer.isdecimal() and 1 <= int(answer) <= min(len(authors), MAX_SENDERS):
                return authors[int(answer) - 1]
            if mine := next((author for author in authors if same_name(answer, author)), None):
                return mine
            near = closest_name(answer, authors)
            self._say(f'nobody there has this name; did you mean "{near}"?' if near else "nobody there has this name")
        return None

    def _unknown_me(self, error: UnknownMeError) -> ParametersError:
        """The same error for a dataset that is gone again."""
        if not self._created:
            return error
        authors = [author for author, _ in error.senders.most_common()]
        near = next(filter(None, (closest_name(name, authors) for name in self._options.me)), None)
        frequent = ", ".join(f"{author} ({error.senders[author]:,})" for author in authors[:10])
        what = f'did you mean "{near}"?' if near else "say it with --me;"
        return ParametersError(f"who are you in {error.app}? {what} most messages are by: {frequent}")

    def _ask(self, question: str, option: str, default: str | None = None) -> str:
        """The answer, at a terminal; elsewhere ``default``, with --yes."""
        if self._interactive:
            while True:
                answer = input(visible_line(f"{question}{f' [{default}]' if default else ''}: ")).strip() or default
                if answer:
                    return answer
        if self._options.yes and default is not None:
            return default
        raise UsageError(f"there is no terminal to ask at: give {option}, or --yes for what is recommended")

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)
