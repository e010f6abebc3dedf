"""Fitted models for the study of estimators: every public estimator of scikit-learn on data that suits it, and pipelines."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import all_estimators

KINDS = ("classifier", "regressor", "transformer", "cluster")
TEXTS = [
    "The penguins of the southern islands eat fish.",
    "A model is only as good as its data.",
    "Fish swim in the cold sea around the islands!",
    "Data, data and more data: the model learns.",
    "Small birds sing when the sun comes up.",
    "The sea is cold; the sun is warm.",
    "Good models are small models.",
    "Birds and fish live near the sea.",
] * 4
INNER = {
    "ClassifierChain": {"estimator": LogisticRegression(max_iter=500)},
    "MultiOutputClassifier": {"estimator": LogisticRegression(max_iter=500)},
    "MultiOutputRegressor": {"estimator": Ridge()},
    "RegressorChain": {"estimator": Ridge()},
    "OneVsOneClassifier": {"estimator": LogisticRegression(max_iter=500)},
    "OneVsRestClassifier": {"estimator": LogisticRegression(max_iter=500)},
    "OutputCodeClassifier": {"estimator": LogisticRegression(max_iter=500)},
    "FixedThresholdClassifier": {"estimator": LogisticRegression(max_iter=500)},
    "TunedThresholdClassifierCV": {"estimator": LogisticRegression(max_iter=500)},
    "SelfTrainingClassifier": {"estimator": LogisticRegression(max_iter=500)},
    "SelectFromModel": {"estimator": LogisticRegression(max_iter=500)},
    "SequentialFeatureSelector": {"estimator": LogisticRegression(max_iter=500)},
    "RFE": {"estimator": LogisticRegression(max_iter=500)},
    "RFECV": {"estimator": LogisticRegression(max_iter=500)},
    "StackingClassifier": {"estimators": [("a", LogisticRegression(max_iter=500)), ("b", GaussianNB())]},
    "StackingRegressor": {"estimators": [("a", Ridge()), ("b", RandomForestRegressor(5, random_state=0))]},
    "VotingClassifier": {"estimators": [("a", LogisticRegression(max_iter=500)), ("b", GaussianNB())]},
    "VotingRegressor": {"estimators": [("a", Ridge()), ("b", RandomForestRegressor(5, random_state=0))]},
    "ColumnTransformer": {"transformers": [("a", StandardScaler(), [0, 1]), ("b", "passthrough", [2])]},
    "FeatureUnion": {"transformer_list": [("a", StandardScaler()), ("b", MinMaxScaler())]},
    "SparseCoder": {"dictionary": np.eye(4)},
    "KBinsDiscretizer": {"quantile_method": "averaged_inverted_cdf"},
    "QuantileTransformer": {"n_quantiles": 50},
    "RandomForestClassifier": {"n_estimators": 20},
    "ExtraTreesClassifier": {"n_estimators": 20},
    "GaussianRandomProjection": {"n_components": 3},
    "SparseRandomProjection": {"n_components": 3},
    "BernoulliRBM": {"n_components": 5},
    "NMF": {"max_iter": 2000},
    "MLPClassifier": {"max_iter": 60},
    "MLPRegressor": {"max_iter": 60},
    "FunctionTransformer": {"func": np.log1p},
    "SelectKBest": {"k": 2},
    "PLSSVD": {"n_components": 1},
}
TWO_COLUMNS = {"MultiOutputClassifier", "ClassifierChain", "MultiOutputRegressor", "RegressorChain"}
MANY_ANSWERS = {
    "MultiTaskElasticNet",
    "MultiTaskElasticNetCV",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
    "CCA",
    "PLSCanonical",
}
TWO_CLASSES = {"FixedThresholdClassifier", "TunedThresholdClassifierCV"}
CATEGORIES = {"OneHotEncoder", "OrdinalEncoder", "TargetEncoder"}
VECTORS = {"CountVectorizer", "TfidfVectorizer", "HashingVectorizer"}
LABELS = {"LabelEncoder", "LabelBinarizer", "MultiLabelBinarizer", "PatchExtractor", "DictVectorizer", "FeatureHasher"}
"""What takes labels, pictures or mappings: no table goes in."""


class NotFitted(Exception):
    """Why an estimator is left out."""


@dataclass(frozen=True)
class Case:
    """A fitted model and the samples that it was fitted on: a table of numbers, of texts, or named columns."""

    model: Any
    samples: Any

    def arrays(self, signature: Any) -> dict[str, Any]:
        """Return the samples as the inputs of a signature take them."""
        if isinstance(self.samples, pd.DataFrame) and len(signature.inputs) > 1:
            return {s.name: _cells(self.samples[[s.name]], s.dtype) for s in signature.inputs}
        (spec,) = signature.inputs
        table = np.asarray(self.samples, dtype=object) if spec.dtype == "str" else np.asarray(self.samples)
        cells = _cells(table, spec.dtype)
        return {
            spec.name: cells if spec.shape is None or len(spec.shape) == cells.ndim else cells.reshape(len(cells), -1)
        }

    def types(self) -> list[tuple[str, Any]]:
        """Return skl2onnx's types of the inputs."""
        from skl2onnx.common.data_types import FloatTensorType, StringTensorType

        if isinstance(self.samples, pd.DataFrame):
            texts = {n for n in self.samples if not pd.api.types.is_numeric_dtype(self.samples[n])}
            return [(str(n), (StringTensorType if n in texts else FloatTensorType)([None, 1])) for n in self.samples]
        array = np.asarray(self.samples)
        kind = FloatTensorType if array.dtype.kind in "fiu" else StringTensorType
        return [("X", kind([None, array.shape[1] if array.ndim > 1 else 1]))]


def names() -> list[str]:
    """Return every public estimator of the four kinds, each once."""
    return sorted({name for kind in KINDS for name, _ in all_estimators(type_filter=kind)})


def case(name: str) -> Case:
    """Return one estimator, fitted. Raises NotFitted with the reason."""
    if name in PIPELINES:
        model, samples, answers = PIPELINES[name]()
        return Case(model.fit(samples, answers), samples)
    if name in LABELS:
        raise NotFitted("takes labels, pictures or mappings instead of a table")
    found = dict(all_estimators())[name]
    try:
        model = found(**INNER.get(name, {}))
        samples, answers = _data(name, model)
        return Case(model.fit(samples, answers), samples)
    except (TypeError, ValueError) as error:
        raise NotFitted(str(error)[:200]) from None


def _data(name: str, model: Any) -> tuple[Any, Any]:
    """Return samples and answers that suit an estimator by its name and its kind."""
    from sklearn.base import is_regressor

    x, y = datasets.load_iris(return_X_y=True)
    if name in VECTORS:
        return TEXTS, None
    if name == "TfidfTransformer":
        return CountVectorizer(max_features=12).fit_transform(TEXTS).toarray().astype(float), None
    if name in CATEGORIES:
        rows = table()
        return rows[["kind", "place"]].to_numpy(dtype=object), classes(rows)
    if name == "IsotonicRegression":
        return x[:, :1], x[:, 2]
    if name in MANY_ANSWERS:
        return x[:, :2], x[:, 2:]
    if name in TWO_COLUMNS:
        return (x, np.stack([y > 0, y > 1], axis=1).astype(int)) if "Class" in name else (x[:, :2], x[:, 2:])
    if name in TWO_CLASSES:
        return x, (y > 0).astype(int)
    if name == "MissingIndicator":
        return np.where(np.random.default_rng(0).random(x.shape) < 0.1, np.nan, x), None
    if is_regressor(model):
        rows, answers = datasets.load_diabetes(return_X_y=True)
        return rows[:200], answers[:200]
    return x, y


def table(n: int = 300) -> pd.DataFrame:
    """Return numbers around 40 and 200, whole numbers, and two text columns, seeded."""
    dice = np.random.default_rng(0)
    numbers = {
        "length": dice.normal(40, 5, n).astype(np.float32).astype(float),
        "mass": dice.normal(200, 14, n).astype(np.float32).astype(float),
        "count": dice.integers(0, 20, n).astype(float),
    }
    texts = {
        "kind": dice.choice(["ant", "bee", "fly", "wasp"], n, p=[0.5, 0.3, 0.18, 0.02]),
        "place": dice.choice(["in", "out"], n),
    }
    return pd.DataFrame({**numbers, **{k: v.astype(object) for k, v in texts.items()}})


def classes(rows: pd.DataFrame) -> Any:
    """Return three classes that depend on a number, a whole number and a text."""
    return (rows["length"] > 40).to_numpy().astype(int) + ((rows["count"] > 10) & (rows["kind"] != "ant")).to_numpy()


def _cells(values: Any, dtype: str) -> Any:
    if dtype == "str":
        cells = np.asarray(values, dtype=object)
        return np.where(pd.isna(cells), "", cells).astype(np.str_)
    return np.asarray(values).astype(dtype)


def _columns(texts: Any, numbers: Any = None, last: Any = None, **more: Any) -> tuple[Any, Any, Any]:
    """Return a pipeline on the table: texts and numbers each their own way, then a classifier."""
    rows = table()
    parts = [("texts", texts, ["kind", "place"])]
    parts += [("numbers", numbers, ["length", "mass", "count"])] if numbers is not None else []
    return (
        make_pipeline(ColumnTransformer(parts, **more), LogisticRegression(max_iter=500) if last is None else last),
        rows,
        classes(rows),
    )


def _gaps(texts: Any) -> tuple[Any, Any, Any]:
    model, rows, answers = _columns(texts, StandardScaler())
    dice = np.random.default_rng(1)
    rows = rows.copy()
    for name in ("kind", "place"):
        rows[name] = rows[name].where(dice.random(len(rows)) > 0.1, np.nan)
    return model, rows, answers


def _numbers(model: Any) -> tuple[Any, Any, Any]:
    rows = table()
    return model, rows[["length", "mass", "count"]].to_numpy(), classes(rows)


def _missing(model: Any) -> tuple[Any, Any, Any]:
    model, rows, answers = _numbers(model)
    return model, np.where(np.random.default_rng(2).random(rows.shape) < 0.1, np.nan, rows), answers


def _iris(model: Any) -> tuple[Any, Any, Any]:
    return (model, *datasets.load_iris(return_X_y=True))


def _wine(model: Any) -> tuple[Any, Any, Any]:
    return (model, *datasets.load_wine(return_X_y=True))


def _cancer(model: Any) -> tuple[Any, Any, Any]:
    return (model, *datasets.load_breast_cancer(return_X_y=True))


def _texts(model: Any) -> tuple[Any, Any, Any]:
    return model, TEXTS, np.arange(len(TEXTS)) % 2


def _coded(kind: Any) -> tuple[Any, Any, Any]:
    rows = table()
    coded = np.column_stack(
        [rows["length"], rows["kind"].map({"ant": 0, "bee": 1, "fly": 2, "wasp": 3}), rows["count"]]
    )
    return kind(categorical_features=[1], max_iter=15, random_state=0), coded.astype(float), classes(rows)


VOTERS = [
    ("line", LinearDiscriminantAnalysis()),
    ("bayes", GaussianNB()),
    ("tree", DecisionTreeClassifier(max_depth=3, random_state=0)),
]

PIPELINES: dict[str, Callable[[], tuple[Any, Any, Any]]] = {
    "text imputer": lambda: _gaps(
        make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    ),
    "text imputer, constant": lambda: _gaps(
        make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder(handle_unknown="ignore"))
    ),
    "imputer that tells gaps": lambda: _missing(
        make_pipeline(SimpleImputer(add_indicator=True), StandardScaler(), LogisticRegression(max_iter=500))
    ),
    "norms, largest": lambda: _numbers(make_pipeline(Normalizer("max"), LogisticRegression(max_iter=500))),
    "one-hot, unknown ignored": lambda: _columns(OneHotEncoder(handle_unknown="ignore"), StandardScaler()),
    "one-hot, rare together": lambda: _columns(
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=0.05), StandardScaler()
    ),
    "one-hot, at most two": lambda: _columns(
        OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=2), StandardScaler()
    ),
    "one-hot, first dropped": lambda: _columns(OneHotEncoder(drop="first"), StandardScaler()),
    "one-hot, binary dropped": lambda: _columns(OneHotEncoder(drop="if_binary"), StandardScaler()),
    "ordinal, unknown value": lambda: _columns(
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), StandardScaler()
    ),
    "ordinal, rare together": lambda: _columns(
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, min_frequency=0.05), StandardScaler()
    ),
    "ordinal before trees": lambda: _columns(
        OrdinalEncoder(), "passthrough", RandomForestClassifier(10, random_state=0)
    ),
    "target encoder": lambda: _columns(TargetEncoder(cv=KFold(5)), StandardScaler()),
    "rest passed through": lambda: _columns(OneHotEncoder(handle_unknown="ignore"), remainder="passthrough"),
    "rest scaled": lambda: _columns(OneHotEncoder(handle_unknown="ignore"), remainder=StandardScaler()),
    "bins": lambda: _numbers(
        make_pipeline(
            KBinsDiscretizer(5, encode="onehot-dense", quantile_method="averaged_inverted_cdf"),
            LogisticRegression(max_iter=500),
        )
    ),
    "bins, ordinal, uniform": lambda: _numbers(KBinsDiscretizer(5, encode="ordinal", strategy="uniform")),
    "power, yeo-johnson": lambda: _wine(make_pipeline(PowerTransformer(), LogisticRegression(max_iter=500))),
    "power, box-cox": lambda: _iris(
        make_pipeline(PowerTransformer(method="box-cox"), LogisticRegression(max_iter=500))
    ),
    "quantiles, uniform": lambda: _wine(
        make_pipeline(QuantileTransformer(n_quantiles=60), LogisticRegression(max_iter=500))
    ),
    "quantiles, normal": lambda: _wine(
        make_pipeline(
            QuantileTransformer(n_quantiles=60, output_distribution="normal"), LogisticRegression(max_iter=500)
        )
    ),
    "clusters, unscaled": lambda: _wine(KMeans(4, n_init=1, random_state=0)),
    "clusters, scaled": lambda: _wine(make_pipeline(StandardScaler(), KMeans(4, n_init=1, random_state=0))),
    "voting, soft": lambda: _wine(VotingClassifier(VOTERS, voting="soft")),
    "voting, hard": lambda: _wine(VotingClassifier(VOTERS)),
    "voting, hard, not flat": lambda: _wine(VotingClassifier(VOTERS, flatten_transform=False)),
    "voting, soft, weighted": lambda: _wine(
        VotingClassifier(VOTERS, voting="soft", weights=[1, 2, 1], flatten_transform=False)
    ),
    "stacking": lambda: _wine(StackingClassifier(VOTERS, LogisticRegression(max_iter=500))),
    "stacking, passthrough": lambda: _iris(
        StackingClassifier(VOTERS, LogisticRegression(max_iter=500), passthrough=True)
    ),
    "forest behind a scaler": lambda: _numbers(
        make_pipeline(StandardScaler(), RandomForestClassifier(10, random_state=0))
    ),
    "forest behind a robust scaler": lambda: _numbers(
        make_pipeline(RobustScaler(), RandomForestClassifier(10, random_state=0))
    ),
    "gradient boosting, unscaled": lambda: _cancer(GradientBoostingClassifier(n_estimators=20, random_state=0)),
    "histogram trees on categories": lambda: _coded(HistGradientBoostingClassifier),
    "histogram regression on categories": lambda: _coded(HistGradientBoostingRegressor),
    "histogram trees, unscaled": lambda: _cancer(HistGradientBoostingClassifier(max_iter=20)),
    "support vectors, scaled": lambda: _wine(make_pipeline(StandardScaler(), SVC(probability=False))),
    "search": lambda: _iris(
        GridSearchCV(
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)), {"logisticregression__C": [1, 2]}
        )
    ),
    "union": lambda: _iris(
        make_pipeline(
            FeatureUnion([("scale", StandardScaler()), ("best", SelectKBest(k=2))]), LogisticRegression(max_iter=500)
        )
    ),
    "polynomials": lambda: _iris(
        make_pipeline(PolynomialFeatures(), StandardScaler(), LogisticRegression(max_iter=500))
    ),
    "logarithms": lambda: _iris(make_pipeline(FunctionTransformer(np.log1p), LogisticRegression(max_iter=500))),
    "words": lambda: _texts(make_pipeline(TfidfVectorizer(), LogisticRegression())),
    "word pairs": lambda: _texts(make_pipeline(CountVectorizer(ngram_range=(1, 2)), MultinomialNB())),
}
