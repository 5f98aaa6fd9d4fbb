"""One format's folder: who I am in it, and its conversations."""

from collections import Counter
from collections.abc import Callable
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from selfchatbot.conversations.edits import Edits
from selfchatbot.conversations.filters import MessageFilter, OnFile, Overlap, OverlapError
from selfchatbot.conversations.format_pass import DatasetContext, FormatPass, Speakers
from selfchatbot.conversations.summary import FormatSummary
from selfchatbot.errors import ExportError, ParametersError, UnknownMeError
from selfchatbot.parameters import FILE_NAME
from selfchatbot.preprocessors import ExportFile, Preprocessor
from selfchatbot.preprocessors.names import DISCRIMINATOR, closest_name


class _UnknownOwnerError(Exception):
    """A file doesn't state who made it."""


class FormatReader:
    """Reads one format's folder into the conversation store."""

    def __init__(self, folder: Path, preprocessor: Preprocessor, dataset: DatasetContext) -> None:
        self._folder = folder
        self._preprocessor = preprocessor
        self._name, self._app = preprocessor.name, preprocessor.app_name()
        self._dataset = dataset
        self._parameters_file = folder.parent / FILE_NAME
        self._exports = preprocessor.export_files(folder)
        self._overlap: Overlap | None = None
        """Set when files overlap: then duplicates are removed."""

    def read(self) -> FormatSummary:
        """Put the conversations into the store and return everything else.

        Raises ExportError, with a hint if the files are of another kind, and ParametersError if it can't be found out
        who I am.
        """
        from selfchatbot.preprocessors.reading.hints import hint_for_files, hint_for_folder, hints_for_others

        kind = type(self._preprocessor)
        if not self._exports:
            hint = hint_for_folder(kind, self._folder)
            suffixes = " or ".join(self._preprocessor.suffixes)
            raise ExportError(hint or f"{self._folder} contains no export ({suffixes}): put your exports there")
        self._dataset.progress(f"reading {len(self._exports)} file(s) of {self._app}")
        notes = self._preprocessor.prepare(self._folder, self._dataset.progress)
        try:
            try:
                summary = self._read()
            except OverlapError:
                edits = Edits(self._preprocessor.read(self._folder, []))
                self._overlap = Overlap(self._dataset.scratch, edits)
                summary = self._read()
            if not summary.senders:
                raise ExportError(f"{self._folder}: there is no message with text in the files that may be used")
        except (ExportError, ParametersError) as error:
            # The file that the error names comes first.
            message = str(error)
            files = sorted(self._exports, key=lambda path: str(path) not in message)
            if hint := hint_for_files(kind, files):
                raise ExportError(hint) from error
            raise
        empty = [file.path for file in summary.files if not file.messages]
        if empty and (hint := hint_for_files(kind, empty)):
            summary.notes.append(hint)
        summary.notes.extend((*hints_for_others(kind, self._folder, self._exports), *notes))
        return summary

    def _read(self) -> FormatSummary:
        preprocessor = self._preprocessor
        if preprocessor.username is not None or preprocessor.aliases:
            summary = self._pass(preprocessor.is_me, "username")
            if not summary.me and summary.senders:
                summary = self._read_despite_username(summary)
            self._refuse_namesakes(summary)
            return summary
        owners: set[str] = set()

        def add_owner(file: ExportFile | None) -> None:
            if file is None or file.me is None:
                raise _UnknownOwnerError
            owners.add(file.me)

        try:
            census = summary = self._pass(owners.__contains__, "export", add_owner)
        except _UnknownOwnerError:
            names, how, census = self._census()
            summary = self._pass(names.__contains__, how)
        if not summary.me and summary.senders:
            raise self._unknown_me(census, "the exports don't state who you are")
        if len(summary.me) > 1:
            summary.notes.append(f"{self._app}: according to the exports, you are {' and '.join(sorted(summary.me))}")
        return summary

    def _read_despite_username(self, summary: FormatSummary) -> FormatSummary:
        """The given name wrote nothing. If every file states who made it, that is who I am."""
        given = self._preprocessor.username or " or ".join(self._preprocessor.aliases)
        owners = {file.me for file in summary.files if file.messages}
        names = {owner for owner in owners if owner is not None}
        if not names or None in owners:
            raise self._unknown_me(summary, f'"{given}" wrote none of the messages', given)
        again = self._pass(names.__contains__, "export")
        if not again.me:
            raise self._unknown_me(summary, f'"{given}" wrote none of the messages', given)
        again.notes.append(f'{self._app}: "{given}" wrote no message, so the exports decide who you are')
        return again

    def _census(self) -> tuple[set[str], str, FormatSummary]:
        """My names: the author who writes in every chat. This takes a pass of its own: only its end shows who it is."""
        self._dataset.progress(f"reading {self._app}: looking for you")
        dataset = self._dataset
        speakers = Speakers(lambda _: False, dataset.contacts)
        messages = MessageFilter(self._folder, self._preprocessor, speakers, dataset.exclusion, dataset.gap)
        summary = FormatSummary(self._name, files=messages.files)
        in_all_chats: set[str] | None = None
        chats: set[str] = set()
        stream = messages.messages(lambda _: None, len(self._exports) > 1, self._overlap)
        for chat, group in groupby(stream, key=attrgetter("chat")):
            authors = Counter(message.author for message in group)
            summary.senders.update(authors)
            in_all_chats = set(authors) if in_all_chats is None else in_all_chats & authors.keys()
            chats.add(chat)
        owners = {file.me for file in summary.files if file.me is not None}
        if owners:
            return owners, "export", summary
        candidates = in_all_chats or set()
        if summary.senders and (len(candidates) != 1 or len(chats) < 2):
            reason = "there is only one chat" if len(chats) < 2 else f"{len(candidates)} people write in every chat"
            raise self._unknown_me(summary, f"the exports don't state who you are and {reason}")
        return candidates, "common", summary

    def _unknown_me(self, summary: FormatSummary, reason: str, given: str = "") -> UnknownMeError:
        authors = [author for author, _ in summary.senders.most_common()]
        near = closest_name(given, authors)
        what = f'did you mean "{near}"?' if near else "set it to your name;"
        frequent = ", ".join(f"{author} ({count:,})" for author, count in summary.senders.most_common(10))
        return UnknownMeError(
            f'{self._parameters_file}: key "preprocessor_data.{self._name}.username": {reason}; {what} '
            f"most messages are by: {frequent}",
            self._name,
            self._app,
            summary.senders,
        )

    def _refuse_namesakes(self, summary: FormatSummary) -> None:
        numbers = {match[0] for author in summary.me if (match := DISCRIMINATOR.search(author))} - {"#0000"}
        if len(numbers) > 1 and not self._preprocessor.aliases:
            raise ParametersError(
                f'{self._parameters_file}: key "preprocessor_data.{self._name}.username": several authors have this '
                f"name: {', '.join(sorted(summary.me))}: add the number to yours, and list any other names of yours in "
                '"aliases"'
            )

    def _pass(self, is_me: Callable[[str], bool], how: str, on_file: OnFile = lambda _: None) -> FormatSummary:
        format_pass = FormatPass(self._folder, self._preprocessor, self._dataset, is_me)
        return format_pass.run(how, on_file, len(self._exports) > 1, self._overlap)
