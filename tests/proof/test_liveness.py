"""The least memory of the values between nodes, against sums worked out by hand."""

from onnx import parser

from core.proof.liveness import least

HEAD = '<ir_version: 10, opset_import: ["" : 17]>'


def found(body: str, **sizes: int) -> tuple[int, str]:
    """Return bytes and node for nodes that are named after what they give."""
    graph = parser.parse_model(f"{HEAD} g (float[n] x) => (float[n] y) {{ {body} }}").graph
    for node in graph.node:
        node.name = node.output[0]
    one = least(graph, [node.name for node in graph.node], {name: [size] for name, size in sizes.items()})
    return one.bytes, one.node


def test_what_is_still_to_be_read_counts_and_what_was_read_last_does_not() -> None:
    # at b, a and b live (30); at c, b and c (25), for nobody reads a any more
    assert found("a = Sin(x) b = Cos(a) c = Tan(b) y = Sin(c)", a=10, b=20, c=5) == (30, "b")
    # a is read again at the end, so it lives through all
    assert found("a = Sin(x) b = Cos(a) c = Tan(b) y = Sub(c, a)", a=10, b=20, c=5) == (35, "c")


def test_a_view_is_no_new_memory_and_keeps_what_it_shows_alive() -> None:
    assert found("a = Sin(x) b = Identity(a) c = Cos(b) y = Sin(c)", a=10, b=10, c=4) == (14, "c")
    assert found("a = Sin(x) b = Identity(a) c = Cos(a) d = Cos(c) y = Sub(d, b)", a=10, b=10, c=4, d=4) == (18, "d")


def test_an_operator_may_write_over_what_it_reads_last() -> None:
    assert found("a = Sin(x) b = Relu(a) c = Sin(b) y = Cos(c)", a=10, b=10, c=1) == (11, "c")
