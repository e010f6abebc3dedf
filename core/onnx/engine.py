"""ONNX Runtime as it is asked whether it takes a graph, which is then thrown away."""


def load(model: bytes) -> None:
    """Make a session of a serialised model. Raises what the engine raises."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
