"""Names what differs between two graphs: operators, attributes, connections, weights, precision and ends.

The word that nothing differs is not taken from the pairs: ``network`` digests every answer, and a pair of graphs that it
does not find alike is never called the same, whatever was named.
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from core.domain.difference import Change, ChangeKind, Difference, listed
from core.domain.report import Count
from core.onnx.typing import AttributeProto, GraphProto, ModelProto, ValueInfoProto
from core.proof.network import Network
from core.proof.structure.drawing import Drawing, Given, Made, Node, Source, Stored, body, drawn
from core.proof.structure.matching import matched

MOST = 200
"""Changes that are listed; all are counted."""
LONG = 60
"""Letters of a value in a sentence."""


def difference(before: ModelProto, after: ModelProto) -> Difference:
    """Set two models beside each other, whose weights are loaded."""
    one, other = drawn(before), drawn(after)
    pairs = matched(one, other)
    versions = [{o.domain: o.version for o in model.opset_import} for model in (before, after)]
    changes = [*_Beside(one, other, pairs, versions).changes()]
    renamed = sum(_name(one.nodes[a]) != _name(other.nodes[b]) for a, b in pairs.items())
    return Difference(
        before=len(one.nodes),
        after=len(other.nodes),
        matched=len(pairs),
        same=Network.of(before).answers == Network.of(after).answers,
        counts=dict(Counter(str(change.kind) for change in changes)),
        changes=listed(changes, MOST),
        renamed=renamed,
    )


class _Beside:
    """Two graphs with the pairs of their operators, ``within`` an operator of this name where they are inner ones."""

    def __init__(
        self,
        before: Drawing,
        after: Drawing,
        pairs: dict[int, int],
        versions: list[dict[str, int]],
        within: str = "",
    ) -> None:
        self.before, self.after, self.pairs, self.versions, self.within = before, after, pairs, versions, within

    def changes(self) -> Iterator[Change]:
        """Yield every difference."""
        yield from self.ends()
        there = set(self.pairs.values())
        for kind, drawing, known in (
            (ChangeKind.REMOVED, self.before, set(self.pairs)),
            (ChangeKind.ADDED, self.after, there),
        ):
            for place, node in enumerate(drawing.nodes):
                if place not in known:
                    yield Change(kind, node.operator, self.named(node))
        for one, other in sorted(self.pairs.items()):
            yield from self.pair(self.before.nodes[one], self.after.nodes[other])

    def named(self, node: Node) -> str:
        """Return what a node is called, with the operators around it."""
        return "/".join(filter(None, (self.within, _name(node))))

    def pair(self, a: Node, b: Node) -> Iterator[Change]:
        """Yield what differs between two operators that stand for each other."""
        name = self.named(b)
        if a.definition != b.definition:
            was_set, now_set = (str(side.get("", side.get("ai.onnx", "?"))) for side in self.versions)
            yield Change(ChangeKind.DEFINITION, b.operator, name, "its operator set", was_set, now_set)
        for key in sorted(a.attributes.keys() | b.attributes.keys()):
            (old, was), (new, now) = (side.attributes.get(key, (b"", None)) for side in (a, b))
            if old != new:
                yield from self.attribute(b.operator, name, key, was, now)
        slots = max(len(a.sources), len(b.sources))
        padded = [(*one.sources, *([None] * (slots - len(one.sources)))) for one in (a, b)]
        for slot, (was_read, is_read) in enumerate(zip(*padded, strict=True)):
            yield from self.source(b.operator, name, f"input {slot + 1}", was_read, is_read)

    def attribute(
        self, operator: str, name: str, key: str, was: AttributeProto | None, now: AttributeProto | None
    ) -> Iterator[Change]:
        """Yield the change of an attribute, or what changed in a graph that it holds."""
        if was is not None and now is not None and was.HasField("g") and now.HasField("g"):
            yield from self.inner(f"{name or operator}/{key}", was.g, now.g)
            return
        yield Change(ChangeKind.ATTRIBUTE, operator, name, key, _value(was), _value(now))

    def inner(self, within: str, was: GraphProto, now: GraphProto) -> Iterator[Change]:
        """Yield what changed in a graph inside an operator."""
        one, other = (body(graph, versions) for graph, versions in zip((was, now), self.versions, strict=True))
        yield from _Beside(one, other, matched(one, other), self.versions, within).changes()

    def source(self, operator: str, name: str, what: str, was: Source, now: Source) -> Iterator[Change]:
        """Yield what changed in one thing that an operator reads."""
        if isinstance(was, Stored) and isinstance(now, Stored):
            if was.digest != now.digest:
                yield _weight(operator, name, was, now)
        elif not self.alike(was, now) and not self.explained(was, now):
            yield Change(ChangeKind.CONNECTION, operator, name, what, self.called(0, was), self.called(1, now))

    def alike(self, was: Source, now: Source) -> bool:
        """Say whether two values stand for each other."""
        if isinstance(was, Made) and isinstance(now, Made):
            return self.pairs.get(was.place) == now.place and was.output == now.output
        if isinstance(was, Given) and isinstance(now, Given) and not was.around and not now.around:
            return _partner(self.before.inputs, self.after.inputs).get(was.place) == now.place
        return was == now

    def explained(self, was: Source, now: Source) -> bool:
        """Say whether an operator that was added or removed accounts for another connection."""
        gone = isinstance(was, Made) and was.place not in self.pairs
        come = isinstance(now, Made) and now.place not in set(self.pairs.values())
        return gone or come

    def called(self, side: int, source: Source) -> str:
        """Return a value in words."""
        drawing = (self.before, self.after)[side]
        match source:
            case Made(place, output):
                node = drawing.nodes[place]
                return f"output {output + 1} of {node.operator} {_name(node)}".strip()
            case Stored():
                return f"the constant {source.name[:LONG]}"
            case Given(place, around):
                return "a value from outside" if around else f"the input {drawing.inputs[place].name[:LONG]}"
        return "nothing"

    def ends(self) -> Iterator[Change]:
        """Yield what changed in inputs and outputs."""
        inner = bool(self.within)
        sides = (
            ("input", self.before.inputs, self.after.inputs),
            ("output", self.before.outputs, self.after.outputs),
        )
        for word, before, after in sides:
            pairs = _partner(before, after)
            for place, one in enumerate(before):
                if place not in pairs:
                    yield self.end(word, one.name, _typed(one), "nothing")
                elif not inner:
                    yield from self.renamed_or_typed(word, one, after[pairs[place]])
            for place, one in enumerate(after):
                if place not in set(pairs.values()):
                    yield self.end(word, one.name, "nothing", _typed(one))
        yield from self.order(inner)
        for place, partner in _partner(self.before.outputs, self.after.outputs).items():
            yield from self.source(
                "output", "" if inner else self.after.outputs[partner].name, "value",
                self.before.ends[place], self.after.ends[partner],
            )  # fmt: skip
        if self.before.replaceable != self.after.replaceable:
            told = (", ".join(side.replaceable)[:LONG] or "none" for side in (self.before, self.after))
            yield self.end("inputs", "that replace weights", *told)

    def order(self, inner: bool) -> Iterator[Change]:
        """Yield a change of the order of inputs or outputs."""
        for word, before, after in (
            ("inputs", self.before.inputs, self.after.inputs),
            ("outputs", self.before.outputs, self.after.outputs),
        ):
            places = list(_partner(before, after).values())
            if not inner and places != sorted(places):
                yield self.end(word, "in order", _names(before), _names(after))

    def renamed_or_typed(self, word: str, one: ValueInfoProto, other: ValueInfoProto) -> Iterator[Change]:
        """Yield another name, type or shape of one input or output."""
        if one.name != other.name:
            yield Change(ChangeKind.RENAMED, word, "", "name", one.name[:LONG], other.name[:LONG])
        if _typed(one) != _typed(other):
            yield self.end(word, other.name, _typed(one), _typed(other))

    def end(self, word: str, name: str, was: str, now: str) -> Change:
        """Return a change of an input or output."""
        return Change(ChangeKind.INTERFACE, word, self.within, name[:LONG], was, now)


def _weight(operator: str, name: str, was: Stored, now: Stored) -> Change:
    """Return how a constant changed: in how it is stored, in shape, or in its numbers."""
    a, b = was.array, now.array
    if a is None or b is None:
        kind = ChangeKind.WEIGHT if was.kind == now.kind else ChangeKind.PRECISION
        return Change(kind, operator, name, (now.name or was.name)[:LONG], was.kind, now.kind)
    differ: Count | None = None
    moved = largest = None
    if a.shape == b.shape and a.dtype.kind in "fiub" and b.dtype.kind in "fiub":
        differ, moved, largest = _moved(a.astype(np.float64), b.astype(np.float64))
    if a.shape != b.shape:
        kind, told = ChangeKind.SHAPE, (str(list(a.shape)), str(list(b.shape)))
    elif was.kind != now.kind:
        kind, told = ChangeKind.PRECISION, (was.kind, now.kind)
    else:
        kind, told = ChangeKind.WEIGHT, (_number(a), _number(b))
    return Change(kind, operator, name, (now.name or was.name)[:LONG], *told, differ, moved, largest)


def _moved(a: np.ndarray, b: np.ndarray) -> tuple[Count, float | None, float | None]:
    """Return how many numbers changed, and by how much where all are finite."""
    differ = Count(int((~((a == b) | (np.isnan(a) & np.isnan(b)))).sum()), int(a.size))
    if not (np.isfinite(a).all() and np.isfinite(b).all()) or not a.size:
        return differ, None, None
    gap = np.abs(a - b)
    size = float(np.sqrt(np.mean(a * a)))
    return differ, float(np.sqrt(np.mean(gap * gap))) / size if size else None, float(gap.max())


def _number(array: np.ndarray) -> str:
    return _cut(str(array.reshape(-1)[0])) if array.size == 1 else f"{array.size:,} numbers"


def _partner(before: tuple[ValueInfoProto, ...], after: tuple[ValueInfoProto, ...]) -> dict[int, int]:
    """Pair inputs or outputs by name, then those that are left in their order."""
    names = {one.name: place for place, one in enumerate(after)}
    found = {place: names[one.name] for place, one in enumerate(before) if one.name in names}
    taken = set(found.values())
    left = (place for place in range(len(after)) if place not in taken)
    found |= dict(zip((place for place in range(len(before)) if place not in found), left, strict=False))
    return dict(sorted(found.items()))


def _typed(value: ValueInfoProto) -> str:
    from onnx import TensorProto

    kind = value.type.tensor_type
    if value.type.WhichOneof("value") != "tensor_type":
        return str(value.type.WhichOneof("value"))
    sizes = [dim.dim_param or (dim.dim_value if dim.HasField("dim_value") else "?") for dim in kind.shape.dim]
    return f"{TensorProto.DataType.Name(kind.elem_type).lower()}{sizes if kind.HasField('shape') else ''}"


def _names(values: tuple[ValueInfoProto, ...]) -> str:
    return _cut(", ".join(one.name for one in values))


def _value(attribute: AttributeProto | None) -> str:
    from onnx import helper

    if attribute is None or not attribute.type:
        return "nothing"
    value = helper.get_attribute_value(attribute)
    return _cut(value.decode(errors="replace") if isinstance(value, bytes) else str(value).replace("\n", " "))


def _cut(text: str) -> str:
    return text if len(text) <= LONG else f"{text[: LONG - 3]}..."


def _name(node: Node) -> str:
    """Return what a person knows an operator by: its name, else what it makes."""
    return (node.name or next(filter(None, node.outputs), ""))[:LONG]
