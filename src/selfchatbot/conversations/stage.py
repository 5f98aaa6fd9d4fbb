"""The first stage: a dataset's exports to conversations, and a summary of what was found."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from selfchatbot.conversations.format_folders import preprocessors_by_folder
from selfchatbot.conversations.format_pass import DatasetContext
from selfchatbot.conversations.format_reader import FormatReader
from selfchatbot.conversations.lookalikes import count_parts, is_phone_number, lookalikes
from selfchatbot.conversations.people import Contacts, Exclusion
from selfchatbot.conversations.split import Splits, split
from selfchatbot.conversations.store import ConversationStore
from selfchatbot.conversations.summary import FormatSummary, SplitSummary, Summary
from selfchatbot.environment import Dataset
from selfchatbot.errors import SelfChatBotError
from selfchatbot.files import atomic_files, remove_leftovers
from selfchatbot.hub import check_name
from selfchatbot.messages import ChatMessages
from selfchatbot.parameters import FILE_NAME, RawParameters, TrainingParameters, handed_over, read_parameters
from selfchatbot.redaction import Redactor

SPLIT_NAMES = ("train", "validation", "test")
SUMMARY_NAME = "summary.json"
MIN_REPLIES = 20
MIN_SHARE_OF_ME = 0.05
"""If less of the messages is mine, "me" is probably somebody else."""
EXAMPLE_TURNS = 8
MAX_LISTED = 12
"""Names in a warning."""


def preprocess(dataset: Dataset, progress: Callable[[str], None] = lambda _: None) -> Summary:
    """Read every export of a dataset, then write its conversations, training parameters and summary.

    ``progress`` is called with a few words about the current step. Nothing is written before everything has been read;
    until then the conversations are in a temporary file without a name, next to the preprocessed datasets.

    Raises ParametersError, ExportError, or SelfChatBotError if there are too few replies.
    """
    parameters_file = dataset.raw / FILE_NAME
    raw = read_parameters(parameters_file, RawParameters)
    check_name(raw.model)
    preprocessors = preprocessors_by_folder(dataset.raw, raw)
    contacts = Contacts(raw.contacts, f'{parameters_file}: key "contacts"')
    exclusion = Exclusion(raw.exclude, contacts)
    redactor = Redactor(raw.redact, exclusion.names)
    scratch = dataset.environment.preprocessed
    for folder in (dataset.environment.raw, dataset.raw, *preprocessors):  # copies that a killed setup left incomplete
        remove_leftovers(folder)
    with ConversationStore(scratch) as store:
        context = DatasetContext(raw, dataset.name, contacts, exclusion, redactor, store, scratch, progress)
        formats = [FormatReader(folder, preprocessor, context).read() for folder, preprocessor in preprocessors.items()]
        if (replies := sum(store.replies)) < MIN_REPLIES:
            raise SelfChatBotError(
                f"{dataset.raw}: only {replies} replies of yours, at least {MIN_REPLIES} are needed: add more exports"
            )
        progress("splitting")
        splits = split(store, raw.validation_fraction, raw.test_fraction)
        summary = _summary(context, formats, splits)
        progress("writing")
        _write(dataset.preprocessed, store, splits, summary.to_json(), TrainingParameters.start_values(raw))
    return summary


def _summary(context: DatasetContext, formats: list[FormatSummary], splits: Splits) -> Summary:
    store, exclusion = context.store, context.exclusion
    warnings = [*_warnings(formats), *exclusion.unused(context.raw.exclude)]
    if count := count_parts((store.line(number) for part in splits for number in part), exclusion.names):
        warnings.append(
            f"exclude.contacts: parts of an excluded name, such as the first name alone, are still in the text, "
            f'{count:,} times: add them to "redact.words" if they mean that person'
        )
    return Summary(
        formats=formats,
        splits={name: SplitSummary.of(store, part) for name, part in zip(SPLIT_NAMES, splits, strict=True)},
        redacted=dict(context.redactor.counts.most_common()),
        warnings=[exclusion.hide(warning) for warning in warnings],
        example=_example(store, splits.train),
        hide=exclusion.hide,
        redact=context.redactor.name,
        leaves_out=exclusion.active or bool(context.raw.redact.words),
        lookalikes=list(_lookalikes(formats, exclusion)),
    )


def _warnings(formats: list[FormatSummary]) -> list[str]:
    warnings = []
    for summary in formats:
        total, mine = summary.senders.total(), sum(summary.senders[author] for author in summary.me)
        if mine < MIN_SHARE_OF_ME * total:
            warnings.append(
                f"{summary.app}: only {mine / total:.1%} of the messages are yours: is {', '.join(summary.me)} you?"
            )
        warnings.extend(summary.notes)
        warnings.extend(f"{name}: no message of yours" for name in summary.without_me)
        by_chat = summary.by_chat
        warnings.extend(
            f"{file.chat if by_chat else file.path.name}: {note}" for file in summary.files for note in file.notes
        )
    return warnings


def _lookalikes(formats: list[FormatSummary], exclusion: Exclusion) -> Iterator[str]:
    """Warnings about people who may be excluded ones by another name."""
    if not exclusion.names:
        return
    senders: Counter[str] = Counter()
    for summary in formats:
        senders.update({name: count for name, count in summary.senders.items() if name not in summary.me})
    numbers = [name for name in senders if is_phone_number(name)]
    for found, what in (
        (lookalikes(senders, exclusion.names), "these people look like excluded ones: add them if they are the same"),
        (numbers, "these numbers may be of excluded people: add them if so"),
    ):
        if found:
            listed = ", ".join(f"{name} ({senders[name]:,} messages)" for name in found[:MAX_LISTED])
            more = f" and {len(found) - MAX_LISTED:,} more" if len(found) > MAX_LISTED else ""
            yield f"exclude.contacts: {what}: {listed}{more}"


def _example(store: ConversationStore, numbers: array[int]) -> ChatMessages:
    """The first turns of a rather long conversation, ending with one of mine."""
    by_length = sorted(numbers, key=store.turns.__getitem__)
    line = json.loads(store.line(by_length[len(by_length) * 3 // 4]))
    messages: ChatMessages = line["messages"][:EXAMPLE_TURNS]
    while len(messages) > 1 and messages[-1]["role"] == "user":
        messages.pop()
    return messages


def _write(directory: Path, store: ConversationStore, splits: Splits, summary: str, training: dict[str, Any]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    remove_leftovers(directory)
    for token_cache in directory.glob(".*.windows"):  # made by train from the files that are replaced now
        token_cache.unlink()
    texts = {directory / SUMMARY_NAME: summary, **handed_over(directory, training)}
    with atomic_files(*(directory / f"{name}.jsonl" for name in SPLIT_NAMES), *texts) as paths:
        for path, numbers in zip(paths, splits, strict=False):
            with path.open("wb") as file:
                file.writelines(map(store.line, numbers))
        for path, text in zip(paths[len(SPLIT_NAMES) :], texts.values(), strict=True):
            # Half a surrogate pair in a name is no reason to fail at the very end.
            path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
