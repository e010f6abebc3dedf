"""Small Keras models made with Keras 3 on torch, and files as Keras 2 writes them."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from core.libraries import keras_files


def cnn() -> Any:
    """A convolution, a normalisation, a separable convolution beside a shortcut, and a softmax over ten classes."""
    keras = keras_files.library()
    layers = keras.layers
    picture = keras.Input((12, 12, 1), name="picture")
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", activation="relu")(picture))
    y = layers.Dropout(0.3)(layers.SeparableConv2D(4, 3, padding="same", activation="silu")(x))
    x = layers.Flatten()(layers.MaxPooling2D()(layers.Add()([x, y])))
    return keras.Model(picture, layers.Dense(10, activation="softmax", name="classes")(x))


def words() -> Any:
    """An embedding of 50 words, one encoder layer with attention (the operator ``+`` in it), and the mean over the words."""
    keras = keras_files.library()
    layers = keras.layers
    ids = keras.Input((12,), dtype="int32", name="ids")
    x = layers.Embedding(50, 16)(ids)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 8)(x, x))
    wide = layers.Dense(16)(layers.Dense(32, activation="gelu")(x))
    x = layers.LayerNormalization()(layers.Add()([x, wide]))
    return keras.Model(ids, layers.Dense(3, name="classes")(layers.GlobalAveragePooling1D()(x)))


def series() -> Any:
    """Two recurrent layers, one of them in both directions, over six steps."""
    keras = keras_files.library()
    layers = keras.layers
    both = layers.Bidirectional(layers.GRU(5))
    return keras.Sequential([keras.Input((6, 4)), layers.LSTM(6, return_sequences=True), both, layers.Dense(2)])


def two_sides() -> Any:
    """Two named inputs in a dict, one of them ids that are declared as plain numbers, and two outputs."""
    keras = keras_files.library()
    layers = keras.layers
    ids, numbers = keras.Input((5,), name="ids"), keras.Input((3,), name="numbers")
    x = layers.Concatenate()([layers.Flatten()(layers.Embedding(20, 2)(ids)), numbers])
    ends = {"score": layers.Dense(1, name="score")(x), "kind": layers.Dense(4, name="kind")(x)}
    return keras.Model({"ids": ids, "numbers": numbers}, ends)


MODELS = {"cnn": cnn, "words": words, "series": series, "two sides": two_sides}


def built(name: str) -> Any:
    """Return a model with seeded weights."""
    keras_files.library().utils.set_random_seed(0)
    with keras_files.quiet():
        return MODELS[name]()


def save(name: str, path: Path) -> Path:
    """Write a model in the form that the suffix says."""
    model = built(name)
    with keras_files.quiet():
        model.save(path)
    return path


def old(name: str, path: Path) -> Any:
    """Write a model of attention or of recurrence in one .h5 file in the words of Keras 2, and return the model with the same weights."""
    import h5py

    model = {"words": _two_words, "series": series}[name]()
    config = json.loads(model.to_json())
    with keras_files.quiet():
        model.save(path)
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = "2.15.0"
        file.attrs["model_config"] = json.dumps(_old_entry(config))
    return model


def _two_words() -> Any:
    """The encoder without operators, for which Keras 2 has TFOpLambda."""
    keras = keras_files.library()
    layers = keras.layers
    ids = keras.Input((12,), dtype="int32", name="ids")
    x = layers.Embedding(50, 16)(ids)
    x = layers.LayerNormalization()(layers.Add(name="sum")([x, layers.MultiHeadAttention(2, 8)(x, x)]))
    return keras.Model(ids, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def _old_entry(entry: dict[str, Any]) -> dict[str, Any]:
    """Turn an entry of Keras 3 into what Keras 2.15 writes: no modules, shapes on layers, calls as lists, settings of its own."""
    kind, config = entry["class_name"], dict(entry["config"])
    if "layers" in config:
        config["layers"] = [_old_entry(layer) for layer in config["layers"]]
    for name in ("layer", "backward_layer"):
        if isinstance(config.get(name), dict):
            config[name] = _old_entry(config[name])
    if "dtype" in config and isinstance(config["dtype"], dict):
        config["dtype"] = {"class_name": "Policy", "config": config["dtype"]["config"]}
    if kind == "InputLayer":
        config = {
            "batch_input_shape": config["batch_shape"],
            "dtype": config["dtype"],
            "sparse": False,
            "ragged": False,
            "name": config["name"],
        }
    config |= {
        "LSTM": {"implementation": 2, "time_major": False},
        "GRU": {"implementation": 2, "time_major": False},
    }.get(kind, {})
    config |= {"Embedding": {"input_length": 12, "batch_input_shape": [None, 12]}}.get(kind, {})
    config |= {"MultiHeadAttention": {"query_shape": [None, 12, 16], "key_shape": [None, 12, 16]}}.get(kind, {})
    if kind == "Add" and config["name"] == "sum":
        kind, config = "TFOpLambda", {"name": "sum", "function": "__operators__.add"}
    old: dict[str, Any] = {"class_name": kind, "config": config}
    if "name" in entry:
        old |= {"name": entry["name"], "inbound_nodes": [_old_call(node, kind) for node in entry["inbound_nodes"]]}
    return old


def _old_call(node: dict[str, Any], kind: str) -> list[Any]:
    places = [tensor["config"]["keras_history"] for tensor in np.ravel(node["args"]).tolist()]
    if kind == "MultiHeadAttention":
        return [[*places[0], {"value": places[1]}]]
    if kind == "TFOpLambda":
        return [*places[0], {"y": places[1], "name": None}]
    return [[*place, {}] for place in places]
