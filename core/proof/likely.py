"""Looks for the mistake in how pictures are prepared: other colours, scale or resizing with which a model is right far more often."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from core.domain.errors import Refused
from core.domain.preprocessing import Kind
from core.domain.recipe import Step
from core.domain.report import Count
from core.domain.runtime import Session
from core.domain.task import Better
from core.preprocessing import normal
from core.preprocessing.resize import SHORTER
from core.proof import quality
from core.proof.pictures import Pictures

SAMPLES = 128
SECONDS = 30.0
"""Processor time after which no other way is tried."""
SURE = 4.0
"""Standard deviations by which a way must be better, as many ways are tried."""
ROUNDS = 3
"""Mistakes that may stand beside each other."""

Steps = tuple[Step, ...]
Change = Callable[[Steps], Steps | None]


def better(session: Session, dataset: Pictures) -> Better | None:
    """Return the steps with which clearly more pictures are right, or None where none are, or there are no labels.

    ``SAMPLES`` pictures at regular distances are asked; a sign test on the same pictures decides (McNemar 1947).
    """
    if dataset.labels is None:
        return None
    picked = np.zeros(dataset.n, bool)
    picked[np.linspace(0, dataset.n - 1, min(SAMPLES, dataset.n)).astype(int)] = True
    few = dataset.only(picked)
    search = Search(session, few, time.process_time() + SECONDS)
    first = right = search.right(few.task.prepare)
    if first is None or right is None or (~first).sum() <= SURE**2:  # not even all of these would be clear
        return None
    steps, changes = few.task.prepare, list[str]()
    for _ in range(ROUNDS):
        found = search.best(steps, right)
        if found is None:
            break
        words, steps, right = found
        changes.append(words)
    if not changes:
        return None
    task = replace(few.task, prepare=steps)
    return Better(task, " and ".join(changes), _count(first), _count(right))


@dataclass(frozen=True)
class Search:
    """Other ways to prepare the same pictures, within an amount of processor time."""

    session: Session
    dataset: Pictures
    end: float

    def right(self, steps: Steps) -> np.ndarray | None:
        """Return which pictures are answered right [n] bool, or None where these steps do not fit the model."""
        try:
            prepared = replace(self.dataset, task=replace(self.dataset.task, prepare=normal(steps, Kind.FILE)))
            found = quality.one_by_one(quality.answers(self.session, prepared), prepared).each
        except Refused:
            return None
        return found if found.dtype == bool else None

    def best(self, steps: Steps, before: np.ndarray) -> tuple[str, Steps, np.ndarray] | None:
        """Return the change after which most pictures are right, if that is more than chance explains."""
        found: tuple[str, Steps, np.ndarray] | None = None
        for words, changed in ways(steps):
            if time.process_time() > self.end:
                break
            after = self.right(changed)
            if after is not None and _clear(before, after) and (found is None or after.sum() > found[2].sum()):
                found = words, changed, after
        return found


def ways(steps: Steps) -> Iterator[tuple[str, Steps]]:
    """Yield what is often wrong, each with its words and the steps without that mistake."""
    for words, change in CHANGES:
        changed = change(steps)
        if changed is not None and changed != steps:
            yield words, changed


def _clear(before: np.ndarray, after: np.ndarray) -> bool:
    won, lost = int((after & ~before).sum()), int((before & ~after).sum())
    return won - lost > SURE * math.sqrt(won + lost)


def _count(right: np.ndarray) -> Count:
    return Count(int(right.sum()), len(right))


def _place(steps: Steps, *ids: str) -> int | None:
    return next((place for place, step in enumerate(steps) if step.transform in ids), None)


def _colours(steps: Steps) -> Steps | None:
    """Swap the colours, or leave them as they are in the file."""
    place = _place(steps, "swap_colours")
    if place is not None:
        return steps[:place] + steps[place + 1 :]
    first = _place(steps, "picture")
    if first is None or steps[first].options.get("colours") == "grey":
        return None
    return (*steps[: first + 1], Step("swap_colours"), *steps[first + 1 :])


def _numbers(*instead: Step) -> Change:
    """Return the change that scales and normalises in another way."""

    def change(steps: Steps) -> Steps | None:
        kept = [step for step in steps if step.transform not in ("scale", "normalise")]
        place = _place(tuple(kept), "layout")
        place = len(kept) if place is None else place
        return (*kept[:place], *instead, *kept[place:])

    return change


def _inverted(steps: Steps) -> Steps | None:
    """Make black white and white black, within the range that the scale gives."""
    place = _place(steps, "scale")
    if place is None:
        return None
    divide = float(steps[place].options.get("divide", 255.0))
    turned = Step("scale", {"divide": -divide, "add": 255.0 / divide + float(steps[place].options.get("add", 0.0))})
    return (*steps[:place], turned, *steps[place + 1 :])


def _resized(**options: str | bool) -> Change:
    """Return the change that resizes in another way."""

    def change(steps: Steps) -> Steps | None:
        place = _place(steps, "resize")
        if place is None:
            return None
        step = Step("resize", {**steps[place].options, **options})
        return (*steps[:place], step, *steps[place + 1 :])

    return change


def _cropped(steps: Steps) -> Steps | None:
    """Keep the sides in proportion, and cut the middle out."""
    place = _place(steps, "resize")
    if place is None or _place(steps, "crop", "pad") is not None:
        return None
    size = {name: value for name, value in steps[place].options.items() if name in ("height", "width")}
    pair = Step("resize", {**steps[place].options, "fit": SHORTER}), Step("crop", size)
    return (*steps[:place], *pair, *steps[place + 1 :])


CHANGES: tuple[tuple[str, Change], ...] = (
    ("the colours in the other order", _colours),
    ("black and white exchanged", _inverted),
    ("brightness left at 0 to 255", _numbers(Step("scale", {"divide": 1.0}))),
    ("brightness scaled to 0 to 1", _numbers(Step("scale"))),
    ("brightness scaled to -1 to 1", _numbers(Step("scale", {"divide": 127.5, "add": -1.0}))),
    ("ImageNet's mean and standard deviation", _numbers(Step("scale"), Step("normalise"))),
    (
        "ImageNet's mean taken off 0 to 255",
        _numbers(Step("normalise", {"mean": "123.675, 116.28, 103.53", "std": "1"})),
    ),
    ("the middle cropped instead of the picture stretched", _cropped),
    ("bicubic instead of the other filter", _resized(filter="bicubic", antialias=True)),
    ("bilinear instead of the other filter", _resized(filter="bilinear", antialias=True)),
    ("nearest instead of the other filter", _resized(filter="nearest", antialias=True)),
    ("no antialiasing when resized", _resized(filter="bilinear", antialias=False)),
)
"""What people get wrong most often; the means are those of ``normalise.IMAGENET`` times 255."""
