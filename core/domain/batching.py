"""Along which dimension each input of a model holds its samples: the first as a rule, a later one for the state of a recurrent network, none for what all samples of a call share."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.domain.artifact import Dim

Shapes = Mapping[str, tuple[Dim, ...] | None]
"""By the name of the input; None where the shape is unknown."""


def axes(shapes: Shapes) -> dict[str, int | None]:
    """Return the dimension of the samples of each input, and None for an input that holds one value for all samples of a call.

    Of the names of dynamic dimensions, the samples have the first that all inputs share: ``n`` of ``[t, n, 2]`` beside
    ``[n]``, as a recurrent network takes steps and lengths. A file may tell no shape, which engines show like that of a single value: where no input has a dimension, all hold samples.
    """
    known = {name: shape for name, shape in shapes.items() if shape}
    if not known:
        return dict.fromkeys(shapes, 0)
    firsts = [shape[0] for shape in known.values()]
    free = next((dim for dim in firsts if not isinstance(dim, int)), firsts[0] if firsts else None)
    shared = _shared(list(known.values()))
    if isinstance(free, str) and shared and free not in shared:
        return {
            name: shape.index(shared[0]) if shape else (None if shape == () else 0) for name, shape in shapes.items()
        }
    return {name: 0 if shape is None else _axis(shape, free) for name, shape in shapes.items()}


def _shared(shapes: Sequence[tuple[Dim, ...]]) -> list[str]:
    """Return the names of dynamic dimensions that stand in every shape, in the order of the first."""
    return [dim for dim in shapes[0] if isinstance(dim, str) and all(dim in shape for shape in shapes)]


def batch(shapes: Shapes) -> int | None:
    """Return the number of samples that a model insists on at a time, or None where it is free."""
    places = axes(shapes)
    dims = [shape[place] for name, shape in shapes.items() if shape and (place := places[name]) is not None]
    return next((dim for dim in dims if isinstance(dim, int)), None)


def native(samples: Mapping[str, Any], shapes: Shapes) -> dict[str, Any]:
    """Lay samples [n, ...] out as the model takes them; of what all samples of a call share, the first counts."""
    places = axes(shapes)
    return {name: _laid(array, places.get(name, 0)) for name, array in samples.items()}


def _laid(array: Any, place: int | None) -> Any:
    if place is None:
        return array[:1].reshape(array.shape[1:])
    return array.transpose(*range(1, place + 1), 0, *range(place + 1, array.ndim)) if place else array


def _axis(shape: tuple[Dim, ...], first: Dim) -> int | None:
    """Return where the samples lie in an input of a model whose samples are as many as ``first`` says elsewhere."""
    if not shape:
        return None
    if isinstance(first, int):
        return 0 if first not in shape[1:] or shape[0] == first else shape.index(first)
    free = [place for place, dim in enumerate(shape) if not isinstance(dim, int) and (not first or dim == first)]
    return 0 if not isinstance(shape[0], int) else free[0] if free else None
