"""Apply a recipe and prove each step against the answers of the source."""

import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.domain.errors import Refused, from_json
from core.domain.limits import READING, WORKING
from core.domain.recipe import Step
from core.domain.report import Parity, Quality, Verdict
from core.domain.transform import Converter, Tolerance
from core.formats import FORMATS
from core.runtimes import runtime_for
from core.tools import Tools

SEED = 20261121
CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Model:
    """The bytes of one model in the store, with the format that they are in."""

    sha256: str
    size: int
    format: str


@dataclass(frozen=True)
class Data:
    """A labelled or unlabelled data set in the store, and the name of its label column."""

    sha256: str
    name: str
    label: str | None = None

    @property
    def key(self) -> str:
        """The file name under which a child sees the data; the suffix is one of ours."""
        suffix = Path(self.name).suffix.lower()
        return "data" + (suffix if suffix in (".npz", ".csv", ".parquet", ".zip") else ".bin")


@dataclass(frozen=True)
class Golden:
    """The source's answers on the probes: the blob that holds them, and what the recording said."""

    sha256: str
    evidence: dict[str, Any]


@dataclass
class Cost:
    """What the children used: wall-clock seconds in all and the largest resident memory of one, in MB."""

    seconds: float = 0.0
    peak_rss_mb: float = 0.0


@dataclass(frozen=True)
class Applied:
    """One step that ran: what came out, what it says about itself, and whether it answers like the source."""

    step: Step
    model: Model
    summary: dict[str, Any]
    graph: str | None
    parity: Parity


@dataclass
class Bench:
    """One place to run tasks on models of the store, adding up what they cost."""

    tools: Tools
    cost: Cost = field(default_factory=Cost)

    def convert(self, source: Model, converter: Converter, options: dict[str, Any]) -> Model:
        """Write the model in the converter's target format and keep the bytes."""
        key = file_key(source.format)
        request = {"file": key, "format": source.format, "converter": converter.id, "options": options}
        with self._run("convert", request, {key: source.sha256}, runtime_for(source.format).kind) as done:
            blob = self.tools.blobs.put(done.folder / "artifact")
        return Model(blob.sha256, blob.size, converter.target)

    def audit(self, model: Model, name: str) -> tuple[dict[str, Any], str | None]:
        """Inspect what a child returned as if a stranger had uploaded it."""
        request = {"file": "model", "name": name, "isolation_full": self.tools.sandbox.isolation.full}
        with self._run("inspect", request, {"model": model.sha256}, "light", reading=True) as done:
            if done.value["trouble"]:
                raise from_json(done.value["trouble"])
            if done.value["format"] != model.format:
                raise Refused(
                    f"The converter wrote a file that reads as {done.value['title']}.", "Report this file to us."
                )
            graph = self.tools.blobs.put(done.folder / "graph.onnx").sha256 if done.value["graph"] else None
            return done.value["summary"], graph

    def probe(self, source: Model, data: Data | None, shapes: str = "") -> Golden:
        """Record the source's answers on seeded inputs, edge inputs and the user's data; ``shapes`` says what the file does not."""
        key, runtime = file_key(source.format), runtime_for(source.format)
        request = {
            "file": key,
            "format": source.format,
            "runtime": runtime.id,
            "seed": SEED,
            "shapes": shapes,
            **data_args(data),
        }
        with self._run("probe", request, {key: source.sha256, **data_files(data)}, runtime.kind) as done:
            return Golden(self.tools.blobs.put(done.folder / "golden.npz").sha256, done.value)

    def compare(self, target: Model, golden: Golden, tolerance: Tolerance) -> Parity:
        """Replay the probes on the stored bytes of the target in a fresh process."""
        key, runtime = file_key(target.format), runtime_for(target.format)
        request = {
            "file": key,
            "format": target.format,
            "runtime": runtime.id,
            "golden": "golden.npz",
            "absolute": tolerance.absolute,
            "relative": tolerance.relative,
            "flips": tolerance.flips,
            "seed": SEED,
        }
        files = {key: target.sha256, "golden.npz": golden.sha256}
        with self._run("compare", request, files, runtime.kind) as done:
            return Parity.from_json(done.value)

    def diverge(self, source: Model, target: Model, golden: Golden) -> str | None:
        """Name the first operator where two ONNX files part; None where intermediate values cannot be had."""
        if (source.format, target.format) != ("onnx", "onnx"):
            return None
        request = {"source": "source.onnx", "target": "target.onnx", "golden": "golden.npz"}
        files = {"source.onnx": source.sha256, "target.onnx": target.sha256, "golden.npz": golden.sha256}
        with self._run("diverge", request, files, "light") as done:
            operator = done.value["operator"]
            return None if operator is None else str(operator)

    def evaluate(self, model: Model, data: Data) -> Quality:
        """Measure the model on labelled data."""
        key, runtime = file_key(model.format), runtime_for(model.format)
        request = {"file": key, "format": model.format, "runtime": runtime.id, **data_args(data)}
        with self._run("evaluate", request, {key: model.sha256, **data_files(data)}, runtime.kind) as done:
            return Quality.from_json(done.value)

    def _run(self, task: str, request: dict[str, Any], blobs: dict[str, str], kind: str, reading: bool = False) -> Any:
        return _Counted(
            self.cost,
            self.tools.sandbox.run(
                task,
                request,
                {key: self.tools.blobs.path(sha256) for key, sha256 in blobs.items()},
                READING if reading else WORKING,
                kind=kind,
                cancel=self.tools.cancel,
            ),
        )


class _Counted:
    """A child's run that adds its cost when it has finished."""

    def __init__(self, cost: Cost, running: Any) -> None:
        self._cost, self._running = cost, running

    def __enter__(self) -> Any:
        done = self._running.__enter__()
        self._cost.seconds += done.seconds
        self._cost.peak_rss_mb = max(self._cost.peak_rss_mb, done.peak_rss_mb)
        return done

    def __exit__(self, *error: Any) -> Any:
        return self._running.__exit__(*error)


def apply(bench: Bench, source: Model, steps: list[tuple[Converter, Step]], golden: Golden) -> list[Applied]:
    """Run the steps in order and prove each result against the source; stop after the first that fails.

    A step inherits the loosest tolerance declared so far, because the answers that it is compared with are the
    first source's.
    """
    applied: list[Applied] = []
    model, tolerance = source, Tolerance(0.0, 0.0)
    for number, (converter, step) in enumerate(steps, start=1):
        place = f"(step {number} of {len(steps)})" if len(steps) > 1 else ""
        bench.tools.progress(0.2 + 0.6 * (number - 1) / len(steps), f"Converting: {converter.title} {place}".strip())
        result = bench.convert(model, converter, step.options)
        tolerance = loosest(tolerance, converter.tolerance)
        bench.tools.progress(0.2 + 0.6 * (number - 0.5) / len(steps), f"Comparing in a fresh process {place}".strip())
        summary, graph = bench.audit(result, "artifact" + converter.suffix)
        parity = prove(bench, model, result, golden, tolerance)
        applied.append(Applied(step, result, summary, graph, parity))
        if parity.verdict is Verdict.FAIL:
            break
        model = result
    return applied


def prove(bench: Bench, source: Model, target: Model, golden: Golden, tolerance: Tolerance) -> Parity:
    """Compare the target with the recorded answers; on a FAIL, name where the two part if both expose it."""
    parity = bench.compare(target, golden, tolerance)
    if parity.verdict is not Verdict.FAIL:
        return parity
    return Parity(**{**vars(parity), "diverges_at": bench.diverge(source, target, golden)})


def check_consent(source: Model, consent: bool) -> None:
    """Refuse to load a file that only its owner's word can clear."""
    if source.format == "pickle" and not consent:
        raise Refused(
            "A pickle is a program: loading it runs what its author wrote.",
            "Tick the consent box (command line: --consent) if you trust where this file comes from; it still runs only in the sandbox.",
        )


def loosest(a: Tolerance, b: Tolerance) -> Tolerance:
    """Return the larger bound of each kind."""
    return Tolerance(max(a.absolute, b.absolute), max(a.relative, b.relative), max(a.flips, b.flips))


def file_key(format: str) -> str:
    """Return the file name under which a child sees a model of this format; never a name from the user."""
    return "model" + FORMATS[format].suffixes[0]


def data_args(data: Data | None) -> dict[str, Any]:
    """Return what a task is told about the data set."""
    return {"data": data.key if data else None, "label": data.label if data else None}


def data_files(data: Data | None) -> dict[str, str]:
    """Return the data set's file for a task, by key."""
    return {data.key: data.sha256} if data else {}


def zipped_size(path: Path) -> int:
    """Return the bytes that DEFLATE at level 6 makes of a file (RFC 1951), read in pieces."""
    squeeze, size = zlib.compressobj(6), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            size += len(squeeze.compress(chunk))
    return size + len(squeeze.flush())
