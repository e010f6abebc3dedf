"""Weight sharing: each tensor keeps a few values, found by k-means, and an index for each weight (Han 2016, arXiv 1510.00149)."""

from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import Trouble
from core.domain.format import Summary
from core.domain.technique import KEEP, Claim, Family, Keeps, Lesson, Technique, without_weights
from core.domain.transform import option
from core.onnx import files, kmeans, weights
from core.onnx.integers import finish
from core.onnx.storage import Storage

LEAST = 256
"""Weights below which a codebook is no smaller than the tensor."""


@dataclass(frozen=True)
class CodebookOptions:
    """How many values a tensor keeps."""

    bits: int = option(4, "Bits per index; with b bits a tensor keeps at most 2^b distinct values.", low=2, high=8)
    keep: str = option("", KEEP)


class Codebooks(Technique):
    """Shares weights in every tensor of two dimensions or more; biases, norms and zeros that were pruned stay as they are."""

    title = "Shared weights (codebooks)"
    sentence = "Replaces each weight with the nearest of a few shared values per tensor, and stores these values with short indices."
    family, claim = Family.SHARING, Claim.SIZE
    keeps = Keeps("fashion_cnn", changed=0.03, decibels=15)
    Options = CodebookOptions

    def applies(self, summary: Summary) -> Trouble | None:
        """Return why there is nothing to share: the file has no weight tensors."""
        return without_weights(summary, "share")

    def apply(self, source: Path, out: Path, options: CodebookOptions, lesson: Lesson) -> None:
        """Share and store. Raises Refused where no tensor is large enough, or nothing gets smaller."""
        model = files.load(source)
        storage = Storage(model)
        kept = weights.kept(options.keep, model)
        large = weights.tables(model, LEAST, "share")
        for weight in [weight for weight in large if weight.name not in kept]:
            storage.put(weight, kmeans.shared(weight.array, 2**options.bits))
        storage.settle()
        finish(model, source, out)


TECHNIQUE = Codebooks()
