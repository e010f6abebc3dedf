"""Fitted models of every kind that has a form, with columns that hold missing numbers, texts and categories."""

import warnings
from typing import Any

import lightgbm
import numpy as np
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from core.converters.skops_to_pmml import inputs
from core.libraries.fitted import models
from core.runtimes.sklearn import EstimatorSession
from core.scoring.form import Form
from tests.converters.small import classes, table

ROWS = table(160)
Y = classes(ROWS)
X = ROWS[["length", "mass", "count"]].to_numpy()
GAPS = np.where(np.random.default_rng(1).random(X.shape) < 0.1, np.nan, X)
WORDS = np.array(["few", "some", "many"])[Y]


def columns(*numbers: Any) -> Any:
    """Return a transformer of numbers, one-hot texts and ordinal texts."""
    parts = [
        ("n", make_pipeline(*numbers), ["length", "mass", "count"]),
        ("k", OneHotEncoder(handle_unknown="ignore", drop="if_binary"), ["kind"]),
        ("p", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["place"]),
    ]
    return ColumnTransformer(parts)


def fitted() -> dict[str, Any]:
    """Return the models by name; some of them were not given the time to converge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _fitted()


def _fitted() -> dict[str, Any]:
    bins = KBinsDiscretizer(4, quantile_method="averaged_inverted_cdf", subsample=None)
    return {
        "linear": make_pipeline(columns(SimpleImputer(add_indicator=True), StandardScaler()), LinearRegression()).fit(ROWS, X[:, 1]),
        "several targets": LinearRegression().fit(X, X[:, :2]),
        "logistic": make_pipeline(columns(SimpleImputer(strategy="median"), MinMaxScaler(clip=True)), LogisticRegression(max_iter=500)).fit(ROWS, WORDS),
        "scores": make_pipeline(RobustScaler(), RidgeClassifier()).fit(X, Y > 0),
        "one against the rest": make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=0)).fit(X, Y),
        "tree": make_pipeline(columns(SimpleImputer(), MaxAbsScaler()), DecisionTreeClassifier(max_depth=5)).fit(ROWS, WORDS),
        "forest": make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0)).fit(X, Y),
        "forest with gaps": ExtraTreesRegressor(4, random_state=0).fit(GAPS, X[:, 1]),
        "boosting": GradientBoostingClassifier(n_estimators=4, random_state=0).fit(X, Y),
        "exponential boosting": GradientBoostingClassifier(n_estimators=4, loss="exponential").fit(X, Y > 0),
        "histogram": HistGradientBoostingClassifier(max_iter=4, categorical_features=[2]).fit(GAPS, Y),
        "histogram of counts": HistGradientBoostingRegressor(max_iter=4, loss="poisson").fit(GAPS, Y + 1.0),
        "xgboost": xgboost.XGBClassifier(n_estimators=4, n_jobs=1).fit(GAPS, Y),
        "lightgbm": lightgbm.LGBMClassifier(n_estimators=4, verbose=-1, n_jobs=1).fit(GAPS, Y > 0),
        "naive bayes": GaussianNB().fit(X, Y),
        "bernoulli": make_pipeline(bins, BernoulliNB()).fit(X, Y),
        "clusters": make_pipeline(StandardScaler(), KMeans(3, n_init=1, random_state=0)).fit(X),
        "components": make_pipeline(PowerTransformer(), PCA(2, whiten=True)).fit(X),
        "network": make_pipeline(StandardScaler(), MLPClassifier((6, 5), max_iter=30, random_state=0)).fit(X, Y),
        "network of two": make_pipeline(StandardScaler(), MLPClassifier((4,), activation="tanh", max_iter=30)).fit(X, Y > 0),
        "network for numbers": make_pipeline(Normalizer(), MLPRegressor(hidden_layer_sizes=(4,), activation="logistic", max_iter=30)).fit(X, Y),
        "voting": VotingClassifier([("a", GaussianNB()), ("b", DecisionTreeClassifier(max_depth=3))], voting="soft").fit(X, Y),
        "bagging": BaggingRegressor(n_estimators=3, max_features=2, random_state=0).fit(X, X[:, 1]),
        "stacking": StackingClassifier([("a", GaussianNB()), ("b", RidgeClassifier())], DecisionTreeClassifier(max_depth=3)).fit(X, Y),
        "calibrated": CalibratedClassifierCV(make_pipeline(StandardScaler(), LogisticRegression())).fit(X, Y),
    }  # fmt: skip


def form(model: Any) -> Form:
    """Return a model's form."""
    return models.form(model, inputs(model))


def session(model: Any) -> EstimatorSession:
    """Return what asks scikit-learn itself."""
    return EstimatorSession(model)


def asked(model: Any, rows: int = 60) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return inputs for a session of the model, with gaps where it takes them, and the same as columns of its form."""
    from core.proof.samples import Sampler

    given = Sampler(session(model), 5).random(rows, 0)
    if session(model).expects_missing:
        for place, name in enumerate(given):
            if given[name].dtype.kind == "f":
                given[name][place::4, 0] = np.nan
    if list(given) != ["X"]:
        return given, {name: value.reshape(-1) for name, value in given.items()}
    names = [one.name for one in form(model).inputs]
    return given, {name: given["X"][:, place] for place, name in enumerate(names)}
