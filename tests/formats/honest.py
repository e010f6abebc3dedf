"""Small honest files of each format, written by the real libraries."""

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from tests.formats import made_litert, made_phones, made_trees

ROWS = np.random.default_rng(0).normal(size=(60, 4))
CLASSES = (ROWS[:, 0] > 0).astype(np.int64)


class Net(torch.nn.Module):
    """A convolution, a normalisation and a linear layer: 1,498 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 4, 3)
        self.norm = torch.nn.BatchNorm2d(4)
        self.line = torch.nn.Linear(144, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.line(torch.relu(self.norm(self.conv(x))).flatten(1))


def linear_onnx(weight: Any = None, **changes: Any) -> onnx.ModelProto:
    """A matrix product with a free batch: 12 weights."""
    weight = np.arange(12, dtype=np.float32).reshape(4, 3) if weight is None else weight
    graph = helper.make_graph(
        changes.pop("nodes", [helper.make_node("MatMul", ["x", "w"], ["y"])]),
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        changes.pop("initializers", [numpy_helper.from_array(weight, "w")]),
    )
    opsets = changes.pop("opset_imports", [helper.make_opsetid("", 17)])
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="tests", **changes)


def write_onnx(path: Path) -> None:
    onnx.save(linear_onnx(), path)


def write_onnx_external(path: Path, folder: str = "") -> None:
    place = path.parent / (path.name + ".d")
    place.mkdir(exist_ok=True)
    onnx.save(linear_onnx(), place / "model.onnx", save_as_external_data=True, location="model.data", size_threshold=0)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("model.onnx", "model.data"):
            archive.write(place / name, folder + name)


def write_ort(path: Path) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path)
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(linear_onnx().SerializeToString(), options, providers=["CPUExecutionProvider"])


def write_openvino(path: Path) -> None:
    from core.libraries import ir

    onnx.save(linear_onnx(), path.with_suffix(".source"))
    ir.write(ir.engine().Core().read_model(path.with_suffix(".source")), path)


def write_keras(path: Path) -> None:
    from tests.formats import made_keras

    made_keras.save("cnn", path)


def write_saved_model(path: Path) -> None:
    path.write_bytes((Path(__file__).parent / "data" / path.name).read_bytes())


def write_litert(path: Path) -> None:
    path.write_bytes(made_litert.dense())


def write_quantized_litert(path: Path) -> None:
    path.write_bytes(made_litert.quantized())


def write_export(path: Path) -> None:
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(Net().eval(), (torch.randn(2, 1, 8, 8),), dynamic_shapes=({0: batch},))
    torch.export.save(program, path)


def write_script(path: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(Net().eval()), path)


def write_traced(path: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(Net().eval(), torch.randn(2, 1, 8, 8)), path)


def write_checkpoint(path: Path) -> None:
    torch.save(Net().state_dict(), path)


def write_legacy(path: Path) -> None:
    torch.save(Net().state_dict(), path, _use_new_zipfile_serialization=False)


def write_training(path: Path) -> None:
    net = Net()
    optimizer = torch.optim.Adam(net.parameters())
    torch.save(
        {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "loss": np.float32(0.5)}, path
    )


def write_half(path: Path) -> None:
    torch.save({"w": torch.nn.Parameter(torch.ones(3, 4, dtype=torch.bfloat16)), "view": torch.arange(10)[2:6:2]}, path)


def write_safetensors(path: Path) -> None:
    from safetensors.torch import save_file

    save_file(dict(Net().state_dict()), path, metadata={"format": "pt"})


def pipeline() -> Any:
    """A column transformer of numbers and words before a classifier of words."""
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    table = pd.DataFrame({"length": ROWS[:, 0], "width": ROWS[:, 1], "island": np.where(ROWS[:, 2] > 0, "a", "b")})
    numbers = Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())])
    split = ColumnTransformer([("n", numbers, ["length", "width"]), ("w", OneHotEncoder(), ["island"])])
    return Pipeline([("split", split), ("model", LogisticRegression())]).fit(table, np.where(CLASSES, "male", "female"))


def estimators() -> dict[str, Any]:
    """Fitted models of several kinds."""
    import xgboost
    from sklearn import (
        calibration,
        cluster,
        decomposition,
        ensemble,
        gaussian_process,
        linear_model,
        model_selection,
        naive_bayes,
        neighbors,
        neural_network,
        preprocessing,
        svm,
    )
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    models = [
        linear_model.LinearRegression(), linear_model.SGDClassifier(), linear_model.LogisticRegressionCV(l1_ratios=(0,), use_legacy_attributes=False, scoring="accuracy"),
        ensemble.RandomForestClassifier(3), ensemble.GradientBoostingRegressor(n_estimators=3), ensemble.HistGradientBoostingClassifier(max_iter=3),
        ensemble.AdaBoostClassifier(n_estimators=2), ensemble.IsolationForest(n_estimators=2), ensemble.ExtraTreesRegressor(2),
        ensemble.VotingClassifier([("a", linear_model.LogisticRegression()), ("b", naive_bayes.GaussianNB())]),
        ensemble.StackingClassifier([("a", linear_model.LogisticRegression())]), svm.SVC(), svm.OneClassSVM(),
        neighbors.KNeighborsClassifier(algorithm="kd_tree"), neighbors.KNeighborsRegressor(algorithm="ball_tree"), naive_bayes.BernoulliNB(),
        neural_network.MLPClassifier((4,), solver="lbfgs"), cluster.KMeans(2, n_init=1), decomposition.PCA(2), calibration.CalibratedClassifierCV(),
        gaussian_process.GaussianProcessClassifier(), preprocessing.PowerTransformer(), preprocessing.QuantileTransformer(n_quantiles=5),
        model_selection.GridSearchCV(linear_model.LogisticRegression(), {"C": [1, 2]}, scoring="accuracy"), xgboost.XGBClassifier(n_estimators=2),
        make_pipeline(preprocessing.FunctionTransformer(np.exp), preprocessing.PolynomialFeatures(), linear_model.Ridge()),
    ]  # fmt: skip
    fitted = {type(model).__name__: model.fit(ROWS, CLASSES) for model in models}
    texts = make_pipeline(TfidfVectorizer(), naive_bayes.MultinomialNB()).fit(["aa bb", "cc dd", "aa dd"], [0, 1, 0])
    return {**fitted, "texts": texts, "columns": pipeline()}


def write_skops(path: Path) -> None:
    import skops.io

    skops.io.dump(pipeline(), path)


def write_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(pipeline()))


def write_old_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(pipeline(), protocol=0))


def write_joblib(path: Path) -> None:
    import joblib

    joblib.dump(pipeline(), path)


def write_zlib_joblib(path: Path) -> None:
    import joblib

    joblib.dump(pipeline(), path, compress=3)


def write_xz_joblib(path: Path) -> None:
    import joblib

    joblib.dump(pipeline(), path, compress=("xz", 3))


def write_web_package(path: Path) -> None:
    from core.converters import onnx_to_web_package as entry

    onnx.save(linear_onnx(), path.with_suffix(".source"))
    entry.CONVERTER.convert(path.with_suffix(".source"), path, entry.PageOptions())


def write_pmml(path: Path) -> None:
    from core.converters.skops_to_pmml import inputs
    from core.libraries.fitted import models
    from core.scoring import pmml_write

    model = pipeline()
    path.write_bytes(pmml_write.write(models.form(model, inputs(model)), "tests"))


def write_scoring_source(path: Path) -> None:
    from core.scoring import c_source, pmml_read, python_source

    write_pmml(path.with_suffix(".source"))
    form = pmml_read.read(path.with_suffix(".source"))
    path.write_text(c_source.write(form) if path.suffix == ".c" else python_source.write(form))


HONEST: dict[str, tuple[str, Callable[[Path], None]]] = {
    "linear.onnx": ("onnx", write_onnx),
    "external.zip": ("onnx_external", write_onnx_external),
    "external-folder.zip": ("onnx_external", lambda path: write_onnx_external(path, "model/")),
    "linear.ort": ("ort", write_ort),
    "linear-web.zip": ("web_package", write_web_package),
    "linear-openvino.zip": ("openvino", write_openvino),
    "cnn.keras": ("keras", write_keras),
    "cnn.h5": ("keras_h5", write_keras),
    "saved_model_softmax.zip": ("saved_model", write_saved_model),
    "saved_model_keras2.zip": ("saved_model", write_saved_model),
    "boosted.json": ("xgboost", made_trees.xgboost),
    "boosted.ubj": ("xgboost", made_trees.xgboost),
    "boosted.txt": ("lightgbm", made_trees.lightgbm),
    "boosted.cbm": ("catboost", made_trees.catboost),
    "dense.tflite": ("litert", write_litert),
    "quantized.tflite": ("litert", write_quantized_litert),
    "line-ncnn.zip": ("ncnn", made_phones.ncnn),
    "line-ncnn-folder.zip": ("ncnn", lambda path: made_phones.ncnn(path, folder="model/")),
    "line-coreml.zip": ("coreml", made_phones.coreml),
    "relu.pte": ("executorch", made_phones.executorch),
    "net.pt2": ("torch_export", write_export),
    "script.pt": ("torchscript", write_script),
    "traced.pt": ("torchscript", write_traced),
    "weights.pt": ("torch_checkpoint", write_checkpoint),
    "legacy.pth": ("torch_checkpoint", write_legacy),
    "training.ckpt": ("torch_checkpoint", write_training),
    "half.pt": ("torch_checkpoint", write_half),
    "weights.safetensors": ("safetensors", write_safetensors),
    "penguins.skops": ("skops", write_skops),
    "penguins.pmml": ("pmml", write_pmml),
    "penguins.py": ("python_source", write_scoring_source),
    "penguins.c": ("c_source", write_scoring_source),
    "penguins.pkl": ("pickle", write_pickle),
    "penguins-old.pkl": ("pickle", write_old_pickle),
    "penguins.joblib": ("pickle", write_joblib),
    "penguins-zlib.joblib": ("pickle", write_zlib_joblib),
    "penguins-xz.joblib": ("pickle", write_xz_joblib),
}
