"""Where a model changes its behaviour, as far as its file tells: what a proof must try on both sides."""

import math
from dataclasses import dataclass, field, replace

CLOSE = 1e-6
"""Numbers this near to each other, relatively, are one."""
USUAL = 5.0
"""Ordinary and large numbers around zero lie on both sides of all that are no larger."""


@dataclass(frozen=True)
class Landmarks:
    """Numbers and texts by the name of the input, and sizes of dynamic dimensions, at which a model changes what it does.

    ``exact`` are numbers that an input is compared with as it is, ``near`` those that arithmetic on the way may round.
    ``wide`` names the inputs of which whole numbers are reckoned with, ``sizing`` those that decide how large something
    becomes, ``gaps`` those that are asked whether a number is missing, ``close`` those of float64 whose numbers are told
    from others that may lie beside them, or rounded, ``far`` those whose spread is lost far from zero.
    """

    exact: dict[str, tuple[float, ...]] = field(default_factory=dict)
    near: dict[str, tuple[float, ...]] = field(default_factory=dict)
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sizes: tuple[int, ...] = ()
    wide: frozenset[str] = frozenset()
    sizing: frozenset[str] = frozenset()
    gaps: frozenset[str] = frozenset()
    close: frozenset[str] = frozenset()
    far: frozenset[str] = frozenset()

    def beyond(self, known: "Landmarks") -> "Landmarks":
        """Return what stands here, not among those that are known, and not where ordinary inputs and zeros lead."""
        exact = {name: tuple(n for n in numbers if n) for name, numbers in self.exact.items()}
        near = {name: tuple(n for n in numbers if abs(n) > USUAL) for name, numbers in self.near.items()}
        return Landmarks(
            exact=_new(exact, known.numbers),
            near=_new(near, known.numbers),
            words={
                name: tuple(w for w in found if w not in known.words.get(name, ()))
                for name, found in self.words.items()
            },
            sizes=tuple(size for size in self.sizes if size not in known.sizes),
            wide=self.wide - known.wide,
            sizing=self.sizing | known.sizing,
            close=self.close - known.close,
            far=self.far - known.far,
        )

    @property
    def numbers(self) -> dict[str, tuple[float, ...]]:
        """All numbers by the name of the input."""
        return {name: (*self.exact.get(name, ()), *self.near.get(name, ())) for name in {**self.exact, **self.near}}

    def joined(self, others: "Landmarks") -> "Landmarks":
        """Return these and those."""
        exact, near = (
            {name: tuple(dict.fromkeys((*mine.get(name, ()), *theirs.get(name, ())))) for name in {**mine, **theirs}}
            for mine, theirs in ((self.exact, others.exact), (self.near, others.near))
        )
        names = {**self.words, **others.words}
        words = {n: tuple(dict.fromkeys((*self.words.get(n, ()), *others.words.get(n, ())))) for n in names}
        sizes = tuple(sorted({*self.sizes, *others.sizes}))
        wide, sizing = self.wide | others.wide, self.sizing | others.sizing
        gaps, close, far = self.gaps | others.gaps, self.close | others.close, self.far | others.far
        return Landmarks(exact, near, words, sizes, wide, sizing, gaps, close, far)

    def rounded(self) -> "Landmarks":
        """Return the same without a number that must be met exactly: a source of another precision may round it."""
        return replace(self, exact={}, near=self.numbers)

    def renamed(self, names: dict[str, str]) -> "Landmarks":
        """Return the same of inputs of other names; what is not among them is left out."""
        exact, near = ({names[n]: v for n, v in side.items() if n in names} for side in (self.exact, self.near))
        words = {names[n]: v for n, v in self.words.items() if n in names}
        named = (self.wide, self.sizing, self.gaps, self.close, self.far)
        return Landmarks(exact, near, words, self.sizes, *(frozenset(names[n] for n in f if n in names) for f in named))

    def __bool__(self) -> bool:
        """Whether there is anything to try."""
        return bool(
            self.sizes
            or self.wide
            or self.gaps
            or self.close
            or self.far
            or any(any(side.values()) for side in (self.exact, self.near, self.words))
        )


def _new(found: dict[str, tuple[float, ...]], known: dict[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
    return {
        name: tuple(
            n for n in numbers if not any(math.isclose(n, k, rel_tol=CLOSE, abs_tol=CLOSE) for k in known.get(name, ()))
        )
        for name, numbers in found.items()
    }
