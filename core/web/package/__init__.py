"""The web package: a zip of a page, the runtime, one model and recorded answers, which opens in a browser from a folder.

A page that was opened from a folder may load scripts and nothing else, so model, runtime and answers are scripts that hold
base64. Everything in the zip but the model, its description and the answers is the same in every package.
"""

import base64
import gzip
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Self

from core import web
from core.domain.artifact import Signature
from core.domain.codec import decode, encode
from core.domain.errors import Refused
from core.web import recorded

MANIFEST, MODEL = "portolan-web.json", "model.onnx"
MODEL_SCRIPT, RECORDED_SCRIPT = "model.js", "recorded.js"
PAGE = ("index.html", "page.css", "inputs.js", "outputs.js", "page.js", "README.txt")
MAX_MODEL_BYTES = 100_000_000
"""A script twice as large is more than a browser opens from a folder in a few seconds."""
MAX_RECORDED_BYTES = 6_000_000
EPOCH = (1980, 1, 1, 0, 0, 0)
AGAIN = "Take model.onnx out of the zip and open that, or convert the model again."

_RECORDED = re.compile(rb'self\.PORTOLAN_RECORDED = "([A-Za-z0-9+/=]*)";\n')


@dataclass(frozen=True)
class Spec:
    """What a package says of its model: title, checksum, size in bytes, signature, tolerance of the self-test, runtime."""

    name: str
    sha256: str
    size: int
    signature: Signature
    absolute: float
    relative: float
    runtime: str = f"onnxruntime-web {web.VERSION}"

    def to_json(self) -> recorded.JsonObject:
        """Return the manifest's JSON value."""
        return {
            "portolan_web": 1,
            "name": self.name,
            "runtime": self.runtime,
            "model": {"file": MODEL, "sha256": self.sha256, "size": self.size},
            "tolerance": {"absolute": self.absolute, "relative": self.relative},
            **encode(self.signature),
        }

    @classmethod
    def from_json(cls, value: recorded.JsonObject) -> Self:
        """Rebuild a spec from ``to_json``. Raises Refused for a value that this Portolan does not write."""
        try:
            spec = cls(
                name=str(value["name"]),
                sha256=str(value["model"]["sha256"]),
                size=int(value["model"]["size"]),
                signature=decode(Signature, {side: value[side] for side in ("inputs", "outputs")}),
                absolute=float(value["tolerance"]["absolute"]),
                relative=float(value["tolerance"]["relative"]),
            )
            if spec.to_json() != value:
                raise ValueError
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Refused(f"{MANIFEST} is not what this version of Portolan writes.", AGAIN) from None
        return spec


def write(out: Path, model: bytes, spec: Spec, answers: bytes | None) -> None:
    """Write the zip; equal facts give equal bytes."""
    members = {
        **fixed(),
        MANIFEST: text(spec),
        MODEL_SCRIPT: model_script(spec, model),
        RECORDED_SCRIPT: recorded_script(answers),
        MODEL: model,
    }
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, EPOCH)
            info.external_attr = 0o644 << 16
            # A model of zeros would shrink as only zip bombs do, and no audit would let it in again.
            info.compress_type = zipfile.ZIP_STORED if name == MODEL else zipfile.ZIP_DEFLATED
            archive.writestr(info, content)


def fixed() -> dict[str, bytes]:
    """Return the members that are the same in every package, by name."""
    pages = {name: web.script(f"package/{name}") for name in PAGE}
    licenses = web.script("LICENSE") + b"\n" + web.unpacked("ThirdPartyNotices.txt")
    return {**pages, "runtime.js": runtime_script(), "LICENSES.txt": licenses}


def runtime_script() -> bytes:
    """Return the script that holds the runtime, packed, and the module that replays answers on it."""
    parts = {"ort": web.packed(web.MODULE), "wasm": web.packed(web.WASM), "replay": replay_module()}
    value = {name: base64.b64encode(part).decode() for name, part in parts.items()}
    return f"self.PORTOLAN_RUNTIME = {json.dumps(value)};\n".encode()


def replay_module() -> bytes:
    """Return our scripts as one module: what has no address of its own can import nothing beside it."""
    parts = [re.sub(rb'import \{[^}]*\} from "\./[a-z]+\.mjs";\n', b"", web.script(name)) for name in web.MODULES]
    return b"\n".join(parts)


def text(spec: Spec) -> bytes:
    """Return the manifest as it is written."""
    return (json.dumps(spec.to_json(), indent=1, sort_keys=True) + "\n").encode()


def model_script(spec: Spec, model: bytes) -> bytes:
    """Return the script that holds the model, packed, with its description."""
    return b"".join((*_frame(spec), base64.b64encode(gzip.compress(model, 6, mtime=0)), b'"};\n'))


def _frame(spec: Spec) -> Iterator[bytes]:
    value = spec.to_json()
    tolerance = json.dumps(value["tolerance"], sort_keys=True)
    yield f'self.PORTOLAN_MODEL = {{"spec": {json.dumps(value, sort_keys=True)}, "tolerance": {tolerance}, '.encode()
    yield b'"bytes": "'


def recorded_script(answers: bytes | None) -> bytes:
    """Return the script that holds the recorded answers, as many as a page should carry; none makes an empty one."""
    kept = recorded.trim(answers, MAX_RECORDED_BYTES) if answers else b""
    return b'self.PORTOLAN_RECORDED = "' + base64.b64encode(kept) + b'";\n'


def check_model_script(script: bytes, spec: Spec, model: bytes) -> None:
    """Raise Refused unless the script holds exactly the description and the bytes of the model, and nothing else."""
    head = b"".join(_frame(spec))
    packed = script[len(head) : -4] if script.startswith(head) and script.endswith(b'"};\n') else b""
    try:
        unpacker = zlib.decompressobj(31)
        same = unpacker.decompress(base64.b64decode(packed, validate=True), len(model) + 1) == model
        whole = unpacker.eof and not unpacker.unused_data
    except (ValueError, zlib.error):
        same = whole = False
    if not (same and whole):
        raise Refused(f"{MODEL_SCRIPT} does not hold the bytes of {MODEL}.", AGAIN)


def check_recorded_script(script: bytes) -> None:
    """Raise Refused unless the script holds recorded answers, and nothing else."""
    found = _RECORDED.fullmatch(script)
    try:
        answers = base64.b64decode(found[1], validate=True) if found else b"?"
    except ValueError:
        answers = b"?"
    if answers:
        recorded.split(answers)


def check_model(model: bytes, spec: Spec) -> None:
    """Raise Refused unless the description names this model."""
    if (sha256(model).hexdigest(), len(model)) != (spec.sha256, spec.size):
        raise Refused(f"{MANIFEST} names another model than {MODEL}.", AGAIN)


def spec_of(model: bytes, name: str, signature: Signature, absolute: float, relative: float) -> Spec:
    """Describe a model for its package."""
    return Spec(name, sha256(model).hexdigest(), len(model), signature, absolute, relative)
