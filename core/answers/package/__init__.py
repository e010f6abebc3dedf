"""The zip of a move: the exported model with code that serves it, tests of its own, and the evidence.

The code is the same for every model: what differs stands in signature.json, so that no name of a stranger's becomes code.
"""

import json
import math
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, cast

from core.answers import bundle
from core.answers.package import tasks
from core.border import archives
from core.domain.artifact import TensorSpec
from core.domain.codec import encode
from core.domain.conversion import Conversion
from core.domain.errors import Refused
from core.domain.migration import PackagedFile
from core.domain.work import Bundle
from core.formats import FORMATS
from core.memory.blobs import Blobs
from core.runtimes import on_shelf

HERE = Path(__file__).parent
SERVER = ("starlette", "uvicorn", "prometheus-client")
TRITON = {"float16": "FP16", "float32": "FP32", "float64": "FP64", "bool": "BOOL", "str": "STRING"} | {
    f"{sign}int{bits}": f"{sign.upper()}INT{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
"""Element types that the protocol has, as Triton's configuration names them."""
EXAMPLE_VALUES = 50_000
EXAMPLE_BYTES = 200_000
"""Characters of a raw sample up to which it is an example."""
CODE = ("predict", "drift", "server", "mlflow_loader", "test_model", "test_server")
"""Files that are the same for every model."""
SUMS = "SHA256SUMS"
Members = dict[str, str | Path]


@dataclass(frozen=True)
class Raw:
    """The task that travels, its recorded samples as JSON, empty where none were recorded yet, and why it cannot travel, empty where it can."""

    travelling: tasks.Travelling
    samples: str = ""

    @property
    def kept_back(self) -> str:
        """Why it cannot travel, in a sentence."""
        found = tasks.functions(self.travelling.task)
        return found if isinstance(found, str) else ""


def members(blobs: Blobs, made: Conversion, example: str, raw: Raw | None = None) -> Members:
    """Return the files of a package by name; ``example`` is a request, ``raw`` what makes it take raw samples too.

    Raises Refused for element types that no protocol has.
    """
    specs = (*made.summary.inputs, *made.summary.outputs)
    if strange := sorted({spec.dtype for spec in specs} - set(TRITON)):
        raise Refused(
            f"The Open Inference Protocol has no element type {', '.join(strange)}.", "Cast these inputs or outputs."
        )
    name = bundle.safe_stem(made.artifact.name)
    file = f"models/{name}/1/model{FORMATS[made.artifact.format].suffixes[0]}"
    runtime = on_shelf(made.artifact.format)
    packages = (*(runtime.packages if runtime else ()), *SERVER)
    carried = raw if raw is not None and not raw.kept_back else None
    told = facts(made, name, file) | {"raw": carried and carried.travelling, "kept_back": raw.kept_back if raw else ""}
    return {
        file: blobs.path(made.artifact.sha256),
        f"models/{name}/config.pbtxt": rendered("config", told),
        "golden.npz": blobs.path(made.golden.sha256),
        "signature.json": written(signature(made, name, file, carried)),
        "card.json": written(bundle.card(made, file)),
        **{f"{part}.py": (HERE / f"{part}.txt").read_text() for part in CODE},
        **(raw_members(made, carried) if carried else {}),
        "verify.py": bundle.verification(runtime),
        "example.json": example,
        "requirements.txt": "".join(f"{bundle.pinned(one)}\n" for one in dict.fromkeys((*packages, *(("pillow",) if carried else ())))),
        "Dockerfile": rendered("dockerfile", told),
        "MLmodel": rendered("mlmodel", told),
        "python_env.yaml": rendered("python_env", told),
        f"{name}.service": rendered("service", told),
        "README.md": rendered("readme", told),
    }  # fmt: skip


def raw_members(made: Conversion, raw: Raw) -> Members:
    """Return what is in a package for raw samples: the steps, the recorded samples, their tests, and a request."""
    files: Members = {"task.py": rendered("task", tasks.facts(raw.travelling, made.summary.outputs))}
    if not raw.samples:
        return files
    smallest = min(json.loads(raw.samples), key=lambda one: len(one["raw"]))["raw"]
    asked = [{"name": "raw", "datatype": "BYTES", "shape": [1], "data": [smallest]}]
    small = {"example_raw.json": json.dumps({"inputs": asked})} if len(smallest) <= EXAMPLE_BYTES else {}
    return {**files, "samples.json": raw.samples, "test_task.py": (HERE / "test_task.txt").read_text(), **small}


def facts(made: Conversion, name: str, file: str) -> dict[str, Any]:
    """Return what the templates need to know."""

    def side(specs: tuple[TensorSpec, ...]) -> list[dict[str, Any]]:
        return [{"name": one.name, "triton": TRITON[one.dtype], "dims": dims(one)} for one in specs]

    return {
        "name": name,
        "file": file,
        "title": FORMATS[made.artifact.format].title,
        "source": bundle.safe_stem(made.source.name),
        "verdict": str(made.parity.verdict),
        "data": made.data is not None,
        "full_python": ".".join(map(str, sys.version_info[:3])),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "inputs": side(made.summary.inputs),
        "outputs": side(made.summary.outputs),
    }


def dims(spec: TensorSpec) -> list[int]:
    """Return a shape as Triton writes it: -1 for a size that is open."""
    return [size if isinstance(size, int) else -1 for size in spec.shape or (None,)]


def signature(made: Conversion, name: str, file: str, raw: Raw | None = None) -> dict[str, Any]:
    """Return what the code reads: the model, its file, inputs and outputs, and what it is for where that travels with it."""
    ends = {side: [encode(one) for one in specs] for side, specs in (("inputs", made.summary.inputs), ("outputs", made.summary.outputs))}  # fmt: skip
    task = tasks.signature(raw.travelling, made.summary.outputs) if raw else None
    return {"model": name, "file": file, "sha256": made.artifact.sha256, "task": task, **ends}


def example(head: Mapping[str, Any], body: bytes, names: tuple[str, ...], specs: tuple[TensorSpec, ...]) -> str:
    """Return the smallest recorded case as a request of the protocol, in JSON; of a long one, a request without values."""
    cases = [case for case in head["cases"] if all(one["dtype"] != "bool" or one for one in case["inputs"])]
    small = min(cases, key=lambda case: sum(math.prod(one["shape"]) for one in case["inputs"]), default=None)
    if small is None or sum(math.prod(one["shape"]) for one in small["inputs"]) > EXAMPLE_VALUES:
        return json.dumps({"inputs": []})
    told = [
        {"name": name, "datatype": datatype(spec), "shape": one["shape"], "data": values(one, body, spec)}
        for name, spec, one in zip(names, specs, small["inputs"], strict=True)
    ]
    return json.dumps({"inputs": told})


def datatype(spec: TensorSpec) -> str:
    """Return the protocol's name of an element type."""
    return TRITON[spec.dtype].replace("STRING", "BYTES")


def values(one: Mapping[str, Any], body: bytes, spec: TensorSpec) -> list[Any]:
    """Return the values of a recorded array in order, in the declared type."""
    import numpy as np

    if "values" in one:
        return list(one["values"])
    array = np.frombuffer(body, dtype=one["dtype"], count=math.prod(one["shape"]), offset=one["at"])
    listed: list[Any] = array.astype(spec.dtype).tolist()
    return listed


def rendered(template: str, told: Mapping[str, Any]) -> str:
    """Fill a template of this folder."""
    from jinja2 import Environment, StrictUndefined

    # No HTML is made here, and JSON quoting is asked where a name of the model's stands.
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    return environment.from_string((HERE / f"{template}.txt").read_text()).render(told)


def written(value: Any) -> str:
    """Write JSON for people, equal for equal values."""
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def listed(files: Members) -> tuple[PackagedFile, ...]:
    """Return each file with its size and checksum."""
    return tuple(_listed(name, content) for name, content in files.items())


def _listed(name: str, content: str | Path) -> PackagedFile:
    if isinstance(content, str):
        data = content.encode()
        return PackagedFile(name, len(data), sha256(data).hexdigest())
    digest, size = sha256(), 0
    with content.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
            size += len(chunk)
    return PackagedFile(name, size, digest.hexdigest())


def zipped(blobs: Blobs, files: Members, name: str) -> Bundle:
    """Write the files with their checksums to the store; equal files give equal bytes."""
    sums = "".join(f"{one.digest}  {one.name}\n" for one in listed(files))
    with blobs.writer() as writer:
        with zipfile.ZipFile(cast(IO[bytes], writer), "w") as archive:
            for member, content in {**files, SUMS: sums}.items():
                archives.add(archive, member, content.encode() if isinstance(content, str) else content)
        blob = writer.commit()
    return Bundle(blob.sha256, blob.size, f"{bundle.safe_stem(name)}-package.zip")
