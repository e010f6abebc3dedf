"""The study of one-operator models (``benchmarks.one_operator``) for the two ways to torch: how many convert and agree.

``python -m benchmarks.onnx_to_torch FOLDER [PART]``; one JSON object on stdout.
"""

import json
import sys
from pathlib import Path

from benchmarks import one_operator
from core.domain.recipe import Step

WAYS = (Step("onnx_to_torch_export"), Step("onnx_to_torchscript"))

if __name__ == "__main__":
    part = sys.argv[2] if len(sys.argv) > 2 else ""
    print(json.dumps(one_operator.main(Path(sys.argv[1]), part, WAYS)))
