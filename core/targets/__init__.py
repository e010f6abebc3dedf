"""The shelf of targets: one place to run a file, with what is exported for it and how it says whether it bears a graph.

Support is asked of the engine or of the tables in its installed package, never written down by hand; what no engine here
can say is not known before the model was exported and replayed.
"""

from core.domain.shelf import Shelf
from core.domain.target import Target
from core.targets import (
    c_source,
    core_ml,
    core_ml_provider,
    executorch,
    litert,
    ncnn,
    nnapi,
    onnxruntime,
    onnxruntime_web,
    openvino,
    triton,
)

TARGETS: Shelf[Target] = Shelf(
    "target",
    onnxruntime.TARGET,
    triton.TARGET,
    openvino.TARGET,
    onnxruntime_web.TARGET,
    nnapi.TARGET,
    core_ml_provider.TARGET,
    litert.TARGET,
    executorch.TARGET,
    ncnn.TARGET,
    core_ml.TARGET,
    c_source.TARGET,
)
