"""Looks for the smallest trees whose model still answers the samples as before, and nearly so mixtures of samples."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from core.domain.errors import Refused
from core.onnx import calibration, linear_layers
from core.onnx.files import serialised
from core.onnx.typing import FloatArray, IntArray, ModelProto, NodeProto, Samples
from core.shrink.ensembles import fitting, replacing
from core.shrink.ensembles.reading import Ensemble, Found
from core.shrink.ensembles.tree_columns import TreeColumns, apart, together

MIXTURES = 4000
CHECKED = 4000
"""Further mixtures, which the trees are not fitted to."""
LEVELS = (128, 64, 32, 16)
"""Values that the leaves of one target share."""
KEPT = (1.0, 0.85, 0.7, 0.6, 0.5, 0.42, 0.35, 0.3, 0.25, 0.2, 0.16, 0.12, 0.09, 0.06, 0.04, 0.02)
"""Shares of the splits that stay."""
PART = 3
"""Every third sample is only asked about; the trees are not fitted to it."""
DOUBT = 0.0025
"""Share of mixtures whose prediction may always change: many of them lie where no sample does."""
HARDER = 2.0
"""How much more often a mixture may change its prediction than a sample."""
MOST = 200_000
"""Nodes of all trees up to which they are fitted."""

WHOLE = (5, 6, 7)
"""ONNX's numbers of int16, int32 and int64."""


@dataclass(frozen=True)
class Allowed:
    """What may change: a share of the predictions, or where numbers are predicted their error as a share of their spread."""

    flips: float
    error: float


@dataclass(frozen=True)
class Exam:
    """Inputs with the answers of the original, and what may change on them."""

    inputs: Samples
    answers: list[np.ndarray]
    allowed: Allowed

    def passed(self, answers: list[np.ndarray]) -> bool:
        """Say whether answers are close enough to those of the original."""
        labels = [(a, b) for a, b in zip(self.answers, answers, strict=True) if a.dtype.kind not in "f"]
        scores = [(a, b) for a, b in zip(self.answers, answers, strict=True) if a.dtype.kind == "f"]
        if not labels:
            labels = [(a.argmax(axis=-1), b.argmax(axis=-1)) for a, b in scores if a.ndim > 1 and a.shape[-1] > 1]
        if labels:
            changed = np.any([(a != b).reshape(len(a), -1).any(axis=1) for a, b in labels], axis=0)
            return bool(changed.mean() <= self.allowed.flips)
        return all(_error(a, b) <= self.allowed.error for a, b in scores)


@dataclass(frozen=True)
class Plan:
    """One operator's trees with what they said, and the order in which their splits close."""

    ensemble: Ensemble
    columns: TreeColumns
    shown: fitting.Shown
    order: fitting.Order
    closed: dict[float, tuple[TreeColumns, IntArray]] = field(default_factory=dict)
    """By the share of splits that stayed: the trees, and where the rows end in them."""

    def smaller(self, kept: float, levels: int) -> Ensemble:
        """Return the operator with a share of its splits and a few values a target."""
        if kept not in self.closed:
            splits = int((~self.columns.is_leaf).sum())
            gone = self.order[: splits - round(kept * splits)]
            self.closed[kept] = fitting.fewer(self.columns, self.shown, gone)
        columns = fitting.shared(*self.closed[kept], self.shown, levels)
        return replace(self.ensemble, forest=together(columns, self.ensemble.dtype))


def thinned(model: ModelProto, found: Found, samples: Samples, allowed: Allowed, operator: str) -> Found:
    """Return the operators with the smallest trees that pass. Raises Refused without samples, for other sums, or where none pass."""
    _check(model, found, samples)
    rng = np.random.default_rng(0)
    seen_ = {name: array[np.arange(len(array)) % PART != 0] for name, array in samples.items()}
    unseen = {name: array[::PART] for name, array in samples.items()}
    mixtures = mixed(seen_, MIXTURES, rng)
    lessons = {name: np.concatenate([array, mixtures[name]]) for name, array in seen_.items()}
    exams = _exams(model, (samples, unseen, mixed(samples, CHECKED, rng)), allowed)
    plans = [plan(one, rows) for (_, one), rows in zip(found, seen(model, found, lessons), strict=True)]
    best: tuple[int, Found] | None = None
    for levels in LEVELS:
        for size, trees in _narrowest(model, found, plans, exams, levels, operator):
            best = min(best or (size, trees), (size, trees), key=lambda one: one[0])
    if best is None:
        raise Refused(
            "No smaller trees give the same answers to the samples.",
            "Allow some predictions to change, or clean up the trees.",
        )
    return best[1]


def _exams(model: ModelProto, rows: tuple[Samples, ...], allowed: Allowed) -> list[Exam]:
    """Ask the original about all samples, those that nothing is fitted to, and mixtures, where more may change."""
    harder = Allowed(max(DOUBT, HARDER * allowed.flips), HARDER * allowed.error)
    whole, bounds = serialised(model), (allowed, allowed, harder)
    return [Exam(inputs, answers(whole, inputs), bound) for inputs, bound in zip(rows, bounds, strict=True)]


def _narrowest(
    model: ModelProto, found: Found, plans: list[Plan], exams: list[Exam], levels: int, operator: str
) -> Iterator[tuple[int, Found]]:
    """Yield the trees that pass, with their bytes, on the way to the smallest share of splits by bisection."""
    low, high = 0, len(KEPT)
    while low < high:
        # Bisection supposes that fewer splits never pass where more fail; since each candidate is examined, a wrong
        # guess costs size and no answers.
        middle = (low + high) // 2
        trees = [(node, one.smaller(KEPT[middle], levels)) for (node, _), one in zip(found, plans, strict=True)]
        data = serialised(replacing.smallest(model, trees, operator))
        if all(exam.passed(answers(data, exam.inputs)) for exam in exams):
            yield len(data), trees
            low = middle + 1
        else:
            high = middle


def plan(ensemble: Ensemble, rows: FloatArray) -> Plan:
    """Ask the trees about rows [n, features], and find the order in which their splits close."""
    columns = apart(ensemble.forest, ensemble.targets, ensemble.dtype)
    if len(columns.yes) > MOST:
        raise Refused(f"The trees have more than {MOST:,} nodes.", "Clean up the trees, or train fewer.")
    shown = fitting.show(columns, rows.astype(ensemble.dtype))
    return Plan(ensemble, columns, shown, fitting.collapse(columns, shown, 0))


def mixed(samples: Samples, n: int, rng: np.random.Generator) -> Samples:
    """Return n rows of each input, each with a share of its entries from another row, or of floats between two rows."""
    count = len(next(iter(samples.values())))
    first, second = rng.integers(0, count, n), rng.integers(0, count, n)
    share, slide, sliding = rng.random(n) / 2, rng.random(n) / 2, rng.random(n) < 0.5
    made = {}
    for name, array in samples.items():
        spread = (slice(None), *(None,) * (array.ndim - 1))
        one, two = array[first], array[second]
        made[name] = np.where(rng.random(one.shape) < share[spread], two, one)
        if array.dtype.kind == "f":
            between = (one + slide[spread] * (two - one)).astype(array.dtype)
            made[name] = np.where(sliding[spread], between, made[name])
    return made


def seen(model: ModelProto, found: Found, inputs: Samples) -> list[np.ndarray]:
    """Return what each operator is given [n, features] when the model answers some inputs."""
    pieces = linear_layers.recorded(model, [node.input[0] for node, _ in found], inputs)
    return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]


def answers(data: bytes, inputs: Samples) -> list[np.ndarray]:
    """Run the bytes of a model and return its answers that are arrays."""
    opened = calibration.session(data, "all")
    pieces = [[part for part in piece if isinstance(part, np.ndarray)] for piece in calibration.answers(opened, inputs)]
    return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]


def _check(model: ModelProto, found: Found, samples: Samples) -> None:
    if not samples:
        raise Refused(
            "Samples are needed to prune trees, and there are none.", "Add a data set, or clean up the trees."
        )
    for _, one in found:
        if one.aggregate not in ("SUM", "AVERAGE"):
            raise Refused(f"Trees whose {one.aggregate} is the answer cannot be pruned.", "Clean up the trees instead.")
    answers = {name for node, _ in found for name in node.output}
    if any(node.op_type == "Cast" and node.input[0] in answers and _to(node) in WHOLE for node in model.graph.node):
        raise Refused("These trees answer with places in a table, which have no mean.", "Clean up the trees instead.")


def _to(cast: NodeProto) -> int:
    return next((int(attribute.i) for attribute in cast.attribute if attribute.name == "to"), 0)


def _error(one: np.ndarray, two: np.ndarray) -> float:
    """Return the error in the spread of what it should be; infinite where numbers are missing."""
    gap = float(np.sqrt(np.mean((one.astype(np.float64) - two) ** 2)))
    return gap / max(float(np.std(one)), 1e-12) if np.isfinite(gap) else np.inf
