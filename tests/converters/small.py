"""Small real models in the source formats, and the whole way from a source to its verdict."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import pandas as pd
import safetensors.torch
import skops.io
import torch
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import Tensor, nn
from xgboost import XGBClassifier

from core.converters import CONVERTERS
from core.domain.report import Parity
from core.domain.transform import CODE, parse_options
from core.proof import parity, probes
from core.proof.dataset import Dataset
from core.runtimes import runtime_for


class Pictures(nn.Module):
    """Convolution, normalisation, pooling, a grouped convolution and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.second, self.head = nn.Conv2d(8, 16, 3, groups=2), nn.Linear(16 * 13 * 13, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, 1, 28, 28] to [batch, 10]."""
        x = nn.functional.silu(self.second(torch.relu(self.norm(self.first(x)))))
        return self.head(nn.functional.max_pool2d(x, 2).flatten(1))


class Words(nn.Module):
    """Embedding, one encoder layer and the mean over the words."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0, activation="gelu", batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids below 50 [batch, 12] to [batch, 3]."""
        return self.head(self.layer(self.table(ids)).mean(1))


EXAMPLES = {
    "pictures": (Pictures, "x", torch.zeros(2, 1, 28, 28)),
    "words": (Words, "ids", torch.zeros(2, 12, dtype=torch.int64)),
}


def save_program(name: str, path: Path) -> Path:
    """Write an exported program with a free batch."""
    module, argument, example = _built(name)
    program = torch.export.export(module, (example,), dynamic_shapes={argument: {0: torch.export.Dim("batch")}})
    torch.export.save(program, path)
    return path


def save_script(name: str, path: Path) -> Path:
    """Write a traced TorchScript file."""
    module, _, example = _built(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(module, example, check_trace=False).save(str(path))
    return path


NETWORK = """
from torch import nn

def build():
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
"""


def save_weights(folder: Path) -> None:
    """Write the weights of a network as a checkpoint and as safetensors, and the Python file that defines it beside them."""
    torch.manual_seed(0)
    space: dict[str, Any] = {}
    exec(NETWORK, space)
    state = space["build"]().state_dict()
    torch.save(state, folder / "weights.pt")
    safetensors.torch.save_file(state, folder / "weights.safetensors")
    (folder / CODE).write_text(NETWORK)


def _built(name: str) -> tuple[nn.Module, str, Tensor]:
    torch.manual_seed(0)
    torch.backends.mha.set_fastpath_enabled(False)
    module, argument, example = EXAMPLES[name]
    return module().eval(), argument, example


def table(n: int = 300) -> pd.DataFrame:
    """Return numbers around 40 and 200, whole numbers, and two text columns, seeded."""
    rng = np.random.default_rng(0)
    numbers = {
        "length": rng.normal(40, 5, n),
        "mass": rng.normal(200, 14, n),
        "count": rng.integers(0, 20, n).astype(float),
    }
    return pd.DataFrame(
        {**numbers, "kind": rng.choice(["ant", "bee", "fly"], n), "place": rng.choice(["in", "out"], n)}
    )


def classes(rows: pd.DataFrame) -> np.ndarray:
    """Return three classes that depend on a number, a whole number and a text."""
    return (rows["length"] > 40).to_numpy().astype(int) + ((rows["count"] > 10) & (rows["kind"] != "ant")).to_numpy()


def pipelines() -> dict[str, Any]:
    """Return fitted estimators of the kinds whose conversion is easiest to get wrong."""
    rows = table()
    y, numbers = classes(rows), rows[["length", "mass", "count"]].to_numpy()
    text_classes = np.array(["few", "some", "many"])[y]
    columns = [
        ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["length", "mass", "count"]),
        ("texts", OneHotEncoder(handle_unknown="ignore"), ["kind", "place"]),
    ]
    return {
        "text columns": make_pipeline(ColumnTransformer(columns), LogisticRegression(max_iter=500)).fit(
            rows, text_classes
        ),
        "forest behind a scaler": make_pipeline(StandardScaler(), RandomForestClassifier(10, random_state=0)).fit(
            numbers, y
        ),
        "boosted trees": XGBClassifier(n_estimators=8, n_jobs=1).fit(numbers, y),
        "boosted trees behind columns": make_pipeline(
            ColumnTransformer(columns), XGBClassifier(n_estimators=8, n_jobs=1)
        ).fit(rows, y),
        "LightGBM": LGBMClassifier(n_estimators=8, n_jobs=1, verbose=-1).fit(numbers, text_classes),
        "LightGBM behind columns": make_pipeline(
            ColumnTransformer(columns), LGBMRegressor(n_estimators=8, n_jobs=1, verbose=-1)
        ).fit(rows, rows["length"] * 2 + rows["count"]),
    }


def save_estimator(name: str, path: Path) -> Path:
    """Write a fitted estimator as skops or as a pickle, by the suffix."""
    model = pipelines()[name]
    skops.io.dump(model, path) if path.suffix == ".skops" else joblib.dump(model, path)
    return path


@dataclass(frozen=True)
class Way:
    """A source file, the converter's id and its options, and data to prove it on if there is any."""

    source: Path
    converter: str
    options: dict[str, Any]
    data: Dataset | None = None

    def convert(self, folder: Path) -> Path:
        """Return the file that the converter wrote."""
        converter = CONVERTERS[self.converter]
        out = folder / ("out" + converter.suffix)
        converter.convert(self.source, out, parse_options(converter.Options, self.options))
        return out

    def golden(self, folder: Path) -> Path:
        """Return the recorded answers of the source."""
        source = CONVERTERS[self.converter].source
        shapes = self.options.get("shapes", "")
        probes.record(
            runtime_for(source).open_exact(self.source, source, self.options),
            7,
            self.data,
            folder / "golden.npz",
            shapes,
            runtime_for(source).landmarks(self.source, source),
        )
        return folder / "golden.npz"

    def prove(self, folder: Path) -> Parity:
        """Convert, record the source, and compare."""
        converter = CONVERTERS[self.converter]
        target = runtime_for(converter.target).open_exact(self.convert(folder), converter.target, {})
        return parity.compare(target, self.golden(folder), converter.tolerance, 7)


def spoil(path: Path, name_part: str) -> None:
    """Change one number of the first weight of an ONNX file whose name holds ``name_part``."""
    model = onnx.load(path)
    tensor = next(t for t in model.graph.initializer if name_part in t.name)
    values = onnx.numpy_helper.to_array(tensor).copy()
    values.flat[values.size // 2] += 1.0
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    onnx.save(model, path)
