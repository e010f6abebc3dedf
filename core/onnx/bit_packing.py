"""Arrays as digits: which values there are, how far apart the entries lie, and how digits fill words of 1 or 4 bytes."""

import numpy as np

from core.onnx.typing import IntArray

LARGEST = 256
"""Values that a codebook holds at most."""

STEPS = (2, 3, 4, 6, 8, 10, 16, 32, 64, 256)
"""Bases that steps between entries are tried with."""

WORDS = ((np.uint8, 8, 8), (np.int32, 32, 31))
"""Words that digits are packed in: type, bits, and bits that may be set so that no word is negative."""


def packing(base: int) -> tuple[type[np.uint8 | np.int32], int]:
    """Return the word's dtype and the digits of a base in one word that take the fewest bits a digit."""
    choices = [(bits / _fit(max(base, 2), used), dtype, _fit(max(base, 2), used)) for dtype, bits, used in WORDS]
    _, dtype, per = min(choices, key=lambda choice: choice[0])
    return dtype, per


def _fit(base: int, bits: int) -> int:
    """Return how many digits of a base fit into a number of bits."""
    return max(per for per in range(1, bits + 1) if base**per <= 2**bits)


def digit_bits(base: int) -> float:
    """Return the bits that one digit of a base takes."""
    dtype, per = packing(base)
    return float(8 * np.dtype(dtype).itemsize / per)


def packed_words(digits: IntArray, base: int, per: int, dtype: type[np.integer]) -> IntArray:
    """Pack digits, the first one lowest; one word a row, so that the division by the places' weights spreads them."""
    padded = np.pad(digits.astype(np.int64), (0, -digits.size % per)).reshape(-1, per)
    return (padded @ np.array([base**place for place in range(per)], np.int64)).astype(dtype)[:, None]


def step_base(gaps: IntArray, array: np.ndarray, entries: IntArray) -> int:
    """Return the base of the steps with which steps and values take the fewest bits."""
    distinct = len(np.unique(bit_patterns(array)[entries])) + 1
    each = min(digit_bits(distinct), 8 * array.itemsize) if distinct <= LARGEST else 8 * array.itemsize
    return min(STEPS, key=lambda base: (len(gaps) + int((gaps // base).sum())) * (digit_bits(base) + each))


def steps_between(gaps: IntArray, values: np.ndarray, base: int) -> tuple[IntArray, np.ndarray]:
    """Return digits, each one less than its step, and the value at each step; too long gaps pass over zeros."""
    # Gaps that a digit cannot hold go over entries of zero (Han 2016, arXiv 1510.00149, section 2, filler zeros).
    fillers = gaps // base
    real = np.cumsum(fillers + 1) - 1
    steps = np.full(len(gaps) + int(fillers.sum()), base - 1, np.int64)
    filled = np.zeros(len(steps), values.dtype)
    steps[real], filled[real] = gaps % base, values
    return steps, filled


def distinct(array: np.ndarray) -> tuple[np.ndarray, IntArray]:
    """Return the values that differ in any bit, in ascending order of their bits, and each entry's place among them."""
    # As numbers, -0.0 would equal 0.0 and no NaN would equal itself; as bits nothing is lost.
    bits, places = np.unique(bit_patterns(array), return_inverse=True)
    return bits.view(array.dtype), places.reshape(-1)


def bit_patterns(array: np.ndarray) -> IntArray:
    """Return the bits of each entry as an unsigned number, flat."""
    return np.ascontiguousarray(array).reshape(-1).view(f"u{array.itemsize}")


def halved_exactly(array: np.ndarray) -> np.ndarray | None:
    """Return the array in float16 where that loses no bit, else None."""
    if array.dtype.kind != "f" or array.itemsize == 2:
        return None
    with np.errstate(all="ignore"):
        # What overflows to infinity differs in its bits, so that the comparison below finds it.
        halved = array.astype(np.float16)
    return halved if np.array_equal(bit_patterns(halved.astype(array.dtype)), bit_patterns(array)) else None
