"""Operators on the layout of tensors: reshape, cut, join, repeat, pad, and tensors made from sizes."""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from core.domain.errors import Refused
from core.train.onnx_torch.dtypes import torch_dtype
from core.train.onnx_torch.graph import Node
from core.train.onnx_torch.operators.table import Operator, standard
from core.train.onnx_torch.values import Known, Size, Value, as_numbers, sizes

Ends = list[int] | None


def shape(node: Node, x: Tensor) -> Known:
    """Give the sizes from ``start`` to ``end`` as numbers."""
    return sizes(x.shape[node.get("start", 0) : node.get("end", x.dim())])


def size(node: Node, x: Tensor) -> Known:
    """Give the number of elements."""
    total: Size = 1
    for part in x.shape:
        total = total * part
    return Known(total, torch.int64)


def reshape(node: Node, x: Tensor, target: list[int]) -> Tensor:
    """Lay out anew; 0 keeps a size unless ``allowzero``, -1 takes the rest."""
    keep = not node.get("allowzero", 0)
    return x.reshape(
        [x.shape[place] if keep and isinstance(part, int) and part == 0 else part for place, part in enumerate(target)]
    )


def flatten(node: Node, x: Tensor) -> Tensor:
    """Join the dimensions before ``axis`` into one and the others into another."""
    axis = node.get("axis", 1)
    axis += x.dim() if axis < 0 else 0
    rows: Size = 1
    for part in x.shape[:axis]:
        rows = rows * part
    return x.flatten(1) if axis == 1 and x.dim() > 1 else x.reshape(rows, -1 if x.numel() else 0)


def transpose(node: Node, x: Tensor) -> Tensor:
    """Put the dimensions in another order, reversed when none is given."""
    return x.permute(node.get("perm") or list(range(x.dim()))[::-1])


def squeeze(node: Node, x: Tensor, axes: list[int] | None = None) -> Tensor:
    """Drop dimensions of size one: those named by attribute (before opset 13) or input, else all."""
    axes = axes if axes is not None else node.get("axes")
    return x.squeeze() if axes is None else x.squeeze(tuple(axes)) if len(axes) else x


def unsqueeze(node: Node, x: Tensor, axes: list[int] | int | None = None) -> Tensor:
    """Insert dimensions of size one at places of the result."""
    given = axes if axes is not None else node.get("axes")
    places = [given] if isinstance(given, int) else list(given)
    rank = x.dim() + len(places)
    for place in sorted(place % rank for place in places):
        x = x.unsqueeze(place)
    return x


def concat(node: Node, *inputs: Tensor) -> Tensor:
    """Join along an axis."""
    return torch.cat(inputs, node.get("axis", 1))


def split(node: Node, x: Tensor, parts: list[int] | None = None) -> tuple[Tensor, ...]:
    """Cut along an axis into the sizes given, or into as many equal parts as there are outputs."""
    axis = node.get("axis", 0)
    parts = parts if parts is not None else node.get("split")
    if parts is None:
        count = node.get("num_outputs", len(node.outputs))
        step = -(-x.shape[axis] // count)
        parts = [step] * (count - 1) + [x.shape[axis] - step * (count - 1)]
    return torch.split(x, list(parts), axis)


def sliced(
    node: Node, x: Tensor, starts: Ends = None, ends: Ends = None, axes: Ends = None, steps: Ends = None
) -> Tensor:
    """Cut a piece; bounds are attributes before opset 10 and inputs since."""
    starts = starts if starts is not None else node.get("starts")
    ends = ends if ends is not None else node.get("ends")
    axes = axes if axes is not None else node.get("axes") or list(range(len(starts)))
    for place, start, end, step in zip(axes, starts, ends, steps or [1] * len(starts), strict=True):
        x = _forward(x, place, start, end, step) if step > 0 else _backward(x, place, start, end, step)
    return x


def _forward(x: Tensor, axis: int, start: int, end: int, step: int) -> Tensor:
    whole = [slice(None)] * x.dim()
    whole[axis] = slice(start, end, step)
    return x[tuple(whole)]


def _backward(x: Tensor, axis: int, start: int, end: int, step: int) -> Tensor:
    count: Any = x.shape[axis]
    if isinstance(count, int):
        places = list(range(*slice(start, end if end >= -count else None, step).indices(count)))
        return x.index_select(axis, torch.tensor(places, dtype=torch.int64))
    if step == -1 and start in (-1, 2**63 - 1) and end <= -(2**31):
        return x.flip(axis)
    raise Refused("it slices a dynamic dimension backwards", "Fix that dimension, or remove the reversed slice.")


def expand(node: Node, x: Tensor, target: list[int]) -> Tensor:
    """Broadcast against a shape, which may be the smaller one."""
    own, wanted = list(x.shape), list(target)
    rank = max(len(own), len(wanted))
    own, wanted = [1] * (rank - len(own)) + own, [1] * (rank - len(wanted)) + wanted
    return x.reshape(own).expand([a if _is_one(b) else b for a, b in zip(own, wanted, strict=True)])


def _is_one(part: Size) -> bool:
    return isinstance(part, int) and part == 1


def tile(node: Node, x: Tensor, repeats: list[int]) -> Tensor:
    """Repeat along each axis."""
    return x.repeat(repeats)


def constant_of_shape(node: Node, target: list[int]) -> Tensor:
    """Fill a shape with one value, zero by default."""
    value = node.get("value")
    return torch.full(
        target, 0.0 if value is None else value.item(), dtype=torch.float32 if value is None else value.dtype
    )


def range_of(node: Node, start: Value, limit: Value, delta: Value) -> Tensor:
    """Count from start to limit in steps; the dtype is that of the inputs."""
    dtype = start.dtype
    first, last, step = (as_numbers(value) for value in (start, limit, delta))
    if dtype.is_floating_point:
        return torch.arange(first, last, step, dtype=torch.float64).to(dtype)
    return torch.arange(first, last, step, dtype=dtype)


def eye_like(node: Node, x: Tensor) -> Tensor:
    """Give ones on the k-th diagonal in the shape of the input."""
    rows, columns = x.shape
    dtype = torch_dtype(node.get("dtype")) if node.get("dtype") else x.dtype
    down, across = torch.arange(rows).unsqueeze(1), torch.arange(columns).unsqueeze(0)
    return torch.eq(across - down, node.get("k", 0)).to(dtype)


def triangle(node: Node, x: Tensor, k: int | None = None) -> Tensor:
    """Keep the upper or the lower triangle."""
    return torch.triu(x, k or 0) if node.get("upper", 1) else torch.tril(x, k or 0)


def pad(
    node: Node, x: Tensor, pads: Ends = None, value: list[float] | float | None = None, axes: Ends = None
) -> Tensor:
    """Pad, or cut where a number is negative; pads are attributes before opset 11 and inputs since."""
    pads = pads if pads is not None else node.get("pads")
    value = value if value is not None else node.get("value", 0)
    value = value[0] if isinstance(value, list) else value
    axes = list(range(x.dim())) if axes is None else [axis % x.dim() for axis in axes]
    ends = {axis: (pads[i], pads[len(axes) + i]) for i, axis in enumerate(axes)}
    if node.get("mode", "constant") == "constant":
        flat = [part for axis in reversed(range(x.dim())) for part in ends.get(axis, (0, 0))]
        return (
            F.pad(x.to(torch.uint8), flat, value=int(value)).bool()
            if x.dtype == torch.bool
            else F.pad(x, flat, value=value)
        )
    for axis, (before, after) in ends.items():
        if not (isinstance(before, int) and isinstance(after, int) and before == after == 0):
            x = x.index_select(axis, _mirrored(node.get("mode"), x.shape[axis], before, after))
    return x


def _mirrored(mode: str, count: int, before: int, after: int) -> Tensor:
    """Return which place each padded place is taken from."""
    places = torch.arange(-before, count + after)
    if mode == "edge":
        return places.clamp(0, count - 1)
    if mode == "wrap":
        return torch.remainder(places, count)
    period = 2 * (count - 1) if not isinstance(count, int) or count > 1 else 1
    turned = torch.remainder(places, period)
    return torch.where(turned < count, turned, period - turned)


def depth_to_space(node: Node, x: Tensor) -> Tensor:
    """Move blocks of channels into space, depth first (DCR) or column first (CRD)."""
    n, c, h, w = x.shape
    b = node.get("blocksize")
    if node.get("mode", "DCR") == "CRD":
        return F.pixel_shuffle(x, b)
    moved = x.reshape(n, b, b, c // (b * b), h, w).permute(0, 3, 4, 1, 5, 2)
    return moved.reshape(n, c // (b * b), h * b, w * b)


def space_to_depth(node: Node, x: Tensor) -> Tensor:
    """Move blocks of space into channels."""
    n, c, h, w = x.shape
    b = node.get("blocksize")
    order = (0, 1, 3, 5, 2, 4) if node.get("mode", "DCR") == "CRD" else (0, 3, 5, 1, 2, 4)
    return x.reshape(n, c, h // b, b, w // b, b).permute(order).reshape(n, c * b * b, h // b, w // b)


TABLE = standard(
    {
        "Shape": shape,
        "Size": size,
        "Reshape": Operator(reshape, static=(1,)),
        "Flatten": flatten,
        "Transpose": transpose,
        "Squeeze": Operator(squeeze, static=(1,)),
        "Unsqueeze": Operator(unsqueeze, static=(1,)),
        "Concat": concat,
        "Split": Operator(split, static=(1,)),
        "Slice": Operator(sliced, static=(1, 2, 3, 4)),
        "Expand": Operator(expand, static=(1,)),
        "Tile": Operator(tile, static=(1,)),
        "ConstantOfShape": Operator(constant_of_shape, static=(0,)),
        "Range": Operator(range_of, raw=True, frozen=(0, 1, 2)),
        "EyeLike": eye_like,
        "Trilu": Operator(triangle, static=(1,)),
        "Pad": Operator(pad, static=(1, 2, 3)),
        "DepthToSpace": depth_to_space,
        "SpaceToDepth": space_to_depth,
    }
)
