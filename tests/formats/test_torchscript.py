"""TorchScript whose code reaches files or comes from elsewhere; refused from its text."""

import os
import pickle
import warnings
import zipfile
from pathlib import Path

import pytest
import torch

from core.formats import FORMATS
from tests.formats.honest import Net
from tests.formats.verdict import refused
from tests.test_pickles import SHELL, Calls

SCRIPT = FORMATS["torchscript"]


def rewritten(source: Path, out: Path, old: bytes, new: bytes, member: str = "", **added: bytes) -> Path:
    """Copy a file with text replaced in its source, one member replaced, and members added."""
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(out, "w") as after:
        for info in before.infolist():
            data = before.read(info.filename)
            if info.filename.endswith(".py"):
                data = data.replace(old, new) if old else data
            if info.filename.partition("/")[2] == member:
                data = new
            after.writestr(info.filename, data)
        for name, data in added.items():
            after.writestr("script/" + name.replace("__", "/").replace("_DOT_", "."), data)
    return out


CALLS = {
    "from_file": b'torch.from_file("/etc/passwd", True, 3)',
    "from_file as an operator": b'ops.aten.from_file("/etc/passwd", True, 3)',
    "save": b'ops.aten.save(x, "canary")',
    "a plugin": b"ops.mine.run(x)",
    "load": b'torch.load("canary")',
    "video of another package": b'ops.torchaudio.read_file("x")',
}


@pytest.mark.parametrize("kind", CALLS)
def test_code_that_reaches_out_is_refused(kind: str, honest: dict[str, Path], tmp_path: Path) -> None:
    assert refused(rewritten(honest["script.pt"], tmp_path / "m.pt", b"torch.relu(", CALLS[kind] + b" + torch.relu("))


@pytest.mark.parametrize("text", [b"def f(:", b"import os\n", b"(" * 5000, b"\0"])
def test_broken_source_is_refused(text: bytes, honest: dict[str, Path], tmp_path: Path) -> None:
    assert refused(rewritten(honest["traced.pt"], tmp_path / "m.pt", b"class ", text + b"\nclass "))


def test_pickled_calls_are_refused(honest: dict[str, Path], tmp_path: Path) -> None:
    for member in ("data.pkl", "constants.pkl"):
        evil = pickle.dumps(Calls(os.system, SHELL), 2)
        assert refused(rewritten(honest["traced.pt"], tmp_path / "m.pt", b"", evil, member))


@pytest.mark.parametrize("member", ["library_DOT_so", "code__run_DOT_sh", "data__x"])
def test_other_members_are_refused(member: str, honest: dict[str, Path], tmp_path: Path) -> None:
    assert refused(rewritten(honest["script.pt"], tmp_path / "m.pt", b"", b"", "-", **{member: b"x"}))


def test_weights_of_another_size_are_refused(honest: dict[str, Path], tmp_path: Path) -> None:
    assert refused(rewritten(honest["script.pt"], tmp_path / "m.pt", b"", b"x" * 7, "data/3"))


class Stateful(torch.nn.Module):
    """Runs code while it is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(2))

    @torch.jit.export
    def __getstate__(self) -> tuple[torch.Tensor, bool]:
        return self.w, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]) -> None:
        self.w = state[0]
        self.training = state[1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        while bool(x.sum() > 10):
            x = x / 2
        return x * self.w


def test_code_at_load_and_loops_are_told(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(Stateful()), tmp_path / "m.pt")
    risks = SCRIPT.audit(tmp_path / "m.pt")
    assert [risk.level for risk in risks] == ["info", "warning", "info"]
    assert SCRIPT.code_bearing


def test_the_summary_comes_from_the_text(honest: dict[str, Path]) -> None:
    for name in ("script.pt", "traced.pt"):
        summary = SCRIPT.inspect(honest[name])
        assert [spec.name for spec in summary.signature.inputs] == ["x"]
        assert summary.signature.inputs[0].shape is None
        assert summary.parameters == sum(p.numel() for p in Net().parameters())
        assert {layer.name for layer in summary.layers} == set(Net().state_dict())
        assert summary.operators is not None
        assert summary.operators["aten::relu"] == 1


def test_weights_in_integers_are_counted(tmp_path: Path) -> None:
    """Layers in integers keep their weights in objects of torch's own classes."""
    quantization = torch.ao.quantization
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = torch.nn.Sequential(quantization.QuantStub(), torch.nn.Linear(8, 16), torch.nn.Linear(16, 3)).eval()
        net.qconfig = quantization.get_default_qconfig("fbgemm")
        quantization.prepare(net, inplace=True)(torch.ones(1, 8))
        quantization.convert(net, inplace=True)
        torch.jit.trace(net, torch.ones(2, 8)).save(tmp_path / "m.pt")
    found = FORMATS["torchscript"].inspect(tmp_path / "m.pt")
    assert found.parameters == 8 * 16 + 16 + 16 * 3 + 3
    assert found.precision == "int8 90.3 %, float32 9.74 %"
