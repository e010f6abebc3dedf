"""What a torch model answers, as named NumPy arrays."""

import numpy as np

from core.libraries.torch import Tensor


def named(answer: object, names: list[str]) -> dict[str, np.ndarray]:
    """Return the tensors of an answer in order under these names, or under numbers where the count differs."""
    import torch
    from torch.utils import _pytree

    tensors = [leaf for leaf in _pytree.tree_leaves(answer) if isinstance(leaf, torch.Tensor)]
    names = names if len(names) == len(tensors) else [f"output_{i}" for i in range(len(tensors))]
    return {name: array(tensor) for name, tensor in zip(names, tensors, strict=True)}


def array(tensor: Tensor) -> np.ndarray:
    """Return a tensor as NumPy holds it; bfloat16, which NumPy lacks, as float32."""
    import torch

    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).detach().cpu().numpy()
