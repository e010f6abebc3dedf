"""Torch tensors as a pickle describes them: storages by key, views with sizes and strides, names by the tables around them."""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeGuard

from core.border import pickles
from core.border.pickles import Built, Global, Stored, Trace
from core.domain.errors import Refused
from core.formats.anatomy.elements import bits

NEXT = "Save the state_dict of the model (torch.save(model.state_dict(), ...)), or export it as .pt2."
AGAIN = "Save the file again."
MAX_ELEMENTS = 2**31
FREE_ELEMENTS = 1 << 24
"""A view may repeat its storage (stride 0) up to this size."""

STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "UntypedStorage": "uint8", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128", "QInt8Storage": "int8", "QUInt8Storage": "uint8", "QInt32Storage": "int32",
}  # fmt: skip
VIEW_CALLS = {f"torch._utils._rebuild_{name}" for name in ("tensor", "tensor_v2", "tensor_v3", "qtensor")}
WRAPPERS = {"torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"}

OPTIMIZER = {"state", "param_groups"}
"""What ``torch.optim.Optimizer.state_dict`` returns."""
AVERAGE = re.compile(r"(^|_)(ema|swa|average[d]?)(_|$)", re.IGNORECASE)
RANDOM = re.compile(r"(^|[._])rng_states?(_|\.|$)")


@dataclass(frozen=True)
class TensorView:
    """A view on a storage: dtype name, shape, strides and offset in elements, and the storage's key, elements and element size."""

    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    key: str
    held: int
    width: int


def check_names(trace: Trace, allows: Callable[[Global], bool], what: str) -> None:
    """Refuse a pickle that imports a name off the list, or does what cannot be followed."""
    off = pickles.off_list(trace.globals.values(), allows)
    if off:
        named = ", ".join(name.path[:80] for name in off[:3]) + (f" and {len(off) - 3} more" if len(off) > 3 else "")
        raise Refused(f"{what} would run {named} when it is loaded: that is a program, not plain weights.", NEXT)
    if trace.strange:
        raise Refused(f"{what} {trace.strange[0]}: that is a program, not plain weights.", NEXT)


def tensors(trace: Trace) -> Iterator[TensorView]:
    """Yield each tensor that the pickle rebuilds. Raises Refused for one whose shape and storage do not fit."""
    for call in trace.calls:
        view = tensor(call)
        if view is not None:
            check_view(view)
            yield view


def tensor(value: object) -> TensorView | None:
    """Return the tensor that a call rebuilds, or None for another call. Raises Refused when it cannot be read."""
    if not isinstance(value, Built):
        return None
    if (
        value.path == "torch._tensor._rebuild_from_type_v2"
        and len(value.args) > 2
        and isinstance(value.args[0], Global)
    ):
        args = value.args[2]
        return tensor(Built(value.args[0], tuple(args) if isinstance(args, tuple | list) else (args,)))
    if value.path in WRAPPERS:
        return tensor(value.args[0]) if value.args else None
    if value.path not in VIEW_CALLS:
        return None
    try:
        stored, offset, shape, strides = value.args[:4]
        if not isinstance(stored, Stored) or not isinstance(stored.id, tuple | list):
            raise TypeError(stored)
        _, kind, key, _, held = stored.id[:5]
        name, width = _element(kind, value)
    except (ValueError, TypeError, AttributeError, KeyError, IndexError):
        raise Refused("A tensor in the file is rebuilt in a way that the audit cannot check.", NEXT) from None
    if (
        not _counts(shape)
        or not _counts(strides)
        or not (_is_count(offset) and _is_count(held))
        or type(key) is not str
        or len(shape) != len(strides)
    ):
        raise Refused("A tensor in the file has an impossible shape.", AGAIN)
    held = held // width if isinstance(kind, Global) and kind.name == "UntypedStorage" else held
    return TensorView(name, tuple(shape), tuple(strides), offset, key, held, width)


def check_view(view: TensorView) -> None:
    """Refuse a view that reaches over its storage, or that repeats it beyond reason."""
    count = math.prod(view.shape)
    last = (
        view.offset + sum((size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True))
        if count
        else 0
    )
    if count and last >= view.held:
        raise Refused(
            f"A tensor of shape {list(view.shape)[:8]} reaches beyond its {view.held:,} stored elements.", AGAIN
        )
    if count > MAX_ELEMENTS or (count > view.held and count > FREE_ELEMENTS):
        raise Refused(f"A tensor claims {count:,} elements but stores {view.held:,}.", AGAIN)


def named(value: object) -> Iterator[tuple[str, TensorView]]:
    """Yield the tensors in a table of tables with the names on the way to them, each storage position once."""
    seen: set[int] = set()
    pending: list[tuple[str, object]] = [("", value)]
    while pending:
        path, item = pending.pop()
        found = tensor(item)
        if found is not None:
            yield path, found
        elif isinstance(item, Built | dict | list | tuple) and id(item) not in seen:
            seen.add(id(item))
            pending += [
                (f"{path}.{key}" if path else str(key), child) for key, child in reversed(list(_children(item)))
            ]


def beside(value: object) -> tuple[dict[str, TensorView], dict[str, TensorView]]:
    """Part the tensors by name into the weights of the model, and what training keeps beside them.

    That is the state of optimizers (``state`` with ``param_groups``, as ``torch.optim.Optimizer.state_dict`` writes it),
    of random number generators, and a running average of weights that the file also holds as they are.
    """
    found = dict(named(value))
    aside = (*_optimizers(value), *_averages(found), *_of_lightning(value))
    other = {name for name in found if RANDOM.search(name) or any(name.startswith(f"{top}.") for top in aside)}
    return ({k: v for k, v in found.items() if k not in other}, {k: v for k, v in found.items() if k in other})


def _optimizers(value: object) -> Iterator[str]:
    """Yield the paths of the tables inside others that hold the state of an optimizer."""
    seen: set[int] = set()
    pending: list[tuple[str, object]] = [("", value)]
    while pending:
        path, item = pending.pop()
        if not isinstance(item, Built | dict | list | tuple) or id(item) in seen:
            continue
        seen.add(id(item))
        children = list(_children(item))
        if path and {key for key, _ in children} >= OPTIMIZER:
            yield path
        else:
            pending += [(f"{path}.{key}" if path else str(key), child) for key, child in children]


def _of_lightning(value: object) -> Iterator[str]:
    """Yield what Lightning keeps beside the weights: callbacks, loops, settings."""
    tables = dict(_children(value)) if isinstance(value, Built | dict) else {}
    if {"state_dict", "pytorch-lightning_version"} <= tables.keys():
        yield from (str(key) for key in tables if key != "state_dict")


def _averages(found: dict[str, TensorView]) -> Iterator[str]:
    """Yield the tables at the top that repeat another one's names and shapes under the name of an average."""
    held: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, view in found.items():
        top, _, inner = name.partition(".")
        held.setdefault(top, {})[inner.removeprefix("module.")] = view.shape
    for top, shapes in held.items():
        if AVERAGE.search(top) and any(shapes == held[other] for other in held if not AVERAGE.search(other)):
            yield top


def _children(item: object) -> Iterable[tuple[object, object]]:
    if isinstance(item, dict):
        return item.items()
    if isinstance(item, Built):
        inner = item.state if isinstance(item.state, dict) else {}
        return [*_pairs(item), *item.items.items(), *inner.items()]
    return enumerate(item) if isinstance(item, list | tuple) else ()


def _pairs(item: Built) -> list[tuple[object, object]]:
    """Return what an ordered table was made from, as Python 2 wrote it: a list of pairs."""
    rows = item.args[0] if item.path == "collections.OrderedDict" and item.args else ()
    pairs = [row for row in rows if isinstance(row, list | tuple)] if isinstance(rows, list | tuple) else []
    return [(row[0], row[1]) for row in pairs if len(row) == 2]


def _element(kind: object, call: Built) -> tuple[str, int]:
    """Return name and bytes of an element: the storage's, or the dtype that a call on an untyped storage gives."""
    if not isinstance(kind, Global):
        raise ValueError(kind)
    dtype = STORAGES[kind.name]
    if kind.name == "UntypedStorage":
        dtype = next((a.name for a in call.args if isinstance(a, Global) and a.module == "torch"), dtype)
    return dtype, max(1, bits(dtype) // 8)


def _counts(values: object) -> TypeGuard[tuple[int, ...] | list[int]]:
    return isinstance(values, tuple | list) and len(values) <= 64 and all(map(_is_count, values))


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 2**60
