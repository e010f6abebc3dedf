"""TorchScript to OpenVINO IR by the engine's own reader of torch graphs: it takes scripts that the ONNX exporter refuses."""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.domain.artifact import TensorSpec
from core.domain.errors import Refused, refusing
from core.domain.transform import Converter, Tolerance
from core.formats.anatomy.torch_files import told_beside
from core.libraries import ir, ir_arithmetic
from core.libraries.ir_arithmetic import ArithmeticOptions
from core.libraries.torch import ScriptModule, exported_programs, torchscripts
from core.libraries.torch.torchscripts import ShapeOptions

if TYPE_CHECKING:
    from openvino import Model

LOG_SIGMOID = re.compile(r"aten::log_sigmoid(_\d+)?/Log")
"""What the engine calls its form of torch's operator."""
BATCH = 2
"""An example with one row could be taken for a constant."""


@dataclass(frozen=True)
class TorchScriptOptions(ArithmeticOptions, ShapeOptions):
    """The shapes of the inputs, and whether a quantized script keeps its integers."""


class TorchScriptToOpenVino(Converter):
    """Traces the types on an example, frees the batch of every input, and refuses what the engine has no rule for."""

    title = "TorchScript to OpenVINO"
    sentence = "Writes a TorchScript file as OpenVINO IR; needs the input shapes where the file does not imply them."
    source, target, suffix = "torchscript", "openvino", ".zip"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)
    Options = TorchScriptOptions

    def convert(self, source: Path, out: Path, options: TorchScriptOptions) -> None:
        """Convert on an example, write and compile. Raises Refused without shapes, or with all operators that have no rule."""
        module = torchscripts.load(source)
        specs = torchscripts.specs(module, options.shapes)
        model = _converted(module, specs)
        _finite(model)
        _free_batch(model, specs)
        names = tuple(spec.name for spec in specs)
        ir_arithmetic.settle(model, options.arithmetic)
        if entries := told_beside(source):
            ir.tell(model, entries)
        ir.write(model, out, names, [f"output_{place}" for place in range(len(model.outputs))])


def _converted(module: ScriptModule, specs: tuple[TensorSpec, ...]) -> "Model":
    examples = exported_programs.examples(
        specs, [(BATCH, *(int(dim or 1) for dim in (spec.shape or ())[1:])) for spec in specs]
    )
    torchscripts.called(module, examples)
    openvino = ir.engine()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return openvino.convert_model(module, example_input=examples)
    except Exception as error:
        step = "Replace them in the network with other torch operators, or convert to ONNX first."
        raise ir.refusal(error, ", ".join, step) from None


def _finite(model: "Model") -> None:
    """Write the logarithm of a sigmoid so that it stays finite: the engine's form of it is minus infinity below -88, and its SoftPlus is 2e-6 off."""
    from openvino import opset13

    for body in ir_arithmetic.bodies(model):
        zero = opset13.constant(np.float32(0))
        for node in body.get_ordered_ops():
            if LOG_SIGMOID.search(node.get_friendly_name()) and node.get_type_name() == "Log":
                x = node.input_value(0).get_node().input_value(0)
                rest = opset13.log(opset13.sigmoid(opset13.absolute(x)))
                node.output(0).replace(opset13.add(opset13.minimum(x, zero), rest).output(0))


def _free_batch(model: "Model", specs: tuple[TensorSpec, ...]) -> None:
    """Set every input to its shape with a free batch. Raises Refused where an output would keep the example's batch."""
    if len(model.inputs) != len(specs):
        raise Refused("OpenVINO drops an input of this script.", "Remove the unused input from the network.")
    shapes = [ir.engine().PartialShape([-1, *(spec.shape or ())[1:]]) for spec in specs]
    with refusing(
        "The script does not accept a dynamic batch size",
        "Trace the model so that the batch size is dynamic.",
        ir.cause,
    ):
        model.reshape(dict(enumerate(shapes)))


CONVERTER = TorchScriptToOpenVino()
