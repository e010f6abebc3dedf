"""The models of PMML that have a reading: regression, trees, clusters, Gaussian naive Bayes and neural networks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from core.domain.errors import Refused
from core.scoring.form import (
    ACTIVATIONS,
    MEASURES,
    Apply,
    Bayes,
    Clusters,
    Const,
    Expression,
    Label,
    Model,
    Network,
    NeuralLayer,
    Numbers,
    Ref,
    Regression,
)
from core.scoring.pmml_expressions import Element, Scope, local, named, number, understand
from core.scoring.pmml_trees import Planter, split_array

AGAIN = "Export the file again with the tool that made it."


@dataclass(frozen=True)
class Found:
    """What a model gives: the names of its numbers, the categories behind them if there are any, and the answers it declares."""

    names: tuple[str, ...]
    categories: list[str] = field(default_factory=list)
    pick: str = "largest"
    answers: tuple[Label | Numbers, ...] = ()


class Document(Protocol):
    """What the models need of the document that they stand in."""

    def derive(self, name: str, expression: Expression, dtype: str = "double") -> str: ...
    def add(self, model: Model) -> tuple[str, ...]: ...
    def names(self, what: str, count: int) -> tuple[str, ...]: ...
    def categories(self, element: Element) -> list[str]: ...
    def apply_schema(self, element: Element, scope: Scope) -> None: ...
    def derive_all(self, element: Element, scope: Scope) -> None: ...


def refused(what: str) -> Refused:
    """Return the refusal of a setting that has no reading."""
    return Refused(f"{what} in the PMML file is not supported.", AGAIN)


def _regression(element: Element, scope: Scope, document: Document) -> Found:
    tables = named(element, "RegressionTable")
    link, classes = element.get("normalizationMethod", "none"), element.get("functionName") == "classification"
    terms = [_terms(table, scope, document) for table in tables]
    offsets = [number(table.get("intercept", "0"), "An intercept") for table in tables]
    if classes and link == "logit" and len(tables) == 2 and not terms[1] and not offsets[1]:
        link = "softmax"
    allowed = ("none", "softmax", "simplemax") if classes else ("none", "softmax", "logit", "exp")
    if link not in allowed or not tables or (not classes and len(tables) != 1):
        raise refused(f"RegressionModel with normalizationMethod={link} and {len(tables)} tables")
    link = "logit" if link == "softmax" and not classes else link
    fields = tuple(dict.fromkeys(name for row in terms for name, _ in row))
    weights = tuple(tuple(sum(w for name, w in row if name == field) for field in fields) for row in terms)
    names = document.names("score" if classes else "predicted", len(tables))
    document.add(Regression(names, fields, weights, tuple(offsets), link))
    return Found(names, [str(table.get("targetCategory")) for table in tables] if classes else [])


def _terms(table: Element, scope: Scope, document: Document) -> list[tuple[str, float]]:
    """Return the fields of a table with their coefficients; categories and products become fields of their own."""
    found = []
    for one in table:
        kind = local(one)
        if kind == "Extension":
            continue
        weight = number(one.get("coefficient"), "A coefficient")
        if kind == "NumericPredictor":
            found.append((_powered(one, scope, document), weight))
        elif kind == "CategoricalPredictor":
            found.append((_is_category(one, scope, document), weight))
        elif kind == "PredictorTerm":
            factors = [Ref(scope.find(f.get("field"))) for f in named(one, "FieldRef")]
            product: Expression = factors[0] if factors else Const(1.0)
            for factor in factors[1:]:
                product = Apply("*", (product, factor))
            found.append((document.derive("product", product), weight))
        else:
            raise refused(kind)
    return found


def _powered(one: Element, scope: Scope, document: Document) -> str:
    name, exponent = scope.find(one.get("name")), number(one.get("exponent", "1"), "An exponent")
    return name if exponent == 1 else document.derive(f"power({name})", Apply("pow", (Ref(name), Const(exponent))))


def _is_category(one: Element, scope: Scope, document: Document) -> str:
    name, value = scope.find(one.get("name")), str(one.get("value"))
    option = Const(value if name in scope.texts else number(value, "A category"))
    same = Apply("if", (Apply("equal", (Ref(name), option)), Const(1.0), Const(0.0)))
    return document.derive(f"{name} is {value}", Apply("if", (Apply("isMissing", (Ref(name),)), Const(0.0), same)))


def _tree(element: Element, scope: Scope, document: Document) -> Found:
    return trees([element], [1.0], 1.0, scope, document, False)


def trees(
    models: list[Element], weights: list[float], divisor: float, scope: Scope, document: Document, votes: bool
) -> Found:
    """Read TreeModels into one forest; where they vote, each gives its whole weight to its class."""
    classes = models[0].get("functionName") == "classification"
    categories = _classes(models, document) if classes else []
    planter = Planter(scope, categories, document.derive, votes)
    for model, weight in zip(models, weights, strict=True):
        inner = scope.inner()
        document.apply_schema(model, inner)
        for one in named(model, "LocalTransformations"):
            document.derive_all(one, inner)
        planter.plant(model, inner, weight)
    names = document.names("probability" if classes else "predicted", max(1, len(categories)))
    return Found(document.add(planter.grower.forest(names, tuple(planter.fields), divisor)), categories)


def _classes(models: list[Element], document: Document) -> list[str]:
    """Return the classes: those of the dictionary, else all that the leaves name."""
    told = document.categories(models[0])
    if told:
        return told
    nodes = [node for model in models for node in model.iter() if local(node) in ("Node", "ScoreDistribution")]
    values = [node.get("value") if local(node) == "ScoreDistribution" else node.get("score") for node in nodes]
    return sorted({str(value) for value in values if value is not None})


def _clusters(element: Element, scope: Scope, document: Document) -> Found:
    (measure, *_) = named(element, "ComparisonMeasure") or [None]
    kind = local(measure[0]) if measure is not None and len(measure) else ""
    if (
        kind not in MEASURES
        or measure.get("compareFunction", "absDiff") != "absDiff"
        or element.get("modelClass") != "centerBased"
    ):
        raise refused(f"ClusteringModel with the measure {kind or 'unknown'}")
    fields = named(element, "ClusteringField")
    if any(
        f.get("fieldWeight", "1") not in ("1", "1.0") or f.get("compareFunction", "absDiff") != "absDiff"
        for f in fields
    ):
        raise refused("A weighted ClusteringField")
    used = [f for f in fields if f.get("isCenterField", "true") == "true"]
    clusters = named(element, "Cluster")
    centers = tuple(tuple(number(x, "A centre") for x in split_array(_array(c))) for c in clusters)
    names = document.names("distance", len(clusters))
    document.add(Clusters(names, tuple(scope.find(f.get("field")) for f in used), centers, kind))
    return Found(names, [c.get("id") or str(place + 1) for place, c in enumerate(clusters)], "smallest")


def _array(cluster: Element) -> str:
    arrays = named(cluster, "Array")
    if len(arrays) != 1:
        raise refused("A Cluster without a centre")
    return str(arrays[0].text or "")


def _bayes(element: Element, scope: Scope, document: Document) -> Found:
    output = next(iter(named(element, "BayesOutput")), ())
    counts = {
        c.get("value"): number(c.get("count"), "A count") for table in output for c in named(table, "TargetValueCount")
    }
    categories = [str(one) for one in counts]
    inputs = [one for table in named(element, "BayesInputs") for one in named(table, "BayesInput")]
    normal = [_normal(one, categories) for one in inputs]
    names = document.names("probability", len(categories))
    fields = tuple(scope.find(one.get("fieldName")) for one in inputs)
    means = tuple(tuple(column[place][0] for column in normal) for place in range(len(categories)))
    variances = tuple(tuple(column[place][1] for column in normal) for place in range(len(categories)))
    threshold = number(element.get("threshold", "0"), "The threshold")
    document.add(Bayes(names, fields, tuple(counts.values()), means, variances, threshold))
    return Found(names, categories)


def _normal(element: Element, categories: list[str]) -> list[tuple[float, float]]:
    """Return mean and variance of one input per class."""
    stats = {s.get("value"): s for table in named(element, "TargetValueStats") for s in named(table, "TargetValueStat")}
    if set(stats) != set(categories) or not all(named(s, "GaussianDistribution") for s in stats.values()):
        raise refused(f"The input {element.get('fieldName')!r} of NaiveBayesModel without normal distributions")
    found = [named(stats[category], "GaussianDistribution")[0] for category in categories]
    return [(number(g.get("mean"), "A mean"), number(g.get("variance"), "A variance")) for g in found]


def _network(element: Element, scope: Scope, document: Document) -> Found:
    inputs = [one for table in named(element, "NeuralInputs") for one in named(table, "NeuralInput")]
    fields = []
    for one in inputs:
        (derived,) = named(one, "DerivedField")
        (body,) = [part for part in derived if local(part) != "Extension"]
        expression = understand(body, scope)
        fields.append(expression.name if isinstance(expression, Ref) else document.derive("entry", expression))
    before, layers, link = [str(one.get("id")) for one in inputs], [], element.get("normalizationMethod", "none")
    for rows in named(element, "NeuralLayer"):
        if link != "none" and rows.get("normalizationMethod") is None and rows is not named(element, "NeuralLayer")[-1]:
            raise refused("A normalization between the layers")
        layers.append(_layer(rows, before, str(element.get("activationFunction"))))
        before, link = [str(n.get("id")) for n in named(rows, "Neuron")], rows.get("normalizationMethod", link)
    if link not in ("none", "softmax", "simplemax") or not layers:
        raise refused(f"NeuralNetwork with normalizationMethod={link}")
    return _read_out(element, document, tuple(fields), layers, link, before)


def _layer(element: Element, before: list[str], default: str) -> NeuralLayer:
    activation = element.get("activationFunction", default)
    if activation not in ACTIVATIONS:
        raise refused(f"The activation {activation}")
    rows, biases = [], []
    for neuron in named(element, "Neuron"):
        weights = {c.get("from"): number(c.get("weight"), "A weight") for c in named(neuron, "Con")}
        if not set(weights) <= set(before):
            raise refused("A connection that leaps over a layer")
        rows.append(tuple(weights.get(name, 0.0) for name in before))
        biases.append(number(neuron.get("bias", "0"), "A bias"))
    return NeuralLayer(tuple(rows), tuple(biases), activation)


def _read_out(
    element: Element, document: Document, fields: tuple[str, ...], layers: list[NeuralLayer], link: str, last: list[str]
) -> Found:
    outputs = [one for table in named(element, "NeuralOutputs") for one in named(table, "NeuralOutput")]
    kinds = [part for one in outputs for derived in named(one, "DerivedField") for part in derived]
    classes = element.get("functionName") == "classification"
    wanted = "NormDiscrete" if classes else "FieldRef"
    if [one.get("outputNeuron") for one in outputs] != last or any(local(part) != wanted for part in kinds):
        raise refused("Outputs of a NeuralNetwork in another order or scale than its last layer")
    names = document.names("probability" if classes else "predicted", len(last))
    document.add(Network(names, fields, tuple(layers), link))
    return Found(names, [str(part.get("value")) for part in kinds] if classes else [])


MODELS: dict[str, Callable[[Element, Scope, Document], Found]] = {
    "RegressionModel": _regression, "TreeModel": _tree, "ClusteringModel": _clusters, "NaiveBayesModel": _bayes,
    "NeuralNetwork": _network,
}  # fmt: skip
