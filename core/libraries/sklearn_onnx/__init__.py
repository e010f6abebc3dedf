"""What skl2onnx does not write, or writes with other answers: one file a family of estimators.

Each converter computes in float64, as scikit-learn does, and hands on float32. Distances are summed over squared
differences, for products cancel on data that is not scaled; only the nearest centre is found by products where
scikit-learn finds it so, since far away both must lose the same.
"""

from core.libraries.sklearn_onnx import (
    clusters,
    discriminants,
    encoders,
    forms,
    functions,
    imputers,
    kernels,
    linear,
    neighbours,
    quantiles,
    tfidf,
    votes,
)
from core.libraries.sklearn_onnx.known import takes, unknown
from core.libraries.sklearn_onnx.rewriting import simplified


def register() -> None:
    """Teach skl2onnx every family."""
    for family in (
        forms,
        imputers,
        linear,
        kernels,
        clusters,
        quantiles,
        encoders,
        functions,
        votes,
        discriminants,
        neighbours,
        tfidf,
    ):
        family.register()


__all__ = ["register", "simplified", "takes", "unknown"]
