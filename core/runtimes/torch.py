"""PyTorch on the CPU: the reference for exported programs and TorchScript."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core.domain.artifact import Dim, Signature, TensorSpec
from core.domain.errors import Refused, refusing
from core.domain.operators import Spent
from core.domain.recipe import Option
from core.domain.runtime import UNKNOWN_INTEGER, Domain, Runtime, Session
from core.libraries.torch import (
    ExportedProgram,
    Module,
    ScriptModule,
    constants,
    reckoning,
    torch_answers,
    torchscripts,
)

PASSING = (
    "_to_copy", "to", "reshape", "view", "unsqueeze", "squeeze", "flatten", "slice", "clone", "contiguous", "expand",
    "clamp",
)  # fmt: skip
"""Operators of aten that hand ids on as they are."""


class TorchRuntime(Runtime):
    """Runs on one thread without gradients, so that equal inputs give equal bits."""

    title = "PyTorch"
    sentence = "Runs exported programs (.pt2) and TorchScript on the CPU."
    formats = ("torch_export", "torchscript")
    packages = ("numpy", "torch")
    kind = "torch"
    traces = True

    def open(self, path: Path, format: str) -> Session:
        """Load the file. Raises Refused with the cause when torch cannot."""
        import torch

        torch.set_num_threads(1)
        if format == "torch_export":
            return ProgramSession(load_program(path))
        return ScriptSession(torchscripts.load(path), torchscripts.kept_inputs(path))

    def opener_on(self, path: Path, format: str, given: dict[str, Option], threads: int) -> Callable[[], Session]:
        """Open the file, and let torch use so many threads from then on."""
        import torch

        def open_it() -> Session:
            session = self.open(path, format)
            torch.set_num_threads(threads)
            return session

        return open_it

    def in_float64(self, path: Path, format: str) -> Session | None:
        """Widen the operators of an exported program that name float32; TorchScript is code that names what it likes."""
        return ProgramSession(load_program(path), in_float64) if format == "torch_export" else None


class TorchSession(Session):
    """What torch's sessions share: its profiler sees the operators of all."""

    def spent(self, inputs: dict[str, np.ndarray], trace: Path) -> list[Spent]:
        """Run once under torch's profiler; the time of an operator is its own, without those that it calls."""
        from torch.autograd import profiler

        with profiler.profile(use_kineto=False) as seen:
            self.run(inputs)
        seen.export_chrome_trace(str(trace))
        found = seen.key_averages()
        return [Spent("", one.key, float(one.count), float(one.self_cpu_time_total)) for one in found]


class ProgramSession(TorchSession):
    """An exported program, called with its flat tensor inputs by name."""

    def __init__(self, program: ExportedProgram, module: Callable[[ExportedProgram], Module] | None = None) -> None:
        from torch.export.graph_signature import ConstantArgument

        self._widened = module is not None
        self._call, self._spec = module(program) if module else program.module(), program.call_spec.in_spec
        arguments = [spec.arg for spec in program.graph_signature.input_specs if spec.kind.name == "USER_INPUT"]
        self._flat = [a.value if isinstance(a, ConstantArgument) else a.name for a in arguments]
        self._constant = [isinstance(a, ConstantArgument) for a in arguments]
        symbols: dict[str, str] = {}
        values = {node.name: node.meta.get("val") for node in program.graph.nodes}
        inputs = [
            _tensor(a.name, values[a.name], symbols) for a, c in zip(arguments, self._constant, strict=True) if not c
        ]
        outputs = [s.arg for s in program.graph_signature.output_specs if s.kind.name == "USER_OUTPUT"]
        self.signature = Signature(
            tuple(inputs),
            tuple(_tensor(a.name, values[a.name], symbols) for a in outputs if values.get(a.name) is not None),
        )
        bounds = _id_bounds(program)
        self.domains = {spec.name: _domain(spec, bounds.get(spec.name)) for spec in inputs}
        self.wide = reckoning.of_program(program, _whole(self.signature))
        self.close = reckoning.close_in_program(program, _double(self.signature))
        self.landmarks = constants.of_program(program, [spec.name for spec in inputs])

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Call the program and name its flat tensor outputs as its signature does."""
        import torch

        args, kwargs = self.arguments(inputs)
        with torch.no_grad():
            return torch_answers.named(self._call(*args, **kwargs), [spec.name for spec in self.signature.outputs])

    def arguments(self, inputs: dict[str, np.ndarray]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return arrays by input name as the arguments that the program takes."""
        import torch
        from torch.utils import _pytree

        kinds = {spec.name: getattr(torch, spec.dtype) for spec in self.signature.inputs}
        if self._widened:
            kinds = {name: torch.float64 if kind == torch.float32 else kind for name, kind in kinds.items()}
        flat = [
            part if constant else torch.from_numpy(inputs[str(part)]).to(kinds[str(part)])
            for part, constant in zip(self._flat, self._constant, strict=True)
        ]
        args, kwargs = _pytree.tree_unflatten(flat, self._spec)
        return args, kwargs


class ScriptSession(TorchSession):
    """A TorchScript module; shapes are what lies beside it (``kept``) or what the network itself betrays, else unknown."""

    def __init__(self, module: ScriptModule, kept: tuple[TensorSpec, ...]) -> None:
        self._module = module
        names = torchscripts.input_names(module)
        bound = torchscripts.id_bound(module)
        unknown = tuple(TensorSpec(name, "float32" if bound is None else "int64", None) for name in names)
        told = tuple(replace(spec, name=name) for spec, name in zip(kept, names, strict=False))
        told = told if len(told) == len(names) == len(kept) else ()
        guess = () if told else torchscripts.guess(module, names) or ()
        self.signature, self.guessed = Signature(told or guess or unknown, ()), bool(guess)
        self.domains = {spec.name: _domain(spec, bound) for spec in told or unknown}
        self._reckoned = reckoning.of_script(module, names)
        self._compared = reckoning.close_in_script(module, names)
        self.landmarks = constants.of_script(module, names)

    @property
    def wide(self) -> frozenset[str]:
        """The inputs of whole numbers that the script reckons with; their types may come from its owner."""
        return self._reckoned & frozenset(_whole(self.signature))

    @property
    def close(self) -> frozenset[str]:
        """The inputs of float64 that the script compares with each other or rounds."""
        return self._compared & frozenset(_double(self.signature))

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Call ``forward`` with the inputs in the order of its arguments."""
        import torch

        with torch.no_grad():
            return torch_answers.named(
                self._module(*(torch.from_numpy(inputs[spec.name]) for spec in self.signature.inputs)), []
            )


def load_program(path: Path) -> ExportedProgram:
    """Load an exported program. Raises Refused with the cause."""
    import torch

    said = "torch cannot load this exported program", "Save it again with torch.export.save."
    with refusing(*said), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*(torch\.jit|pickle|weights_only).*", category=FutureWarning)
        return torch.export.load(str(path))


def in_float64(program: ExportedProgram) -> Module:
    """Return the module of a program with float64 in place of each float32."""
    import torch
    from torch.fx.node import map_aggregate

    module = program.module(check_guards=False).to(torch.float64)
    for node in list(module.graph.nodes):
        if node.target is torch.ops.aten._assert_tensor_metadata.default:
            module.graph.erase_node(node)
            continue
        node.args, node.kwargs = (
            map_aggregate(value, lambda one: torch.float64 if one is torch.float32 else one)
            for value in (node.args, node.kwargs)
        )
    module.recompile()
    return module


def _tensor(name: str, value: object, symbols: dict[str, str]) -> TensorSpec:
    import torch

    if not isinstance(value, torch.Tensor):
        raise Refused(f"{name!r} is {type(value).__name__}, not a tensor.", "Export the model with plain tensors.")
    shape: tuple[Dim, ...] = tuple(
        dim
        if isinstance(dim, int)
        else symbols.setdefault(str(dim), "batch" if not symbols and not place else str(dim))
        for place, dim in enumerate(value.shape)
    )
    return TensorSpec(name, str(value.dtype).removeprefix("torch."), shape)


def _whole(signature: Signature) -> list[str]:
    """Return the names of the inputs of whole numbers."""
    return [spec.name for spec in signature.inputs if "int" in spec.dtype]


def _double(signature: Signature) -> list[str]:
    """Return the names of the inputs of float64."""
    return [spec.name for spec in signature.inputs if spec.dtype == "float64"]


def _domain(spec: TensorSpec, bound: int | None) -> Domain:
    if spec.dtype.startswith(("float", "bfloat", "complex")):
        return Domain()
    return Domain("ids", bound=bound) if bound else UNKNOWN_INTEGER


def _id_bounds(program: ExportedProgram) -> dict[str, int]:
    """Return, for each input that an embedding looks up, the rows of its smallest table."""
    bounds: dict[str, int] = {}
    for node in program.graph.nodes:
        if node.op == "call_function" and str(node.target).startswith("aten.embedding."):
            table, source = node.args[0].meta["val"], node.args[1]
            while source.op == "call_function" and str(source.target).split(".")[1] in PASSING:
                source = source.args[0]
            rows = int(table.shape[0])
            bounds[source.name] = min(bounds.get(source.name, rows), rows)
    return bounds


RUNTIME = TorchRuntime()
