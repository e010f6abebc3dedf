"""Trees in PMML: a forest as nested nodes, and nested nodes as a forest of yes, no and missing."""

from collections.abc import Callable

from core.domain.errors import Refused
from core.scoring.builder import Grower
from core.scoring.form import AT_MOST, BELOW, EQUAL, Apply, Const, Expression, Ref, TreeModel, Vector
from core.scoring.pmml_expressions import Element, Scope, child, child_at, local, named, number, real

MAX_QUESTIONS = 10_000
"""How often the predicate of one node may be asked while it is unfolded: nested ones double with each level."""
MAX_DEPTH = 200
"""XML readers stop at 256 elements inside one another."""
OPERATORS = {
    AT_MOST: ("lessOrEqual", "greaterThan"),
    BELOW: ("lessThan", "greaterOrEqual"),
    EQUAL: ("equal", "notEqual"),
}
TESTS = {
    "lessOrEqual": (AT_MOST, False), "greaterThan": (AT_MOST, True), "lessThan": (BELOW, False),
    "greaterOrEqual": (BELOW, True), "equal": (EQUAL, False), "notEqual": (EQUAL, True),
}  # fmt: skip


def forest(parent: Element, model: TreeModel, function: str, categories: list[str], target: str) -> Element:
    """Add a TreeModel, or a MiningModel over the trees of a forest. Raises Refused for trees too deep."""
    if len(model.roots) == 1:
        return _tree(parent, model, model.roots[0], function, categories)
    method = "average" if model.divisor == len(model.roots) else "sum"
    if model.divisor not in (1.0, float(len(model.roots))):
        raise Refused("This forest is neither a sum nor a mean of its trees.", "Convert to ONNX instead.")
    body = child(parent, "MiningModel", functionName=function)
    segments = child(body, "Segmentation", multipleModelMethod=method)
    for place, root in enumerate(model.roots):
        segment = child(segments, "Segment", id=str(place + 1))
        child(segment, "True")
        tree = _tree(segment, model, root, function, categories)
        schema = child_at(tree, 0, "MiningSchema")
        for name in _asked(model, root) or model.fields[:1]:
            child(schema, "MiningField", name=name)
    return body


def _asked(model: TreeModel, root: int) -> list[str]:
    found, pending = dict[str, None](), [root]
    while pending:
        here = pending.pop()
        if model.feature[here] >= 0:
            found[model.fields[model.feature[here]]] = None
            pending += [model.no[here], model.yes[here]]
    return list(found)


def _tree(parent: Element, model: TreeModel, root: int, function: str, categories: list[str]) -> Element:
    body = child(
        parent,
        "TreeModel",
        functionName=function,
        missingValueStrategy="defaultChild",
        splitCharacteristic="binarySplit",
    )
    top = child(body, "Node", id="1")
    child(top, "True")
    _grow(top, model, root, categories if function == "classification" else [], [1], 0)
    return body


def _grow(node: Element, model: TreeModel, here: int, categories: list[str], ids: list[int], depth: int) -> None:
    """Fill a node: the scores of a leaf, or the two children of a question."""
    if depth > MAX_DEPTH:
        raise Refused(f"A tree is more than {MAX_DEPTH} levels deep.", "Fit with max_depth, or convert to ONNX.")
    if model.feature[here] < 0:
        _leaf(node, model.scores[model.yes[here]], categories)
        return
    if model.missing[here] not in (model.yes[here], model.no[here]):
        raise Refused("A tree has a third branch for missing values.", "Convert to ONNX instead.")
    sides = zip((model.yes[here], model.no[here]), OPERATORS[model.test[here]], strict=True)
    for place, operator in sides:
        ids[0] += 1
        if place == model.missing[here] and node.get("defaultChild") is None:
            node.set("defaultChild", str(ids[0]))
        below = child(node, "Node", id=str(ids[0]))
        field = model.fields[model.feature[here]]
        child(below, "SimplePredicate", field=field, operator=operator, value=real(model.value[here]))
        _grow(below, model, place, categories, ids, depth + 1)


def _leaf(node: Element, scores: Vector, categories: list[str]) -> None:
    if not categories:
        node.set("score", real(scores[0]))
        return
    node.set("score", categories[max(range(len(scores)), key=scores.__getitem__)])
    for category, share in zip(categories, scores, strict=True):
        child(node, "ScoreDistribution", value=category, recordCount=real(share), probability=real(share))


class Planter:
    """Reads the nodes of TreeModels into one forest; questions about texts become derived fields of 1, 0 and missing."""

    def __init__(
        self, scope: Scope, categories: list[str], derive: Callable[[str, Expression], str], votes: bool
    ) -> None:
        self.grower, self.fields, self._asked = Grower(), dict[str, int](), 0
        self._scope, self._categories, self._derive, self._votes = scope, categories, derive, votes

    def plant(self, model: Element, scope: Scope, weight: float) -> None:
        """Add a tree; its scores are multiplied by a weight. Raises Refused for a strategy that has no form."""
        self._scope, self._weight = scope, weight
        self._missing = model.get("missingValueStrategy", "none")
        self._otherwise = model.get("noTrueChildStrategy", "returnNullPrediction")
        if self._missing not in ("none", "defaultChild", "nullPrediction", "lastPrediction"):
            raise Refused(
                f"PMML trees with missingValueStrategy={self._missing} are not supported.", "Use defaultChild."
            )
        (top,) = named(model, "Node")
        self.grower.roots.append(self._node(top))

    def _node(self, node: Element) -> int:
        """Add a node behind its children: they are asked in turn, and the first that holds is taken."""
        children = named(node, "Node")
        if not children:
            return self.grower.leaf(self._scores(node))
        places = {one.get("id"): self._node(one) for one in children} if all(c.get("id") for c in children) else {}
        built = list(places.values()) if len(places) == len(children) else [self._node(one) for one in children]
        last = self._stay(node)
        default = places.get(node.get("defaultChild")) if self._missing == "defaultChild" else None
        here = last
        for one, place in zip(reversed(children), reversed(built), strict=True):
            unknown = self._unknown(default, here, last)
            self._asked = 0
            here = self._ask(_predicate(one), place, here, unknown)
        return here

    def _stay(self, node: Element) -> int:
        """Return the leaf of a node whose children all decline."""
        if self._otherwise == "returnLastPrediction" and (
            node.get("score") is not None or named(node, "ScoreDistribution")
        ):
            return self.grower.leaf(self._scores(node))
        return self._nothing()

    def _unknown(self, default: int | None, following: int, last: int) -> int:
        if self._missing == "defaultChild" and default is not None:
            return default
        if self._missing == "none":
            return following
        return last if self._missing == "lastPrediction" else self._nothing()

    def _nothing(self) -> int:
        return self.grower.leaf((float("nan"),) * max(1, len(self._categories)))

    def _scores(self, node: Element) -> Vector:
        if not self._categories:
            return (number(node.get("score"), "The score of a node") * self._weight,)
        shares = {one.get("value"): one for one in named(node, "ScoreDistribution")}
        if not shares or self._votes:
            return tuple(self._weight * (category == node.get("score")) for category in self._categories)
        told = all(one.get("probability") is not None for one in shares.values())
        counts = {k: number(o.get("probability" if told else "recordCount"), "A share") for k, o in shares.items()}
        whole = 1.0 if told else sum(counts.values()) or 1.0
        return tuple(self._weight * counts.get(category, 0.0) / whole for category in self._categories)

    def _ask(self, predicate: Element, yes: int, no: int, unknown: int) -> int:
        """Add the nodes of a predicate that lead to three places, and return the first."""
        kind, self._asked = local(predicate), self._asked + 1
        if self._asked > MAX_QUESTIONS:
            raise Refused("A predicate of the PMML file has more conditions than any model.", "Export it again.")
        if kind in ("True", "False"):
            return yes if kind == "True" else no
        if kind == "CompoundPredicate":
            return self._compound(predicate, yes, no, unknown)
        name = self._scope.find(predicate.get("field"))
        operator = str(predicate.get("operator" if kind == "SimplePredicate" else "booleanOperator"))
        if operator in ("isMissing", "isNotMissing"):
            there, gone = (no, yes) if operator == "isMissing" else (yes, no)
            return self.grower.split(self._place(self._number(name)), AT_MOST, float("inf"), there, there, gone)
        if kind == "SimpleSetPredicate" or name in self._scope.texts:
            return self._one_of(predicate, name, operator, yes, no, unknown)
        if operator not in TESTS:
            raise Refused(f"The PMML operator {operator[:40]} is not supported.", "Use a comparison.")
        test, turned = TESTS[operator]
        value = number(predicate.get("value"), f"A threshold of {name!r}")
        value = _float32(value) if name in self._scope.floats else value
        return self.grower.split(self._place(name), test, value, *((no, yes) if turned else (yes, no)), unknown)

    def _number(self, name: str) -> str:
        if name not in self._scope.texts:
            return name
        gap = Apply("isMissing", (Ref(name),))
        return self._derive(f"known({name})", Apply("if", (gap, Const(float("nan")), Const(1.0))))

    def _one_of(self, predicate: Element, name: str, operator: str, yes: int, no: int, unknown: int) -> int:
        values = _array(predicate) if local(predicate) == "SimpleSetPredicate" else [str(predicate.get("value"))]
        if operator not in ("isIn", "isNotIn", "equal", "notEqual"):
            raise Refused(f"The PMML operator {operator[:40]} on texts is not supported.", "Use isIn.")
        is_text = name in self._scope.texts
        options = tuple(Const(v if is_text else number(v, "A value")) for v in values)
        inside: Expression = Apply("isIn", (Ref(name), *options)) if options else Const(0.0)
        field = self._derive(f"one({name})", Apply("if", (inside, Const(1.0), Const(0.0))))
        sides = (no, yes) if operator in ("isIn", "equal") else (yes, no)
        return self.grower.split(self._place(field), AT_MOST, 0.5, *sides, unknown)

    def _compound(self, predicate: Element, yes: int, no: int, unknown: int) -> int:
        """Lead through the parts from the last to the first, for a clean and for a doubtful state (three-valued logic)."""
        parts, operator = [one for one in predicate if local(one) != "Extension"], predicate.get("booleanOperator")
        if operator not in ("and", "or", "surrogate") or not parts:
            raise Refused(
                f"The PMML operator {str(operator)[:40]} between predicates is not supported.", "Use and, or."
            )
        clean, doubtful = {"and": (yes, unknown), "or": (no, unknown), "surrogate": (unknown, unknown)}[operator]
        for part in reversed(parts):
            if operator == "surrogate":
                clean = self._ask(part, yes, no, clean)
                continue
            on_yes, on_no = (clean, no) if operator == "and" else (yes, clean)
            doubt_yes, doubt_no = (doubtful, no) if operator == "and" else (yes, doubtful)
            clean, doubtful = self._ask(part, on_yes, on_no, doubtful), self._ask(part, doubt_yes, doubt_no, doubtful)
        return clean

    def _place(self, name: str) -> int:
        return self.fields.setdefault(name, len(self.fields))


def _predicate(node: Element) -> Element:
    found = named(node, "True", "False", "SimplePredicate", "SimpleSetPredicate", "CompoundPredicate")
    if len(found) != 1:
        raise Refused("A node of the PMML file has no predicate.", "Export the file again.")
    return found[0]


def _array(predicate: Element) -> list[str]:
    """Return the items of an Array: parted by spaces, in quotes where an item holds one."""
    (array,) = named(predicate, "Array")
    return split_array(array.text or "")


def split_array(text: str) -> list[str]:
    """Return the items of PMML's text of an array."""
    found, item, quoted, seen = [], "", False, False
    letters = iter(text)
    for letter in letters:
        if letter == "\\" and quoted:
            item += next(letters, "")
        elif letter == '"':
            quoted, seen = not quoted, True
        elif letter.isspace() and not quoted:
            found += [item] if item or seen else []
            item, seen = "", False
        else:
            item += letter
    return [*found, item] if item or seen else found


def _float32(value: float) -> float:
    import numpy as np

    return float(np.float32(value))
