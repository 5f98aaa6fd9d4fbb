"""The folder to take along: other programs load it and say the same, and nothing of the chats is in it."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from conftest import WORDS, Run, make_talker, write_training_data
from likeness_results import result
from tiny_models import TEMPLATES, tiny_tokenizer

from selfchatbot.chat_format import ChatFormat
from selfchatbot.cli.play_types.export import export_dataset
from selfchatbot.environment import Dataset, Environment
from selfchatbot.export import export
from selfchatbot.export.card import model_card
from selfchatbot.export.modelfile import template
from selfchatbot.likeness.result import save
from selfchatbot.models import Machine
from selfchatbot.parameters import GenerationParameters, TrainingParameters, read_parameters
from selfchatbot.player import Player
from selfchatbot.trainer import Trainer

CPU = Machine("cpu", torch.float32)
QUESTION = [{"role": "user", "content": "how are you doing today? 3 1"}]


@pytest.fixture(scope="module")
def results(made_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What training leaves, with checkpoints of a model that says one sentence, and its export beside it."""
    folder = tmp_path_factory.mktemp("export")
    data = write_training_data(folder / "data", made_base, epochs=1)
    parameters = read_parameters(data / "parameters.json", TrainingParameters)
    results = folder / "results" / "Dataset_1_Ana Maria"
    Trainer(parameters, data, results, machine=CPU).train()
    make_talker(results, made_base)
    export(results / "best", results / "export", generation(results), "Ana Maria", "f16", (4.0, 3.0))
    return results


def generation(results: Path) -> GenerationParameters:
    parameters = read_parameters(results / "parameters.json", GenerationParameters)
    return parameters.model_copy(update={"temperature": 0.0, "repetition_penalty": 1.0, "max_new_tokens": 60})


def test_the_player_says_its_words(results: Path) -> None:
    assert Player(results / "best", generation(results), CPU).reply(QUESTION) == WORDS


def test_transformers_says_the_same(results: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(results / "export")
    model = AutoModelForCausalLM.from_pretrained(results / "export")
    inputs = tokenizer.apply_chat_template(
        QUESTION, add_generation_prompt=True, return_tensors="pt", return_dict=True, tokenize=True
    )
    output = model.generate(**inputs)[0, inputs["input_ids"].shape[1] :]
    assert tokenizer.decode(output, skip_special_tokens=True).strip() == WORDS


def test_llamacpp_says_the_same_with_the_template_in_the_file(results: Path) -> None:
    xllamacpp = pytest.importorskip("xllamacpp", reason="there is no wheel for every machine")
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(results / "export" / "Ana-Maria.f16.gguf")
    parameters.n_ctx = 256
    parameters.cpuparams.n_threads = 1
    parameters.verbosity = 0
    server = xllamacpp.Server(parameters)
    answer = server.handle_chat_completions({"messages": QUESTION, "temperature": 0, "max_tokens": 60})
    assert answer["choices"][0]["message"]["content"].strip() == WORDS
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_the_modelfile_says_what_parameters_say(results: Path) -> None:
    text = (results / "export" / "Modelfile").read_text(encoding="utf-8")
    assert text.startswith("FROM ./Ana-Maria.f16.gguf\n")
    assert 'PARAMETER stop "<|im_end|>"\n' in text
    parameters = generation(results)
    for line in (
        f"num_ctx {parameters.max_length}",
        "num_predict 60",
        "temperature 0.0",
        f"top_p {parameters.top_p}",
        f"top_k {parameters.top_k}",
        "repeat_penalty 1.0",
    ):
        assert f"PARAMETER {line}\n" in text


CHATS = [
    "u",
    "uau",
    "auau",
    "su",
    "suau",
    "sau",
]
ROLES = {"u": "user", "a": "assistant", "s": "system"}
GO = """
package main
import ("encoding/json"; "os"; "text/template")
type Message struct { Role, Content string }
func main() {
    text, _ := os.ReadFile(os.Args[1])
    var chats [][]Message
    if err := json.NewDecoder(os.Stdin).Decode(&chats); err != nil { panic(err) }
    parsed := template.Must(template.New("").Parse(string(text)))
    for _, chat := range chats {
        if err := parsed.Execute(os.Stdout, map[string]any{"Messages": chat}); err != nil { panic(err) }
        os.Stdout.WriteString("\\x00")
    }
}
"""


@pytest.mark.skipif(shutil.which("go") is None, reason="needs Go, whose templates Ollama uses")
def test_ollamas_template_gives_the_prompts_of_the_player(tmp_path: Path) -> None:
    program = tmp_path / "main.go"
    program.write_text(GO, encoding="utf-8")
    subprocess.run(["go", "build", "-o", "render", program.name], cwd=tmp_path, check=True)
    chats = [
        [{"role": ROLES[turn], "content": f"words {n} of {turn}"} for n, turn in enumerate(chat)] for chat in CHATS
    ]
    for name, layout in TEMPLATES.items():
        chat_format = ChatFormat(tiny_tokenizer(layout))
        (tmp_path / "template").write_text(template(chat_format), encoding="utf-8")
        done = subprocess.run(
            ["./render", "template"],
            cwd=tmp_path,
            input=json.dumps(chats),
            check=True,
            capture_output=True,
            encoding="utf-8",
        )
        for chat, rendered in zip(chats, done.stdout.split("\0"), strict=False):
            prompt = chat_format.tokenizer.decode(chat_format.prompt(chat, 1000))
            assert rendered == prompt, (name, [message["role"] for message in chat])


def test_the_card_names_person_base_and_measure_and_asks_for_consent(results: Path) -> None:
    card = (results / "export" / "README.md").read_text(encoding="utf-8")
    assert "Ana Maria" in card
    assert "Before you share it, ask" in card
    assert "made-llama" in card
    assert "is 3.000, the base model's" in card
    assert re.search(r"^---\n.*^---\n", card, re.DOTALL | re.MULTILINE)


def test_neither_chats_nor_paths_are_in_it(results: Path) -> None:
    names = {path.name for path in (results / "export").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "Modelfile", "README.md"} <= names
    assert not {name for name in names if name.endswith((".jsonl", ".bin", ".pkl", ".pt"))}
    places = {str(results), str(results.parent.parent), str(Path.home())} - {"/"}
    for path in (results / "export").iterdir():
        content = path.read_bytes()
        for words in ("raining again, don't", "how are you doing today", "forget your umb", *places):
            assert words.encode() not in content, (path.name, words)


def test_the_command(results: Path, environment: Path, run: Run) -> None:
    shutil.copytree(results, environment / "results" / "Dataset_1_Ana Maria", ignore=shutil.ignore_patterns("export"))
    (environment / "preprocessed").mkdir(exist_ok=True)
    done = run("play", "-d", "1", "-t", "export", "--quantize", "q8_0")
    assert done.returncode == 0, done.stderr
    folder = environment / "results" / "Dataset_1_Ana Maria" / "export"
    assert str(folder) in done.stdout
    assert (folder / "Ana-Maria.q8_0.gguf").stat().st_size > 10_000
    assert "base model" in (folder / "README.md").read_text(encoding="utf-8")


def test_the_card_has_the_evaluation_of_this_training_and_of_no_other(results: Path, tmp_path: Path) -> None:
    stages = {stage: tmp_path / stage for stage in ("raw", "preprocessed", "results")}
    dataset = Dataset("1", results.name, Environment(**stages))
    shutil.copytree(results, dataset.results, ignore=shutil.ignore_patterns("export"))
    lines = (results / "metrics.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    records = [record for record in map(json.loads, lines) if "validation_loss" in record]
    validation = [{"epoch": record["epoch"], "loss": record["validation_loss"]} for record in records]
    for kept, said in ((validation, True), (validation[:-1], False)):
        save(result(run={"validation": kept}), dataset.results / "likeness.json")
        folder = export_dataset(dataset, dataset.results / "best", generation(results), "f16")
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert ("area under the ROC curve of 0.60 (.57–.63)" in card) is said
        assert f"is {min(record['validation_loss'] for record in records):.3f}, the base model's" in card
    with (dataset.results / "metrics.jsonl").open("a", encoding="utf-8") as metrics:
        metrics.write('{"step": 999, "epoch": 9.0, "validation_loss": 7.123}\n')
    for checkpoint, said in (("best", False), ("final", True)):
        folder = export_dataset(dataset, dataset.results / checkpoint, generation(results), "f16")
        assert ("is 7.123, the base model's" in (folder / "README.md").read_text(encoding="utf-8")) is said


def test_the_card_shows_no_folder_of_mine() -> None:
    for base in ("C:\\Users\\Jane Doe\\models\\qwen", "/home/jane/models/qwen"):
        card = model_card("Ana", base, "ana.gguf", None)
        assert "Base model: qwen" in card and "jane" not in card.lower()
