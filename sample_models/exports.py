"""Writes one trained network in the formats of torch and as ONNX, with a dynamic batch and nothing of the machine in the files."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from sample_models import reproducible

OPSET = 20
"""The exporter's own default; older engines of ONNX still read it."""
BATCH = {"x": {0: Dim("batch")}}


def save_program(model: nn.Module, example: Tensor, path: Path) -> None:
    """Write an exported program (.pt2)."""
    program = _program(model, example)
    reproducible.forget_origin(program)
    torch.export.save(program, path)


def save_onnx(model: nn.Module, example: Tensor, path: Path) -> None:
    """Write one ONNX file with input ``x`` and output ``logits``."""
    torch.backends.mha.set_fastpath_enabled(False)
    exported = torch.onnx.export(
        model,
        (example,),
        input_names=["x"],
        output_names=["logits"],
        dynamic_shapes=BATCH,
        opset_version=OPSET,
        dynamo=True,
    )
    assert exported is not None
    reproducible.write_onnx(exported.model_proto, path)


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the state dict, which needs the network's class to be used."""
    torch.save(model.state_dict(), path)


def save_script(model: nn.Module, example: Tensor, path: Path) -> None:
    """Write a traced TorchScript archive without its debug records."""
    torch.jit.trace(model, example).save(str(path))
    reproducible.drop_debug_records(path)


def _program(model: nn.Module, example: Tensor) -> ExportedProgram:
    """Export with the first dimension free; the example has two rows, because one row would be taken for a constant."""
    torch.backends.mha.set_fastpath_enabled(False)
    return torch.export.export(model, (example,), dynamic_shapes=BATCH)
