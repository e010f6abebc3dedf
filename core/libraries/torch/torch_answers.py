"""What a torch model answers, as named NumPy arrays."""

from typing import Any


def named(answer: Any, names: list[str]) -> dict[str, Any]:
    """Return the tensors of an answer in order under these names, or under numbers where the count differs."""
    import torch
    from torch.utils import _pytree

    tensors = [leaf for leaf in _pytree.tree_leaves(answer) if isinstance(leaf, torch.Tensor)]
    names = names if len(names) == len(tensors) else [f"output_{i}" for i in range(len(tensors))]
    return {name: _array(tensor) for name, tensor in zip(names, tensors, strict=True)}


def _array(tensor: Any) -> Any:
    import torch

    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).detach().cpu().numpy()
