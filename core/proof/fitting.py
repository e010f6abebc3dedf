"""Gives the arrays of a data set the types and shapes of a model's inputs, one row a sample, or says why they do not fit."""

import warnings
from collections.abc import Sequence

import numpy as np

from core.domain import batching
from core.domain.artifact import Dim, TensorSpec
from core.domain.errors import Refused

Specs = tuple[TensorSpec, ...]
KINDS = {
    "U": ("text", "Encode the text as in training."),
    "c": ("complex numbers", "Save real and imaginary parts as the model takes them."),
}
"""What arrays that are no numbers hold, and what to do about it, by NumPy's letter."""


MOVED = 0.01
"""Of the standard deviation of a column: what rounding to the type of an input may move its numbers by."""


def shapes(specs: Specs) -> batching.Shapes:
    """Return the shapes by name."""
    return {spec.name: spec.shape for spec in specs}


def fitted(arrays: dict[str, np.ndarray], specs: Specs) -> dict[str, np.ndarray]:
    """Return the array of each input as [n, ...]; what all samples of a call share is repeated. Raises Refused where one does not fit."""
    axes = batching.axes(shapes(specs))
    if all(axis is None for axis in axes.values()):
        axes = dict.fromkeys(axes, 0)
    found = {s.name: _by_sample(_cast(arrays[s.name], s), s, axes[s.name]) for s in specs if axes[s.name] is not None}
    n = len(next(iter(found.values())))
    found |= {s.name: _shared(_cast(arrays[s.name], s), s, n) for s in specs if axes[s.name] is None}
    return {spec.name: found[spec.name] for spec in specs}


def _by_sample(array: np.ndarray, spec: TensorSpec, axis: int | None) -> np.ndarray:
    """Return the array with the samples first, whether it came so or as the model takes it."""
    if array.ndim == 0:
        raise Refused(
            f"The array for the input {spec.name!r} is a single value, not one for each sample.",
            "Give every sample one row.",
        )
    if spec.shape is None:
        return array
    place = axis or 0
    sample = [dim for other, dim in enumerate(spec.shape) if other != place]
    if array.ndim == 1 and len(sample) == 1 and sample[0] in (1, None):
        array = array[:, None]
    if array.ndim == len(spec.shape) and _fits(array.shape[1:], sample):
        return array
    if place and array.ndim == len(spec.shape) and _fits(np.delete(array.shape, place).tolist(), sample):
        return np.moveaxis(array, place, 0)
    raise _unfit(array, spec, ["n", *sample])


def _shared(array: np.ndarray, spec: TensorSpec, n: int) -> np.ndarray:
    """Repeat what all samples share; rows that say so by being equal will do as well. Raises Refused where they differ."""
    sample = list(spec.shape or ())
    if _fits(array.shape, sample) and array.ndim == len(sample):
        return np.broadcast_to(array, (n, *array.shape))
    if array.ndim != len(sample) + 1 or not _fits(array.shape[1:], sample):
        raise _unfit(array, spec, sample)
    if (array != array[:1]).any():
        raise Refused(
            f"The input {spec.name!r} takes one value for all samples of a call, but the data set has several.",
            "Use a data set with one of them.",
        )
    return array


def _fits(have: Sequence[int], want: Sequence[Dim]) -> bool:
    return len(have) == len(want) and all(not isinstance(w, int) or w == h for h, w in zip(have, want, strict=True))


def _unfit(array: np.ndarray, spec: TensorSpec, sample: Sequence[Dim]) -> Refused:
    want, have = " x ".join(map(str, sample)) or "one number", " x ".join(map(str, array.shape)) or "one number"
    if sample[:1] == ["n"]:
        have = " x ".join(map(str, ("n", *array.shape[1:]))) if array.ndim else have
    return Refused(
        f"The input {spec.name!r} takes {want}, but the data set has {have}.",
        "Give the samples the shape of the input.",
    )


def _cast(array: np.ndarray, spec: TensorSpec) -> np.ndarray:
    if spec.dtype == "str":
        return array.astype(np.str_)
    if array.dtype.kind not in "biuf":
        kind, way = KINDS.get(array.dtype.kind, (f"values of the type {array.dtype}", "Save plain numbers."))
        raise Refused(f"The input {spec.name!r} takes {spec.dtype}, but the data set contains {kind}.", way)
    wanted = np.dtype("float32" if spec.dtype == "bfloat16" else spec.dtype)
    if wanted.kind in "iu":
        if not np.all(np.isfinite(array)) or np.any(array != np.floor(array)):
            raise Refused(
                f"The input {spec.name!r} takes whole numbers, but the data set contains fractions.",
                "Use the ids themselves.",
            )
        bounds = np.iinfo(wanted)
        if array.size and (array.min() < bounds.min or array.max() > bounds.max):
            raise Refused(
                f"The input {spec.name!r} is {spec.dtype}, but the data set contains numbers outside its range.",
                "Use the ids themselves.",
            )
    elif wanted.kind == "f" and array.dtype.itemsize > wanted.itemsize:
        _must_hold(array, wanted, spec)
    return array.astype(wanted, order="C")


def _must_hold(array: np.ndarray, wanted: "np.dtype[np.floating]", spec: TensorSpec) -> None:
    """Refuse numbers whose differences the type of the input rounds away, such as seconds since 1970 within some minutes.

    Raises Refused where rounding moves a column [n] by more than ``MOVED`` of its standard deviation (root mean square).
    """
    wide = array.reshape(len(array), -1).astype(np.float64) if array.ndim else array.reshape(1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without a number have no mean
        moved = np.sqrt(np.nanmean((wide - wide.astype(wanted)) ** 2, axis=0))
        centre, spread = np.nanmean(wide, axis=0), np.nanstd(wide, axis=0)
    lost = np.flatnonzero((moved > MOVED * spread) & (spread > 1e-12 * np.abs(centre)))
    if lost.size:
        place = int(lost[0])
        raise Refused(
            f"The input {spec.name!r} is {wanted}, which cannot hold the numbers of column {place + 1}: they lie around "
            f"{centre[place]:.4g} and differ by about {spread[place]:.3g}, and rounding moves them by "
            f"{moved[place]:.2g}.",
            "Take an offset off this column before the model is trained (the time since a start, not since 1970), and train it again.",
        )
