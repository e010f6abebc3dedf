"""The course of a training: batches, steps by Adam with a rate that falls as a cosine, and the best weights so far."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.domain.errors import Refused
from core.domain.limits import WORKING
from core.domain.technique import Lesson
from core.onnx.typing import ModelProto
from core.train.training.lesson import Goal
from core.train.training.material import FEW, LEAST, Batch, Material, batches, mixed, require
from core.train.training.pictures import moved
from core.train.training.student import Student
from core.train.training.teacher import Teacher, outputs
from core.train.training.thinning import Thinning
from core.train.training.work import ASKING, LOOKS, Work

USED, IGNORED = "use", "ignore"
MOST_MINUTES = 8.0
"""Training that still leaves time to read and to write within the limits of a job."""
CPU_SHARE = 0.75
"""Of the CPU seconds of a job, after which training ends early."""
WARM = 0.05
"""Share of the training in which the rate rises."""
LATE = 0.05
"""Share of its minutes from which a training heeds the clock; before, only its steps count, for the first are slow."""
KNOWN = 1e-9
"""Distance from the teacher at which there is nothing to learn."""


@dataclass(frozen=True)
class Plan:
    """How long and how a student is trained, the weights that it keeps by name, and the share of the others that goes on the way."""

    minutes: float
    epochs: int
    learning_rate: float
    temperature: float
    labels: str
    seed: int
    keep: str = ""
    share: float = 0.0
    teraflops: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """The distance of the deciding samples to the lesson, before and after."""

    before: float
    after: float


class Clock:
    """Says which share of its time is gone: the wall clock's, or of the CPU seconds that a job may use."""

    def __init__(self, minutes: float) -> None:
        self._start, self._seconds = time.monotonic(), 60 * minutes
        self._cpu, self._most = time.process_time(), CPU_SHARE * WORKING.cpu_seconds

    @property
    def gone(self) -> float:
        """The share, 1 and more when the time is over."""
        return max((time.monotonic() - self._start) / self._seconds, (time.process_time() - self._cpu) / self._most)


def train(source: Path, lesson: Lesson, plan: Plan) -> ModelProto:
    """Return the ModelProto of ``source`` with trained weights.

    The same seed gives the same weights where the epochs or the operations end the training and not the minutes. Raises
    Refused without samples, where torch cannot train the model, and where the file already answers like its teacher.
    """
    clock = Clock(plan.minutes)
    torch.set_num_threads(min(torch.get_num_threads(), threads(plan.minutes)))
    require(lesson.inputs)
    torch.manual_seed(plan.seed)
    student, teacher = Student(source, plan.keep), Teacher(lesson.teacher)
    student.check(source, lesson.inputs, teacher.batch)
    work = Work.bounded(plan.teraflops, student, teacher, lesson.inputs)
    answers = teacher.answers(lesson.inputs, lambda n: n >= work.answered or clock.gone > ASKING)
    if (n := len(answers[0])) < LEAST:
        given = len(next(iter(lesson.inputs.values())))
        raise Refused(
            f"In such a short training the original answers only {n} of {given} samples, and {LEAST} are needed.",
            "Allow more minutes or operations, or choose a technique that does not train.",
        )
    goal = Goal(outputs(answers), plan.temperature)
    material = Material.split(_samples(lesson, answers, goal, plan), teacher.batch, plan.seed)
    Course(student, teacher, goal, material, plan, clock, work).run(lesson.tell)
    model = student.store()
    student.check(model.SerializeToString(), lesson.inputs, teacher.batch)
    return model


def threads(minutes: float) -> int:
    """Return how many threads may run for so long within the CPU seconds of a job."""
    return max(1, int(CPU_SHARE * WORKING.cpu_seconds / (60 * minutes)))


def _samples(lesson: Lesson, answers: list[np.ndarray], goal: Goal, plan: Plan) -> Batch:
    n = len(answers[0])
    labels = goal.usable(lesson.labels[:n], answers) if plan.labels == USED and lesson.labels is not None else None
    return Batch({name: array[:n] for name, array in lesson.inputs.items()}, answers, labels)


class Course:
    """One training from the weights of a student to better ones."""

    def __init__(
        self,
        student: Student,
        teacher: Teacher,
        goal: Goal,
        material: Material,
        plan: Plan,
        clock: Clock,
        work: Work,
    ) -> None:
        self._student, self._teacher, self._goal = student, teacher, goal
        self._material, self._plan, self._clock, self._work = material, plan, clock, work
        self._mixes = len(material.trained) < FEW
        self._deciding = self._fewer(work.deciding)
        self._rng = np.random.default_rng(plan.seed)
        self._leaves = [rule.leaf for rule in student.rules.values()]
        self._optimizer = torch.optim.Adam(self._leaves, lr=plan.learning_rate)
        self._thinning = Thinning(student, material.trained.inputs, plan.share) if plan.share else None

    def run(self, tell: Callable[[float, str], None]) -> Outcome:
        """Train until the epochs or the minutes are over, and leave the student with the best weights on the deciding samples."""
        before = self._first_look()
        if before < KNOWN and self._thinning is None:
            raise Refused(
                "The model already answers like its teacher, so there is nothing to learn.",
                "Put this step after one that changes the answers, or use labels.",
            )
        best = math.inf if self._thinning else before
        kept, looked = self._student.weighed(), 0
        for progress in self._steps():
            tell(progress, f"{progress:.0%} done, distance {min(best, before):.3g} from {before:.3g}")
            if int(progress * LOOKS) == looked or not (self._thinning is None or self._thinning.settled):
                continue
            looked, found = int(progress * LOOKS), self.distance()
            if found < best:
                best, kept = found, self._student.weighed()
        if self._thinning and not math.isfinite(best):
            raise Refused(
                "The training ended before enough weights were removed.", "Allow more minutes, or choose a lower share."
            )
        self._student.put(kept)
        return Outcome(before, best)

    def _first_look(self) -> float:
        """Return the distance before the training; where the clock is the only bound and they take too long, deciding samples are fewer from now on."""
        start, found = self._clock.gone, self.distance()
        cost = (self._clock.gone - start) * LOOKS / ASKING
        if cost <= 1 or self._work.bound:
            return found
        self._deciding = self._fewer(len(self._deciding) / cost)
        return self.distance()

    def _fewer(self, most: float) -> Batch:
        """Return no more of the deciding samples than that, but for the least that can decide."""
        unit, deciding = self._material.unit, self._material.deciding
        fewer = max(LEAST // 2, int(min(len(deciding), most))) // unit * unit
        return deciding.rows(slice(fewer or unit))

    def _steps(self) -> Iterator[float]:
        """Take one step after the other and yield how much is done, 1 after the last."""
        epoch = max(1, len(self._material.trained) // self._material.size)
        steps = min(self._plan.epochs * epoch, self._work.steps(self._material.size * (1 + self._mixes)))
        step, progress, begun = 0, 0.0, self._clock.gone + LATE
        while progress < 1:
            for batch in batches(self._material.trained, self._material.size, self._rng):
                self._step(batch, progress)
                step += 1
                late = (self._clock.gone - begun) / max(1 - begun, LATE)
                progress = min(1.0, max(step / steps, late))
                yield progress
                if progress >= 1:
                    return

    def _step(self, batch: Batch, progress: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = (
                self._plan.learning_rate * min(1.0, progress / WARM + 0.01) * (1 + math.cos(math.pi * progress)) / 2
            )
        for parameter in self._student.network.parameters():
            parameter.grad = None
        for piece in self._pieces(batch):
            (self._apart(piece) * (len(piece) / len(batch))).backward()  # type: ignore[no-untyped-call]
        for rule in self._student.rules.values():
            rule.gather()
        self._optimizer.step()
        if self._thinning:
            self._thinning.advance(progress)
        for rule in self._student.rules.values():
            rule.spread()

    def _pieces(self, batch: Batch) -> Iterator[Batch]:
        """Yield a batch in the pieces that the model takes, and as many that are mixed and moved where there are few."""
        step = self._teacher.batch or len(batch)
        for start in range(0, len(batch) - step + 1, step):
            piece = batch.rows(slice(start, start + step))
            yield piece
            if self._mixes:
                inputs = moved(mixed(piece.inputs, self._rng), self._rng)
                yield Batch(inputs, self._teacher.answer(inputs), None)

    def _apart(self, batch: Batch) -> Tensor:
        said = self._student.run(self._student.tensors(self._teacher.laid_out(batch.inputs)))
        wanted = [torch.from_numpy(np.ascontiguousarray(array)) for array in batch.answers]
        labels = None if batch.labels is None else torch.from_numpy(batch.labels)
        distance = self._goal.distance(said, wanted, labels)
        if torch.is_grad_enabled() and not distance.requires_grad:
            raise Refused(
                "No output of the model depends on its weights in a way that can be trained.",
                "Export the model with its scores as outputs.",
            )
        return distance

    @torch.no_grad()
    def distance(self) -> float:
        """Return the mean distance of the deciding samples to the lesson."""
        step, deciding = self._teacher.batch or 256, self._deciding
        pieces = [deciding.rows(slice(start, start + step)) for start in range(0, len(deciding), step)]
        found = sum(float(self._apart(piece)) * len(piece) for piece in pieces) / len(deciding)
        return found if math.isfinite(found) else math.inf
