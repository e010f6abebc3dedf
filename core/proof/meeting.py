"""Whether labels and the classes that a model answers with can be the same thing, and the mapping that would fit where they are not."""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from core.domain.errors import Refused, Trouble
from core.domain.report import Quality
from core.proof.labels import OPTION, canonical, natural, numbers, some

PAGE = "(on the page: Order of the classes)"
SURE = 3.0
"""Standard deviations by which another mapping must be better before it is believed."""


@dataclass(frozen=True)
class Meeting:
    """Predictions and labels of the same rows, alike in kind; the number of classes, and the labels' names by class number where they have some.

    ``counted`` says that predictions are places among scores, so that the classes are 0, 1, 2 and so on.
    """

    found: np.ndarray
    labels: np.ndarray
    classes: int
    names: tuple[str, ...] = ()
    counted: bool = False

    @property
    def right(self) -> np.ndarray:
        """Which rows agree [n] bool."""
        return np.asarray(self.found == self.labels)

    @property
    def chance(self) -> float:
        """The share of right answers that guessing gives."""
        return 1 / max(2, self.classes)

    def judged(self, quality: Quality) -> tuple[Trouble | None, str]:
        """Return why labels and answers are not the same thing, and why the quality is no base; nothing where it is one."""
        share, known = quality.value, self._known()
        strange = [value for value in _sorted(self.labels) if value not in known]
        meets = len(strange) < len(set(self.labels.tolist()))
        fit = self._fit() if not meets or strange or self.names or share <= self.chance else None
        if not meets or fit:
            return self._unmet(quality, known, fit), f"No label fits: {self._counts(quality)}."
        if share <= self.chance:
            words = f"guessing is right in {self.chance:.1%}, so this is no quality that could be kept or lost"
            return None, f"The labels agree with {self._counts(quality)}, and {words}."
        return None, ""

    def _known(self) -> list[object]:
        """Return the classes that the model is seen to know."""
        return list(range(self.classes)) if self.counted else _sorted(self.found)

    def _fit(self) -> dict[object, object] | None:
        """Return the class that each label stands for, if another mapping than equality agrees with clearly more rows."""
        mappings = [self._shifted(), self._majority()]
        better = [one for one in mappings if one and self._gains(one)]
        return better[0] if better else None

    def _shifted(self) -> dict[object, object] | None:
        """Return labels that count from one, one lower."""
        if self.labels.dtype.kind not in "iu" or self.names:
            return None
        lower = {value: value - 1 for value in self.labels.tolist()}
        return lower if set(lower.values()) <= set(self._known()) else None

    def _majority(self) -> dict[object, object] | None:
        """Return for each label the answer that most of its rows get, where no two labels share one."""
        pairs = Counter(zip(self.labels.tolist(), self.found.tolist(), strict=True))
        mapping: dict[object, object] = {}
        for (label, answer), _ in pairs.most_common():
            mapping.setdefault(label, answer)
        return mapping if len(set(mapping.values())) == len(mapping) > 1 else None

    def _gains(self, mapping: dict[object, object]) -> bool:
        mapped = np.array([mapping[value] for value in self.labels.tolist()])
        again = np.asarray(self.found == mapped)
        won, lost = int((again & ~self.right).sum()), int((self.right & ~again).sum())
        return won - lost > SURE * math.sqrt(won + lost) and bool(again.mean() > self.chance)

    def _counts(self, quality: Quality) -> str:
        return f"{int(self.right.sum()):,} of {quality.samples:,} answers"

    def _unmet(self, quality: Quality, known: list[object], fit: dict[object, object] | None) -> Trouble:
        shown = [self._name(value) for value in _sorted(self.labels)]
        order = f" (taken for {numbers(len(self.names))} in this order)" if self.names else ""
        message = (
            f"The labels {some(shown)}{order} agree with {self._counts(quality)}: the model answers {some(known)}."
        )
        return Trouble(Refused.kind, message, self._way(known, fit))

    def _way(self, known: list[object], fit: dict[object, object] | None) -> str:
        """Return what the owner can do."""
        if fit is None:
            return "Use the class numbers or names of the model as labels."
        mapped = np.array([fit[value] for value in self.labels.tolist()])
        agree = f"so read, {int((self.found == mapped).sum()):,} of {len(mapped):,} agree"
        if self.found.dtype.kind == "U":
            pairs = some([f"{self._name(label)} as {fit[label]}" for label in _sorted(self.labels)])
            return f"Rename the labels, for example {pairs}: {agree}."
        by_class = {answer: self._name(label) for label, answer in fit.items()}
        hint = "Do they count from one? " if fit == self._shifted() else ""
        if set(known) == set(range(self.classes)) and set(by_class) == set(known):
            order = ",".join(str(by_class[one]) for one in range(self.classes))
            link = "=" if order.startswith("-") else " "
            return f"{hint}Use {OPTION}{link}{order} {PAGE}: {agree}."
        pairs = some([f"{by_class[one]} as {one}" for one in sorted(by_class, key=str)])
        return f"{hint}Write the labels as the model's classes, for example {pairs}: {agree}."

    def _name(self, value: object) -> object:
        return self.names[int(str(value))] if self.names else value


def aligned(found: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return predictions and labels alike in kind, with what was assumed for it: texts as texts, numbers as numbers.

    Texts that meet nowhere are compared as the numbers that they may be ("1.0" with 1); -1 and 1 stand for no and yes
    where the model answers 0 and 1.
    """
    if labels.dtype.kind != "U" and found.dtype.kind != "U":
        return _signs(found, labels)
    texts = found.astype(np.str_), labels.astype(np.str_)
    if np.isin(texts[1], texts[0]).any():
        return *texts, ()
    plain = tuple(np.array([canonical(one) for one in side.tolist()], np.str_) for side in texts)
    if not np.isin(plain[1], plain[0]).any():
        return *texts, ()
    return plain[0], plain[1], ("Labels such as 1.0 and answers such as 1 are compared as numbers.",)


def _signs(found: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return labels -1 and 1 as 0 and 1 for answers that never are -1."""
    if signed(labels) and not (found == -1).any() and np.isin(found, (0, 1)).all():
        return found, (labels > 0).astype(np.int64), ("The labels -1 and 1 are taken for the classes 0 and 1.",)
    return found, labels, ()


def signed(labels: np.ndarray) -> bool:
    """Say whether labels are -1 and 1 alone."""
    return labels.dtype.kind in "if" and set(np.unique(labels).tolist()) in ({-1, 1}, {-1})


def _sorted(values: np.ndarray) -> list[object]:
    if values.dtype.kind == "U":
        return list(natural(values))
    found: list[object] = np.unique(values).tolist()
    return found
