"""The graph of a SavedModel walked as bytes: operators, functions, signatures; constants are stepped over where they lie.

Field numbers are those of tensorflow/core/protobuf/saved_model.proto and meta_graph.proto, and of graph.proto, node_def.proto,
function.proto and attr_value.proto in tensorflow/core/framework.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from core.domain.artifact import Signature, TensorSpec
from core.domain.errors import Refused
from core.formats.anatomy import onnx_wire
from core.formats.anatomy.onnx_wire import LENGTH, VARINT, Field
from core.formats.anatomy.tensorflow_names import DTYPES

MAX_NODES = 300_000
SERVING = ("serving_default", "predict", "serve")
AT_LOAD = ("saved_model_main_op", "legacy_init_op", "init_op", "local_init_op")
"""Collections of nodes that a loader runs (tensorflow/python/saved_model/constants.py)."""
AGAIN = "Save the model again with tf.saved_model.save or model.export."
BROKEN = "saved_model.pb is cut off, or not a SavedModel."


@dataclass(frozen=True)
class Node:
    """One operator: its name, its kind, the nodes that it takes from, the functions that it calls, and a variable's dtype and shape."""

    name: str
    op: str
    inputs: tuple[str, ...]
    calls: tuple[str, ...]
    dtype: int = 0
    shape: tuple[int, ...] | None = None


@dataclass
class TensorflowGraph:
    """What a SavedModel holds: the main graph, its functions by name, and its signatures by key."""

    nodes: list[Node] = field(default_factory=list)
    functions: dict[str, list[Node]] = field(default_factory=dict)
    signatures: dict[str, Signature] = field(default_factory=dict)
    ends: dict[str, tuple[str, ...]] = field(default_factory=dict)
    assets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    version: str = ""
    started: tuple[str, ...] = ()
    """The nodes that a loader runs at once."""

    saver: dict[int, str] = field(default_factory=dict)
    """By field of SaverDef (1 to 3), the nodes that hold the file's name, save and restore."""

    @property
    def serving(self) -> str | None:
        """The key of the signature that serves, or None when the file has none."""
        public = [key for key in self.signatures if not key.startswith("__")]
        return next((key for key in SERVING if key in public), public[0] if public else None)


def read(data: bytes) -> TensorflowGraph:
    """Walk the file. Raises Refused when it is broken, too large, or holds more than one graph."""
    try:
        graphs = [item for item in _fields(data, 0, len(data)) if item.number == 2 and item.wire == LENGTH]
        if len(graphs) != 1:
            raise Refused(f"The SavedModel contains {len(graphs)} graphs; exactly one is supported.", AGAIN)
        return _graph(data, graphs[0])
    except (UnicodeDecodeError, ValueError):
        raise Refused(BROKEN, AGAIN) from None


def reached(graph: TensorflowGraph) -> Iterator[Node]:
    """Yield every node that the serving signature needs, those in called functions included."""
    return reached_from(graph, graph.ends.get(graph.serving or "", ()))


def reached_from(graph: TensorflowGraph, ends: Iterable[str]) -> Iterator[Node]:
    """Yield every node that some nodes of the main graph need, those in called functions included."""
    by_name = {node.name: node for node in graph.nodes}
    waiting = list(ends)
    seen: set[str] = set()
    called: set[str] = set()
    while waiting:
        node = by_name.get(waiting.pop())
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        yield node
        yield from _inside(graph, node.calls, called)
        waiting.extend(node.inputs)


def _inside(graph: TensorflowGraph, calls: tuple[str, ...], called: set[str]) -> Iterator[Node]:
    waiting = list(calls)
    while waiting:
        name = waiting.pop()
        if name not in called:
            called.add(name)
            for node in graph.functions.get(name, ()):
                yield node
                waiting.extend(node.calls)


def _graph(data: bytes, meta: Field) -> TensorflowGraph:
    found = TensorflowGraph()
    for item in _messages(data, meta):
        if item.number == 1:
            parts = list(_messages(data, item))
            found.tags = tuple(_text(data, part) for part in parts if part.number == 4)
            found.version = "".join(_text(data, part) for part in parts if part.number == 5)[:40]
        elif item.number == 2:
            _walk_graph(data, item, found)
        elif item.number == 3:
            found.saver = {p.number: _node_of(_text(data, p)) for p in _messages(data, item) if p.number in (1, 2, 3)}
        elif item.number == 4:
            key, value = _entry(data, item)
            if value and key in AT_LOAD:
                found.started += tuple(_listed(data, value))
        elif item.number == 5:
            key, value = _entry(data, item)
            if value:
                found.signatures[key], found.ends[key] = _signature(data, value)
                found.started += found.ends[key] if key.startswith("__") else ()
        elif item.number == 6:
            found.assets += tuple(_text(data, part) for part in _messages(data, item) if part.number == 2)
    return found


def _listed(data: bytes, value: Field) -> Iterator[str]:
    """Yield the nodes that a collection lists by name."""
    for part in _messages(data, value):
        if part.number == 1:
            yield from (_node_of(_text(data, one)) for one in _messages(data, part) if one.number == 1)


def _node_of(tensor: str) -> str:
    """Return the node that gives a tensor, or that must run before another."""
    return tensor.lstrip("^").partition(":")[0]


def _walk_graph(data: bytes, item: Field, found: TensorflowGraph) -> None:
    count = 0
    for part in _messages(data, item):
        if part.number == 1:
            found.nodes.append(_node(data, part))
        elif part.number == 2:
            for function in (one for one in _messages(data, part) if one.number == 1):
                name, nodes = _function(data, function)
                found.functions[name] = nodes
                count += len(nodes)
        if count + len(found.nodes) > MAX_NODES:
            raise Refused(f"The graph has more than {MAX_NODES:,} operators.", AGAIN)


def _function(data: bytes, item: Field) -> tuple[str, list[Node]]:
    name, nodes = "", []
    for part in _messages(data, item):
        if part.number == 1:
            name = next((_text(data, one) for one in _messages(data, part) if one.number == 1), "")
        elif part.number == 3:
            nodes.append(_node(data, part))
    return name, nodes


def _node(data: bytes, item: Field) -> Node:
    texts: dict[int, str] = {}
    inputs: list[str] = []
    calls: list[str] = []
    dtype, shape = 0, None
    for part in _messages(data, item):
        if part.number in (1, 2):
            texts[part.number] = _text(data, part)
        elif part.number == 3:
            inputs.append(_node_of(_text(data, part)))
        elif part.number == 5:
            key, value = _entry(data, part)
            if value and key in ("dtype", "shape"):
                dtype, shape = _placed(data, value, dtype, shape)
            elif value and key != "value":
                calls.extend(_calls(data, value))
    return Node(texts.get(1, ""), texts.get(2, ""), tuple(inputs), tuple(calls), dtype, shape)


def _placed(data: bytes, value: Field, dtype: int, shape: tuple[int, ...] | None) -> tuple[int, tuple[int, ...] | None]:
    """Return a variable's dtype and shape, from the attributes of these names."""
    for part in _fields(data, value.value, value.end):
        if part.number == 6 and part.wire == VARINT:
            dtype = onnx_wire.varint(data, part.value, part.end)[0]
        elif part.number == 7 and part.wire == LENGTH:
            shape = _shape(data, part)
    return dtype, shape


def _calls(data: bytes, value: Field) -> Iterator[str]:
    """Yield the functions that an attribute names, alone or in a list."""
    for part in _messages(data, value):
        if part.number == 10:
            yield from (_text(data, one) for one in _messages(data, part) if one.number == 1)
        elif part.number == 1:
            for one in _messages(data, part):
                if one.number == 9:
                    yield from (_text(data, name) for name in _messages(data, one) if name.number == 1)


def _signature(data: bytes, item: Field) -> tuple[Signature, tuple[str, ...]]:
    sides: dict[int, list[TensorSpec]] = {1: [], 2: []}
    ends: list[str] = []
    for part in _messages(data, item):
        if part.number in sides:
            key, value = _entry(data, part)
            if value:
                spec, tensor = _tensor(data, key, value)
                sides[part.number].append(spec)
                ends += [_node_of(tensor)] if part.number == 2 else []
    return Signature(tuple(sides[1]), tuple(sides[2])), tuple(ends)


def _tensor(data: bytes, name: str, item: Field) -> tuple[TensorSpec, str]:
    dtype, shape, tensor = 0, None, ""
    for part in _fields(data, item.value, item.end):
        if part.number == 1 and part.wire == LENGTH:
            tensor = _text(data, part)
        elif part.number == 2 and part.wire == VARINT:
            dtype = onnx_wire.varint(data, part.value, part.end)[0]
        elif part.number == 3 and part.wire == LENGTH:
            shape = _shape(data, part)
        elif part.number in (4, 5):
            raise Refused(
                f"The input or output {name[:60]!r} is not a plain tensor.",
                "Give the model plain tensors, and save it again.",
            )
    if shape is None:
        return TensorSpec(name[:200], DTYPES.get(dtype, "float32"), None), tensor
    dims = tuple(dim if dim >= 0 else ("batch" if place == 0 else None) for place, dim in enumerate(shape))
    return TensorSpec(name[:200], DTYPES.get(dtype, "float32"), dims), tensor


def _shape(data: bytes, item: Field) -> tuple[int, ...] | None:
    """Return the sizes of a shape, -1 where one is open; None when even their number is."""
    sizes: list[int] = []
    for part in _fields(data, item.value, item.end):
        if part.number == 3 and part.wire == VARINT and onnx_wire.varint(data, part.value, part.end)[0]:
            return None
        if part.number == 2 and part.wire == LENGTH:
            raw = [
                onnx_wire.varint(data, one.value, one.end)[0]
                for one in _fields(data, part.value, part.end)
                if one.number == 1 and one.wire == VARINT
            ]
            size = raw[0] if raw else 0
            sizes.append(size if size < 1 << 63 else -1)
    return tuple(sizes)


def _entry(data: bytes, item: Field) -> tuple[str, Field | None]:
    """Return the key and the value of an entry of a map."""
    key, value = "", None
    for part in _messages(data, item):
        if part.number == 1:
            key = _text(data, part)
        elif part.number == 2:
            value = part
    return key, value


def _messages(data: bytes, item: Field) -> Iterator[Field]:
    return (part for part in _fields(data, item.value, item.end) if part.wire == LENGTH)


def _fields(data: bytes, start: int, end: int) -> Iterator[Field]:
    try:
        yield from onnx_wire.fields(data, start, end)
    except Refused:
        raise Refused(BROKEN, "Download or export the model again.") from None


def _text(data: bytes, item: Field) -> str:
    return data[item.value : item.end].decode()
