"""What runs a model outside Python: onnxruntime-web as its makers built it, and our JavaScript that replays recorded answers on it.

The same files serve the visitor's browser, Node, and the web package; `ORIGIN.md` says where the runtime comes from.
"""

import functools
import gzip
from hashlib import sha256
from pathlib import Path

VERSION = "1.30.0"
MODULE, WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
RUNTIME = {
    MODULE: "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    WASM: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
"""The runtime's files, stored with gzip, and the SHA-256 of each when unpacked."""
MODULES = ("half.mjs", "tensors.mjs", "compare.mjs", "replay.mjs")
"""Our own scripts, each after those that it imports."""
SCRIPTS = (*MODULES, "worker.mjs")
FORMATS = ("onnx", "ort")
"""What the runtime loads."""
MAX_MODEL_BYTES = 200_000_000
"""A browser tab holds a model twice while it loads, in an address space of at most 4 GB."""

HERE = Path(__file__).parent


def packed(name: str) -> bytes:
    """Return a file of the runtime as it is stored, with gzip."""
    return (HERE / f"{name}.gz").read_bytes()


def unpacked(name: str) -> bytes:
    """Return a file of the runtime as its makers built it."""
    return gzip.decompress(packed(name))


def script(name: str) -> bytes:
    """Return one of our own scripts."""
    return (HERE / name).read_bytes()


@functools.cache
def fingerprint() -> str:
    """Return 12 letters that change whenever a served file does, for addresses that browsers keep for good."""
    parts = [*RUNTIME.values(), *(sha256(script(name)).hexdigest() for name in SCRIPTS)]
    return sha256("".join(parts).encode()).hexdigest()[:12]
