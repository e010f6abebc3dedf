"""Which weights and operators of a source stand in what was made from it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Operators:
    """Of the ``operators`` of a source, how many the result has too with the same attributes and constants.

    ``rest`` and ``more`` count by name those that only the source and only the result has. ``same`` says that every
    answer is computed from the inputs alike: no input can tell the two apart where both run as they stand.
    """

    operators: int
    found: int
    rest: dict[str, int] = field(default_factory=dict)
    more: dict[str, int] = field(default_factory=dict)
    same: bool = False

    @property
    def sentence(self) -> str:
        """What was found, in words; nothing where there was nothing to find."""
        if self.same:
            all_of = "The one operator has" if self.operators == 1 else f"All {self.operators:,} operators have"
            return f"{all_of} the same attributes, weights and connections: it is the same network."
        if not self.operators:
            return ""
        of = f"{self.found:,} of {self.operators:,} operators of the source are in the result with the same attributes"
        if self.rest:
            return f"{of}; those that were rewritten, and for which only the samples speak: {_told(self.rest)}."
        more = f" beside others: {_told(self.more)}" if self.more else " and are connected in another way"
        return f"{of}{more}; only the samples speak for that."


def _told(names: dict[str, int], most: int = 5) -> str:
    """Write names with their counts, the first few of them."""
    told = [f"{count:,} {name}" for name, count in names.items()]
    return ", ".join(told[:most]) + (f" and {sum(list(names.values())[most:]):,} others" if told[most:] else "")


@dataclass(frozen=True)
class Correspondence:
    """Of the ``tensors`` of a source that hold more than one number and no single value, how those that are found were found.

    ``missing`` names the first of those that are not; ``changed`` tells in words which are there but for a few numbers.
    """

    tensors: int
    found: dict[str, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    operators: Operators | None = None
    """How the operators stand; None where one of the two files cannot be read as ONNX."""

    @property
    def sentence(self) -> str:
        """What was found, in words; nothing where there was nothing to find."""
        return " ".join(filter(None, (self._weights, self.operators.sentence if self.operators else "")))

    @property
    def _weights(self) -> str:
        if not self.tensors:
            return ""
        k, ways = sum(self.found.values()), ", ".join(f"{n:,} {how}" for how, n in self.found.items())
        if k == self.tensors:
            every = "The one weight tensor" if k == 1 else f"All {k:,} weight tensors"
            return f"{every} of the source {'is' if k == 1 else 'are'} in the result ({ways})."
        of = f"{k:,} of {self.tensors:,} weight tensors of the source are in the result"
        return f"{of}{f' ({ways})' if ways else ''}; the others were not found as they are, and only the samples speak for them."
