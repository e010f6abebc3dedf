"""What a file multiplies in integers, and on which processors those products are what they should be.

Found with ONNX Runtime 1.31.1 on an AMD EPYC with AVX512-VNNI and on an emulated Haswell, which has AVX2 alone: there
uint8 times int8 is added in pairs in 16 bits and saturates, unless the weights stay within seven bits. Activations of
int8 between QuantizeLinear and DequantizeLinear are turned into uint8 before that, so that they saturate too; int8
times int8 of MatMulInteger and of the QLinear operators, and all else times uint8, was exact on both. OpenVINO 2026.4.1
does as much with int8 weights, on its own kernels for AVX2 as on the emulated Haswell (``core.formats.anatomy.ir_products``).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Self

LARGEST = 64
"""The largest magnitude of a weight of which two products with 255 fit 16 bits: 255 * 64 * 2 = 32640."""
SHOWN = 4
TURNING = ("QDQ", "OpenVINO")
"""How operators begin whose activations of int8 are turned into uint8."""


class Sums(StrEnum):
    """How an engine adds integers while it is asked: as it does for everyone, without saturation, or as without VNNI."""

    AS_RUN = "as run"
    EXACT = "exact"
    WITHOUT_VNNI = "without VNNI"


@dataclass(frozen=True)
class Product:
    """One operator that multiplies in integers: the types of activations and weights, empty where the structure does not tell.

    ``top`` is the largest magnitude among its weights, None where that is not known.
    """

    operator: str
    activations: str
    weights: str
    top: int | None
    where: str

    @property
    def told(self) -> bool:
        """Say whether both types are known."""
        return bool(self.activations and self.weights)

    @property
    def saturates(self) -> bool:
        """Say whether a processor without products of four bytes computes it otherwise."""
        turned = self.activations == "uint8" or (self.activations == "int8" and self.operator.startswith(TURNING))
        return turned and self.weights == "int8" and (self.top is None or self.top > LARGEST)


@dataclass(frozen=True)
class Integers:
    """How many integer products a file has, those of types that cannot be told, and the operators and places of those that saturate."""

    DERIVED: ClassVar = ("safe_on",)

    products: int
    untold: int
    saturating: dict[str, int]
    """By operator and types, as in ``QDQ Conv uint8``."""

    where: tuple[str, ...]

    @classmethod
    def of(cls, products: Iterable[Product]) -> Self:
        """Count products."""
        found = list(products)
        risky = [one for one in found if one.saturates]
        kinds = Counter(f"{one.operator} {one.activations}" for one in risky)
        return cls(len(found), sum(not one.told for one in found), dict(kinds), tuple(p.where for p in risky[:SHOWN]))

    @property
    def at_risk(self) -> int:
        """How many of the products saturate on some processors."""
        return sum(self.saturating.values())

    @property
    def safe_on(self) -> str:
        """Where it is safe, in a sentence: on which processors the file computes what it should."""
        if not self.products:
            return "Every processor: the products are computed in floats, which differ between processors only by rounding."
        if self.at_risk:
            return (
                f"Processors that add products of four bytes at once (VNNI: avx512_vnni or avx_vnni): {self.at_risk} of its "
                f"{self.products} integer products multiply by int8 weights of the full range, and saturate on x86 "
                "processors without. ARM was not measured."
            )
        if self.untold:
            return f"Not known: the types of {self.untold} of its {self.products} integer products cannot be read from the file."
        return (
            f"Every x86 processor: none of its {self.products} integer products can overflow, measured with AVX512-VNNI "
            "and with AVX2 alone. ARM was not measured."
        )
