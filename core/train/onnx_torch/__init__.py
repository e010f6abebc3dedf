"""ONNX as a trainable torch module: initializers become parameters, each operator one small function on tensors.

``read`` turns a model into nodes and weights and names everything unsupported at once; ``Network`` is the module. Shapes
that the graph computes (Shape, Gather, Concat, Reshape) never become tensors: they stay Python numbers or torch's symbols
(``values.Known``), so that ``torch.export`` keeps a free batch without guards on data. Only the sandboxed child imports this.
"""

from core.train.onnx_torch.network import Network, build
from core.train.onnx_torch.reading import read

__all__ = ["Network", "build", "read"]
