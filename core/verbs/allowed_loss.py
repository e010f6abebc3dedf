"""The verdict on a file whose numbers were changed on purpose: whether it loses no more on samples that nobody has seen than was allowed."""

import math
from dataclasses import replace

from core.domain.loss import PairedLoss
from core.domain.measures import Qualities
from core.domain.report import Check, Parity, Verdict
from core.proof import paired

NOTHING = "Nothing shows what the changed numbers cost: add a data set, preferably with labels."
NEVER = "No number of samples can show that nothing at all is lost: allow a small drop."


def judge(parity: Parity, quality: Qualities | None, allowed: float) -> Parity:
    """Return the proof with the verdict on what was lost: in quality, or without labels in changed predictions."""
    if quality and quality.before.doubt:
        return replace(parity, verdict=Verdict.NOT_PROVEN, reason=f"The source is no base: {quality.before.doubt}")
    if quality and quality.loss:
        settling = _settling(quality.loss, allowed, paired.needed(quality.loss, allowed))
        return _judged(parity, quality.loss, allowed, settling, quality.seen("held-out samples"), quality.worst)
    check = next((check for check in parity.checks if check.name == "data"), None)
    if quality or check is None or check.flips is None:
        return replace(parity, verdict=Verdict.NOT_PROVEN, reason=NOTHING)
    loss = changes(check)
    seen = f"{check.flips.k:,} of {check.flips.n:,} predictions changed on held-out samples without labels."
    return _judged(parity, loss, allowed, _settling(loss, allowed, None), seen, "")


def changes(check: Check) -> PairedLoss:
    """Return the share of changed predictions as a loss; several of one sample, as of a mask, count for no more than the sample."""
    assert check.flips
    n = min(check.flips.n, check.samples)
    return paired.changes(math.ceil(check.flips.k * n / check.flips.n), n)


def _judged(parity: Parity, loss: PairedLoss, allowed: float, settling: str, seen: str, worst: str) -> Parity:
    """Return the proof with verdict, bounds and reason, which are those of the check on the data too."""
    verdict = paired.verdict(loss, allowed)
    told = [seen, f"{_bounds(loss, verdict)}; {allowed:.2%} is allowed."]
    if verdict is Verdict.NOT_PROVEN:
        told.append(settling)
    reason = " ".join(filter(None, (*told, worst)))
    checks = tuple(replace(check, verdict=verdict) if check.name == "data" else check for check in parity.checks)
    return replace(parity, verdict=verdict, reason=reason, checks=checks, loss=loss)


def _bounds(loss: PairedLoss, verdict: Verdict) -> str:
    """Say how much is lost on other samples, as far as it matters."""
    if verdict is Verdict.PASS:
        return f"On other samples the loss is at most {loss.high:.2%} with 95 % confidence"
    if verdict is Verdict.FAIL:
        return f"On other samples the loss is at least {loss.low:.2%} with 95 % confidence"
    if math.isinf(loss.high):
        return "So few samples do not say how much is lost on others"
    return f"On other samples the loss may be up to {loss.high:.2%} with 95 % confidence"


def _settling(loss: PairedLoss, allowed: float, lossless: int | None) -> str:
    """Say how many samples would settle the verdict: where nothing is lost in truth, and where as much is as here."""
    if allowed <= 0:
        return NEVER
    here, seen = loss.samples, paired.needed_as_seen(loss, allowed)
    ways = []
    if lossless and lossless > here:
        ways.append(f"about {lossless:,} if nothing is lost in truth")
    if seen and seen > max(here, lossless or 0):
        ways.append(f"about {seen:,} if as much is lost as here")
    if not ways:
        return f"What was seen is so near to what is allowed that no number of samples is likely to settle it; here were {loss.samples:,}."
    return (
        f"Held-out samples that would settle it: {', '.join(ways)}; here were {loss.samples:,}. "
        "A data set takes twice as many, since half of it calibrates."
    )
