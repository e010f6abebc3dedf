"""Times each stage between raw data and answer, of pictures by their task and of fitted pipelines step by step."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from core.decoding import decoded
from core.domain.preprocessing import Kind
from core.domain.runtime import Session
from core.domain.stages import Part, Stages, StageTime
from core.preprocessing import normal, prepared, told
from core.proof import fitting, speed
from core.proof.parity import feed
from core.proof.pictures import Pictures
from core.proof.predictions import prediction

Chain = list[tuple[str, Part, Callable[[Any], Any]]]
"""Stages in a row: what each is called, what it belongs to, and the call that takes what the one before gave."""
PICTURES, FEWEST, MOST = 32, 5, 2000


def of_pictures(session: Session, dataset: Pictures, seconds: float) -> Stages:
    """Time a picture at a time from its file to its answer; different pictures take turns. Raises Refused for one that cannot be prepared."""
    task, spec = dataset.task, session.signature.inputs[0]
    chain: Chain = [
        (told(step), Part.BEFORE, partial(prepared, steps=(step,))) for step in normal(task.prepare, Kind.FILE)
    ]

    def given(value: np.ndarray) -> dict[str, np.ndarray]:
        return feed(session, fitting.fitted({spec.name: value[None]}, session.signature.inputs))

    chain.append(("Put it into the input's form", Part.BEFORE, given))
    chain.append(("Run the model", Part.MODEL, lambda inputs: list(session.run(inputs).values())))
    if task.decode:
        chain.append(("Decode the answer", Part.AFTER, lambda outputs: decoded(outputs, task.decode)))
    else:
        chain.append(("Choose the class", Part.AFTER, prediction))
    files = [dataset.folder.read(name) for name in dataset.members[:PICTURES]]
    return _timed(chain, files, 1, seconds)


def of_pipeline(session: Session, inputs: dict[str, np.ndarray], samples: int, seconds: float) -> Stages | None:
    """Time each step of a fitted pipeline; None for a model that has no steps."""
    steps = session.steps()
    if len(steps) < 2:
        return None
    last = len(steps) - 1
    chain: Chain = [
        (name, Part.MODEL if n == last else Part.FEATURES if n else Part.BEFORE, call)
        for n, (name, call) in enumerate(steps)
    ]
    return _timed(chain, [feed(session, inputs)], samples, seconds)


def _timed(chain: Chain, starts: list[Any], samples: int, seconds: float) -> Stages:
    """Walk the chain again and again, a round to warm up first, and take the median of each stage."""
    _walked(chain, starts[0])
    until, rounds = time.monotonic() + seconds, list[list[int]]()
    while len(rounds) < FEWEST or (len(rounds) < MOST and time.monotonic() < until):
        rounds.append(_walked(chain, starts[len(rounds) % len(starts)]))
    medians = np.median(np.array(rounds), axis=0) / 1e6
    times = [StageTime(name, part, float(ms)) for (name, part, _), ms in zip(chain, medians, strict=True)]
    return Stages(tuple(times), samples, len(rounds))


def _walked(chain: Chain, value: Any) -> list[int]:
    """Return the nanoseconds of processor time of each stage."""
    spent = []
    for _, _, call in chain:
        begun = speed.processor_ns()
        value = call(value)
        spent.append(speed.processor_ns() - begun)
    return spent
