"""Estimators that ask others and count or shift their answers."""

import numpy as np

from core.libraries.sklearn_onnx.graph import DOUBLE, FLOAT, INT64, EstimatorGraph, teach


def register() -> None:
    """Teach voting and moved thresholds."""
    from sklearn.ensemble import VotingClassifier
    from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

    teach(VotingClassifier, _voted)
    for kind in (FixedThresholdClassifier, TunedThresholdClassifierCV):
        teach(kind, _moved)


def _voted(graph: EstimatorGraph) -> None:
    """Add up probabilities, or the votes for each class; the voters know classes by their number."""
    model = graph.model
    weights = np.ones(len(model.estimators_)) if model.weights is None else _weights(model)
    answers = [graph.inner(voter, 2) for voter in model.estimators_]
    parts = [
        graph.op("Mul", _scores(graph, label, scores), weight / weights.sum())
        for (label, scores), weight in zip(answers, weights, strict=True)
    ]
    graph.classes(graph.node("Sum", *parts) if len(parts) > 1 else parts[0])


def _weights(model: object) -> np.ndarray:
    pairs = zip(model.weights, model.estimators, strict=True)  # type: ignore[attr-defined]
    return np.array([weight for weight, (_, voter) in pairs if voter != "drop"], np.float64)


def _scores(graph: EstimatorGraph, label: str, scores: str) -> str:
    if graph.model.voting == "soft":
        return graph.cast(scores, DOUBLE)
    places = graph.node("Reshape", label, graph.constant([-1, 1], INT64))
    return graph.cast(graph.node("Equal", places, graph.constant([range(len(graph.model.classes_))], INT64)), DOUBLE)


def _moved(graph: EstimatorGraph) -> None:
    """Choose the positive class from the threshold on. Raises NotImplementedError where the model scores otherwise."""
    model = graph.model
    inside = model.estimator_
    if not hasattr(inside, "predict_proba") or model.response_method == "decision_function":
        raise NotImplementedError("a threshold on decision_function has no ONNX form here; on probabilities it has")
    chosen = getattr(model, "best_threshold_", getattr(model, "threshold", "auto"))
    _, scores = graph.inner(inside, 2)
    positive = list(model.classes_).index(model.classes_[1] if _label(model) is None else _label(model))
    score = graph.cast(graph.node("Gather", scores, graph.constant(positive, INT64), axis=1), DOUBLE)
    above = graph.node("GreaterOrEqual", score, graph.constant(0.5 if chosen == "auto" else chosen))
    graph.label(graph.node("Where", above, graph.constant(positive, INT64), graph.constant(1 - positive, INT64)))
    graph.give(scores, 1, FLOAT)


def _label(model: object) -> object:
    scorer = getattr(model, "_curve_scorer", None)
    return getattr(model, "pos_label", None) if scorer is None else scorer._kwargs.get("pos_label")
