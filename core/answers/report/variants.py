"""The page itself: what was won and lost by one variant, all others beside it, and how it was measured."""

import json
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

from core.answers.charts.bars import before_after, megabytes
from core.answers.charts.classes import class_changes, class_rows
from core.answers.charts.variants import COLUMNS, changed, pareto, shown, variants, words
from core.answers.charts.weights import layer_rows, layer_sizes
from core.answers.report import Compressions
from core.answers.report.drawing import INK, svg
from core.answers.report.parts import card, figure, frame
from core.domain.codec import decode
from core.domain.compression import Compression
from core.domain.measures import Sizes

PAGE = Template((Path(__file__).parent / "variants.html").read_text("utf-8"))
HEADINGS = {
    "PASS": "PASS. The loss of quality is within what was allowed.",
    "NOT PROVEN": "NOT PROVEN. The file runs, but its loss of quality was not measured.",
    "FAIL": "FAIL. The loss of quality is more than was allowed.",
}
TOO_FEW = "NOT PROVEN. The samples are too few to show that the loss of quality is within what was allowed."
HEADS = {"variant": "variant", **COLUMNS}


def page(name: str, results: Sequence[Compression], chosen: int) -> str:
    """Return the HTML; every word from a file or a person is escaped."""
    result = results[chosen]
    verdict = result.parity.verdict
    body = PAGE.substitute(
        title=escape(name),
        steps=escape(" → ".join(words(step) for step in result.steps)),
        kind=verdict.split()[0],
        verdict=escape(TOO_FEW if verdict == "NOT PROVEN" and result.parity.loss else HEADINGS[verdict]),
        reason=escape(result.parity.reason),
        why="".join(f"<p class={'worse' if one.worse else 'soft'}>{escape(one.text)}</p>" for one in result.why),
        cards="".join(cards(result)),
        charts=charts(result, results),
        table=table(results, chosen),
        method="".join(f"<p class=soft>{line}</p>" for line in method(result)),
    )
    return frame(name, "model compression", body)


def cards(result: Compression) -> list[str]:
    """Return the figures that decide."""
    size, speed, memory = result.size, result.speed, result.memory
    found = [
        card("File size", megabytes(size.after), f"{size.ratio:.2f} times smaller, from {megabytes(size.before)}"),
        travel(size),
        card("Speed", f"{speed.ratio:.2f}x", f"{speed.low:.2f} to {speed.high:.2f}, 95 % interval"),
        card("Peak memory", f"{memory.after.peak:.1f} MB", f"from {memory.before.peak:.1f} MB"),
    ]
    if flips := changed(result):
        found.append(card("Changed predictions", f"{flips.k:,}", f"of {flips.n:,} held-out samples"))
    if result.quality:
        before, after = result.quality.before, result.quality.after
        value, _, counted = shown(after).partition(" ")
        below = f"{counted.strip('()')}, from {shown(before)}" if counted else f"from {shown(before)}"
        found.append(card(after.title, value, below))
    return found


def travel(size: Sizes) -> str:
    """Return the card of the download size."""
    how, before, after = size.download()
    smaller = f"{before / max(1, after):.2f} times smaller, from {megabytes(before)}, {how}"
    return card("Download size", megabytes(after), smaller)


def charts(result: Compression, results: Sequence[Compression]) -> str:
    """Return the charts whose figures were measured."""
    found = []
    rows = [row for row in variants(results) if row["quality"] is not None]
    if rows:
        found.append(figure("Quality against size of every variant", svg(pareto(rows, INK), 900)))
    quality = result.quality
    if quality and quality.after.correct:
        sides = [
            {"file": side, "value": one.value, "label": shown(one)}
            for side, one in (("before", quality.before), ("after", quality.after))
        ]
        found.append(figure("Accuracy on held-out samples", svg(before_after(sides, INK), 800)))
    if quality and quality.after.classes:
        changes = class_rows(quality.before, quality.after)
        found.append(figure("Class by class", svg(class_changes(changes, INK), 800)))
    if layers := layer_rows(result.weights):
        found.append(figure("Bytes of each tensor of weights, before and after", svg(layer_sizes(layers, INK), 800)))
    return "".join(found)


def table(results: Sequence[Compression], chosen: int) -> str:
    """Return all variants, the one of this page marked."""
    head = "".join(f"<th>{escape(name)}</th>" for name in HEADS.values())
    body = "".join(
        f"<tr{' class=chosen' if place == chosen else ''}>{''.join(f'<td>{escape(str(row[key]))}</td>' for key in HEADS)}</tr>"
        for place, row in enumerate(variants(results))
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def method(result: Compression) -> list[str]:
    """Return the evidence in sentences: the data, the timing, the machine, the versions, and the files by their hash."""
    parity, speed, artifact, source = result.parity, result.speed, result.artifact, result.source
    versions = ", ".join(f"{name} {version}" for name, version in parity.versions.items())
    lines = []
    if result.data:
        cut = result.data.split.words if result.data.split else "by the hash of each sample"
        lines.append(
            f"Data: {escape(result.data.name)}. Techniques learned from one half of it, chosen {escape(cut)}; quality "
            "and changed predictions were counted on the other half, the held-out samples."
        )
        lines += [escape(sentence) for sentence in result.read]
    lines += [
        f"Speed: processor time of the original over that of the variant, {speed.rounds} pairs in random order over "
        f"{speed.sessions} sessions of each, batch {speed.batch}, {speed.threads} thread.",
        f"Safe on: {escape(result.safe_on)}",
        f"Machine: {escape(parity.machine)}. {escape(versions)}. Seed {parity.seed}.",
        f"Original: {escape(source.name)}, {source.size:,} bytes, SHA-256 <code>{escape(source.sha256)}</code>.",
        f"Variant: {escape(artifact.name)}, {artifact.size:,} bytes, SHA-256 <code>{escape(artifact.sha256)}</code>.",
    ]
    return lines


if __name__ == "__main__":
    told = decode(Compressions, json.load(sys.stdin.buffer))
    sys.stdout.buffer.write(page(told.name, told.results, told.chosen).encode())
