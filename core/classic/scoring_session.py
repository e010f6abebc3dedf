"""A session on columns: whatever scores a statistical model, it is asked by one table or by named columns."""

from collections.abc import Callable

import numpy as np

from core.domain.runtime import Domain, Session
from core.scoring import domains, score, signature, source
from core.scoring.form import Form

Arrays = dict[str, np.ndarray]


class ScoringSession(Session):
    """Splits a table into columns, and asks ``answer`` for arrays by name; missing numbers are its business."""

    expects_missing = True

    def __init__(self, described: signature.Described, answer: Callable[[Arrays], Arrays]) -> None:
        self._names, self._answer = [one["name"] for one in described["inputs"]], answer
        self._is_table = signature.is_table(described["inputs"])
        self.signature = signature.signature(described)
        self.thresholds: dict[int, tuple[float, ...]] = {}
        self.domains = {
            spec.name: Domain("choice", values=("unknown",)) if spec.dtype == "str" else Domain()
            for spec in self.signature.inputs
        }

    def run(self, inputs: Arrays) -> Arrays:
        """Return label and probabilities, label and scores, or variable."""
        if self._is_table:
            return self._answer({name: inputs["X"][:, place] for place, name in enumerate(self._names)})
        return self._answer({name: inputs[name].reshape(-1) for name in self._names})


def of_form(form: Form) -> ScoringSession:
    """Return a session that scores a form in NumPy, and draws its probes from what the form knows of its inputs."""
    session = ScoringSession(source.described(form), lambda columns: score.score(form, columns))
    session.thresholds = domains.thresholds(form)
    texts, ranges = domains.known_texts(form), domains.ranges(form)
    for spec in session.signature.inputs:
        names = [one.name for one in form.inputs] if spec.name == "X" else [spec.name]
        if spec.dtype == "str":
            values = tuple(dict.fromkeys(value for name in names for value in texts[name]))
            session.domains[spec.name] = Domain("choice", values=values or ("unknown",))
        else:
            means, spreads = zip(*(ranges[name] for name in names), strict=True)
            session.domains[spec.name] = Domain(mean=means, spread=spreads)
    return session


def by_rows(predict: Callable[[dict[str, object]], dict[str, object]]) -> Callable[[Arrays], Arrays]:
    """Return what answers arrays by asking row after row."""

    def answer(columns: Arrays) -> Arrays:
        rows = zip(*(values.tolist() for values in columns.values()), strict=True)
        found = [predict(dict(zip(columns, row, strict=True))) for row in rows]
        return {name: np.array([one[name] for one in found]) for name in (found[0] if found else ())}

    return answer
