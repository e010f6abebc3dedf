"""A Keras model as a runtime needs it: flat tensors in and out by name, free dimensions named, ids below their tables."""

from collections.abc import Sequence
from typing import Any

from core.domain.artifact import Dim, Signature, TensorSpec
from core.domain.runtime import UNKNOWN_INTEGER, Domain, Session
from core.libraries.keras_files import KerasLayer, KerasModel, KerasTensor, library, quiet
from core.libraries.torch import Tensor
from core.libraries.torch.torch_answers import array


class KerasSession(Session):
    """A rebuilt model on one thread without gradients."""

    def __init__(self, model: KerasModel) -> None:
        self._model = model
        self.signature = Signature(tuple(map(_spec, model.inputs)), ())
        self.names = output_names(model)
        bounds = _bounds(model)
        self.domains = {spec.name: _domain(spec, bounds.get(spec.name)) for spec in self.signature.inputs}

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Call the model for inference and name its outputs after its last layers."""
        import torch

        keras = library()
        flat = [torch.from_numpy(inputs[spec.name]) for spec in self.signature.inputs]
        with torch.no_grad(), quiet(), keras.device("cpu"):
            answers = flat_call(self._model, flat)
        return {name: array(answer) for name, answer in zip(self.names, answers, strict=True)}


def flat_call(model: KerasModel, flat: list[Tensor]) -> tuple[Tensor, ...]:
    """Call a model with its tensors in the order of ``model.inputs``, and return its outputs in order."""
    return tuple(library().tree.flatten(model(_packed(model, flat), training=False)))


def stateless_call(
    model: KerasModel, trained: Sequence[object], fixed: Sequence[object], flat: list[Tensor]
) -> tuple[Tensor, ...]:
    """Call a model with weights and tensors of the caller, and return its outputs in order."""
    answer, _ = model.stateless_call(trained, fixed, _packed(model, flat), training=False)
    return tuple(library().tree.flatten(answer))


def _packed(model: KerasModel, flat: list[Tensor]) -> object:
    structure = getattr(model, "_inputs_struct", None)
    return flat[0] if structure is None else library().tree.pack_sequence_as(structure, flat)


def output_names(model: KerasModel) -> list[str]:
    """Return one name per output: that of its layer where no two come from one."""
    names = [tensor._keras_history.operation.name for tensor in model.outputs]
    return names if len(set(names)) == len(names) else [f"output_{place}" for place in range(len(names))]


def _spec(tensor: KerasTensor) -> TensorSpec:
    shape: list[Dim] = [
        dim if isinstance(dim, int) else ("batch" if place == 0 else None) for place, dim in enumerate(tensor.shape)
    ]
    return TensorSpec(tensor.name, str(tensor.dtype), tuple(shape))


def _domain(spec: TensorSpec, bound: int | None) -> Domain:
    if bound:
        return Domain("ids", bound=bound)
    return Domain() if spec.dtype.startswith(("float", "bfloat")) else UNKNOWN_INTEGER


def _bounds(model: KerasModel) -> dict[str, int]:
    """Return, for each input that is looked up in a table, the rows of its smallest table; also where it is declared as numbers."""
    bounds: dict[str, int] = {}
    for layer in model.operations if hasattr(model, "operations") else model.layers:
        rows = _rows(layer)
        for node in layer._inbound_nodes if rows else ():
            for tensor in node.input_tensors:
                for name in _origins(tensor, {spec.name for spec in model.inputs}):
                    bounds[name] = min(bounds.get(name, rows), rows)
    return bounds


def _rows(layer: KerasLayer) -> int:
    """Return the rows of a layer's table, or of the tables in a model inside; 0 without one."""
    if getattr(layer, "layers", None):
        return min((rows for rows in map(_rows, layer.layers) if rows), default=0)
    return int(getattr(layer, "input_dim", None) or getattr(layer, "num_tokens", None) or 0)


def _origins(tensor: KerasTensor, inputs: set[str]) -> set[str]:
    """Follow a tensor back through layers without weights to the inputs of the model."""
    layer, place, _ = tensor._keras_history
    found = {tensor.name} & inputs
    if not layer._inbound_nodes or getattr(layer, "weights", None):
        return found
    node = layer._inbound_nodes[place]
    return found.union(*(_origins(one, inputs) for one in node.input_tensors if one is not tensor))
