"""Tree ensembles of ONNX: read into parts that are held once, made simpler, fitted to samples, and written in the smallest form.

The operators are ``TreeEnsembleClassifier`` and ``TreeEnsembleRegressor`` of ai.onnx.ml 1 to 3, and ``TreeEnsemble`` of 5.
"""

from collections.abc import Iterable

from core.domain.errors import Refused, Trouble

OPERATORS = ("TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble")


def without_trees(operators: Iterable[str]) -> Trouble | None:
    """Return why there is nothing to prune in a file without tree operators, or None where it has some."""
    if any(name.rpartition(".")[2] in OPERATORS for name in operators):
        return None
    return Trouble(Refused.kind, "The model contains no tree ensemble.", "Choose a technique that works on weights.")
