"""Where the three directories are, and which folder a dataset's ID means."""

from pathlib import Path

import pytest

from selfchatbot.environment import Environment, find_dataset, nearest_env_file, read_environment
from selfchatbot.errors import UsageError

STAGES = ("raw", "preprocessed", "results")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own home without variables of whoever runs the tests; the working directory is below it."""
    for stage in STAGES:
        monkeypatch.delenv(f"selfChatBot_{stage}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "work" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work" / "deep")
    return tmp_path


def write_env(folder: Path, **values: str) -> None:
    lines = [f"selfChatBot_{stage}={values.get(stage, stage)}\n" for stage in STAGES]
    (folder / ".env").write_text("".join(lines), encoding="utf-8")


def error() -> str:
    with pytest.raises(UsageError) as raised:
        read_environment()
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_the_nearest_env_upward_counts_and_its_relative_values_from_itself(home: Path) -> None:
    write_env(home, raw="far")
    (home / "far").mkdir()
    assert read_environment().raw == home / "far"
    write_env(home / "work", raw="../near")
    (home / "near").mkdir()
    assert read_environment() == Environment(home / "near", home / "work" / "preprocessed", home / "work" / "results")
    assert nearest_env_file(home / "work" / "deep") == home / "work" / ".env"


def test_the_process_environment_comes_first_and_its_relative_values_count_from_here(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_env(home)
    (home / "work" / "deep" / "mine").mkdir()
    monkeypatch.setenv("selfChatBot_raw", "mine")
    found = read_environment()
    assert found.raw == home / "work" / "deep" / "mine"
    assert found.results == home / "results"
    monkeypatch.setenv("selfChatBot_raw", "")
    (home / "raw").mkdir()
    assert read_environment().raw == home / "raw"


def test_absolute_values_the_home_directory_comments_and_a_byte_order_mark(home: Path) -> None:
    (home / "my exports").mkdir()
    text = f"\ufeff# mine\nselfChatBot_raw='~/my exports' # all\nexport selfChatBot_preprocessed={home}/a b\n"
    (home / ".env").write_text(f"{text}selfChatBot_results=~/results\nOTHER=1\n", encoding="utf-8")
    assert read_environment() == Environment(home / "my exports", home / "a b", home / "results")


def test_output_directories_are_made(home: Path) -> None:
    write_env(home, preprocessed="a/b/c")
    (home / "raw").mkdir()
    found = read_environment()
    assert found.preprocessed.is_dir() and found.results.is_dir()


@pytest.mark.parametrize("stage", STAGES)
def test_a_variable_that_is_not_set(home: Path, stage: str) -> None:
    assert "selfChatBot_raw is not set" in error()
    assert ".env.example" in error()
    (home / "raw").mkdir()
    write_env(home, **{stage: ""})
    assert f"selfChatBot_{stage} is not set" in error()
    assert str(home / ".env") in error()


def test_lines_of_other_programs_are_no_matter(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_env(home)
    (home / "raw").mkdir()
    with (home / ".env").open("a", encoding="utf-8") as file:
        file.write("if [ -f x ]; then\n= =\n")
    assert read_environment().raw == home / "raw"
    assert capfd.readouterr().err == ""


def test_a_raw_directory_that_is_not_there(home: Path) -> None:
    write_env(home)
    assert str(home / "raw") in error()
    assert not (home / "raw").exists()
    (home / "raw").write_text("a file")
    assert "selfChatBot_raw" in error()


@pytest.mark.parametrize(
    "folders",
    [
        {"preprocessed": "raw"},
        {"results": "preprocessed"},
        {"results": "raw/results"},
        {"raw": "results/raw"},
        {"preprocessed": "link"},
        {"preprocessed": "link/deep"},
    ],
)
def test_directories_that_contain_one_another(home: Path, folders: dict[str, str]) -> None:
    (home / "raw").mkdir()
    (home / "results" / "raw").mkdir(parents=True)
    (home / "link").symlink_to(home / "raw")
    write_env(home, **folders)
    assert "choose separate folders" in error()
    assert not (home / "preprocessed").exists()


def test_an_output_directory_that_cannot_be_made(home: Path) -> None:
    write_env(home)
    (home / "raw").mkdir()
    (home / "results").write_text("a file")
    assert "selfChatBot_results" in error() and str(home / "results") in error()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('"C:\\new\\table"', "without quotes"),
        ("~nobody_of_this_name/x", "selfChatBot_raw"),
        ('"a\\0b"', "selfChatBot_raw"),
    ],
)
def test_values_that_are_no_paths(home: Path, value: str, said: str) -> None:
    write_env(home, raw=value)
    assert said in error()


def test_an_env_file_in_another_encoding(home: Path) -> None:
    (home / ".env").write_bytes("selfChatBot_raw=raw".encode("utf-16"))
    assert "UTF-8" in error() and ".env" in error()


# -- datasets ---------------------------------------------------------------------------------------------------------


def environment(home: Path, *names: str) -> Environment:
    for name in names:
        (home / "raw" / name).mkdir(parents=True)
    (home / "raw").mkdir(exist_ok=True)
    return Environment(home / "raw", home / "preprocessed", home / "results")


def dataset_error(found: Environment, dataset_id: str) -> str:
    with pytest.raises(UsageError) as raised:
        find_dataset(found, dataset_id, "raw")
    return str(raised.value)


@pytest.mark.parametrize(
    "name",
    ["Rowan", "Zoë the 2nd", "a_b_c", "名前", "امير", "with.dots and-dashes", "_", "Dataset_2_other"],
)
def test_names(home: Path, name: str) -> None:
    found = find_dataset(environment(home, f"Dataset_1_{name}", "Dataset_11_other"), "1", "raw")
    assert found.folder == f"Dataset_1_{name}"
    assert found.raw == home / "raw" / found.folder
    assert found.preprocessed == home / "preprocessed" / found.folder
    assert found.results == home / "results" / found.folder


@pytest.mark.parametrize(("folder", "given"), [("01", "1"), ("1", "001"), ("0", "00"), ("me", "me"), ("A1", "A1")])
def test_ids(home: Path, folder: str, given: str) -> None:
    assert find_dataset(environment(home, f"Dataset_{folder}_x"), given, "raw").folder == f"Dataset_{folder}_x"


@pytest.mark.parametrize("given", ["2", "", "Rowan", "Dataset_1_Rowan", "1_Rowan", "-1", "9" * 5000, "*"])
def test_an_id_that_is_not_there_lists_those_that_are(home: Path, given: str) -> None:
    found = environment(home, "Dataset_1_Rowan", "Dataset_5_Zoë", "Dataset_x", "notes", "dataset_2_small")
    (home / "raw" / "Dataset_2_file").write_text("no folder")
    said = dataset_error(found, given)
    assert "Dataset_1_Rowan, Dataset_5_Zoë" in said
    assert not {"Dataset_x", "notes", "Dataset_2_file"} & set(said.replace(",", "").split())
    assert ("rename dataset_2_small to Dataset_2_small" in said) == (given == "2")
    assert ("give its ID: -d 1" in said) == (given in ("Rowan", "Dataset_1_Rowan"))


def test_no_dataset_at_all(home: Path) -> None:
    assert "nor any other dataset" in dataset_error(environment(home), "1")


def test_two_folders_with_one_id_are_both_named(home: Path) -> None:
    said = dataset_error(environment(home, "Dataset_1_a", "Dataset_01_b", "Dataset_2_c"), "1")
    assert "Dataset_1_a" in said and "Dataset_01_b" in said and "Dataset_2_c" not in said
