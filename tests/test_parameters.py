"""parameters.json: what people write, what is wrong with it, and what survives when it is written again."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from selfchatbot.errors import ParametersError
from selfchatbot.parameters import (
    GenerationParameters,
    RawParameters,
    TrainingParameters,
    hand_over,
    read_json,
    read_parameters,
)

DOCUMENTED = """{
  // any model name of huggingface.co
  "model": "gpt2", /* or a folder,
     or a .gguf file */
  "type_fine_tune": "lora",
  "max_length": 512,
  "preprocessor_data": {
    "DiscordChatExporter": { "username": "https://example.org // no comment", },
  },
}
"""


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "parameters.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(folder: Path, text: str | bytes, kind: type[BaseModel] = RawParameters) -> Any:
    return read_parameters(write(folder, text), kind)


def error(folder: Path, text: str | bytes, kind: type[BaseModel] = RawParameters) -> str:
    path = write(folder, text)
    with pytest.raises(ParametersError) as raised:
        read_parameters(path, kind)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
    return str(raised.value).removeprefix(str(path))


@pytest.mark.parametrize("start", ["", "\ufeff", "\n\n", "// a comment first\n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_comments_trailing_commas_and_a_byte_order_mark(tmp_path: Path, start: str, newline: str) -> None:
    parameters = read(tmp_path, (start + DOCUMENTED).replace("\n", newline))
    assert (parameters.model, parameters.max_length) == ("gpt2", 512)
    assert parameters.preprocessor_data == {"DiscordChatExporter": {"username": "https://example.org // no comment"}}


def test_defaults(tmp_path: Path) -> None:
    parameters = read(tmp_path, '{"model": "gpt2"}')
    assert (parameters.type_fine_tune, parameters.max_length, parameters.preprocessor_data) == ("lora", 1024, {})
    assert (parameters.conversation_gap_minutes, parameters.validation_fraction) == (60, 0.1)


def test_the_other_name_of_full_fine_tuning(tmp_path: Path) -> None:
    assert read(tmp_path, '{"model": "gpt2", "type_fine_tune": "finetune"}').type_fine_tune == "fine_tune"


# -- what is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n  "model": "gpt2"\n  "max_length": 5\n}', "line 3, column 3"),
        ('{"model": "gpt2"', "line 1"),
        ('{"model": "gp\nt2"}', "line 1"),
        ("", "not valid JSON"),
        ("// nothing else", "not valid JSON"),
        ('{"model": gpt2}', "line 1"),
        ('{"model": "gpt2"}}', "line 1, column 18"),
        ('{"a": ' + "[" * 100_000, "not valid JSON"),
        ('{"max_length": ' + "9" * 5000 + "}", "not valid JSON"),
        ('{"model": "gpt2", "model": "gpt3"}', 'Duplicate key "model"'),
        ('{"model": "gpt2", "training": {"seed": 1, "seed": 2}}', 'Duplicate key "seed"'),
        ('["model"]', 'found ["model"]'),
        ('"gpt2"', 'found "gpt2"'),
        ("null", "found null"),
        (b'{"model": "\xe9"}', "not UTF-8"),
        (DOCUMENTED.encode("utf-16"), "not UTF-8"),
    ],
    ids=range(16),
)
def test_broken(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert said in error(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", 'key "model" is missing'),
        ('{"model": ""}', 'key "model": found ""'),
        ('{"model": 5}', 'key "model": found 5, expected a valid string'),
        ('{"model": "m", "max_lenght": 5}', 'unknown key "max_lenght": did you mean "max_length"?'),
        ('{"model": "m", "xyz": 5}', 'unknown key "xyz": known keys: model, type_fine_tune, max_length'),
        ('{"model": "m", "training": {"epoch": 5}}', 'unknown key "training.epoch": did you mean "epochs"?'),
        ('{"model": "m", "max_length": "512"}', 'key "max_length": found "512", expected a valid integer'),
        ('{"model": "m", "max_length": 5.5}', 'key "max_length": found 5.5, expected a valid integer'),
        ('{"model": "m", "max_length": true}', 'key "max_length": found true, expected a valid integer'),
        ('{"model": "m", "max_length": 5}', 'key "max_length": found 5, expected greater than or equal to 32'),
        ('{"model": "m", "max_length": null}', 'key "max_length": found null'),
        ('{"model": "m", "type_fine_tune": "full"}', "'lora', 'qlora' or 'fine_tune'"),
        ('{"model": "m", "validation_fraction": 0.9}', "found 0.9, expected less than or equal to 0.4"),
        ('{"model": "m", "conversation_gap_minutes": 0}', "expected greater than 0"),
        ('{"model": "m", "training": {"learning_rate": 1e999}}', 'key "training.learning_rate"'),
        ('{"model": "m", "training": {"learning_rate": NaN}}', 'key "training.learning_rate"'),
        ('{"model": "m", "training": 5}', 'key "training": found 5'),
        ('{"model": "m", "preprocessor_data": []}', 'key "preprocessor_data": found []'),
        ('{"model": "m", "preprocessor_data": {"X": 1}}', 'key "preprocessor_data.X": found 1'),
    ],
)
def test_wrong_values(tmp_path: Path, text: str, said: str) -> None:
    assert said in error(tmp_path, text)


@pytest.mark.parametrize(
    ("kind", "key", "value", "said"),
    [
        (TrainingParameters, "lora_r", 0, "greater than or equal to 1"),
        (TrainingParameters, "lora_dropout", 1.0, "less than 1"),
        (TrainingParameters, "epochs", -1, "greater than 0"),
        (TrainingParameters, "batch_size", 1.5, "a valid integer"),
        (TrainingParameters, "seed", 2**32, "less than 4294967296"),
        (TrainingParameters, "lora_rank", 8, 'did you mean "lora_r"?'),
        (GenerationParameters, "top_p", 0, "greater than 0"),
        (GenerationParameters, "top_p", 1.01, "less than or equal to 1"),
        (GenerationParameters, "temperature", -0.1, "greater than or equal to 0"),
        (GenerationParameters, "temprature", 1, 'did you mean "temperature"?'),
        (GenerationParameters, "num_return_sequences", 0, "greater than or equal to 1"),
    ],
)
def test_wrong_values_of_later_stages(
    tmp_path: Path, kind: type[BaseModel], key: str, value: object, said: str
) -> None:
    said_now = error(tmp_path, json.dumps({"model": "m", key: value}), kind)
    assert f'"{key}"' in said_now and said in said_now


def test_missing_and_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ParametersError, match=r"parameters\.json is not there"):
        read_json(tmp_path / "parameters.json")
    (tmp_path / "parameters.json").mkdir()
    with pytest.raises(ParametersError, match=r"parameters\.json can't be read: "):
        read_json(tmp_path / "parameters.json")


# -- written for the next stage ---------------------------------------------------------------------------------------


def start_values(**values: object) -> dict[str, Any]:
    return TrainingParameters.start_values(RawParameters.model_validate({"model": "gpt2", **values}))


def test_options_for_few_are_written_only_where_they_are_used(tmp_path: Path) -> None:
    assert not {"dora", "rslora", "neftune_alpha", "loss_per", "recency_half_life", "report_to"} & start_values().keys()
    training = {"dora": True, "loss_per": "reply", "report_to": ["wandb"]}
    hand_over(tmp_path, start_values(training=training))
    path = tmp_path / "parameters.json"
    assert {key: now(tmp_path)[key] for key in training} == training
    assert read_parameters(path, TrainingParameters).report_to == ("wandb",)
    commented = path.read_text(encoding="utf-8").replace("{", "{ // mine", 1)
    path.write_text(commented, encoding="utf-8")
    hand_over(tmp_path, start_values(training=training))
    assert path.read_text(encoding="utf-8") == commented
    hand_over(tmp_path, start_values())
    assert now(tmp_path) == start_values()


def test_start_values_of_each_method() -> None:
    lora, full = start_values(), start_values(type_fine_tune="fine_tune")
    assert (lora["lora_r"], lora["lora_alpha"], lora["learning_rate"]) == (16, 32, None)
    assert not [key for key in full if key.startswith("lora")]
    assert start_values(training={"learning_rate": 0.01, "epochs": 7})["learning_rate"] == 0.01
    for values in (lora, full):
        TrainingParameters.model_validate(values)
    GenerationParameters.model_validate(GenerationParameters.start_values("m", 512))


def now(folder: Path) -> dict[str, Any]:
    return read_json(folder / "parameters.json")


def change(folder: Path, **values: object) -> None:
    """What a user does in an editor."""
    (folder / "parameters.json").write_text(json.dumps({**now(folder), **values}, indent=4), encoding="utf-8")


def test_what_is_computed_is_written(tmp_path: Path) -> None:
    hand_over(tmp_path, start_values())
    assert now(tmp_path) == start_values()
    assert (tmp_path / "parameters.json").read_text(encoding="utf-8").endswith("}\n")
    assert read_parameters(tmp_path / "parameters.json", TrainingParameters).model == "gpt2"


def test_an_edited_value_survives_every_run_and_the_others_follow_their_source(tmp_path: Path) -> None:
    hand_over(tmp_path, start_values())
    change(tmp_path, epochs=9, lora_r=8)
    hand_over(tmp_path, start_values(max_length=256))
    assert now(tmp_path) == {**start_values(max_length=256), "epochs": 9, "lora_r": 8}
    # The source of an edited value changes as well: the edit stays, in this run and in the next.
    for _ in range(2):
        hand_over(tmp_path, start_values(max_length=128, training={"epochs": 5, "batch_size": 2}))
        assert now(tmp_path) == {**start_values(max_length=128, training={"batch_size": 2}), "epochs": 9, "lora_r": 8}


def test_an_inherited_value_that_was_edited_survives(tmp_path: Path) -> None:
    hand_over(tmp_path, start_values())
    change(tmp_path, model="my/model")
    hand_over(tmp_path, {**start_values(), "model": "gpt2-medium"})
    assert now(tmp_path)["model"] == "my/model"


def test_a_removed_value_comes_back(tmp_path: Path) -> None:
    hand_over(tmp_path, start_values())
    values = now(tmp_path)
    del values["seed"]
    write(tmp_path, json.dumps(values))
    hand_over(tmp_path, start_values())
    assert now(tmp_path) == start_values()


def test_another_method_takes_its_values_along(tmp_path: Path) -> None:
    hand_over(tmp_path, start_values())
    hand_over(tmp_path, start_values(type_fine_tune="fine_tune"))
    assert now(tmp_path) == start_values(type_fine_tune="fine_tune")
    hand_over(tmp_path, start_values())
    assert now(tmp_path) == start_values()


def test_comments_stay_when_nothing_changes(tmp_path: Path) -> None:
    hand_over(tmp_path, start_values())
    path = tmp_path / "parameters.json"
    edited = path.read_text(encoding="utf-8").replace('"epochs": 1.0', '"epochs": 9, // more than enough')
    edited = edited.replace("more than enough,", "more than enough")
    path.write_text(edited, encoding="utf-8")
    hand_over(tmp_path, start_values())
    assert path.read_text(encoding="utf-8") == edited
    hand_over(tmp_path, start_values(max_length=256))
    assert (now(tmp_path)["epochs"], now(tmp_path)["max_length"]) == (9, 256)


def test_a_file_that_the_user_broke_is_not_touched(tmp_path: Path) -> None:
    hand_over(tmp_path, start_values())
    path = write(tmp_path, '{"epochs": ')
    with pytest.raises(ParametersError, match="line 1"):
        hand_over(tmp_path, start_values(max_length=256))
    assert path.read_text(encoding="utf-8") == '{"epochs": '


@pytest.mark.parametrize("record", [None, b"", b"[]", b"\xff"])
def test_where_the_record_is_lost_every_value_counts_as_edited(tmp_path: Path, record: bytes | None) -> None:
    hand_over(tmp_path, start_values())
    change(tmp_path, epochs=9)
    hidden = tmp_path / ".parameters.written.json"
    hidden.unlink()
    if record is not None:
        hidden.write_bytes(record)
    hand_over(tmp_path, start_values(max_length=256))
    assert now(tmp_path) == {**start_values(), "epochs": 9}


def test_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    hand_over(tmp_path, start_values())
    hand_over(tmp_path, start_values(max_length=256))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".parameters.written.json", "parameters.json"]
