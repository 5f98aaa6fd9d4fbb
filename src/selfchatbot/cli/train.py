"""``selfChatBot_train``: conversations to a model that talks like you."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from selfchatbot.cli.shell import add_events_option, leave, parser, run, say, show_log
from selfchatbot.distributed import is_main

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from selfchatbot.cli.console import Console
    from selfchatbot.environment import Dataset
    from selfchatbot.parameters import TrainingParameters
    from selfchatbot.trainer import Progress
    from selfchatbot.trainer.samples import Sample


def main() -> None:
    """The console script."""
    arguments = parser("selfChatBot_train", "Fine-tune the dataset's model on your conversations.")
    arguments.add_argument("--restart", action="store_true", help="start over instead of resuming an unfinished run")
    arguments.add_argument(
        "-n", "--dry-run", action="store_true", help="estimate steps, memory, time and disk; train and write nothing"
    )
    arguments.add_argument("--name", help="what this run is called (default: the date and time)")
    add_events_option(arguments)
    chosen = arguments.parse_args()
    leave(run(lambda: _stage(chosen.dataset, chosen.restart, chosen.dry_run, chosen.name, chosen.events)))


def _stage(dataset_id: str, restart: bool, dry_run: bool, name: str | None, events: bool) -> None:
    from selfchatbot.changes import since_preprocess
    from selfchatbot.cli.events import consoles
    from selfchatbot.environment import conversations_file, find_dataset, read_environment
    from selfchatbot.parameters import FILE_NAME, TrainingParameters, read_parameters
    from selfchatbot.runs import check_name, run_name

    if name is not None:
        check_name(name)
    environment = read_environment()
    dataset = find_dataset(environment, dataset_id, "preprocessed")
    parameters = read_parameters(dataset.preprocessed / FILE_NAME, TrainingParameters)
    for split in ("train", "validation"):  # before torch is loaded, which takes a while
        conversations_file(dataset.preprocessed, split)
    output, console = consoles(events, quiet=not is_main())
    show_log(lambda line: console.print(line, soft_wrap=True))  # above the progress bar
    for change in since_preprocess(dataset):
        console.print(change, soft_wrap=True)
    if dry_run:
        _advise(parameters, dataset, console)
        _dry_run(parameters, dataset, console)
        return
    with console.status("loading torch and transformers") as status:
        from selfchatbot.models import quiet

        quiet()
        from selfchatbot.trainer import Trainer

        _advise(parameters, dataset, console)

        bar = _bar(console)

        def on_progress(progress: Progress) -> None:
            status.stop()
            _advance(bar, progress)
            console.send("progress", **asdict(progress))

        def on_samples(step: int, samples: list[Sample]) -> None:
            _show_samples(console, step, samples)

        status.update("loading model and data, validating the base model")
        try:
            trainer = Trainer(
                parameters,
                dataset.preprocessed,
                dataset.results,
                on_progress,
                restart=restart,
                on_samples=on_samples,
                name=name,
            )
            result = trainer.train()
        finally:
            bar.stop()
    if not is_main():
        return
    if parameters.choose_sampling:
        _choose_sampling(dataset, parameters.seed, console)
    _prepare(dataset, console)
    early = ", stopped early" if result.stopped_early else ""
    output.print(
        f"Validation loss: {result.base_loss:.3f} before training, {result.best_loss:.3f} at best "
        f"(step {result.best_step} of {result.steps}{early})",
        soft_wrap=True,
    )
    if result.best_loss < result.base_loss:
        times = math.exp(result.base_loss - result.best_loss)
        output.print(
            "So in conversations that it was not trained on, each word of yours, or part of a word, is "
            f"{times:.1f} times as likely as before",
            soft_wrap=True,
        )
    else:
        output.print("warning: no better than the base model: lower learning_rate or add more chats", soft_wrap=True)
    output.print(f'best/ and final/ of the run "{run_name(dataset.results)}" are in {dataset.results}', soft_wrap=True)
    output.print(f"Next: selfChatBot_play -d {dataset_id} -t session", soft_wrap=True)


def _advise(parameters: TrainingParameters, dataset: Dataset, console: Console) -> None:
    """Say where training all weights learns more. Loads torch, so preprocess doesn't."""
    from selfchatbot.environment import conversations_file
    from selfchatbot.messages import read_conversations
    from selfchatbot.parameters import FILE_NAME
    from selfchatbot.setup.model_check import full_fine_tuning

    conversations = read_conversations(conversations_file(dataset.preprocessed, "train"))
    replies = sum(message["role"] == "assistant" for messages in conversations for message in messages)
    if better := full_fine_tuning(parameters, replies):
        console.print(f"{better}: edit {dataset.preprocessed / FILE_NAME}", soft_wrap=True)


def _dry_run(parameters: TrainingParameters, dataset: Dataset, console: Console) -> None:
    with console.status("measuring a few steps, in memory only"):
        from selfchatbot.trainer.dry_run import dry_run

        estimate = dry_run(parameters, dataset.preprocessed, dataset.results)
    if is_main():
        say(str(estimate))


def _choose_sampling(dataset: Dataset, seed: int, console: Console) -> None:
    """Choose the sampling parameters; the model stays whatever happens here."""
    from selfchatbot.errors import SelfChatBotError
    from selfchatbot.memory import give_back_memory
    from selfchatbot.player.tune_sampling import choose_sampling
    from selfchatbot.trainer.report import LOG_NAME, log_file

    give_back_memory()  # the trained model is loaded again as it will be played
    try:
        with (
            log_file(dataset.results / LOG_NAME, append=True),
            console.status("choosing the sampling parameters") as status,
        ):
            choose_sampling(
                dataset.preprocessed,
                dataset.results,
                seed,
                lambda done, of: status.update(f"choosing the sampling parameters: {done} of {of} settings tried"),
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"stopped; best/ and final/ are in {dataset.results}, and {dataset.results / 'parameters.json'} keeps the "
            "default sampling parameters"
        ) from None
    except (SelfChatBotError, MemoryError) as error:
        console.print(f"warning: the default sampling parameters stay ({error or 'out of memory'})", soft_wrap=True)


def _prepare(dataset: Dataset, console: Console) -> None:
    """Write the model as the fastest engine reads it, so that the first conversation begins at once."""
    from selfchatbot.errors import SelfChatBotError
    from selfchatbot.parameters import FILE_NAME, GenerationParameters, read_parameters
    from selfchatbot.player.engines.select import prepare

    failures = (KeyboardInterrupt, SelfChatBotError, MemoryError)  # then playing prepares it, or tells why it can't
    with console.status("preparing the model for talking"), suppress(*failures):
        prepare(dataset.results / "best", read_parameters(dataset.results / FILE_NAME, GenerationParameters))


def _show_samples(console: Console, step: int, samples: list[Sample]) -> None:
    """The model's answers next to what I really answered: on the screen and nowhere else."""
    from rich.table import Table

    if not samples:
        return
    told = [{"question": one.question, "mine": one.mine, "answer": one.answers[step]} for one in samples]
    console.send("samples", step=step, samples=told)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for sample in samples:
        table.add_row("they", sample.question, style="dim")
        table.add_row("you", sample.mine, style="bold green")
        table.add_row("model", sample.answers[step], end_section=True)
        table.add_row("")
    console.print(table)


def _bar(console: Console) -> Bar:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    return Bar(
        TextColumn("step"),
        MofNCompleteColumn(),
        BarColumn(bar_width=None),
        TextColumn("loss {task.fields[loss]:.2f}"),
        TextColumn("validation {task.fields[validation]:.2f} (base {task.fields[base]:.2f})"),
        TextColumn("{task.fields[speed]:.0f} tokens/s"),
        TextColumn("{task.fields[memory]:.1f} GiB"),
        TextColumn("{task.fields[left]} left"),
        console=console,
        expand=True,
    )


def _advance(bar: Bar, progress: Progress) -> None:
    if not bar.task_ids:
        bar.add_task(
            "training", total=progress.steps, loss=0.0, validation=0.0, base=0.0, speed=0.0, memory=0.0, left=""
        )
        bar.start()
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    hours, minutes = divmod(minutes, 60)
    bar.update(
        bar.task_ids[0],
        completed=progress.step,
        loss=progress.loss,
        validation=progress.validation_loss,
        base=progress.base_loss,
        speed=progress.tokens_per_second,
        memory=progress.memory / 2**30,
        left=f"{hours}:{minutes:02d}:{seconds:02d}",
    )


if __name__ == "__main__":
    main()
