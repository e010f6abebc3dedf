"""What skl2onnx can write once the converters of this package are registered."""

from collections.abc import Iterator

from core.libraries.sklearn import Estimator
from core.libraries.sklearn_onnx.rewriting import simplified


def takes(model: Estimator, option: str) -> bool:
    """Say whether the converter of an estimator has an option."""
    from skl2onnx.common._registration import get_converter

    if not _alias(model):
        return False
    allowed: dict[str, object] | None = getattr(get_converter(_alias(model)), "get_allowed_options", dict)()
    return option in (allowed or {})


def unknown(model: Estimator) -> tuple[str, ...]:
    """Return the names of the estimators within a model that have no converter, each once."""
    found = [type(part).__name__ for part in _parts(simplified(model)) if not _alias(part)]
    return tuple(dict.fromkeys(found))


def _alias(model: Estimator) -> str:
    from skl2onnx._supported_operators import sklearn_operator_name_map

    return str(sklearn_operator_name_map.get(type(model)) or "")


def _parts(model: Estimator) -> Iterator[Estimator]:
    """Yield the estimators that a pipeline, a table of columns or an ensemble holds, or the estimator itself."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import FeatureUnion, Pipeline

    if isinstance(model, Pipeline):
        inner = [step for _, step in model.steps]
    elif isinstance(model, ColumnTransformer):
        inner = [step for _, step, _ in model.transformers_]
    elif isinstance(model, FeatureUnion):
        inner = [step for _, step in model.transformer_list]
    else:
        yield model
        members = getattr(model, "estimators_", [])
        inner = members if isinstance(members, list) else []
    for step in inner:
        if hasattr(step, "get_params"):
            yield from _parts(step)
