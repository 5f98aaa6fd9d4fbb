"""The sampling chosen after training: the nearest to my replies; the user's edits are kept."""

import itertools
import json
import random
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch
from conftest import Run, write_training_data

from selfchatbot.environment import Dataset
from selfchatbot.models import Machine
from selfchatbot.parameters import GenerationParameters, TrainingParameters, hand_over, read_parameters
from selfchatbot.player.checkpoint import load_checkpoint
from selfchatbot.player.engines.batch import Batch
from selfchatbot.player.engines.protocol import Sampling
from selfchatbot.player.tune_sampling import GRID, choice_among, choose_sampling, clearly_nearer
from selfchatbot.style import distance, distinct_words, style_of
from selfchatbot.trainer import Trainer

CPU = Machine("cpu", torch.float32)
ME = ["haha yeah", "it's raining again\ndon't forget your umbrella", "sure, when?", "ok cool", "at 7 or 8 maybe\nok?"]


def test_a_style_is_nearest_to_itself() -> None:
    me = style_of(ME * 4)
    assert distance(me, me).total == 0
    others = {
        "length": [f"{text} {text}" for text in ME * 4],
        "messages": [text.replace("\n", " ") for text in ME * 4],
        "repetition": [re.sub(r"(\w+)", r"\1 \1", text) for text in ME * 4],
        "distinct_words": ["haha yeah"] * 20,
    }
    for what, replies in others.items():
        apart = distance(style_of(replies), me)
        assert getattr(apart, what) > 0.1, what
        assert apart.total == distance(me, style_of(replies)).total


def test_figures_of_a_style() -> None:
    style = style_of(["no no", "a\nb\n\nc"])
    assert (style.replies, style.characters, style.messages) == (2, 5.5, 2)
    assert style.words == Counter({"no": 2, "a": 1, "b": 1, "c": 1})
    assert style.repetition == 1 / 5
    assert style_of(["今日は雨"]).words.total() == 4
    with pytest.raises(ValueError, match="no reply"):
        style_of([])


def test_different_words_are_those_expected_in_a_sample() -> None:
    words = [str(number % 7 if number % 3 else number) for number in range(60)]
    style = style_of([" ".join(words)])
    rng = random.Random(0)
    drawn = sum(len(set(rng.sample(words, 20))) for _ in range(4000)) / 4000
    assert distinct_words(style.words, 20) == pytest.approx(drawn, rel=0.01)
    assert distinct_words(style.words, 60) == pytest.approx(len(set(words)))


@pytest.mark.parametrize("fixture", ["tiny_model", "tiny_base_model"])
@pytest.mark.parametrize("beginning", [[], [3, 300, 4]])
def test_a_batch_gives_the_reply_to_each_prompt_alone(
    fixture: str, beginning: list[int], request: pytest.FixtureRequest
) -> None:
    """Greedy: padding, positions, a common beginning and rows that end earlier change nothing."""
    model = load_checkpoint(request.getfixturevalue(fixture), None, CPU).model
    prompts = [beginning + prompt for prompt in ([5, 9, 30], [7] * 11, list(range(40, 60)), [8])]
    sampling = Sampling(0, 1, 0, 1.3, 20, 0, frozenset({1}), 3, may_be_empty=False)
    # The fifth token of the second reply becomes the end token, so that rows end at different times.
    end = Batch(model, prompts).replies(sampling)[1].ids[4]
    sampling = Sampling(0, 1, 0, 1.3, 20, end, frozenset({1}), 3, may_be_empty=False)
    batch = Batch(model, prompts)
    together = batch.replies(sampling)
    alone = [Batch(model, [prompt]).replies(sampling)[0] for prompt in prompts]
    assert [reply.ids for reply in together] == [reply.ids for reply in alone]
    assert together == batch.replies(sampling)
    assert len({len(reply.ids) for reply in together}) > 1
    for prompt, reply in zip(prompts, together, strict=True):
        whole = [*prompt, *reply.ids, *([end] if reply.ended else [])]
        logs = model(torch.tensor([whole])).logits[0].log_softmax(-1)
        expected = [logs[place - 1, whole[place]].item() for place in range(len(prompt), len(whole))]
        assert reply.log_probabilities == pytest.approx(expected, abs=1e-4)


@pytest.fixture(scope="module")
def learned(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data with replies enough to choose by, and results of a little training."""
    folder = tmp_path_factory.mktemp("learned")
    data = write_training_data(folder / "data", tiny_model, epochs=2)
    train = (data / "train.jsonl").read_text(encoding="utf-8").split("\n")
    (data / "validation.jsonl").write_text("\n".join(train[:4]) + "\n", encoding="utf-8")  # 16 replies
    parameters = read_parameters(data / "parameters.json", TrainingParameters)
    Trainer(parameters, data, folder / "results", machine=CPU).train()
    return folder


@pytest.fixture
def trained(learned: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A copy of its data and results."""
    data, results = (shutil.copytree(learned / name, tmp_path / name) for name in ("data", "results"))
    return data, results


def replies_of_words(rng: random.Random, fewest: int, most: int) -> list[str]:
    return [" ".join(rng.choices("abcdefgh", k=rng.randint(fewest, most))) for _ in range(64)]


def test_what_chance_could_do_is_not_clearly_nearer() -> None:
    rng = random.Random(1)
    short, long = replies_of_words(rng, 1, 6), replies_of_words(rng, 6, 12)
    me = style_of(short[:32] * 2)
    assert clearly_nearer(short, long, me, 0)
    assert not clearly_nearer(long, short, me, 0)
    assert not clearly_nearer(short, short, me, 0)
    # New samples of the same distribution.
    drawn = [[rng.choice(short) for _ in range(64)] for _ in range(20)]
    clear = sum(clearly_nearer(one, other, me, 0) for one, other in itertools.pairwise(drawn))
    assert clear <= 8, "about a sixth of 19 by chance"


def test_the_default_stays_unless_another_one_is_clearly_nearer() -> None:
    rng = random.Random(2)
    short, long = replies_of_words(rng, 1, 6), replies_of_words(rng, 6, 12)
    default, other, third = GRID[:3]
    choice = choice_among({default: long, other: long[::-1], third: short}, style_of(short), 0)
    assert choice.point == third and choice.distances[third] == 0
    assert choice_among({default: short, other: long}, style_of(short), 0).point == default
    # A draw of the same distribution that happens to be nearer isn't clearly so.
    me = style_of(replies_of_words(rng, 1, 6))
    nearer, farther = sorted(
        (replies_of_words(rng, 1, 6) for _ in range(2)), key=lambda replies: distance(style_of(replies), me).total
    )
    choice = choice_among({default: farther, other: nearer}, me, 0)
    assert choice.point == default and choice.distances[other] < choice.distances[default]


def test_the_nearest_one_becomes_the_default(trained: tuple[Path, Path]) -> None:
    data, results = trained
    done = []
    before = read_parameters(results / "parameters.json", GenerationParameters)
    assert (before.temperature, before.top_p, before.repetition_penalty) == GRID[0]
    choice = choose_sampling(data, results, 1, lambda count, of: done.append((count, of)), CPU)
    assert choice is not None
    assert done == [(count, len(GRID)) for count in range(len(GRID) + 1)]
    assert set(choice.distances) == set(GRID)
    assert choice.point in (GRID[0], min(choice.distances, key=choice.distances.__getitem__))
    assert len(set(choice.distances.values())) > 1
    parameters = read_parameters(results / "parameters.json", GenerationParameters)
    assert (parameters.temperature, parameters.top_p, parameters.repetition_penalty) == choice.point
    assert parameters.max_length == 128  # what training wrote beside it stays
    again = choose_sampling(data, results, 1, machine=CPU)
    assert again is not None and again.distances == choice.distances


def test_my_replies_are_cut_where_those_of_the_model_are(trained: tuple[Path, Path]) -> None:
    data, results = trained
    turns = [("user", "hey"), ("assistant", "haha yeah " * 100)] * 8
    line = json.dumps({"messages": [{"role": role, "content": content} for role, content in turns]})
    (data / "validation.jsonl").write_text(line + "\n", encoding="utf-8")
    choice = choose_sampling(data, results, 1, machine=CPU)
    assert choice is not None and 0 < choice.mine.characters < len("haha yeah " * 40)


def test_what_the_user_edited_stays(trained: tuple[Path, Path]) -> None:
    data, results = trained
    path = results / "parameters.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), "temperature": 0.33}), encoding="utf-8")
    choice = choose_sampling(data, results, 1, machine=CPU)
    assert choice is not None
    parameters = read_parameters(path, GenerationParameters)
    assert parameters.temperature == 0.33
    assert parameters.repetition_penalty == choice.point.repetition_penalty
    # New training starts from the defaults again, except for the edit.
    hand_over(results, GenerationParameters.start_values("m", 128))
    assert read_parameters(path, GenerationParameters).temperature == 0.33
    assert read_parameters(path, GenerationParameters).repetition_penalty == 1.0


def test_too_little_to_choose_by_and_too_little_time(trained: tuple[Path, Path], dataset: Dataset) -> None:
    data, results = trained
    before = (results / "parameters.json").read_bytes()
    assert choose_sampling(data, results, 1, machine=CPU, seconds=0) is None
    assert (results / "parameters.json").read_bytes() == before
    assert choose_sampling(dataset.preprocessed, dataset.results, 1, machine=CPU) is None  # four validation replies


def test_train_logs_the_reason_and_can_skip_it(run: Run, environment: Path, tiny_model: Path) -> None:
    name = "Dataset_1_x"
    (environment / "raw" / name).mkdir()
    data = write_training_data(environment / "preprocessed" / name, tiny_model, epochs=1)
    train = (data / "train.jsonl").read_text(encoding="utf-8").split("\n")
    (data / "validation.jsonl").write_text("\n".join(train[:4]) + "\n", encoding="utf-8")
    done = run("train", "-d", "1")
    assert done.returncode == 0, done.stderr
    log = environment / "results" / name / "log.txt"
    lines = log.read_text(encoding="utf-8").splitlines()
    assert "lora of" in lines[0]
    assert re.search(
        r"sampling: temperature \S+, top_p \S+ and repetition_penalty \S+ (are|stay: .+) near(est|er) to my valid",
        lines[-1],
    )
    assert "raining" not in lines[-1]
    written = read_parameters(environment / "results" / name / "parameters.json", GenerationParameters)
    assert f"temperature {written.temperature:g}, top_p {written.top_p:g} and" in lines[-1]

    values = json.loads((data / "parameters.json").read_text(encoding="utf-8"))
    (data / "parameters.json").write_text(json.dumps({**values, "choose_sampling": False}), encoding="utf-8")
    done = run("train", "-d", "1")
    assert done.returncode == 0, done.stderr
    assert "sampling" not in log.read_text(encoding="utf-8")
