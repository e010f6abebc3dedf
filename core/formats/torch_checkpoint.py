"""Torch checkpoints: a state_dict, or tables of tensors around it, in the zip of today or the pickles in a row of before 1.6."""

import math
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from core.border import archives
from core.domain.format import Format, Risk, Summary, Surroundings, Tensor
from core.formats.anatomy import torch_files, torch_weights
from core.formats.anatomy.findings import info
from core.formats.anatomy.torch_weights import TensorView
from core.formats.anatomy.weight_counts import NOT_WEIGHTS, WeightCounts


class TorchCheckpoint(Format):
    """Weights by name; read without torch, and loaded elsewhere only as plain tensors."""

    title = "torch checkpoint"
    sentence = "The weights of a torch model (state_dict) without its architecture; a pickled whole model is refused."
    suffixes = (".pt", ".pth", ".bin", ".ckpt")
    runs_in = Surroundings.PYTHON
    lists_tensors = True

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether this is torch's zip with one pickle and no program in it, or a legacy file."""
        inner = {n.partition("/")[2] for n in names}
        program = any(n.startswith(("code/", "models/")) or n in ("constants.pkl", "archive_format") for n in inner)
        return head.startswith(torch_files.LEGACY) or ("data.pkl" in inner and not program)

    def check(self, path: Path) -> Iterator[Risk]:
        """Check every name that the pickle imports, and every tensor against the bytes stored."""
        _, beside = torch_weights.beside(torch_files.check(path, "The file").result)
        yield info(
            "The file contains weights without an architecture: it can be inspected, and becomes a model once its architecture is given."
        )
        if beside:
            yield info(
                f"Beside the weights it holds {_elements(beside):,} numbers that only training needs (the state of an optimizer, "
                "a running average, random numbers); they are not counted as parameters."
            )

    def inspect(self, path: Path) -> Summary:
        """List the tensors by name; what training keeps beside the weights is counted apart."""
        weights, beside = torch_weights.beside(torch_files.read(path).result)
        counts = WeightCounts()
        for name, tensor in weights.items():
            counts.add(name or "weight", tensor.dtype, tensor.shape)
        _measure(path, weights.values(), counts)
        return Summary(
            format=self.id,
            **counts.facts,
            dependencies=("torch",),
            notes={
                "storage": "zip" if archives.names(path) else "legacy",
                **({"beside_weights": _elements(beside)} if beside else {}),
            },
        )

    def tensors(self, path: Path) -> Iterator[Tensor]:
        """Yield the weights of a zip; those of a legacy file have no place of their own."""
        weights, _ = torch_weights.beside(torch_files.read(path).result)
        if not archives.names(path):
            return
        with archives.walk(path) as archive:
            top = torch_files.prefix(archive)
            for name, view in weights.items():
                load = partial(torch_files.numbers, archive, f"{top}/data/{view.key}", view)
                yield Tensor(name or "weight", view.dtype, view.shape, load)


def _elements(views: dict[str, TensorView]) -> int:
    return sum(math.prod(view.shape) for view in views.values())


def _measure(path: Path, weights: Iterable[TensorView], counts: WeightCounts) -> None:
    """Count the zeros of the storages of a zip; each storage once."""
    if not archives.names(path):
        return
    kinds = {t.key: t.dtype for t in weights if t.dtype not in NOT_WEIGHTS}
    with archives.walk(path) as archive:
        top = torch_files.prefix(archive)
        for key, kind in kinds.items():
            with archive.open(f"{top}/data/{key}") as stream:
                counts.measure_stream(stream, archive.members[f"{top}/data/{key}"].size, kind)


FORMAT = TorchCheckpoint()
