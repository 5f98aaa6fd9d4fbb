"""The benchmark for a GPU works before there is one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = [pytest.mark.training, pytest.mark.process]


def test_its_dry_run_trains_and_plays_with_a_tiny_model(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "benchmarks" / "gpu.py", tmp_path, "--dry", "--methods", "lora"]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.split("\n") if "| tiny" in line]
    speeds = {row[3]: row[4] for row in rows}
    assert {"selfchatbot", "transformers"} <= set(speeds)
    assert all(float(speed.replace(",", "")) > 0 for speed in speeds.values()), done.stdout
    assert list(tmp_path.iterdir()) == []
