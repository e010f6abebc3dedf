"""How a call names a model and its data, and how the child opens them."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.border import jail
from core.calls.call import IN, Here
from core.domain.errors import Refused, Trouble, from_trouble
from core.domain.format import Format
from core.domain.integer_products import Sums
from core.domain.recipe import Option
from core.domain.runtime import Runtime, Session
from core.domain.split import Split
from core.domain.task import Task
from core.domain.transform import CODE
from core.domain.work import Data, Model
from core.formats import FORMATS
from core.runtimes import RUNTIMES, runtime_for

if TYPE_CHECKING:
    from core.calls.bench import Bench
    from core.proof.dataset import Dataset


@dataclass(frozen=True)
class Opened:
    """A model as a child opens it: its key, its format, the runtime, and the options that it needs beside its bytes."""

    file: str
    format: str
    runtime: str
    given: dict[str, Option] = field(default_factory=dict)


@dataclass(frozen=True)
class Samples:
    """A data set as a child opens it: its key, the label column, the part that the call may see, the classes and the columns in order, and how raw samples become inputs."""

    file: str
    label: str | None
    half: str | None
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    task: Task | None = None
    split: Split | None = None


def file_key(format: str) -> str:
    """Return the file name under which a child sees a model of this format; never a name from the user."""
    return "model" + FORMATS[format].suffixes[0]


def opened(bench: "Bench", model: Model, prefix: str = "") -> Opened:
    """Name a model for a call; ``prefix`` tells two of them apart."""
    runtime = runtime_for(model.format)
    return Opened(prefix + file_key(model.format), model.format, runtime.id, bench.opening(model).given)


def samples(data: Data | None) -> Samples | None:
    """Name a data set for a call."""
    return Samples(data.key, data.label, data.half, data.classes, data.columns, data.task, data.split) if data else None


def files(bench: "Bench", model: Model, data: Data | None = None) -> dict[str, str]:
    """Return the blobs by key that a call on a model and its data needs."""
    own = {data.key: data.sha256} if data else {}
    return {file_key(model.format): model.sha256, **own, **bench.opening(model).files}


def session_of(model: Opened, here: Here) -> Session:
    """Load a model. Raises Refused where the runtime does not take the format, or the jail is not full."""
    return runtime_of(model, here).open_with(IN / model.file, model.format, model.given)


def summing(model: Opened, sums: Sums, here: Here) -> Session:
    """Load a model as ``session_of`` does, with integers added as ``sums`` says."""
    runtime = runtime_of(model, here)
    if sums is Sums.EXACT:
        return runtime.open_exact(IN / model.file, model.format, model.given)
    if sums is Sums.WITHOUT_VNNI:
        os.environ.update(runtime.without_vnni)
    return session_of(model, here)


def opener(model: Opened, here: Here) -> Callable[[], Session]:
    """Return the call that does what ``session_of`` does, to be made as often as a measurement needs."""
    return runtime_of(model, here).opener(IN / model.file, model.format, model.given)


def opener_on(model: Opened, threads: int, here: Here) -> Callable[[], Session]:
    """Return what ``opener`` does with so many threads. Raises Refused where the runtime has no setting for them."""
    runtime = runtime_of(model, here)
    found = runtime.opener_on(IN / model.file, model.format, model.given, threads)
    if found is None:
        raise Refused(f"{runtime.title} has no setting here for {threads} threads.", "Measure on one thread.")
    return found


def runtime_of(model: Opened, here: Here) -> Runtime:
    """Return the runtime of a model. Raises Refused where it does not take the format, or the jail is not full."""
    must_be_safe(model.format, here)
    runtime = RUNTIMES[model.runtime]
    if model.format not in runtime.formats:
        raise Refused(f"{runtime.title} does not run {model.format}.", f"It runs {', '.join(runtime.formats)}.")
    return runtime


def dataset_of(data: Samples | None, session: Session) -> "Dataset | None":
    """Read a data set, or the part of it that the call may see, for the inputs of a session; None when there is none."""
    from core.proof.dataset import Asked
    from core.proof.datasets import read_dataset

    if data is None:
        return None
    asked = Asked(data.label, data.classes, session.columns or data.columns, data.task, session.metadata, data.split)
    dataset = read_dataset(IN / data.file, asked, session.signature)
    return dataset.half(data.half) if data.half else dataset.whole()


def required(dataset: "Dataset | None") -> "Dataset":
    """Return the data set. Raises Refused where there is none."""
    if dataset is None:
        raise Refused("This needs samples, and there are none.", "Add a data set, preferably with labels.")
    return dataset


def unsafe_here(format: Format, here: Here) -> Trouble | None:
    """Return why a format whose loader can run code is not opened on a machine where the jail is not full."""
    if not format.code_bearing or here.full:
        return None
    message = f"A file of the format {format.title} can carry code, and this machine cannot isolate it fully."
    return Trouble(Refused.kind, message, f"Use ONNX, safetensors or skops, or run Portolan on {jail.NEEDS} or newer.")


def must_be_safe(format: str, here: Here) -> None:
    """Raise Refused where ``unsafe_here`` has a reason, or the owner's code cannot be locked in."""
    if trouble := unsafe_here(FORMATS[format], here):
        raise from_trouble(trouble)
    if (IN / CODE).exists() and not here.full:
        raise Refused(
            "A Python file is a program, and this machine cannot isolate it fully.",
            f"Run Portolan on {jail.NEEDS} or newer.",
        )
