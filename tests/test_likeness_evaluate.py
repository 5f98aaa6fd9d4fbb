"""An evaluation from end to end: replies and likelihoods, cases with known answers, a judge, the command."""

import shutil
import stat
from pathlib import Path

import pytest
from conftest import Run, one_line_error
from likeness_learned import CPU, EPOCHS, NAME, PAIRS, SECRET, TIMES, count_loads, dataset_in, evaluated, learn, pairs
from tiny_models import save_tiny_model

from selfchatbot.errors import SelfChatBotError
from selfchatbot.likeness.measures.context_fit import fit
from selfchatbot.likeness.measures.prediction import predict
from selfchatbot.likeness.result import Likeness, load
from selfchatbot.likeness.run import judging
from selfchatbot.likeness.run.cache import Cache
from selfchatbot.likeness.run.contexts import read_contexts
from selfchatbot.likeness.run.inputs import ProbeLine
from selfchatbot.likeness.run.model_pair import ModelPair
from selfchatbot.likeness.run.replies import generate_replies
from selfchatbot.messages import read_conversations
from selfchatbot.parameters import GenerationParameters, read_parameters


@pytest.fixture(scope="module")
def learned(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return learn(tmp_path_factory.mktemp("learned"), tiny_model)


@pytest.fixture(scope="module")
def finished(learned: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Likeness]:
    """The environment after an evaluation, and its result."""
    folder = tmp_path_factory.mktemp("finished") / "copy"
    shutil.copytree(learned, folder)
    known = [ProbeLine(3, pairs()[0][1])]
    return folder, evaluated(folder, probes=known)


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
