"""Nothing before an evaluation sees the test conversations."""

import json
from pathlib import Path

from likeness_learned import CPU, NAME

from selfchatbot.conversations.stage import preprocess
from selfchatbot.environment import Environment, find_dataset
from selfchatbot.parameters import TrainingParameters, read_parameters
from selfchatbot.player.tune_sampling import choose_sampling
from selfchatbot.trainer import Trainer


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
