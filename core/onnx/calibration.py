"""What samples tell about a model before it is quantized: the range of its activations, and whether its integers can be trusted."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from core.domain import batching
from core.domain.errors import Refused, first_line
from core.onnx import branches, files, unread, weights
from core.onnx.typing import InferenceSession, Matrix, ModelProto, Samples

CHUNK = 32
"""Samples that run at once, so that what is seen of them fits into memory."""
BINS = 2048
LEVELS = 256
Spans = dict[str, tuple[float, float]]


def folded(source: Path) -> ModelProto:
    """Return the model with constants computed and normalisations merged into convolutions, by ONNX Runtime's basic rewrites.

    A result that needs operators of ONNX Runtime's own is not taken: then the model comes back as it was.
    """
    model = files.load(source)
    before = {node.domain for node in weights.nodes(model.graph)} | {"", "ai.onnx"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "folded.onnx"
        session(source, "basic", path)
        simple = files.load(path)
    if not {node.domain for node in weights.nodes(simple.graph)} <= before:
        return model
    unread.drop_domains(simple)
    del simple.graph.value_info[:]
    branches.share(simple)
    return simple


def session(model: Path | bytes, level: str, written: Path | None = None) -> InferenceSession:
    """Open a path or the bytes of a model on one thread, optimised at ``none``, ``basic`` or ``all``. Raises Refused when it does not load."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    options.graph_optimization_level = {
        "none": levels.ORT_DISABLE_ALL,
        "basic": levels.ORT_ENABLE_BASIC,
        "all": levels.ORT_ENABLE_ALL,
    }[level]
    if written is not None:
        options.optimized_model_filepath = str(written)
    content = str(model) if isinstance(model, Path) else model
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        cause = first_line(error)
        raise Refused(f"ONNX Runtime cannot load this model: {cause}", "Export it again.") from None


def answers(opened: InferenceSession, samples: Samples) -> Iterator[list[np.ndarray]]:
    """Run the samples in pieces of the model's own batch, or of 32 where that is free. Raises Refused where they are too few."""
    size, count = batch(opened), _count(samples)
    if count < (size or 1):
        raise Refused(
            f"The model wants {size or 'some'} samples at a time, but there are only {count} to learn from.",
            "Add more samples.",
        )
    for piece in pieces(opened, samples):
        yield run(opened, piece)


def pieces(opened: InferenceSession, samples: Samples) -> Iterator[Samples]:
    """Cut samples into pieces of the model's own batch where it insists on one; a rest that does not fill it is left out."""
    size, count = batch(opened), _count(samples)
    whole = count - count % size if size else count
    for start in range(0, whole, size or CHUNK):
        yield cut(samples, start, min(start + (size or CHUNK), whole))


def run(opened: InferenceSession, piece: Samples, names: list[str] | None = None) -> list[np.ndarray]:
    """Return what a model answers to some samples [n, ...], or the named of its outputs. Raises Refused where they do not run."""
    try:
        return list(opened.run(names, laid_out(opened, piece)))
    except Exception as error:
        cause = first_line(error)
        raise Refused(f"The model cannot run the samples: {cause}", "Add samples that fit its inputs.") from None


def _count(samples: Samples) -> int:
    return min((len(array) for array in samples.values()), default=0)


def batch(opened: InferenceSession) -> int | None:
    """Return the number of samples that an open model insists on at a time, or None where it is free."""
    return batching.batch(_shapes(opened))


def cut(samples: Samples, start: int, stop: int) -> Samples:
    """Return some of the samples, each array [n, ...]."""
    return {name: array[start:stop] for name, array in samples.items()}


def laid_out(opened: InferenceSession, samples: Samples) -> Samples:
    """Return samples [n, ...] as an open model takes them: a state has its samples along a later dimension, what all share has none."""
    return batching.native(samples, _shapes(opened))


def _shapes(opened: InferenceSession) -> batching.Shapes:
    return {value.name: tuple(value.shape) for value in opened.get_inputs()}


def signal_to_noise(reference: np.ndarray, other: np.ndarray) -> float:
    """Return the power of an answer over that of its error, in decibels, at most 200."""
    noise = float(np.sum((reference - other) ** 2))
    power = float(np.sum(reference**2))
    return float(min(200.0, 10 * np.log10(max(power, 1e-30) / noise))) if noise else 200.0


def joined(opened: InferenceSession, samples: Samples) -> Matrix:
    """Return all numbers that a model answers, as one float64 row."""
    parts = [out for piece in answers(opened, samples) for out in piece]
    numbers = [np.asarray(out, np.float64).reshape(-1) for out in parts if getattr(out, "dtype", None) is not None]
    return np.concatenate([part for part in numbers if part.size])


def ranges(
    model: ModelProto, names: list[str], samples: Samples, methods: tuple[str, ...], percentile: float
) -> dict[str, Spans]:
    """Return ranges by ``minmax``, ``percentile``, ``error`` or ``entropy``, from one look at the samples or two.

    Raises Refused where a value is infinite or no number.
    """
    opened = _observing(model, names)
    spans = _ends(opened, names, samples)
    found = {"minmax": {name: (low, high) for name, (low, high) in spans.items()}}
    if set(methods) <= set(found):
        return found
    counts = {name: np.zeros(BINS) for name in names}
    for piece in _observed(opened, names, samples):
        for name, array in piece.items():
            low, high = spans[name]
            # A histogram needs a span, which a tensor of one value has not.
            counts[name] += np.histogram(array, BINS, (low, high if high > low else low + 1))[0]
    cuts = {"percentile": lambda c, s: _tails(c, s, percentile), "error": _least_error, "entropy": _least_divergence}
    for method in [method for method in methods if method in cuts]:
        found[method] = {name: cuts[method](counts[name], spans[name]) for name in names}
    return found


def _ends(opened: InferenceSession, names: list[str], samples: Samples) -> dict[str, list[float]]:
    spans = {name: [0.0, 0.0] for name in names}
    for piece in _observed(opened, names, samples):
        for name, array in piece.items():
            ends = np.minimum(spans[name][0], array.min()), np.maximum(spans[name][1], array.max())
            spans[name] = [float(end) for end in ends]
    if odd := [name for name, span in spans.items() if not np.isfinite(span).all()]:
        raise Refused(
            f"On the samples, these values are infinite or not numbers: {', '.join(odd[:4])}.",
            "Look for broken weights before them, or add other samples.",
        )
    return spans


def means(model: ModelProto, places: dict[str, int], samples: Samples) -> dict[str, Matrix]:
    """Return the mean of each named float32 tensor of the main graph for each place along its dimension, as float64."""
    sums: dict[str, Matrix] = dict.fromkeys(places, np.zeros(()))
    counts = dict.fromkeys(places, 0)
    for piece in _observed(_observing(model, list(places)), list(places), samples):
        for name, array in piece.items():
            rows = np.moveaxis(array, places[name], -1).reshape(-1, array.shape[places[name]])
            sums[name], counts[name] = sums[name] + rows.sum(0, dtype=np.float64), counts[name] + len(rows)
    return {name: sums[name] / counts[name] for name in places if counts[name]}


def _observing(model: ModelProto, names: list[str]) -> InferenceSession:
    import onnx

    shown = weights.copied(model)
    given = {value.name for value in (*shown.graph.input, *shown.graph.output)}
    kind = onnx.TensorProto.FLOAT
    shown.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, kind, None) for name in names if name not in given
    )
    return session(shown.SerializeToString(), "basic")


def _observed(opened: InferenceSession, names: list[str], samples: Samples) -> Iterator[Samples]:
    """Yield the values of named tensors piece by piece; inputs are the samples themselves."""
    outputs = [value.name for value in opened.get_outputs()]
    if given := {name: samples[name] for name in names if name in samples}:
        yield laid_out(opened, given)
    for piece in answers(opened, samples):
        held = dict(zip(outputs, piece, strict=True))
        yield {name: held[name] for name in names if name in held and held[name].size}


def _tails(counts: Matrix, span: list[float], percentile: float) -> tuple[float, float]:
    """Leave out the same share at either end; zero always stays in."""
    edges = np.linspace(span[0], span[1], BINS + 1)
    share = np.cumsum(counts) / max(counts.sum(), 1)
    tail = (100 - percentile) / 200
    low, high = edges[np.searchsorted(share, tail, side="right")], edges[np.searchsorted(share, 1 - tail) + 1]
    return min(0.0, float(low)), max(0.0, float(high))


def _narrower(span: list[float]) -> Iterator[tuple[float, float]]:
    """Yield a range cut at ever smaller magnitudes, down to a twentieth."""
    for share in np.geomspace(1, 0.05, 65):
        most = float(share) * max(-span[0], span[1])
        yield max(span[0], -most), min(span[1], most)


def _least_divergence(counts: Matrix, span: list[float]) -> tuple[float, float]:
    """Cut the range at the magnitude where 256 levels keep most of the distribution (Migacz 2017, 8-bit inference with TensorRT).

    Zeros are not counted: every range represents them exactly, and after a Relu they would outweigh all else.
    """
    edges = np.linspace(span[0], span[1], BINS + 1)
    counts = np.where((edges[:-1] <= 0) & (edges[1:] >= 0), 0, counts)
    best, kept = np.inf, (span[0], span[1])
    for low, high in _narrower(span):
        first, last = int(np.searchsorted(edges, low, "right")) - 1, int(np.searchsorted(edges, high))
        divergence = _divergence(counts, max(first, 0), min(last, BINS))
        # Ranges come from the widest on; the margin keeps the wider one where two are as good.
        if divergence < best - 1e-12:
            best, kept = divergence, (low, high)
    return kept


def _least_error(counts: Matrix, span: list[float]) -> tuple[float, float]:
    """Cut the range at the magnitude where rounding and clipping together cost the least squared error."""
    middle = np.linspace(span[0], span[1], 2 * BINS + 1)[1::2]
    best, kept = np.inf, (span[0], span[1])
    for low, high in _narrower(span):
        clipped = np.sum(counts * (middle - np.clip(middle, low, high)) ** 2)
        # Rounding errors are spread evenly over one step, and the mean square of that is step**2 / 12.
        error = clipped + counts.sum() * ((high - low) / (LEVELS - 1)) ** 2 / 12
        if error < best:
            best, kept = float(error), (low, high)
    return kept


def _divergence(counts: Matrix, first: int, last: int) -> float:
    """Return the Kullback-Leibler divergence between the clipped histogram and the one that 256 levels leave of it."""
    clipped = counts[first:last].copy()
    inside = clipped.copy()
    # What lies outside is clipped to the ends in the reference, and is not there for the levels to keep (Migacz 2017).
    clipped[0] += counts[:first].sum()
    clipped[-1] += counts[last:].sum()
    level = np.arange(len(clipped)) * LEVELS // max(len(clipped), LEVELS)
    filled = clipped > 0
    mean = np.bincount(level, inside, LEVELS) / np.maximum(np.bincount(level, filled, LEVELS), 1)
    rough = np.where(filled, mean[level], 0) + 1e-9
    p, q = clipped / clipped.sum(), rough / rough.sum()
    return float(np.sum(p[filled] * np.log(p[filled] / q[filled])))
