"""GGUF files whose header promises what they don't have are refused in one line, and quickly."""

import struct
from pathlib import Path

import gguf
import numpy
import pytest
from conftest import examples
from hypothesis import given, settings
from preprocessors.export_cases import DAMAGE, damaged

from selfchatbot.errors import SelfChatBotError
from selfchatbot.gguf.header import check_header

HUGE = 2**60


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file with every kind of value, as the gguf package writes it."""
    path = tmp_path_factory.mktemp("gguf") / "whole.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint32("llama.block_count", 2)
    writer.add_float32("llama.epsilon", 1e-5)
    writer.add_bool("tokenizer.ggml.add_bos_token", True)
    writer.add_array("tokenizer.ggml.tokens", ["hey", "", "yeah"])
    writer.add_array("tokenizer.ggml.scores", [1.0, 2.0, 3.0])
    writer.add_tensor("a.weight", numpy.ones((3, 5), dtype=numpy.float32))
    quantized = gguf.quants.quantize(numpy.ones((4, 64), dtype=numpy.float32), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("b.weight", quantized, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def error_of(content: bytes, folder: Path) -> str:
    path = folder / "changed.gguf"
    path.write_bytes(content)
    with pytest.raises(SelfChatBotError) as caught:
        check_header(path)
    message = str(caught.value)
    assert "\n" not in message and "changed.gguf" in message
    return message


def changed(content: bytes, key: bytes, behind: int, *values: int) -> bytes:
    """``content`` with 64-bit ``values`` in it, ``behind`` bytes after the end of ``key``."""
    place = content.index(key) + len(key) + behind
    return content[:place] + struct.pack(f"<{len(values)}Q", *values) + content[place + 8 * len(values) :]


def test_a_whole_file_passes_and_a_shorter_one_does_not(whole: Path, tmp_path: Path) -> None:
    check_header(whole)
    content = whole.read_bytes()
    end = content.rindex(b"b.weight")
    for length in range(0, end, 7):
        error_of(content[:length], tmp_path)
    last = len(gguf.GGUFReader(whole).tensors[-1].data.tobytes())
    padding = -last % 32
    assert "the tensor b.weight ends at byte" in error_of(content[: -padding - 1], tmp_path)
    (tmp_path / "unpadded.gguf").write_bytes(content[: len(content) - padding])
    check_header(tmp_path / "unpadded.gguf")


def test_what_the_header_promises_has_to_be_there(whole: Path, tmp_path: Path) -> None:
    content = whole.read_bytes()
    head = content[:8] + struct.pack("<2Q", 2, HUGE) + content[24:]
    assert "no room for the 1,152,921,504,606,846,976 entries" in error_of(head, tmp_path)
    tokens = changed(content, b"tokenizer.ggml.tokens", 8, HUGE)
    assert "no room for" in error_of(tokens, tmp_path)
    assert "no room for" in error_of(changed(content, b"tokenizer.ggml.scores", 8, HUGE), tmp_path)
    # Shape and offset of the first tensor: number of dimensions, dimensions, type, offset.
    assert "the tensor a.weight ends at byte" in error_of(changed(content, b"a.weight", 4, HUGE, HUGE), tmp_path)
    assert "the tensor a.weight ends at byte" in error_of(changed(content, b"a.weight", 24, 2**63), tmp_path)
    assert "the tensor a.weight is of type 4294967295" in error_of(
        changed(content, b"a.weight", 20, 0xFFFFFFFF), tmp_path
    )
    assert "expected 2 or 3" in error_of(b"GGUF" + struct.pack("<I", 99) + content[8:], tmp_path)
    assert "does not begin with GGUF" in error_of(b"GGML" + content[4:], tmp_path)
    assert "can't be read as a GGUF file" in error_of(b"", tmp_path)


@settings(max_examples=examples(100))
@given(damage=DAMAGE)
def test_damaged_files_are_read_or_refused(whole: Path, damage: list[tuple[str, float, float, bytes]]) -> None:
    path = whole.with_name("damaged.gguf")
    path.write_bytes(damaged(whole.read_bytes(), damage))
    try:
        check_header(path)
    except SelfChatBotError as error:
        assert "\n" not in str(error)
