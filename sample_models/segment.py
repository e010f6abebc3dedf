"""Boosted trees that name the surface in a small patch of an outdoor photograph."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import skops.io
from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.common.data_types import FloatTensorType
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from sklearn.model_selection import train_test_split
from xgboost import XGBClassifier

from sample_models import card, reproducible, score, sources

SEED = 7
HELD_BACK = 626
TREES = {"n_estimators": 80, "max_depth": 4, "learning_rate": 0.3, "n_jobs": 1, "random_state": SEED}
OPSETS = {"": 20, "ai.onnx.ml": 3}
FILES = {"model.skops": "skops", "model.onnx": "onnx"}
WORDS = card.Words(
    title="Image segments",
    task="tabular classification",
    sentence="Boosted trees that name the surface in a 3 x 3 patch of an outdoor photograph from 18 measurements.",
    preprocessing="The 18 columns of the table in their order, as float32; the label is the place in the list of classes.",
    dataset=card.Dataset(
        name="Statlog image segmentation (UCI)",
        source="Python package river 0.26.1",
        licence="CC-BY-4.0",
        credit="Image Segmentation, UCI Machine Learning Repository (1990), doi.org/10.24432/C5GP4N.",
    ),
    classes=["brickface", "cement", "foliage", "grass", "path", "sky", "window"],
)


def build(data: Path, fashion: Path, folder: Path) -> dict[str, Any]:
    """Train, write every file of the sample into the folder, and return its card."""
    table = sources.segment(data).drop_duplicates(ignore_index=True)
    table["label"] = table.pop("category").map(WORDS.classes.index).astype(np.int64)
    train, test = train_test_split(table, test_size=HELD_BACK, random_state=SEED, stratify=table["label"])
    model = XGBClassifier(**TREES).fit(_inputs(train), train["label"].to_numpy())
    skops.io.dump(model, folder / "model.skops")
    reproducible.rewrite_skops(folder / "model.skops")
    save_onnx(model, folder / "model.onnx")
    test.to_csv(folder / "test.csv", index=False, lineterminator="\n")
    answers = {name: score.SCORES[format](folder / name, _inputs(test)) for name, format in FILES.items()}
    return card.compose(
        folder,
        WORDS,
        main="model.skops",
        rows=card.files(folder, FILES, answers, test["label"].to_numpy()),
        data={"file": "test.csv", "label": "label", "rows": HELD_BACK, "which": "every row that was held back"},
        accuracy=card.agreement(answers["model.skops"], test["label"].to_numpy(), "all 626 held-back patches"),
        training={**TREES, "seed": SEED, "rows": len(train), "method": "XGBClassifier"},
        packages=["xgboost-cpu", "scikit-learn", "skops", "skl2onnx", "onnxmltools", "onnxruntime", "numpy"],
    )


def save_onnx(model: XGBClassifier, path: Path) -> None:
    """Write the trees as ONNX with the outputs label and probabilities."""
    update_registered_converter(
        XGBClassifier,
        "XGBoostXGBClassifier",
        calculate_linear_classifier_output_shapes,
        convert_xgboost,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
    )
    inputs = [("x", FloatTensorType([None, model.n_features_in_]))]
    options = {id(model): {"zipmap": False}}
    converted = to_onnx(model, initial_types=inputs, name="segment", options=options, target_opset=OPSETS)
    del converted.opset_import[:]
    converted.opset_import.extend(onnx.helper.make_opsetid(*pair) for pair in OPSETS.items())
    for value in [*converted.graph.input, *converted.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    reproducible.write_onnx(converted, path)


def _inputs(table: pd.DataFrame) -> np.ndarray:
    return np.asarray(table.drop(columns="label"), np.float32)
