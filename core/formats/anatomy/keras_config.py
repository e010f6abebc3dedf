"""The configuration of a Keras model: which layers it names, whether each is Keras' own, and what goes in and out."""

from collections import Counter
from collections.abc import Iterator

from core.domain.artifact import Dim, Signature, TensorSpec
from core.domain.errors import Refused
from core.formats.anatomy import keras_names
from core.formats.anatomy.findings import JsonObject, parse_json

MAX_CONFIG = 64 << 20
SHOWN = 20
ACTIVATION_KEYS = ("activation", "recurrent_activation")
TRAINING = "compile_config"
"""Losses, metrics and the optimizer: never built here, so they may be anybody's."""
REBUILD = "Build the model from Keras' own layers and save it again, or export it as ONNX where its code is installed."


def parse(data: bytes | str) -> JsonObject:
    """Return the configuration of a model. Raises Refused when it is none."""
    raw = data.encode() if isinstance(data, str) else data
    if len(raw) > MAX_CONFIG:
        raise Refused("The configuration of the model is larger than 64 MB.", "Save the model again with Keras.")
    config = parse_json(raw, "The configuration of the model")
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict | list):
        raise Refused("The configuration is not that of a Keras model.", "Save the model again with Keras.")
    return config


def check(config: JsonObject) -> None:
    """Raise Refused with everything in the configuration that is not on the lists, all at once."""
    found = list(dict.fromkeys(_objections(config, "")))
    if found:
        more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise Refused(f"The model needs parts that are not accepted: {', '.join(found[:SHOWN])}{more}.", REBUILD)


def layers(config: JsonObject) -> Iterator[JsonObject]:
    """Yield the layer entries of a model and of the models inside it, in the order of the file."""
    inner = config.get("config")
    listed = inner.get("layers", ()) if isinstance(inner, dict) else inner
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict):
            yield entry
            if entry.get("class_name") in keras_names.MODELS:
                yield from layers(entry)


def operators(config: JsonObject) -> dict[str, int]:
    """Count the layers by class, without the places where data goes in."""
    names = (str(entry.get("class_name", ""))[:80] for entry in layers(config))
    return dict(Counter(name for name in names if name not in {"InputLayer", *keras_names.MODELS}).most_common())


def signature(config: JsonObject) -> Signature:
    """Return inputs with their shapes; of the outputs only names are written down."""
    inner = config["config"]
    entries = {_name(entry): entry for entry in layers(config)}
    if not isinstance(inner, dict) or "input_layers" not in inner:
        found = [_input(entry) for entry in list(entries.values())[:1]]
        ends = list(entries)[-1:]
    else:
        found = [_input(entries[name]) for name in _ends(inner["input_layers"]) if name in entries]
        ends = list(_ends(inner.get("output_layers", ())))
    outputs = tuple(TensorSpec(name[:200], "float32", None) for name in ends)
    return Signature(tuple(spec for spec in found if spec), outputs)


def _objections(value: object, name: str) -> Iterator[str]:
    """Yield each named part that is not Keras' own, with the name of the layer that it stands in."""
    if isinstance(value, list):
        for item in value:
            yield from _objections(item, name)
    elif isinstance(value, dict):
        inner = value.get("config")
        if "class_name" in value and "config" in value:
            name = _name(value) or name
            yield from _judged(value, name)
        for key in ACTIVATION_KEYS:
            if isinstance(value.get(key), str) and value[key] not in keras_names.ACTIVATIONS:
                yield f"the activation {value[key][:60]!r} in {name[:60]!r} (code that is not in the file)"
        if not (isinstance(inner, dict) and _is_lambda(value)):
            for key, item in value.items():
                if key != TRAINING:
                    yield from _objections(item, name)


def _judged(entry: JsonObject, name: str) -> Iterator[str]:
    kind, module = entry["class_name"], entry.get("module")
    if not isinstance(kind, str) or not isinstance(module, str | None):
        yield f"a part without a valid name in {name[:60]!r}"
    elif kind in keras_names.FORBIDDEN:
        yield f"{kind} {name[:60]!r} ({keras_names.FORBIDDEN[kind]})"
    elif kind == "function":
        if entry["config"] not in keras_names.ACTIVATIONS:
            yield f"the function {str(entry['config'])[:60]!r} in {name[:60]!r} (code that is not in the file)"
    elif _is_lambda(entry):
        inner = entry["config"]
        function = str(inner.get("function", inner.get("symbol")) if isinstance(inner, dict) else inner)
        if kind != "TFOpLambda" or function not in keras_names.TENSORFLOW:
            yield f"{kind} {name[:60]!r} (the TensorFlow function {function[:60]})"
    elif kind not in keras_names.VALUES and not keras_names.known(kind, module):
        label = str(entry.get("registered_name") or kind)[:80]
        own = (module or "").startswith("keras") and ">" not in label
        why = "a part of Keras that is not accepted" if own else "a custom class, whose code is not in the file"
        yield f"{label} {name[:60]!r} ({why})"


def _is_lambda(entry: JsonObject) -> bool:
    return entry.get("class_name") in ("TFOpLambda", "SlicingOpLambda", "ClassMethod", "TensorFlowOpLayer")


def _name(entry: JsonObject) -> str:
    inner = entry.get("config")
    name = entry.get("name") or (inner.get("name") if isinstance(inner, dict) else "")
    return name if isinstance(name, str) else ""


def _ends(value: object) -> Iterator[str]:
    """Yield layer names from ``[["a", 0, 0], ...]``, from ``["a", 0, 0]`` and from a dict of such."""
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        yield value[0]
    elif isinstance(value, list | dict):
        for item in value if isinstance(value, list) else value.values():
            yield from _ends(item)


def _input(entry: JsonObject) -> TensorSpec | None:
    inner = entry.get("config")
    shape = (inner.get("batch_shape") or inner.get("batch_input_shape")) if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or not isinstance(shape, list):
        return None
    dims: list[Dim] = [
        dim if isinstance(dim, int) else ("batch" if place == 0 else None) for place, dim in enumerate(shape)
    ]
    dtype = inner.get("dtype")
    return TensorSpec(_name(entry)[:200], dtype if isinstance(dtype, str) else "float32", tuple(dims))
