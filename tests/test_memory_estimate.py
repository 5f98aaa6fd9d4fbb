"""Memory is estimated from the configuration; what is chosen by it changes nothing but time and memory."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import write_training_data

from selfchatbot.memory import left_in_container
from selfchatbot.models import Machine, load_config
from selfchatbot.parameters import TrainingParameters, read_parameters
from selfchatbot.player import tune_sampling
from selfchatbot.player.engines import kv_cache
from selfchatbot.trainer import Result, Trainer, memory_estimate
from selfchatbot.trainer.loss import LabelledLoss
from selfchatbot.trainer.memory_estimate import ModelShape, kept_numbers, plan_memory
from selfchatbot.trainer.model_setup import trainable_model

CPU = Machine("cpu", torch.float32)
GPU = Machine("cuda", torch.bfloat16)


def parameters(model: Path, **changes: object) -> TrainingParameters:
    return TrainingParameters(model=str(model), **changes)


@pytest.mark.parametrize(
    "changes",
    [{"type_fine_tune": "fine_tune"}, {}, {"lora_dropout": 0.0, "lora_r": 4}, {"type_fine_tune": "qlora"}],
    ids=["fine_tune", "lora", "lora without dropout", "qlora"],
)
def test_what_autograd_keeps_is_counted(changes: dict[str, object], tiny_model: Path) -> None:
    options = parameters(tiny_model, **changes)
    model = trainable_model(options, CPU).train()
    shape = ModelShape(load_config(str(tiny_model)))
    assert memory_estimate.trained_count(options, shape) == sum(
        p.numel() for p in model.parameters() if p.requires_grad
    )
    its_own = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in its_own:
            kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    tokens, labels = 200, 10
    ids = torch.randint(3, 300, (1, tokens))
    batch = {"input_ids": ids, "labels": torch.where(torch.arange(tokens) < tokens - labels, -100, ids)}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        LabelledLoss(model)(model, batch)
    counted = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    numbers = sum(kept_numbers(options, shape.hidden, block) for block in shape.blocks)
    expected = 4 * (tokens * numbers + labels * shape.vocabulary)
    assert expected == pytest.approx(counted, rel=0.1)  # the ends of the model are left out


def test_micro_batches_become_smaller_first_then_activations_are_recomputed(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(str(tiny_model))
    windows = ([100, 120, 90] * 20, [40, 50, 60] * 20)

    def chosen(memory: int, **changes: object) -> tuple[int, bool]:
        monkeypatch.setattr(memory_estimate, "free", lambda _: memory)
        options = parameters(tiny_model, batch_size=8, type_fine_tune="fine_tune", **changes)
        plan = plan_memory(options, config, GPU, windows, 128)
        return plan.micro_tokens, plan.gradient_checkpointing

    assert chosen(2**30) == (1024, False)
    ways = [(tokens, again) for again in (False, True) for tokens in (1024, 512, 256, 128, 120)]
    seen = [ways.index(chosen(memory)) for memory in range(2**24, 2**19, -(2**16))]
    assert seen == sorted(seen)
    assert len(set(seen)) > 4
    assert (seen[0], seen[-1]) == (0, len(ways) - 1)
    assert chosen(0, gradient_checkpointing=False) == (120, False)
    assert chosen(2**30, gradient_checkpointing=True) == (1024, True)


def test_the_choice_changes_no_loss(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_training_data(tmp_path / "data", tiny_model, epochs=2, batch_size=4, max_length=256)
    plenty = train(data, tmp_path / "plenty")
    monkeypatch.setattr(memory_estimate, "free", lambda _: 0)
    little = train(data, tmp_path / "little")
    assert little.best_loss == pytest.approx(plenty.best_loss, abs=1e-4)
    assert little.steps == plenty.steps
    for name in ("plenty", "little"):
        log = (tmp_path / name / "log.txt").read_text(encoding="utf-8")
        assert re.search(r"needs about \d+\.\d of ", log)
        assert ("may run out of memory: close other programs" in log) == (name == "little")


def test_the_peak_of_choosing_the_sampling_counts(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contexts, room = tune_sampling.MAX_CONTEXTS, tune_sampling.CONTEXT_TOKENS + kv_cache.SPARE_TOKENS
    copied = 2 * tune_sampling.CONTEXTS_PER_BATCH  # two samplings at once
    bare = 10 + kv_cache.SPARE_TOKENS  # the prompt without the conversation, for guidance
    assert (contexts + copied) * (room + bare) == memory_estimate.CHOOSING_TOKENS
    monkeypatch.setattr(memory_estimate, "free", lambda _: 2**40)
    config, windows = load_config(str(tiny_model)), ([32], [8])
    without, told = (
        plan_memory(parameters(tiny_model, choose_sampling=chosen), config, GPU, windows, 128).needed
        for chosen in (False, True)
    )
    of_a_token = 2 * 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    caches = of_a_token * memory_estimate.CHOOSING_TOKENS
    assert told == 2 * ModelShape(config).parameters + caches > without


def train(data: Path, output: Path) -> Result:
    return Trainer(read_parameters(data / "parameters.json", TrainingParameters), data, output, machine=CPU).train()


@pytest.mark.parametrize("version", [1, 2])
def test_a_containers_limit_counts(version: int, tmp_path: Path) -> None:
    groups = tmp_path / "cgroup"
    if version == 2:
        groups.write_text("0::/user/job\n", encoding="utf-8")
        top, names = tmp_path / "sys", ("memory.max", "memory.current", "inactive_file")
    else:
        groups.write_text("5:cpu,cpuacct:/\n4:memory:/user/job\n0::/\n", encoding="utf-8")
        top, names = (
            tmp_path / "sys" / "memory",
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        )
    for group, limit in (("user/job", "3000000000"), ("user", "max" if version == 2 else "9223372036854771712")):
        (top / group).mkdir(parents=True, exist_ok=True)
        (top / group / names[0]).write_text(f"{limit}\n", encoding="utf-8")
        (top / group / names[1]).write_text("1000000000\n", encoding="utf-8")
        (top / group / "memory.stat").write_text(f"anon 5\n{names[2]} 400000000\n", encoding="utf-8")
    assert min(left_in_container(groups, tmp_path / "sys")) == 2_400_000_000
    assert left_in_container(tmp_path / "not there", tmp_path) == []


# Trains the dataset's model, so that all libraries are there, then a larger one in so many MiB, of which the weights
# take 68, their gradients as much, and moments twice that.
LIMITED = """
import resource, sys
from pathlib import Path
import psutil, torch
from transformers import AutoModelForCausalLM, LlamaConfig
from selfchatbot.cli.shell import run
from selfchatbot.models import Machine, load_tokenizer, quiet
from selfchatbot.parameters import TrainingParameters, read_parameters
from selfchatbot.trainer import Trainer

quiet()
data = Path(sys.argv[1])
machine = Machine("cpu", torch.float32)
parameters = read_parameters(data / "parameters.json", TrainingParameters)
Trainer(parameters, data, data / "first", machine=machine).train()
tokenizer = load_tokenizer(parameters.model)
large = data / "large"
sizes = {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 4, "num_attention_heads": 8}
AutoModelForCausalLM.from_config(LlamaConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(large)
tokenizer.save_pretrained(large)
parameters = parameters.model_copy(update={"model": str(large)})
for mebibytes in (50, 150):
    limit = psutil.Process().memory_info().vms + mebibytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    assert run(Trainer(parameters, data, data / "results", machine=machine).train) == 1
"""


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited")
def test_too_little_memory_is_said_in_one_line(tiny_model: Path, tmp_path: Path) -> None:
    data = write_training_data(tmp_path, tiny_model, epochs=1, type_fine_tune="fine_tune")
    variables = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    command = [sys.executable, "-c", LIMITED, str(data)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    while_loaded, while_trained = [line for line in done.stderr.split("\n") if "error: " in line]
    assert "out of memory" in while_loaded
    assert "memory" in while_trained
    log = (data / "results" / "log.txt").read_text(encoding="utf-8")
    assert re.search(r"needs about [\d.]+ of [\d.]+ GiB, so it may run out of memory", log)
