"""Records what the source answers: on random, single, triple and edge inputs, near thresholds, and on the user's data."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from core.domain.artifact import Signature, TensorSpec
from core.domain.errors import Refused, first_line
from core.domain.landmarks import Landmarks
from core.domain.runtime import Session
from core.libraries.torch import torchscripts
from core.libraries.torch.torchscripts import parse_shapes
from core.proof import directed, golden, sizes
from core.proof.dataset import Dataset
from core.proof.golden import Case, Golden
from core.proof.samples import EDGES, HALVES, INFINITE, MISSING, Sampler
from core.web import recorded as plain

Questions = Iterator[tuple[Case, dict[str, np.ndarray]]]
Asked = tuple[Case, dict[str, np.ndarray], dict[str, np.ndarray]]

NOTHING = Landmarks()
UNSTEADY = (
    "The source does not give the same answer twice to the same input (a random operator, dropout left on, or the time), "
    "so nothing can be compared with it. Export it without randomness."
)
RANDOM = 32
DATA_ROWS = 1000
CHUNK = 250
ROOM = {"random": 16_000_000, "data": 40_000_000}
"""Bytes of input that each kind may take in the golden file."""
ANSWERS = 80_000_000
"""Bytes that the answers to the data may take there."""
NEAR_COLUMNS = 8
NEAR, FAR, FAR_BYTES = 4, 96, 200_000
"""Samples at an edge; and samples far from the mean, of which each saturates another part, and the bytes of input that they may take."""
LARGE = ("whole numbers", "beyond 24 bits", "the ends of 32 bits", "beyond 32 bits", directed.DIGITS)
"""Cases of large numbers, of which samples with an answer that is not finite are left out, and the others are kept."""
PUSHED = ("edge", "constants", *LARGE)
"""Cases of odd numbers: an answer to them that is not finite everywhere is no answer."""
PACKAGES = {
    "ncnn": "ncnn",
    "executorch": "executorch",
    "lxml": "lxml",
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "torch": "torch",
    "keras": "keras",
    "tensorflow": "tensorflow-cpu",
    "sklearn": "scikit-learn",
    "xgboost": "xgboost-cpu",
    "lightgbm": "lightgbm",
    "catboost": "catboost",
    "openvino": "openvino",
    "ai_edge_litert": "ai-edge-litert",
}


def record(
    session: Session, seed: int, dataset: Dataset | None, out: Path, shapes: str = "", landmarks: Landmarks = NOTHING
) -> list[str]:
    """Run the source on seeded inputs and the data, write the golden file with a ``.bin`` for JavaScript beside it, and return the names of the cases that count.

    ``shapes`` (``1x28x28;int64:48``) says what a TorchScript file does not, ``landmarks`` where the model changes its
    behaviour, beside what the engine knows. Raises Refused when a shape stays unknown, or the source answers nothing at all.
    """
    complete(session, dataset, shapes)
    landmarks = landmarks.joined(directed.known(session))
    sampler = sizes.counted(sizes.fitted(Sampler(session, seed), dataset, landmarks))
    plan = directed.plan(sampler, landmarks)
    recorded = [_ask(sampler, case, inputs) for case, inputs in _cases(sampler, dataset, plan, landmarks)]
    recorded += [
        _ask(sampler, case, inputs) for case, inputs in _again([case for case, _, _ in recorded], sampler, dataset)
    ]
    compared = sum(case.samples for case, _, _ in recorded if case.name == "data")
    return _keep(sampler, recorded, (*_notes(sampler, dataset, compared), *sizes.note(sampler), *plan.notes), out)


def record_beyond(session: Session, seed: int, out: Path, shapes: str, landmarks: Landmarks) -> list[str]:
    """Run the source only where somebody else's graph changes its behaviour, and write and return as ``record`` does."""
    complete(session, None, shapes)
    landmarks = landmarks.rounded() if hasattr(session, "thresholds") else landmarks
    sampler = sizes.counted(sizes.fitted(Sampler(session, seed), None, landmarks))
    plan = directed.plan(sampler, landmarks)
    asked = (*directed.sizes(sampler, plan), *directed.questions(sampler, plan))
    return _keep(sampler, [_ask(sampler, case, inputs) for case, inputs in asked], (), out)


def _keep(sampler: Sampler, recorded: list[Asked], notes: tuple[str, ...], out: Path) -> list[str]:
    """Write what was recorded, and return the names of the cases that count. Raises Refused where none does, or bounds a verdict."""
    session = sampler.session
    names = tuple(next((answer for _, _, answer in recorded if answer), {}))
    if not any(case.counted or case.bounds for case, _, _ in recorded):
        reasons = "; ".join(dict.fromkeys(case.reason for case, _, _ in recorded))
        raise Refused(
            f"The model gives no finite answer on any input: {reasons[:300]}",
            "Add a data set that the model can answer.",
        )
    if not names:
        raise Refused("The model does not return a tensor.", "Make it return plain tensors, and export it again.")
    found = Golden(
        seed=sampler.seed,
        inputs=tuple(spec.name for spec in session.signature.inputs),
        outputs=names,
        cases=tuple(case for case, _, _ in recorded),
        free_batch=sampler.fixed_batch is None,
        secondhand=session.secondhand or session.undecided,
        unsteady=_unsteady(session, recorded),
        notes=notes,
        versions=versions(),
        arrays=_arrays(recorded) | _echo(session, recorded),
    )
    golden.write(found, out)
    out.with_suffix(".bin").write_bytes(packed(found))
    return list(dict.fromkeys(case.name for case in found.cases if case.counted))


def packed(found: Golden) -> bytes:
    """Return the cases that count in the form that a browser and Node read."""
    counted = (n for n, case in enumerate(found.cases) if case.stored and case.counted)
    return plain.pack(found.inputs, found.outputs, map(partial(_replayed, found), counted))


def _replayed(found: Golden, number: int) -> plain.Replayed:
    """Return a case as it is; of many samples at an edge a few: a browser has no float64 to ask what the source itself loses there."""
    case, inputs, outputs = found.cases[number], list(found.case_inputs(number).values()), found.case_outputs(number)
    first = all(array.ndim and len(array) == case.samples for array in (*inputs, *outputs))
    if case.name != "edge" or case.samples <= NEAR or not first:
        return plain.Replayed(case.name, case.what, case.samples, inputs, outputs)
    return plain.Replayed(case.name, case.what, NEAR, [a[:NEAR] for a in inputs], [a[:NEAR] for a in outputs])


def complete(session: Session, dataset: Dataset | None, shapes: str = "") -> None:
    """Fill in the input shapes that a file does not keep, from the user's words, else from the data."""
    specs = session.signature.inputs
    if shapes and (session.guessed or any(spec.shape is None for spec in specs)):
        specs = parse_shapes(shapes, tuple(spec.name for spec in specs))
    elif dataset is not None:
        unsure = [session.guessed or spec.shape is None for spec in specs]
        specs = tuple(_like(s, dataset.specimen[s.name]) if free else s for s, free in zip(specs, unsure, strict=True))
    elif session.guessed:
        return
    session.guessed = False
    session.signature = Signature(specs, session.signature.outputs)


def versions() -> dict[str, str]:
    """Return the versions of the engines that this process has loaded."""
    found: dict[str, str] = {}
    for module, package in PACKAGES.items():
        try:
            if module in sys.modules:
                found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _like(spec: TensorSpec, array: np.ndarray) -> TensorSpec:
    return TensorSpec(spec.name, str(array.dtype), ("batch", *array.shape[1:]))


def _unsteady(session: Session, recorded: list[Asked]) -> str:
    """Ask the first call again, and say so where the answer is another one."""
    for case, inputs, answer in recorded:
        if case.stored and case.counted:
            with np.errstate(all="ignore"):
                again = session.run(inputs)
            same = all(
                np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
                for a, b in zip(answer.values(), again.values(), strict=True)
            )
            return "" if same else UNSTEADY
    return ""


def _echo(session: Session, recorded: list[Asked]) -> dict[str, np.ndarray]:
    """Ask the ordinary calls again with each number of their inputs moved by one rounding: what that changes is the source's own noise."""
    arrays: dict[str, np.ndarray] = {}
    asked = [n for n, (case, _, _) in enumerate(recorded) if case.name == "random" and case.stored and case.counted]
    for number in asked if any(spec.dtype.startswith("float") for spec in session.signature.inputs) else ():
        _, inputs, answer = recorded[number]
        rng = np.random.default_rng(number)
        try:
            with np.errstate(all="ignore"):
                again = session.run({name: _moved(array, rng) for name, array in inputs.items()})
        except Exception:
            return {}
        if len(again) == len(answer):
            arrays |= {f"c{number}/moved{i}": array for i, array in enumerate(again.values())}
    return arrays


def _moved(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if array.dtype.kind != "f":
        return array
    near = array.astype(np.float32) if array.dtype == np.float64 else array
    ends = np.array([-np.inf, np.inf], near.dtype)
    return np.asarray(np.nextafter(near, rng.choice(ends, near.shape)), array.dtype)


def _cases(sampler: Sampler, dataset: Dataset | None, plan: directed.Plan, landmarks: Landmarks) -> Questions:
    """Yield every case to ask the source, from ordinary to odd; trees split at halves, which ``_near`` tells apart, and infinities are for graphs that ask for them: engines clamp them as they like."""
    batch = sampler.fixed_batch
    yield from directed.sizes(sampler, plan)
    yield from _random(sampler, batch)
    for n in (1, 3) if batch is None else ():
        yield Case(f"batch {n}", "", n), sampler.random(n, draw=100 + n)
    for what in EDGES:
        on_threshold = what == HALVES and hasattr(sampler.session, "thresholds")
        unasked = what == INFINITE and (landmarks.wide or not landmarks.gaps)
        rows = batch or (_far(sampler) if what in ("wide", "large") else NEAR)
        inputs = None if on_threshold or unasked else sampler.edge(what, rows)
        if inputs is not None:
            yield Case("edge", what, rows), inputs
    yield from _missing(sampler, batch, bool(landmarks.gaps))
    yield from _near(sampler, batch)
    yield from directed.questions(sampler, plan)
    yield from _data(sampler.session, dataset, batch)


def _far(sampler: Sampler) -> int:
    return max(NEAR, min(FAR, FAR_BYTES // max(1, sampler.sample_bytes)))


def _random(sampler: Sampler, batch: int | None) -> Questions:
    wanted = max(8, min(RANDOM, ROOM["random"] // max(1, sampler.sample_bytes)))
    size = batch or wanted
    for draw in range(-(-wanted // size)):
        yield Case("random", f"draw {draw + 1}", size), sampler.random(size, draw)


def _again(asked: list[Case], sampler: Sampler, dataset: Dataset | None) -> Questions:
    """Yield the first rows of the data as single and triple batch where the source refused drawn ones: it may take positive numbers or known categories alone."""
    answered = {case.name for case in asked if case.counted}
    for n in (1, 3) if dataset is not None and sampler.fixed_batch is None else ():
        if f"batch {n}" not in answered and dataset is not None and dataset.n >= n:
            yield Case(f"batch {n}", "from the data", n), dataset.rows(0, n)


def _missing(sampler: Sampler, batch: int | None, asked: bool) -> Questions:
    """Yield samples with missing numbers; they count for a model that was made for them, or whose graph asks for them."""
    inputs = sampler.edge(MISSING, batch or 4)
    if inputs is not None:
        made_for_it = asked or bool(getattr(sampler.session, "expects_missing", False))
        reason = "" if made_for_it else "The model was not trained on missing values."
        yield Case("edge" if made_for_it else MISSING, MISSING, batch or 4, made_for_it, reason), inputs


def _near(sampler: Sampler, batch: int | None) -> Questions:
    """Yield samples that lie on a tree's threshold or one step beside it; rounding may send them either way, so they do not count."""
    reason = "Exactly at a threshold of a tree, rounding to float32 may send a sample to either side."
    thresholds: dict[int, tuple[float, ...]] = getattr(sampler.session, "thresholds", {})
    for place, values in list(thresholds.items())[: NEAR_COLUMNS if batch is None else 0]:
        exact = np.asarray(values[:4], np.float32)
        beside = (np.nextafter(exact, np.float32(end)) for end in (np.inf, -np.inf))
        around = np.concatenate([exact, *beside])
        yield Case("near threshold", f"column {place}", len(around), False, reason), sampler.at(place, around.tolist())


def _data(session: Session, dataset: Dataset | None, batch: int | None) -> Questions:
    if dataset is None:
        return
    sample = max(1, sum(array.nbytes for array in dataset.specimen.values()))
    rows = min(dataset.n, DATA_ROWS, ROOM["data"] // sample, ANSWERS // _answered(session, dataset, batch or 1))
    step = batch or min(CHUNK, max(1, rows))
    for start in range(0, rows - (rows % step if batch else 0), step):
        stop = min(start + step, rows)
        yield Case("data", f"rows {start + 1} to {stop}", stop - start), dataset.rows(start, stop)


def _answered(session: Session, dataset: Dataset, rows: int) -> int:
    """Return how many bytes the answer to one sample of the data takes; 1 where the model refuses it."""
    try:
        answer = session.run(dataset.rows(0, rows))
    except Exception:
        return 1
    found: int = sum(array.nbytes for array in answer.values()) // rows
    return max(1, found)


def _ask(sampler: Sampler, case: Case, inputs: dict[str, np.ndarray]) -> Asked:
    """Run the source once; a case that it refuses, or answers without a finite number, does not count."""
    try:
        with np.errstate(all="ignore"):
            answer = sampler.session.run(inputs)
    except Exception as error:
        first = first_line(error)[:160]
        return (
            _not_counted(case, f"The source rejects this input: {type(error).__name__}: {first}", stored=False),
            {},
            {},
        )
    finite = [np.isfinite(array) for array in answer.values() if array.dtype.kind == "f"]
    if not finite or all(part.all() for part in finite):
        return case, inputs, answer
    if case.name in LARGE and (rows := _whole_rows(finite, case.samples)):
        if len(rows) < case.samples and sampler.fixed_batch is None:
            return _ask(sampler, replace(case, samples=len(rows)), _taken(sampler, inputs, rows))
    elif case.bounds and case.name in LARGE and len(finite) < len(answer):
        return case, inputs, answer
    if case.name in PUSHED or not any(part.any() for part in finite):
        return _not_counted(case, "The source's own answer is not finite.", stored=False), {}, {}
    return case, inputs, answer


def _whole_rows(finite: list[np.ndarray], samples: int) -> list[int]:
    """Return the samples whose every answer is finite; none where an answer is not by samples."""
    if any(part.ndim == 0 or len(part) != samples for part in finite):
        return []
    return [row for row in range(samples) if all(part[row].all() for part in finite)]


def _taken(sampler: Sampler, inputs: dict[str, np.ndarray], rows: list[int]) -> dict[str, np.ndarray]:
    axes = {name: sampler.axis(name) for name in inputs}
    return {name: array if (axis := axes[name]) is None else array.take(rows, axis) for name, array in inputs.items()}


def _not_counted(case: Case, reason: str, *, stored: bool) -> Case:
    return replace(case, counted=False, reason=reason, stored=stored, bounds=False)


def _arrays(recorded: list[Asked]) -> dict[str, np.ndarray]:
    """Lay the stored cases out by number; stops before the file would grow over its bound."""
    arrays: dict[str, np.ndarray] = {}
    for number, (case, inputs, answer) in enumerate(recorded):
        if case.stored:
            arrays |= {f"c{number}/in{i}": array for i, array in enumerate(inputs.values())}
            arrays |= {f"c{number}/out{i}": array for i, array in enumerate(answer.values())}
    if sum(array.nbytes for array in arrays.values()) > 4 * golden.MAX_BYTES:
        raise Refused(
            "Inputs and answers of this model are too large to record.",
            "Use a smaller data set, or a model with smaller outputs.",
        )
    return arrays


def _notes(sampler: Sampler, dataset: Dataset | None, compared: int) -> tuple[str, ...]:
    notes = [sampler.session.reading] if sampler.session.reading else []
    if sampler.session.guessed:
        told = torchscripts.shapes_text(sampler.session.signature.inputs)
        notes.append(f"The file does not state the shapes of its inputs; {told} was taken from its layers.")
    if sampler.fixed_batch is not None:
        though = ", though its shapes promise any number of samples" if sampler.single else ""
        notes.append(
            f"The source takes only batches of {sampler.fixed_batch}{though}, so no other batch size was tried."
        )
    if dataset is not None and dataset.n > compared:
        notes.append(f"The first {compared:,} of {dataset.n:,} rows of the data were compared.")
    return tuple(notes)
