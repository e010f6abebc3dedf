"""Fitted scikit-learn estimators read into the form: the numbers behind each answer, in the order of their classes."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from core.domain.errors import Refused
from core.libraries.fitted import forests
from core.libraries.fitted.columns import TRANSFORMERS, Columns, needs, projected, transformed
from core.libraries.fitted.trees import boosted, forest, histogram, isolated_tree
from core.libraries.sklearn import Estimator
from core.scoring.builder import Builder
from core.scoring.form import (
    Bayes,
    Form,
    Input,
    Label,
    Matrix,
    Network,
    NeuralLayer,
    Numbers,
    Regression,
    check,
    needed,
)

Reader = Callable[[Estimator, Columns, Builder], tuple[str, ...]]


def form(model: Estimator, inputs: tuple[Input, ...]) -> Form:
    """Return the form of a fitted estimator or pipeline on its raw columns. Raises Refused naming every step without a form."""
    if missing := list(dict.fromkeys(unsupported(model))):
        raise Refused(
            f"These steps cannot be written as PMML: {', '.join(missing)}.",
            "Replace them with other steps, or convert to ONNX.",
        )
    build = Builder(inputs)
    steps = [one.name for one in inputs]
    head, last = _parts(model)
    for step in head:
        steps = transformed(step, steps, build)
    outputs = _outputs(last, steps, build)
    return needed(check(Form(inputs, tuple(build.steps), outputs)))


def unsupported(model: Estimator) -> Iterator[str]:
    """Yield the name of each estimator inside a model that has no form."""
    if isinstance(model, str) or model is None:
        return
    name, inner = type(model).__name__, list(_inner(model))
    known = name in MODELS or name in TRANSFORMERS or hasattr(model, "get_support")
    if not known:
        yield name
    for part in inner:
        yield from unsupported(part)


def numbers(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    """Return the names of a model's numbers: a share or a score per class, a distance per cluster, or predicted values."""
    head, last = _parts(model)
    for step in head:
        columns = transformed(step, columns, build)
    return MODELS[type(last).__name__](last, columns, build)


def _inner(model: Estimator) -> Iterator[Estimator]:
    if hasattr(model, "steps"):
        yield from (part for _, part in model.steps)
    elif hasattr(model, "transformers_"):
        yield from (part for _, part, _ in model.transformers_)
    elif hasattr(model, "transformer_list"):
        yield from (part for _, part in model.transformer_list)
    elif type(model).__name__ in COMPOSED:
        yield from COMPOSED[type(model).__name__](model)


def _parts(model: Estimator) -> tuple[list[Estimator], Estimator]:
    """Return the steps before the last estimator, and that estimator, through pipelines and searches."""
    if hasattr(model, "best_estimator_"):
        return _parts(model.best_estimator_)
    if hasattr(model, "steps"):
        head, last = _parts(model.steps[-1][1])
        return [part for _, part in model.steps[:-1]] + head, last
    return [], model


def _outputs(model: Estimator, columns: Columns, build: Builder) -> tuple[Label | Numbers, ...]:
    from sklearn.base import is_classifier

    if not hasattr(model, "predict"):
        return (Numbers("variable", tuple(transformed(model, columns, build))),)
    names = MODELS[type(model).__name__](model, columns, build)
    if is_classifier(model) and hasattr(model, "predict_proba"):
        return Label("label", names, categories(model.classes_)), Numbers("probabilities", names)
    if is_classifier(model):
        return Label("label", shares(names, build, "softmax"), categories(model.classes_)), Numbers("scores", names)
    if hasattr(model, "cluster_centers_"):
        return Label("label", names, tuple(range(len(names))), "smallest"), Numbers("scores", names)
    return (Numbers("variable", names),)


def categories(classes: npt.ArrayLike) -> tuple[str, ...] | tuple[int, ...]:
    """Return classes as texts or as whole numbers."""
    values = np.asarray(classes)
    if values.dtype.kind in "OU":
        return tuple(str(value) for value in values)
    return tuple(int(value) for value in values)


def _matrix(rows: npt.ArrayLike) -> Matrix:
    return tuple(tuple(float(x) for x in row) for row in np.atleast_2d(np.asarray(rows, np.float64)))


def _linear(
    weights: npt.ArrayLike, intercepts: npt.ArrayLike, link: str, columns: Columns, build: Builder, what: str
) -> tuple[str, ...]:
    rows = _matrix(weights)
    offsets = np.broadcast_to(np.asarray(intercepts, np.float64).ravel(), len(rows))
    names = build.names(what, len(rows))
    return build.add(Regression(names, tuple(columns), rows, tuple(float(x) for x in offsets), link))


def _line(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    rows = _matrix(model.coef_)
    if len(rows) == 1:
        return _linear(rows, model.intercept_, "none", columns, build, "predicted")
    offsets = np.broadcast_to(np.asarray(model.intercept_, np.float64).ravel(), len(rows))
    return tuple(projected(rows, offsets, columns, build, "predicted"))


def _generalized(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    link = type(model._base_loss.link).__name__
    needs(link in ("IdentityLink", "LogLink"), f"{type(model).__name__} with {link}")
    return _linear(model.coef_, model.intercept_, "exp" if link == "LogLink" else "none", columns, build, "predicted")


def _both_sides(rows: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return scores of both classes of a binary model: minus the score, and the score."""
    rows, offsets = np.atleast_2d(rows), np.asarray(offsets).ravel()
    return (np.vstack([-rows, rows]), np.hstack([-offsets, offsets])) if len(rows) == 1 else (rows, offsets)


def _against_zero(rows: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return scores of both classes of a binary model whose shares are those of a logistic curve: 0, and the score."""
    rows, offsets = np.atleast_2d(rows), np.asarray(offsets).ravel()
    zero = np.zeros((1, rows.shape[1]))
    return (np.vstack([zero, rows]), np.hstack([[0.0], offsets])) if len(rows) == 1 else (rows, offsets)


def _scores(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    return tuple(projected(*_both_sides(model.coef_, model.intercept_), columns, build, "score"))


def _logistic(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    return _linear(*_against_zero(model.coef_, model.intercept_), "softmax", columns, build, "probability")


def _sgd(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    needs(model.loss != "modified_huber", "SGDClassifier with loss='modified_huber'")
    if model.loss != "log_loss":
        return _scores(model, columns, build)
    if len(model.classes_) == 2:
        return _logistic(model, columns, build)
    each = _linear(model.coef_, model.intercept_, "logit", columns, build, "alone")
    return shares(each, build)


def shares(each: tuple[str, ...], build: Builder, link: str = "simplemax", factor: float = 1.0) -> tuple[str, ...]:
    """Return the numbers as shares of their sum, or through another link."""
    count = len(each)
    return _linear(np.eye(count) * factor, np.zeros(count), link, list(each), build, "probability")


def _gaussian_bayes(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    names = build.names("probability", len(model.classes_))
    priors = tuple(float(x) for x in model.class_prior_)
    return build.add(Bayes(names, tuple(columns), priors, _matrix(model.theta_), _matrix(model.var_)))


def _counted_bayes(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    """Multinomial and complement naive Bayes are linear in the counts."""
    prior = model.class_log_prior_ if type(model).__name__ == "MultinomialNB" or len(model.classes_) == 1 else 0.0
    return _linear(model.feature_log_prob_, prior, "softmax", columns, build, "probability")


def _bernoulli_bayes(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    from sklearn.preprocessing import Binarizer

    if model.binarize is not None:
        columns = transformed(Binarizer(threshold=model.binarize), columns, build)
    present = np.asarray(model.feature_log_prob_)
    absent = np.log(1 - np.exp(present))
    offsets = model.class_log_prior_ + absent.sum(axis=1)
    return _linear(present - absent, offsets, "softmax", columns, build, "probability")


def _perceptrons(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    rows, offsets, last = [w.T for w in model.coefs_], list(model.intercepts_), model.out_activation_
    if last == "logistic" and len(rows[-1]) == 1:
        rows[-1], offsets[-1] = _against_zero(rows[-1], offsets[-1])
    needs(last == "identity" or len(rows[-1]) == len(getattr(model, "classes_", ())), "A network with several labels")
    needs(not (last == "identity" and len(rows[-1]) > 1), "A network with several targets")
    kinds = {"relu": "rectifier", "logistic": "logistic", "tanh": "tanh", "identity": "identity"}
    inner = [kinds[model.activation]] * (len(rows) - 1) + ["identity"]
    parts = zip(rows, offsets, inner, strict=True)
    layers = tuple(NeuralLayer(_matrix(w), tuple(float(x) for x in b), kind) for w, b, kind in parts)
    names = build.names("predicted" if last == "identity" else "probability", len(rows[-1]))
    return build.add(Network(names, tuple(columns), layers, "none" if last == "identity" else "softmax"))


def _constant(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    if hasattr(model, "classes_"):
        needs(model.strategy in ("prior", "most_frequent", "constant"), f"DummyClassifier, strategy {model.strategy!r}")
        row = model.predict_proba(np.zeros((1, 1)))[0]
        return _linear(np.zeros((len(row), len(columns))), row, "simplemax", columns, build, "probability")
    needs(np.size(model.constant_) == 1, "DummyRegressor with several targets")
    return _linear(np.zeros((1, len(columns))), np.ravel(model.constant_), "none", columns, build, "predicted")


def _averaged(members: list[tuple[str, ...]], weights: npt.ArrayLike, build: Builder) -> tuple[str, ...]:
    """Return the weighted mean of the numbers of several models."""
    shares_of = np.asarray(weights, np.float64) / np.sum(weights)
    wide = len(members[0])
    rows = np.hstack([np.eye(wide) * share for share in shares_of])
    fields = [name for names in members for name in names]
    return _linear(rows, np.zeros(wide), "simplemax" if wide > 1 else "none", fields, build, "mean")


def _voting(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    needs(getattr(model, "voting", "soft") == "soft", "VotingClassifier that counts votes (voting='hard')")
    members = [numbers(part, columns, build) for part in model.estimators_]
    return _averaged(members, model._weights_not_none or np.ones(len(members)), build)


def _bagging(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    whole = all(hasattr(part, "predict_proba") or not hasattr(part, "classes_") for part in model.estimators_)
    needs(whole, "Bagging of classifiers without probabilities")
    narrow = all(len(part.classes_) == len(model.classes_) for part in model.estimators_ if hasattr(part, "classes_"))
    needs(narrow, "Bagging where a member has not seen every class")
    pairs = zip(model.estimators_, model.estimators_features_, strict=True)
    members = [numbers(part, [columns[int(i)] for i in chosen], build) for part, chosen in pairs]
    return _averaged(members, np.ones(len(members)), build)


def _stacking(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    needs(set(model.stack_method_) <= {"predict_proba", "predict", "decision_function"}, "This kind of stacking")
    found: Columns = []
    for part, method in zip(model.estimators_, model.stack_method_, strict=True):
        needs(method != "predict" or not hasattr(part, "classes_"), "Stacking on predicted labels")
        names = list(numbers(part, columns, build))
        found += names[1:] if hasattr(part, "classes_") and len(names) == 2 else names
    return numbers(model.final_estimator_, [*found, *(columns if model.passthrough else [])], build)


def _calibrated(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    members = []
    for one in model.calibrated_classifiers_:
        curves = one.calibrators
        needs(all(type(c).__name__ == "_SigmoidCalibration" for c in curves), "Calibration by steps (isotonic)")
        scored = list(_decided(one.estimator, columns, build))
        base = scored[1:] if len(curves) == 1 else scored
        a, b = np.array([c.a_ for c in curves]), np.array([c.b_ for c in curves])
        if len(curves) == 1:
            members.append(_linear(*_against_zero(-a[None], -b), "softmax", base, build, "calibrated"))
        else:
            members.append(shares(_linear(np.diag(-a), -b, "logit", base, build, "curve"), build))
    return _averaged(members, np.ones(len(members)), build)


def _decided(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    """Return the scores of a decision function where there is one, else the shares of the classes."""
    head, last = _parts(model)
    for step in head:
        columns = transformed(step, columns, build)
    if not hasattr(last, "decision_function"):
        return MODELS[type(last).__name__](last, columns, build)
    needs(hasattr(last, "coef_"), f"The decision function of {type(last).__name__} inside another model")
    return _scores(last, columns, build)


def _one_against_rest(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    needs(all(hasattr(part, "predict_proba") for part in model.estimators_), "OneVsRest without probabilities")
    seconds = tuple(numbers(part, columns, build)[1] for part in model.estimators_)
    if len(seconds) > 1:
        return shares(seconds, build)
    return _linear([[-1.0], [1.0]], [1.0, 0.0], "simplemax", list(seconds), build, "probability")


def _chosen(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    kept = [column for column, keep in zip(columns, model.support_, strict=True) if keep]
    return numbers(model.estimator_, kept, build)


_LINES = (
    "LinearRegression Ridge RidgeCV Lasso LassoCV ElasticNet ElasticNetCV Lars LarsCV LassoLars LassoLarsCV LassoLarsIC "
    "BayesianRidge ARDRegression HuberRegressor TheilSenRegressor SGDRegressor LinearSVR OrthogonalMatchingPursuit "
    "OrthogonalMatchingPursuitCV PassiveAggressiveRegressor QuantileRegressor MultiTaskLasso MultiTaskLassoCV "
    "MultiTaskElasticNet MultiTaskElasticNetCV"
)
MODELS: dict[str, Reader] = {
    **dict.fromkeys(_LINES.split(), _line),
    **dict.fromkeys(("PoissonRegressor", "GammaRegressor", "TweedieRegressor"), _generalized),
    **dict.fromkeys(("LogisticRegression", "LogisticRegressionCV", "LinearDiscriminantAnalysis"), _logistic),
    **dict.fromkeys(("RidgeClassifier", "RidgeClassifierCV", "LinearSVC", "Perceptron", "PassiveAggressiveClassifier"), _scores),
    **dict.fromkeys(("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"), isolated_tree),
    **dict.fromkeys(("RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor"), forest),
    **dict.fromkeys(("GradientBoostingClassifier", "GradientBoostingRegressor"), boosted),
    **dict.fromkeys(("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"), histogram),
    **dict.fromkeys(("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor"), forests.xgboost_estimator),
    **dict.fromkeys(("LGBMClassifier", "LGBMRegressor"), forests.lightgbm_estimator),
    **dict.fromkeys(("MLPClassifier", "MLPRegressor"), _perceptrons),
    **dict.fromkeys(("DummyClassifier", "DummyRegressor"), _constant),
    **dict.fromkeys(("VotingClassifier", "VotingRegressor"), _voting),
    **dict.fromkeys(("BaggingClassifier", "BaggingRegressor"), _bagging),
    **dict.fromkeys(("StackingClassifier", "StackingRegressor"), _stacking),
    **dict.fromkeys(("MultinomialNB", "ComplementNB"), _counted_bayes),
    **dict.fromkeys(("KMeans", "MiniBatchKMeans"), lambda m, c, b: tuple(transformed(m, c, b))),
    **dict.fromkeys(("RFE", "RFECV"), _chosen),
    **dict.fromkeys(("GridSearchCV", "RandomizedSearchCV"), lambda m, c, b: numbers(m.best_estimator_, c, b)),
    "SGDClassifier": _sgd, "GaussianNB": _gaussian_bayes, "BernoulliNB": _bernoulli_bayes,
    "CalibratedClassifierCV": _calibrated, "OneVsRestClassifier": _one_against_rest,
    "RANSACRegressor": lambda m, c, b: numbers(m.estimator_, c, b),
    "SelfTrainingClassifier": lambda m, c, b: numbers(m.estimator_, c, b),
}  # fmt: skip
COMPOSED: dict[str, Callable[[Estimator], list[Estimator]]] = {
    **dict.fromkeys(("VotingClassifier", "VotingRegressor", "BaggingClassifier", "BaggingRegressor"), lambda m: m.estimators_),
    **dict.fromkeys(("StackingClassifier", "StackingRegressor"), lambda m: [*m.estimators_, m.final_estimator_]),
    **dict.fromkeys(("RFE", "RFECV", "RANSACRegressor", "SelfTrainingClassifier"), lambda m: [m.estimator_]),
    **dict.fromkeys(("GridSearchCV", "RandomizedSearchCV"), lambda m: [m.best_estimator_]),
    "CalibratedClassifierCV": lambda m: [one.estimator for one in m.calibrated_classifiers_],
    "OneVsRestClassifier": lambda m: list(m.estimators_),
}  # fmt: skip
