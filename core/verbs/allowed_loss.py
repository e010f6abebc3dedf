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
        settle = paired.needed(quality.loss, allowed)
        return _judged(parity, quality.loss, allowed, settle, quality.seen("held-out samples"), quality.worst)
    check = next((check for check in parity.checks if check.name == "data"), None)
    if quality or check is None or check.flips is None:
        return replace(parity, verdict=Verdict.NOT_PROVEN, reason=NOTHING)
    loss = changes(check)
    seen = f"{check.flips.k:,} of {check.flips.n:,} predictions changed on held-out samples without labels."
    return _judged(parity, loss, allowed, paired.needed_unlabelled(loss, allowed), seen, "")


def changes(check: Check) -> PairedLoss:
    """Return the share of changed predictions as a loss; several of one sample, as of a mask, count for no more than the sample."""
    assert check.flips
    n = min(check.flips.n, check.samples)
    return paired.changes(math.ceil(check.flips.k * n / check.flips.n), n)


def _judged(parity: Parity, loss: PairedLoss, allowed: float, settle: int | None, seen: str, worst: str) -> Parity:
    """Return the proof with verdict, bounds and reason, which are those of the check on the data too."""
    verdict = paired.verdict(loss, allowed)
    told = [seen, f"{_bounds(loss, verdict)}; {allowed:.2%} is allowed."]
    if verdict is Verdict.NOT_PROVEN:
        told.append(_settling(loss, allowed, settle))
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


def _settling(loss: PairedLoss, allowed: float, settle: int | None) -> str:
    """Say how many samples would settle the verdict."""
    if allowed <= 0:
        return NEVER
    if settle is None:
        return f"What was seen is so near to what is allowed that no number of samples is likely to settle it; here were {loss.samples:,}."
    return (
        f"About {settle:,} held-out samples would settle it, which is a data set of about {2 * settle:,}; "
        f"here were {loss.samples:,}."
    )
