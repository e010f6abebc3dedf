"""The table of ONNX operators: one small function each, grouped by what they do."""

from core.train.onnx_torch.operators import (
    contrib,
    control,
    convolution,
    elementwise,
    gathering,
    normalisation,
    pooling,
    products,
    quantisation,
    recurrent,
    reduction,
    resizing,
    shape,
)
from core.train.onnx_torch.operators.table import Key, Table

OPERATORS: Table = {
    **elementwise.TABLE,
    **shape.TABLE,
    **gathering.TABLE,
    **reduction.TABLE,
    **products.TABLE,
    **normalisation.TABLE,
    **convolution.TABLE,
    **pooling.TABLE,
    **resizing.TABLE,
    **recurrent.TABLE,
    **quantisation.TABLE,
    **contrib.TABLE,
}
SUPPORTED: frozenset[Key] = frozenset({*OPERATORS, *control.TABLE, ("", "Constant")})
