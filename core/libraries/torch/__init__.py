"""Torch's own files and programs."""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import torch

Tensor: TypeAlias = "torch.Tensor"
Module: TypeAlias = "torch.nn.Module"
ScriptModule: TypeAlias = "torch.jit.ScriptModule"
ScriptNode: TypeAlias = "torch.Node"
FxNode: TypeAlias = "torch.fx.Node"
ExportedProgram: TypeAlias = "torch.export.ExportedProgram"
