"""LSTM, GRU and RNN: torch's own kernels where they mean the same, else one step after the other."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from core.domain.errors import Refused
from core.train.onnx_torch.graph import Node
from core.train.onnx_torch.operators.table import standard

ACTIVATIONS: dict[str, Callable[..., Tensor]] = {
    "Relu": lambda x, a, b: torch.relu(x),
    "Tanh": lambda x, a, b: torch.tanh(x),
    "Sigmoid": lambda x, a, b: torch.sigmoid(x),
    "Affine": lambda x, a, b: a * x + b,
    "LeakyRelu": lambda x, a, b: torch.where(x < 0, a * x, x),
    "ThresholdedRelu": lambda x, a, b: torch.where(x > a, x, torch.zeros_like(x)),
    "ScaledTanh": lambda x, a, b: a * torch.tanh(b * x),
    "HardSigmoid": lambda x, a, b: torch.clamp(a * x + b, 0, 1),
    "Elu": lambda x, a, b: torch.where(x < 0, a * (torch.exp(x) - 1), x),
    "Softsign": lambda x, a, b: x / (1 + torch.abs(x)),
    "Softplus": lambda x, a, b: torch.nn.functional.softplus(x),
}
DEFAULTS = {"Affine": (1.0, 0.0), "LeakyRelu": (0.01, 0.0), "ThresholdedRelu": (1.0, 0.0), "ScaledTanh": (1.0, 1.0)}
DEFAULTS |= {"HardSigmoid": (0.2, 0.5), "Elu": (1.0, 0.0)}
USUAL = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""Torch's order of gates in ONNX's (LSTM: i o f c to i f g o; GRU: z r h to r z n)."""


@dataclass(frozen=True)
class RecurrentLayer:
    """One recurrent layer: input as [time, batch, features], weights by direction, states, and lengths of the sequences if given."""

    x: Tensor
    w: Tensor
    r: Tensor
    bias: Tensor
    h: Tensor
    c: Tensor | None
    lengths: Tensor | None
    peephole: Tensor | None


def recurrent(node: Node, x: Tensor, w: Tensor, r: Tensor, *rest: Tensor | None) -> tuple[Tensor, ...]:
    """Run the layer; gives all hidden states, the last one, and for an LSTM the last cell."""
    b, lengths, h, c, peephole = (*rest, *[None] * 5)[:5]
    by_batch = bool(node.get("layout", 0))
    directions, hidden = int(r.shape[0]), int(r.shape[-1])
    x = x.transpose(0, 1) if by_batch else x
    state = [directions, x.shape[1], hidden]
    h = x.new_zeros(state) if h is None else h.transpose(0, 1) if by_batch else h
    c = x.new_zeros(state) if c is None else c.transpose(0, 1) if by_batch else c
    bias = x.new_zeros([directions, 2 * r.shape[1]]) if b is None else b
    layer = RecurrentLayer(x, w, r, bias, h, c if node.type == "LSTM" else None, lengths, peephole)
    y, *ends = (_by_kernel if _is_usual(node, layer) else _by_steps)(node, layer)
    if not by_batch:
        return y, *ends
    return y.permute(2, 0, 1, 3), *(end.transpose(0, 1) for end in ends)


def _is_usual(node: Node, layer: RecurrentLayer) -> bool:
    """Say whether torch's kernel computes the same."""
    count = int(layer.r.shape[0])
    names = [name.capitalize() for name in node.get("activations", [])] or USUAL[node.type] * count
    usual = [name.capitalize() for name in USUAL[node.type]] * count
    special = node.get("clip") or node.get("input_forget", 0) or layer.peephole is not None or layer.lengths is not None
    backwards = node.get("direction", "forward") == "reverse"
    return (
        names == usual
        and not special
        and not backwards
        and (node.type != "GRU" or bool(node.get("linear_before_reset", 0)))
    )


def _by_kernel(node: Node, layer: RecurrentLayer) -> tuple[Tensor, ...]:
    directions = int(layer.r.shape[0])
    weights = [part for d in range(directions) for part in _kernel_weights(node.type, layer, d)]
    how = (weights, True, 1, 0.0, False, directions == 2, False)
    if node.type == "LSTM":
        y, h, c = torch.lstm(layer.x, (layer.h, layer.c), *how)  # type: ignore[arg-type]
        return _apart(y, directions), h, c
    kernel = torch.gru if node.type == "GRU" else torch.rnn_tanh
    y, h = kernel(layer.x, layer.h, *how)
    return _apart(y, directions), h


def _kernel_weights(kind: str, layer: RecurrentLayer, d: int) -> list[Tensor]:
    count = len(GATES[kind])
    first, second = layer.bias[d].chunk(2)
    return [_reordered(part, kind, count) for part in (layer.w[d], layer.r[d], first, second)]


def _reordered(part: Tensor, kind: str, count: int) -> Tensor:
    gates = part.chunk(count)
    return torch.cat([gates[place] for place in GATES[kind]]) if count > 1 else part


def _apart(y: Tensor, directions: int) -> Tensor:
    """Turn [time, batch, directions x hidden] into [time, directions, batch, hidden]."""
    return y.reshape(y.shape[0], y.shape[1], directions, -1).transpose(1, 2)


def _by_steps(node: Node, layer: RecurrentLayer) -> tuple[Tensor, ...]:
    if not isinstance(layer.x.shape[0], int | Tensor):
        raise Refused("it steps over a dynamic number of time steps", "Fix the length of the sequence.")
    runs = [_direction(node, layer, d) for d in range(int(layer.r.shape[0]))]
    parts = [torch.stack(one, dim=1 if place == 0 else 0) for place, one in enumerate(zip(*runs, strict=True))]
    return tuple(parts if node.type == "LSTM" else parts[:2])


def _direction(node: Node, layer: RecurrentLayer, d: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return all hidden states, the last hidden state and the last cell of one direction."""
    backwards = d == 1 or node.get("direction", "forward") == "reverse"
    h, c = layer.h[d], layer.h[d] if layer.c is None else layer.c[d]
    steps = range(int(layer.x.shape[0]))
    outputs: dict[int, Tensor] = {}
    for t in reversed(steps) if backwards else steps:
        new_h, new_c = CELLS[node.type](node, layer, d, layer.x[t], h, c)
        if layer.lengths is None:
            h, c, outputs[t] = new_h, new_c, new_h
            continue
        alive = (t < layer.lengths).unsqueeze(1)
        h, c = torch.where(alive, new_h, h), torch.where(alive, new_c, c)
        outputs[t] = torch.where(alive, new_h, torch.zeros_like(new_h))
    return torch.stack([outputs[t] for t in steps]), h, c


def _activation(node: Node, d: int, place: int) -> Callable[[Tensor], Tensor]:
    usual = USUAL[node.type]
    at = d * len(usual) + place
    names = node.get("activations") or usual * 2
    name = next((known for known in ACTIVATIONS if known.lower() == names[at].lower()), None)
    if name is None:
        raise Refused(f"it uses the activation {names[at]!r}", "Use sigmoid, tanh or relu.")
    defaults = DEFAULTS.get(name, (0.0, 0.0))
    given = [node.get(key) or [] for key in ("activation_alpha", "activation_beta")]
    a, b = (values[at] if at < len(values) else default for values, default in zip(given, defaults, strict=True))
    clip = node.get("clip")
    return lambda x: ACTIVATIONS[name](torch.clamp(x, -clip, clip) if clip else x, a, b)


def _sums(layer: RecurrentLayer, d: int, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    first, second = layer.bias[d].chunk(2)
    return x @ layer.w[d].t() + first, h @ layer.r[d].t() + second


def _lstm(node: Node, layer: RecurrentLayer, d: int, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    f, g, out = (_activation(node, d, place) for place in range(3))
    i_in, o_in, f_in, c_in = sum(_sums(layer, d, x, h)).chunk(4, dim=-1)  # type: ignore[union-attr]
    if layer.peephole is None:
        p_i = p_o = p_f = x.new_zeros(1)
    else:
        p_i, p_o, p_f = layer.peephole[d].chunk(3)
    enter = f(i_in + p_i * c)
    forget = 1 - enter if node.get("input_forget", 0) else f(f_in + p_f * c)
    new_c = forget * c + enter * g(c_in)
    return f(o_in + p_o * new_c) * out(new_c), new_c


def _gru(node: Node, layer: RecurrentLayer, d: int, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    f, g = (_activation(node, d, place) for place in range(2))
    new, old = _sums(layer, d, x, h)
    (z_x, r_x, h_x), (z_h, r_h, h_h) = new.chunk(3, dim=-1), old.chunk(3, dim=-1)
    z, r = f(z_x + z_h), f(r_x + r_h)
    if node.get("linear_before_reset", 0):
        inner = g(h_x + r * h_h)
    else:
        inner = g(h_x + (r * h) @ layer.r[d].chunk(3)[2].t() + layer.bias[d].chunk(6)[5])
    new_h = (1 - z) * inner + z * h
    return new_h, new_h


def _rnn(node: Node, layer: RecurrentLayer, d: int, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    new, old = _sums(layer, d, x, h)
    new_h = _activation(node, d, 0)(new + old)
    return new_h, new_h


CELLS = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}

TABLE = standard({"LSTM": recurrent, "GRU": recurrent, "RNN": recurrent})
