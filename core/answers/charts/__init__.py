"""Stored facts made ready for eyes: Altair charts, the same on a page and in a report."""

from core.answers.charts.bars import before_after, megabytes, operators, size_rows
from core.answers.charts.classes import class_changes, class_rows
from core.answers.charts.parity import differences
from core.answers.charts.tuning import heat, search
from core.answers.charts.variants import COLUMNS, changed, frontier, pareto, shown, variants, words
from core.answers.charts.weights import histogram, layer_rows, layer_sizes

__all__ = [
    "COLUMNS",
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
    "variants",
    "words",
]
