"""Collects the steps of a form, with a name of its own for each number; and the nodes of a forest."""

from core.scoring.form import AT_MOST, Const, Expression, Field, Input, Model, Ref, Step, TreeModel, Vector

MAX_NAME = 60


class Builder:
    """Steps so far; equal fields are made once."""

    def __init__(self, inputs: tuple[Input, ...]) -> None:
        self.inputs = inputs
        self.steps: list[Step] = []
        self.texts = {one.name for one in inputs if one.dtype == "string"}
        self._taken = {one.name for one in inputs}
        self._fields: dict[tuple[str, Expression], str] = {}

    def name(self, wanted: str) -> str:
        """Return a name that nothing has yet: the wanted one, or a short one with a number."""
        found, number = wanted, len(self._taken)
        while found in self._taken or len(found) > MAX_NAME:
            found, number = f"{wanted.partition('(')[0][:20]}_{number}", number + 1
        self._taken.add(found)
        return found

    def field(self, verb: str, of: str, expression: Expression, dtype: str = "double") -> str:
        """Add a derived field called ``verb(of)``, and return its name."""
        if isinstance(expression, Ref) and dtype == "double":
            return expression.name
        known = self._fields.get((dtype, expression))
        if known is None:
            known = self.name(f"{verb}({of})")
            self._fields[dtype, expression] = known
            self.steps.append(Field(known, dtype, expression))
        if dtype == "string":
            self.texts.add(known)
        return known

    def float32(self, column: str) -> str:
        """Return the column rounded to float32."""
        return self.field("float32", column, Ref(column), "float")

    def add(self, model: Model) -> tuple[str, ...]:
        """Add a model, and return the names of its numbers."""
        self.steps.append(model)
        return model.names

    def names(self, what: str, count: int) -> tuple[str, ...]:
        """Return new names for the numbers of a model."""
        return tuple(self.name(f"{what}({place})") for place in range(count))


class Grower:
    """Nodes of trees so far, in the layout of TreeModel."""

    def __init__(self) -> None:
        self.roots: list[int] = []
        self.feature: list[int] = []
        self.test: list[int] = []
        self.value: list[float] = []
        self.links: list[tuple[int, int, int]] = []
        self.scores: list[Vector] = []

    def leaf(self, scores: Vector) -> int:
        """Add a leaf and return its place."""
        self.scores.append(scores)
        return self._node(-1, AT_MOST, 0.0, (len(self.scores) - 1, 0, 0))

    def split(self, feature: int, test: int, value: float, yes: int, no: int, missing: int) -> int:
        """Add a question and return its place; the links may lead to nodes that come later."""
        return self._node(feature, test, float(value), (yes, no, missing))

    def _node(self, feature: int, test: int, value: float, links: tuple[int, int, int]) -> int:
        self.feature.append(feature)
        self.test.append(test)
        self.value.append(value)
        self.links.append(links)
        return len(self.feature) - 1

    def forest(self, names: tuple[str, ...], fields: tuple[str, ...], divisor: float = 1.0) -> TreeModel:
        """Return the forest of all trees so far."""
        yes, no, missing = zip(*self.links, strict=True)
        return TreeModel(
            names, fields, tuple(self.roots), tuple(self.feature), tuple(self.test), tuple(self.value),
            yes, no, missing, tuple(self.scores), divisor,
        )  # fmt: skip


def number(value: float) -> Const:
    """Return a constant of a number of any library."""
    return Const(float(value))
