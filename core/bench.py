"""One place to run tasks on models of the store: what is asked of a child, with which files, and what it cost."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from core import pack
from core.blobs import Blob
from core.domain.errors import Cancelled, PortolanError, Refused, Unavailable, from_json
from core.domain.integer_products import Sums
from core.domain.limits import PACKING, READING, WORKING, Limits
from core.domain.overhead import Footprint, Kernels, Race
from core.domain.recipe import Step
from core.domain.report import Parity, Quality, Verdict
from core.domain.technique import Technique
from core.domain.transform import RECORDED, Converter, Tolerance
from core.domain.tuning import HeatMap, Score
from core.domain.weight_change import WeightChange
from core.domain.work import Along, Attempt, Data, Golden, Lessons, Model, Trial
from core.formats import FORMATS
from core.proof.traces import TRACES
from core.runtimes import cannot_run, child_kind, runtime_for
from core.sandbox.turn import measuring
from core.sandbox.watch import Progress, ignore
from core.tools import Tools

Found = TypeVar("Found")
SEED = 20261121
TEACHER = "teacher.onnx"
FOOTPRINTS = 3
"""Fresh processes whose median counts: the residence of one and the same file was seen to take two values."""


@dataclass
class Cost:
    """What the children used: wall-clock seconds in all and the largest resident memory of one, in MB."""

    seconds: float = 0.0
    peak_rss_mb: float = 0.0


@dataclass
class Bench:
    """One place to run tasks on models of the store, adding up what they cost."""

    tools: Tools
    cost: Cost = field(default_factory=Cost)
    measured: dict[tuple[Model, Data], Quality] = field(default_factory=dict)
    remembered: dict[tuple[object, ...], Any] = field(default_factory=dict)
    """What was found of a model once and stays so."""

    along: dict[str, Along] = field(default_factory=dict)
    """By the SHA-256 of the model."""

    def convert(
        self, source: Model, converter: Converter, options: dict[str, Any], golden: Golden | None = None
    ) -> Model:
        """Write the model in the converter's target format and keep the bytes; ``golden`` goes to a converter that packs it.

        Raises Unavailable where the converter is not installed.
        """
        if reason := converter.unavailable():
            raise Unavailable(reason, "Install it, start Portolan again, and repeat the conversion.")
        key = file_key(source.format)
        request = {"file": key, "format": source.format, "converter": converter.id, "options": options}
        answers = {RECORDED: golden.recorded} if golden and converter.packs_answers else {}
        answers |= self._along(source).files
        kind = converter.kind or child_kind(source.format)
        with self._run("convert", request, {key: source.sha256, **answers}, kind) as done:
            blob = self.tools.blobs.put(done.folder / "artifact")
        return Model(blob.sha256, blob.size, converter.target)

    def compress(
        self,
        source: Model,
        technique: Technique,
        options: dict[str, Any],
        data: Data | None,
        teacher: Model,
        tell: Progress = ignore,
    ) -> Model:
        """Apply a technique and keep the bytes; it learns from ``data`` and from what ``teacher`` answers. Raises Unavailable where it is not installed."""
        if reason := technique.unavailable():
            raise Unavailable(reason, "Install it, start Portolan again, and repeat the compression.")
        key, runtime = file_key(source.format), runtime_for(source.format)
        request = {
            "file": key,
            "format": source.format,
            "runtime": runtime.id,
            "technique": technique.id,
            "options": options,
            "teacher": TEACHER,
            **data_args(data),
        }
        files = {key: source.sha256, TEACHER: teacher.sha256, **data_files(data)}
        with self._run("compress", request, files, technique.kind, progress=tell) as done:
            blob = self.tools.blobs.put(done.folder / "artifact")
        return Model(blob.sha256, blob.size, source.format)

    def attempt(self, source: Model, trial: Trial, lessons: Lessons, packs: bool, limits: Limits = WORKING) -> Attempt:
        """Apply a row of techniques and score the result, all in one child; what was written is kept where the loss is within what is allowed."""
        key, runtime = file_key(source.format), runtime_for(source.format)
        request = {
            "file": key,
            "format": source.format,
            "runtime": runtime.id,
            "answers": "answers.npz",
            "learns": lessons.learns,
            "scores": lessons.scores,
            "steps": [step.to_json() for step in trial.steps],
            "after": [step.to_json() for step in trial.after],
            "packs": lessons.allowed if packs else None,
            **data_args(lessons.data),
        }
        files = {key: source.sha256, "answers.npz": lessons.answers, **data_files(lessons.data)}
        with self._run("attempt", request, files, trial.kind, limits, self.tools.progress) as done:
            ran, score = tuple(map(Step.from_json, done.value["ran"])), Score.from_json(done.value["score"])
            made = [done.folder / f"{number}.onnx" for number in range(len(ran))]
            kept = [self.tools.blobs.put(path) for path in made] if score.loss.within(lessons.allowed) else []
            models = tuple(Model(blob.sha256, blob.size, source.format) for blob in kept)
            return Attempt(ran, models, made[-1].stat().st_size, score, done.value["travel"])

    def answers(self, model: Model, data: Data) -> tuple[str, Quality | None, int]:
        """Keep what a model answers to some data, and return the blob with the quality, if there are labels, and the number of samples."""
        key, runtime = file_key(model.format), runtime_for(model.format)
        request = {"file": key, "format": model.format, "runtime": runtime.id, **data_args(data)}
        with self._run("answers", request, {key: model.sha256, **data_files(data)}, runtime.kind) as done:
            quality = Quality.from_json(done.value["quality"]) if done.value["quality"] else None
            if quality:
                self.measured[model, data] = quality
            return self.tools.blobs.put(done.folder / "answers.npz").sha256, quality, int(done.value["samples"])

    def audit(self, model: Model, name: str) -> tuple[dict[str, Any], str | None]:
        """Inspect what a child returned as if a stranger had uploaded it."""
        request = {"file": "model", "name": name, "isolation_full": self.tools.sandbox.isolation.full}
        with self._run("inspect", request, {"model": model.sha256}, "light", limits=READING) as done:
            return self._cleared(done.value, model, done.folder / "graph.onnx")

    def audit_all(self, models: Sequence[Model], name: str) -> list[tuple[dict[str, Any], str | None]]:
        """Inspect several results as ``audit`` does, in one child."""
        keys = [f"model{place}" for place in range(len(models))]
        request = {"files": keys, "name": name, "isolation_full": self.tools.sandbox.isolation.full}
        files = {key: model.sha256 for key, model in zip(keys, models, strict=True)}
        with self._run("inspect_all", request, files, "light", limits=READING) as done:
            pairs = enumerate(zip(done.value["found"], models, strict=True))
            return [self._cleared(found, model, done.folder / f"graph{n}.onnx") for n, (found, model) in pairs]

    def _cleared(self, found: dict[str, Any], model: Model, graph: Path) -> tuple[dict[str, Any], str | None]:
        if found["trouble"]:
            raise from_json(found["trouble"])
        if found["format"] != model.format:
            raise Refused(f"The converter wrote a file that reads as {found['title']}.", "Report this file to us.")
        return found["summary"], self.tools.blobs.put(graph).sha256 if found["graph"] else None

    def probe(self, source: Model, data: Data | None, shapes: str = "", sums: Sums = Sums.AS_RUN) -> Golden:
        """Record the source's answers on seeded inputs, edge inputs and the user's data; ``shapes`` says what the file does not."""
        return self._once(("probe", source, data, shapes, sums), lambda: self._probe(source, data, shapes, sums))

    def _probe(self, source: Model, data: Data | None, shapes: str, sums: Sums) -> Golden:
        key, runtime = file_key(source.format), runtime_for(source.format)
        request = {
            "file": key,
            "format": source.format,
            "runtime": runtime.id,
            "seed": SEED,
            "shapes": shapes,
            "sums": sums,
            "given": self._along(source).given,
            **data_args(data),
        }
        files = {key: source.sha256, **data_files(data), **self._along(source).files}
        with self._run("probe", request, files, runtime.kind) as done:
            answers, plain = (self.tools.blobs.put(done.folder / f"golden.{suffix}") for suffix in ("npz", "bin"))
            return Golden(answers.sha256, done.value, plain.sha256)

    def compare(self, target: Model, golden: Golden, tolerance: Tolerance, sums: Sums = Sums.AS_RUN) -> Parity:
        """Replay the probes on the stored bytes of the target in a fresh process; NOT PROVEN where nothing here can run it."""
        key = ("compare", target, golden.sha256, tolerance, sums)
        return self._once(key, lambda: self._compare(target, golden, tolerance, sums))

    def _compare(self, target: Model, golden: Golden, tolerance: Tolerance, sums: Sums) -> Parity:
        if reason := cannot_run(target.format):
            return unproven(f"Written here, cannot run on this machine: {reason}", tolerance)
        key, runtime = file_key(target.format), runtime_for(target.format)
        request = {
            "file": key,
            "format": target.format,
            "runtime": runtime.id,
            "golden": "golden.npz",
            "absolute": tolerance.absolute,
            "relative": tolerance.relative,
            "flips": tolerance.flips,
            "sums": sums,
            "seed": SEED,
        }
        files = {key: target.sha256, "golden.npz": golden.sha256}
        with self._run("compare", request, files, runtime.kind) as done:
            return Parity.from_json(done.value)

    def diverge(self, source: Model, target: Model, golden: Golden) -> str | None:
        """Name the first operator where two files part; None where intermediate values cannot be had of both."""
        if not traced(source.format, target.format):
            return None
        keys = ["source" + file_key(source.format), "target" + file_key(target.format)]
        request = {
            "files": keys,
            "formats": [source.format, target.format],
            "golden": "golden.npz",
        }
        files = {**dict(zip(keys, (source.sha256, target.sha256), strict=True)), "golden.npz": golden.sha256}
        try:
            with self._run("diverge", request, files, child_kind(source.format)) as done:
                operator = done.value["operator"]
        except Cancelled:
            raise
        except PortolanError:
            return None
        return None if operator is None else str(operator)

    def evaluate(self, model: Model, data: Data) -> Quality:
        """Measure the model on labelled data, once for each model and data set."""
        if (model, data) not in self.measured:
            self.measured[model, data] = self._evaluate(model, data)
        return self.measured[model, data]

    def _evaluate(self, model: Model, data: Data) -> Quality:
        key, runtime = file_key(model.format), runtime_for(model.format)
        along = self._along(model)
        request = {"file": key, "format": model.format, "runtime": runtime.id, "given": along.given, **data_args(data)}
        files = {key: model.sha256, **data_files(data), **along.files}
        with self._run("evaluate", request, files, runtime.kind) as done:
            return Quality.from_json(done.value)

    def race(self, parent: Model, variant: Model, golden: Golden, batch: int = 1, seconds: float = 20.0) -> Race:
        """Time the variant against its parent in one process on recorded inputs, when nobody else measures on this machine."""
        key = ("race", parent, variant, batch, seconds)
        return self._once(key, lambda: self._race(parent, variant, golden, batch, seconds))

    def _race(self, parent: Model, variant: Model, golden: Golden, batch: int, seconds: float) -> Race:
        entrants = {one.sha256: self._entrant(name, one) for name, one in (("parent", parent), ("variant", variant))}
        request = {
            "entrants": [entrants[parent.sha256], entrants[variant.sha256]],
            "golden": "golden.npz",
            "batch": batch,
            "seconds": seconds,
            "seed": SEED,
        }
        files = {entrant["file"]: sha256 for sha256, entrant in entrants.items()} | {"golden.npz": golden.sha256}
        files |= self._along(parent).files | self._along(variant).files
        kinds = {runtime_for(one.format).kind for one in (parent, variant)} - {"light"}
        with self._alone(), self._run("race", request, files, min(kinds, default="light")) as done:
            return Race.from_json(done.value)

    def footprint(self, model: Model, golden: Golden, batch: int = 1, processes: int | None = None) -> Footprint:
        """Measure a model's memory in some fresh processes, when nobody else measures on this machine."""
        n = processes or FOOTPRINTS
        return self._once(("footprint", model, batch, n), lambda: self._footprint(model, golden, batch, n))

    def _footprint(self, model: Model, golden: Golden, batch: int, processes: int) -> Footprint:
        request = {**self._entrant("", model), "golden": "golden.npz", "batch": batch}
        files = {request["file"]: model.sha256, "golden.npz": golden.sha256, **self._along(model).files}
        runs = []
        with self._alone():
            for _ in range(processes):
                with self._run("footprint", request, files, runtime_for(model.format).kind) as done:
                    runs.append(Footprint.from_json(done.value))
        return Footprint.of(runs)

    def pack(self, model: Model) -> Blob:
        """Keep an ONNX file packed for travel. Raises Refused for one that is too large, or when another one comes back."""
        return self._once(("pack", model), lambda: self._pack(model))

    def _pack(self, model: Model) -> Blob:
        if model.size > pack.LARGEST:
            raise Refused(
                f"Files of over {pack.LARGEST // 10**6} MB are not packed: it takes too long.", "Zip the file."
            )
        with self._run("pack", {"file": "model.onnx"}, {"model.onnx": model.sha256}, "light", limits=PACKING) as done:
            blob = self.tools.blobs.put(done.folder / "packed")
        with self.tools.blobs.path(blob.sha256).open("rb") as file:
            if not pack.is_of(file.read(pack.HEAD), model.sha256):
                raise Refused("The packed file is of another model.", "Zip the file.")
        return blob

    def kernels(self, model: Model) -> Kernels:
        """Count the operators that ONNX Runtime is left with when it runs an ONNX file."""
        return self._once(("kernels", model), lambda: self._kernels(model))

    def _kernels(self, model: Model) -> Kernels:
        with self._run("kernels", {"file": "model.onnx"}, {"model.onnx": model.sha256}, "light") as done:
            return Kernels.from_json(done.value)

    def weights(self, before: Model, after: Model) -> list[dict[str, Any]]:
        """Set the weights of two ONNX files beside each other, a WeightChange as JSON for each of the largest tensors."""
        return self._once(("weights", before, after), lambda: self._weights(before, after))

    def _weights(self, before: Model, after: Model) -> list[dict[str, Any]]:
        files = {"before.onnx": before.sha256, "after.onnx": after.sha256}
        with self._run("weights", {"files": list(files)}, files, "light") as done:
            return [WeightChange.from_json(one).to_json() for one in done.value["tensors"]]

    def sensitivity(self, model: Model, data: Data) -> HeatMap:
        """Measure what each weight tensor of an ONNX file bears."""
        key, runtime = file_key(model.format), runtime_for(model.format)
        request = {"file": key, "format": model.format, "runtime": runtime.id, **data_args(data)}
        files = {key: model.sha256, **data_files(data)}
        with self._run("sensitivity", request, files, "light", progress=self.tools.progress) as done:
            return HeatMap.from_json(done.value)

    def _entrant(self, name: str, model: Model) -> dict[str, Any]:
        """Return what a task is told to open a model whose key begins with a name of ours."""
        runtime, given = runtime_for(model.format), self._along(model).given
        return {"file": name + file_key(model.format), "format": model.format, "runtime": runtime.id, "given": given}

    def _alone(self) -> AbstractContextManager[None]:
        words = "Waiting until another measurement on this machine has ended"
        return measuring(self.tools.cancel, lambda: self.tools.progress(None, words))

    def _along(self, model: Model) -> Along:
        return self.along.get(model.sha256, Along())

    def _once(self, key: tuple[object, ...], find: Callable[[], Found]) -> Found:
        """Return what was found before under a key, or find it now."""
        if key not in self.remembered:
            self.remembered[key] = find()
        found: Found = self.remembered[key]
        return found

    def _run(
        self,
        task: str,
        request: dict[str, Any],
        blobs: dict[str, str],
        kind: str,
        limits: Limits = WORKING,
        progress: Progress = ignore,
    ) -> Any:
        return _Counted(
            self.cost,
            self.tools.sandbox.run(
                task,
                request,
                {key: self.tools.blobs.path(sha256) for key, sha256 in blobs.items()},
                limits,
                kind=kind,
                progress=progress,
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


def unproven(reason: str, tolerance: Tolerance) -> Parity:
    """Return the verdict for a file that nothing here can be asked about."""
    return Parity(Verdict.NOT_PROVEN, (), tolerance.absolute, tolerance.relative, SEED, reason=reason)


def traced(source: str, target: str) -> bool:
    """Say whether values between operators can be had of both formats; a file in torch's format can only be the source."""
    return source in TRACES and target in TRACES and target != "torch_export"


def file_key(format: str) -> str:
    """Return the file name under which a child sees a model of this format; never a name from the user."""
    return "model" + FORMATS[format].suffixes[0]


def data_args(data: Data | None) -> dict[str, Any]:
    """Return what a task is told about the data set."""
    if data is None:
        return {"data": None, "label": None, "half": None}
    return {"data": data.key, "label": data.label, "half": data.half}


def data_files(data: Data | None) -> dict[str, str]:
    """Return the data set's file for a task, by key."""
    return {data.key: data.sha256} if data else {}
