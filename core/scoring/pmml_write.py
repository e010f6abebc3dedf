"""Forms as PMML 4.4 (Data Mining Group, 2019): one model, or a chain of models where one needs the numbers of another."""

from collections.abc import Callable, Iterator
from typing import Any

from core.domain.errors import Refused, first_line
from core.scoring.form import (
    Bayes,
    Clusters,
    Expression,
    Field,
    Form,
    Label,
    Model,
    Network,
    Regression,
    TreeModel,
    texts,
)
from core.scoring.pmml_expressions import Element, child, child_at, express, local, real, typed
from core.scoring.pmml_trees import forest

NAMESPACE = "http://www.dmg.org/PMML-4_4"
TARGET = "target"
NAMING = (Bayes, Network)
"""Models whose elements name what they predict, which evaluators look up."""
CLASSES = ("softmax", "simplemax")


def write(form: Form, producer: str) -> bytes:
    """Return the form as an XML document. Raises Refused for a name that XML cannot hold, or trees too deep for its readers."""
    from lxml import etree

    try:
        root = etree.Element("PMML", nsmap={None: NAMESPACE}, version="4.4")
        child(child(root, "Header", copyright=""), "Application", name=producer)
        _Document(form).fill(root)
        return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))
    except ValueError as error:
        raise Refused(
            f"A name in the model is not valid in XML: {first_line(error)}.", "Rename the column or the class."
        ) from None


class _Document:
    """One form on its way into XML."""

    def __init__(self, form: Form) -> None:
        self.form, self.texts = form, texts(form)
        self.taken = {one.name for one in form.inputs} | {name for step in form.steps for name in step.names}
        self.target = self._free(TARGET)
        self.label = next((output for output in form.outputs if isinstance(output, Label)), None)
        made = {name for model in form.models for name in model.names}
        self.late: list[Field] = []
        for step in form.steps:
            if isinstance(step, Field) and made.intersection(step.fields):
                self.late.append(step)
                made.add(step.name)

    def _free(self, wanted: str) -> str:
        """Return a name that no field of the document has yet."""
        name = next(
            n for n in (wanted, *(f"{wanted} {i}" for i in range(2, len(self.taken) + 3))) if n not in self.taken
        )
        self.taken.add(name)
        return name

    def fill(self, root: Element) -> None:
        """Add the dictionary and the model."""
        self._dictionary(root)
        pieces = [piece for model in self.form.models for piece in self._pieces(model)]
        if not self._ends(pieces):
            pieces.append(Regression((), (), ((),), (0.0,)))
        early = [step for step in self.form.steps if isinstance(step, Field) and step not in self.late]
        names = [one.name for one in self.form.inputs]
        if len(pieces) == 1:
            self._model(root, pieces[0], names, early, "last")
            return
        chain = child(root, "MiningModel", functionName=self._function(pieces[-1]), modelName="chain")
        self._schema(chain, names, self.target)
        self._transformations(chain, early)
        segments = child(chain, "Segmentation", multipleModelMethod="modelChain")
        for place, piece in enumerate(pieces):
            segment = child(segments, "Segment", id=str(place + 1))
            child(segment, "True")
            own = self._late_for(piece, place == len(pieces) - 1)
            self._model(segment, piece, self._needed(piece, own), own, "last" if place == len(pieces) - 1 else "inner")

    def _ends(self, pieces: list[Model]) -> bool:
        """Say whether the last model gives the answers by itself."""
        first = self.form.outputs[0]
        return bool(pieces) and first.of == pieces[-1].names and (self.label is not None or len(first.of) == 1)

    def _pieces(self, model: Model) -> Iterator[Model]:
        """Yield the model, or one regression a number where its numbers are no shares of one another."""
        last = model is self.form.models[-1] and self.label is not None and self.label.of == model.names
        if not isinstance(model, Regression) or model.link in CLASSES or len(model.names) == 1 or last:
            yield model
            return
        for name, weights, intercept in zip(model.names, model.weights, model.intercepts, strict=True):
            kept = [(f, w) for f, w in zip(model.fields, weights, strict=True) if w]
            fields, own = tuple(f for f, _ in kept), tuple(w for _, w in kept)
            yield Regression((name,), fields, (own,), (intercept,), model.link)

    def _dictionary(self, root: Element) -> None:
        dictionary = self.dictionary = child(root, "DataDictionary")
        for one in self.form.inputs:
            optype = "categorical" if one.dtype == "string" else "continuous"
            field = child(dictionary, "DataField", name=one.name, optype=optype, dataType=one.dtype)
            for value in one.missing:
                child(field, "Value", value=value, property="missing")
        if self.label is None or self.label.pick == "smallest":
            child(dictionary, "DataField", name=self.target, optype="continuous", dataType="double")
            return
        field = child(
            dictionary, "DataField", name=self.target, optype="categorical", dataType=typed(self.label.categories[0])
        )
        for category in self.label.categories:
            child(field, "Value", value=str(category))

    def _model(self, parent: Element, model: Model, names: list[str], fields: list[Field], place: str) -> None:
        categories = self._categories(model, place)
        function = self._function(model)
        inside = place == "inner" and isinstance(model, NAMING)
        target = self._inside(model, categories) if inside else self.target
        body = WRITERS[type(model)](parent, model, function, categories, target)
        predicts = inside or (place == "last" and not isinstance(model, Clusters))
        self._schema(body, names, target if predicts else None)
        output = child_at(body, 1, "Output")
        if place == "last":
            self._answers(output, categories, bool(model.names))
        else:
            self._inner(output, model, categories)
        if fields:
            self._transformations(body, fields)

    def _inside(self, model: Model, categories: list[str]) -> str:
        """Declare what a model inside a chain predicts, and return its name."""
        name = self._free(f"{TARGET} inside")
        if self._function(model) == "regression":
            child(self.dictionary, "DataField", name=name, optype="continuous", dataType="double")
            return name
        field = child(self.dictionary, "DataField", name=name, optype="categorical", dataType="string")
        for category in categories:
            child(field, "Value", value=category)
        return name

    def _function(self, model: Model) -> str:
        if isinstance(model, Clusters):
            return "clustering"
        return "classification" if len(model.names) > 1 else "regression"

    def _categories(self, model: Model, place: str) -> list[str]:
        if place == "last" and self.label is not None:
            return [str(category) for category in self.label.categories]
        return [str(number) for number in range(len(model.names))]

    def _schema(self, model: Element, names: list[str], target: str | None) -> None:
        schema = child_at(model, 0, "MiningSchema")
        if target is not None:
            child(schema, "MiningField", name=target, usageType="target")
        for name in names:
            child(schema, "MiningField", name=name)

    def _transformations(self, model: Element, fields: list[Field]) -> None:
        if not fields:
            return
        before = [one for one in model if local(one) in ("MiningSchema", "Output")]
        transformations = child_at(model, len(before), "LocalTransformations")
        for field in fields:
            self._derived(transformations, field)

    def _derived(self, parent: Element, field: Field) -> None:
        """Add a field; one that is rounded to float32 goes on as float64, so that no reader rounds what it is compared with."""
        expression: Expression = field.expression
        if field.dtype == "string":
            express(child(parent, "DerivedField", name=field.name, optype="categorical", dataType="string"), expression)
            return
        if field.dtype == "float":
            rounded = child(parent, "DerivedField", name=f"{field.name} rounded", optype="continuous", dataType="float")
            express(rounded, expression)
        derived = child(parent, "DerivedField", name=field.name, optype="continuous", dataType="double")
        if field.dtype == "float":
            child(derived, "FieldRef", field=f"{field.name} rounded")
        else:
            express(derived, expression)

    def _late_for(self, model: Model, last: bool) -> list[Field]:
        """Return the fields behind other models that this one needs, in order."""
        wanted = set(model.fields) | ({name for output in self.form.outputs for name in output.of} if last else set())
        found: list[Field] = []
        for field in reversed(self.late):
            if field.name in wanted:
                found.insert(0, field)
                wanted.update(field.fields)
        return found

    def _needed(self, model: Model, own: list[Field]) -> list[str]:
        made = {field.name for field in own}
        used = [*model.fields, *(name for field in own for name in field.fields)]
        used += [] if model.names else [name for output in self.form.outputs for name in output.of]
        return [name for name in dict.fromkeys(used) if name not in made]

    def _inner(self, output: Element, model: Model, categories: list[str]) -> None:
        feature = "affinity" if isinstance(model, Clusters) else "probability"
        for name, category in zip(model.names, categories, strict=True):
            given = {"feature": "predictedValue"} if len(categories) == 1 else {"feature": feature, "value": category}
            child(output, "OutputField", name=name, optype="continuous", dataType="double", **given)

    def _answers(self, output: Element, categories: list[str], predicts: bool) -> None:
        """Declare the answers: what is predicted, the share or distance of each category, and numbers from elsewhere."""
        for answer in self.form.outputs:
            if isinstance(answer, Label):
                self._answer(output, "label", typed(answer.categories[0]), feature="predictedValue")
            elif self.label is not None and answer.of == self.label.of:
                feature = "affinity" if self.label.pick == "smallest" else "probability"
                for category in categories:
                    self._answer(output, f"{feature}({category})", "double", feature=feature, value=category)
            elif predicts and self.label is None:
                self._answer(output, answer.name, "double", feature="predictedValue")
            else:
                for place, name in enumerate(answer.of):
                    field = self._answer(output, f"{answer.name}({place})", "double", feature="transformedValue")
                    child(field, "FieldRef", field=name)

    def _answer(self, output: Element, name: str, dtype: str, **attributes: str) -> Element:
        optype = "continuous" if dtype == "double" else "categorical"
        return child(output, "OutputField", name=self._free(name), optype=optype, dataType=dtype, **attributes)


def _regression(parent: Element, model: Regression, function: str, categories: list[str], target: str) -> Element:
    body = child(parent, "RegressionModel", functionName=function, normalizationMethod=model.link)
    for category, weights, intercept in zip(categories or [""], model.weights, model.intercepts, strict=True):
        given = {"targetCategory": category} if function == "classification" else {}
        table = child(body, "RegressionTable", intercept=real(intercept), **given)
        for field, weight in zip(model.fields, weights, strict=True):
            child(table, "NumericPredictor", name=field, coefficient=real(weight))
    return body


def _bayes(parent: Element, model: Bayes, function: str, categories: list[str], target: str) -> Element:
    body = child(parent, "NaiveBayesModel", functionName=function, threshold="0")
    inputs = child(body, "BayesInputs")
    for place, field in enumerate(model.fields):
        stats = child(child(inputs, "BayesInput", fieldName=field), "TargetValueStats")
        for category, means, variances in zip(categories, model.means, model.variances, strict=True):
            stat = child(stats, "TargetValueStat", value=category)
            child(stat, "GaussianDistribution", mean=real(means[place]), variance=real(variances[place]))
    counts = child(child(body, "BayesOutput", fieldName=target), "TargetValueCounts")
    for category, prior in zip(categories, model.priors, strict=True):
        child(counts, "TargetValueCount", value=category, count=real(prior))
    return body


def _clusters(parent: Element, model: Clusters, function: str, categories: list[str], target: str) -> Element:
    body = child(
        parent,
        "ClusteringModel",
        functionName="clustering",
        modelClass="centerBased",
        numberOfClusters=str(len(categories)),
    )
    child(child(body, "ComparisonMeasure", kind="distance", compareFunction="absDiff"), model.measure)
    for field in model.fields:
        child(body, "ClusteringField", field=field)
    for category, center in zip(categories, model.centers, strict=True):
        cluster = child(body, "Cluster", id=category, name=f"cluster {category}")
        child(cluster, "Array", type="real", n=str(len(center))).text = " ".join(map(real, center))
    return body


def _network(parent: Element, model: Network, function: str, categories: list[str], target: str) -> Element:
    body = child(parent, "NeuralNetwork", functionName=function, activationFunction="identity")
    inputs = child(body, "NeuralInputs", numberOfInputs=str(len(model.fields)))
    for place, field in enumerate(model.fields):
        derived = child(
            child(inputs, "NeuralInput", id=f"0,{place}"), "DerivedField", optype="continuous", dataType="double"
        )
        child(derived, "FieldRef", field=field)
    for number, layer in enumerate(model.layers, start=1):
        link = {"normalizationMethod": model.link} if number == len(model.layers) and model.link != "none" else {}
        rows = child(body, "NeuralLayer", activationFunction=layer.activation, **link)
        for place, (weights, bias) in enumerate(zip(layer.weights, layer.biases, strict=True)):
            neuron = child(rows, "Neuron", id=f"{number},{place}", bias=real(bias))
            for source, weight in enumerate(weights):
                child(neuron, "Con", **{"from": f"{number - 1},{source}"}, weight=real(weight))
    outputs = child(body, "NeuralOutputs", numberOfOutputs=str(len(categories)))
    for place, category in enumerate(categories):
        output = child(outputs, "NeuralOutput", outputNeuron=f"{len(model.layers)},{place}")
        derived = child(output, "DerivedField", optype="categorical" if function == "classification" else "continuous", dataType="string" if function == "classification" else "double")  # fmt: skip
        if function == "classification":
            child(derived, "NormDiscrete", field=target, value=category)
        else:
            child(derived, "FieldRef", field=target)
    return body


WRITERS: dict[type, Callable[[Element, Any, str, list[str], str], Element]] = {
    Regression: _regression, TreeModel: forest, Clusters: _clusters, Bayes: _bayes, Network: _network,
}  # fmt: skip
