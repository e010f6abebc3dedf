"""What stays as it is while weights are trained, so that the file stays as small: zeros, shared values, 16-bit floats."""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from core.onnx.bit_packing import LARGEST, halved_exactly

LEAST = 64
"""Values from which 16-bit floats count as chosen, and not as chance."""
TABLE = 256
"""Values from which a vector may hold zeros or shared values on purpose; a table of two dimensions always may."""
READERS = 4
"""Weights a value from which values count as shared."""


class Rule(Protocol):
    """Moves one tensor of the network by way of a parameter of its own, ``leaf``."""

    leaf: nn.Parameter

    def gather(self) -> None:
        """Give the leaf its gradient, from that of the tensor."""

    def spread(self) -> None:
        """Set the tensor to what the leaf stands for."""


class Loose:
    """Every weight moves by itself, apart from zeros, which stay; those behind an ``open`` mask go on learning unseen."""

    def __init__(self, tensor: nn.Parameter) -> None:
        array = tensor.detach()
        self.tensor, self.leaf = tensor, nn.Parameter(array.clone())
        self.halved, self.open = is_halved(array), False
        self.mask: Tensor | None = (array != 0) if may_share(array) and bool((array == 0).any()) else None

    def gather(self) -> None:
        """Leave the gradient of zeros out."""
        assert self.tensor.grad is not None
        self.leaf.grad = self.tensor.grad if self.mask is None or self.open else self.tensor.grad * self.mask

    @torch.no_grad()
    def spread(self) -> None:
        """Round to 16 bits where the file had no more."""
        values = self.leaf if self.mask is None else torch.where(self.mask, self.leaf, 0.0)
        self.tensor.copy_(values.half() if self.halved else values)


class Shared:
    """Weights of one value move together: their gradients are summed (Han 2016, arXiv 1510.00149, section 3.3)."""

    def __init__(self, tensor: nn.Parameter) -> None:
        values, places = torch.unique(tensor.detach(), return_inverse=True)
        self.tensor, self.leaf, self.places = tensor, nn.Parameter(values + 0.0), places.reshape(-1)
        self.free, self.halved = values != 0, is_halved(tensor.detach())

    def gather(self) -> None:
        """Sum the gradients of each value; zero stays zero."""
        assert self.tensor.grad is not None
        summed = torch.bincount(self.places, self.tensor.grad.reshape(-1).double(), len(self.leaf))
        self.leaf.grad = summed.to(self.leaf.dtype) * self.free

    @torch.no_grad()
    def spread(self) -> None:
        """Look each weight up among the values."""
        values = self.leaf.half().to(self.leaf.dtype) if self.halved else self.leaf
        self.tensor.copy_(values[self.places].reshape(self.tensor.shape))


def rule(tensor: nn.Parameter) -> Rule:
    """Return what a tensor's own numbers say: of few values each stands for many weights, or each weight is its own."""
    return Shared(tensor) if is_shared(tensor.detach()) else Loose(tensor)


def is_shared(tensor: Tensor) -> bool:
    """Say whether a tensor holds at most 256 different values, each for four weights and more on average."""
    if not may_share(tensor):
        return False
    count = len(torch.unique(tensor))
    return 1 < count <= min(LARGEST, tensor.numel() // READERS)


def may_share(tensor: Tensor) -> bool:
    """Say whether zeros and equal values of a tensor are meant: those of a bias are not."""
    return tensor.dim() > 1 or tensor.numel() >= TABLE


def is_halved(tensor: Tensor) -> bool:
    """Say whether 16-bit floats hold every value of a tensor."""
    array: np.ndarray = np.asarray(tensor.numpy())
    return tensor.numel() >= LEAST and halved_exactly(array) is not None
