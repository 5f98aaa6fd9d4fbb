"""An evaluation from end to end: replies and likelihoods, cases with known answers, no leak of the test split."""

import json
import random
import re
import shutil
import stat
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Run, edit_settings, one_line_error, write_training_data
from tiny_models import TEMPLATES, WORDS, save_tiny_model, tiny_tokenizer

from selfchatbot.chat_format import IGNORED, ChatFormat, Window
from selfchatbot.conversations.stage import preprocess
from selfchatbot.environment import Dataset, Environment, find_dataset
from selfchatbot.errors import SelfChatBotError, UsageError
from selfchatbot.likeness.measures.context_fit import fit
from selfchatbot.likeness.measures.prediction import predict
from selfchatbot.likeness.measures.probes import Controls, read_probes
from selfchatbot.likeness.result import Likeness, load
from selfchatbot.likeness.run import judging
from selfchatbot.likeness.run.cache import Cache
from selfchatbot.likeness.run.contexts import read_contexts
from selfchatbot.likeness.run.evaluation import evaluate
from selfchatbot.likeness.run.inputs import ProbeLine
from selfchatbot.likeness.run.model_pair import ModelPair
from selfchatbot.likeness.run.replies import few_shot_prompt, generate_replies
from selfchatbot.messages import read_conversations
from selfchatbot.models import Machine
from selfchatbot.parameters import GenerationParameters, TrainingParameters, read_parameters
from selfchatbot.player import checkpoint
from selfchatbot.player.checkpoint import Checkpoint, load_checkpoint
from selfchatbot.player.engines.likelihood import continuation_log_probabilities, window_log_probability
from selfchatbot.player.tune_sampling import choose_sampling
from selfchatbot.trainer import Trainer

CPU = Machine("cpu", torch.float32)
NAME = "Dataset_1_Zoë"
PAIRS = 24
TIMES = 15
"""How often each of them is in the training text."""
EPOCHS = 10
SECRET = "Xanthippe"
"""Occurs once in the test conversations and nowhere else."""


@cache
def pairs() -> list[tuple[str, str]]:
    """Questions, each with its own answer of random words, which only the question predicts."""
    rng = random.Random(5)
    words = sorted(set(re.findall(r"[a-z]{3,}", WORDS)))
    asked = [f"what about {letter}?" for letter in "ABCDEFGHIJKLMNOPQRSTUVW"] + ["what about 447123?"]
    return [(question, " ".join(rng.sample(words, 5))) for question in asked]


@pytest.fixture(scope="module")
def learned(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with a model that has memorised all answers of the test conversations."""
    folder = tmp_path_factory.mktemp("learned")
    (folder / "raw" / NAME).mkdir(parents=True)
    options = {"type_fine_tune": "fine_tune", "epochs": EPOCHS, "warmup_ratio": 0.1, "max_length": 512}
    data = write_training_data(folder / "preprocessed" / NAME, tiny_model, evaluations_per_epoch=1, **options)
    lines = [
        json.dumps(
            {
                "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}],
                "chat": "c",
                "start": "2024-01-01T10:00:00",
                "contact": SECRET,
            }
        )
        for question, answer in pairs()
    ]
    for name, times in (("train", TIMES), ("validation", 1), ("test", 1)):
        (data / f"{name}.jsonl").write_text("\n".join(lines * times) + "\n", encoding="utf-8")
    parameters = read_parameters(data / "parameters.json", TrainingParameters)
    Trainer(parameters, data, folder / "results" / NAME, machine=CPU).train()
    edit_settings(folder / "results" / NAME, temperature=0.0, repetition_penalty=1.0, max_new_tokens=40)
    return folder


def dataset_in(folder: Path) -> Dataset:
    stages = {stage: folder / stage for stage in ("raw", "preprocessed", "results")}
    return find_dataset(Environment(**stages), "1", "results")


def evaluated(folder: Path, **options: Any) -> Likeness:
    dataset = dataset_in(folder)
    parameters = read_parameters(dataset.results / "parameters.json", GenerationParameters)
    return evaluate(dataset, dataset.results / "best", parameters, machine=CPU, **options)


@pytest.fixture(scope="module")
def finished(learned: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Likeness]:
    """The environment after an evaluation, and its result."""
    folder = tmp_path_factory.mktemp("finished") / "copy"
    shutil.copytree(learned, folder)
    known = [ProbeLine(3, pairs()[0][1])]
    return folder, evaluated(folder, probes=known)


@pytest.mark.parametrize("fixture", ["tiny_model", "tiny_base_model"])
def test_likelihoods_are_those_of_one_sequence_after_the_other(fixture: str, request: pytest.FixtureRequest) -> None:
    model = load_checkpoint(request.getfixturevalue(fixture), None, CPU).model
    continuations = [[5, 6, 7], [300], [9] * 12, list(range(20, 45))]

    def alone(ids: list[int], first: int) -> float:
        logits = model(input_ids=torch.tensor([ids])).logits[0].float().log_softmax(-1)
        return sum(logits[place - 1, ids[place]].item() for place in range(first, len(ids)))

    for prompt in ([8], [8, 30, 31, 99]):
        found = continuation_log_probabilities(model, prompt, continuations)
        assert found == pytest.approx([alone([*prompt, *ids], len(prompt)) for ids in continuations], abs=1e-3)
    ids = list(range(40, 60))
    labels = [IGNORED] * 15 + ids[15:]
    assert window_log_probability(model, Window(ids, labels)) == pytest.approx(alone(ids, 15), abs=1e-3)


def test_a_model_that_knows_the_answers_is_found_to(finished: tuple[Path, Likeness]) -> None:
    """Cases with known answers: memorised, never trained, and contexts swapped."""
    _, result = finished
    model, base = result.speakers["model"], result.speakers["base"]
    assert model.fitting is not None and base.fitting is not None
    assert model.fitting.mean_reciprocal_rank.value > 0.5
    assert model.fitting.mean_reciprocal_rank.low > base.fitting.mean_reciprocal_rank.high
    chance = model.fitting.chance
    assert chance == pytest.approx(0.17989, abs=1e-5)
    for fitting in (model.fitting, base.fitting):
        assert fitting.contexts == 21 and fitting.shuffled.low <= chance + 0.05 and fitting.shuffled.value < 0.35
    assert model.fitting.generated is not None and model.fitting.generated.value > 0.5
    assert model.prediction is not None and base.prediction is not None
    mine, contacts = (
        getattr(base.prediction, side).bits_per_character.value
        - getattr(model.prediction, side).bits_per_character.value
        for side in ("mine", "contacts")
    )
    assert mine > 2 and mine > contacts + 1
    for text in (model.prediction.mine, base.prediction.mine):
        assert text.characters == sum(len(answer) for _, answer in pairs())
        assert text.perplexity.value == pytest.approx(2.718281828**text.nats_per_token.value, rel=1e-6)
    assert model.prediction.mine.tokens == base.prediction.mine.tokens
    saved = [
        1 - getattr(model.prediction, side).nats_per_token.value / getattr(base.prediction, side).nats_per_token.value
        for side in ("mine", "contacts")
    ]
    gained = model.prediction.personal_gain
    assert gained is not None and base.prediction.personal_gain is None
    assert gained.value == pytest.approx(saved[0] - saved[1]) and gained.low > 0
    # Only my contacts gave a number away: their words are in the training text as well.
    leaks = {speaker: part.leaks for speaker, part in result.speakers.items()}
    assert {name for name, leak in leaks.items() if leak and leak.neutral.in_training} == {"control"}
    assert leaks["control"] is not None and leaks["control"].neutral.in_training == {"numbers": 1}
    assert model.copying is not None and model.copying.verbatim.value > 0.8
    assert result.probes is not None
    (known,) = result.probes
    assert known.line == 3 and known.base_z is not None
    assert known.z > 3 and known.z > known.base_z + 2
    assert known.gain_z is not None and known.gain_z > 3


def test_exchanged_replies_lose_their_fit(finished: tuple[Path, Likeness], tmp_path: Path) -> None:
    dataset = dataset_in(finished[0])
    parameters = read_parameters(dataset.results / "parameters.json", GenerationParameters)
    places = read_contexts(dataset.preprocessed, 200, 0)
    pair = ModelPair(dataset.results / "best", parameters, 0, Cache(tmp_path / "cache"), CPU)
    mine = [place.reply for place in places]
    own, exchanged = (fit(pair, "model", places, said) for said in (mine, [*mine[1:], mine[0]]))
    assert own is not None and own.generated is not None
    assert own.generated.value == pytest.approx(own.mean_reciprocal_rank.value)
    assert exchanged is not None and exchanged.generated is not None
    assert exchanged.mean_reciprocal_rank == own.mean_reciprocal_rank
    assert exchanged.generated.value < own.generated.low and exchanged.generated.value < 0.35


def test_of_several_candidates_the_one_that_fits_best_is_measured(
    finished: tuple[Path, Likeness], tmp_path: Path
) -> None:
    dataset = dataset_in(finished[0])
    parameters = read_parameters(dataset.results / "parameters.json", GenerationParameters)
    places = read_contexts(dataset.preprocessed, 200, 0)
    contexts = [place.messages for place in places]
    fits = []
    for count in (1, 16):
        now = parameters.model_copy(update={"temperature": 1.5, "guidance": 0.0, "best_of": count})
        pair = ModelPair(dataset.results / "best", now, 0, Cache(tmp_path / "cache"), CPU)
        said = [one.text for one in generate_replies(pair, "model", contexts, [], [])]
        found = fit(pair, "model", places, said)
        assert found is not None and found.generated is not None
        fits.append(found.generated.value)
    assert fits[1] > fits[0] + 0.1


def test_what_is_written(finished: tuple[Path, Likeness]) -> None:
    folder, result = finished
    results = dataset_in(folder).results
    assert load(results / "likeness.json") == result
    assert set(result.speakers) == {"me", "model", "base", "control"}
    assert result.run.contexts == PAIRS and result.run.training_replies == PAIRS * TIMES
    assert result.run.validation[0].epoch == 0 and len(result.run.validation) == 1 + EPOCHS
    json_text = (results / "likeness.json").read_text(encoding="utf-8")
    page = (results / "likeness.html").read_text(encoding="utf-8")
    texts = [text for pair in pairs() for text in pair]
    assert not any(text in json_text for text in [*texts, SECRET])
    assert '"own_gain": {' in json_text, "the name that earlier files have"
    assert any(text in page for text in texts)
    private = [*(results / "likeness").glob("*.jsonl"), results / "likeness.html"]
    assert len(private) == 9  # replies, prediction, fitting and probes of each model
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    assert stat.S_IMODE((results / "likeness").stat().st_mode) == 0o700


def test_an_ended_run_goes_on(learned: Path, finished: tuple[Path, Likeness], tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(learned, folder)
    seen: list[tuple[str, int, int]] = []

    def end(what: str, done: int, of: int) -> None:
        seen.append((what, done, of))
        if "finds" in what and done == 5:
            raise KeyboardInterrupt

    known = [ProbeLine(3, pairs()[0][1])]
    with pytest.raises(KeyboardInterrupt):
        evaluated(folder, probes=known, on_progress=end)
    results = dataset_in(folder).results
    assert not (results / "likeness.json").exists()
    (half,) = results.glob("likeness/fitting-model-*.jsonl")
    half.write_text(half.read_text(encoding="utf-8") + "[1.5, 2.", encoding="utf-8")  # killed while it wrote
    seen.clear()
    again = evaluated(folder, probes=known, on_progress=lambda *done: seen.append(done))
    first = {what: done for what, done, _ in reversed(seen)}
    assert first["the model answers"] == PAIRS + 72 and first["the model finds replies"] == 5
    assert first["the base model answers"] == 0
    assert again.speakers == finished[1].speakers and again.probes == finished[1].probes


def test_only_what_depends_on_a_parameter_is_computed_again(finished: tuple[Path, Likeness], tmp_path: Path) -> None:
    dataset = dataset_in(finished[0])
    parameters = read_parameters(dataset.results / "parameters.json", GenerationParameters)
    warmer = parameters.model_copy(update={"temperature": 1.5})
    contexts = [place.messages for place in read_contexts(dataset.preprocessed, 200, 0)]
    conversations = list(read_conversations(dataset.preprocessed / "test.jsonl"))
    said = []
    for number, (now, seed) in enumerate(((parameters, 0), (warmer, 0), (warmer, 1), (warmer, 1))):
        pair = ModelPair(dataset.results / "best", now, seed, Cache(tmp_path / "cache"), CPU)
        seen: list[int] = []
        said.append(generate_replies(pair, "model", contexts, [], [], lambda done, _, seen=seen: seen.append(done)))
        assert seen[0] == (PAIRS if number == 3 else 0) and seen[-1] == PAIRS
        seen.clear()
        predict(pair, "model", conversations, lambda done, _, seen=seen: seen.append(done))
        assert seen[0] == (0 if number == 0 else 2 * PAIRS)
    assert said[0] != said[1] != said[2] == said[3]


def test_too_few_replies_are_said(finished: tuple[Path, Likeness], tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(finished[0], folder)
    test = dataset_in(folder).preprocessed / "test.jsonl"
    test.write_text("\n".join(test.read_text(encoding="utf-8").split("\n")[:19]), encoding="utf-8")
    with pytest.raises(SelfChatBotError, match=r"test.jsonl: only 19 replies .* at least 20 .* raise test_fraction"):
        evaluated(folder)


def chat(person: str, test_words: str) -> str:
    """Two hours of a chat, of which the last 24 minutes are the test split."""
    lines = ["=" * 62, "Guild: Private", f"Channel: {person}", "=" * 62, ""]
    for minute in range(120):
        words = f"what about {minute}" if minute < 96 else f"{test_words} {minute}"
        for second, author in enumerate((person, "rowan")):
            lines += [f"[2024-01-0{1 + minute // 24} 10:{minute % 60:02d}] {author}", f"{words} {second}", ""]
    return "\n".join(lines)


def test_nothing_before_the_evaluation_sees_the_test_conversations(tiny_model: Path, tmp_path: Path) -> None:
    """Other test texts change no byte of what training gets, of what it makes, and of the chosen sampling."""
    words = ("plain words", "poisoned with something else entirely 😀 555 01 77")
    made: list[dict[str, bytes]] = []
    for number, said in enumerate(words):
        folder = tmp_path / str(number)
        raw = folder / "raw" / NAME
        (raw / "DiscordChatExporter").mkdir(parents=True)
        (raw / "DiscordChatExporter" / "kai.txt").write_text(chat("kai", said), encoding="utf-8")
        values = {
            "model": str(tiny_model),
            "max_length": 64,
            "preprocessor_data": {"DiscordChatExporter": {"username": "rowan"}},
            "test_fraction": 0.2,
            "training": {"epochs": 1},
        }
        (raw / "parameters.json").write_text(json.dumps(values), encoding="utf-8")
        for stage in ("preprocessed", "results"):
            (folder / stage).mkdir()
        stages = {stage: folder / stage for stage in ("raw", "preprocessed", "results")}
        dataset = find_dataset(Environment(**stages), "1", "raw")
        preprocess(dataset)
        parameters = read_parameters(dataset.preprocessed / "parameters.json", TrainingParameters)
        Trainer(parameters, dataset.preprocessed, dataset.results, machine=CPU).train()
        assert choose_sampling(dataset.preprocessed, dataset.results, 1, machine=CPU) is not None
        test = (dataset.preprocessed / "test.jsonl").read_text(encoding="utf-8")
        assert said in test and "about" not in test
        given = [dataset.preprocessed / name for name in ("train.jsonl", "validation.jsonl", "parameters.json")]
        results = [dataset.results / "parameters.json", *(dataset.results / "best").iterdir()]
        made.append({str(path.relative_to(folder)): path.read_bytes() for path in [*given, *results]})
        assert all(said.encode() not in content for content in made[-1].values())
    assert made[0] == made[1]
    assert len(made[0]) > 6


def test_controls_have_the_shape_of_the_line() -> None:
    controls = Controls(tiny_tokenizer())
    line = "Hey Xanthippe, CALL me: 555-0177 вова 李四!"
    made = [controls.like(line, random.Random(seed)) for seed in range(20)]
    assert made == [controls.like(line, random.Random(seed)) for seed in range(20)]
    assert len(set(made)) == 20
    for one in made:
        assert len(one) == len(line)
        for own, other in zip(line, one, strict=True):
            assert (own.isalpha(), own.isdecimal(), own.isupper()) == (
                other.isalpha(),
                other.isdecimal(),
                other.isupper(),
            )
            assert own == other or own.isalnum()


def test_probes_are_read_by_line(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("\ufeffAnna\n\n  Jörg Müller \n", encoding="utf-8")
    assert read_probes(path) == [ProbeLine(1, "Anna"), ProbeLine(3, "Jörg Müller")]
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_probes(path)
    path.write_text(" \n", encoding="utf-8")
    with pytest.raises(UsageError, match="empty"):
        read_probes(path)


@pytest.mark.parametrize("template", ["chatml", "strict"])
def test_the_base_model_is_shown_my_messages(template: str) -> None:
    """Also where a template has no place for a system message, and the conversation is longer than what is read."""
    chat_format = ChatFormat(tiny_tokenizer(TEMPLATES[template]))
    long = [{"role": role, "content": f"haha yeah {n}"} for n in range(60) for role in ("user", "assistant")][:-1]
    for context in ([], [{"role": "user", "content": "hey"}], long):
        text = chat_format.tokenizer.decode(few_shot_prompt(chat_format, context, 10_000, ["MINE one", "MINE two"]))
        assert "MINE one\nMINE two" in text
        if context:
            assert context[-1]["content"] in text
    shown = [f"{n} " + "word " * 20 for n in range(12)]
    assert len(few_shot_prompt(chat_format, [], 10_000, shown)) < 600


def test_a_cache_keeps_what_is_done(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "kept")
    done: list[int] = []

    def slow(piece: int, bad: int | None = None) -> list[float]:
        if piece == bad:
            raise KeyboardInterrupt
        done.append(piece)
        return [piece / 3]

    with pytest.raises(KeyboardInterrupt):
        cache.computed("work", {"seed": 1}, range(5), lambda piece: slow(piece, 3))

    def watched(piece: int) -> list[float]:
        (path,) = (tmp_path / "kept").iterdir()
        assert path.read_text(encoding="utf-8").count("\n") == piece, "a kill here would lose what is done"
        return slow(piece)

    assert cache.computed("work", {"seed": 1}, range(5), watched) == [[piece / 3] for piece in range(5)]
    assert done == [0, 1, 2, 3, 4]
    cache.computed("work", {"seed": 2}, range(5), slow)
    assert len(done) == 10


def test_with_a_judge(
    finished: tuple[Path, Likeness], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(finished[0], folder)
    monkeypatch.setattr(judging, "AMATEUR", str(tiny_model))
    for kept in dataset_in(folder).results.glob("likeness/replies-model-*.jsonl"):
        kept.unlink()
    seen: list[tuple[str, int, int]] = []
    loaded = count_loads(monkeypatch)
    result = evaluated(
        folder, judge=str(save_tiny_model(tmp_path / "judge", spread=0.3)), on_progress=lambda *step: seen.append(step)
    )
    assert result.reader is not None and result.reader.contexts == PAIRS
    assert set(result.reader.controls) == {"exchanged", "shuffled", "hot"} and not result.reader.sees
    assert not any(one.sense for one in result.speakers.values()), "a random judge has no say"
    assert all(one.told_by_judge for one in result.speakers.values())
    steps = [step for step, _, _ in seen]
    for step in ("the model answers at random", "the judge reads", "a small model reads"):
        assert (step, PAIRS, PAIRS) in seen and steps.index(step) > steps.index("the model answers")
    assert loaded == ["load_checkpoint"], "once for its replies and the hot ones"
    results = dataset_in(folder).results
    hot, cold = sorted(results.glob("likeness/replies-model-*.jsonl"), key=lambda path: path.stat().st_size)
    assert hot.read_text(encoding="utf-8")[:2000] not in cold.read_text(encoding="utf-8")
    page = (results / "likeness.html").read_text(encoding="utf-8")
    assert "Can the judge see?" in page and "can&#39;t tell sense from nonsense" in page
    assert 'class="sense"' not in page


def count_loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the functions that load one of the two models, as they are called."""
    loaded: list[str] = []

    def watched(name: str) -> Callable[..., Checkpoint]:
        load = getattr(checkpoint, name)

        def watch(*arguments: Any) -> Checkpoint:
            loaded.append(name)
            found: Checkpoint = load(*arguments)
            return found

        return watch

    for name in ("load_checkpoint", "load_base"):
        monkeypatch.setattr(checkpoint, name, watched(name))
    return loaded


def test_without_a_judge_a_large_base_model_reads(
    finished: tuple[Path, Likeness], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(finished[0], folder)
    for kept in dataset_in(folder).results.glob("likeness/replies-base-*.jsonl"):
        kept.unlink()
    monkeypatch.setattr(judging, "AMATEUR", str(save_tiny_model(tmp_path / "amateur", spread=0.3)))
    monkeypatch.setattr(judging, "JUDGE_PARAMETERS", 1000)
    loaded = count_loads(monkeypatch)
    result = evaluated(folder)
    assert result.reader is not None and result.reader.judge == str(tiny_model)
    assert loaded == ["load_checkpoint", "load_base"], "the base model once for its replies and as a reader"
    page = (dataset_in(folder).results / "likeness.html").read_text(encoding="utf-8")
    assert f"The judge {tiny_model.name} can&#39;t tell sense from nonsense" in page


def test_on_the_command_line(run: Run, environment: Path, finished: tuple[Path, Likeness]) -> None:
    for stage in ("raw", "preprocessed", "results"):
        shutil.copytree(finished[0] / stage, environment / stage, dirs_exist_ok=True)
    (environment / "names.txt").write_text("\n\n" + pairs()[0][1], encoding="utf-8")
    train = environment / "preprocessed" / NAME / "train.jsonl"
    train.write_text("\n".join(train.read_text(encoding="utf-8").split("\n")[: 2 * PAIRS]) + "\n", encoding="utf-8")
    arguments = ("-d", "1", "-t", "evaluate", "--probe", "names.txt", "--no-examples", "--canaries")
    done = run("play", *arguments)
    assert done.returncode == 0, done.stderr
    assert "told apart" in done.stdout and "own replies fit" in done.stdout
    assert f": {pairs()[0][1]}" in done.stdout and "likeness.html" in done.stdout
    kept = load(environment / "results" / NAME / "likeness.json")
    assert kept.speakers["model"].fitting == finished[1].speakers["model"].fitting
    assert kept.probes == finished[1].probes
    assert kept.canaries is not None
    assert [(found.insertions, found.secrets) for found in kept.canaries] == [(0, 4), (1, 4), (4, 4), (16, 4)]
    # Learned by a tiny model in one epoch: hardly; but what was never there is no more exposed than chance.
    assert "secrets inserted 16 times: exposure " in done.stdout
    assert kept.canaries[0].exposure.value < 8 and kept.canaries[0].extracted.value == 0
    assert not (environment / "results" / NAME / "likeness" / "canaries").exists()
    assert load(environment / "results" / NAME / "likeness.json").run.checkpoint == "best"
    page = (environment / "results" / NAME / "likeness.html").read_text(encoding="utf-8")
    assert not any(text in page for pair in pairs() for text in pair)
    assert "--probe" in one_line_error(run("play", "-d", "1", "-t", "evaluate", "--probe", "none.txt"), 2)
    (environment / "preprocessed" / NAME / "test.jsonl").unlink()
    assert "run selfChatBot_preprocess" in one_line_error(run("play", "-d", "1", "-t", "evaluate"), 1)
    shutil.rmtree(environment / "results" / NAME / "best")
    assert "run selfChatBot_train" in one_line_error(run("play", "-d", "1", "-t", "evaluate"), 1)
    assert "--contexts" in one_line_error(run("play", "-d", "1", "-t", "evaluate", "--contexts", "3"), 2)
