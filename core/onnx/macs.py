"""Counts the multiplications with additions (MACs) of ONNX operators by the shapes that they take and give.

By hand, because the libraries that count disagree with each other, with a dynamic batch or where a graph branches, some by
a factor of a hundred: on BERT-base with 128 tokens (11.174 GMACs) four of eleven give less than a tenth. Only products of
tensors count; whatever works on each number alone has none.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from core.domain.macs import Tally
from core.onnx.typing import GraphProto, ModelProto, NodeProto

Shape = tuple[int, ...]
Shapes = Sequence[Shape | None]
Attributes = Mapping[str, Any]
Rule = Callable[[Attributes, Shapes, Shapes], int]


class Unknown(Exception):
    """A shape that a rule needs is not known."""


def of_node(operator: str, attributes: Attributes, takes: Shapes, gives: Shapes) -> int:
    """Return the MACs of one run of a node. Raises Unknown where a shape is missing."""
    rule = RULES.get(operator)
    return rule(attributes, takes, gives) if rule else 0


def attributes(node: NodeProto) -> dict[str, Any]:
    """Return the attributes of a node that are numbers, texts or lists of them."""
    from onnx import helper

    return {a.name: helper.get_attribute_value(a) for a in node.attribute if not (a.g.node or a.graphs)}


def static(model: ModelProto, shapes: Mapping[str, Shape]) -> Tally:
    """Count by shapes alone, with inputs of the given shapes. Raises Unknown where a shape does not come out."""
    known = _inferred(model, shapes)
    counts: Counter[str] = Counter()
    assumed: list[str] = []
    _add(known.graph, {}, counts, assumed)
    return Tally(sum(counts.values()), dict(counts), tuple(dict.fromkeys(assumed)))


def inlined(model: ModelProto) -> ModelProto:
    """Return the model without functions of its own."""
    import onnx.inliner

    return onnx.inliner.inline_local_functions(model) if model.functions else model


def _inferred(model: ModelProto, shapes: Mapping[str, Shape]) -> ModelProto:
    """Return a copy with the dimensions of its inputs fixed and all shapes that follow. Raises Unknown."""
    import onnx

    fixed = onnx.ModelProto()
    fixed.CopyFrom(inlined(model))
    for value in fixed.graph.input:
        if value.name in shapes:
            dims = value.type.tensor_type.shape
            dims.ClearField("dim")
            for size in shapes[value.name]:
                dims.dim.add(dim_value=size)
    try:
        return _symbolic(fixed)
    except Exception:  # it fails in many ways, on branches above all
        return onnx.shape_inference.infer_shapes(fixed, data_prop=True)


def _symbolic(model: ModelProto) -> ModelProto:
    """Have ONNX Runtime's own tool infer shapes, loaded by its file: the package around it imports torch, which takes seconds."""
    import importlib.util
    from pathlib import Path

    import onnxruntime

    path = Path(onnxruntime.__file__).parent / "tools" / "symbolic_shape_infer.py"
    spec = importlib.util.spec_from_file_location("symbolic_shape_infer", path)
    if spec is None or spec.loader is None:
        raise Unknown
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model.graph.ClearField("value_info")
    inference = module.SymbolicShapeInference(int_max=2**31 - 1, auto_merge=True, guess_output_rank=False, verbose=0)
    # What its infer_shapes does, which throws away what it has found where one shape is missing, and writes a file first.
    inference._preprocess(model)
    while inference.run_:
        inference._infer_impl()
    inference._update_output_from_vi()
    found: ModelProto = inference.out_mp_
    return found


def _add(graph: GraphProto, around: dict[str, Shape], counts: Counter[str], assumed: list[str]) -> None:
    known = around | _shapes(graph)
    for node in graph.node:
        if inner := [attribute.g for attribute in node.attribute if attribute.HasField("g")]:
            counts.update(_inside(node, inner, known, assumed))
            continue
        takes, gives = ([known.get(name) for name in names] for names in (node.input, node.output))
        try:
            if found := of_node(node.op_type, attributes(node), takes, gives):
                counts[node.op_type] += found
        except (Unknown, IndexError, KeyError, ValueError) as error:
            raise Unknown(node.op_type) from error


def _inside(node: NodeProto, inner: list[GraphProto], known: dict[str, Shape], assumed: list[str]) -> Counter[str]:
    """Count the bodies of a node: of branches the larger one, of a loop one turn."""
    bodies: list[Counter[str]] = []
    for graph in inner:
        bodies.append(Counter())
        _add(graph, known, bodies[-1], assumed)
    most = max(bodies, key=lambda one: one.total())
    if most and node.op_type == "If" and len({one.total() for one in bodies}) > 1:
        assumed.append("By shapes alone, the larger branch of an If counts.")
    elif most and node.op_type != "If":
        assumed.append(f"By shapes alone, one turn of a {node.op_type} counts.")
    return most


def _shapes(graph: GraphProto) -> dict[str, Shape]:
    """Return the shapes of a graph's own values that are known in full."""
    found = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        dims = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(dim.HasField("dim_value") for dim in dims):
            found.setdefault(value.name, tuple(dim.dim_value for dim in dims))
    for node in graph.node:
        for attribute in node.attribute if node.op_type == "Constant" else ():
            if attribute.name == "value":
                found[node.output[0]] = tuple(attribute.t.dims)
    return found


def _of(shapes: Shapes, place: int) -> Shape:
    shape = shapes[place] if place < len(shapes) else None
    if shape is None:
        raise Unknown
    return shape


def _convolution(weight: int) -> Rule:
    """Each number that comes out is a sum over the kernel and the channels of its group: weight [M, C / group, kernel...]."""
    return lambda _, takes, gives: math.prod(_of(gives, 0)) * math.prod(_of(takes, weight)[1:])


def _transposed(_: Attributes, takes: Shapes, gives: Shapes) -> int:
    """Each number that goes in is spread over the kernel: weight [C, M / group, kernel...]."""
    return math.prod(_of(takes, 0)) * math.prod(_of(takes, 1)[1:])


def _product(attributes: Attributes, takes: Shapes, gives: Shapes) -> int:
    a = _of(takes, 0)
    inner = a[-2] if attributes.get("transA") and len(a) > 1 else a[-1]
    return math.prod(_of(gives, 0)) * inner


def _recurrent(_: Attributes, takes: Shapes, gives: Shapes) -> int:
    """X [steps, batch, in] meets W and R, which hold every direction, at each step."""
    steps = math.prod(_of(takes, 0)[:2])
    return steps * (math.prod(_of(takes, 1)) + math.prod(_of(takes, 2)))


def _bits(attributes: Attributes, takes: Shapes, gives: Shapes) -> int:
    return math.prod(_of(gives, 0)) * int(attributes["K"])


def _einsum(attributes: Attributes, takes: Shapes, gives: Shapes) -> int:
    """Two operands: as many products as all indices together have values; a lone operand has none."""
    if len(takes) == 1:
        return 0
    terms = re.sub(r"\s", "", attributes["equation"].decode()).split("->")[0].split(",")
    if len(takes) != 2 or "..." in attributes["equation"].decode():
        raise Unknown
    sizes = {letter: size for n, term in enumerate(terms) for letter, size in zip(term, _of(takes, n), strict=True)}
    return math.prod(sizes.values())


def _attention(attributes: Attributes, takes: Shapes, gives: Shapes) -> int:
    """Of the standard operator: Q [batch, heads, queries, size] or [batch, queries, heads * size], and so K and V, with what was kept of them before."""
    q, k, v = (_of(takes, place) for place in range(3))
    past = _of(takes, 4)[2] if len(takes) > 4 and takes[4] else 0
    if len(q) == 4:
        heads, queries, size, wide = q[1], q[2], q[3], v[3]
        keys = k[2] + past
    else:
        heads, queries, keys = int(attributes["q_num_heads"]), q[1], k[1] + past
        size, wide = q[2] // heads, v[2] // int(attributes["kv_num_heads"])
    return q[0] * heads * queries * keys * (size + wide)


def _packed_attention(_: Attributes, takes: Shapes, gives: Shapes) -> int:
    """Of com.microsoft: X [batch, steps, in], weight [in, 3 * hidden]: the projections, then scores and their sums."""
    (batch, steps, _wide), weight = _of(takes, 0), _of(takes, 1)
    return batch * steps * (math.prod(weight) + 2 * steps * weight[1] // 3)


def _many_heads(_: Attributes, takes: Shapes, gives: Shapes) -> int:
    """Of com.microsoft: Q [batch, queries, hidden], K and V [batch, keys, hidden]; other layouts are not known."""
    q, k, v = (_of(takes, place) for place in range(3))
    if not len(q) == len(k) == len(v) == 3:
        raise Unknown
    return q[0] * q[1] * k[1] * (q[2] + v[2])


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Conv", "FusedConv", "ConvInteger", "NhwcFusedConv"), _convolution(1)),
    "QLinearConv": _convolution(3),
    "DeformConv": _convolution(1),
    "ConvTranspose": _transposed,
    **dict.fromkeys(
        (
            "MatMul", "FusedMatMul", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QLinearMatMul",
            "Gemm", "FusedGemm", "QGemm",
        ),
        _product,
    ),
    **dict.fromkeys(("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"), _recurrent),
    "MatMulNBits": _bits,
    "Einsum": _einsum,
    "Attention": lambda own, takes, gives: (
        _attention if len(takes) > 2 and takes[2] and len(takes[2]) > 2 else _packed_attention
    )(own, takes, gives),
    "QAttention": _packed_attention,
    "MultiHeadAttention": _many_heads,
}  # fmt: skip
"""By operator, those of ONNX and of ONNX Runtime; nobody else's carry these names here, for the audit lets none in."""


def nodes(graph: GraphProto, around: str = "") -> Iterator[tuple[NodeProto, str]]:
    """Yield every node with the body that it is in, named by its node and its place there; empty in the main graph."""
    for node in graph.node:
        yield node, around
        for attribute in node.attribute:
            if attribute.HasField("g"):
                name = f"{node.op_type} {node.name}".strip()
                yield from nodes(attribute.g, f"{name}: {attribute.name}")
