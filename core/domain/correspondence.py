"""Which weights of a source stand in what was made from it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Correspondence:
    """Of the ``tensors`` of a source that hold more than one number and no single value, how those that are found were found.

    ``missing`` names the first of those that are not; ``changed`` tells in words which are there but for a few numbers.
    """

    tensors: int
    found: dict[str, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What was found, in words; nothing where there was nothing to find."""
        if not self.tensors:
            return ""
        k, ways = sum(self.found.values()), ", ".join(f"{n:,} {how}" for how, n in self.found.items())
        if k == self.tensors:
            every = "The one weight tensor" if k == 1 else f"All {k:,} weight tensors"
            return f"{every} of the source {'is' if k == 1 else 'are'} in the result ({ways})."
        of = f"{k:,} of {self.tensors:,} weight tensors of the source are in the result"
        return f"{of}{f' ({ways})' if ways else ''}; the others were not found as they are, and only the samples speak for them."
