"""What a Keras file says of itself once it is checked: layers, weights, and a drawing of how the layers hang together."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from core.domain.format import Summary, Tensor
from core.formats.anatomy import drawing, hdf5, keras_config
from core.formats.anatomy.drawing import Drawn
from core.formats.anatomy.findings import JsonObject
from core.formats.anatomy.weight_counts import MAX_MEASURED, WeightCounts

if TYPE_CHECKING:
    import h5py
    import numpy as np

MAX_DRAWN = 5_000
OPTIMIZER = ("optimizer/", "optimizer_weights/")


def summary(format: str, config: JsonObject, version: str, file: "h5py.File") -> Summary:
    """Describe a model by its configuration and its opened weights."""
    counts = _weight_counts(file)
    producer = f"Keras {version}".strip()
    return Summary(
        format=format,
        signature=keras_config.signature(config),
        **counts.facts,
        operators=keras_config.operators(config),
        producer=producer,
        dependencies=(producer,),
    )


def draw(config: JsonObject, out: Path) -> bool:
    """Write the layers and their connections, and say whether there were any."""
    sides = keras_config.signature(config)
    nodes = list(_nodes(config))[:MAX_DRAWN]
    if not nodes:
        return False
    out.write_bytes(drawing.onnx("keras", nodes, sides.inputs, sides.outputs, ()))
    return True


def tensors(file: "h5py.File") -> Iterator[Tensor]:
    """Yield the weights of an opened file, without those of an optimizer."""
    for weight in hdf5.check(file):
        if not weight.path.startswith(OPTIMIZER):
            yield Tensor(weight.path, weight.dtype, weight.shape, partial(_numbers, file, weight.path))


def _numbers(file: "h5py.File", path: str) -> "np.ndarray":
    found: np.ndarray = file[path][()]
    return found


def _weight_counts(file: "h5py.File") -> WeightCounts:
    counts = WeightCounts()
    for weight in hdf5.check(file):
        if weight.path.startswith(OPTIMIZER):
            continue
        counts.add(weight.path, weight.dtype, weight.shape)
        data = file[weight.path]
        if data.dtype.kind == "f" and counts.measured + data.size <= MAX_MEASURED:
            counts.measure(data[()])
    return counts


def _nodes(config: JsonObject) -> Iterator[Drawn]:
    before: tuple[str, ...] = ()
    inner = config["config"]
    entries = inner.get("layers", ()) if isinstance(inner, dict) else inner
    for entry in entries if isinstance(entries, list) else ():
        kind, settings = entry.get("class_name"), entry.get("config")
        name = entry.get("name") or (settings.get("name") if isinstance(settings, dict) else None)
        if not isinstance(kind, str) or not isinstance(name, str):
            continue
        takes = tuple(dict.fromkeys(_sources(entry["inbound_nodes"]))) if "inbound_nodes" in entry else before
        if kind != "InputLayer":
            yield Drawn(kind[:80], name[:200], takes, (name[:200],))
        before = (name[:200],)


def _sources(value: object) -> Iterator[str]:
    """Yield the names of the layers that a layer's calls take from."""
    if isinstance(value, list) and len(value) in (3, 4) and isinstance(value[0], str) and isinstance(value[1], int):
        yield value[0][:200]
        yield from _sources(value[3:])
    elif isinstance(value, list | dict):
        for item in value if isinstance(value, list) else value.values():
            yield from _sources(item)
