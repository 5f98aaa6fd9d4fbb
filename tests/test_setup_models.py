"""Models: names of Ollama, the list that is recommended, what the Hub says of a name."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import ROOT
from model_table import LIST, model_list, with_current_table
from transformers import LlamaConfig

from selfchatbot.errors import SelfChatBotError, UsageError
from selfchatbot.hub import ask_hub, check_name
from selfchatbot.parameters import RawParameters, TrainingParameters
from selfchatbot.setup.model_check import full_fine_tuning, problem_of
from selfchatbot.setup.models import GIB, Hardware, advice, fitting


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("llama3.2:3b", "meta-llama/Llama-3.2-3B-Instruct"),
        ("qwen3:4b-q4_K_M", "Qwen/Qwen3-4B"),
        ("gemma3:4b", "Qwen3-4B-Base"),
    ],
)
def test_names_of_ollama(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_name(name)
    check_name("gpt2")
    check_name("C:\\models\\mine")


def test_the_list_of_models_and_the_readmes_table_are_current() -> None:
    assert LIST.read_text(encoding="utf-8") == model_list(), "run: python tests/model_table.py"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_current_table(readme) == readme, "run: python tests/model_table.py"
    assert readme.count("| `Qwen/Qwen3-4B-Base` |") >= 1


def test_a_model_is_recommended_that_fits() -> None:
    assert fitting(Hardware("cpu", 6 * GIB, 2))[0].model == "SmolLM2-135M-Instruct"
    assert fitting(Hardware("cpu", 6 * GIB, 8))[0].model == "Qwen/Qwen3-0.6B-Base"
    for gigabytes in (4, 8, 16, 24, 80):
        best = fitting(Hardware("cuda", gigabytes * GIB, 8))[0]
        assert best.needed < gigabytes
    assert fitting(Hardware("cuda", GIB // 2, 8)) == []
    # The last line of the sample.
    assert "2 cores" in advice(Hardware("cpu", 6 * GIB, 2))
    assert advice(Hardware("cpu", 6 * GIB, 2)).endswith("SmolLM2-135M-Instruct; with patience, Qwen/Qwen3-0.6B-Base.")
    assert "too little memory" in advice(Hardware("cpu", GIB // 2, 2))


class Hub(BaseHTTPRequestHandler):
    """As much of huggingface.co as is asked: one model that is gated, one without config.json, and nothing else."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.path.startswith("/api/models/its/"):
            self._answer(200, json.dumps({"id": self.path.removeprefix("/api/models/")}).encode())
        elif self.path.startswith("/its/gated/"):
            self._answer(403, b"{}", "GatedRepo")
        elif self.path.startswith("/its/gguf/"):
            self._answer(404, b"{}", "EntryNotFound")
        else:
            self._answer(404, b"{}", "RepoNotFound")

    def _answer(self, status: int, body: bytes, error: str = "") -> None:
        self.send_response(status)
        if error:
            self.send_header("X-Error-Code", error)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr("huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("its/gated", "access must be requested"),
        ("its/gguf", "no config.json"),
        ("its-not/there", "nor on huggingface"),
    ],
)
def test_a_model_that_cannot_be_had_is_known_before_training(hub: None, name: str, said: str) -> None:
    with pytest.raises(SelfChatBotError, match=said) as raised:
        ask_hub(name)
    assert "\n" not in str(raised.value)


def test_a_folder_with_a_model_that_is_too_large(tmp_path: Path) -> None:
    folder = tmp_path / "huge"
    folder.mkdir()
    config = LlamaConfig(hidden_size=16384, intermediate_size=53248, num_hidden_layers=126, num_attention_heads=128)
    config.save_pretrained(folder)
    problem = problem_of(RawParameters(model=str(folder)))
    assert problem and "GiB or more" in problem and '"type_fine_tune": "qlora" or a smaller model' in problem


def test_full_fine_tuning_is_named_where_it_learns_more_and_fits(made_base: Path, tmp_path: Path) -> None:
    parameters = TrainingParameters(model=str(made_base), max_length=64)
    said = full_fine_tuning(parameters, 2000)
    assert said and '"type_fine_tune": "fine_tune" learned more' in said
    assert full_fine_tuning(parameters, 1999) is None
    assert full_fine_tuning(parameters.model_copy(update={"type_fine_tune": "fine_tune"}), 2000) is None
    assert full_fine_tuning(parameters.model_copy(update={"model": str(tmp_path)}), 2000) is None  # holds no model
    large = LlamaConfig(hidden_size=8192, intermediate_size=28672, num_hidden_layers=80, num_attention_heads=64)
    large.save_pretrained(tmp_path)
    assert full_fine_tuning(parameters.model_copy(update={"model": str(tmp_path)}), 2000) is None
