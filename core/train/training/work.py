"""How much one training may compute, counted in floating-point operations: on any load, equal seeds then give equal weights."""

import math
from dataclasses import dataclass

import torch

from core.domain.errors import Refused
from core.onnx import calibration
from core.onnx.typing import Samples
from core.train.training.student import Student
from core.train.training.teacher import Teacher

ASKING = 0.25
"""Share of the training for the teacher's answers, and for all looks at the deciding samples; a large model sees fewer."""
LOOKS = 20
"""Times that the deciding samples are asked, in equal parts of the training."""
LEARNING = 3
"""What a step of learning computes, to one answer: backwards takes twice as much (Kaplan 2020, arXiv 2001.08361, section 2.1)."""


@dataclass(frozen=True)
class Work:
    """The floating-point operations of a whole training, infinite where nobody set a bound, and those of one answer of the student."""

    total: float = math.inf
    answer: float = 1.0

    @classmethod
    def bounded(cls, teraflops: float, student: Student, teacher: Teacher, inputs: Samples) -> "Work":
        """Return the work of so many trillions of operations, 0 for without bound, on samples [n, ...]."""
        if not teraflops:
            return cls()
        from torch.utils.flop_counter import FlopCounterMode

        n = teacher.batch or 1
        with torch.no_grad(), FlopCounterMode(display=False) as counted:
            student.run(student.tensors(teacher.laid_out(calibration.cut(inputs, 0, n))))
        return cls(teraflops * 1e12, max(1.0, counted.get_total_flops() / n))

    @property
    def bound(self) -> bool:
        """Whether somebody set a bound."""
        return math.isfinite(self.total)

    @property
    def answered(self) -> float:
        """The samples that the teacher answers, at most."""
        return ASKING * self.total / self.answer

    @property
    def deciding(self) -> float:
        """The samples that are looked at, at most."""
        return self.answered / LOOKS

    def steps(self, samples: int) -> float:
        """Return how many steps of so many samples there are at most. Raises Refused where the looks are more than the steps."""
        steps = self.total / (LEARNING * self.answer * samples)
        if steps < LOOKS:
            raise Refused(
                f"A model of {self.answer / 1e9:.3g} billion operations per sample learns nothing in {self.total / 1e12:.3g} trillion.",
                "Allow the training more operations, or choose a technique that does not train.",
            )
        return steps
