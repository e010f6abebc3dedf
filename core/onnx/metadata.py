"""What an ONNX file says beside its graph: its owner's entries, documentation and origin, carried from one file to the next."""

from core.onnx.typing import ModelProto

DOCUMENTATION = "doc_string"
MOST = 1 << 20
"""Characters that are carried into formats other than ONNX."""
EXPORTER = "pkg."
"""How the entries begin that torch's exporter writes about its own work."""


def entries(model: ModelProto) -> dict[str, str]:
    """Return the entries of a model, with its documentation; nothing where they are longer than any other format should hold."""
    found = {entry.key: entry.value for entry in model.metadata_props}
    if model.doc_string:
        found.setdefault(DOCUMENTATION, model.doc_string)
    return found if sum(len(key) + len(value) for key, value in found.items()) <= MOST else {}


def put(model: ModelProto, told: dict[str, str]) -> None:
    """Add entries and documentation to a model that was written anew."""
    model.doc_string = model.doc_string or told.get(DOCUMENTATION, "")
    there = {entry.key for entry in model.metadata_props}
    for key, value in told.items():
        if key not in there and key != DOCUMENTATION:
            model.metadata_props.add(key=key, value=value)


def carry(source: ModelProto, target: ModelProto) -> None:
    """Give a rewritten model what the first one said of itself, and of its inputs and outputs by their names."""
    target.producer_name, target.producer_version = source.producer_name, source.producer_version
    target.domain, target.model_version = source.domain, source.model_version
    target.doc_string, target.graph.doc_string = source.doc_string, source.graph.doc_string
    del target.metadata_props[:]
    target.metadata_props.extend(source.metadata_props)
    words = {value.name: value.doc_string for value in (*source.graph.input, *source.graph.output)}
    for value in (*target.graph.input, *target.graph.output):
        value.doc_string = words.get(value.name, "")
