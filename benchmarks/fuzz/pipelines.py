"""Random scikit-learn pipelines: named columns of numbers, whole numbers and texts, or one table, with any estimator behind."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import skops.io
from sklearn import (
    cluster,
    compose,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_selection,
    impute,
    linear_model,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)
from sklearn.base import is_classifier

from benchmarks.fuzz import draws
from benchmarks.fuzz.specimen import Inputs, Question, Specimen, Unmade

ROWS, SAMPLES = 240, 20_000
WORDS = ("ant", "bee", "Bee", "fly", "a b", "7", "07", "1.0", "Ärger", "NaN", "x" * 40, "-")
Rng = np.random.Generator
Array = np.ndarray


def made(seed: int, folder: Path) -> Specimen:
    """Fit one pipeline and save it. Raises Unmade where scikit-learn refuses it."""
    rng = np.random.default_rng([seed, 3])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _made(rng, folder)


def _made(rng: Rng, folder: Path) -> Specimen:
    samples, known = _table(rng) if rng.random() < 0.5 else (_array(rng), {})
    classifies = rng.random() < 0.6
    last = (CLASSIFIERS if classifies else OTHERS)[int(rng.integers(len(CLASSIFIERS if classifies else OTHERS)))](rng)
    front = (
        _columns(rng, samples, known)
        if isinstance(samples, pd.DataFrame)
        else _steps(rng, bool(np.isnan(samples).any()))
    )
    try:
        model = pipeline.make_pipeline(*front, last)
        model.fit(samples, _answers(rng, samples, classifies))
        model.predict(samples) if hasattr(model, "predict") else model.transform(samples)
    except Exception as error:
        raise Unmade(f"{type(error).__name__}: {str(error)[:200]}") from None
    format = "pickle" if rng.random() < 0.15 else "skops"
    path = folder / f"model.{'joblib' if format == 'pickle' else 'skops'}"
    joblib.dump(model, path) if format == "pickle" else skops.io.dump(model, path)
    about = " ".join(f"{type(step).__name__}" for _, step in model.steps) + " on " + ("columns" if known is not None and isinstance(samples, pd.DataFrame) else "a table")  # fmt: skip
    return Specimen(
        path,
        format,
        (lambda inputs: answered(model, samples, inputs),),
        lambda dice: questions(dice, samples, known),
        about,
    )


def _array(rng: Rng) -> Array:
    width = int(rng.integers(1, 7))
    x = rng.standard_normal((ROWS, width)) * np.exp(rng.uniform(-3, 3, width)) + rng.choice([0, 0, 10, -300], width)
    x = np.round(x) if rng.random() < 0.3 else x
    return np.asarray(np.where(rng.random(x.shape) < 0.1, np.nan, x) if rng.random() < 0.25 else x)


def _table(rng: Rng) -> tuple[pd.DataFrame, dict[str, tuple[str, ...]]]:
    """Return columns with names, and the texts of those that hold texts."""
    cells: dict[str, Array] = {}
    known: dict[str, tuple[str, ...]] = {}
    for place in range(int(rng.integers(2, 6))):
        kind = str(rng.choice(["number", "whole", "text", "gaps", "text"]))
        name = str(rng.choice(["a", "Mass (g)", "x_1", "größe", "col"])) + str(place)
        if kind == "text":
            known[name] = tuple(str(w) for w in rng.choice(WORDS, int(rng.integers(2, 6)), replace=False))
            cells[name] = rng.choice(np.array(known[name], object), ROWS)
        else:
            x = rng.standard_normal(ROWS) * 5 + 3
            x = np.round(x) if kind == "whole" else x
            cells[name] = np.where(rng.random(ROWS) < 0.1, np.nan, x) if kind == "gaps" else x
    return pd.DataFrame(cells), known


def _columns(rng: Rng, samples: pd.DataFrame, known: dict[str, tuple[str, ...]]) -> list[Any]:
    """Return a column transformer that treats texts, numbers and numbers with gaps each in its own way."""
    numbers = [name for name in samples if name not in known]
    parts: list[tuple[str, Any, list[str]]] = []
    if known:
        encoder = preprocessing.OneHotEncoder(handle_unknown="ignore", drop=None) if rng.random() < 0.5 else (
            preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        )  # fmt: skip
        if isinstance(encoder, preprocessing.OneHotEncoder) and rng.random() < 0.3:
            encoder = preprocessing.OneHotEncoder(handle_unknown="ignore", drop="if_binary")
        if rng.random() < 0.2:
            encoder = pipeline.make_pipeline(impute.SimpleImputer(strategy="most_frequent"), encoder)
        parts.append(("texts", encoder, list(known)))
    if numbers:
        gaps = bool(samples[numbers].isna().to_numpy().any())
        chain = [step for step in _steps(rng, gaps) if step is not None]
        parts.append(("numbers", pipeline.make_pipeline(*chain) if chain else "passthrough", numbers))
    if rng.random() < 0.5:
        parts.reverse()
    rest = "passthrough" if rng.random() < 0.3 and not any(samples[n].isna().any() for n in numbers) else "drop"
    return [compose.ColumnTransformer(parts, remainder=rest, sparse_threshold=0)]


def _steps(rng: Rng, gaps: bool) -> list[Any]:
    """Return what numbers go through first."""
    steps: list[Any] = []
    if gaps:
        steps.append(
            impute.SimpleImputer(
                strategy=str(rng.choice(["mean", "median", "most_frequent", "constant"])),
                add_indicator=bool(rng.random() < 0.3),
            )
        )
    chosen = rng.integers(len(STEPS), size=int(rng.integers(0, 3)))
    return [*steps, *(STEPS[number](rng) for number in chosen)]


def _answers(rng: Rng, samples: Any, classifies: bool) -> Any:
    numbers = samples.select_dtypes("number").to_numpy() if isinstance(samples, pd.DataFrame) else samples
    score = np.tanh(np.nan_to_num(numbers)).sum(axis=1) if numbers.size else np.zeros(ROWS)
    if isinstance(samples, pd.DataFrame):
        texts = samples.select_dtypes(exclude="number")
        score = score + sum((texts[name] == texts[name].iloc[0]).to_numpy() for name in texts)
    score = score + 0.3 * rng.standard_normal(ROWS)
    if not classifies:
        return score * 10
    classes = int(rng.choice([2, 2, 3, 4]))
    place = np.digitize(score, np.quantile(score, np.arange(1, classes) / classes))
    kinds = (
        [0, 1, 2, 3],
        [1, 2, 3, 4],
        [-1, 1, 5, 7],
        ["no", "yes", "b c", "Ö"],
        ["10", "9", "1.0", "1"],
        [3, 1, 2, 0],
    )
    names = kinds[int(rng.integers(len(kinds)))]
    if classes == 2 and rng.random() < 0.15:
        return place.astype(bool)
    return np.array(names)[place]


def questions(rng: Rng, samples: Any, known: dict[str, tuple[str, ...]]) -> Iterator[Question]:
    """Yield rows near the learned ones and of hard kinds, with known and unknown texts; gaps only where there were some."""
    named = isinstance(samples, pd.DataFrame)
    names = [str(name) for name in samples] if named else []
    plain = samples[[n for n in names if n not in known]].to_numpy(float) if named else samples
    gaps = np.isnan(plain).any(axis=0)
    for turn in range(SAMPLES // 200):
        kind = ("learned", "near", "gaps", *draws.FLOATS)[turn % (3 + len(draws.FLOATS))]
        x = plain[rng.integers(0, ROWS, 200)]
        if kind == "near":
            x = x + np.nanstd(plain, axis=0) * rng.standard_normal(x.shape)
        elif kind in draws.FLOATS:
            x = draws.FLOATS[kind](rng, x.shape)
        x = np.where(np.isnan(x) & ~gaps, 0.0, x)
        if kind == "gaps":
            x = np.where((rng.random(x.shape) < 0.3) & gaps, np.nan, x)
        x = x.astype(np.float32)
        if not named:
            yield kind, {"X": x}
            continue
        numbers = iter(x.T)
        found = {n: _words(rng, known[n], kind) if n in known else next(numbers).reshape(-1, 1) for n in names}
        yield kind, found


def _words(rng: Rng, known: tuple[str, ...], kind: str) -> Array:
    pool = [*known, *(("zebra", "Bee ", "01", "é") if kind in ("near", "ordinary", "grid") else ())]
    return rng.choice(np.array(pool, np.str_), (200, 1))


def answered(model: Any, samples: Any, inputs: Inputs) -> list[Array]:
    """Return what scikit-learn answers to the rows as its owner holds them: float64 and text in columns with their names, or a table."""
    if isinstance(samples, pd.DataFrame):
        cells = {n: inputs[str(n)].reshape(-1) for n in samples}
        table: Any = pd.DataFrame(
            {n: v.astype(object) if v.dtype.kind == "U" else v.astype(float) for n, v in cells.items()}
        )
    else:
        table = inputs["X"].astype(float)
    if not is_classifier(model) and not hasattr(model, "predict"):
        return [np.asarray(model.transform(table), np.float32).reshape(len(table), -1)]
    answer = np.asarray(model.predict(table))
    if is_classifier(model):
        label = answer.astype(np.str_) if answer.dtype.kind in "OU" else answer.astype(np.int64)
        if hasattr(model, "predict_proba"):
            return [label, np.asarray(model.predict_proba(table), np.float32)]
        return [label, _margins(model, table)] if hasattr(model, "decision_function") else [label]
    if hasattr(model.steps[-1][1], "cluster_centers_"):
        return [answer.astype(np.int64)]
    return [answer.reshape(len(table), -1).astype(np.float32)]


def _margins(model: Any, table: Any) -> Array:
    """Return a score for each class, which says where a label is a tie: a result does not have it."""
    scores = np.asarray(model.decision_function(table))
    return np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores


def _seeded(kind: Callable[..., Any], **given: Any) -> Callable[[Rng], Any]:
    """Return a maker that picks one of each option's choices."""
    return lambda rng: kind(
        **{n: (v[int(rng.integers(len(v)))] if isinstance(v, list) else v) for n, v in given.items()}
    )


STEPS: list[Callable[[Rng], Any]] = [
    _seeded(preprocessing.StandardScaler, with_mean=[True, False], with_std=[True, True, False]),
    _seeded(preprocessing.MinMaxScaler, feature_range=[(0, 1), (-2, 3)], clip=[True, False]),
    _seeded(preprocessing.MaxAbsScaler),
    _seeded(preprocessing.RobustScaler, quantile_range=[(25.0, 75.0), (10.0, 90.0)]),
    _seeded(preprocessing.Normalizer, norm=["l1", "l2", "max"]),
    _seeded(preprocessing.Binarizer, threshold=[0.0, 0.5, -1.0]),
    _seeded(preprocessing.PolynomialFeatures, degree=[2, 3], interaction_only=[True, False], include_bias=[True, False]),
    _seeded(preprocessing.KBinsDiscretizer, n_bins=[2, 4], encode=["ordinal", "onehot-dense"], strategy=["uniform", "quantile", "kmeans"], quantile_method="averaged_inverted_cdf", subsample=None),
    _seeded(preprocessing.PowerTransformer, standardize=[True, False]),
    _seeded(preprocessing.QuantileTransformer, n_quantiles=[10, 50], output_distribution=["uniform", "normal"]),
    _seeded(decomposition.PCA, n_components=[1, None], whiten=[True, False]),
    _seeded(feature_selection.VarianceThreshold),
    _seeded(feature_selection.SelectKBest, k=[1, "all"]),
    _seeded(preprocessing.SplineTransformer, n_knots=[3, 5]),
]  # fmt: skip
CLASSIFIERS: list[Callable[[Rng], Any]] = [
    _seeded(linear_model.LogisticRegression, C=[0.1, 1.0, 100.0], fit_intercept=[True, False]),
    _seeded(linear_model.SGDClassifier, loss=["hinge", "log_loss", "modified_huber"], random_state=0),
    _seeded(linear_model.RidgeClassifier),
    _seeded(linear_model.Perceptron, random_state=0),
    _seeded(svm.SVC, kernel=["rbf", "poly", "linear", "sigmoid"], random_state=0),
    _seeded(svm.LinearSVC, random_state=0),
    _seeded(tree.DecisionTreeClassifier, max_depth=[2, 5, None], random_state=0),
    _seeded(ensemble.RandomForestClassifier, n_estimators=[3, 10], max_depth=[2, 6], random_state=0),
    _seeded(ensemble.ExtraTreesClassifier, n_estimators=[3, 10], random_state=0),
    _seeded(ensemble.GradientBoostingClassifier, n_estimators=[3, 10], random_state=0),
    _seeded(ensemble.HistGradientBoostingClassifier, max_iter=[3, 10], random_state=0),
    _seeded(ensemble.AdaBoostClassifier, n_estimators=[3, 8], random_state=0),
    _seeded(ensemble.BaggingClassifier, n_estimators=[3], random_state=0),
    _seeded(naive_bayes.GaussianNB),
    _seeded(naive_bayes.BernoulliNB, binarize=[0.0, 0.5]),
    _seeded(neighbors.KNeighborsClassifier, n_neighbors=[1, 3, 5], weights=["uniform", "distance"], p=[1, 2]),
    _seeded(neighbors.NearestCentroid),
    _seeded(neural_network.MLPClassifier, hidden_layer_sizes=[(4,), (6, 3)], activation=["relu", "tanh", "logistic"], max_iter=30, random_state=0),
    _seeded(discriminant_analysis.LinearDiscriminantAnalysis),
    _seeded(discriminant_analysis.QuadraticDiscriminantAnalysis, reg_param=0.1),
    lambda rng: ensemble.VotingClassifier([("a", linear_model.LogisticRegression()), ("b", naive_bayes.GaussianNB()), ("c", tree.DecisionTreeClassifier(max_depth=3, random_state=0))], voting=str(rng.choice(["hard", "soft"]))),
    lambda rng: ensemble.StackingClassifier([("a", linear_model.LogisticRegression()), ("b", tree.DecisionTreeClassifier(max_depth=2, random_state=0))], cv=3),
]  # fmt: skip
OTHERS: list[Callable[[Rng], Any]] = [
    _seeded(linear_model.LinearRegression),
    _seeded(linear_model.Ridge, alpha=[0.1, 10.0]),
    _seeded(linear_model.Lasso, alpha=[0.1, 1.0]),
    _seeded(linear_model.HuberRegressor),
    _seeded(linear_model.PoissonRegressor),
    _seeded(linear_model.BayesianRidge),
    _seeded(svm.SVR, kernel=["rbf", "linear", "poly"]),
    _seeded(tree.DecisionTreeRegressor, max_depth=[2, 6, None], random_state=0),
    _seeded(ensemble.RandomForestRegressor, n_estimators=[3, 10], random_state=0),
    _seeded(ensemble.GradientBoostingRegressor, n_estimators=[3, 10], random_state=0),
    _seeded(ensemble.HistGradientBoostingRegressor, max_iter=[3, 10], random_state=0),
    _seeded(ensemble.AdaBoostRegressor, n_estimators=[3, 8], random_state=0),
    _seeded(neighbors.KNeighborsRegressor, n_neighbors=[1, 4], weights=["uniform", "distance"]),
    _seeded(neural_network.MLPRegressor, hidden_layer_sizes=[(4,), (6, 3)], max_iter=30, random_state=0),
    _seeded(cluster.KMeans, n_clusters=[2, 4], n_init=1, random_state=0),
    _seeded(decomposition.PCA, n_components=[1, None]),
    _seeded(preprocessing.StandardScaler),
    lambda rng: ensemble.VotingRegressor([("a", linear_model.Ridge()), ("b", tree.DecisionTreeRegressor(max_depth=3, random_state=0))]),
]  # fmt: skip
