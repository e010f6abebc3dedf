"""A fitted model drawn as an ONNX-shaped graph of its estimators: for a viewer, not for running."""

from typing import TYPE_CHECKING

from core.formats.anatomy.drawing import value_info
from core.formats.anatomy.estimator import StoredArray, StoredObject, signature

if TYPE_CHECKING:
    import onnx

MAX_NODES = 500
DOMAIN = "sklearn"


def drawing(model: object) -> bytes:
    """Return the model as a chain of steps, with the branches of column transformers and unions side by side."""
    from onnx import helper

    sides = signature(model)
    inputs, outputs = ([value_info(spec) for spec in side] for side in (sides.inputs, sides.outputs))
    nodes: list[onnx.NodeProto] = []
    if isinstance(model, StoredObject):
        _draw(model, [s.name for s in sides.inputs], [s.name for s in sides.outputs], nodes)
    graph = helper.make_graph(nodes, "fitted model", inputs, outputs)
    opsets = [helper.make_opsetid(DOMAIN, 1)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())


def _draw(model: StoredObject, given: list[str], wanted: list[str], nodes: "list[onnx.NodeProto]") -> None:
    """Draw one estimator, or the parts that it is made of."""
    steps, parts = model.get("steps"), model.get("transformers_") or model.get("transformer_list")
    inner = model.get("best_estimator_")
    if isinstance(inner, StoredObject):
        _draw(inner, given, wanted, nodes)
    elif isinstance(steps, list):
        _draw_steps(steps, given, wanted, nodes)
    elif isinstance(parts, list):
        _draw_parts(parts, given, wanted, nodes)
    elif len(nodes) < MAX_NODES:
        nodes.append(_node(model.name, given, wanted, model))


def _draw_steps(steps: list[object], given: list[str], wanted: list[str], nodes: "list[onnx.NodeProto]") -> None:
    things = [
        step[1] for step in steps if isinstance(step, list) and len(step) == 2 and isinstance(step[1], StoredObject)
    ]
    for place, thing in enumerate(things):
        after = wanted if place == len(things) - 1 else [f"step_{len(nodes)}_{place}"]
        _draw(thing, given, after, nodes)
        given = after


def _draw_parts(parts: list[object], given: list[str], wanted: list[str], nodes: "list[onnx.NodeProto]") -> None:
    joined: list[str] = []
    for part in parts:
        if not isinstance(part, list) or len(part) < 2 or not isinstance(part[1], StoredObject):
            continue
        chosen = part[2] if len(part) > 2 else None
        names = chosen.items if isinstance(chosen, StoredArray) else chosen
        columns = [name for name in names if name in given] if isinstance(names, list) else []
        joined.append(f"columns_{len(nodes)}_{len(joined)}")
        _draw(part[1], columns or given, joined[-1:], nodes)
    nodes.append(_node("Concat", joined, wanted, None))


def _node(kind: str, given: list[str], wanted: list[str], thing: StoredObject | None) -> "onnx.NodeProto":
    from onnx import helper

    attributes = {key: value for key, value in (thing.attributes if thing else {}).items() if _is_shown(key, value)}
    return helper.make_node(
        kind, given, wanted, domain=DOMAIN, **{k: int(v) if isinstance(v, bool) else v for k, v in attributes.items()}
    )


def _is_shown(key: str, value: object) -> bool:
    """Say whether an attribute is a setting of the user: a plain value that was not learned."""
    plain = isinstance(value, str | bool | float) or (type(value) is int and abs(value) < 2**63)
    return (
        plain
        and not key.startswith("_")
        and not key.endswith("_")
        and key not in ("name", "domain", "doc_string", "overload", "inputs", "outputs")
    )
