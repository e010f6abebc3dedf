"""The child's side: makes models from seeds, takes each all ways that the shelves offer, and tries to refute what was proven.

The verbs run as they are, on a bench that makes their calls in this process. The models are our own, so no jail is needed.
"""

import os
import resource
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz import verdicts
from benchmarks.fuzz.local import Local
from benchmarks.fuzz.specimen import Inputs, Specimen, Unmade
from core.calls import compare, compress, inspect, probe
from core.calls.call import IN, OUT, Here
from core.converters import CONVERTERS, route, targets, unavailable
from core.domain.errors import PortolanError
from core.domain.integer_products import Sums
from core.domain.report import Verdict
from core.domain.transform import Tolerance, option_fields, parse_options
from core.domain.work import Along, Golden, Model
from core.formats import FORMATS
from core.proof import parity
from core.runtimes import cannot_run, runtime_for
from core.techniques import TECHNIQUES
from core.verbs import convert, transform
from core.verbs.transform import Applied

FAMILIES = ("graphs", "pipelines", "forests", "networks", "stacks")
LOSSLESS = ("clean_up", "clean_trees")
LOSSY = ("float16", "dynamic_int8", "weights_nearest", "codebooks", "prune_magnitude", "low_rank")
TIMES = 100
"""How many times the samples of the proof are asked at most."""
MOST_FINDINGS = 3
SECONDS = 4.0
"""What one result is asked for at most."""
Row = dict[str, Any]
Maker = Callable[[int, Path], Specimen]
Asked = list[tuple[str, Inputs, list[np.ndarray]]]


MOST_SECONDS, MEMORY_MB = 240, 10_000
"""What one batch may take before the kernel ends the child."""


def study(family: str, seeds: tuple[int, ...], farther: int, kept: Path) -> list[Row]:
    """Study each seed in a folder of this child's own, and keep models with findings in ``kept``.

    ``farther`` formats are reached beside the nearest ones. A batch that hangs is ended with its child.
    """
    warnings.simplefilter("ignore")
    signal.alarm(MOST_SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MB * 2**20, MEMORY_MB * 2**20))
    maker: Maker = import_module(f"benchmarks.fuzz.{FAMILIES[FAMILIES.index(family)]}").made
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        IN.mkdir()
        OUT.mkdir()
        rows = [row for seed in seeds for row in studied(family, maker, seed, farther, kept)]
        os.chdir("/")
    signal.alarm(0)
    return rows


def studied(family: str, maker: Maker, seed: int, farther: int, kept: Path) -> list[Row]:
    """Make one model and return what came of each way from it."""
    base: Row = {"family": family, "seed": seed}
    bench = Local(Here(True, lambda share, text: None))
    blobs: Any = bench.tools.blobs
    try:
        specimen = maker(seed, OUT)
        blob = blobs.put(specimen.path)
        specimen.path.unlink()
    except Unmade as reason:
        return [{**base, "ended": "unmade", "words": str(reason)}]
    base |= {"source": specimen.format, "about": specimen.about}
    source = Model(blob.sha256, blob.size, specimen.format)
    try:
        rows = Study(bench, specimen, source, seed).rows(farther)
    except Exception as error:
        rows = [ended(error, "source")]
    if any(row.get("findings") or row["ended"] == "accident" for row in rows):
        shutil.copyfile(blobs.path(source.sha256), kept / f"{family}-{seed}")
    blobs.forget()
    return [{**base, **row} for row in rows]


def ended(error: Exception, where: str) -> Row:
    """Tell a refusal in words from an accident."""
    if isinstance(error, PortolanError) and error.kind != "crashed":
        return {"ended": "refused", "where": where, "words": f"{error.message} {error.next_step}"[:500]}
    place = traceback.extract_tb(error.__traceback__)[-1]
    words = f"{type(error).__name__}: {str(error)[:400]} ({Path(place.filename).name}:{place.lineno})"
    return {"ended": "accident", "where": where, "words": words}


class Study:
    """One model, its recorded answers, and fresh questions with its own library's answers to them."""

    def __init__(self, bench: Local, specimen: Specimen, source: Model, seed: int) -> None:
        self._bench, self._specimen, self._source, self._seed = bench, specimen, source, seed
        inspect.ask(bench, source.sha256, "model" + FORMATS[source.format].suffixes[0])
        if specimen.shapes:
            bench.openings[source.sha256] = Along({}, {})
        self._golden: Golden = probe.ask(bench, source, None, specimen.shapes, Sums.EXACT)
        self._asked: Asked | None = None
        self._seen: set[Model] = set()

    def rows(self, farther: int) -> list[Row]:
        """Go to every format that one converter reaches, and to some that lie farther."""
        near = [one.target for one in CONVERTERS if one.source == self._source.format and not one.unavailable()]
        far = [
            t for t in targets(self._source.format) if t not in near and not unavailable(route(self._source.format, t))
        ]
        rng = np.random.default_rng([self._seed, 9])
        chosen = [str(one) for one in rng.permutation(far)[:farther]]
        return [row for target in [*dict.fromkeys(near), *chosen] for row in self._way(target)]

    def _way(self, target: str) -> list[Row]:
        """Convert to one format, and hold each step's result against the source."""
        began = time.perf_counter()
        way = route(self._source.format, target)
        known = {f.name for one in way for f in option_fields(one.Options)}
        given = {name: value for name, value in self._specimen.options.items() if name in known}
        given |= {"shapes": self._specimen.shapes} if self._specimen.shapes and "shapes" in known else {}
        try:
            steps = convert.with_data_shapes(convert.plan(self._source.format, target, given), self._golden)
            applied = transform.apply(self._bench, self._source, steps, self._golden)
        except Exception as error:
            return [{**ended(error, "convert"), "converter": " ".join(one.id for one in way)}]
        spent = round(time.perf_counter() - began, 2)
        rows = []
        for place, one in enumerate(applied):
            if one.model in self._seen:  # the first step of a longer way is the nearer way itself
                continue
            self._seen.add(one.model)
            row = {"converter": one.step.transform, "step": place, "seconds": spent, **self._held(one)}
            rows.append(row)
            if one.model.format == "onnx" and place == 0:
                rows += self._compressed(one)
        return rows

    def _held(self, one: Applied) -> Row:
        """Return the verdict of one step, and what refutes it."""
        parity = one.parity
        row: Row = {"ended": str(parity.verdict), "proof": sum(check.samples for check in parity.checks)}
        if parity.verdict is not Verdict.PASS:
            return {**row, "words": parity.reason[:600], "diverges": parity.diverges_at}
        return {**row, **self._against(one.model, one.tolerance, parity.reason, row["proof"])}

    def _against(self, model: Model, tolerance: Tolerance, reason: str, proof: int) -> Row:
        """Ask a result that was passed, and return how often and what was found."""
        if cannot_run(model.format):
            return {"asked": 0}
        path = Path(f"out/result{FORMATS[model.format].suffixes[0]}")
        shutil.copyfile(self._bench.tools.blobs.path(model.sha256), path)
        session = runtime_for(model.format).open_exact(path, model.format, {})
        asked, findings, began = 0, list[Row](), time.perf_counter()
        for kind, inputs, ours in self._questions():
            if asked >= TIMES * proof or time.perf_counter() - began > SECONDS or len(findings) >= MOST_FINDINGS:
                break
            asked += len(ours[0]) if ours[0].ndim else 1
            if not _aside(kind, reason) and (found := self._refuted(session, kind, inputs, ours, tolerance)):
                findings.append(found)
        path.unlink()
        return {"asked": asked, "findings": findings}

    def _refuted(
        self, session: Any, kind: str, inputs: Inputs, ours: list[np.ndarray], tolerance: Tolerance
    ) -> Row | None:
        """Return how a result contradicts its source on one call, or None."""
        try:
            with np.errstate(all="ignore"):
                theirs = list(session.run(parity.feed(session, inputs)).values())
        except Exception as error:
            words = f"{type(error).__name__}: {str(error)[:300]}"
            shapes = {name: list(array.shape) for name, array in inputs.items()}
            return {"grade": "rejects", "kind": kind, "words": words, "inputs": shapes}
        found = verdicts.refuted(kind, inputs, ours, theirs, self._specimen, tolerance)
        return None if found is None else vars(found)

    def _questions(self) -> Asked:
        """Ask the owner's library once for all ways; what it refuses is left out."""
        if self._asked is None:
            self._asked, began = [], time.perf_counter()
            for kind, inputs in self._specimen.questions(np.random.default_rng([self._seed, 7])):
                if time.perf_counter() - began > SECONDS:
                    break
                try:
                    with np.errstate(all="ignore"):
                        self._asked.append((kind, inputs, self._specimen.answers[0](inputs)))
                except Exception:
                    continue
        return self._asked

    def _compressed(self, one: Applied) -> list[Row]:
        """Apply techniques to an ONNX file: those without loss are refuted like converters, the others may not crash."""
        rng = np.random.default_rng([self._seed, 8])
        return [self._technique(id, one) for id in (*LOSSLESS, str(rng.choice(LOSSY)))]

    def _technique(self, id: str, one: Applied) -> Row:
        technique = TECHNIQUES[id]
        row: Row = {"converter": f"compress:{id}"}
        try:
            if technique.applies(one.summary):
                return {**row, "ended": "refused", "where": "applies", "words": ""}
            options = {f.name: f.default for f in option_fields(technique.Options)}
            parse_options(technique.Options, options)
            made = compress.ask(self._bench, one.model, technique, {}, None, one.model, lambda share, text: None)
            golden = probe.ask(self._bench, one.model, None, sums=Sums.EXACT)
            found = compare.ask(self._bench, made, golden, technique.tolerance, Sums.EXACT)
        except Exception as error:
            return {**row, **ended(error, "compress")}
        proof = sum(check.samples for check in found.checks)
        row |= {"ended": str(found.verdict), "proof": proof}
        if found.verdict is not Verdict.PASS or one.parity.verdict is not Verdict.PASS:
            return {**row, "words": found.reason[:600]}
        loosest = transform.loosest(one.tolerance, technique.tolerance)
        return {**row, **self._against(made, loosest, found.reason, proof)}


def _aside(kind: str, reason: str) -> bool:
    """Say whether the verdict itself sets inputs of this kind apart."""
    return (kind == "missing" and "'missing numbers'" in reason) or kind == "infinite"
