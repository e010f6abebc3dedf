"""What the exporter for scripts writes with other answers is written as torch answers."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from core.libraries.torch import constants, reckoning, torchscripts
from core.proof import parity
from core.runtimes import runtime_for
from tests.converters.small import Way


def traced(network: nn.Module, example: torch.Tensor | tuple[torch.Tensor, ...], path: Path) -> Path:
    """Save a network as TorchScript."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network, example).save(str(path))
    return path


@pytest.mark.parametrize("target", ["onnx", "openvino"])
def test_the_logarithm_of_a_sigmoid_stays_finite(target: str, tmp_path: Path) -> None:
    traced(nn.Sequential(nn.Linear(3, 3), nn.LogSigmoid()), torch.zeros(2, 3), tmp_path / "m.pt")
    out = Way(tmp_path / "m.pt", f"torchscript_to_{target}", {}).convert(tmp_path)
    x = np.array([[-1000, 0, 1000], [-20, 0, 20], [300, -300, 5]], np.float32)
    sessions = [runtime_for(k).open(p, k) for k, p in (("torchscript", tmp_path / "m.pt"), (target, out))]
    one, other = (next(iter(s.run({s.signature.inputs[0].name: x}).values())) for s in sessions)
    assert np.isfinite(other).all()
    assert np.allclose(one, other, atol=1e-5)


class Added(nn.Module):
    """The logarithm of a sum of exponentials."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add one to the exponential of each number."""
        return torch.logaddexp(x, torch.zeros_like(x))


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_the_logarithm_of_a_sum_of_exponentials_stays_finite(kind: str, tmp_path: Path) -> None:
    example = torch.zeros(2, 3, dtype=getattr(torch, kind))
    program = torch.export.export(Added(), (example,), dynamic_shapes={"x": {0: torch.export.Dim("n")}})
    torch.export.save(program, tmp_path / "m.pt2")
    out = Way(tmp_path / "m.pt2", "torch_export_to_onnx", {}).convert(tmp_path)
    x = np.array([[-1000, 0, 1000], [-20, 1, 20], [300, -300, 88.5]], kind)
    answer = runtime_for("onnx").open(out, "onnx").run({"x": x})
    assert np.allclose(next(iter(answer.values())), np.logaddexp(x, 0), atol=1e-6)


class Tenth(nn.Module):
    """Compares with, multiplies by and adds numbers that float32 does not hold."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Answer with each."""
        return x < 0.1, x * 0.1 + 0.7, torch.clamp(x, 0.3, 0.9)


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_numbers_of_the_code_keep_the_digits_of_their_type(kind: str, tmp_path: Path) -> None:
    example = torch.zeros(2, 3, dtype=getattr(torch, kind))
    program = torch.export.export(Tenth(), (example,), dynamic_shapes={"x": {0: torch.export.Dim("n")}})
    torch.export.save(program, tmp_path / "m.pt2")
    out = Way(tmp_path / "m.pt2", "torch_export_to_onnx", {}).convert(tmp_path)
    x = np.array([[0.1, np.nextafter(0.1, 0), 0.3], [0.9, 1 / 3, -7]], kind)
    sessions = [runtime_for(k).open(p, k) for k, p in (("torch_export", tmp_path / "m.pt2"), ("onnx", out))]
    ours, theirs = ([*session.run({"x": x}).values()] for session in sessions)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


class Whole(nn.Module):
    """Reckons with whole numbers in one of several ways."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Answer in floats."""
        ways = {
            "large": lambda: (x % 7 * 31 + 7).float(),
            "divided": lambda: torch.div(x, 10, rounding_mode="floor").float(),
            "a mask": lambda: (1 - x).float() * -1e4,
            "floats": lambda: x.float() * 3,
            "compared": lambda: (x > 3).float(),
        }
        return ways[self.way]()


@pytest.mark.parametrize(
    ("way", "wide"), [("large", True), ("divided", True), ("a mask", False), ("floats", False), ("compared", False)]
)
def test_whole_numbers_that_are_reckoned_with_are_told(way: str, wide: bool, tmp_path: Path) -> None:
    example = torch.ones(2, 3, dtype=torch.int64)
    script = torchscripts.load(traced(Whole(way), example, tmp_path / "m.pt"))
    expected = frozenset(["x"] if wide else [])
    assert reckoning.of_script(script, ["x"]) == expected
    assert reckoning.of_program(torch.export.export(Whole(way), (example,)), ["x"]) == expected


class Near(nn.Module):
    """Tells numbers from each other in one of several ways."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way, self.layer = way, nn.Linear(3, 3).double()

    def forward(self, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Answer in float64."""
        ways = {
            "beside": lambda: (x < z.reshape(-1, 3)).double(),
            "rounded": lambda: torch.floor(x) * 2 + 0 * z,
            "weighed": lambda: self.layer(x) - self.layer(z),
            "scaled": lambda: x * 3 + z,
        }
        return ways[self.way]()


@pytest.mark.parametrize(("way", "close"), [("beside", "xz"), ("rounded", "x"), ("weighed", ""), ("scaled", "")])
def test_numbers_that_are_told_from_each_other_are_told(way: str, close: str, tmp_path: Path) -> None:
    example = (torch.ones(2, 3, dtype=torch.float64), torch.ones(2, 3, dtype=torch.float64))
    script = torchscripts.load(traced(Near(way), example, tmp_path / "m.pt"))
    program = torch.export.export(Near(way), example)
    assert reckoning.close_in_script(script, ["x", "z"]) == frozenset(close)
    assert reckoning.close_in_program(program, ["x", "z"]) == frozenset(close)


class Meets(nn.Module):
    """Meets constants in one of several ways."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.register_buffer("edges", torch.tensor([18.0, 65.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Answer in floats."""
        ways = {
            "compared": lambda: (x.reshape(-1) > 40.5).float(),
            "scaled": lambda: torch.clamp((x - 10) / 4, 0.25, 5),
            "a bend": lambda: torch.relu(3 - x * 2),
            "a time": lambda: x - 1.7e9,
            "a table": lambda: torch.bucketize(x, self.edges).float(),
        }
        return ways[self.way]()


@pytest.mark.parametrize(
    ("way", "exact", "near"),
    [
        ("compared", {40.5}, ()),
        ("scaled", (), {11, 30}),
        ("a bend", (), {1.5}),
        ("a time", (), {1.7e9}),
        ("a table", {18, 65}, ()),
    ],
)
def test_constants_of_a_program_are_taken_back_to_its_input(
    way: str, exact: set[float], near: set[float], tmp_path: Path
) -> None:
    example = torch.ones(2, 3)
    found = [constants.of_program(torch.export.export(Meets(way), (example,)), ["x"])]
    if way != "a table":  # a script does not hand its tensors out
        found.append(constants.of_script(torchscripts.load(traced(Meets(way), example, tmp_path / "m.pt")), ["x"]))
    for one in found:
        assert set(one.exact.get("x", ())) == set(exact)
        assert set(one.near.get("x", ())) == set(near)


def test_a_script_that_does_not_tell_its_types_gets_what_was_recorded(tmp_path: Path) -> None:
    traced(Whole("large"), torch.ones(2, 3, dtype=torch.int64), tmp_path / "m.pt")
    session = runtime_for("torchscript").open(tmp_path / "m.pt", "torchscript")
    given = {"x": np.array([[2**40 + 1, 1, 2]])}
    assert parity.feed(session, given)["x"].dtype == np.int64
