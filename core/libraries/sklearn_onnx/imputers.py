"""Imputers that also tell which numbers were missing: skl2onnx leaves these columns out."""

from numbers import Real

from core.libraries.sklearn import Estimator
from core.libraries.sklearn_onnx.forms import formed
from core.libraries.sklearn_onnx.graph import Operator, Scope, converter


def register() -> None:
    """Teach imputers with an indicator, and leave the others to skl2onnx."""
    from skl2onnx import update_registered_converter
    from skl2onnx.common._container import ModelComponentContainer
    from skl2onnx.common._registration import get_converter, get_shape_calculator
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.impute import SimpleImputer

    plain, sized = get_converter("SklearnSimpleImputer"), get_shape_calculator("SklearnSimpleImputer")
    indicated = converter(formed)

    def convert(scope: Scope, operator: Operator, container: ModelComponentContainer) -> None:
        (indicated if _indicates(operator.raw_operator) else plain)(scope, operator, container)

    def shapes(operator: Operator) -> None:
        if not _indicates(operator.raw_operator):
            sized(operator)
            return
        rows = operator.inputs[0].get_first_dimension()
        operator.outputs[0].type = FloatTensorType([rows, len(operator.raw_operator.get_feature_names_out())])

    update_registered_converter(SimpleImputer, "PortolanSimpleImputer", shapes, convert)


def _indicates(imputer: Estimator) -> bool:
    """Say whether it also tells gaps, and fills them with numbers; those of a constant are held as objects."""
    numbers = all(isinstance(value, Real) for value in imputer.statistics_)
    return getattr(imputer, "indicator_", None) is not None and numbers
