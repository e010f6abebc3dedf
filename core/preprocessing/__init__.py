"""Steps from a raw sample to the numbers that a model takes: one file each, one row each."""

from collections.abc import Iterable, Iterator
from typing import Any

from core.domain.errors import Refused
from core.domain.preprocessing import Kind, Preprocessing
from core.domain.recipe import Step
from core.domain.shelf import Shelf
from core.domain.transform import normal_options, parse_options
from core.preprocessing import crop, layout, normalise, pad, picture, resize, scale, swap_colours

STEPS: Shelf[Preprocessing] = Shelf(
    "step of preprocessing",
    picture.STEP,
    resize.STEP,
    crop.STEP,
    pad.STEP,
    swap_colours.STEP,
    scale.STEP,
    normalise.STEP,
    layout.STEP,
)


def normal(steps: Iterable[Step], raw: Kind) -> tuple[Step, ...]:
    """Return steps with the options that differ from the defaults. Raises Refused where one does not take what the one before gives, or numbers do not come out."""
    found: list[Step] = []
    kind, title = raw, f"the {raw}"
    for step in steps:
        entry = STEPS[step.transform]
        if kind not in entry.takes:
            takes = " or ".join(map(str, entry.takes))
            raise Refused(
                f"{entry.title!r} takes a {takes}, but after {title} there is a {kind}.",
                "Put the steps in another order.",
            )
        found.append(Step(step.transform, normal_options(entry.Options, step.options)))
        kind, title = entry.gives, repr(entry.title)
    if kind is not Kind.NUMBERS:
        raise Refused(f"The steps end with a {kind}, which is nothing that a model takes.", "Add a layout at the end.")
    return tuple(found)


def stages(value: Any, steps: Iterable[Step]) -> Iterator[Any]:
    """Yield a sample after each of its steps."""
    for step in steps:
        entry = STEPS[step.transform]
        value = entry.apply(value, parse_options(entry.Options, step.options))
        yield value


def prepared(value: Any, steps: Iterable[Step]) -> Any:
    """Return a sample after all of its steps."""
    for stage in stages(value, steps):
        value = stage
    return value


def described(steps: Iterable[Step]) -> str:
    """Say in words what the steps do, with the options that were chosen."""
    found = [told(step) for step in steps]
    return ", ".join([*found[:1], *(words[:1].lower() + words[1:] for words in found[1:])]) or "nothing is done"


def told(step: Step) -> str:
    """Say in words what one step does."""
    given = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in step.options.items())
    return STEPS[step.transform].title + (f" ({given})" if given else "")
