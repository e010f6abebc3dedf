"""Export of recurrent layers for sequences of any length.

To learn the shapes of a layer's answers, torch.export walks through as many steps as the example has, and so writes that
number into the program. The kernels themselves take any number; here the shapes are told without a walk.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch._C import DispatchKey

KEYS = (DispatchKey.CompositeImplicitAutograd, DispatchKey.Autograd)


@contextmanager
def any_length() -> Iterator[None]:
    """Let programs that are exported meanwhile keep the number of time steps free."""
    layers = (torch.ops.aten.lstm.input, torch.ops.aten.gru.input, torch.ops.aten.rnn_tanh.input)
    kept = [dict(layer.py_kernels) for layer in layers]
    try:
        for layer in layers:
            layer.py_kernels.update(dict.fromkeys(KEYS, _shapes))
            layer._dispatch_cache.clear()
        yield
    finally:
        for layer, kernels in zip(layers, kept, strict=True):
            layer.py_kernels.clear()
            layer.py_kernels.update(kernels)
            layer._dispatch_cache.clear()


def _shapes(
    x: Tensor,
    state: Tensor | Sequence[Tensor],
    weights: Sequence[Tensor],
    biases: bool,
    layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, ...]:
    """Return empty tensors shaped as the answers: hidden states [time, batch, directions x hidden] and the last states."""
    states = (state,) if isinstance(state, Tensor) else tuple(state)
    hidden = states[0].shape[-1] * (2 if bidirectional else 1)
    return x.new_empty([x.shape[0], x.shape[1], hidden]), *(torch.empty_like(one) for one in states)
