"""Stored facts made ready for eyes: Altair charts, the same on a page and in a report."""

from core.charts.bars import before_after, megabytes, operators, size_rows, travelling
from core.charts.classes import class_changes, class_rows
from core.charts.parity import differences
from core.charts.tuning import heat, search
from core.charts.variants import changed, frontier, pareto, shown, variants, words
from core.charts.weights import histogram, layer_rows, layer_sizes

__all__ = [
    "before_after",
    "changed",
    "class_changes",
    "class_rows",
    "differences",
    "frontier",
    "heat",
    "histogram",
    "layer_rows",
    "layer_sizes",
    "megabytes",
    "operators",
    "pareto",
    "search",
    "shown",
    "size_rows",
    "travelling",
    "variants",
    "words",
]
