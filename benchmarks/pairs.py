"""Every pair of the converter table, proven: ``python -m benchmarks.pairs`` writes ``docs/pairs.json``, which the README shows.

Each converter runs on the shipped samples and the three networks in its source format (the files that earlier
converters made of them among these), or else on the tests' honest file of that format, and its result is compared with
its source in a fresh process. ``python -m benchmarks.pairs ID ...`` measures these converters anew and keeps the rest.
"""

import json
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import networks
from core.calls import probe
from core.calls.bench import Bench
from core.converters import CONVERTERS
from core.domain.codec import encode
from core.domain.errors import PortolanError
from core.domain.ingestion import IngestRequest
from core.domain.integer_products import Sums
from core.domain.recipe import Option, Step
from core.domain.report import Verdict
from core.domain.transform import CODE, Converter, option_fields
from core.domain.work import Along, Golden, Model
from core.doors.samples import FOLDER, samples
from core.memory.blobs import Blobs
from core.runtimes import cannot_run
from core.sandbox import Sandbox
from core.sandbox.tools import Tools
from core.verbs import ingest
from core.verbs.transform import advance
from tests.formats import made_keras
from tests.formats.honest import HONEST

OUT = Path(__file__).parents[1] / "docs" / "pairs.json"
KERAS = {"cnn": "Keras CNN", "words": "Keras transformer", "series": "Keras LSTM"}


@dataclass
class Pool:
    """The models at hand by format and by name, the recorded answers of each, and what came of every pair so far."""

    bench: Bench
    models: dict[str, dict[str, Model]] = field(default_factory=dict)
    golden: dict[Model, Golden] = field(default_factory=dict)
    found: dict[str, dict[str, Any]] = field(default_factory=dict)

    def bring(self, name: str, path: Path, along: Along | None = None) -> None:
        """Put a file, with what it is opened with, into the pool under its name unless the pool has the same in that format already."""
        blob = self.bench.tools.blobs.put(path)
        try:
            format = ingest.run(self.bench.tools, IngestRequest(blob.sha256, blob.size, path.name)).format
        except PortolanError:
            return
        if along is not None:
            self.bench.openings[blob.sha256] = along
        self.models.setdefault(format, {}).setdefault(name, Model(blob.sha256, blob.size, format))

    def measure(self, converter: Converter) -> None:
        """Run one converter on every model of its source format on which it has not run yet."""
        rows = self.found.setdefault(converter.id, {})
        for name, model in list(self.models.get(converter.source, {}).items()):
            if name not in rows:
                rows[name] = self.proven(converter, name, model)
                print(f"{converter.id:<32} {name:<20} {rows[name]}", flush=True)

    def proven(self, converter: Converter, name: str, model: Model) -> dict[str, Any]:
        """Convert one model, prove the result against it, and keep what passes as a source of further pairs."""
        began = time.perf_counter()
        try:
            golden = self.recorded(name, model)
            step = Step(converter.id, {**options(converter, golden), **self.bench.opening(model).given})
            applied = advance(self.bench, model, [], converter, step, golden, lambda share, text: None)
        except PortolanError as error:
            return {"verdict": "REFUSED", "max_abs": None, "reason": error.message}
        if converter.target != converter.source and not name.startswith("honest"):
            self.models.setdefault(converter.target, {}).setdefault(name, applied.model)
        written = cannot_run(converter.target) is not None
        parity = applied.parity
        return {
            "verdict": "WRITTEN" if written else str(parity.verdict),
            "max_abs": encode(parity.max_abs) if parity.checks else None,
            "samples": sum(check.samples for check in parity.checks),
            "reason": "" if parity.verdict is Verdict.PASS else parity.reason,
            "seconds": round(time.perf_counter() - began, 1),
        }

    def recorded(self, name: str, model: Model) -> Golden:
        """Return the answers of a model, asked for once."""
        if model not in self.golden:
            shapes = networks.SHAPES.get(name, "1x28x28" if name == "fashion_cnn" else "")
            self.golden[model] = probe.ask(self.bench, model, None, shapes, Sums.EXACT)
        return self.golden[model]


def options(converter: Converter, golden: Golden) -> dict[str, Option]:
    """Return the default options, with the shapes of the inputs where the converter asks for them."""
    asks = "shapes" in {f.name for f in option_fields(converter.Options)}
    return {"shapes": golden.evidence.shapes} if asks and golden.evidence.shapes else {}


def fill(pool: Pool, folder: Path) -> None:
    """Bring the samples, the networks, and an honest file of every format that has none of these."""
    for sample in samples():
        for path in sorted((FOLDER / sample.id).glob("*.*")):
            if path.suffix not in (".json", ".npz", ".csv", ".parquet"):
                pool.bring(sample.id, path)
    for name, path in networks.write(folder):
        pool.bring(name, path)
    code = pool.bench.tools.blobs.put(Path(networks.__file__))
    for name, kind, path in networks.write_weights(folder):
        given: dict[str, Option] = {"architecture": kind, "shapes": networks.SHAPES[name]}
        pool.bring(name, path, Along(given, {CODE: code.sha256}))
    for name in KERAS:
        for suffix in (".keras", ".h5"):
            made_keras.save(name, folder / f"{name}{suffix}")
            pool.bring(KERAS[name], folder / f"{name}{suffix}")
    for name, (format, write) in HONEST.items():
        if not pool.models.get(format):
            write(folder / name)
            pool.bring(f"honest {format}", folder / name)


def run(wanted: list[str]) -> dict[str, Any]:
    """Measure the wanted converters until nothing new comes into the pool, and return all rows by converter."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        box = Sandbox(place / "scratch")
        tools = Tools(Blobs(place / "blobs"), box, lambda fraction, text: None, threading.Event())
        try:
            pool = Pool(Bench(tools))
            fill(pool, place)
            before = -1
            while (now := sum(map(len, pool.found.values()))) != before:
                before = now
                for converter in CONVERTERS:
                    if converter.unavailable() is None and (not wanted or converter.id in wanted):
                        pool.measure(converter)
        finally:
            box.close()
    return pool.found


def main() -> None:
    """Measure, and write one JSON object; what is off the shelf by now is dropped from it."""
    wanted = sys.argv[1:]
    held = json.loads(OUT.read_text())["pairs"] if wanted and OUT.exists() else {}
    found = {**held, **run(wanted)}
    pairs = {one.id: dict(sorted(found[one.id].items())) for one in CONVERTERS if one.id in found}
    OUT.write_text(json.dumps({"pairs": pairs}, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
