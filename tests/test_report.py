"""What one sees of a run: samples while it goes on, report.md after it, and what trackers get."""

import json
import logging
import os
import re
import signal
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from conftest import WORDS, Run, one_line_error, write_training_data
from test_trainer import CPU

from selfchatbot.chat_format import ChatFormat
from selfchatbot.errors import UsageError
from selfchatbot.models import load_model, load_tokenizer
from selfchatbot.parameters import TrainingParameters, read_parameters
from selfchatbot.trainer import Progress, Result, Trainer
from selfchatbot.trainer.report import log_file
from selfchatbot.trainer.samples import Sample, Samples
from selfchatbot.trainer.signals import Stopped

Seen = list[tuple[int, list[tuple[str, str, str]]]]


def train(data: Path, output: Path, seen: Seen, stop_at: int | None = None, **changes: object) -> Result:
    """A run whose samples are appended to ``seen`` as they are shown."""

    def progressed(progress: Progress) -> None:
        if progress.step + 1 == stop_at:
            os.kill(os.getpid(), signal.SIGINT)

    def sampled(step: int, samples: list[Sample]) -> None:
        seen.append((step, [(sample.question, sample.mine, sample.answers[step]) for sample in samples]))

    parameters = read_parameters(data / "parameters.json", TrainingParameters).model_copy(update=changes)
    return Trainer(parameters, data, output, progressed, CPU, on_samples=sampled).train()


def test_samples_show_it_learning(tiny_model: Path, tmp_path: Path) -> None:
    data = write_training_data(
        tmp_path / "data", tiny_model, epochs=8, type_fine_tune="fine_tune", evaluations_per_epoch=1, samples=3
    )
    # It is asked what it is trained on: what it answers to anything else depends on how a processor rounds.
    trained = (data / "train.jsonl").read_text(encoding="utf-8").split("\n")
    (data / "validation.jsonl").write_text(trained[0] + "\n", encoding="utf-8")
    seen: Seen = []
    train(data, tmp_path / "out", seen)
    assert [step for step, _ in seen] == list(range(0, 180, 20))
    assert {tuple(sample[:2] for sample in samples) for _, samples in seen} == {
        tuple((f"how are you doing today? 2 {turn}", WORDS) for turn in (0, 2, 3))
    }
    # Said with temperature 0.8: what was learned by heart is nearly what comes.
    first, last = seen[0][1], seen[-1][1]
    assert not any("raining again" in answer for _, _, answer in first)
    assert all("raining again" in answer for _, _, answer in last)
    log = (tmp_path / "out" / "log.txt").read_text(encoding="utf-8")
    assert "umbrella" not in log and "doing today" not in log
    assert "umbrella" not in (tmp_path / "out" / "metrics.jsonl").read_text(encoding="utf-8")


def test_samples_change_nothing_and_can_be_left_out(tiny_model: Path, tmp_path: Path) -> None:
    data = write_training_data(tmp_path / "data", tiny_model, epochs=2, lora_dropout=0.3, samples=3)
    with_samples, without = [], []
    one = train(data, tmp_path / "one", with_samples)
    other = train(data, tmp_path / "other", without, samples=0)
    assert (one.best_loss, one.best_step) == (other.best_loss, other.best_step)
    assert all(samples for _, samples in with_samples) and not any(samples for _, samples in without)
    assert "Samples" not in (tmp_path / "other" / "report.md").read_text(encoding="utf-8")


def test_answers_in_a_batch_are_those_alone(tiny_base_model: Path, tmp_path: Path) -> None:
    """Padding at the left changes nothing; the same model says the same again; few and short windows are no trouble."""
    data = write_training_data(tmp_path / "data", tiny_base_model)
    lines = (
        (data / "validation.jsonl").read_text(encoding="utf-8").replace("how are you doing today? 0 0", "hey you ok")
    )
    (data / "validation.jsonl").write_text(lines, encoding="utf-8")
    model = load_model(str(tiny_base_model), torch.float32).eval()
    chat_format = ChatFormat(load_tokenizer(str(tiny_base_model)))
    samples = Samples(data / "validation.jsonl", 20, chat_format, 256)
    assert [sample.mine for sample in samples.all] == [WORDS] * 4
    first = [sample.answers[0] for sample in samples.answer(model, 0)]
    state = torch.get_rng_state()
    assert [sample.answers[7] for sample in samples.answer(model, 7)] == first
    assert torch.equal(torch.get_rng_state(), state)
    greedy = {"do_sample": False, "max_new_tokens": 8, "pad_token_id": chat_format.end}
    widest = max(samples._prompts, key=len)
    for prompt in samples._prompts:
        padding = len(widest) - len(prompt)
        ids = torch.tensor([[chat_format.end] * padding + prompt, widest])
        mask = torch.tensor([[0] * padding + [1] * len(prompt), [1] * len(widest)])
        together = model.generate(input_ids=ids, attention_mask=mask, **greedy)[0, len(widest) :]
        alone = torch.tensor([prompt])
        alone = model.generate(input_ids=alone, attention_mask=torch.ones_like(alone), **greedy)[0, len(prompt) :]
        assert together.tolist() == alone.tolist()
    assert len(Samples(data / "validation.jsonl", 3, chat_format, 32).answer(model, 0)) == 3


def test_the_report_of_a_run_that_was_stopped_is_that_of_one_that_was_not(tiny_model: Path, tmp_path: Path) -> None:
    data = write_training_data(tmp_path / "data", tiny_model, epochs=2, samples=3)
    result = train(data, tmp_path / "one", [])
    with pytest.raises(Stopped):
        train(data, tmp_path / "other", [], stop_at=25)
    assert "report.md" in {path.name for path in (tmp_path / "other").iterdir()}
    train(data, tmp_path / "other", [])
    one, other = ((tmp_path / name / "report.md").read_text(encoding="utf-8") for name in ("one", "other"))
    changing = re.compile(r"\| (?:time|memory|peak memory) \|.*")
    assert changing.sub("", one) == changing.sub("", other)
    assert len(changing.findall(one)) == 3
    assert "![loss by step](loss.png)" in one
    assert (
        f"| {result.steps} | 2.0 | {result.best_loss:.4f} | {result.best_loss - result.base_loss:+.4f} | best |" in one
    )
    assert "| train | 10 conversations with 40 replies in 20 windows, 2140 tokens, 600 of them trained |" in one
    assert "| learning\\_rate | 0.01 |" in one and "| recency\\_half\\_life | null |" in one
    assert "| you | haha yeah<br>it's raining again, don't forget 😀 |" in one
    assert one.count("| base model |") == 3 and one.count("| after step 40 |") == 3
    assert f"| torch | {version('torch')} |" in one


def test_messages_are_no_markup(tiny_model: Path, tmp_path: Path) -> None:
    data = write_training_data(tmp_path / "data", tiny_model, epochs=0.1, samples=3)
    said = json.dumps("how | are <b>you</b>\n# *doing* today?")[1:-1]
    text = (data / "validation.jsonl").read_text(encoding="utf-8").replace("how are you doing today?", said)
    (data / "validation.jsonl").write_text(text, encoding="utf-8")
    train(data, tmp_path / "out", [])
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert r"| they | how \| are \<b\>you\</b\><br>\# \*doing\* today? 0 0 |" in report


def test_the_script_shows_samples(environment: Path, run: Run, tiny_model: Path) -> None:
    data = write_training_data(
        environment / "preprocessed" / "Dataset_1_x",
        tiny_model,
        epochs=0.5,
        evaluations_per_epoch=1,
        choose_sampling=False,
        samples=1,
    )
    text = (data / "validation.jsonl").read_text(encoding="utf-8").replace("how are", r"\u001b[31mhow are")
    (data / "validation.jsonl").write_text(text, encoding="utf-8")
    done = run("train", "-d", "1")
    assert done.returncode == 0, done.stderr
    shown = [line.split() for line in done.stderr.split("\n")]
    assert (
        sum(words[:3] == ["they", r"\u001b[31mhow", "are"] for words in shown) == 2
    )  # of the base model, and at the end
    assert sum(words[:3] == ["you", "haha", "yeah"] for words in shown) == 2
    assert sum(words[:1] == ["model"] for words in shown) == 2
    assert "\x1b[31m" not in done.stderr


# --- trackers ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux'")
def test_a_log_that_a_full_disk_does_not_take_is_no_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    with log_file(Path("/dev/full"), append=True):
        logging.getLogger("selfchatbot").info("nobody reads this")
    assert capsys.readouterr().err == ""


def test_a_tracker_that_is_not_there_is_one_line(environment: Path, run: Run, tiny_model: Path, tmp_path: Path) -> None:
    folder = environment / "preprocessed" / "Dataset_1_x"
    write_training_data(folder, tiny_model, report_to=["nosuch"])
    assert 'key "report_to": found "nosuch", expected some of' in one_line_error(run("train", "-d", "1"), 2)
    missing = next(name for name in ("wandb", "trackio", "mlflow", "swanlab") if find_spec(name) is None)
    data = write_training_data(tmp_path / "data", tiny_model, report_to=[missing])
    with pytest.raises(UsageError, match=f'key "report_to": "{missing}" .*pip install {missing}'):
        train(data, tmp_path / "out", [])


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="tensorboard is not installed")
def test_tensorboard_gets_the_losses(tiny_model: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    data = write_training_data(tmp_path / "data", tiny_model, epochs=1, report_to=["tensorboard"])
    result = train(data, tmp_path / "out", [])
    (events,) = (tmp_path / "out" / "runs").glob("*/selfchatbot/events*")
    scalars = EventAccumulator(str(events)).Reload()
    losses = [event.value for event in scalars.Scalars("eval/loss")]
    assert losses[0] == pytest.approx(result.base_loss) and min(losses) == pytest.approx(result.best_loss)
    assert [event.step for event in scalars.Scalars("train/loss")] == list(range(1, result.steps + 1))
    (settings,) = (tmp_path / "out" / "runs").rglob("hparams.yml")
    assert "learning_rate: 0.01\n" in settings.read_text(encoding="utf-8")
    for file in (tmp_path / "out" / "runs").rglob("*"):
        assert file.is_dir() or b"umbrella" not in file.read_bytes()
