"""ncnn on the CPU: the reference for its own format, called once for each sample of a batch."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.border import archives
from core.domain.artifact import Signature, TensorSpec
from core.domain.errors import Refused
from core.domain.groups import GROUPS
from core.domain.runtime import Domain, Runtime, Session
from core.formats.anatomy import ncnn_param
from core.formats.ncnn import FORMAT, rows_of, specs

if TYPE_CHECKING:
    import ncnn

AGAIN = "Convert the model to ncnn again with pnnx."


class Ncnn(Runtime):
    """Runs on one thread in 32-bit floats, one sample after the other, so that equal inputs give equal bits."""

    title = "ncnn"
    sentence = "Runs ncnn models on the CPU, one sample at a time."
    formats = (FORMAT.id,)
    packages = ("numpy", "ncnn")
    kind = "light"
    group = GROUPS["ncnn"]

    def open(self, path: Path, format: str) -> Session:
        """Load layers and weights. Raises Refused when ncnn does not take them."""
        import ncnn

        rows = rows_of(path)
        ncnn_param.check(rows)
        net = ncnn.Net()
        net.opt.num_threads = 1
        for name in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(net.opt, name, False)
        folder = Path(tempfile.mkdtemp(prefix="ncnn-"))
        files = {file.suffix.lower(): str(file) for file in archives.extract(path, folder)}
        if net.load_param(files[".param"]) != 0 or net.load_model(files[".bin"]) != 0:
            raise Refused("ncnn cannot load this model: its layers and weights do not match.", AGAIN)
        return NcnnSession(net, rows)


class NcnnSession(Session):
    """A loaded net; what it takes and gives is named in0, in1, ... and out0, out1, ..."""

    def __init__(self, net: "ncnn.Net", rows: list[ncnn_param.Row]) -> None:
        self._net, self._outputs = net, ncnn_param.outputs(rows)
        bounds = ncnn_param.id_bounds(rows)
        outputs = tuple(TensorSpec(name, "float32", None) for name in self._outputs)
        self.signature = Signature(tuple(specs(rows)), outputs)
        self.domains = {
            spec.name: Domain("ids", bound=bounds[spec.name]) if spec.name in bounds else Domain()
            for spec in self.signature.inputs
        }

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run each sample alone and stack the answers along the first dimension."""
        samples = [self._one({name: array[n] for name, array in inputs.items()}) for n in range(_rows(inputs))]
        return {name: np.stack([sample[name] for sample in samples]) for name in self._outputs}

    def _one(self, sample: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        import ncnn

        extractor = self._net.create_extractor()
        for name, array in sample.items():
            held = np.ascontiguousarray(array)  # a Mat only points into the array
            if extractor.input(name, ncnn.Mat(held).clone()) != 0:
                raise ValueError(f"ncnn does not accept the input {name}")
        return {name: _answer(extractor, name) for name in self._outputs}


def _rows(inputs: dict[str, np.ndarray]) -> int:
    counts = {len(array) for array in inputs.values()}
    if len(counts) != 1:
        raise ValueError("the inputs have different numbers of samples")
    return counts.pop()


def _answer(extractor: "ncnn.Extractor", name: str) -> np.ndarray:
    code, value = extractor.extract(name)
    if code != 0:
        raise ValueError(f"ncnn gives no answer for {name}: the input does not fit the layers")
    return np.array(value)


RUNTIME = Ncnn()
