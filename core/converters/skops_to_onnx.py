"""scikit-learn (skops) to ONNX by skl2onnx, with the boosted trees that onnxmltools knows."""

import copy
import importlib.util
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

from core.domain.artifact import TensorSpec
from core.domain.errors import Refused, first_line
from core.domain.transform import Converter, Tolerance, option
from core.formats.skops import TRUSTED
from core.libraries import sklearn_onnx
from core.libraries.fitted import models
from core.libraries.sklearn import Estimator, columns, estimators
from core.onnx import casts, files
from core.onnx.typing import ModelProto
from core.scoring import onnx_model
from core.scoring.form import Form, Input


@dataclass(frozen=True)
class EstimatorOptions:
    """The operator set of the numeric operators; trees and encoders are written in ai.onnx.ml 3."""

    opset: int = option(20, "ONNX operator set to write; 15 to 22.", low=15, high=22)


LOGISTIC = "logistic"
NEXT = "Replace that step, and fit the model again."


class SkopsToOnnx(Converter):
    """Takes one input per named column, or one table, and answers with label and probabilities as plain tensors."""

    title = "scikit-learn to ONNX"
    sentence = "Writes a fitted estimator or pipeline, XGBoost included, as ONNX; text columns stay text."
    source, target, suffix = "skops", "onnx", ".onnx"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)
    Options = EstimatorOptions

    def convert(self, source: Path, out: Path, options: EstimatorOptions) -> None:
        """Convert, check and load. Raises Refused when a step of the pipeline has no ONNX form."""
        import skl2onnx

        model = estimators.load_skops(source, TRUSTED)
        estimators.check_fitted(model)
        _check_boosters(model)
        if _has_lightgbm(model):
            files.write(onnx_model.write(_form(model), options.opset, "float32"), out)
            files.loads(out)
            return
        _register()
        sklearn_onnx.register()
        answers = estimators.outputs(model)
        inputs = _types(model)
        plainer, opsets = sklearn_onnx.simplified(model), {"": options.opset, "ai.onnx.ml": 3}
        try:
            with warnings.catch_warnings():
                for category in (FutureWarning, DeprecationWarning):
                    warnings.filterwarnings("ignore", category=category)
                converted = skl2onnx.to_onnx(
                    _adapted(plainer), initial_types=inputs, options=_flat(plainer), target_opset=opsets, name="model"
                )
        except Exception as error:
            raise _refusal(model, error) from None
        if len(converted.graph.output) < len(answers):
            raise Refused(f"The ONNX form of {type(model).__name__} has fewer outputs than the model itself.", NEXT)
        del converted.graph.output[len(answers) :]
        casts.keep_wide(converted)
        _tell_width(converted, answers)
        files.name_batch(converted)
        if not files.free_batch(converted):
            raise Refused("The converter fixed the number of rows.", "Please report this pipeline.")
        files.write(converted, out)
        files.loads(out)


def _has_lightgbm(model: Estimator) -> bool:
    """Say whether LightGBM answers somewhere in a model, whose trees skl2onnx does not know."""
    return any(type(one).__module__.startswith("lightgbm.") for one in [model, *model.get_params(deep=True).values()])


def _form(model: Estimator) -> Form:
    """Return the common form of a model with LightGBM in it, on one table where its columns are all numbers. Raises Refused."""
    if missing := tuple(dict.fromkeys(models.unsupported(model))):
        raise Refused(
            f"{', '.join(missing)}: no ONNX form of this is supported beside LightGBM.",
            "Save the booster alone with model.booster_.save_model('model.txt'), and convert that file.",
        )
    told, texts = [spec.name for spec in estimators.inputs(model)], columns.text_columns(model)
    names = [f"x{place + 1}" for place in range(columns.width(model) or 0)] if told == ["X"] else told
    missing = ("",) if columns.text_imputers(model) else ()
    inputs = (
        Input(name, "string", missing, texts[place]) if place in texts else Input(name, "double")
        for place, name in enumerate(names)
    )
    return models.form(model, tuple(inputs))


def _check_boosters(model: Estimator) -> None:
    """Refuse what the ONNX form of an XGBoost estimator lacks, and name the way that has it. Raises Refused."""
    from sklearn.base import is_regressor

    for one in [model, *model.get_params(deep=True).values()]:
        if not hasattr(one, "get_booster") or not hasattr(one, "n_features_in_"):
            continue
        learner = json.loads(one.get_booster().save_config())["learner"]
        kind, targets = learner["gradient_booster"]["name"], int(learner["learner_model_param"]["num_target"])
        objective = learner["objective"]["name"]
        lacks = [
            *([f"the booster {kind}"] if kind not in ("gbtree", "dart") else []),
            *([f"{targets} targets"] if targets > 1 else []),
            *([f"the objective {objective} of a regressor"] if LOGISTIC in objective and is_regressor(one) else []),
        ]
        if lacks:
            raise Refused(
                f"{type(one).__name__} has no ONNX form with {' and '.join(lacks)} on the way from skops.",
                "Save the booster with its save_model method as .json, and convert that file: it has a way of its own, or says what is missing.",
            )


def _refusal(model: Estimator, error: Exception) -> Refused:
    """Name every estimator that has no ONNX form, else what the converter said."""
    unknown = sklearn_onnx.unknown(model)
    if unknown:
        return Refused(f"{', '.join(unknown)}: no ONNX form of this is supported.", NEXT)
    cause = first_line(error)
    return Refused(
        f"{type(model).__name__} cannot become ONNX: {cause}",
        "Change the setting named above, and fit the model again.",
    )


def _types(model: Estimator) -> list[tuple[str, object]]:
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    kinds = {"str": StringTensorType, "float32": FloatTensorType}
    return [(spec.name, kinds[spec.dtype]([None, (spec.shape or (1, 1))[1]])) for spec in estimators.inputs(model)]


def _flat(model: Estimator) -> dict[int, dict[str, object]]:
    """Ask for probabilities as a tensor and not as a list of maps, and for raw scores where there are no probabilities."""
    from sklearn.base import is_classifier

    return _spoken(model) | (_told(model) if is_classifier(model) else {})


def _spoken(model: Estimator) -> dict[int, dict[str, object]]:
    """Ask text vectorizers for the plain locale, which every machine has."""
    steps = [step for _, step in getattr(model, "steps", [("", model)])]
    return {id(step): {"locale": "C"} for step in steps if sklearn_onnx.takes(step, "locale")}


def _told(model: Estimator) -> dict[int, dict[str, object]]:
    if hasattr(model, "predict_proba"):
        return {id(model): {"zipmap": False}}
    final = getattr(model, "_final_estimator", model)
    scores = hasattr(final, "decision_function") and sklearn_onnx.takes(final, "raw_scores")
    return {id(final): {"raw_scores": True}} if scores else {}


def _tell_width(model: ModelProto, outputs: tuple[TensorSpec, ...]) -> None:
    """Declare the width of the scores, which skl2onnx gives as 1 for two classes where the engine answers 2."""
    for value, spec in zip(model.graph.output, outputs, strict=True):
        dims, width = value.type.tensor_type.shape.dim, (spec.shape or ())[1:]
        if spec.name == "scores" and len(dims) == 2 and isinstance(width[0], int):
            dims[1].dim_value = width[0]


def _adapted(model: Estimator) -> Estimator:
    """Say in the converter's words what it does not see by itself.

    Boosters get columns without names, thresholds of histogram trees get the float32 number that parts float32 samples
    in the same way, and missing text becomes the empty text.
    """
    for step in (model, getattr(model, "_final_estimator", model)):
        if hasattr(step, "get_booster"):
            step.get_booster().feature_names = None
        for predictor in (tree for trees in getattr(step, "_predictors", ()) for tree in trees):
            predictor.nodes["num_threshold"] = columns.rounded_down(predictor.nodes["num_threshold"])
    for imputer in columns.text_imputers(model):
        imputer.missing_values = ""
    return model


def _register() -> None:
    """Teach skl2onnx the boosted trees that are installed."""
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )

    flat = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    for kind, alias, convert, classifier in _boosters():
        shapes = calculate_linear_classifier_output_shapes if classifier else calculate_linear_regressor_output_shapes
        update_registered_converter(kind, alias, shapes, convert, options=copy.copy(flat) if classifier else None)


def _boosters() -> list[tuple[type, str, object, bool]]:
    if importlib.util.find_spec("xgboost") is None:
        return []
    import xgboost
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost

    return [
        (xgboost.XGBClassifier, "XGBoostXGBClassifier", convert_xgboost, True),
        (xgboost.XGBRFClassifier, "XGBoostXGBRFClassifier", convert_xgboost, True),
        (xgboost.XGBRegressor, "XGBoostXGBRegressor", convert_xgboost, False),
        (xgboost.XGBRFRegressor, "XGBoostXGBRFRegressor", convert_xgboost, False),
    ]


CONVERTER = SkopsToOnnx()
