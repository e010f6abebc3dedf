"""What a forest says of itself: columns, answers, trees and how they treat missing numbers and categories."""

from core.domain.artifact import Signature, TensorSpec
from core.domain.format import Risk, Summary
from core.formats.anatomy.findings import warning
from core.formats.forests import BoostedTrees


def summary(format: str, forest: BoostedTrees, producer: str | None, package: str, **notes: str) -> Summary:
    """Return a forest's summary; thresholds and leaf values are its parameters."""
    splits = forest.splits
    leaves = splits + len(forest.trees)
    return Summary(
        format=format,
        signature=signature(forest),
        parameters=splits + leaves,
        operators={"Tree": len(forest.trees), "Split": splits, "Leaf": leaves},
        precision=forest.dtype,
        producer=producer,
        dependencies=(package,),
        notes={
            "objective": forest.objective,
            "classes": forest.classes or None,
            "depth": max(tree.depth for tree in forest.trees),
            "feature_names": [name[:80] for name in forest.names[:100]],
            "categorical_columns": list(forest.categorical),
            **forest.notes,
            **notes,
        },
    )


def signature(forest: BoostedTrees) -> Signature:
    """Return one table ``X``, and label with probabilities, or variable."""
    inputs = (TensorSpec("X", forest.dtype, ("batch", forest.features)),)
    if not forest.classes:
        return Signature(inputs, (TensorSpec("variable", "float32", ("batch", forest.targets)),))
    texts = any(isinstance(name, str) for name in forest.labels)
    label = TensorSpec("label", "str" if texts else "int64", ("batch",))
    return Signature(inputs, (label, TensorSpec("probabilities", "float32", ("batch", forest.classes))))


def risks(forest: BoostedTrees) -> tuple[Risk, ...]:
    """Return what the owner should know before a conversion."""
    if forest.link == "unknown":
        return (
            warning(
                f"The objective {forest.objective!r} is custom: the file does not state how its scores become an answer."
            ),
        )
    return ()
