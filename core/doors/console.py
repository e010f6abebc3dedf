"""What the commands say to people; with ``--json`` nothing of this is printed."""

from collections.abc import Sequence
from pathlib import Path

from core.answers.queueing import RealTime
from core.domain.assessment import Assessment
from core.domain.compression import Compression
from core.domain.conversion import Conversion
from core.domain.evaluation import Evaluation
from core.domain.ingestion import Ingested
from core.domain.limits import MB
from core.domain.measures import Qualities
from core.domain.migration import Migration
from core.domain.portability import Attempt
from core.domain.previewing import Preview
from core.domain.profile import Profile
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
        print(f"  {gate.verdict}: {gate.name}, in {gate.where}.{figures} {gate.reason}".rstrip())
    for sentence in result.not_run:
        print(f"Not run here: {sentence}")


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
    for point in (*result.curves.batches, *result.curves.threads) if result.curves else ():
        print(
            f"batch {point.batch}, threads {point.threads}: {point.latency:.4g} ms a call, {point.rate:,.0f} samples/s"
        )
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
