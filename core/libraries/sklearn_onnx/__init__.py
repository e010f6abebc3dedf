"""What skl2onnx does not write, or writes with other answers: one file a family of estimators.

Each converter computes in float64, as scikit-learn does, and hands on float32. Distances are summed over squared
differences and never expanded into products, which cancel on data that is not scaled.
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
        tfidf,
    ):
        family.register()


__all__ = ["register", "simplified", "takes", "unknown"]
