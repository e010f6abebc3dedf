"""Resampling of space: Resize and Upsample of every opset, and sampling on a grid."""

import math
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from core.domain.errors import Refused
from core.train.onnx_torch.graph import Node
from core.train.onnx_torch.operators.table import Operator, standard

NATIVE = {("nearest", 3): "nearest", ("nearest", 4): "nearest", ("nearest", 5): "nearest"}
NATIVE |= {("linear", 3): "linear", ("linear", 4): "bilinear", ("linear", 5): "trilinear", ("cubic", 4): "bicubic"}


def upsample(node: Node, x: Tensor, scales: list[float] | None = None) -> Tensor:
    """Enlarge by factors, an attribute before opset 9 and an input since."""
    factors = scales if scales is not None else node.get("scales")
    return _resized(x, _plan(x, list(range(x.dim())), factors, None), node.get("mode", "nearest"), _OLD)


def resize(node: Node, x: Tensor, *rest: Any) -> Tensor:
    """Resample to sizes or by factors, with every rule for coordinates and rounding that ONNX has."""
    if node.opset < 11:
        return _resized(x, _plan(x, list(range(x.dim())), rest[0], None), node.get("mode", "nearest"), _OLD)
    roi, scales, wanted = (*rest, None, None, None)[:3]
    axes = [axis % x.dim() for axis in node.get("axes") or range(x.dim())]
    scales = scales if scales is not None and len(scales) else None
    wanted = wanted if wanted is not None and len(wanted) else None
    if wanted is not None:
        wanted = _with_aspect(node, x, axes, wanted)
    rules = {name: node.get(name, default) for name, default in _RULES.items()}
    rules["roi"] = dict(zip(axes, zip(roi, roi[len(axes) :], strict=False), strict=False)) if roi else {}
    return _resized(x, _plan(x, axes, scales, wanted), node.get("mode", "nearest"), rules)


Rules = dict[str, Any]
"""Attributes of Resize by name."""
_RULES: Rules = {
    "coordinate_transformation_mode": "half_pixel",
    "nearest_mode": "round_prefer_floor",
    "cubic_coeff_a": -0.75,
    "exclude_outside": 0,
    "extrapolation_value": 0.0,
    "antialias": 0,
}
_OLD: Rules = {**_RULES, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor", "roi": {}}
"""What Upsample and Resize before opset 11 do."""

Plan = dict[int, tuple[int, float]]
"""By axis: the new size, and the factor that coordinates are divided by."""


def _with_aspect(node: Node, x: Tensor, axes: list[int], wanted: list[int]) -> list[int]:
    policy = node.get("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return wanted
    ratios = [want / x.shape[axis] for want, axis in zip(wanted, axes, strict=True)]
    scale = min(ratios) if policy == "not_larger" else max(ratios)
    return [math.floor(scale * x.shape[axis] + 0.5) for axis in axes]


def _plan(x: Tensor, axes: list[int], scales: list[float] | None, wanted: list[int] | None) -> Plan:
    """Leave axes out that keep their size."""
    plan: Plan = {}
    for place, axis in enumerate(axes):
        size = x.shape[axis]
        if wanted is not None:
            new = wanted[place]
            free = not isinstance(new, int) or not isinstance(size, int)
            if not ((free and axis == 0) or (not free and new == size)):
                plan[axis] = (new, new / size)
        elif scales is not None and scales[place] != 1.0:
            plan[axis] = (_floored(size, scales[place]), scales[place])
    return plan


def _floored(size: Any, scale: float) -> Any:
    if float(scale).is_integer():
        return size * int(scale)
    inverse = 1.0 / scale
    if inverse.is_integer():
        return size // int(inverse)
    if isinstance(size, int):
        return math.floor(size * scale)
    raise Refused(
        "it scales a dynamic size by a factor that is not a whole number", "Fix the sizes after the batch dimension."
    )


def _resized(x: Tensor, plan: Plan, mode: str, rules: Rules) -> Tensor:
    if not plan and not rules["roi"]:
        return x
    native = _native(x, plan, mode, rules)
    if native is not None:
        return native
    if rules["antialias"]:
        raise Refused("it resamples with antialiasing along these axes", "Resize without antialiasing.")
    outside: Tensor | None = None
    for axis in plan if rules["coordinate_transformation_mode"] != "tf_crop_and_resize" else rules["roi"]:
        new, scale = plan.get(axis, (x.shape[axis], 1.0))
        at = _coordinates(new, x.shape[axis], scale, rules, rules["roi"].get(axis))
        if rules["coordinate_transformation_mode"] == "tf_crop_and_resize":
            off = torch.logical_or(at < 0, at > x.shape[axis] - 1).reshape(
                [-1 if d == axis else 1 for d in range(x.dim())]
            )
            outside = off if outside is None else torch.logical_or(outside, off)
        x = _sampled(x, axis, at, mode, rules)
    return x if outside is None else torch.where(outside, torch.tensor(rules["extrapolation_value"], dtype=x.dtype), x)


def _native(x: Tensor, plan: Plan, mode: str, rules: Rules) -> Tensor | None:
    """Use torch's own interpolation where its rule is the same one, else return None."""
    how, kind = NATIVE.get((mode, x.dim())), rules["coordinate_transformation_mode"]
    if how is None or min(plan, default=0) < 2 or not x.is_floating_point() or rules["exclude_outside"]:
        return None
    new = [plan[axis][0] if axis in plan else x.shape[axis] for axis in range(2, x.dim())]
    even = all(float(scale).is_integer() for _, scale in plan.values() if isinstance(scale, int | float))
    if mode == "nearest":
        fits = kind == "asymmetric" and rules["nearest_mode"] == "floor" and even
        return F.interpolate(x, new, mode=how) if fits else None
    fine = kind == "align_corners" or (even and kind in ("half_pixel", "pytorch_half_pixel"))
    if not fine or rules["cubic_coeff_a"] != -0.75 or any(isinstance(n, int) and n == 1 for n in new):
        return None
    antialias = {"antialias": True} if rules["antialias"] else {}
    return F.interpolate(x, new, mode=how, align_corners=kind == "align_corners", **antialias)


def _coordinates(new: int, old: int, scale: float, rules: Rules, roi: Any) -> Any:
    """Return where each new place lies on the old axis, in float32 as ONNX Runtime does."""
    place, kind = torch.arange(new, dtype=torch.float32), rules["coordinate_transformation_mode"]
    if kind == "asymmetric":
        return place / scale
    if kind == "align_corners":
        return place * ((old - 1) / (new - 1)) if new != 1 else place * 0
    if kind == "tf_crop_and_resize":
        start, end = roi
        if new == 1:
            return place * 0 + 0.5 * (start + end) * (old - 1)
        return start * (old - 1) + place * ((end - start) * (old - 1) / (new - 1))
    if kind == "half_pixel_symmetric":
        adjusted = new / (scale * old)
        return old / 2 * (1 - adjusted) + (place + 0.5) / scale - 0.5
    if kind == "pytorch_half_pixel" and new == 1:
        return place * 0
    if kind == "tf_half_pixel_for_nn":
        return (place + 0.5) / scale
    return (place + 0.5) / scale - 0.5


def _sampled(x: Tensor, axis: int, at: Tensor, mode: str, rules: Rules) -> Tensor:
    last = x.shape[axis] - 1
    if mode == "nearest":
        return x.index_select(axis, _rounded(at, rules["nearest_mode"]).clamp(0, last))
    first = torch.floor(at)
    taps = _linear(at - first) if mode == "linear" else _cubic(at - first, rules["cubic_coeff_a"])
    shape = [-1 if d == axis else 1 for d in range(x.dim())]
    places = {step: first.to(torch.int64) + step for step in taps}
    if rules["exclude_outside"]:
        taps = {
            s: torch.where(torch.logical_or(places[s] < 0, places[s] > last), torch.zeros_like(w), w)
            for s, w in taps.items()
        }
        total = torch.stack(list(taps.values())).sum(0)
        taps = {s: w / total for s, w in taps.items()}
    parts = [
        x.index_select(axis, places[step].clamp(0, last)) * weight.reshape(shape).to(x.dtype)
        for step, weight in taps.items()
    ]
    return torch.stack(parts).sum(0).to(x.dtype) if len(parts) > 2 else parts[0] + parts[1]


def _rounded(at: Tensor, how: str) -> Tensor:
    if how == "floor":
        return torch.floor(at).to(torch.int64)
    if how == "ceil":
        return torch.ceil(at).to(torch.int64)
    half = torch.ceil(at - 0.5) if how == "round_prefer_floor" else torch.floor(at + 0.5)
    return half.to(torch.int64)


def _linear(rest: Tensor) -> dict[int, Tensor]:
    return {0: 1 - rest, 1: rest}


def _cubic(rest: Tensor, a: float) -> dict[int, Tensor]:
    """Return the four weights of cubic convolution (Keys, 1981)."""
    far, near = rest + 1, 1 - rest
    return {
        -1: ((a * far - 5 * a) * far + 8 * a) * far - 4 * a,
        0: ((a + 2) * rest - (a + 3)) * rest * rest + 1,
        1: ((a + 2) * near - (a + 3)) * near * near + 1,
        2: ((a * (near + 1) - 5 * a) * (near + 1) + 8 * a) * (near + 1) - 4 * a,
    }


def grid_sample(node: Node, x: Tensor, grid: Tensor) -> Tensor:
    """Sample at places of a grid."""
    modes = {"linear": "bilinear", "cubic": "bicubic"}
    mode = node.get("mode", "linear")
    if mode in ("cubic", "bicubic") and x.dim() != 4:
        raise Refused("it samples volumes by cubic interpolation", "Use linear interpolation.")
    return F.grid_sample(
        x, grid, modes.get(mode, mode), node.get("padding_mode", "zeros"), bool(node.get("align_corners", 0))
    )


def affine_grid(node: Node, theta: Tensor, size: list[int]) -> Tensor:
    """Make a grid from affine maps."""
    return F.affine_grid(theta, size, align_corners=bool(node.get("align_corners", 0)))


TABLE = standard(
    {
        "Resize": Operator(resize, static=(1, 2, 3)),
        "Upsample": Operator(upsample, static=(1,)),
        "GridSample": grid_sample,
        "AffineGrid": Operator(affine_grid, static=(1,)),
    }
)
