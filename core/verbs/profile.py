"""Measure what one artifact costs to hold, to start and to ask, in the runtime of its own format."""

import os
import platform
from dataclasses import replace

from core.calls import cold_start, curves, footprint, inspect, operators, probe, spent, stages, timing
from core.calls import convert as converting
from core.calls import macs as counting
from core.calls.bench import Bench
from core.calls.call import SEED
from core.domain.errors import Refused, Unavailable
from core.domain.format import Summary
from core.domain.macs import Macs
from core.domain.profile import DECIDING, Conditions, Curves, Profile, ProfileRequest, Timing
from core.domain.session_state import state_of
from core.domain.stages import Stages
from core.domain.work import Golden, Model
from core.formats import FORMATS
from core.jobs.verb import Verb
from core.memory.store import Store
from core.proof.parity import machine
from core.runtimes import runtime_for
from core.sandbox.tools import Tools
from core.verbs import convert
from core.verbs.transform import check_consent

TIMING_SECONDS = 5.0
PIPELINES = ("skops", "pickle")
"""Formats of models that can be a row of steps."""
NETWORKS = ("torch_export", "torchscript", "keras", "keras_h5")
"""Formats whose MACs are those of their conversion to ONNX."""
WIDE = 1.5
"""The upper over the lower bound of a call's time from which the figure is said to be doubtful."""
MOST_THREADS, MOST_SAMPLES = 64, 1024


def run(tools: Tools, request: ProfileRequest) -> Profile:
    """Profile a model. Raises Refused where no runtime here opens it, or a setting is out of bounds."""
    return on(Bench(tools), request)


def normal(request: ProfileRequest) -> ProfileRequest:
    """Return the request as it is. Raises Refused where a setting is out of bounds, or no runtime here opens the model."""
    if not 1 <= request.batch <= MOST_SAMPLES:
        raise Refused(f"{request.batch} samples a call are out of bounds.", f"Choose 1 to {MOST_SAMPLES:,}.")
    if not 1 <= request.threads <= MOST_THREADS:
        raise Refused(f"{request.threads} threads are out of bounds.", f"Choose 1 to {MOST_THREADS}.")
    runtime_for(request.subject.format)
    return request


def on(bench: Bench, request: ProfileRequest) -> Profile:
    """Profile on a given bench; see ``run``."""
    request, tools, model = normal(request), bench.tools, request.subject.model
    check_consent(model, request.subject.consent)
    load = _load()
    tools.progress(0.02, "Reading the file")
    (found,) = inspect.audit(bench, [model], "model" + FORMATS[model.format].suffixes[0])
    tools.progress(0.05, "Making inputs")
    golden = probe.ask(bench, model, request.data)
    tools.progress(0.15, "Timing single calls")
    timed = timing.ask(bench, model, golden, request.batch, request.threads, TIMING_SECONDS)
    tools.progress(0.4, f"{timed.cpu:.3g} ms a call so far. Measuring memory in three fresh processes")
    memory = footprint.ask(bench, model, golden, request.batch)
    so_far = f"{timed.cpu:.3g} ms a call and {memory.peak:,.1f} MB so far."
    tools.progress(0.6, f"{so_far} Measuring the start in three fresh processes")
    start = cold_start.ask(bench, model, golden, request.batch)
    tools.progress(0.8, f"{so_far} Counting the products of tensors")
    macs, uncounted = count(bench, model, golden, timed.batch)
    tools.progress(0.88, f"{so_far} Tracing the operators")
    traced, engine, trace = None, None, None
    if model.format in counting.FORMATS:
        traced, trace = operators.ask(bench, model, golden, timed.batch)
    elif runtime_for(model.format).traces:
        engine, trace = spent.ask(bench, model, golden, timed.batch)
    staged = along(bench, model, golden, request)
    grown = grow(bench, model, golden, request) if request.curves else None
    return Profile(
        format=model.format,
        size=model.size,
        parameters=found.summary.parameters,
        timing=timed,
        start=start,
        memory=memory,
        conditions=conditions(request, golden, timed, load),
        data=request.data,
        doubts=doubts(request, found.summary, timed),
        seconds=bench.cost.seconds,
        macs=macs,
        uncounted=uncounted,
        state=state_of(golden.evidence.signature, found.summary.operators),
        operators=traced,
        trace=trace,
        curves=grown,
        engine=engine,
        stages=staged,
    )


def along(bench: Bench, model: Model, golden: Golden, request: ProfileRequest) -> Stages | None:
    """Time the stages between raw data and answer; None where there are none, or a picture cannot be prepared alone."""
    raw = request.data is not None and request.data.raw
    if not raw and model.format not in PIPELINES:
        return None
    bench.tools.progress(0.92, "Timing the stages from raw data to the answer")
    try:
        return stages.ask(bench, model, request.data if raw else None, golden, request.batch)
    except Refused:
        return None


def grow(bench: Bench, model: Model, golden: Golden, request: ProfileRequest) -> Curves:
    """Time calls of growing size, and one size on more and more threads."""
    bench.tools.progress(0.95, "Trying other sizes of a call and other numbers of threads")
    return curves.ask(bench, model, golden, request.batch)


def count(bench: Bench, model: Model, golden: Golden, batch: int) -> tuple[Macs | None, str]:
    """Count the MACs of a network in its own file or, of another format, in its conversion to ONNX; or say why that cannot be."""
    if model.format in counting.FORMATS:
        return counting.ask(bench, model, golden, batch), ""
    if model.format not in NETWORKS:
        return None, f"MACs are not counted in files of the format {FORMATS[model.format].title}."
    try:
        ((converter, step),) = convert.with_data_shapes(convert.plan(model.format, "onnx", {}), golden)
        found = counting.ask(bench, converting.ask(bench, model, converter, step.options), golden, batch)
    except (Refused, Unavailable) as error:
        return None, f"MACs are counted in the conversion to ONNX, and there is none: {error.message}"
    return replace(found, through=FORMATS["onnx"].title), ""


def conditions(request: ProfileRequest, golden: Golden, timed: Timing, load: float | None) -> Conditions:
    """Say under what was measured."""
    one = request.subject
    versions = {"python": platform.python_version(), **golden.evidence.versions}
    title = runtime_for(one.format).title
    return Conditions(one.sha256, title, versions, machine(), timed.threads, timed.batch, load, SEED)


def doubts(request: ProfileRequest, summary: Summary, timed: Timing) -> tuple[str, ...]:
    """Say in sentences what speaks against the figures."""
    found = []
    deciding = sorted(DECIDING & set(summary.operators or {}))
    if request.data is None and deciding:
        found.append(
            f"The model decides by its inputs how much it computes ({', '.join(deciding)}), and it was measured on random "
            "inputs, which may not stand for yours. Add a data set to measure on your own."
        )
    if timed.disturbed:
        found.append(
            f"Other work kept the machine busy: calls took {timed.interference:.1f} times as long by the clock as the "
            "processor worked. Processor time and memory are still right; wall-clock times are not."
        )
    if timed.cpu_high > WIDE * timed.cpu_low:
        found.append(
            f"The sessions of this model differ a lot, by {timed.cpu_low:.3g} to {timed.cpu_high:.3g} ms of processor time a "
            "call. Measure again when the machine is quiet, or on one thread."
        )
    if request.threads > 1:
        found.append("Memory, start and operators are measured on one thread, whatever is chosen here.")
    if timed.batch != request.batch:
        found.append(f"The model takes {timed.batch} samples a call, and no other number.")
    return tuple(found)


def _load() -> float | None:
    """Return how many processes wanted a processor over the last minute, where the system says so."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def record(store: Store, visitor: str, request: ProfileRequest, result: Profile, job: str) -> str | None:
    """Write what was measured beside the model."""
    store.add_report(visitor, request.subject.owned, "profile", result, job=job)
    return request.subject.owned


def title(request: ProfileRequest) -> str:
    """Name the job for the list of jobs."""
    return f"Profile {request.subject.name}"


VERB = Verb("profile", ProfileRequest, Profile, run, record, title, page="profile.py", normal=normal, command="profile")
