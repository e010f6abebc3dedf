"""Says what travelled with a model and is not in its result: entries, names, integers, zeros."""

import re
from collections.abc import Iterator

from core.domain.artifact import TensorSpec
from core.domain.format import Summary
from core.formats import FORMATS

BOOKKEEPING = re.compile(
    r"format|pt|min_runtime_version|CONVERSION_METADATA|reduced_precision_support|onnx\.infer|pkg\..*"
)
"""Entries that tools write for themselves."""
WRITES_OWN_OUTPUTS = ("torch_export", "torchscript", "skops", "pickle")
"""Formats that do not name their outputs themselves."""
INTEGERS = re.compile(r"u?int[248]\b")
SPARSE, SHOWN = 0.1, 6
MANY, WIDER = 100_000, 1.5
"""Weights from which the bytes of a file tell how wide they are, and the bytes that each must have gained."""


def losses(source: Summary, size: int, result: Summary, made: int) -> tuple[str, ...]:
    """Return a sentence for each thing that a source of ``size`` bytes says and its result of ``made`` bytes does not."""
    return (
        *_entries(source, result),
        *_names(source, result),
        *_integers(source, size, result, made),
        *_zeros(source, result),
    )


def _entries(source: Summary, result: Summary) -> Iterator[str]:
    lost = [key for key in _told(source) if key not in _told(result) and not BOOKKEEPING.fullmatch(key)]
    if lost:
        yield f"What the source says of itself is not in the result: {_listed(lost)}. Keep it beside the file if your program reads it."


def _told(summary: Summary) -> list[str]:
    entries = summary.notes.get("metadata") or ()
    return [str(key) for key in entries] if isinstance(entries, dict | list) else []


def _names(source: Summary, result: Summary) -> Iterator[str]:
    sides = [("inputs", source.inputs, result.inputs)]
    if source.format not in WRITES_OWN_OUTPUTS:
        sides.append(("outputs", source.outputs, result.outputs))
    for side, before, after in sides:
        renamed = [f"{a.name} is {b.name}" for a, b in _pairs(before, after)]
        if renamed:
            yield f"The {side} have other names: {_listed(renamed)}."


def _pairs(before: tuple[TensorSpec, ...], after: tuple[TensorSpec, ...]) -> list[tuple[TensorSpec, TensorSpec]]:
    """Return what stands in the same place under another name; none where the names are the same in another order, or the numbers differ."""
    if len(before) != len(after) or {one.name for one in before} == {one.name for one in after}:
        return []
    return [(a, b) for a, b in zip(before, after, strict=True) if a.name != b.name]


def _integers(source: Summary, size: int, result: Summary, made: int) -> Iterator[str]:
    """Say that weights of 8 bits or fewer are stored wider, by what the summaries tell or, where one tells nothing, by the bytes."""
    held, count = INTEGERS.search(source.precision or ""), source.parameters or 0
    if not held or "stored as" in (source.precision or ""):
        return
    gained = count >= MANY and made - size > WIDER * count
    wider = not INTEGERS.search(result.precision) if result.precision else gained
    if wider:
        now = f"{result.precision} now" if result.precision else "wider in the result"
        yield (
            f"The quantization is lost: the weights were {source.precision}, and are {now}; "
            f"{FORMATS[result.format].title} takes {made / size:.1f} times the bytes."
        )


def _zeros(source: Summary, result: Summary) -> Iterator[str]:
    before, after = source.sparsity or 0.0, result.sparsity
    if before >= SPARSE and after is not None and after < before / 2:
        yield f"{before:.0%} of the weights were zero, {after:.0%} are in the result."


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(name[:80] for name in names[:SHOWN]) + more
