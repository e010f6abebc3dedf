"""Random torch modules, as exported programs and as traced TorchScript: layers of torch.nn and the functions around them."""

import copy
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- torch's own custom

from benchmarks.fuzz import draws
from benchmarks.fuzz.specimen import Inputs, Question, Specimen, Unmade

SAMPLES, PICTURES = 20_000, 3_000
ROUNDING, EQUAL = 1.2e-7, 2.0**-22
"""One rounding of float32, and how far apart numbers below one are that another engine may hold equal."""
MOVED, WAYS = 24, 26
"""The ways in which numbers are moved, and those with the ones in which they are held equal."""
Step = Callable[[Tensor], Tensor]


class Network(nn.Module):
    """Steps in a row; the layers among them are its own."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.wide: list[Network] | None = None

    def add(self, step: Step) -> None:
        """Put one step behind the others."""
        if isinstance(step, nn.Module):
            self.add_module(f"layer{len(self.steps)}", step)
        self.steps.append(step)

    def forward(self, x: Tensor) -> Tensor:
        """Take the steps."""
        for step in self.steps:
            x = step(x)
        return x

    def shaken(self, x: Tensor, seed: int) -> Tensor:
        """Take the steps with each number moved behind each, by one rounding and by what the step itself loses in 32 bits; or, in the last ways, held equal to what lies within a rounding of it."""
        dice = torch.Generator().manual_seed(seed)
        for step, wide in zip(self.steps, self._in_float64().steps, strict=True):
            y = step(x)
            if y.dtype == torch.float32:
                loss = _lost(wide, x, y)
                share, more = (torch.rand(y.shape, generator=dice) * 2 - 1 for _ in range(2))
                moved = y * (1 + ROUNDING * share) + (ROUNDING + loss) * more
                y = moved if seed < MOVED else torch.where(y.abs() < 1, torch.round(y / EQUAL) * EQUAL, y)
            x = y
        return x

    def _in_float64(self) -> "Network":
        if self.wide is None:
            self.wide = [copy.deepcopy(self).double()]
        return self.wide[0]


def _lost(wide: Step, x: Tensor, y: Tensor) -> Tensor:
    """Return, for each sample, the most that a step in float32 differs from itself in float64 on the same numbers; nothing where it has no such form."""
    try:
        exact = wide(x.double() if x.dtype == torch.float32 else x)
        gaps = (exact - y.double()).abs().nan_to_num(0.0, 0.0, 0.0)
    except (RuntimeError, TypeError, ValueError):
        return torch.zeros_like(y)
    return gaps.flatten(1).amax(1).reshape(-1, *[1] * (y.ndim - 1)).float()


class First(nn.Module):
    """A layer that answers more than one thing, of which the first goes on; it takes its input several times."""

    def __init__(self, layer: nn.Module, times: int = 1) -> None:
        super().__init__()
        self.layer, self.times = layer, times

    def forward(self, x: Tensor) -> Tensor:
        """Take the layer."""
        found: Tensor = self.layer(*[x] * self.times)[0]
        return found


@dataclass
class Draft:
    """A network while it is drawn, with an example that has come as far as it."""

    rng: np.random.Generator
    network: Network = field(default_factory=Network)
    names: list[str] = field(default_factory=list)

    def pick(self, *choices: Any) -> Any:
        """Return one of the choices."""
        return choices[int(self.rng.integers(len(choices)))]

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from low to high."""
        return int(self.rng.integers(low, high + 1))


def made(seed: int, folder: Path) -> Specimen:
    """Draw one network and save it. Raises Unmade where torch does not run or export it."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.backends.mha.set_fastpath_enabled(False)
    draft = Draft(np.random.default_rng([seed, 4]))
    one, example = _input(draft)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _grown(draft, example)
        network = draft.network.eval()
        try:
            path, format, shapes = _saved(draft, network, example, folder)
        except Exception as error:
            raise Unmade(f"{type(error).__name__}: {str(error)[:200]}") from None
    most = PICTURES if example[0].numel() > 32 else SAMPLES

    def answer(inputs: Inputs) -> list[np.ndarray]:
        with torch.no_grad():
            return [network(torch.from_numpy(next(iter(inputs.values())))).numpy()]

    def shaken(inputs: Inputs, seed: int) -> list[np.ndarray]:
        with torch.no_grad():
            return [network.shaken(torch.from_numpy(next(iter(inputs.values()))), seed).numpy()]

    def asked(dice: np.random.Generator) -> Iterator[Question]:
        return draws.questions(dice, (one,), None, most=most)

    return Specimen(
        path,
        format,
        (answer,),
        asked,
        " ".join(draft.names),
        shapes,
        tuple(partial(shaken, seed=n) for n in range(WAYS)),
    )


def _input(draft: Draft) -> tuple[draws.Field, Tensor]:
    kind = draft.pick("table", "table", "picture", "picture", "series", "ids", "whole")
    if kind == "ids":
        rows = draft.whole(3, 30)
        embedding = nn.Embedding(rows, draft.whole(1, 6), padding_idx=draft.pick(None, 0))
        draft.network.add(embedding)
        draft.names.append("Embedding")
        shape = (draft.whole(2, 7),)
        return draws.Field("x", "int64", shape, rows=rows), torch.zeros((2, *shape), dtype=torch.int64)
    if kind == "whole":
        shape = (draft.whole(1, 5),)
        steps = [lambda x: x % 7, lambda x: torch.remainder(x, -3), lambda x: torch.div(x, 10, rounding_mode="floor"),
                 lambda x: torch.fmod(x, 10), lambda x: x.clamp(-5, 9), lambda x: x & 12, lambda x: x * 31 + 7, lambda x: x >> 2, torch.abs]  # fmt: skip
        for _ in range(draft.whole(0, 2)):
            number = draft.whole(0, len(steps) - 1)
            draft.network.add(steps[number])
            draft.names.append(f"whole{number}")
        draft.network.add(lambda x: x.float())
        return draws.Field("x", "int64", shape), torch.ones((2, *shape), dtype=torch.int64)
    sizes: dict[str, tuple[int, ...]] = {
        "table": (draft.whole(1, 8),),
        "series": (draft.whole(2, 8), draft.whole(1, 6)),
        "picture": (draft.whole(1, 4), draft.whole(3, 9), draft.whole(3, 9)),
    }
    return draws.Field("x", "float32", sizes[kind]), torch.randn((2, *sizes[kind]))


def _grown(draft: Draft, x: Tensor) -> None:
    """Add steps that the example can take."""
    x = draft.network(x)
    wanted = len(draft.network.steps) + draft.whole(2, 7)
    for _ in range(60):
        if len(draft.network.steps) >= wanted:
            return
        table = {2: FLAT, 3: SERIES, 4: PICTURE}.get(x.ndim, [])
        choices = [*ANY, *table, *table]
        maker = choices[draft.whole(0, len(choices) - 1)]
        try:
            step = maker(draft, x)
            step = step.eval() if isinstance(step, nn.Module) else step
            y = step(x)
        except Exception:
            continue
        if y.dtype != torch.float32 or len(y) != len(x) or not 0 < y[0].numel() <= 2048 or not 2 <= y.ndim <= 4:
            continue
        draft.network.add(step)
        layer = step.layer if isinstance(step, First) else step
        draft.names.append(type(layer).__name__ if isinstance(layer, nn.Module) else maker.__name__.strip("_"))
        x = y


def _saved(draft: Draft, network: Network, example: Tensor, folder: Path) -> tuple[Path, str, str]:
    if draft.rng.random() < 0.4:
        path = folder / "model.pt"
        traced: Any = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
        traced.save(str(path))
        dims = "x".join(map(str, example.shape[1:]))
        return path, "torchscript", dims if example.dtype == torch.float32 else f"int64:{dims}"
    path = folder / "model.pt2"
    program = torch.export.export(network, (example,), dynamic_shapes={"x": {0: torch.export.Dim("batch")}})
    torch.export.save(program, path)
    return path, "torch_export", ""


def activation(draft: Draft, x: Tensor) -> Step:
    """A layer without weights."""
    step: Step = draft.pick(
        nn.ReLU(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.ELU(0.7), nn.CELU(1.3), nn.SELU(), nn.Hardswish(), nn.Hardsigmoid(), nn.Hardtanh(-0.5, 2),
        nn.LeakyReLU(0.2), nn.Softplus(2.0, 5.0), nn.Softsign(), nn.Tanhshrink(), nn.Hardshrink(0.25), nn.Softshrink(0.25), nn.Threshold(0.5, -1), nn.Mish(),
        nn.LogSigmoid(), nn.ReLU6(), nn.PReLU(init=0.3), nn.Tanh(), nn.Sigmoid(), nn.Dropout(0.5),
    )  # fmt: skip
    return step


def function(draft: Draft, x: Tensor) -> Step:
    """A function of each number."""
    c = float(draft.pick(-2, -0.5, 0.25, 0.5, 1, 3, 60))
    step: Step = draft.pick(
        lambda x: torch.where(x > c, x, x * 0.5), lambda x: torch.where(x <= c, x - 1, c), lambda x: x.clamp(min(c, 1), max(c, 1)), lambda x: torch.remainder(x, c),
        lambda x: torch.fmod(x, c), lambda x: torch.div(x, c, rounding_mode="floor"), lambda x: torch.div(x, c, rounding_mode="trunc"), torch.round, torch.floor,
        torch.ceil, torch.trunc, torch.frac, torch.sign, lambda x: (x == c).float(), lambda x: (x >= c).float() * x, lambda x: x.masked_fill(x < c, -1.0),
        lambda x: torch.maximum(x, torch.tensor(c)), lambda x: x.abs().sqrt(), lambda x: torch.log1p(x.abs()), lambda x: x.abs() ** 1.5, lambda x: x.square(),
        lambda x: torch.nan_to_num(x, 0.5), lambda x: x.to(torch.int64).float(), lambda x: x.to(torch.float16).float(), lambda x: x.double().exp().float().clamp(max=1e4),
        lambda x: torch.rsqrt(x.abs() + 1e-3), lambda x: torch.erf(x), lambda x: torch.atan2(x, torch.ones_like(x)), lambda x: torch.expm1(x.clamp(max=5)), lambda x: torch.sinc(x),
        lambda x: x - c, lambda x: torch.round(x, decimals=1), lambda x: torch.logaddexp(x, torch.zeros_like(x)), lambda x: torch.hypot(x, torch.full_like(x, c)),
    )  # fmt: skip
    return step


def along(draft: Draft, x: Tensor) -> Step:
    """A function along one axis that holds no samples."""
    axis = draft.whole(1, x.ndim - 1)
    n = int(x.shape[axis])
    places = torch.from_numpy(draft.rng.integers(0, n, max(1, n - 1)))
    k = draft.whole(1, n)
    step: Step = draft.pick(
        lambda x: x.softmax(axis), lambda x: x.log_softmax(axis), lambda x: x.cumsum(axis), lambda x: x.flip(axis), lambda x: x.roll(1, axis),
        lambda x: x.index_select(axis, places), lambda x: x.sum(axis, keepdim=True), lambda x: x.mean(axis, keepdim=True), lambda x: x.amax(axis, keepdim=True),
        lambda x: x.std(axis, keepdim=True), lambda x: x.var(axis, unbiased=False, keepdim=True), lambda x: x.norm(dim=axis, keepdim=True),
        lambda x: x.argmax(axis, keepdim=True).float(), lambda x: x.argmin(axis, keepdim=True).float(), lambda x: x.topk(k, axis)[0], lambda x: x.topk(k, axis)[1].float(),
        lambda x: x.sort(axis, descending=True)[0], lambda x: x.argsort(axis, stable=True).float(), lambda x: x.logsumexp(axis, keepdim=True), lambda x: x.prod(axis, keepdim=True),
        lambda x: torch.cat([x, -x], axis), lambda x: F.normalize(x, dim=axis), lambda x: x.narrow(axis, 0, k), lambda x: x.repeat_interleave(2, axis),
        lambda x: x.median(axis, keepdim=True)[0], lambda x: x.cummax(axis)[0], lambda x: x.diff(dim=axis), lambda x: x.max(axis, keepdim=True)[1].float(),
        lambda x: F.gumbel_softmax(x, dim=axis) * 0 + x, lambda x: x.unfold(axis, k, 1).mean(-1), lambda x: x.any(axis, keepdim=True).float(),
    )  # fmt: skip
    return step


def linear(draft: Draft, x: Tensor) -> Step:
    """A linear layer."""
    return nn.Linear(int(x.shape[-1]), draft.whole(1, 8), bias=draft.pick(True, False))


def normal(draft: Draft, x: Tensor) -> Step:
    """A normalisation with an epsilon of any size."""
    eps, c = draft.pick(1e-12, 1e-5, 1e-2), int(x.shape[1])
    kinds: list[Callable[[], nn.Module]] = [
        lambda: nn.LayerNorm(int(x.shape[-1]), eps=eps),
        lambda: nn.RMSNorm(int(x.shape[-1]), eps=eps),
    ]
    if x.ndim > 2:
        kinds += [
            lambda: nn.GroupNorm(1, c, eps=eps),
            lambda: nn.InstanceNorm2d(c, eps=eps, affine=True) if x.ndim == 4 else nn.InstanceNorm1d(c, eps=eps),
        ]
    kinds += [lambda: {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}[x.ndim](c, eps=max(eps, 1e-5))]
    layer: nn.Module = draft.pick(*kinds)()
    for name, buffer in layer.named_buffers():
        if "var" in name or "mean" in name:
            buffer.copy_(torch.rand_like(buffer) + (0.0 if "mean" in name else 0.01))
    return layer


def recur(draft: Draft, x: Tensor) -> Step:
    """A recurrent layer or attention over the steps of a series."""
    n, hidden = int(x.shape[2]), draft.whole(1, 4)
    both = draft.pick(True, False)
    kind = draft.pick("lstm", "gru", "attention", "encoder")
    if kind == "attention":
        return First(nn.MultiheadAttention(n, 1, batch_first=True), 3)
    if kind == "encoder":
        return nn.TransformerEncoderLayer(
            n, 1, 4, dropout=0.0, batch_first=True, activation=draft.pick("relu", "gelu"), norm_first=both
        )
    rnn = (nn.LSTM if kind == "lstm" else nn.GRU)(n, hidden, batch_first=True, bidirectional=both)
    return First(rnn)


def convolve(draft: Draft, x: Tensor) -> Step:
    """A convolution with any stride, gap, padding and groups."""
    c = int(x.shape[1])
    given = {"stride": draft.whole(1, 2), "dilation": draft.whole(1, 2), "bias": draft.pick(True, False)}
    if draft.rng.random() < 0.2:
        return nn.ConvTranspose2d(
            c,
            draft.whole(1, 3),
            draft.whole(1, 3),
            stride=2,
            padding=draft.whole(0, 1),
            output_padding=draft.whole(0, 1),
        )
    groups = draft.pick(1, c)
    padding = draft.pick(0, 1, (1, 2), (2, 0))
    mode = draft.pick("zeros", "zeros", "reflect", "replicate", "circular")
    kind = nn.Conv2d if x.ndim == 4 else nn.Conv1d
    padding = padding if x.ndim == 4 or isinstance(padding, int) else 1
    return kind(c, c * draft.whole(1, 2), draft.whole(1, 3), padding=padding, groups=groups, padding_mode=mode, **given)


def pool(draft: Draft, x: Tensor) -> Step:
    """A pooling with any window, step and padding."""
    k, s, ceil = draft.whole(2, 3), draft.whole(1, 3), draft.pick(True, False)
    p = draft.whole(0, k // 2)
    step: Step = draft.pick(
        nn.MaxPool2d(k, s, p, ceil_mode=ceil), nn.AvgPool2d(k, s, p, ceil_mode=ceil, count_include_pad=draft.pick(True, False)), nn.AvgPool2d(k, s, p, ceil_mode=ceil, divisor_override=5),
        nn.AdaptiveAvgPool2d(draft.whole(1, 4)), nn.AdaptiveMaxPool2d(draft.whole(1, 3)), nn.LPPool2d(2, k, s), nn.MaxPool2d(k, s, p, dilation=2, ceil_mode=ceil),
    )  # fmt: skip
    return step


def resize(draft: Draft, x: Tensor) -> Step:
    """A picture at another size, or with a margin, or with its places moved to channels."""
    scale, size = draft.pick(2, 3, 1.5, 0.5), (draft.whole(1, 9), draft.whole(1, 9))
    corners = draft.pick(True, False)
    step: Step = draft.pick(
        lambda x: F.interpolate(x, scale_factor=scale, mode="nearest"), lambda x: F.interpolate(x, size=size, mode="nearest"), lambda x: F.interpolate(x, size=size, mode="nearest-exact"),
        lambda x: F.interpolate(x, size=size, mode="bilinear", align_corners=corners), lambda x: F.interpolate(x, scale_factor=scale, mode="bicubic", align_corners=corners),
        lambda x: F.interpolate(x, size=size, mode="bilinear", antialias=True), nn.ReflectionPad2d((1, 2, 0, 1)), nn.ReplicationPad2d((0, 1, 2, 1)), nn.ConstantPad2d((1, 0, -1, 2), 0.5),
        nn.PixelShuffle(2), nn.PixelUnshuffle(2), nn.ChannelShuffle(2), lambda x: x.permute(0, 2, 3, 1), lambda x: F.grid_sample(x, torch.tanh(x[:, :1].permute(0, 2, 3, 1).expand(-1, -1, -1, 2)), align_corners=corners),
        lambda x: F.unfold(x, 2).transpose(1, 2), lambda x: F.local_response_norm(x, 3),
    )  # fmt: skip
    return step


def flatten(draft: Draft, x: Tensor) -> Step:
    """Fewer axes."""
    step: Step = draft.pick(
        nn.Flatten(), lambda x: x.flatten(2), lambda x: x.mean(-1), lambda x: x.transpose(1, 2), lambda x: x[:, -1]
    )
    return step


def widen(draft: Draft, x: Tensor) -> Step:
    """One more axis, or products of pairs."""
    step: Step = draft.pick(
        lambda x: x.unsqueeze(1),
        lambda x: x.unsqueeze(-1),
        lambda x: torch.einsum("bi,bj->bij", x, x),
        lambda x: torch.triu(x.unsqueeze(1) * x.unsqueeze(2)),
    )
    return step


ANY = [activation, activation, function, function, along, along, linear, normal]
FLAT = [linear, widen]
SERIES = [recur, recur, flatten, convolve]
PICTURE = [convolve, convolve, pool, pool, resize, resize, flatten]
