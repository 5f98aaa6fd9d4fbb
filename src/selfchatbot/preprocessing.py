"""The first stage: a dataset's exports to conversations, and a summary of what was found."""

import difflib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from selfchatbot.atomic import atomic_files, remove_leftovers
from selfchatbot.conversations import MINIMUM_REPLIES, Splits, build_conversations, split
from selfchatbot.environment import Dataset
from selfchatbot.errors import ExportError, ParametersError, SelfChatBotError
from selfchatbot.messages import ChatMessages, Conversation, Message
from selfchatbot.parameters import (
    FILE_NAME,
    RawParameters,
    TrainingParameters,
    hand_over,
    read_parameters,
    validate,
)
from selfchatbot.preprocessors import ExportFile, Preprocessor, Preprocessors
from selfchatbot.preprocessors.base import DISCRIMINATOR

SPLIT_NAMES = ("train", "validation", "test")
SUMMARY_NAME = "summary.json"
LITTLE = 0.05
"""Below this share of all messages, "me" is probably not me."""


@dataclass(slots=True)
class FormatSummary:
    """What was found in the folder of one format."""

    name: str
    files: list[ExportFile] = field(default_factory=list)
    senders: Counter[str] = field(default_factory=Counter)
    """Messages in which something was typed, by author."""
    me: list[str] = field(default_factory=list)
    """Those of the authors who are me."""
    mine_by_chat: Counter[str] = field(default_factory=Counter)
    """My replies, by chat."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "me": self.me,
            "senders": dict(self.senders.most_common()),
            "files": [asdict(file) for file in self.files],
        }


@dataclass(slots=True)
class SplitSummary:
    """How much there is in one of the splits."""

    conversations: int
    turns: int
    replies: int
    words: int

    @classmethod
    def of(cls, conversations: list[Conversation]) -> "SplitSummary":
        return cls(
            conversations=len(conversations),
            turns=sum(len(conversation.turns) for conversation in conversations),
            replies=sum(conversation.replies for conversation in conversations),
            words=sum(conversation.words for conversation in conversations),
        )


@dataclass(slots=True)
class Summary:
    """What preprocess made, for the screen and for summary.json."""

    formats: list[FormatSummary]
    splits: dict[str, SplitSummary]
    warnings: list[str]
    example: ChatMessages
    """One conversation of the training split, cut to a few turns; the assistant's turns are what is trained."""

    def to_json(self) -> str:
        """Every figure of the summary; documented by its keys."""
        values = {
            "formats": [summary.to_dict() for summary in self.formats],
            "splits": {name: asdict(part) for name, part in self.splits.items()},
            "warnings": self.warnings,
            "example": self.example,
        }
        return json.dumps(values, indent=2, ensure_ascii=False, default=_plain) + "\n"


def preprocess(dataset: Dataset, progress: Callable[[str], None] = lambda _: None) -> Summary:
    """Read every export of a dataset, then write its conversations, training parameters and summary.

    ``progress`` is told, in words, what is being done. Nothing is written before everything has been read.

    Raises ParametersError, ExportError, or SelfChatBotError when there are too few replies.
    """
    raw = read_parameters(dataset.raw / FILE_NAME, RawParameters)
    preprocessors = _preprocessors(dataset.raw, raw)
    formats: list[FormatSummary] = []
    conversations: list[Conversation] = []
    for folder, preprocessor in preprocessors.items():
        summary, found = _read_format(folder, preprocessor, raw.conversation_gap_minutes, progress)
        formats.append(summary)
        conversations.extend(found)
    replies = sum(conversation.replies for conversation in conversations)
    if replies < MINIMUM_REPLIES:
        raise SelfChatBotError(
            f"{dataset.raw}: only {replies} replies of yours, at least {MINIMUM_REPLIES} are needed: add more exports"
        )
    splits = split(conversations, raw.validation_fraction, raw.test_fraction)
    result = Summary(
        formats=formats,
        splits={name: SplitSummary.of(part) for name, part in zip(SPLIT_NAMES, splits, strict=True)},
        warnings=_warnings(formats),
        example=_example(splits.train),
    )
    progress("writing")
    _write(dataset.preprocessed, splits, result, TrainingParameters.start_values(raw))
    return result


def _preprocessors(raw_folder: Path, raw: RawParameters) -> dict[Path, Preprocessor]:
    """A preprocessor for each format folder."""
    known = ", ".join(Preprocessors)
    place = raw_folder / FILE_NAME
    for name in raw.preprocessor_data:
        if name not in Preprocessors:
            near = difflib.get_close_matches(name, Preprocessors, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"known formats: {known}"
            raise ParametersError(f'{place}: unknown key "preprocessor_data.{name}": {hint}')
    folders = sorted(path for path in raw_folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise ExportError(f"{raw_folder} has no folder with exports: make one named after its format: {known}")
    found: dict[Path, Preprocessor] = {}
    for folder in folders:
        kind = Preprocessors.get(folder.name)
        if kind is None:
            raise ExportError(f"{folder} is no known format: rename it to one of {known}, or move it elsewhere")
        if kind.name not in raw.preprocessor_data:
            raise ParametersError(f'{place}: key "preprocessor_data.{kind.name}" is missing: it says who you are there')
        found[folder] = validate(kind, raw.preprocessor_data[kind.name], f"{place}: preprocessor_data.{kind.name}")
    return found


def _read_format(
    folder: Path, preprocessor: Preprocessor, gap_minutes: float, progress: Callable[[str], None]
) -> tuple[FormatSummary, list[Conversation]]:
    exports = preprocessor.export_files(folder)
    if not exports:
        raise ExportError(f"{folder} holds no export ({' or '.join(preprocessor.suffixes)}): put your exports there")
    progress(f"reading {len(exports)} file(s) of {preprocessor.name}")
    summary = FormatSummary(preprocessor.name)
    conversations: list[Conversation] = []

    def counted(messages: Iterable[Message]) -> Iterable[Message]:
        for message in messages:
            summary.senders[message.author] += 1
            yield message

    stream = counted(preprocessor.read(folder, summary.files))
    for number, (chat, messages) in enumerate(groupby(stream, key=lambda message: message.chat), 1):
        progress(f"reading {preprocessor.name}: chat {number}")
        found = list(build_conversations(messages, preprocessor.is_me, timedelta(minutes=gap_minutes)))
        summary.mine_by_chat[chat] += sum(conversation.replies for conversation in found)
        conversations.extend(found)
    summary.me = [author for author in summary.senders if preprocessor.is_me(author)]
    _check_me(summary, preprocessor, folder.parent / FILE_NAME)
    return summary, conversations


def _check_me(summary: FormatSummary, preprocessor: Preprocessor, place: Path) -> None:
    key = f"preprocessor_data.{summary.name}.username"
    if not summary.senders:
        raise ExportError(f"{place.parent / summary.name}: there is no message with text in any file")
    if not summary.me:
        frequent = ", ".join(f"{author} ({count:,})" for author, count in summary.senders.most_common(10))
        raise ParametersError(
            f'{place}: key "{key}": "{preprocessor.username}" wrote none of the messages; most are by: {frequent}'
        )
    numbers = {match[0] for author in summary.me if (match := DISCRIMINATOR.search(author))} - {"#0000"}
    if len(numbers) > 1 and not preprocessor.aliases:
        raise ParametersError(
            f'{place}: key "{key}": several authors have this name: {", ".join(sorted(summary.me))}: write yours with '
            f'its number, and the others that are you in "aliases"'
        )


def _warnings(formats: list[FormatSummary]) -> list[str]:
    warnings = []
    for summary in formats:
        total, mine = summary.senders.total(), sum(summary.senders[author] for author in summary.me)
        if mine < LITTLE * total:
            warnings.append(
                f"{summary.name}: only {mine / total:.1%} of the messages are yours: is {', '.join(summary.me)} you?"
            )
        for file in summary.files:
            if file.messages and not summary.mine_by_chat[file.chat]:
                warnings.append(f"{file.path.name}: no message of yours")
            warnings.extend(f"{file.path.name}: {note}" for note in file.notes)
    return warnings


def _example(conversations: list[Conversation], turns: int = 8) -> ChatMessages:
    """The first turns of a conversation of middle length, the last of them mine."""
    by_length = sorted(conversations, key=lambda conversation: len(conversation.turns))
    messages: ChatMessages = json.loads(by_length[len(by_length) * 3 // 4].to_json())["messages"][:turns]
    while len(messages) > 1 and messages[-1]["role"] == "user":
        messages.pop()
    return messages


def _write(directory: Path, splits: Splits, summary: Summary, training: dict[str, Any]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    remove_leftovers(directory)
    hand_over(directory, training)
    names = [f"{name}.jsonl" for name in SPLIT_NAMES]
    with atomic_files(*(directory / name for name in (*names, SUMMARY_NAME))) as paths:
        for path, conversations in zip(paths, splits, strict=False):
            with path.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(f"{conversation.to_json()}\n" for conversation in conversations)
        paths[-1].write_text(summary.to_json(), encoding="utf-8", newline="\n")


def _plain(value: object) -> object:
    """Paths and dates in summary.json are text."""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
