"""PMML 4.x: statistical models as XML, with their transformations; read by a parser without DTD, entities and network."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from core.domain.format import Format, Risk, Summary, Surroundings
from core.formats.anatomy.findings import info, warning
from core.scoring import pmml_read, signature, source
from core.scoring.form import Bayes, Clusters, Field, Network, Regression, TreeModel
from core.scoring.pmml_expressions import Element, local, named

ROOT = re.compile(rb"<PMML[\s>]")
NAMESPACE = re.compile(r"http://www\.dmg\.org/PMML-4_\d(_\d)?")
IGNORED = (
    "Header",
    "Extension",
    "ModelStats",
    "ModelExplanation",
    "ModelVerification",
    "MiningBuildTask",
    "LocalExplanation",
)
"""Elements that say something about a model and change no answer; their insides are not looked at."""
ALLOWED = frozenset(
    [
        "PMML",
        "DataDictionary",
        "DataField",
        "Value",
        "Interval",
        "TransformationDictionary",
        "LocalTransformations",
        "DerivedField",
        "Constant",
        "FieldRef",
        "Apply",
        "NormContinuous",
        "LinearNorm",
        "NormDiscrete",
        "Discretize",
        "DiscretizeBin",
        "MapValues",
        "FieldColumnPair",
        "InlineTable",
        "row",
        "MiningSchema",
        "MiningField",
        "Output",
        "OutputField",
        "Targets",
        "Target",
        "TargetValue",
        "Array",
        "MiningModel",
        "Segmentation",
        "Segment",
        "True",
        "False",
        "SimplePredicate",
        "SimpleSetPredicate",
        "CompoundPredicate",
        "RegressionModel",
        "RegressionTable",
        "NumericPredictor",
        "CategoricalPredictor",
        "PredictorTerm",
        "TreeModel",
        "Node",
        "ScoreDistribution",
        "ClusteringModel",
        "ComparisonMeasure",
        "euclidean",
        "squaredEuclidean",
        "ClusteringField",
        "Cluster",
        "MissingValueWeights",
        "NaiveBayesModel",
        "BayesInputs",
        "BayesInput",
        "TargetValueStats",
        "TargetValueStat",
        "GaussianDistribution",
        "BayesOutput",
        "TargetValueCounts",
        "TargetValueCount",
        "NeuralNetwork",
        "NeuralInputs",
        "NeuralInput",
        "NeuralLayer",
        "Neuron",
        "Con",
        "NeuralOutputs",
        "NeuralOutput",
    ]
)
KINDS = {
    Regression: "RegressionModel",
    TreeModel: "TreeModel",
    Clusters: "ClusteringModel",
    Bayes: "NaiveBayesModel",
    Network: "NeuralNetwork",
}


class Pmml(Format):
    """Declarative: nothing in it is run, and every element that is read is on a list."""

    title = "PMML"
    sentence = "A statistical model as XML, read by many databases and scoring engines."
    suffixes = (".pmml", ".xml")
    runs_in = Surroundings.CODE

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the root element is PMML."""
        return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" and bool(ROOT.search(head[:8192]))

    def check(self, path: Path) -> Iterator[Risk]:
        """Check that the XML is plain and whole, and that each element is one that is read here."""
        root = pmml_read.parse(path)
        space = str(root.tag).rpartition("}")[0].lstrip("{")
        if local(root) != "PMML" or not NAMESPACE.fullmatch(space) or not str(root.get("version")).startswith("4."):
            yield Risk(
                "refuse",
                f"This is PMML {str(root.get('version'))[:10]}; versions 4.0 to 4.4 are supported.",
                next_step="Write the model as PMML 4.",
            )
            return
        unknown, extensions = Counter[str](), 0
        for name in _names(root):
            extensions += name == "Extension"
            if name not in ALLOWED and name not in IGNORED:
                unknown[name] += 1
        if unknown:
            listed = ", ".join(f"{name[:60]} ({count})" for name, count in unknown.most_common(20))
            yield Risk(
                "refuse", f"These PMML elements are not supported: {listed}.", next_step="Write the model without them."
            )
        if extensions:
            yield warning(f"The file has {extensions} vendor extensions, which are not read.")
        yield info("The XML has no document type, no entities and no code.")

    def inspect(self, path: Path) -> Summary:
        """Tell the model's kind, its fields and its transformations."""
        root = pmml_read.parse(path)
        form = pmml_read.read(path)
        fields = [step for step in form.steps if isinstance(step, Field)]
        return Summary(
            format=self.id,
            signature=signature.signature(source.described(form)),
            parameters=sum(_parameters(model) for model in form.models) or None,
            operators=dict(
                Counter([*(KINDS[type(m)] for m in form.models), *["DerivedField"] * len(fields)]).most_common()
            ),
            precision="float64",
            producer=_producer(root),
            notes={
                "version": root.get("version"),
                "model": next(
                    local(one) for one in root if local(one) == "MiningModel" or local(one) in KINDS.values()
                ),
                "fields": [one.name[:80] for one in form.inputs[:100]],
                "transformations": [field.name[:80] for field in fields[:100]],
            },
        )


def _names(root: Element) -> Iterator[str]:
    """Yield the elements' names, without a look inside those that are ignored and into the cells of tables."""
    pending = [root]
    while pending:
        element = pending.pop()
        name = local(element)
        yield name
        if name not in IGNORED and name != "row":
            pending += list(element)


def _producer(root: Element) -> str | None:
    applications = [one for header in named(root, "Header") for one in named(header, "Application")]
    if not applications:
        return None
    return " ".join(str(applications[0].get(key, "")) for key in ("name", "version")).strip()[:80] or None


def _parameters(model: Regression | TreeModel | Clusters | Bayes | Network) -> int:
    if isinstance(model, TreeModel):
        return sum(feature >= 0 for feature in model.feature) + sum(map(len, model.scores))
    if isinstance(model, Network):
        return sum(len(layer.biases) + sum(map(len, layer.weights)) for layer in model.layers)
    if isinstance(model, Regression):
        return len(model.intercepts) + sum(map(len, model.weights))
    if isinstance(model, Bayes):
        return len(model.priors) + 2 * sum(map(len, model.means))
    return sum(map(len, model.centers))


FORMAT = Pmml()
