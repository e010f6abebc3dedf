"""Weights by name out of checkpoints and safetensors files, and whether they fit a network."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import Refused, first_line, refusing
from core.libraries.torch import Module, Tensor

State = dict[str, Tensor]
TABLES = ("state_dict", "model_state_dict", "model", "net", "weights", "params")
"""Names under which training programs keep the weights, in the order in which they are preferred."""
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")
"""What wrappers put before each name."""
BESIDE = re.compile(r"Unsupported (?:global|class): (?:GLOBAL )?([\w.]+)")
"""What torch refuses to build of a file, in the words of version 2.13."""
DEEPEST = 4
COUNTERS = "num_batches_tracked"
SHOWN = 3


@dataclass(frozen=True)
class Misfit:
    """The names that a network lacks in the file, those that it does not know, and those of another shape."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many names do not fit."""
        return len(self.missing) + len(self.unexpected) + len(self.reshaped)


def read(path: Path, format: str) -> State:
    """Return the tensors by name, from the largest table of them in the file. Raises Refused where there is none."""
    with refusing("The weights cannot be read", "Save the state_dict of the model alone.", _cause):
        if format == "safetensors":
            from safetensors.torch import load_file

            value: object = load_file(path)
        else:
            import torch

            value = torch.load(path, map_location="cpu", weights_only=True)
    tables = list(_tables("", value, 0))
    if not tables:
        raise Refused("The file contains no named weights.", "Save the state_dict of the model.")
    return max(tables, key=lambda table: (len(table[1]), -_rank(table[0])))[1]


def _cause(error: Exception) -> str:
    """Name what a checkpoint holds beside weights, as torch tells it behind its first line, else say that line."""
    held = dict.fromkeys(BESIDE.findall(str(error)))
    return f"the file also holds {', '.join(held)}, which is not loaded" if held else first_line(error)


def fill(module: Module, state: State, architecture: str) -> None:
    """Put the weights into a network. Raises Refused with the first names of each kind that does not fit."""
    import torch

    tried = [(table, _misfit(module, table)) for table in _readings(state)]
    table, misfit = min(reversed(tried), key=lambda one: one[1].count)
    if misfit.count:
        raise Refused(
            f"The weights do not fit {architecture}: {_told(misfit)}.",
            "Name another architecture, or the arguments that it was built with.",
        )
    with torch.no_grad():
        module.load_state_dict(table, strict=False)


def _tables(name: str, value: object, depth: int) -> Iterator[tuple[str, State]]:
    import torch

    if not isinstance(value, dict) or depth > DEEPEST:
        return
    tensors = {key: part for key, part in value.items() if isinstance(key, str) and isinstance(part, torch.Tensor)}
    if tensors:
        yield name, tensors
    for key, part in value.items():
        yield from _tables(str(key), part, depth + 1)


def _rank(name: str) -> int:
    return TABLES.index(name) if name in TABLES else len(TABLES)


def _readings(state: State) -> Iterator[State]:
    """Yield the table as it is, and without what wrappers put before its names."""
    yield state
    for _ in range(DEEPEST):
        prefix = next((p for p in PREFIXES if state and all(name.startswith(p) for name in state)), None)
        if prefix is None:
            return
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
        yield state


def _misfit(module: Module, state: State) -> Misfit:
    own = module.state_dict()
    shapes = [(n, tuple(state[n].shape), tuple(own[n].shape)) for n in own if n in state]
    return Misfit(
        tuple(name for name in own if name not in state and not name.endswith(COUNTERS)),
        tuple(name for name in state if name not in own and not name.endswith(COUNTERS)),
        tuple(f"{n} ({_dims(a)} in the file, {_dims(b)} in the network)" for n, a, b in shapes if a != b),
    )


def _dims(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "one number"


def _told(misfit: Misfit) -> str:
    kinds = {"missing in the file": misfit.missing, "unknown to the network": misfit.unexpected}
    return "; ".join(
        f"{len(names)} {what}: {', '.join(names[:SHOWN])}{' ...' if len(names) > SHOWN else ''}"
        for what, names in {**kinds, "of another shape": misfit.reshaped}.items()
        if names
    )
