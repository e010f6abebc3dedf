"""Applies a row of techniques and scores what comes out, all in one process, so that a search can try many."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.domain.errors import Refused, from_trouble
from core.domain.recipe import Step
from core.domain.runtime import Session
from core.domain.technique import Lesson, Technique
from core.domain.transform import parse_options
from core.domain.tuning import Score
from core.proof import quality, scoring
from core.proof.dataset import Dataset

Tell = Callable[[float | None, str], None]


@dataclass(frozen=True)
class Material:
    """What a row begins with: the model, the samples that it learns from and those that it is scored on, and the source's answers to these."""

    source: Path
    learning: Dataset
    selection: Dataset
    expected: list[np.ndarray]


def run(material: Material, steps: Sequence[Step], after: Sequence[Step], out: Path, tell: Tell) -> list[Step]:
    """Write ``out/0.onnx``, ``out/1.onnx`` ... and return the steps that ran: ``steps``, and of ``after`` those that do not refuse.

    Raises what a technique of ``steps`` raises.
    """
    made, ran = material.source, list[Step]()
    for number, step in enumerate(steps):
        technique, target = _technique(step), out / f"{number}.onnx"
        tell(None, technique.title)
        technique.apply(
            made, target, parse_options(technique.Options, step.options), _lesson(material, technique, tell)
        )
        made, ran = target, [*ran, step]
        if number + 1 < len(steps):
            _must_apply(_technique(steps[number + 1]), made)
    for step in after:
        target = out / f"{len(ran)}.onnx"
        if _gains(step, made, target):
            made, ran = target, [*ran, step]
    return ran


def score(material: Material, session: Session) -> Score:
    """Return what a result lost on the selection samples."""
    got = quality.answers(session, material.selection)
    return scoring.score(material.expected, got, material.selection.labels)


def write_answers(outputs: list[np.ndarray], out: Path) -> None:
    """Keep answers for later scores."""
    np.savez(out, allow_pickle=False, **{f"out{place}": array for place, array in enumerate(outputs)})


def read_answers(path: Path) -> list[np.ndarray]:
    """Read answers without unpickling."""
    with np.load(path, allow_pickle=False) as file:
        return [file[f"out{place}"] for place in range(len(file.files))]


def _technique(step: Step) -> Technique:
    from core.techniques import TECHNIQUES

    return TECHNIQUES[step.transform]


def _lesson(material: Material, technique: Technique, tell: Tell) -> Lesson:
    if not technique.calibrates:
        return Lesson(material.source, {})
    data, rows = material.learning, technique.rows
    labels = None if data.labels is None else data.labels[:rows]
    return Lesson(
        material.source, data.samples(0, rows), labels, lambda share, text: tell(None, f"{technique.title}: {text}")
    )


def _must_apply(technique: Technique, path: Path) -> None:
    """Raise what a technique has against the file that the one before it wrote."""
    from core.formats import FORMATS

    if trouble := technique.applies(FORMATS["onnx"].inspect(path)):
        raise from_trouble(trouble)


def _gains(step: Step, made: Path, out: Path) -> bool:
    """Say whether a step that learns nothing had something to do; it refuses where it has not."""
    technique = _technique(step)
    try:
        technique.apply(made, out, parse_options(technique.Options, step.options), Lesson(made, {}))
    except Refused:
        out.unlink(missing_ok=True)
        return False
    return True
