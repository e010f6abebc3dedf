"""Weights and the network that they belong to: by a Python file with consent, by name, and refused where they do not fit."""

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.domain.codec import encode
from core.domain.conversion import ConvertRequest
from core.domain.errors import Refused, Unavailable
from core.domain.transform import CODE
from core.doors.given import code_of, subject_of
from core.libraries import architectures
from core.libraries.architectures import ArchitectureOptions, named
from core.libraries.architectures.weights import read
from core.runtimes import runtime_for
from core.sandbox.tools import Tools
from core.verbs import convert

NET = """
from torch import nn

class Part(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.dense, self.norm = nn.Linear(width, width), nn.BatchNorm1d(width)

    def forward(self, x):
        return self.norm(self.dense(x)).relu()

class Net(nn.Module):
    def __init__(self, width=8, classes=3):
        super().__init__()
        self.parts, self.head = nn.Sequential(Part(width), Part(width)), nn.Linear(width, classes)

    def forward(self, x, scale=1.0):
        return self.head(self.parts(x)) * scale
"""
WIDE = {"architecture": "Net", "arguments": json.dumps({"width": 16}), "shapes": "16"}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder with the weights of a wide network: in a training checkpoint behind a wrapper's names, and plain."""
    torch.manual_seed(0)
    space: dict[str, Any] = {"__name__": "net"}
    exec(NET, space)
    state = space["Net"](16).state_dict()
    wrapped = {"epoch": 3, "state_dict": {f"module.{name}": tensor for name, tensor in state.items()}}
    torch.save(wrapped, tmp_path / "model.pt")
    save_file(state, tmp_path / "model.safetensors")
    (tmp_path / "net.py").write_text(NET)
    return tmp_path


def converted(tools: Tools, file: Path, code: Path | None, consent: bool, options: Mapping[str, str]) -> dict[str, Any]:
    """Convert to an exported program as the command line does."""
    subject, chosen = subject_of(tools, file, consent), dict(options)
    result: dict[str, Any] = encode(
        convert.run(tools, ConvertRequest(subject, "torch_export", chosen, None, code_of(tools, code)))
    )
    return result


@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
def test_weights_and_code_make_a_proven_program(weights: Path, tools: Tools, name: str) -> None:
    result = converted(tools, weights / name, weights / "net.py", True, WIDE)
    assert result["parity"]["verdict"] == "PASS", result["parity"]["reason"]
    assert {"random", "batch 1", "batch 3", "edge"} <= {check["name"] for check in result["parity"]["checks"]}
    assert result["bundle"]


def test_a_network_that_draws_numbers_when_it_is_built_proves_nothing(weights: Path, tools: Tools) -> None:
    """In one process it answers alike each time; only a second process shows it."""
    (weights / "net.py").write_text(NET.replace("scale=1.0", "scale=__import__('torch').seed() % 1000 / 100"))
    parity = converted(tools, weights / "model.pt", weights / "net.py", True, WIDE)["parity"]
    assert parity["verdict"] == "NOT PROVEN"
    assert "answers otherwise in a second process" in parity["reason"]


def test_code_needs_its_owners_word(weights: Path, tools: Tools) -> None:
    with pytest.raises(Refused, match="program") as caught:
        converted(tools, weights / "model.pt", weights / "net.py", False, WIDE)
    assert "--consent" in caught.value.next_step


def test_code_runs_in_the_jail(weights: Path, tools: Tools) -> None:
    reach = "import pathlib\npathlib.Path('/etc/passwd').read_text()\n"
    (weights / "net.py").write_text(NET + reach)
    with pytest.raises(Refused, match=r"line 20.*PermissionError"):
        converted(tools, weights / "model.pt", weights / "net.py", True, WIDE)


@pytest.mark.parametrize(
    ("code", "options", "words"),
    [
        (NET, {}, ["2 networks", "Part, Net"]),
        (NET, {"architecture": "Nett"}, ["Nett"]),
        (NET, {"architecture": "Net"}, ["of another shape", "parts.0.dense.weight (16x16 in the file, 8x8"]),
        (NET, {"architecture": "Net", "arguments": "[1]"}, ["JSON object of arguments"]),
        (NET, {"architecture": "Net", "arguments": '{"depth": 2}'}, ["depth"]),
        ("def build(:", {}, ["line 1", "SyntaxError"]),
        ("def build():\n    return 3", {}, ["'int'"]),
        (
            "from torch import nn\ndef build():\n    return nn.Sequential(nn.Linear(2, 2))",
            {},
            ["2 missing in the file: 0.weight, 0.bias", "unknown to the network: parts.0.dense.weight"],
        ),
    ],
)
def test_what_does_not_fit_is_named(weights: Path, code: str, options: dict[str, str], words: list[str]) -> None:
    (weights / CODE).write_text(code)
    with pytest.raises(Refused) as caught:
        architectures.build(weights / "model.pt", "torch_checkpoint", ArchitectureOptions(**options))
    assert all(word in caught.value.message for word in words), caught.value.message
    assert caught.value.next_step


def test_weights_alone_do_not_run(weights: Path) -> None:
    with pytest.raises(Refused, match="without the network") as caught:
        runtime_for("safetensors").open(weights / "model.safetensors", "safetensors")
    assert "architecture=" in caught.value.next_step


def test_shapes_must_be_said(weights: Path, tools: Tools) -> None:
    with pytest.raises(Refused, match="shape"):
        converted(tools, weights / "model.pt", weights / "net.py", True, {**WIDE, "shapes": ""})


@pytest.mark.skipif(importlib.util.find_spec("timm") is not None, reason="timm is installed")
def test_a_name_without_timm_says_the_one_command(weights: Path) -> None:
    with pytest.raises(Unavailable, match=r"pip install -r requirements-timm\.txt"):
        named.make("resnet18", {}, {})


@pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="the group timm is not installed")
def test_a_named_architecture_reads_its_classes_off_the_weights(tools: Tools, tmp_path: Path) -> None:
    module, _ = named.make("resnet10t", {"num_classes": 7}, {})
    torch.save(module.state_dict(), tmp_path / "model.pth")
    result = converted(tools, tmp_path / "model.pth", None, False, {"architecture": "resnet10t", "shapes": "3x64x64"})
    assert result["parity"]["verdict"] == "PASS", result["parity"]["reason"]
    assert result["summary"]["outputs"][0]["shape"] == ["batch", 7]
    with pytest.raises(Refused, match=r"do not fit resnet18.*missing"):
        converted(tools, tmp_path / "model.pth", None, False, {"architecture": "resnet18"})
    with pytest.raises(Refused, match="resnet1"):
        converted(tools, tmp_path / "model.pth", None, False, {"architecture": "resnet1"})


def test_what_a_checkpoint_holds_beside_weights_is_named_without_codes_for_a_terminal(tmp_path: Path) -> None:
    """As Lightning keeps its hyper-parameters, a NumPy number among them."""
    torch.save({"state_dict": {"w": torch.ones(2)}, "hyper_parameters": {"rate": np.float64(0.1)}}, tmp_path / "m.ckpt")
    with pytest.raises(
        Refused, match=r"the file also holds numpy\._core\.multiarray\.scalar, which is not loaded"
    ) as caught:
        read(tmp_path / "m.ckpt", "torch_checkpoint")
    assert "\x1b" not in caught.value.message
