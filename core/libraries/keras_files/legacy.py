"""Configurations of Keras 2, and of Keras 3's own .h5 files, in the words of Keras 3: modules, calls, and settings that are gone.

Keras 3 reads most old files itself, but takes an operator for a layer of the same name (``a + b`` for the layer Add), and
calls layers that take tensors by keyword (MultiHeadAttention) with names in place of tensors.
"""

import inspect
import json
from typing import Any

from core.domain.errors import Refused
from core.formats.anatomy.findings import JsonObject
from core.formats.anatomy.keras_config import TRAINING
from core.formats.anatomy.keras_names import LAYERS, MODELS, OPERATORS, TENSORFLOW

GONE = {
    "batch_input_shape", "implementation", "input_length", "query_shape", "key_shape", "value_shape", "time_major",
    "groups", "softmax_robust_masking", "renorm", "fused", "virtual_batch_size", "ragged", "sparse",
}  # fmt: skip
"""Settings that Keras 3 layers do not take."""
NEUTRAL = {"null", "false", "1"}
"""Values with which such a setting changes nothing, as JSON."""
HINTS = {"batch_input_shape", "implementation", "input_length", "query_shape", "key_shape", "value_shape"}
"""Settings that change no answer, whatever their value."""
FUNCTIONAL = {"module": "keras.src.models.functional", "class_name": "Functional", "registered_name": "Functional"}
MODULES: dict[str, JsonObject] = {
    "Sequential": {"module": "keras", "registered_name": None},
    "Functional": FUNCTIONAL,
    "Model": FUNCTIONAL,
}
SPEED = "Build the model again in Keras 3 without this setting."


def modern(config: JsonObject, version: str) -> JsonObject:
    """Return the configuration as Keras 3 writes it in a ``.keras`` file; what was so already stays as it is."""
    old = version.partition(".")[0] not in ("", "3")
    entry: JsonObject = _entry(config, old)
    return entry


def _entry(value: object, old: bool) -> Any:
    if isinstance(value, list):
        return [_entry(item, old) for item in value]
    if not isinstance(value, dict):
        return value
    if "class_name" not in value or "config" not in value:
        return {key: _entry(item, old) for key, item in value.items()}
    kind = value["class_name"]
    if kind == "TFOpLambda":
        return _operator(value)
    if kind == "Sequential":
        value = {**value, "config": _sequence(value["config"])}
    entry = {key: _entry(item, old) for key, item in value.items() if key not in (TRAINING, "inbound_nodes")}
    entry = {**entry, **_module(entry)}
    if "inbound_nodes" in value:
        entry["inbound_nodes"] = [_call(node) for node in value["inbound_nodes"]]
    if isinstance(entry["config"], dict) and entry["class_name"] in LAYERS and old:
        entry["config"] = _settings(kind, entry["config"])
        entry.pop("build_config", None)
    return entry


def _module(entry: JsonObject) -> JsonObject:
    """Return the module of a class where the file leaves it out, or gives one of Keras 2."""
    kind, module, inner = entry["class_name"], entry.get("module"), entry["config"]
    if kind == "Policy":
        return {"class_name": "DTypePolicy", "module": "keras"}
    if module is not None and not module.startswith("tf_keras") and ".engine." not in module:
        return {}
    if kind in MODELS:
        return MODULES[kind]
    if not isinstance(inner, dict) or "name" not in inner:
        return {}
    section = next((place for place, names in OPERATORS.items() if kind in names), None)
    if section and not inner.keys() & {"trainable", "dtype"}:
        return {"module": f"keras.src.ops.{section}", "registered_name": None}
    return {"module": "keras.layers", "registered_name": None} if kind in LAYERS else {}


def _sequence(config: JsonObject | list[JsonObject]) -> JsonObject:
    """Put the input that an old model writes down on its first layer in front of it."""
    config = {"layers": config} if isinstance(config, list) else dict(config)
    layers = list(config.get("layers", ()))
    inner = layers[0].get("config") if layers and isinstance(layers[0], dict) else None
    if layers and layers[0].get("class_name") != "InputLayer" and isinstance(inner, dict):
        shape = inner.get("batch_input_shape") or config.get("build_input_shape")
        if shape:
            name = f"{inner.get('name', 'first')}_input"
            dtype = "int32" if layers[0]["class_name"] == "Embedding" else "float32"
            first = {"batch_shape": shape, "dtype": dtype, "name": name}
            place = {"class_name": "InputLayer", "module": "keras.layers", "registered_name": None}
            layers.insert(0, {**place, "config": first})
    return {**config, "layers": layers}


def _settings(kind: str, config: JsonObject) -> JsonObject:
    """Leave out what the layer no longer takes. Raises Refused when it changed the answer."""
    if kind == "InputLayer":
        named = {name: value for name, value in config.items() if name in ("name", "dtype")}
        return {**named, "batch_shape": config.get("batch_shape") or config.get("batch_input_shape")}
    accepted = _accepted(kind)
    for name in (config.keys() & GONE) - accepted - HINTS:
        if json.dumps(config[name]) not in NEUTRAL:
            raise Refused(
                f"The layer {config.get('name')!r} ({kind}) has {name}={config[name]!r}, which Keras 3 does not support.",
                SPEED,
            )
    kept = {name: value for name, value in config.items() if name in accepted or name not in GONE}
    axis = kept.get("axis")
    if kind == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        kept["axis"] = axis[0]
    return kept


def _accepted(kind: str) -> set[str]:
    """Return the settings that a layer of Keras 3 takes by name."""
    import keras

    classes = getattr(keras.layers, kind).__mro__
    return {name for one in classes if "__init__" in vars(one) for name in inspect.signature(one.__init__).parameters}


def _operator(entry: JsonObject) -> JsonObject:
    """Return a function of TensorFlow as the operator of Keras that does the same."""
    section, kind = TENSORFLOW[entry["config"]["function"]]
    name = entry.get("name") or entry["config"]["name"]
    calls = [_call(node) for node in entry.get("inbound_nodes", ())]
    for call in calls:
        left = {key: value for key, value in call["kwargs"].items() if key not in ("y", "name")}
        if left:
            raise Refused(f"The function tf.{entry['config']['function']} is called with {sorted(left)}.", SPEED)
        call["args"] += [call["kwargs"]["y"]] if "y" in call["kwargs"] else []
        call["kwargs"] = {}
    place = {"module": f"keras.src.ops.{section}", "class_name": kind, "registered_name": None}
    return {**place, "config": {"name": name}, "name": name, "inbound_nodes": calls}


def _call(node: object) -> Any:
    """Return one call of a layer with its tensors by place and by keyword; a call of Keras 3 stays as it is."""
    if not isinstance(node, list) or not node:
        return node
    places = [node] if isinstance(node[0], str) else node
    first = [_tensor(place) for place in places]
    keywords = places[0][3] if len(places[0]) > 3 else {}
    kept = {key: _value(value) for key, value in keywords.items() if value is not None}
    return {"args": [first[0] if len(first) == 1 else first], "kwargs": kept}


def _value(value: object) -> object:
    """Return a keyword's value, with a tensor wherever a place in the graph stands."""
    if isinstance(value, list) and len(value) in (3, 4) and isinstance(value[0], str) and isinstance(value[1], int):
        return _tensor(value)
    return [_value(item) for item in value] if isinstance(value, list) else value


def _tensor(place: list[Any]) -> object:
    """Return what Keras 3 looks a layer's output up by; a constant stands for itself."""
    if place[0] == "_CONSTANT_VALUE":
        return place[2]
    history = {"shape": [1], "dtype": "float32", "keras_history": place[:3]}
    return {"class_name": "__keras_tensor__", "config": history}
