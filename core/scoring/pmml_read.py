"""PMML 4.x read into the form: dictionaries, schemas, transformations, one model or a chain, and the answers it declares."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from core.domain.errors import Refused, first_line
from core.scoring import pmml_schema
from core.scoring.form import (
    NO_NUMBER,
    NO_TEXT,
    Apply,
    Const,
    Expression,
    Field,
    Form,
    Input,
    Label,
    Model,
    Numbers,
    Ref,
    Regression,
    Step,
    check,
    is_text,
    needed,
)
from core.scoring.pmml_expressions import Element, Scope, constant, local, named, number, understand
from core.scoring.pmml_models import MODELS, Found, trees
from core.scoring.pmml_schema import DataField, data_field

DTYPES = {"double": "double", "float": "float", "integer": "integer", "string": "string"}
MAX_BYTES = 64 << 20
AGAIN = "Export the file again with the tool that made it."


def parse(path: Path) -> Element:
    """Return the root of an XML file that has neither DTD nor entities, read without network. Raises Refused."""
    from lxml import etree

    data = path.read_bytes() if path.stat().st_size <= MAX_BYTES else b""
    if not data:
        raise Refused(f"The file is empty, or larger than {MAX_BYTES >> 20} MB.", "Save a smaller model.")
    # In UTF-16, which has zero bytes, the search for a document type would find nothing.
    if b"\0" in data[:4096] or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise Refused(
            "The XML has a document type or entities, which PMML never needs.", "Save it as plain UTF-8 without a DTD."
        )
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True, encoding="UTF-8",
    )  # fmt: skip
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        first = first_line(error)[:200]
        raise Refused(f"The XML is broken: {first}.", "Download or save the file again, in UTF-8.") from None
    if root.getroottree().docinfo.doctype or any(True for _ in root.iter(etree.Entity)):
        raise Refused("The XML has a document type or entities, which PMML never needs.", "Save it without a DTD.")
    return root


def read(path: Path) -> Form:
    """Return the form of a PMML file. Raises Refused for what is not supported."""
    try:
        return _Document(parse(path)).form()
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        words = first_line(error)[:100]
        raise Refused(f"The PMML file breaks the rules of PMML ({type(error).__name__}: {words}).", AGAIN) from None


class _Document:
    """One file on its way into a form."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self.steps: list[Step] = []
        self.taken: set[str] = set()
        self.made: dict[tuple[str, Expression], str] = {}
        self.sound: list[Expression] = []
        models = [one for one in root if local(one) in MODELS or local(one) == "MiningModel"]
        if len(models) != 1:
            raise Refused(f"The PMML file contains {len(models)} supported models; one is needed.", AGAIN)
        self.model = models[0]
        (dictionary, *_) = named(root, "DataDictionary") or [()]
        self.fields = {one.name: one for one in (data_field(f) for f in dictionary if local(f) == "DataField")}

    def form(self) -> Form:
        """Return what the document says."""
        scope = Scope()
        inputs = tuple(self._inputs(scope))
        for one in named(self.root, "TransformationDictionary"):
            self.derive_all(one, scope)
        found = self.read_model(self.model, scope)
        outputs = self._if_sound(tuple(found.answers or self._default(found)))
        return needed(check(Form(inputs, tuple(self.steps), outputs)))

    def _if_sound(self, outputs: tuple[Label | Numbers, ...]) -> tuple[Label | Numbers, ...]:
        """Return the answers without those of rows that the file gives no result for."""
        if not self.sound:
            return outputs
        sound = Ref(self.derive("valid", self.sound[0] if len(self.sound) == 1 else Apply("and", tuple(self.sound))))
        found = list[Label | Numbers]()
        for one in outputs:
            of = tuple(self.derive(f"{name} if valid", Apply("if", (sound, Ref(name)))) for name in one.of)
            if isinstance(one, Label):
                nothing = NO_TEXT if isinstance(one.categories[0], str) else NO_NUMBER
                found.append(replace(one, of=of, nothing=nothing))
            else:
                found.append(replace(one, of=of))
        return tuple(found)

    def read_model(self, element: Element, scope: Scope) -> Found:
        """Read a model with its schema, its transformations and its targets; its outputs join the outer scope."""
        inner = scope.inner()
        self.apply_schema(element, inner)
        for one in named(element, "LocalTransformations"):
            self.derive_all(one, inner)
        found = (
            self._mining(element, inner)
            if local(element) == "MiningModel"
            else MODELS[local(element)](element, inner, self)
        )
        found = self._rescaled(element, found)
        return self._outputs(element, found, inner, scope)

    def derive(self, name: str, expression: Expression, dtype: str = "double") -> str:
        """Add a field and return its name in the form; an equal one is made once."""
        known = self.made.get((dtype, expression))
        if known is None:
            known = self.name(name)
            self.steps.append(Field(known, dtype, expression))
            self.made[dtype, expression] = known
        return known

    def add(self, model: Model) -> tuple[str, ...]:
        """Add a model, and return the names of its numbers."""
        self.steps.append(model)
        return model.names

    def name(self, wanted: str) -> str:
        """Return a name that nothing in the form has yet."""
        found, count = wanted, 1
        while found in self.taken:
            found, count = f"{wanted} ({count})", count + 1
        self.taken.add(found)
        return found

    def names(self, what: str, count: int) -> tuple[str, ...]:
        """Return new names for the numbers of a model."""
        return tuple(self.name(f"{what}({place})") for place in range(count))

    def categories(self, element: Element) -> list[str]:
        """Return the categories of a model's target in the order of the dictionary; none where it does not tell."""
        for one in self._target_names(element) or self._target_names(self.model):
            if one in self.fields:
                return list(self.fields[one].values)
        return []

    def labels(self, element: Element, categories: list[str]) -> tuple[str, ...] | tuple[int, ...]:
        """Return categories in the type of the target."""
        targets = self._target_names(element) or self._target_names(self.model)
        kinds = {self.fields[one].dtype for one in targets if one in self.fields}
        if kinds & {"integer", "double", "float"}:
            values = [number(category, "A category") for category in categories]
            if all(value == int(value) for value in values):
                return tuple(int(value) for value in values)
        return tuple(categories)

    def _target_names(self, element: Element) -> list[str]:
        schema = next(iter(named(element, "MiningSchema")), ())
        return [str(f.get("name")) for f in schema if f.get("usageType") in ("target", "predicted")]

    def _inputs(self, scope: Scope) -> Iterator[Input]:
        targets = set(self._target_names(self.model))
        (schema,) = named(self.model, "MiningSchema") or [()]
        for one in schema:
            name = str(one.get("name"))
            if local(one) != "MiningField" or name in targets or one.get("usageType", "active") != "active":
                continue
            if name not in self.fields:
                raise Refused(f"The PMML file does not define its input {name[:80]!r}.", AGAIN)
            field = self.fields[name]
            if field.dtype not in DTYPES:
                raise Refused(
                    f"The input {name[:80]!r} is {field.dtype}, which is not supported.", "Use numbers or text."
                )
            scope.names[name] = self.name(name)
            if field.dtype == "string":
                scope.texts.add(name)
            if field.dtype == "float":
                scope.floats.add(name)
            mean, spread = field.spread
            yield Input(name, field.dtype, field.missing if field.is_text else (), field.values, mean, spread)

    def apply_schema(self, element: Element, scope: Scope) -> None:
        """Apply what a mining schema does to its fields; which values are valid is the outermost model's word."""
        for one in next(iter(named(element, "MiningSchema")), ()):
            name = one.get("name")
            if name not in scope.names or one.get("usageType", "active") != "active":
                continue
            known = scope.names[name]
            field = self.fields.get(name) or DataField(name, "string" if known in scope.texts else "double")
            value = pmml_schema.marked(Ref(known), field)
            if element is self.model:
                value, conditions = pmml_schema.checked(value, one, field)
                self.sound += conditions
            value = pmml_schema.filled(pmml_schema.within(value, one, field), one, field)
            dtype = "string" if field.is_text else "float" if known in scope.floats else "double"
            if value != Ref(known):
                scope.names[name] = self._typed_field(f"{name} filled", value, dtype, scope)

    def derive_all(self, element: Element, scope: Scope) -> None:
        """Add the derived fields of a list of transformations."""
        for one in named(element, "DerivedField"):
            body = [part for part in one if local(part) not in ("Extension", "Value", "Interval")]
            if len(body) != 1:
                raise Refused(f"The derived field {one.get('name')!r} has no single expression.", AGAIN)
            expression = understand(body[0], scope)
            scope.names[str(one.get("name"))] = self._typed_field(
                str(one.get("name")), expression, str(one.get("dataType")), scope
            )

    def _typed_field(self, name: str, expression: Expression, dtype: str, scope: Scope) -> str:
        """Add a derived field. Raises Refused where a number would become a text, or the other way round."""
        gives_text = is_text(expression, scope.texts)
        if gives_text != (dtype == "string") or dtype not in ("double", "float", "integer", "boolean", "string"):
            raise Refused(f"The derived field {name[:80]!r} turns its value into {dtype}, which is not supported.", "Keep the type of each field.")  # fmt: skip
        made = self.derive(name, expression, dtype if dtype in ("string", "float") else "double")
        if gives_text:
            scope.texts.add(made)
        if dtype == "float":
            scope.floats.add(made)
        return made

    def _mining(self, element: Element, scope: Scope) -> Found:
        """Read a chain, or several models that are added up."""
        (segmentation, *_) = named(element, "Segmentation") or [None]
        if segmentation is None:
            raise Refused("A MiningModel of the PMML file has no segments.", AGAIN)
        method = str(segmentation.get("multipleModelMethod"))
        segments = named(segmentation, "Segment")
        models = [one for segment in segments for one in segment if local(one) in MODELS or local(one) == "MiningModel"]
        if len(models) != len(segments) or not all(named(segment, "True") for segment in segments) or not segments:
            raise Refused(
                "A segment of the PMML file has a condition, or no supported model.",
                "Use segments that always hold.",
            )
        if method == "modelChain":
            return [self.read_model(one, scope) for one in models][-1]
        if method not in METHODS:
            raise Refused(
                f"The PMML method {method[:40]} of many models is not supported.",
                f"Use one of {', '.join(METHODS)}.",
            )
        weights = [
            number(segment.get("weight", "1"), "A weight") if "weighted" in method else 1.0 for segment in segments
        ]
        whole = sum(weights) if METHODS[method] == "mean" else 1.0
        if all(local(one) == "TreeModel" for one in models):
            return trees(models, [w / whole if "weighted" in method else 1.0 for w in weights],
                         1.0 if "weighted" in method else whole, scope, self, "Vote" in method)  # fmt: skip
        if "Vote" in method:
            raise Refused("Votes of models other than trees are not supported.", "Use the average.")
        return self._added([self.read_model(one, scope) for one in models], [w / whole for w in weights])

    def _added(self, members: list[Found], weights: list[float]) -> Found:
        wide = len(members[0].names)
        if any(one.categories != members[0].categories for one in members):
            raise Refused("The models in the PMML file have different classes.", AGAIN)
        rows = [[w * (i == row) for w in weights for i in range(wide)] for row in range(wide)]
        fields = tuple(name for one in members for name in one.names)
        names = self.add(Regression(self.names("together", wide), fields, tuple(map(tuple, rows)), (0.0,) * wide))
        return Found(names, members[0].categories, members[0].pick)

    def _rescaled(self, element: Element, found: Found) -> Found:
        for target in (one for targets in named(element, "Targets") for one in named(targets, "Target")):
            if target.get("castInteger") is not None or found.categories:
                raise Refused("The PMML file rounds or rescales its target in a way that is not supported.", AGAIN)
            value: Expression = Ref(found.names[0])
            for attribute, test in (("min", "max"), ("max", "min")):
                if target.get(attribute) is not None:
                    value = Apply(test, (value, Const(number(target.get(attribute), attribute))))
            value = Apply("*", (value, Const(number(target.get("rescaleFactor", "1"), "rescaleFactor"))))
            value = Apply("+", (value, Const(number(target.get("rescaleConstant", "0"), "rescaleConstant"))))
            found = Found((self.derive("rescaled", value),))
        return found

    def _outputs(self, element: Element, found: Found, inner: Scope, outer: Scope) -> Found:
        """Let later models use this one's outputs, and return its answers in the order of its Output."""
        answers: list[Label | Numbers] = list(found.answers)
        fields = [f for output in named(element, "Output") for f in named(output, "OutputField")]
        if fields:
            answers = []
        for field in fields:
            self._output(field, element, found, inner, outer, answers)
        return Found(found.names, found.categories, found.pick, tuple(answers))

    def _output(
        self, field: Element, element: Element, found: Found, inner: Scope, outer: Scope, answers: list[Label | Numbers]
    ) -> None:
        feature, name = field.get("feature", "predictedValue"), str(field.get("name"))
        if feature == "predictedValue" and found.categories:
            answers.append(Label(name, found.names, self.labels(element, found.categories) if found.pick == "largest" else _whole(found.categories), found.pick))  # fmt: skip
            return
        known = self._number(feature, field, found, inner, name)
        inner.names[name] = outer.names[name] = known
        if field.get("isFinalResult", "true") == "false":
            return
        kind = {"probability": "probabilities", "affinity": "scores"}.get(
            feature, "scores" if found.categories else "variable"
        )
        if answers and isinstance(answers[-1], Numbers) and answers[-1].name == kind:
            answers[-1] = Numbers(kind, (*answers[-1].of, known))
        else:
            answers.append(Numbers(kind if kind not in {a.name for a in answers} else name, (known,)))

    def _number(self, feature: str, field: Element, found: Found, inner: Scope, name: str) -> str:
        if feature == "predictedValue":
            return found.names[0]
        if feature in ("probability", "affinity") and field.get("value") in found.categories:
            return found.names[found.categories.index(field.get("value"))]
        body = [part for part in field if local(part) != "Extension"]
        if feature == "transformedValue" and len(body) == 1:
            return self._typed_field(name, understand(body[0], inner), str(field.get("dataType", "double")), inner)
        raise Refused(
            f"The output {name[:80]!r} of the PMML file ({str(feature)[:40]}) is not supported.", "Remove it."
        )

    def _default(self, found: Found) -> list[Label | Numbers]:
        if not found.categories:
            return [Numbers("variable", found.names)]
        labels = self.labels(self.model, found.categories) if found.pick == "largest" else _whole(found.categories)
        return [Label("label", found.names, labels, found.pick), Numbers("probabilities", found.names)]


def _whole(categories: list[str]) -> tuple[str, ...] | tuple[int, ...]:
    values = [constant(category, None) for category in categories]
    if all(isinstance(value, float) and value == int(value) for value in values):
        return tuple(int(value) for value in values)
    return tuple(categories)


METHODS = {
    "average": "mean", "sum": "sum", "weightedAverage": "mean", "weightedSum": "sum", "majorityVote": "mean",
    "weightedMajorityVote": "mean",
}  # fmt: skip
