"""What is tried on every format that is a zip: the honest file with its archive made hostile."""

import io
import struct
import warnings
import zipfile
from collections.abc import Callable

from tests.hostile.corpus.attack import Attack

SOURCES = {
    "onnx_external": "external.zip", "web_package": "linear-web.zip", "openvino": "linear-openvino.zip", "keras": "cnn.keras",
    "saved_model": "saved_model_softmax.zip", "ncnn": "line-ncnn.zip", "coreml": "line-coreml.zip", "torch_export": "net.pt2",
    "torchscript": "script.pt", "torch_checkpoint": "weights.pt", "skops": "penguins.skops",
}  # fmt: skip
BOMB_BYTES = 4 << 20


def entry(data: bytes) -> int:
    """Return where the directory's first entry begins."""
    (place,) = struct.unpack("<I", data[data.rindex(b"PK\x05\x06") + 16 :][:4])
    return int(place)


def added(name: str, content: bytes = b"x", mode: int = 0o644) -> Callable[[bytes], bytes]:
    """Return what adds a member."""

    def change(data: bytes) -> bytes:
        out = io.BytesIO(data)
        with warnings.catch_warnings(), zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
            warnings.simplefilter("ignore")
            info = zipfile.ZipInfo(name)
            info.external_attr, info.create_system, info.compress_type = mode << 16, 3, zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
        return out.getvalue()

    return change


def twice(data: bytes) -> bytes:
    """Return the zip with its first member once more, with another content."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return added(archive.namelist()[0], b"another")(data)


def field(offset: int, value: bytes) -> Callable[[bytes], bytes]:
    """Return what writes over a field of the directory's first entry (APPNOTE.TXT, 4.3.12)."""
    return lambda data: data[: entry(data) + offset] + value + data[entry(data) + offset + len(value) :]


def other_name(data: bytes) -> bytes:
    """Return the zip with another name in the first member's own header than in the directory."""
    return data[:30] + bytes([data[30] ^ 1]) + data[31:]


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "a member above the folder": added("../../../../tmp/portolan-canary"),
    "an absolute member": added("/tmp/portolan-canary"),
    "a link for a member": added("link", b"/etc/passwd", 0o120777),
    "a device for a member": added("device", b"", 0o60644),
    "a member twice": twice,
    "a bomb beside the model": added("zeros", bytes(BOMB_BYTES)),
    "a password": field(8, b"\x01"),
    "a member of 4 GB": field(24, b"\xfe\xff\xff\xff"),
    "a member that lies elsewhere": field(42, struct.pack("<I", 2**31)),
    "a name with another in its header": other_name,
    "sizes that stand in a record which is not there": field(20, b"\xff" * 8),
    "a name of another script": added("mo\u202edel"),
}  # fmt: skip

ATTACKS = tuple(
    Attack(format, what, source, lambda honest, source=source, change=change: change(honest[source].read_bytes()))
    for format, source in SOURCES.items()
    for what, change in CHANGES.items()
)
