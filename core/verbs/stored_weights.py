"""Whether the weights of a source stand in its conversion, where samples cannot look: a verdict is never better for it than the samples made it."""

from dataclasses import replace

from core.calls import correspond
from core.calls.bench import Bench
from core.domain.errors import Cancelled, PortolanError
from core.domain.report import Parity, Verdict
from core.domain.work import Model

DIFFER = (
    "All answers that were compared are within the tolerance, but the result stores other weights: {}. "
    "Ask the source and the result with inputs that reach them, or report this conversion."
)


def judged(bench: Bench, source: Model, result: Model, parity: Parity) -> Parity:
    """Say beside a PASS which weights were found; NOT PROVEN where one is there but for a few numbers."""
    if parity.verdict is not Verdict.PASS or parity.tolerance is None:
        return parity
    try:
        found = correspond.ask(bench, source, result)
    except Cancelled:
        raise
    except PortolanError:  # the files are too large to be read twice within the limits: the samples stand alone
        return parity
    if found is None:
        return parity
    if found.changed:
        reason = DIFFER.format("; ".join(found.changed[:3]))
        return replace(parity, verdict=Verdict.NOT_PROVEN, reason=reason, weights=found)
    return replace(parity, reason=" ".join(filter(None, (parity.reason, found.sentence))), weights=found)
