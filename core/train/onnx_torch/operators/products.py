"""Products of matrices."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from core.train.onnx_torch.graph import Node
from core.train.onnx_torch.operators.table import Operator, standard


def gemm(node: Node, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    """``alpha A B + beta C``; a plain linear layer stays one."""
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    a = a.t() if node.get("transA", 0) else a
    if alpha == beta == 1 and (c is None or c.dim() == 1) and a.is_floating_point():
        return F.linear(a, b if node.get("transB", 0) else b.t(), c)
    y = torch.matmul(a, b.t() if node.get("transB", 0) else b)
    y = y if alpha == 1 else y * alpha
    return (y if c is None else y + (c if beta == 1 else c * beta)).to(a.dtype)


def einsum(node: Node, *inputs: Tensor) -> Tensor:
    """Sum products by Einstein's notation."""
    return torch.einsum(node.get("equation"), *inputs)


def matmul_integer(
    node: Node, a: Tensor, b: Tensor, a_zero: Tensor | None = None, b_zero: Tensor | None = None
) -> Tensor:
    """Multiply whole numbers beside their zero points, in 32 bits."""
    return torch.matmul(_centred(a, a_zero, -1), _centred(b, b_zero, None))


def _centred(x: Tensor, zero: Tensor | None, column: int | None) -> Tensor:
    wide = x.to(torch.int32)
    if zero is None:
        return wide
    return wide - (zero.to(torch.int32).unsqueeze(column) if column and zero.dim() else zero.to(torch.int32))


TABLE = standard(
    {
        "MatMul": lambda node, a, b: torch.matmul(a, b),
        "Gemm": gemm,
        "Einsum": einsum,
        "Det": lambda node, x: torch.linalg.det(x),
        "MatMulInteger": Operator(matmul_integer, frozen=(2, 3)),
    }
)
