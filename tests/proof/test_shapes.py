"""Shapes that a TorchScript file does not state: what its owner says of them is better than a guess from its layers, and a guess is told."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from core.proof import golden, probes
from core.runtimes import runtime_for


class FirstThree(nn.Module):
    """A linear layer on the first three of any number of columns."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, 3 or more] to [batch, 2]."""
        return self.layer(torch.sign(x).narrow(1, 0, 3))


def recorded(shapes: str, folder: Path) -> golden.Golden:
    """Record a network whose layers tell three columns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(FirstThree(), torch.zeros(2, 3)).save(str(folder / "m.pt"))
    probes.record(runtime_for("torchscript").open(folder / "m.pt", "torchscript"), 7, None, folder / "g.npz", shapes)
    return golden.read(folder / "g.npz")


def test_the_owner_knows_the_shape_better_than_a_layer_tells_it(tmp_path: Path) -> None:
    found = recorded("5", tmp_path)
    assert found.case_inputs(0)["x"].shape[1:] == (5,)
    assert not any("layers" in note for note in found.notes)


def test_a_shape_that_was_guessed_is_told(tmp_path: Path) -> None:
    found = recorded("", tmp_path)
    assert found.case_inputs(0)["x"].shape[1:] == (3,)
    assert any("float32:3 was taken from its layers" in note for note in found.notes)
