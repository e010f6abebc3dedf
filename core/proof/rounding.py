"""What float32 loses in the source itself: the recorded answers beside those of the same graph in float64.

A result that is no further from the source than that, times a small factor, is as near to the exact answer as the source is
(forward error, Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 1.5).
"""

from pathlib import Path

import numpy as np

from core.domain.runtime import Session
from core.proof import golden

OWN = 4.0
"""Times its own loss that the source may differ from another float32 order of the same sums: the errors of both add up, and vary."""
WIDER = 10.0
"""Times the tolerance beyond which no loss of the source excuses a difference: that at the largest number of the sample, or of the same place in all samples where that is less, so that millions beside ones excuse nothing of the ones."""

Exact = dict[str, np.ndarray]
"""The answers in float64 by the names of the recorded ones: ``c{case}/out{output}``."""


def record(session: Session, recorded: Path, out: Path) -> int:
    """Answer the recorded inputs, write the answers, and return how many calls were answered."""
    source, arrays, calls = golden.read(recorded), Exact(), 0
    for number, case in enumerate(source.cases):
        if not case.stored:
            continue
        try:
            answers = list(session.run(source.case_inputs(number)).values())
        except Exception:  # noqa: S112 -- what cannot be answered in float64 excuses nothing
            continue
        calls += 1
        arrays |= {f"c{number}/out{place}": answer for place, answer in enumerate(answers)}
    np.savez_compressed(out, allow_pickle=False, **arrays)
    return calls


def read(path: Path) -> Exact:
    """Read what ``record`` wrote, without unpickling."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def allowed(answer: np.ndarray, exact: np.ndarray | None, bound: np.ndarray) -> np.ndarray:
    """Return by how much each number of a recorded answer may differ, of its shape: ``bound``, or more where the source itself loses more.

    The loss of a sample is that of its worst number, or what is usual for samples of its size, as an error can be small
    by chance.
    """
    if exact is None or exact.shape != answer.shape or answer.dtype != np.float32 or not (answer.ndim and answer.size):
        return bound
    with np.errstate(invalid="ignore"):
        loss = np.nan_to_num(np.abs(answer.astype(np.float64) - exact), nan=0.0, posinf=0.0)
        size = np.nan_to_num(np.abs(answer.astype(np.float64)), nan=0.0, posinf=0.0)
    of_sample, largest, of_row = (x.max(axis=tuple(range(1, x.ndim)), keepdims=True) for x in (loss, size, bound))
    widest = np.minimum(of_row, bound.max(axis=0, keepdims=True))
    usual = float(np.median(of_sample / np.maximum(largest, np.finfo(np.float32).tiny)))
    own = np.maximum(of_sample, usual * largest)
    return np.asarray(np.maximum(bound, np.minimum(OWN * own, WIDER * widest)))
