"""The first stage: a dataset's exports to conversations, and a summary of what was found."""

from __future__ import annotations

import difflib
import json
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selfchatbot.conversations.build import MINIMUM_REPLIES, Splits, split
from selfchatbot.conversations.format_reader import FormatReader, Shared
from selfchatbot.conversations.people import Contacts, Exclusion
from selfchatbot.conversations.store import Spool
from selfchatbot.conversations.summary import FormatSummary, SplitSummary, Summary
from selfchatbot.environment import Dataset
from selfchatbot.errors import ExportError, ParametersError, SelfChatBotError
from selfchatbot.files import atomic_files, remove_leftovers
from selfchatbot.messages import ChatMessages
from selfchatbot.parameters import (
    FILE_NAME,
    RawParameters,
    TrainingParameters,
    handed_over,
    read_parameters,
    validate,
)
from selfchatbot.preprocessors import Preprocessor, Preprocessors
from selfchatbot.redaction import Redactor

SPLIT_NAMES = ("train", "validation", "test")
SUMMARY_NAME = "summary.json"
LITTLE = 0.05
"""Below this share of all messages, "me" is probably not me."""


def preprocess(dataset: Dataset, progress: Callable[[str], None] = lambda _: None) -> Summary:
    """Read every export of a dataset, then write its conversations, training parameters and summary.

    ``progress`` is told, in words, what is being done. Nothing is written before everything has been read; until then
    the conversations wait in a nameless temporary file beside the preprocessed datasets.

    Raises ParametersError, ExportError, or SelfChatBotError when there are too few replies.
    """
    place = dataset.raw / FILE_NAME
    raw = read_parameters(place, RawParameters)
    preprocessors = _preprocessors(dataset.raw, raw)
    contacts = Contacts(raw.contacts, f'{place}: key "contacts"')
    exclusion = Exclusion(raw.exclude, contacts)
    redactor = Redactor(raw.redact, exclusion.names)
    scratch = dataset.environment.preprocessed
    with Spool(scratch) as spool:
        shared = Shared(raw, dataset.name, contacts, exclusion, redactor, spool, scratch, progress)
        formats = [FormatReader(folder, preprocessor, shared).read() for folder, preprocessor in preprocessors.items()]
        replies = sum(spool.replies)
        if replies < MINIMUM_REPLIES:
            raise SelfChatBotError(
                f"{dataset.raw}: only {replies} replies of yours, at least {MINIMUM_REPLIES} are needed: "
                "add more exports"
            )
        progress("splitting")
        splits = split(spool, raw.validation_fraction, raw.test_fraction)
        warnings = [*_warnings(formats), *exclusion.unused(raw.exclude)]
        result = Summary(
            formats=formats,
            splits={name: SplitSummary.of(spool, part) for name, part in zip(SPLIT_NAMES, splits, strict=True)},
            redacted=dict(redactor.counts.most_common()),
            warnings=[exclusion.hide(warning) for warning in warnings],
            example=_example(spool, splits.train),
            hide=exclusion.hide,
            redact=redactor.name,
        )
        progress("writing")
        _write(dataset.preprocessed, spool, splits, result.to_json(), TrainingParameters.start_values(raw))
    return result


def _preprocessors(raw_folder: Path, raw: RawParameters) -> dict[Path, Preprocessor]:
    """A preprocessor for each format folder."""
    place = raw_folder / FILE_NAME
    data: dict[str, dict[str, Any]] = {}
    for name, values in raw.preprocessor_data.items():
        if name not in Preprocessors:
            near = difflib.get_close_matches(name, Preprocessors, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"known formats: {', '.join(Preprocessors)}"
            raise ParametersError(f'{place}: unknown key "preprocessor_data.{name}": {hint}')
        if data.setdefault(Preprocessors.canonical(name), values) is not values:
            raise ParametersError(f'{place}: key "preprocessor_data.{name}" is there twice: keep one of them')
    folders = sorted(path for path in raw_folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        known = ", ".join(Preprocessors)
        raise ExportError(f"{raw_folder} has no folder with exports: make one named after its format: {known}")
    found: dict[str, tuple[Path, Preprocessor]] = {}
    for folder in folders:
        if folder.name not in Preprocessors:
            known = ", ".join(Preprocessors)
            raise ExportError(f"{folder} is no known format: rename it to one of {known}, or move it elsewhere")
        name = Preprocessors.canonical(folder.name)
        if name in found:
            raise ExportError(f"{folder} and {found[name][0]} are the same format: put their files into one of them")
        found[name] = (
            folder,
            validate(Preprocessors[name], data.get(name, {}), f"{place}: preprocessor_data.{name}"),
        )
    return dict(found.values())


def _warnings(formats: list[FormatSummary]) -> list[str]:
    warnings = []
    for summary in formats:
        total, mine = summary.senders.total(), sum(summary.senders[author] for author in summary.me)
        if mine < LITTLE * total:
            warnings.append(
                f"{summary.name}: only {mine / total:.1%} of the messages are yours: is {', '.join(summary.me)} you?"
            )
        warnings.extend(summary.notes)
        warnings.extend(f"{name}: no message of yours" for name in summary.without_me)
        warnings.extend(f"{file.path.name}: {note}" for file in summary.files for note in file.notes)
    return warnings


def _example(spool: Spool, numbers: array[int], turns: int = 8) -> ChatMessages:
    """The first turns of a conversation of middle length, the last of them mine."""
    by_length = sorted(numbers, key=spool.turns.__getitem__)
    messages: ChatMessages = json.loads(spool.line(by_length[len(by_length) * 3 // 4]))["messages"][:turns]
    while len(messages) > 1 and messages[-1]["role"] == "user":
        messages.pop()
    return messages


def _write(directory: Path, spool: Spool, splits: Splits, summary: str, training: dict[str, Any]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    remove_leftovers(directory)
    for tokens in directory.glob(".*.windows"):  # which training made of what stands there no longer
        tokens.unlink()
    texts = {directory / SUMMARY_NAME: summary, **handed_over(directory, training)}
    with atomic_files(*(directory / f"{name}.jsonl" for name in SPLIT_NAMES), *texts) as paths:
        for path, numbers in zip(paths, splits, strict=False):
            with path.open("wb") as file:
                file.writelines(map(spool.line, numbers))
        for path, text in zip(paths[len(SPLIT_NAMES) :], texts.values(), strict=True):
            # Half a character in a sender's name is no reason to fail at the very end.
            path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
