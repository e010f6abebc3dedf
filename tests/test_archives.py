"""Hostile zips made here: each is refused before a member is read; plain ones are read and unpacked."""

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from core.border import archives
from core.domain.errors import Refused


def _zip(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytearray:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return bytearray(out.getvalue())


def _named(name: str) -> bytearray:
    return _zip((name, b"x"))


def _directory(data: bytearray) -> int:
    return int(data.index(b"PK\x01\x02"))


def _central(offset: int, value: bytes, *members: tuple[str, bytes]) -> bytearray:
    """Write over a field of the first entry in the directory."""
    data = _zip(*(members or (("a", b"aaaa"), ("b", b"bbbb"))), method=zipfile.ZIP_STORED)
    place = _directory(data) + offset
    data[place : place + len(value)] = value
    return data


def _bomb() -> bytearray:
    return _zip(("a", b"\0" * (300 << 20)))


def _overlap() -> bytearray:
    """Let both entries of the directory point to the first member, as overlap bombs do."""
    data = _zip(("a", b"aaaa"), ("b", b"bbbb"), method=zipfile.ZIP_STORED)
    second = data.index(b"PK\x01\x02", _directory(data) + 4)
    data[second + 42 : second + 46] = struct.pack("<I", 0)
    data[second + 46 : second + 47] = b"a"
    return data


def _nested_overlap() -> bytearray:
    """Hide a second local header inside the first member's data."""
    inner = _zip(("b", b"bbbb"), method=zipfile.ZIP_STORED)
    local = bytes(inner[: _directory(inner)])
    data = _zip(("a", local), method=zipfile.ZIP_STORED)
    entry = bytearray(inner[_directory(inner) : inner.index(b"PK\x05\x06")])
    entry[42:46] = struct.pack("<I", 31)
    end = data.index(b"PK\x05\x06")
    size = end - _directory(data) + len(entry)
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2, 2, size, _directory(data), 0)
    return data[:end] + entry + tail


def _link() -> bytearray:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return bytearray(out.getvalue())


def _other_local_name() -> bytearray:
    data = _zip(("model.onnx", b"x"))
    data[30:40] = b"evil_.onnx"
    return data


def _twice() -> bytearray:
    with pytest.warns(UserWarning, match="Duplicate name"):
        return _zip(("a", b"1"), ("a", b"2"))


def _bad_crc() -> bytearray:
    data = _zip(("a", b"aaaa"), method=zipfile.ZIP_STORED)
    data[31] ^= 1
    return data


HOSTILE: dict[str, Callable[[], bytes | bytearray]] = {
    "bomb": _bomb,
    "many entries": lambda: _zip(*((str(i), b"") for i in range(5_001))),
    "parent": lambda: _named("../up"),
    "parent inside": lambda: _named("a/../../up"),
    "absolute": lambda: _named("/etc/cron.d/x"),
    "drive": lambda: _named("C:/windows/x"),
    "backslash": lambda: _named("..\\up"),
    "control character": lambda: _named("a\nb"),
    "long name": lambda: _named("a" * 600),
    "link": _link,
    "twice": _twice,
    "overlap": _overlap,
    "nested overlap": _nested_overlap,
    "other local name": _other_local_name,
    "encrypted": lambda: _central(8, b"\x01\x00"),
    "lying size": lambda: _central(24, struct.pack("<I", 1 << 30)),
    "method": lambda: _central(10, b"\x0c\x00"),
    "header elsewhere": lambda: _central(42, struct.pack("<I", 7)),
    "past the end": lambda: _central(20, struct.pack("<II", 4000, 4000)),
    "bad checksum": _bad_crc,
    "bytes behind": lambda: _zip(("a", b"1")) + b"tail",
    "bytes before": lambda: b"PK\x03\x04 head" + _zip(("a", b"1")),
    "cut": lambda: _zip(("a", b"1" * 500), ("b", b"2"))[:-30],
    "count lie": lambda: _zip(("a", b"1")).replace(b"\x01\x00\x01\x00", b"\xfe\xff\xfe\xff"),
    "empty": lambda: b"",
    "only a mark": lambda: b"PK\x03\x04",
}


def read_all(path: Path) -> None:
    with archives.walk(path) as archive:
        for name in archive.names:
            archive.read(name)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_zip_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.zip"
    path.write_bytes(HOSTILE[kind]())
    with pytest.raises(Refused) as caught:
        read_all(path)
    assert caught.value.message.endswith(".")
    assert caught.value.next_step


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_plain_zip_is_read(method: int, tmp_path: Path) -> None:
    path = tmp_path / "plain.zip"
    path.write_bytes(_zip(("folder/a", b"one"), ("zeros", b"\0" * 900_000), method=method))
    with archives.walk(path) as archive:
        assert archive.names == ("folder/a", "zeros")
        assert archive.read("folder/a") == b"one"
        with pytest.raises(Refused):
            archive.read("zeros", 100)
        with pytest.raises(Refused):
            archive.read("missing")


def test_a_zip64_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "big.zip"
    with zipfile.ZipFile(path, "w") as archive, archive.open("a", "w", force_zip64=True) as member:
        member.write(b"one")
    with archives.walk(path) as archive:
        assert archive.read("a") == b"one"


def test_extract_takes_plain_names_out_of_one_folder(tmp_path: Path) -> None:
    path, out = tmp_path / "model.zip", tmp_path / "out"
    out.mkdir()
    path.write_bytes(
        _zip(("m/model.onnx", b"1"), ("m/model.data", b"2"), ("__MACOSX/._model.onnx", b"3"), ("m/.DS_Store", b"4"))
    )
    assert sorted(p.name for p in archives.extract(path, out)) == ["model.data", "model.onnx"]
    assert sorted(p.name for p in out.iterdir()) == ["model.data", "model.onnx"]


@pytest.mark.parametrize(
    "members", [("a/x", "b/y"), ("a/b/x",), (".hidden",), ("-rf",), ("x\u202ey",), ("A", "a"), ("dot.",)]
)
def test_extract_refuses_other_names(members: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    path.write_bytes(_zip(*((name, b"1") for name in members)))
    with pytest.raises(Refused):
        archives.extract(path, tmp_path)
    assert list(tmp_path.iterdir()) == [path]
