"""Zips are read in place, and nothing in a folder or archive is trusted."""

import io
import os
import stat
import struct
import tempfile
import zipfile
from pathlib import Path, PurePath

import pytest
from conftest import SAMPLE, examples
from hypothesis import given, settings
from hypothesis import strategies as st

from selfchatbot.errors import ExportError, SelfChatBotError
from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.reading.archives import ZipMember, files_below, members, walk
from selfchatbot.preprocessors.reading.lines import decoded_lines

EXPORTS = SAMPLE / "DiscordChatExporter"
DISCORD = Preprocessors["DiscordChatExporter"]


def is_text(path: PurePath) -> bool:
    return path.suffix.lower() == ".txt"


def error_of(path: Path) -> str:
    with pytest.raises(ExportError) as caught:
        DISCORD().export_files(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def write_zip(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_zip_gives_the_same_messages_as_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "DiscordChatExporter"
    (folder / "deeper").mkdir(parents=True)
    write_zip(folder / "deeper" / "all.ZIP", {f"x/{path.name}": path.read_bytes() for path in EXPORTS.iterdir()})
    zipped = [(one.timestamp, one.author, one.content) for one in DISCORD().read(folder)]
    assert zipped == [(one.timestamp, one.author, one.content) for one in DISCORD().read(EXPORTS)]
    alone = [(one.timestamp, one.author, one.content) for one in DISCORD().read(folder / "deeper" / "all.ZIP")]
    assert alone == zipped


def test_what_is_found_in_a_folder(tmp_path: Path) -> None:
    for name in ("b.txt", "A.TXT", "sub/dir/c.txt", "sub/notes.md", ".hidden.txt", ".git/d.txt", "__MACOSX/e.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    inner = write_zip(tmp_path / "inner.zip", {"never.txt": b"x"}).read_bytes()
    (tmp_path / "inner.zip").unlink()
    write_zip(
        tmp_path / "z.zip",
        {
            "f.txt": b"x",
            "__MACOSX/._f.txt": b"x",
            ".DS_Store": b"x",
            "a/.b/g.txt": b"x",
            "nested.zip": inner,
            "h/": b"",
        },
    )
    found = [
        str(path.relative_to(tmp_path)) if isinstance(path, Path) else path.at
        for path in DISCORD().export_files(tmp_path)
    ]
    assert found == ["A.TXT", "b.txt", str(Path("sub", "dir", "c.txt")), "f.txt"]


def test_a_member_is_read_like_a_file(tmp_path: Path) -> None:
    text = "".join(f"line {number} äöü\r\n" for number in range(30_000))
    archive = write_zip(tmp_path / "chat.zip", {"folder/_chat.txt": text.encode()})
    (member,) = members(archive, is_text)
    assert (member.name, member.stem, member.suffix, member.parent.name) == ("_chat.txt", "_chat", ".txt", "folder")
    assert str(member) == f"{archive}/folder/_chat.txt"
    assert list(decoded_lines(member)) == text.replace("\r\n", "\n").split("\n")[:-1]
    with member.open("rb") as file:
        assert file.read(4) == b"line"
        file.seek(0)
        assert file.readline() == "line 0 äöü\r\n".encode()
        file.seek(-2, io.SEEK_END)
        assert file.read() == b"\r\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_more_archives_than_files_may_be_open(tmp_path: Path) -> None:
    import resource

    for number in range(40):
        write_zip(tmp_path / f"{number:02}.zip", {"a.txt": b"one", "b.txt": b"two"})
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len([*Path("/dev/fd").iterdir()]) + 20, limits[1]))
    try:
        found = files_below(tmp_path, is_text)
        with found[0].open("rb") as first:
            assert [path.read_bytes() for path in found] == [b"one", b"two"] * 40
            assert first.read() == b"one"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_bomb_by_ratio(tmp_path: Path) -> None:
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file, file.open("chat.txt", "w") as member:
        for _ in range(100):
            member.write(b"\0" * 2**20)
    assert "bomb" in error_of(archive)
    assert "times its size" in error_of(tmp_path)


def test_bomb_hidden_beside_large_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w") as file:
        file.writestr("photo.jpg", os.urandom(2**21))
        with file.open(zipfile.ZipInfo("a/chat.txt"), "w") as member:
            member.write(b"x")
        info = zipfile.ZipInfo("b/chat.txt")
        info.compress_type = zipfile.ZIP_DEFLATED
        with file.open(info, "w") as member:
            for _ in range(100):
                member.write(b"a" * 2**20)
    assert "b/chat.txt unpacks to" in error_of(tmp_path)


def declared(data: bytes, name: bytes, size: int) -> bytes:
    """An archive whose directory states another size for its only member."""
    position = data.rindex(b"PK\x01\x02")
    assert data[position + 46 : position + 46 + len(name)] == name
    return data[: position + 24] + struct.pack("<L", size) + data[position + 28 :]


def test_bomb_by_total(tmp_path: Path) -> None:
    names = [f"{number}.txt" for number in range(6)]
    write_zip(tmp_path / "bomb.zip", dict.fromkeys(names, b"x"))
    data = (tmp_path / "bomb.zip").read_bytes()
    for name in names:
        position = data.index(name.encode(), data.index(b"PK\x01\x02")) - 46
        data = data[: position + 20] + struct.pack("<LL", 2**31, 2**32 - 2) + data[position + 28 :]
    (tmp_path / "bomb.zip").write_bytes(data)
    assert "GiB, more than 16" in error_of(tmp_path)


def test_lied_about_size_reads_no_more_than_stated(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"a.txt": b"hello world, this is long" * 1000})
    archive.write_bytes(declared(archive.read_bytes(), b"a.txt", 10))
    (member,) = members(archive, is_text)
    with pytest.raises(ExportError, match="damaged"), member.open("rb") as file:
        file.read()


@pytest.mark.parametrize(
    "name", ["../evil.txt", "a/../../evil.txt", "/etc/evil.txt", "C:\\evil.txt", "a\\..\\e.txt", "a//b.txt"]
)
def test_path_out_of_the_archive(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        info = zipfile.ZipInfo("x.txt")
        info.filename = name
        file.writestr(info, b"x")
    assert "leads out of it" in error_of(tmp_path)
    assert not list(tmp_path.parent.glob("evil*"))


def test_name_with_a_newline_stays_one_line(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("../a\nerror: \x1b[31mb.txt", b"x")
    assert r"../a\nerror: \u001b[31mb.txt" in error_of(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_control_characters_in_names(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"a\nb.txt": b"x"})
    assert r"a\nb.txt has a control character" in error_of(tmp_path)
    (tmp_path / "a.zip").unlink()
    (tmp_path / "a\x1b[31m.txt").write_text("x")
    assert r"a\u001b[31m.txt has a control character" in error_of(tmp_path)


def test_link_in_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        info = zipfile.ZipInfo("link.txt")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(info, b"/etc/passwd")
    assert "link.txt is a link" in error_of(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_in_a_folder(tmp_path: Path) -> None:
    folder, outside = tmp_path / "exports", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "secret.txt").write_text("x")
    (folder / "a.txt").write_text("x")
    (folder / "again.txt").symlink_to(folder / "a.txt")
    assert [path.name for path in walk(folder)] == ["a.txt"]  # a link inside is met at its own place
    (folder / "circle").symlink_to(folder / "circle")
    with pytest.raises(ExportError, match="circle is a link out of"):
        list(walk(folder))
    (folder / "circle").unlink()
    (folder / "out").symlink_to(outside)
    assert "out is a link out of" in error_of(folder)
    (folder / "out").unlink()
    (folder / "b.txt").symlink_to(outside / "secret.txt")
    assert "b.txt is a link out of" in error_of(folder)
    (folder / "b.txt").unlink()
    (folder / "loop").symlink_to(folder)
    assert [path.name for path in walk(folder)] == ["a.txt"]


def test_encrypted(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"a.txt": b"hello"})
    data = bytearray(archive.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    assert "is encrypted" in error_of(archive)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 93])
def test_other_compression(tmp_path: Path, method: int) -> None:
    archive = write_zip(tmp_path / "a.zip", {"a.txt": b"hello"})
    data = bytearray(archive.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 10] = method
    archive.write_bytes(data)
    assert "compressed in a way" in error_of(archive)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damaged_in_the_middle(tmp_path: Path, method: int) -> None:
    archive = write_zip(tmp_path / "a.zip", {"a.txt": os.urandom(5_000)}, method)
    data = bytearray(archive.read_bytes())
    data[2_000:2_100] = bytes(100)
    archive.write_bytes(data)
    (member,) = members(archive, is_text)
    with pytest.raises(ExportError, match="damaged"), member.open("rb") as file:
        file.read()


def test_not_a_zip(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"hello")
    assert "a.zip is not a zip, or damaged" in error_of(tmp_path)


def test_only_reading(tmp_path: Path) -> None:
    (member,) = members(write_zip(tmp_path / "a.zip", {"a.txt": b"x"}), is_text)
    with pytest.raises(ValueError, match="only be opened as rb"):
        member.open("w")


SOUND = io.BytesIO()
with zipfile.ZipFile(SOUND, "w", zipfile.ZIP_DEFLATED) as sound:
    sound.writestr("a/_chat.txt", "hello\n" * 50)
    sound.writestr("b.txt", "äöü")


@settings(max_examples=examples(150))
@given(
    changes=st.lists(st.tuples(st.integers(0, len(SOUND.getvalue()) - 1), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 60),
)
def test_damaged_archives_never_give_a_traceback(changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(SOUND.getvalue())
    for position, value in changes:
        data[position] = value
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "a.zip")
        archive.write_bytes(data[: len(data) - cut])
        try:
            for member in members(archive, is_text):
                assert isinstance(member, ZipMember)
                list(decoded_lines(member))
        except SelfChatBotError as error:
            assert "\n" not in str(error)


# --- text -------------------------------------------------------------------------------------------------------------
