"""The file of recorded inputs and answers: plain arrays in an .npz, and what they are in one JSON text."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from core.domain.errors import Refused, first_line

MAX_BYTES = 64_000_000


@dataclass(frozen=True)
class Case:
    """One call of the source: its name, what was special, how many samples, and why it does not count if it does not.

    ``bounds`` marks what a model may never meet, numbers where the case does not count, and sizes where it does: where
    the result answers those numbers otherwise, or rejects those sizes, nothing failed, but no PASS is given either.
    """

    name: str
    what: str
    samples: int
    counted: bool = True
    reason: str = ""
    stored: bool = True
    bounds: bool = False


@dataclass(frozen=True)
class Golden:
    """Everything recorded of one source: names in order, cases in order, the arrays of each stored case, why the answers are not its own, and why they are not the same each time."""

    seed: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    cases: tuple[Case, ...]
    free_batch: bool = True
    secondhand: str = ""
    unsteady: str = ""
    notes: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def case_inputs(self, number: int) -> dict[str, np.ndarray]:
        """Return the inputs of one case by name."""
        return {name: self.arrays[f"c{number}/in{i}"] for i, name in enumerate(self.inputs)}

    def ordinary(self, batch: int) -> tuple[dict[str, np.ndarray], int]:
        """Return the inputs of one ordinary call by name, and how many samples they hold: ``batch`` where the source takes any number.

        Raises Refused where the source answered no call that was kept.
        """
        counted = [n for n, case in enumerate(self.cases) if case.stored and case.counted]
        if not counted:
            raise Refused(
                "No recorded call of the source is available to measure with.",
                "Add a data set that the model can answer.",
            )
        number = min(counted, key=lambda n: (self.cases[n].name != "random", n))
        inputs, samples = self.case_inputs(number), self.cases[number].samples
        if not self.free_batch:
            return inputs, samples
        rows = np.arange(batch) % samples
        return {name: _taken(array, samples, rows) for name, array in inputs.items()}, batch

    @property
    def echoes(self) -> list[tuple[int, list[np.ndarray]]]:
        """The numbers of cases, and what the source answers to their inputs moved by one rounding."""
        asked = [number for number in range(len(self.cases)) if f"c{number}/moved0" in self.arrays]
        return [(n, [self.arrays[f"c{n}/moved{i}"] for i in range(len(self.outputs))]) for n in asked]

    def case_outputs(self, number: int) -> list[np.ndarray]:
        """Return the answers of one case in order."""
        return [self.arrays[f"c{number}/out{i}"] for i in range(len(self.outputs))]


def _taken(array: np.ndarray, samples: int, rows: np.ndarray) -> np.ndarray:
    """Return some of the samples of an array, which lie along its first dimension that is as long as they are many."""
    return array.take(rows, axis=array.shape.index(samples)) if samples in array.shape else array


def write(golden: Golden, out: Path) -> None:
    """Write the arrays with the JSON text beside them; equal answers give equal bytes."""
    meta = {k: v for k, v in vars(golden).items() if k not in ("arrays", "cases")}
    meta["cases"] = [asdict(case) for case in golden.cases]
    np.savez_compressed(out, allow_pickle=False, meta=np.array(json.dumps(meta, sort_keys=True)), **golden.arrays)


def read(path: Path) -> Golden:
    """Read a golden file without unpickling. Raises Refused when it is no such file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(str(arrays.pop("meta")))
        cases = tuple(Case(**case) for case in meta.pop("cases"))
        meta |= {key: tuple(meta[key]) for key in ("inputs", "outputs", "notes")}
        return Golden(cases=cases, arrays=arrays, **meta)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise Refused(
            f"The recorded answers cannot be read: {first_line(error)[:200]}", "Run the conversion again."
        ) from None
