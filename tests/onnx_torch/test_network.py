"""The module itself: what is trained, what it is called, and that training reaches it."""

import copy

import onnx
import torch

from core.train.onnx_torch import build
from tests.onnx_torch import graphs


def test_constants_are_weights_under_their_names() -> None:
    network = build(onnx.parser.parse_model(graphs.CONSTANTS))
    assert {network.onnx_names[name]: tuple(p.shape) for name, p in network.named_parameters()} == {
        "w": (4, 2),
        "b": (2,),
    }


def test_settings_are_not_trained() -> None:
    network = build(onnx.parser.parse_model(graphs.SHAPES))
    assert not list(network.parameters())
    assert build(onnx.parser.parse_model(graphs.OLD)).onnx_names["w"] == "w"


def test_training_changes_the_answers() -> None:
    torch.manual_seed(0)
    network = build(onnx.parser.parse_model(graphs.OLD))
    before, frozen = copy.deepcopy(network), torch.randn(6, 1, 8, 8)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = torch.nn.functional.nll_loss(torch.log(network(frozen)), labels)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert not torch.equal(network(frozen), before(frozen))


def test_arguments_are_called_like_the_inputs() -> None:
    network = build(onnx.parser.parse_model(graphs.CONSTANTS))
    x = torch.randn(3, 4)
    assert torch.equal(network(x=x), network(x))
