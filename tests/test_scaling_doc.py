"""docs/scaling.md is true: its tables are what the estimate says, its configurations are what accelerate reads."""

import re
from pathlib import Path

import pytest
from scaling_table import DOCUMENT, with_current_tables

TEXT = DOCUMENT.read_text(encoding="utf-8")
CONFIGURATIONS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


def test_the_tables_are_current() -> None:
    assert with_current_tables(TEXT) == TEXT, "run python tests/scaling_table.py"


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_accelerate_reads_the_configurations(configuration: str, tmp_path: Path) -> None:
    from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file

    path = tmp_path / "accelerate.yaml"
    path.write_text(configuration, encoding="utf-8")
    loaded = load_config_from_file(str(path))  # refuses what it doesn't know
    assert isinstance(loaded, ClusterConfig)
    assert f"distributed_type: {loaded.distributed_type.value}\n" in configuration
