"""Checkpoints that are programs, or whose tensors lie; and those that are plain weights."""

import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.formats import FORMATS
from tests.formats.honest import Net
from tests.formats.verdict import refused
from tests.test_pickles import SHELL, Calls

CHECKPOINT = FORMATS["torch_checkpoint"]


class Rebuilt:
    """Pickles as a call of one of torch's own functions with chosen arguments."""

    def __init__(self, call: Any, *args: Any) -> None:
        self.call = (call, args)

    def __reduce__(self) -> Any:
        return self.call


def view(size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> Rebuilt:
    storage = torch.ones(4).untyped_storage()
    typed = torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True)
    return Rebuilt(torch._utils._rebuild_tensor_v2, typed, offset, size, stride, False, {})


VALUES: dict[str, Callable[[], Any]] = {
    "a call": lambda: Calls(os.system, SHELL),
    "a call in a table": lambda: {"w": torch.ones(2), "x": {"y": [Calls(os.system, SHELL)]}},
    "a whole model": Net,
    "a sparse tensor": lambda: torch.eye(3).to_sparse(),
    "beyond its storage": lambda: view((5,), (1,)),
    "an offset beyond": lambda: view((4,), (1,), 1),
    "a stride beyond": lambda: view((2,), (4,)),
    "a tensor of 2**40": lambda: view((2**20, 2**20), (0, 0)),
    "negative": lambda: view((-1,), (1,)),
    "negative stride": lambda: view((2,), (-1,)),
    "a path": lambda: Path("/etc"),
    "a function": lambda: np.load,
    "functools": lambda: __import__("functools").partial(os.system, SHELL),
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("layout", ["zip", "legacy"])
def test_a_hostile_checkpoint_is_refused(kind: str, layout: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(VALUES[kind](), path, _use_new_zipfile_serialization=layout == "zip")
    assert refused(path)


def replaced(source: Path, out: Path, **members: bytes | None) -> Path:
    """Copy a zip with members replaced or left out (``data_0`` is ``data/0``)."""
    names = {name.replace("_", "/") if name != "data_pkl" else "data.pkl": data for name, data in members.items()}
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            data = names.get(info.filename.partition("/")[2], old.read(info.filename))
            if data is not None:
                new.writestr(info.filename, data)
    return out


@pytest.mark.parametrize(
    "members",
    [
        {"data_0": b""},
        {"data_0": b"x" * 3},
        {"data_0": None},
        {"data_pkl": b""},
        {"data_pkl": pickle.dumps(Calls(os.system, SHELL), 2)},
        {"data_pkl": pickle.dumps({}, 2) + pickle.dumps(Calls(os.system, SHELL), 2)},
        {"data_pkl": b"\x80\x02\x82\x01."},
    ],
)
def test_a_changed_zip_is_refused(members: dict[str, bytes | None], honest: dict[str, Path], tmp_path: Path) -> None:
    assert refused(replaced(honest["weights.pt"], tmp_path / "model.pt", **members))


def test_a_call_in_the_frame_of_a_legacy_file_is_refused(honest: dict[str, Path], tmp_path: Path) -> None:
    data = honest["legacy.pth"].read_bytes()
    head = data[: data.index(b".") + 1]
    (tmp_path / "m.pth").write_bytes(head + pickle.dumps(Calls(os.system, SHELL), 2) + data[len(head) :])
    assert refused(tmp_path / "m.pth")


PLAIN: dict[str, Callable[[], Any]] = {
    "half": lambda: {"w": torch.ones(3, dtype=torch.float16)},
    "integers": lambda: {"w": torch.ones(3, dtype=torch.int8), "i": torch.arange(3)},
    "quantized": lambda: {"q": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)},
    "one tensor": lambda: torch.ones(3),
    "a list": lambda: [torch.ones(3), torch.ones(2)],
    "shared": lambda: (lambda t: {"a": t, "b": t[1:]})(torch.ones(4)),
    "expanded": lambda: {"w": torch.ones(1).expand(10)},
    "empty": lambda: {"w": torch.ones(0, 3)},
    "scalars": lambda: {"lr": 0.1, "name": "net", "steps": np.int64(3), "size": torch.Size([1, 2])},
    "parameter": lambda: torch.nn.Parameter(torch.ones(2)),
    "complex": lambda: {"c": torch.ones(2, dtype=torch.complex64)},
    "device": lambda: {"d": torch.device("cpu"), "t": torch.float32},
}


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("layout", ["zip", "legacy"])
@pytest.mark.filterwarnings("ignore:.*quantize_per_tensor.*")
def test_plain_weights_are_taken(kind: str, layout: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(PLAIN[kind](), path, _use_new_zipfile_serialization=layout == "zip")
    assert not refused(path)
    CHECKPOINT.inspect(path)


def test_the_layers_are_those_of_the_model(honest: dict[str, Path]) -> None:
    state = Net().state_dict()
    for name in ("weights.pt", "legacy.pth"):
        layers = CHECKPOINT.inspect(honest[name]).layers
        assert {layer.name: layer.shape for layer in layers} == {
            key: tuple(value.shape) for key, value in state.items()
        }
    assert "model.conv.weight" in {layer.name for layer in CHECKPOINT.inspect(honest["training.ckpt"]).layers}
    assert CHECKPOINT.inspect(honest["half.pt"]).precision == "bfloat16"


def test_the_words_name_the_way_out(tmp_path: Path) -> None:
    torch.save(Net(), tmp_path / "m.pt")
    words = refused(tmp_path / "m.pt")
    assert "tests.formats.honest.Net" in words
    assert "state_dict" in words


class OrderedInPython2:
    """Pickles as Python 2 pickled an ordered table: a call with a list of pairs."""

    def __init__(self, **rows: Any) -> None:
        self.rows = [[name, value] for name, value in rows.items()]

    def __reduce__(self) -> Any:
        return OrderedDict, (self.rows,)


@pytest.mark.parametrize("layout", ["zip", "legacy"])
def test_tables_of_python_2_are_read(layout: str, tmp_path: Path) -> None:
    inside = OrderedInPython2(weight=torch.ones(3, 4), bias=torch.ones(3))
    for held in (inside, {"state_dict": inside}):
        torch.save(held, tmp_path / "m.pt", _use_new_zipfile_serialization=layout == "zip")
        found = CHECKPOINT.inspect(tmp_path / "m.pt")
        assert (found.parameters, found.precision) == (15, "float32")


@pytest.mark.parametrize("layout", ["zip", "legacy"])
def test_what_training_keeps_is_no_weight(layout: str, tmp_path: Path) -> None:
    """Adam keeps two numbers a weight; a checkpoint may hold them, a running average, and the state of the random numbers."""
    net = Net()
    adam = torch.optim.Adam(net.parameters())
    net(torch.zeros(1, 1, 8, 8)).sum().backward()
    adam.step()
    tables: list[dict[str, Any]] = [
        {"model_state_dict": net.state_dict(), "optimizer_state_dict": adam.state_dict(), "epoch": 3},
        {"state_dict": net.state_dict(), "optimizer_states": [adam.state_dict()], "rng_state": torch.get_rng_state()},
        {"state_dict": net.state_dict(), "state_dict_ema": net.state_dict()},
        {"state_dict": net.state_dict(), "pytorch-lightning_version": "2", "callbacks": {"stop": torch.ones(())}},
    ]
    held = sum(value.numel() for value in net.state_dict().values() if value.is_floating_point())
    for table in tables:
        torch.save(table, tmp_path / "m.pt", _use_new_zipfile_serialization=layout == "zip")
        found = CHECKPOINT.inspect(tmp_path / "m.pt")
        assert (found.parameters, found.precision) == (held, "float32")
        assert found.notes["beside_weights"]
        assert not [layer.name for layer in found.layers if "exp_avg" in layer.name or "rng" in layer.name]
    torch.save({"netG": net.state_dict(), "netD": net.state_dict()}, tmp_path / "m.pt")
    assert CHECKPOINT.inspect(tmp_path / "m.pt").parameters == 2 * held
