"""Who owns the memory of a process that answers: Python, the runtime, weights, the values between operators, and the rest."""

from dataclasses import dataclass

from core.domain.limits import MB
from core.domain.operators import Operators
from core.domain.overhead import Footprint


@dataclass(frozen=True)
class Owner:
    """A part of the memory: its name, megabytes, and in a sentence what it is."""

    name: str
    megabytes: float
    what: str


def owners(
    python: float | None, runtime: float | None, memory: Footprint, operators: Operators | None
) -> tuple[Owner, ...]:
    """Divide the residence at the peak of inference; what the engine does not tell apart is one part.

    ``python`` and ``runtime`` are megabytes that an interpreter holds before the runtime and what its import adds.
    """
    found = [
        Owner("Python", python or 0.0, "The interpreter, with the little of Portolan that runs in it, before the runtime is imported."),
        Owner("Runtime", runtime or 0.0, "What the import of the runtime adds."),
        Owner("Pages of files", memory.mapped, "Code of the runtime that is first touched here, and mapped weights; processes share it."),
    ]  # fmt: skip
    inside = max(0.0, memory.inference_peak - memory.mapped)
    if operators is None:
        held = min(inside, memory.anonymous)
        found += [
            Owner("Model", held, "Weights and the engine's own structures once the file is open."),
            Owner("Answering", inside - held, "What an answer adds: values between operators and workspace."),
        ]
    else:
        weights = min(inside, operators.weights / MB)
        values = min(inside - weights, operators.activations.bytes / MB)
        found += [
            Owner("Weights", weights, "The constants of the graph as it is served."),
            Owner("Values between operators", values, "The least that must live at once."),
            Owner("Workspace and copies", inside - weights - values, "Packed copies of weights, kernels' workspace, and what the allocator keeps."),
        ]  # fmt: skip
    return tuple(one for one in found if one.megabytes > 0)
