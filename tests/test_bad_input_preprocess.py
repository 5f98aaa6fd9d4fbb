"""What can go wrong with preprocess: usage, parameters, the person, exports."""

import shutil
import sys
from pathlib import Path

import pytest
from preprocess_case import NAME, Case, run, snapshot

pytest_plugins = ("preprocess_case",)


def test_the_undamaged_case_works_and_gives_the_same_again(case: Case) -> None:
    case.preprocess()
    again = Case(case.environment)
    again.preprocess()
    assert again.before == case.before


# -- usage and environment --------------------------------------------------------------------------------------------


def test_no_dataset_id(case: Case) -> None:
    case.fails(2, "-d/--dataset", "--help", arguments=())
    case.fails(2, "-d/--dataset", arguments=("-d",))
    case.fails(2, "--nothing", arguments=("-d", "1", "--nothing"))


def test_a_wrong_dataset_id_lists_the_datasets(case: Case) -> None:
    (case.environment / "raw" / "Dataset_4_other").mkdir()
    case.fails(2, "Dataset_7_<Name>", NAME, "Dataset_4_other", arguments=("-d", "7"))


def test_two_datasets_with_one_id(case: Case) -> None:
    (case.environment / "raw" / "Dataset_01_copy").mkdir()
    case.fails(2, NAME, "Dataset_01_copy")


@pytest.mark.parametrize("stage", ["raw", "preprocessed", "results"])
def test_a_variable_that_is_not_set(case: Case, stage: str) -> None:
    path = case.environment / ".env"
    path.write_text(path.read_text().replace(f"selfChatBot_{stage}=", "OTHER="))
    case.fails(2, f"selfChatBot_{stage} is not set", ".env")


def test_no_raw_directory(case: Case) -> None:
    case.fails(2, "selfChatBot_raw", "nowhere", selfChatBot_raw="nowhere")


def test_an_env_file_in_another_encoding(case: Case) -> None:
    (case.environment / ".env").write_bytes("selfChatBot_raw=raw".encode("utf-16"))
    case.fails(2, ".env", "UTF-8")


# -- parameters.json --------------------------------------------------------------------------------------------------


def test_no_parameters(case: Case) -> None:
    (case.raw / "parameters.json").unlink()
    case.fails(2, "parameters.json is not there", "README")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n"model": "gpt2"\n"max_length": 512}', "line 3"),
        ('{"model": "gpt2", "model": "gpt3"}', 'Duplicate key "model"'),
        ("[]", "expected an object"),
        ("", "not valid JSON"),
        (b"\xff\xfe{\0}\0", "UTF-8"),
        (b"\x80\x03}q\0", "UTF-8"),
        ('{"model": "gpt2", "model\\nname": 1}', "unknown key"),
    ],
    ids=range(7),
)
def test_broken_parameters(case: Case, text: str | bytes, said: str) -> None:
    case.parameters(text)
    case.fails(2, "parameters.json", said)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"max_lenght": 512}, 'unknown key "max_lenght": did you mean "max_length"?'),
        ({"max_length": 5}, "found 5, expected greater than or equal to 32"),
        ({"max_length": "512"}, 'found "512", expected a valid integer'),
        ({"type_fine_tune": "full"}, "'lora', 'qlora' or 'fine_tune'"),
        ({"validation_fraction": 0.9}, "less than or equal to 0.4"),
        ({"model": None}, 'key "model" is missing'),
        ({"preprocessor_data": {"DiscordChatExporter": {"username": 5}}}, "preprocessor_data.DiscordChatExporter"),
        ({"preprocessor_data": {"DiscordChatExporter": {"user": "x"}}}, 'did you mean "username"?'),
        ({"preprocessor_data": {"DiscordChatExporters": {}}}, 'did you mean "DiscordChatExporter"?'),
        ({"preprocessor_data": {"MySpace": {}}}, "DiscordChatExporter"),
    ],
)
def test_wrong_parameters(case: Case, values: dict[str, object], said: str) -> None:
    case.parameters(**values)
    case.fails(2, "parameters.json", said)


def test_edits_that_broke_the_written_parameters(case: Case) -> None:
    (case.output / "parameters.json").write_text('{"epochs": ')
    case.before = snapshot(case.environment / "preprocessed")
    case.fails(2, str(Path("preprocessed") / NAME / "parameters.json"), "line 1")


# -- the person -------------------------------------------------------------------------------------------------------


def test_an_unknown_user_name_lists_the_authors(case: Case) -> None:
    case.parameters(preprocessor_data={"DiscordChatExporter": {"username": "rowena"}})
    case.fails(2, "preprocessor_data.DiscordChatExporter.username", '"rowena"', "rowan (", "gale.816 (")


def test_too_few_replies_says_how_many(case: Case) -> None:
    text = case.chat.read_text(encoding="utf-8")
    head, *messages = text.split("\n\n\n")
    case.chat.write_text("\n\n\n".join([head, *messages[:9]]) + "\n\n\n", encoding="utf-8")
    case.fails(1, "replies of yours", "at least 20")


def test_no_message_with_text(case: Case) -> None:
    rule = "=" * 62
    case.chat.write_text(f"{rule}\nGuild: g\nChannel: c\n{rule}\n\n{rule}\nExported 0 message(s)\n{rule}\n")
    case.fails(1, "no message with text")


# -- exports ----------------------------------------------------------------------------------------------------------


def test_an_empty_dataset(case: Case) -> None:
    shutil.rmtree(case.format)
    case.fails(1, NAME, "DiscordChatExporter")


def test_an_empty_format_folder(case: Case) -> None:
    case.chat.unlink()
    case.fails(1, str(case.format), ".txt")


def test_an_unknown_format_folder_lists_the_known(case: Case) -> None:
    case.format.rename(case.raw / "Discord exports")
    case.fails(1, "Discord exports", "DiscordChatExporter")


def test_a_link_to_nothing(case: Case) -> None:
    case.chat.unlink()
    case.chat.symlink_to(case.format / "gone.txt")
    case.fails(1, str(case.format))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\0\1\2\3" * 99, "NUL"),
        (b"\x89PNG\r\n\x1a\n", "line 1"),
        ("[1/5/2023 3:04 PM] rowan\nhi".encode("utf-16"), "UTF-16"),
        (b"[1/5/2023 3:04 PM] rowan\nhi\xe9\n", "line 2"),
        (b"my secret diary\n", "no plain text of DiscordChatExporter"),
        (b"[05/01/2023 15:04] rowan\nhi\n", "date_order"),
    ],
    ids=["empty", "binary", "png", "utf-16", "latin-1", "other text", "undecidable dates"],
)
def test_a_file_that_cannot_be_read_is_named(case: Case, content: bytes, said: str) -> None:
    (case.format / "bad one.txt").write_bytes(content)
    if said == "date_order":
        case.chat.unlink()  # which would show the order
        case.fails(2, "bad one.txt", said)
    else:
        case.fails(1, "bad one.txt", said)
    done = run(case.environment, "-d", "1")
    assert "secret" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="names can't hold a line end there")
def test_a_name_with_a_line_end_is_shown_in_one_line(case: Case) -> None:
    (case.environment / "raw" / "Dataset_4_a\nb").mkdir()
    case.fails(2, r"Dataset_4_a\nb", arguments=("-d", "7"))
    (case.format / "bad\none.txt").write_bytes(b"")
    case.fails(1, "bad", "one.txt")
