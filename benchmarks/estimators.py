"""How many of scikit-learn's estimators come through: each is fitted, saved with skops, and taken the whole way to a proven ONNX and a proven PMML file.

Every public estimator of ``sklearn.utils.all_estimators`` and a row of pipelines, on scikit-learn's own small data sets.
Beside it stands what plain ``skl2onnx.to_onnx`` makes of the same fitted model under the same proof. A child works
through them, so that a crash costs one estimator. One JSON object on stdout. Run: ``python -m benchmarks.estimators``.
"""

import json
import multiprocessing
import os
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from benchmarks import fitted
from core.converters import CONVERTERS
from core.domain.errors import PortolanError
from core.domain.transform import parse_options
from core.formats import FORMATS, recognise
from core.formats.skops import TRUSTED
from core.libraries.sklearn import estimators
from core.proof import parity, probes
from core.proof.dataset import Dataset
from core.runtimes import runtime_for

SEED = 20261121
SECONDS = 180
"""What one estimator may take in one child."""
WAYS = {"onnx": "skops_to_onnx", "pmml": "skops_to_pmml"}
SIDES = (*WAYS, "plain")


def outcome(name: str) -> dict[str, Any]:
    """Return how one estimator fares on each way: the verdict, or who refused and why."""
    warnings.simplefilter("ignore")
    os.chdir(tempfile.mkdtemp(prefix="estimators-"))
    try:
        case = fitted.case(name)
    except fitted.NotFitted as reason:
        return {"name": name, **{key: {"result": "not fitted", "reason": str(reason)} for key in WAYS}}
    return {"name": name, **ours(case), "folder": str(Path.cwd())}


def ours(case: fitted.Case) -> dict[str, dict[str, Any]]:
    """Go the real way: save, recognise, audit and record; then convert and compare to each target."""
    import skops.io

    stage = "save"
    try:
        skops.io.dump(case.model, "model.skops")
        stage = "audit"
        format = recognise(Path("model.skops"), "model.skops")
        if refused := [risk for risk in format.audit(Path("model.skops")) if risk.level == "refuse"]:
            return {key: {"result": "refused", "stage": stage, "reason": refused[0].what} for key in WAYS}
        stage = "inspect"
        FORMATS["skops"].inspect(Path("model.skops"))
        stage = "record"
        record(case)
    except Exception as error:
        return dict.fromkeys(WAYS, ended(stage, error))
    return {target: converted(target) for target in WAYS}


def converted(target: str) -> dict[str, Any]:
    """Convert the saved model and judge the file."""
    converter, out = CONVERTERS[WAYS[target]], Path(f"ours.{target}")
    try:
        converter.convert(Path("model.skops"), out, parse_options(converter.Options, {}))
        return judged(out, target)
    except Exception as error:
        return ended("convert", error)


def ended(stage: str, error: Exception) -> dict[str, Any]:
    """Return a refusal with its sentences, or an accident with its place."""
    if isinstance(error, PortolanError):
        return {"result": "refused", "stage": stage, "reason": error.trouble.message, "next": error.trouble.next_step}
    return {"result": "not saved" if stage == "save" else "crash", "stage": stage, "reason": last_line(error)}


def plain(name: str, folder: str) -> dict[str, Any]:
    """Convert the saved model with skl2onnx's defaults, in a child that knows no other converter, and judge by the same answers."""
    import skl2onnx

    warnings.simplefilter("ignore")
    os.chdir(folder)
    if not Path("golden.npz").exists():
        return {"result": "not compared", "reason": "no answers were recorded"}
    try:
        model = skl2onnx.to_onnx(
            estimators.load_skops(Path("model.skops"), TRUSTED), initial_types=fitted.case(name).types()
        )
        Path("plain.onnx").write_bytes(model.SerializeToString())
    except Exception as error:
        return {"result": "refused", "reason": last_line(error)}
    try:
        return judged(Path("plain.onnx"), "onnx")
    except Exception as error:
        return {"result": "FAIL", "reason": last_line(error)}


def record(case: fitted.Case) -> None:
    """Keep the source's answers on the probes and on the data that the model was fitted on."""
    session = runtime_for("skops").open(Path("model.skops"), "skops")
    arrays = case.arrays(session.signature)
    count = len(next(iter(arrays.values())))
    probes.record(session, SEED, Dataset(arrays, None, count), Path("golden.npz"))


def judged(path: Path, target: str) -> dict[str, Any]:
    """Return the verdict on a file."""
    session = runtime_for(target).open(path, target)
    found = parity.compare(session, Path("golden.npz"), CONVERTERS[WAYS[target]].tolerance, SEED)
    return {"result": str(found.verdict), "max_abs": found.max_abs, "reason": found.reason[:300]}


def last_line(error: Exception) -> str:
    """Return what an error says, in one line, with where it arose."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {' '.join(str(error).split())[:240]} ({Path(place.filename).name}:{place.lineno})"


class Child:
    """One process that works through calls; a crash or a stop costs the call and starts another."""

    def __init__(self) -> None:
        self._pool = self._started()

    def ask(self, call: Any, *args: Any) -> dict[str, Any]:
        """Return what the call returns, or that it crashed."""
        try:
            return dict(self._pool.submit(call, *args).result(timeout=SECONDS))
        except (BrokenProcessPool, TimeoutError) as error:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = self._started()
            return {"result": "crash", "reason": type(error).__name__}

    def _started(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def every(names: list[str]) -> list[dict[str, Any]]:
    """Work through the names, ours in one child and skl2onnx alone in another."""
    mine, theirs = Child(), Child()
    found: list[dict[str, Any]] = []
    for name in names:
        row = mine.ask(outcome, name)
        row = row if "name" in row else {"name": name, **dict.fromkeys(WAYS, row)}
        if "folder" in row:
            row["plain"] = theirs.ask(plain, name, row.pop("folder"))
        found.append(row)
        print(name, *(row.get(side, {}).get("result") for side in SIDES), file=sys.stderr, flush=True)
    return found


def counts(rows: list[dict[str, Any]], side: str) -> dict[str, int]:
    """Count the results of one side; an audit's refusal is told apart."""
    results = [row[side] for row in rows if side in row]
    return dict(
        Counter(
            "refused by the audit" if row.get("stage") == "audit" and row["result"] == "refused" else row["result"]
            for row in results
        ).most_common()
    )


def measure(names: list[str]) -> dict[str, Any]:
    """Return the counts of all sides, for estimators and for pipelines, and every row."""
    rows = every(names)
    pipelines = set(fitted.PIPELINES)
    parts = {
        "estimators": [row for row in rows if row["name"] not in pipelines],
        "pipelines": [row for row in rows if row["name"] in pipelines],
    }
    return {kind: {"n": len(part), **{side: counts(part, side) for side in SIDES}} for kind, part in parts.items()} | {
        "rows": rows
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1:] or [*fitted.names(), *fitted.PIPELINES])))
