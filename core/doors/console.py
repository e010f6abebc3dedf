"""What the commands say to people; with ``--json`` nothing of this is printed."""

from collections.abc import Sequence
from pathlib import Path

from core.answers.queueing import RealTime
from core.domain.assessment import Assessment
from core.domain.compression import Compression
from core.domain.conversion import Conversion
from core.domain.evaluation import Evaluation
from core.domain.factors import Factors
from core.domain.ingestion import Ingested
from core.domain.limits import MB
from core.domain.load import Load
from core.domain.measures import Qualities
from core.domain.migration import NOWHERE, Migration
from core.domain.portability import Attempt
from core.domain.previewing import Preview
from core.domain.profile import Profile
from core.domain.side_by_side import SideBySide
from core.domain.task import Task
from core.domain.training_cost import WORKSPACE, Optimizer, Training
from core.domain.versus import Versus
from core.metrics import METRICS
from core.preprocessing import described

MOST_CHANGES = 20


def summary(found: Ingested, size: int, sha256: str) -> None:
    """Print a summary in lines."""
    one = found.summary
    print(f"{found.title}, {size:,} bytes, sha256 {sha256}")
    for key in ("producer", "opset", "parameters", "precision", "sparsity"):
        if (value := getattr(one, key)) is not None:
            print(f"{key}: {value}")
    for side, specs in (("input", one.inputs), ("output", one.outputs)):
        for spec in specs:
            print(f"{side} {spec.name}: {spec.dtype} {None if spec.shape is None else list(spec.shape)}")
    if one.operators:
        print("operators: " + ", ".join(f"{name} {n}" for name, n in one.operators.items()))
    for risk in one.risks:
        print(f"{risk.level}: {risk.what} {risk.where}".rstrip())


def conversion(result: Conversion, out: Path) -> None:
    """Print the verdict with its evidence."""
    parity, size = result.parity, result.size
    for step in result.steps:
        print(f"{step.parity.verdict}: {step.converter}")
    print(f"{parity.verdict}: {out}, {size.before:,} -> {size.after:,} bytes")
    for check in parity.checks:
        print(
            f"  {check.name}: {check.samples} samples, largest difference {check.max_abs}, {check.verdict or 'no tolerance applies'}"
        )
    if parity.reason:
        print(parity.reason)
    for sentence in result.lost:
        print(f"Lost: {sentence}")
    metric(result.quality)
    print(result.used)
    reading(result.read)


def metric_of(task: Task) -> str:
    """Say what a verdict on quality is made of."""
    return METRICS[task.metric].counted.removesuffix(".") if task.metric else "right answers, or RMSE of numbers"


def metric(both: Qualities | None) -> None:
    """Print what the metric says of both files, beside the verdict on their answers."""
    if both:
        print(" ".join(both.told))


def compression(result: Compression, out: Path) -> None:
    """Print what was won and what was lost."""
    parity, size = result.parity, result.size
    print(f"{parity.verdict}: {out}, {size.before:,} -> {size.after:,} bytes ({size.ratio:.2f} times smaller)")
    print(f"zipped {size.zipped_before:,} -> {size.zipped_after:,} bytes")
    if size.packed_after:
        print(f"packed {size.packed_before or size.zipped_before:,} -> {size.packed_after:,} bytes")
    for sentence in (*(one.text for one in result.why), parity.reason):
        print(sentence)
    print(f"Safe on: {result.safe_on}")
    print(result.used)
    reading(result.read)


def reading(sentences: Sequence[str]) -> None:
    """Print how the data was read."""
    for sentence in sentences:
        print(f"Data: {sentence}")


def matrix(attempts: Sequence[Attempt]) -> None:
    """Print one line a target."""
    for one in attempts:
        figures = f"{one.samples:,} samples, largest difference {one.max_abs:.2g}. " if one.max_abs is not None else ""
        print(f"{one.standing:<26} {one.title:<32} {figures}{one.reason} {one.next_step}".rstrip())


def preview(result: Preview) -> None:
    """Print the task, what the model answers to some samples, and a better way to prepare them."""
    if result.task.prepare:
        print(f"Each picture: {described(result.task.prepare)}.")
    print(f"Verdicts on quality: {metric_of(result.task)}.")
    for one in result.shown:
        print(f"{one.name}: {one.answer}" + (f" (label: {one.label})" if one.label else ""))
    if result.better:
        print(result.better.sentence)
        print(f"Then each picture: {described(result.better.task.prepare)}.")
    reading(result.read)


def assessment(result: Assessment) -> None:
    """Print what the model stands on, what is of concern, and one line a target."""
    card = result.card
    print(f"{card.title}, {card.producer or 'producer not known'}; needs {', '.join(card.packages) or 'nothing named'}")
    for concern in result.concerns:
        print(f"{concern.level}: {concern.what} {concern.next_step}".rstrip())
    print(result.tried)
    for one in result.prospects:
        state = "blocked" if one.blocked else f"{one.effort} effort"
        print(f"{state:<14} {one.title:<46} {one.fit.told}. {one.reason} {one.next_step}".rstrip())


def migration(result: Migration, out: Path) -> None:
    """Print the verdict with each gate, and what was not run here."""
    print(f"{result.verdict}: {out}, {result.title}")
    for gate in result.gates:
        figures = (
            f" {gate.samples:,} samples, largest difference {gate.max_abs:.2g}." if gate.max_abs is not None else ""
        )
        where = "" if gate.where == NOWHERE else f", in {gate.where}"
        print(f"  {gate.verdict}: {gate.name}{where}.{figures} {gate.reason}".rstrip())
    for sentence in result.not_run:
        print(f"Not run here: {sentence}")


def load(result: Load) -> None:
    """Print what came of a load, and the largest safe rate where it was looked for."""
    print(
        f"{result.answered:,} of {result.sent:,} requests answered at {result.rate:g} a second; {result.refused:,} told 429, "
        f"{result.failed:,} failed"
    )
    for name, value in (("p50", result.p50), ("p95", result.p95), ("p99", result.p99)):
        print(f"{name}: {f'{value:.1f} ms' if value is not None else 'too few requests to tell'}")
    print(f"the client was late by {result.late:.1f} ms at worst")
    if result.safe is None:
        return
    for one in result.safe.tried:
        bound = f"p95 at most {one.bound:.1f} ms" if one.bound is not None else "p95 not told"
        print(
            f"  {one.rate:.4g} a second: {one.answered:,} of {one.sent:,}, {bound}, {'safe' if one.safe else 'not safe'}"
        )
    print(result.safe.sentence)


def profile(result: Profile, queue: RealTime | None = None) -> None:
    """Print the sentence, then the figures with their spread, then what speaks against them."""
    timing, memory, start, on = result.timing, result.memory, result.start, result.conditions
    print(result.sentence)
    print(
        f"processor: {timing.cpu:.4g} ms a call (95 %: {timing.cpu_low:.4g} to {timing.cpu_high:.4g}), {timing.runs:,} calls"
    )
    for one in timing.percentiles:
        told = f"{one.value:.4g} ms, at most {one.bound:.4g} with 99 % confidence" if one.value is not None else ""
        print(f"wall clock {one.name}: {told or f'needs {one.missing:,} more calls'}")
    print(f"throughput: {timing.throughput:,.1f} samples/s; interference index {timing.interference:.2f}")
    print(
        f"memory, MB: {memory.load_peak:.1f} while loading, {memory.inference_peak:.1f} while answering, "
        f"{memory.loaded:.1f} held ({memory.anonymous:.1f} private, {memory.mapped:.1f} of files)"
    )
    imported = "not measured" if start.imported is None else f"{start.imported:.3f}"
    print(f"start, s: import {imported}, load {start.load:.3f}, first call {start.first:.3f}")
    print(f"MACs: {result.macs.ran.macs:,}. {result.macs.told}" if result.macs else result.uncounted)
    for kind in result.operators.kinds[:5] if result.operators else ():
        share = kind.microseconds / max(result.operators.total, 1e-9) if result.operators else 0.0
        print(f"operator {kind.kind}: {share:.0%} of the time, {kind.runs:.0f} runs, {kind.macs:,} MACs")
    for kind in result.engine.kinds[:5] if result.engine else ():
        print(f"operator {kind.kind}: {kind.microseconds:,.1f} us a call, {kind.runs:.0f} runs, as the engine tells it")
    for point in (*result.curves.batches, *result.curves.threads) if result.curves else ():
        print(
            f"batch {point.batch}, threads {point.threads}: {point.latency:.4g} ms a call, {point.rate:,.0f} samples/s"
        )
    if result.stages:
        print(result.stages.sentence)
        for stage in result.stages.times:
            print(f"  {stage.part}: {stage.name}, {stage.milliseconds:.4g} ms")
    if result.advice:
        print(f"Advice: {result.advice.sentence}")
    print(f"on: {on.runtime}, {on.machine}, batch {on.batch}, threads {on.threads}")
    if result.state.kept:
        steps = f" and {result.state.per_step:,} bytes for each step" if result.state.per_step else ""
        pairs = ", ".join(f"{one.input} -> {one.output}" for one in result.state.kept)
        print(f"state of a session: {result.state.fixed:,} bytes{steps} ({pairs})")
    for sentence in result.doubts:
        print(f"Note: {sentence}")
    if queue:
        print(
            f"random arrivals, {queue.workers} worker(s): at most {queue.safe_rate:,.1f} a second for 99 % within {queue.deadline:g} ms; "
            f"capacity {queue.capacity:,.1f}"
        )


def versus(result: Versus) -> None:
    """Print the sentence, what differs between the graphs, and each bound."""
    print(result.sentence)
    print(f"answers: {result.parity.verdict}: {result.parity.reason}")
    if result.difference:
        print(result.difference.sentence)
        for change in result.difference.changes[:MOST_CHANGES]:
            print(f"  {change.sentence}")
    for kind in result.kinds[:MOST_CHANGES]:
        print(
            f"  {kind.kind}: {kind.microseconds[0]:,.1f} to {kind.microseconds[1]:,.1f} us a call, {kind.won:+,.1f} won"
        )
    for held in result.gate.held if result.gate else ():
        print(f"{held.verdict}: {held.sentence}")


def side_by_side(result: SideBySide) -> None:
    """Print the sentence, then a line a runtime."""
    print(result.sentence)
    own = "" if result.cpu is None else f", {result.cpu:.4g} ms a call"
    print(f"{result.runtime}: {result.model.name}{own}, {result.memory.peak:.1f} MB")
    for way in result.ways:
        print(f"{way.runtime}: {way.name}, answers {way.parity.verdict if way.parity else 'not compared'}")
        if way.race and way.memory:
            race = way.race
            print(
                f"  {race.ratio:.3f} times as fast ({race.low:.3f} to {race.high:.3f}): {race.pace}; "
                f"{race.variant.cpu_p50:.4g} ms a call, {way.memory.peak:.1f} MB"
            )
        if remark := way.trouble or (way.parity.reason if way.parity and not way.answers else ""):
            print(f"  {remark}")


def factors(result: Factors) -> None:
    """Print the sentences, each point, and a line a variant."""
    print(result.sentence)
    for growth in result.grown.axes:
        print(f"{growth.axis}: {', '.join(f'{one.size}: {one.cpu:.4g} ms' for one in growth.points)}")
    for point in result.grown.threads:
        print(f"threads {point.threads}: {point.typical:.4g} ms by the clock, {point.cpu:.4g} ms of processors")
    for one in result.variants:
        told = f"{one.cpu:.4g} ms" if one.cpu is not None else one.trouble
        pace = f", {one.race.ratio:.3f} times as fast: {one.race.pace}" if one.race else ""
        print(f"{one.model.name}: {one.parameters or 0:,} parameters, {one.macs or 0:,} MACs, {told}{pace}")


def training(result: Training, batch: int) -> None:
    """Print what one step takes with each optimizer."""
    for optimizer in Optimizer:
        step = result.step(batch, optimizer)
        print(
            f"{optimizer}, batch {batch}: {step.total / MB:,.1f} MB = weights {step.weights / MB:,.1f} + gradients "
            f"{step.gradients / MB:,.1f} + state {step.state / MB:,.1f} + saved {step.saved / MB:,.1f}"
        )
    low, high = WORKSPACE
    print(f"Kernels need workspace too: {low:.0%} to {high:.0%} more in five measured steps of other networks.")


def evaluation(result: Evaluation) -> None:
    """Print the quality, and the verdict against the parent."""
    other = result.against
    for name, quality in (("model", result.quality), ("against", other.quality if other else None)):
        if quality:
            of = f" ({quality.correct.k} of {quality.correct.n})" if quality.correct else ""
            print(f"{name}: {quality.metric} {quality.value:.4f}{of} on {quality.samples} samples")
    for name, found in (("model", result.figures), ("against", result.before)):
        if found:
            print(f"{name}: {', '.join(one.words for one in found)}")
    if other:
        print(f"{other.parity.verdict}: {other.parity.reason}")
        metric(result.qualities)
    reading(result.read)
