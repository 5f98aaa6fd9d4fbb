"""The benchmark for a GPU works before there is one."""

import os
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from script_runner import Forked

pytestmark = [pytest.mark.training, pytest.mark.process]


def dry_run(folder: str) -> None:
    """In a process."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    sys.argv = ["gpu.py", folder, "--dry", "--methods", "lora"]
    import gpu

    gpu.main()


def test_its_dry_run_trains_and_plays_with_a_tiny_model(tmp_path: Path) -> None:
    with Forked(dry_run, str(tmp_path), variables={**os.environ, "CUDA_VISIBLE_DEVICES": ""}) as benchmark:
        done = benchmark.done(300)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.split("\n") if "| tiny" in line]
    speeds = {row[3]: row[4] for row in rows}
    assert {"selfchatbot", "transformers"} <= set(speeds)
    assert all(float(speed.replace(",", "")) > 0 for speed in speeds.values()), done.stdout
    assert list(tmp_path.iterdir()) == []
