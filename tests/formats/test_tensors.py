"""The stored tensors of a file are what its own library reads."""

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.formats import FORMATS
from tests.formats.honest import HONEST, linear_onnx

LISTING = [name for name, (format, _) in HONEST.items() if FORMATS[format].lists_tensors]
Numbers = dict[str, np.ndarray | None]


def listed(path: Path, format: str) -> Numbers:
    """Return the numbers of each tensor by name."""
    return {tensor.name: tensor.load() for tensor in FORMATS[format].tensors(path)}


def equal(found: Numbers, state: dict[str, Any]) -> bool:
    """Say whether both hold the same numbers under the same names, torch's bfloat16 included."""
    assert found.keys() == state.keys()
    return all(
        np.array_equal(np.asarray(found[name], np.float64), t.detach().double().numpy()) for name, t in state.items()
    )


@pytest.mark.parametrize("name", LISTING)
def test_each_tensor_has_the_shape_that_it_tells(honest: dict[str, Path], name: str) -> None:
    format, _ = HONEST[name]
    tensors = list(FORMATS[format].tensors(honest[name]))
    for tensor in FORMATS[format].tensors(honest[name]):
        array = tensor.load()
        assert array is None or array.shape == tensor.shape
    weights = sum(math.prod(tensor.shape) for tensor in tensors if len(tensor.shape) > 1)
    if name not in ("legacy.pth", "half.pt"):
        assert 0 < weights <= (FORMATS[format].inspect(honest[name]).parameters or 0)


@pytest.mark.parametrize(
    "name", ["linear.onnx", "external.zip", "external-folder.zip", "linear.ort", "linear-openvino.zip"]
)
def test_the_weights_of_a_graph(honest: dict[str, Path], name: str) -> None:
    from onnx import numpy_helper

    expected = numpy_helper.to_array(linear_onnx().graph.initializer[0])
    found = [array for array in listed(honest[name], HONEST[name][0]).values() if array is not None and array.ndim == 2]
    assert [np.array_equal(array, expected) or np.array_equal(array.T, expected) for array in found] == [True]


@pytest.mark.filterwarnings("ignore:.*torch.jit.load.*:DeprecationWarning")
def test_the_weights_of_torch(honest: dict[str, Path]) -> None:
    import torch

    program = torch.export.load(honest["net.pt2"])
    assert equal(listed(honest["net.pt2"], "torch_export"), dict(program.state_dict))
    script = torch.jit.load(honest["script.pt"])
    assert equal(listed(honest["script.pt"], "torchscript"), script.state_dict())
    for name in ("weights.pt", "half.pt"):
        state = torch.load(honest[name], weights_only=True)
        assert equal(listed(honest[name], "torch_checkpoint"), state)
    training = torch.load(honest["training.ckpt"], weights_only=False)["model"]
    assert equal(listed(honest["training.ckpt"], "torch_checkpoint"), {f"model.{k}": v for k, v in training.items()})


def test_the_weights_of_safetensors(honest: dict[str, Path]) -> None:
    from safetensors.torch import load_file

    path = honest["weights.safetensors"]
    assert equal(listed(path, "safetensors"), load_file(path))


def test_the_weights_of_keras(honest: dict[str, Path], tmp_path: Path) -> None:
    import h5py

    with zipfile.ZipFile(honest["cnn.keras"]) as archive:
        inner = Path(archive.extract("model.weights.h5", tmp_path))
    for name, format, path in (("cnn.keras", "keras", inner), ("cnn.h5", "keras_h5", honest["cnn.h5"])):
        state: dict[str, np.ndarray] = {}
        with h5py.File(path) as file:
            file.visititems(lambda key, item, to=state: to.update({key: item[()]}) if hasattr(item, "dtype") else None)
        found = listed(honest[name], format)
        assert len(found) > 4
        assert all(np.array_equal(np.asarray(array), state[key]) for key, array in found.items())


def test_numbers_of_parts_of_bytes_are_not_guessed(tmp_path: Path) -> None:
    import onnx

    small = onnx.helper.make_tensor("w", onnx.TensorProto.INT4, (4, 3), [1] * 12)
    onnx.save(linear_onnx(initializers=[small]), tmp_path / "m.onnx")
    assert listed(tmp_path / "m.onnx", "onnx") == {"w": None}
