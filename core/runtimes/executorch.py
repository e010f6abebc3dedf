"""ExecuTorch on the CPU: the reference for .pte programs, with the XNNPACK delegate that the package brings."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.domain.artifact import Signature
from core.domain.errors import Refused, first_line
from core.domain.groups import GROUPS
from core.domain.runtime import UNKNOWN_INTEGER, Domain, Runtime, Session
from core.formats.anatomy import executorch_program
from core.formats.executorch import FORMAT

if TYPE_CHECKING:
    from executorch.runtime import Method, Program


class ExecuTorchRuntime(Runtime):
    """Runs the program's one method, in pieces where there are more samples than one call may take."""

    title = "ExecuTorch"
    sentence = "Runs .pte programs on the CPU."
    formats = (FORMAT.id,)
    packages = ("numpy", "torch", "executorch")
    kind = "torch"
    group = GROUPS["executorch"]

    def open(self, path: Path, format: str) -> Session:
        """Load the program and its method. Raises Refused where a kernel or a delegate is not on this machine."""
        program = executorch_program.read(path)
        from executorch.runtime import Runtime as Engine

        try:
            loaded = Engine.get().load_program(path.read_bytes())
            return ExecuTorchSession(loaded, loaded.load_method(program.method), program)
        except Exception as error:
            cause = first_line(error)[:200]
            used = ", ".join((*program.delegates, *program.kernels))
            raise Refused(
                f"ExecuTorch cannot load this program: {cause}; it needs {used[:200]}.",
                "Convert the model again, for XNNPACK.",
            ) from None


class ExecuTorchSession(Session):
    """A loaded method; inputs and outputs are known by their place."""

    def __init__(self, loaded: "Program", method: "Method", program: executorch_program.Program) -> None:
        self._loaded, self._method, self._largest = loaded, method, program.largest
        self.signature = Signature(program.inputs, program.outputs)
        self.domains = {s.name: Domain() if "float" in s.dtype else UNKNOWN_INTEGER for s in program.inputs}

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the method on as many samples at once as the program takes."""
        arrays = [inputs[spec.name] for spec in self.signature.inputs]
        rows = max((len(array) for array in arrays if array.ndim), default=1)
        step = rows if self._largest is None else min(rows, self._largest)
        parts = [self._once([array[n : n + step] for array in arrays]) for n in range(0, rows, step)]
        names = [spec.name for spec in self.signature.outputs]
        return {name: np.concatenate(part) for name, part in zip(names, zip(*parts, strict=True), strict=True)}

    def _once(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        import torch

        answer = self._method.execute([torch.from_numpy(np.ascontiguousarray(array)) for array in arrays])
        return [np.array(tensor.numpy()) for tensor in answer]


RUNTIME = ExecuTorchRuntime()
