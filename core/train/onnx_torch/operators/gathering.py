"""Operators that take elements by place, put them there, or order them."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from core.train.onnx_torch.graph import Node
from core.train.onnx_torch.operators.table import Operator, standard
from core.train.onnx_torch.values import Known, Value, as_tensor

REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def gather(node: Node, data: Value, places: Value) -> Tensor:
    """Take slices along an axis; a table of weights is looked up as an embedding."""
    x, axis = as_tensor(data), node.get("axis", 0)
    if isinstance(places, Known) and places.array.ndim == 0:
        return x.select(axis, places.array.item())
    index = as_tensor(places).to(torch.int64)
    if isinstance(x, nn.Parameter) and x.dim() == 2 and axis == 0:
        return F.embedding(positive(index, x.shape[0]), x)
    axis = axis % x.dim()
    flat = x.index_select(axis, positive(index.reshape(-1), x.shape[axis]))
    return flat.reshape([*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]])


def positive(index: Tensor, count: int) -> Tensor:
    """Count negative places from the end."""
    return torch.where(index < 0, index + count, index)


def gather_elements(node: Node, x: Tensor, index: Tensor) -> Tensor:
    """Take one element for each place along an axis."""
    axis = node.get("axis", 0)
    return torch.gather(x, axis, positive(index.to(torch.int64), x.shape[axis]))


def gather_nd(node: Node, x: Tensor, index: Tensor) -> Tensor:
    """Take slices by tuples of places, after dimensions that both share."""
    shared, depth = node.get("batch_dims", 0), index.shape[-1]
    if shared == 0:
        return x[tuple(index.to(torch.int64).unbind(-1))]
    flat = x.reshape(-1, *x.shape[shared:])
    rows = index.reshape(flat.shape[0], -1, depth).to(torch.int64)
    batch = torch.arange(flat.shape[0]).unsqueeze(1)
    taken = flat[(batch, *rows.unbind(-1))]
    return taken.reshape([*index.shape[:-1], *x.shape[shared + depth :]])


def scatter_elements(node: Node, x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
    """Put one element at each place along an axis, or combine it with what is there."""
    axis, how = node.get("axis", 0), node.get("reduction", "none")
    places = positive(index.to(torch.int64), x.shape[axis])
    if how == "none":
        return torch.scatter(x, axis, places, updates)
    return torch.scatter_reduce(x, axis, places, updates, REDUCTIONS[how], include_self=True)


def scatter_nd(node: Node, x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
    """Put slices at tuples of places, or combine them with what is there."""
    how, places = node.get("reduction", "none"), tuple(index.to(torch.int64).unbind(-1))
    if how in ("none", "add"):
        return x.clone().index_put(places, updates, accumulate=how == "add")
    depth = len(places)
    flat: Tensor = torch.zeros_like(places[0])
    for place, count in zip(places, x.shape, strict=False):
        flat = flat * count + positive(place, count)
    rows = x.reshape(-1, *x.shape[depth:])
    news = updates.reshape(-1, *x.shape[depth:])
    spread = flat.reshape(-1, *([1] * (news.dim() - 1))).expand(news.shape)
    return torch.scatter_reduce(rows, 0, spread, news, REDUCTIONS[how], include_self=True).reshape(x.shape)


def one_hot(node: Node, index: Tensor, depth: list[int] | int, values: Tensor) -> Tensor:
    """Set one of ``depth`` places on; negative places count from the end."""
    count = depth[0] if isinstance(depth, list) else depth
    axis = node.get("axis", -1)
    axis = axis + index.dim() + 1 if axis < 0 else axis
    classes = torch.arange(int(count)).reshape([-1] + [1] * (index.dim() - axis))
    hit = positive(index.to(torch.int64), int(count)).unsqueeze(axis) == classes
    return torch.where(hit, values[1], values[0])


def top_k(node: Node, x: Tensor, k: list[int] | int | None = None) -> tuple[Tensor, Tensor]:
    """Give the largest or smallest values along an axis and their places, of equal ones the first: torch.topk takes any."""
    count, axis = node.get("k") if k is None else k[0] if isinstance(k, list) else k, node.get("axis", -1)
    found = torch.sort(x, dim=axis, descending=bool(node.get("largest", 1)), stable=True)
    return found.values.narrow(axis, 0, count), found.indices.narrow(axis, 0, count)


def nonzero(node: Node, x: Tensor) -> Tensor:
    """Give the places that are not zero, one column each."""
    return torch.nonzero(x).transpose(0, 1)


def compress(node: Node, x: Tensor, keep: Tensor) -> Tensor:
    """Keep the slices, or the elements, that a condition marks."""
    places = torch.nonzero(keep).reshape(-1)
    axis = node.get("axis")
    return x.reshape(-1).index_select(0, places) if axis is None else x.index_select(axis, places)


def reverse_sequence(node: Node, x: Tensor, lengths: Tensor) -> Tensor:
    """Turn the first steps of each row round, as many as its length says."""
    time, batch = node.get("time_axis", 0), node.get("batch_axis", 1)
    steps = torch.arange(x.shape[time]).reshape([-1 if d == time else 1 for d in range(x.dim())])
    counts = lengths.to(torch.int64).reshape([-1 if d == batch else 1 for d in range(x.dim())])
    index = torch.where(steps < counts, counts - 1 - steps, steps)
    return torch.gather(x, time, index.expand(x.shape))


def cumulated_sum(node: Node, x: Tensor, axis: list[int] | int) -> Tensor:
    """Add up along an axis, without the element itself if ``exclusive``, from the end if ``reverse``."""
    place = axis[0] if isinstance(axis, list) else axis
    x = x.flip(place) if node.get("reverse", 0) else x
    total = torch.cumsum(x, place, dtype=x.dtype)
    total = total - x if node.get("exclusive", 0) else total
    return total.flip(place) if node.get("reverse", 0) else total


TABLE = standard(
    {
        "Gather": Operator(gather, raw=True),
        "GatherElements": gather_elements,
        "GatherND": gather_nd,
        "ScatterElements": scatter_elements,
        "Scatter": scatter_elements,
        "ScatterND": scatter_nd,
        "OneHot": Operator(one_hot, static=(1,), frozen=(2,)),
        "TopK": Operator(top_k, static=(1,)),
        "NonZero": nonzero,
        "Compress": compress,
        "ReverseSequence": reverse_sequence,
        "CumSum": Operator(cumulated_sum, static=(1,)),
    }
)
