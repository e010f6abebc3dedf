"""What verbs make of a model in steps: each with the file that it wrote, and the last one's word for all of them."""

from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from core.domain.format import Summary
from core.domain.recipe import Step
from core.domain.references import Sha256
from core.domain.work import Data, NamedModel


@dataclass(frozen=True)
class MadeStep:
    """One step that ran: the model that it wrote, the title for people, what the file says of itself, and its graph without weights."""

    INLINE: ClassVar = ("step", "model")

    step: Step
    model: NamedModel
    title: str
    summary: Summary
    graph: Sha256 | None


S = TypeVar("S", bound=MadeStep)


class InSteps(Generic[S]):
    """A result that was made in steps."""

    DERIVED: ClassVar[tuple[str, ...]] = ("artifact", "recipe", "summary")

    source: NamedModel
    steps: tuple[S, ...]
    data: Data | None

    @property
    def used(self) -> str:
        """What was really used, for the head of the proof: the file, the options that are not the defaults, and the data."""
        given = [f"{name.replace('_', ' ')} {value}" for one in self.steps for name, value in one.step.options.items()]
        options = ", ".join(given) if given else "default options"
        data = f"test data {self.data.name}" if self.data else "no test data"
        label = f" with the labels in {self.data.label!r}" if self.data and self.data.label else ""
        split = self.data.split if self.data else None
        cut = f", split {split.words}" if split else ""
        return f"Used: {self.source.name}, {options}, {data}{label}{cut}."

    @property
    def artifact(self) -> NamedModel:
        """What the last step wrote."""
        return self.steps[-1].model

    @property
    def recipe(self) -> tuple[Step, ...]:
        """The steps as they can be run again."""
        return tuple(one.step for one in self.steps)

    @property
    def summary(self) -> Summary:
        """What the last file says of itself."""
        return self.steps[-1].summary
