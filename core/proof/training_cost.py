"""Finds what one step of training saves for its way back, by running the forward pass on tensors that have shapes and no numbers.

autograd tells each tensor that it saves (torch.autograd.graph.saved_tensors_hooks); what counts are storages, each once,
without weights and buffers. FakeTensorMode runs every operator for its shapes alone, so any batch size costs the same.
The smallest batch is run for real too. Where the two do not agree, small real steps take the place of the reckoned ones:
the workspace of oneDNN's recurrent layers has no shape, and TorchScript's interpreter mixes its own weights in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.domain.errors import Refused, refusing
from core.domain.recipe import Option
from core.domain.training_cost import Training
from core.libraries.torch import Module, Tensor
from core.proof.golden import Golden

BATCHES = (2, 8, 32)
REAL_BATCHES = (2, 6, 10)
AGREED = 0.01
"""Share by which a reckoned step may differ from a real one."""
Forward = Callable[..., object]


@dataclass(frozen=True)
class Trainable:
    """A module with its tensors in training, and how arrays by input name become the arguments of its forward pass."""

    module: Module
    arguments: Callable[[dict[str, np.ndarray]], tuple[tuple[Any, ...], dict[str, Any]]]
    fake: bool = True

    def own(self) -> dict[str, Tensor]:
        """Return its weights and buffers by name."""
        return {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}


def trainable(path: Path, format: str, given: dict[str, Option]) -> Trainable:
    """Load a model so that it can be trained. Raises Refused where it cannot."""
    found = _loaded(path, format, given)
    kept = 0
    for parameter in found.module.parameters():
        if parameter.is_floating_point() or parameter.is_complex():
            parameter.requires_grad_(True)
            kept += parameter.numel()
    if not kept:
        raise Refused("The file contains no weights that can be trained.", "Choose a model with weights in floats.")
    return found


def _loaded(path: Path, format: str, given: dict[str, Option]) -> Trainable:
    from core.runtimes import torch as programs

    if format == "torch_export":
        program = programs.load_program(path)
        session = programs.ProgramSession(program)
        return Trainable(program.module(check_guards=False), session.arguments)
    if format == "torchscript":
        from core.libraries.torch import torchscripts

        script = torchscripts.load(path)
        return Trainable(script, _in_order(list(torchscripts.input_names(script))), fake=False)
    if format in ("torch_checkpoint", "safetensors"):
        from core.domain.transform import parse_options
        from core.libraries import architectures

        built = architectures.build(path, format, parse_options(architectures.ArchitectureOptions, given))
        built.module.train()
        return Trainable(built.module, _in_order([spec.name for spec in built.inputs]))
    from core.onnx import files
    from core.train import onnx_torch

    network = onnx_torch.build(files.load(files.unpacked(path) if format == "onnx_external" else path))
    return Trainable(network, _in_order([port.name for port in network.graph.inputs]))


def _in_order(names: list[str]) -> Callable[[dict[str, np.ndarray]], tuple[tuple[Any, ...], dict[str, Any]]]:
    import torch

    return lambda inputs: (tuple(torch.from_numpy(np.ascontiguousarray(inputs[name])) for name in names), {})


def training(model: Trainable, recorded: Golden) -> Training:
    """Reckon what a step takes at some batch sizes, on recorded inputs. Raises Refused where the forward pass does not run."""
    own = model.own()
    real = _steps(real_step, model, recorded, REAL_BATCHES[:1])
    found = _steps(fake_step, model, recorded, BATCHES) if model.fake else {}
    agreed = all(batch in found and abs(found[batch] - saved) <= AGREED * saved for batch, saved in real.items())
    steps = found if agreed else _steps(real_step, model, recorded, REAL_BATCHES)
    return Training(
        weights=sum(map(_bytes, own.values())),
        trainable=sum(_bytes(one) for one in own.values() if one.requires_grad),
        batches=tuple(steps),
        saved=tuple(steps.values()),
        measured=not agreed,
    )


def _steps(
    step: Callable[[Trainable, dict[str, np.ndarray]], int],
    model: Trainable,
    recorded: Golden,
    batches: tuple[int, ...],
) -> dict[int, int]:
    """Return what a step saves by batch size; a model of one size takes that alone."""
    taken = {batch: arrays for arrays, batch in map(recorded.ordinary, batches)}
    return {batch: step(model, arrays) for batch, arrays in taken.items()}


def fake_step(model: Trainable, inputs: dict[str, np.ndarray]) -> int:
    """Return the bytes that a forward pass on inputs of these shapes would save."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.utils import _pytree

    mode, own = FakeTensorMode(allow_non_fake_inputs=True), model.own()
    with mode:
        fakes: dict[str, Tensor] = {name: mode.from_tensor(one) for name, one in own.items()}
        args, kwargs = _pytree.tree_map_only(torch.Tensor, mode.from_tensor, model.arguments(inputs))
        return saved_bytes(lambda: torch.func.functional_call(model.module, fakes, args, kwargs), list(fakes.values()))


def real_step(model: Trainable, inputs: dict[str, np.ndarray]) -> int:
    """Return the bytes that a forward pass saves."""
    args, kwargs = model.arguments(inputs)
    return saved_bytes(lambda: model.module(*args, **kwargs), list(model.own().values()))


def saved_bytes(forward: Forward, own: list[Tensor]) -> int:
    """Run a forward pass and add up the storages that it saves, without those of ``own``. Raises Refused where it does not run."""
    import torch

    weights = {one.untyped_storage()._cdata for one in own}
    held = dict[int, Any]()  # keeps each storage alive, so that no other takes its address

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            held[storage._cdata] = storage
        return tensor

    said = "The forward pass does not run for training", "Export the model again from its framework."
    with refusing(*said), torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda one: one):
        answer = forward()
    del answer
    return sum(storage.nbytes() for storage in held.values())


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
