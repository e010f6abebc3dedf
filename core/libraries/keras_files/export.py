"""A Keras model as torch's exporter takes it, with its batch and other open dimensions free."""

import functools
import keyword
import re
from dataclasses import dataclass
from inspect import Parameter, Signature
from pathlib import Path

from core.domain.errors import Refused, first_line, refusing
from core.domain.transform import option
from core.libraries.keras_files import KerasLayer, KerasModel, KerasTensor, KerasVariable
from core.libraries.keras_files.session import output_names, stateless_call
from core.libraries.torch import ExportedProgram, Module, Tensor, exported_programs
from core.onnx import files

BATCH, LENGTH = 2, 8
"""Sizes of the example that the exporter runs; it could take a one for a constant."""
COMMON_IR = 10
NEWEST = 22
OPEN = "Give the model a fixed length (keras.Input with a number instead of None), and save it again."


@dataclass(frozen=True)
class KerasOnnxOptions:
    """The operator set to ask for."""

    opset: int = option(20, "ONNX operator set to write; 18 to 22.", low=18, high=NEWEST)


def program(model: KerasModel) -> ExportedProgram:
    """Export a model as a torch program whose inputs keep their names. Raises Refused with the cause."""
    import torch

    examples = tuple(_example(tensor) for tensor in model.inputs)
    free = tuple(_free(tensor) for tensor in model.inputs)
    try:
        with torch.no_grad(), exported_programs.quiet():
            return torch.export.export(_module(model), examples, dynamic_shapes=free)
    except Exception as error:
        raise _refusal(model, error) from None


def to_onnx(model: KerasModel, out: Path, opset: int) -> None:
    """Write a model as one ONNX file that is checked and loads. Raises Refused with the cause."""
    import torch

    exported = program(model)
    with refusing("The exporter cannot convert this model", "Try another opset."), exported_programs.quiet():
        written = torch.onnx.export(
            exported,
            dynamo=True,
            opset_version=opset,
            verbose=False,
            input_names=[tensor.name for tensor in model.inputs],
            output_names=output_names(model),
        )
    if written is None:
        raise Refused("The exporter wrote no file.", "Try another opset.")
    found = written.model_proto
    found.ir_version = max(COMMON_IR, files.lowest_ir(found))
    files.name_batch(found)
    files.write(found, out)
    files.loads(out)


def to_program(model: KerasModel, out: Path) -> None:
    """Save a model as an exported program (.pt2) without a trace of this machine."""
    exported_programs.write(program(model), out)


def _refusal(model: KerasModel, error: Exception) -> Refused:
    """Say what the exporter cannot keep free, or else its own first line."""
    cause, opened = first_line(error), [t.name for t in model.inputs if None in t.shape[1:]]
    step = OPEN if opened else "Export the model as ONNX in Keras with the TensorFlow backend."
    fixed = re.match(r"Constraints violated \((.*?)\)!", cause)
    if not fixed:
        return Refused(f"The exporter cannot convert this model: {cause}", step)
    kinds = sorted({type(layer).__name__ for layer in model._flatten_layers() if _looks_at_sizes(layer)})
    guess = f" Layers that may be the cause: {', '.join(kinds)}." if kinds else ""
    return Refused(f"A layer treats a dynamic size of the model as a constant ({fixed[1][:120]}).{guess}", step)


def _looks_at_sizes(layer: KerasLayer) -> bool:
    """Say whether a layer steps through time, or hides steps by a mask."""
    return (
        hasattr(layer, "return_sequences")
        or bool(getattr(layer, "mask_zero", False))
        or type(layer).__name__ in ("Masking", "TimeDistributed")
    )


def _module(model: KerasModel) -> Module:
    """Wrap a model in a torch module that holds its weights and whose arguments are called like the model's inputs."""
    import torch

    places = _places(model.variables)
    trained = [places[id(variable)] for variable in model.trainable_variables]
    fixed = [places[id(variable)] for variable in model.non_trainable_variables]

    class Wrapped(torch.nn.Module):
        def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
            first, second = ([functools.reduce(getattr, place, self) for place in group] for group in (trained, fixed))
            return stateless_call(model, first, second, list(tensors))

    taken = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in ("self", *_arguments(model))]
    Wrapped.forward.__signature__ = Signature(taken)  # type: ignore[attr-defined]
    module = Wrapped()
    for variable in model.variables:
        _hang(module, places[id(variable)], variable.value.detach().clone(), variable.trainable)
    return module.eval()


def _places(variables: list[KerasVariable]) -> dict[int, tuple[str, ...]]:
    """Return where each weight hangs: ``dense/kernel`` at ``dense.kernel``, with a number where two would hang at one place."""
    import torch

    found: dict[int, tuple[str, ...]] = {}
    for number, variable in enumerate(variables):
        parts = [re.sub(r"\W", "_", part) or "_" for part in variable.path.split("/")]
        parts = [f"{part}_" if hasattr(torch.nn.Module, part) or part == "training" else part for part in parts]
        place = tuple(parts)
        clash = any(place[: len(other)] == other or other[: len(place)] == place for other in found.values())
        found[id(variable)] = (*parts[:-1], f"{parts[-1]}_{number}") if clash else place
    return found


def _hang(module: Module, place: tuple[str, ...], tensor: Tensor, learns: bool) -> None:
    """Put a weight at its place, as a parameter where it learns."""
    import torch

    *folders, name = place
    for folder in folders:
        if folder not in module._modules:
            module.add_module(folder, torch.nn.Module())
        module = module.get_submodule(folder)
    if learns and tensor.is_floating_point():
        module.register_parameter(name, torch.nn.Parameter(tensor))
    else:
        module.register_buffer(name, tensor)


def _arguments(model: KerasModel) -> list[str]:
    """Return the inputs' names where Python takes them as arguments, else names by place."""
    names = [tensor.name for tensor in model.inputs]
    plain = all(name.isidentifier() and not keyword.iskeyword(name) and name != "self" for name in names)
    return names if plain and len(set(names)) == len(names) else [f"input_{place}" for place in range(len(names))]


def _example(tensor: KerasTensor) -> Tensor:
    import torch

    sizes = [dim if isinstance(dim, int) else (LENGTH if place else BATCH) for place, dim in enumerate(tensor.shape)]
    return torch.zeros(sizes, dtype=getattr(torch, str(tensor.dtype)))


def _free(tensor: KerasTensor) -> dict[int, object]:
    import torch

    dims = {place: torch.export.Dim.DYNAMIC for place, dim in enumerate(tensor.shape) if dim is None and place}
    return dims if tensor.shape and isinstance(tensor.shape[0], int) else {0: torch.export.Dim("batch"), **dims}
