"""The page about what a model costs: a sentence to be read aloud, the figures that decide, charts, and how it was measured."""

import json
import sys
from html import escape

from core.answers import repeat
from core.answers.charts import operators, owners, stages
from core.answers.charts.curves import curve
from core.answers.charts.side_by_side import rows, side_by_side
from core.answers.report import Measured
from core.answers.report.drawing import INK, svg
from core.answers.report.parts import card, figure, frame
from core.domain.codec import decode
from core.domain.profile import Profile
from core.domain.side_by_side import SideBySide

WIDE = 800


def page(name: str, result: Profile, beside: SideBySide | None = None) -> str:
    """Return the HTML; every word from a file or a person is escaped."""
    doubts = "".join(f"<p class=worse>{escape(sentence)}</p>" for sentence in result.doubts)
    body = (
        f"<h1>{escape(name)}</h1><p class=aloud>{escape(aloud(result))}</p>{doubts}"
        f"<div class=grid>{''.join(cards(result))}</div>{''.join(charts(result))}{runtimes(beside)}"
        f"<div class='card wide'><h2>How this was measured</h2>{''.join(method(result))}"
        f"<p class=soft>The command that repeats it, where the file is:</p><pre><code>{escape(repeat.profile(name, result))}</code></pre></div>"
    )
    return frame(name, "what a model costs", body)


def aloud(result: Profile) -> str:
    """Return what the model costs as somebody would say it, with units in words and no more digits than an ear can hold."""
    timing, start = result.timing, result.start.total
    whom = "answers once" if timing.batch == 1 else f"answers {timing.batch} samples at once"
    where = "one processor core" if timing.threads == 1 else f"{timing.threads} processor cores"
    return (
        f"The model {whom} in {spoken(timing.latency / 1000)} on {where}, needs {result.memory.peak:,.0f} megabytes of memory "
        f"beside its runtime, and is ready {spoken(start)} after the start."
    )


def spoken(seconds: float) -> str:
    """Return a time in two digits and the unit that fits."""
    for least, unit, scale in ((1.0, "second", 1.0), (1e-3, "millisecond", 1e3), (0.0, "microsecond", 1e6)):
        if seconds >= least:
            told = f"{float(f'{seconds * scale:.2g}'):,g}"
            return f"{told} {unit}{'' if told == '1' else 's'}"
    raise ValueError("a time is not negative")


def cards(result: Profile) -> list[str]:
    """Return the figures that decide, each with its spread."""
    timing, memory, start = result.timing, result.memory, result.start
    below = f"{timing.cpu_low:.3g} to {timing.cpu_high:.3g} ms, 95 % interval"
    if timing.threads > 1:
        below = f"{timing.cpu:.3g} ms of all processors"
    low, high = memory.spread or (memory.peak, memory.peak)
    first, last = start.spread or (start.total, start.total)
    found = [
        card("Time of a call", f"{timing.latency:.3g} ms", below),
        card("Peak memory", f"{memory.peak:.1f} MB", f"{low:.1f} to {high:.1f} MB in {memory.runs} processes"),
        card(
            "Time to the first answer", f"{start.total:.2g} s", f"{first:.2g} to {last:.2g} s in {start.runs} processes"
        ),
        card(
            "Throughput", f"{timing.throughput:,.0f} a second", f"one call after the other, {timing.threads} thread(s)"
        ),
    ]
    if result.macs:
        found.append(card("Work of a call", f"{result.macs.ran.macs:,}", "multiply-accumulate operations (MACs)"))
    carried = [one for one in timing.percentiles if one.value is not None]
    if carried:
        tail = carried[-1]
        found.append(
            card(f"Slow calls ({tail.name})", f"{tail.value:.3g} ms", f"at most {tail.bound:.3g} ms, 99 % confidence")
        )
    return found


def charts(result: Profile) -> list[str]:
    """Return the charts of what was measured."""
    found = []
    if result.owners:
        found.append(figure("Who owns the memory", svg(owners.shares(result.owners, INK), WIDE)))
    if result.stages:
        found.append(figure("From raw data to the answer", svg(stages.stages(result.stages, INK), WIDE)))
    if result.operators:
        found.append(figure("Time by kind of operator", svg(operators.shares(result.operators, INK), WIDE)))
        if any(one.macs for one in result.operators.nodes):
            title = "How near each operator comes to what the machine can do"
            found.append(figure(title, svg(operators.roofline(result.operators, INK), WIDE)))
    for along, points in (
        (("batch", result.curves.batches), ("threads", result.curves.threads)) if result.curves else ()
    ):
        if points:
            title = "Time of a call by its samples" if along == "batch" else "Time of a call by threads"
            found.append(figure(title, svg(curve(points, along, None, None), WIDE)))
    return found


def runtimes(beside: SideBySide | None) -> str:
    """Return how the model did in other runtimes, where that was measured."""
    if beside is None:
        return ""
    timed = any(one.race and one.parity for one in beside.ways)
    drawn = svg(side_by_side(beside, INK), WIDE) if timed else ""
    found = rows(beside)
    head = "".join(f"<th>{escape(name)}</th>" for name in found[0])
    body = "".join(f"<tr>{''.join(f'<td>{escape(value)}</td>' for value in row.values())}</tr>" for row in found)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return figure("The same model in other runtimes", f"<p>{escape(beside.sentence)}</p>{drawn}{table}")


def method(result: Profile) -> list[str]:
    """Return the evidence in sentences: the inputs, the timing, the machine, the versions, and the file by its hash."""
    on, timing = result.conditions, result.timing
    versions = ", ".join(f"{name} {version}" for name, version in on.versions.items())
    busy = " Other work kept the machine busy." if timing.disturbed else ""
    lines = [
        f"Inputs: {'the data set ' + result.data.name if result.data else 'random, from what the graph takes'}; seed {on.seed}.",
        f"Time: {'processor time' if timing.threads == 1 else 'the clock'}, {timing.runs:,} calls over {timing.sessions} sessions, batch "
        f"{timing.batch}, {timing.threads} thread(s). Interference index {timing.interference:.2f}, 1 on a quiet machine.{busy}",
        f"Memory and start: medians of {result.memory.runs} and {result.start.runs} fresh processes, memory beyond a process that has imported the runtime.",
        *([result.macs.told] if result.macs else [result.uncounted]),
        f"{on.runtime}. Machine: {on.machine}. {versions}.",
        f"File: {result.size:,} bytes, SHA-256 {on.sha256}.",
    ]
    return [f"<p class=soft>{escape(line)}</p>" for line in lines if line]


if __name__ == "__main__":
    told = decode(Measured, json.load(sys.stdin.buffer))
    sys.stdout.buffer.write(page(told.name, told.result, told.beside).encode())
