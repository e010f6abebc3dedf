"""Counts what ONNX Runtime really runs of a file on this processor, after its optimisations."""

import os
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from core.domain.overhead import Kernels

INTEGER = frozenset(
    (
        "ConvInteger",
        "DynamicQuantizeLSTM",
        "DynamicQuantizeMatMul",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "QAttention",
        "QGemm",
        "QLinearConv",
        "QLinearMatMul",
    )
)
FLOATING = frozenset(
    (
        "Attention",
        "Conv",
        "ConvTranspose",
        "FusedConv",
        "FusedGemm",
        "FusedMatMul",
        "Gemm",
        "GRU",
        "LSTM",
        "MatMul",
        "MatMulNBits",
        "RNN",
    )
)
BETWEEN = frozenset(("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"))


def count(path: Path) -> Kernels:
    """Open a file as it is served and count the operators of the graph that is left, those of inner graphs aside."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnx
    import onnxruntime

    with TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 4
        options.optimized_model_filepath = str(Path(folder) / "optimized.onnx")
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights.bin")
        options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        graph = onnx.load(options.optimized_model_filepath, load_external_data=False).graph
    found = Counter(node.op_type for node in graph.node)
    integer, floating, between = (sum(found[name] for name in kind) for kind in (INTEGER, FLOATING, BETWEEN))
    return Kernels(integer, floating, between, len(graph.node))
