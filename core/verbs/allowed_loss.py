"""The verdict on a file whose numbers were changed on purpose: whether it loses no more on samples that nobody has seen than was allowed."""

import math
from dataclasses import replace

from core.domain.loss import PairedLoss
from core.domain.measures import Kept, Qualities
from core.domain.report import Check, Parity, Verdict
from core.domain.split import By
from core.domain.work import Data
from core.proof import paired
from core.proof.redrawn import FEWEST_OF_CLASS

NOTHING = "Nothing shows what the changed numbers cost: add a data set, preferably with labels."
UNLIKE = "The answers of both models cannot be set beside each other by this metric, so nothing shows what was lost."
GROUPED = "Changed predictions of one group are not independent, so their number proves nothing about other samples."
GROUPED_ALONE = f"{GROUPED} There are no labels to judge by: add labels."
HELD_OUT = "held-out samples"
HALF = "A data set takes twice as many, since half of it calibrates."
NEVER = "No number of samples can show that nothing at all is lost: allow a small drop."


def judge(parity: Parity, quality: Qualities | None, allowed: float, data: Data | None = None) -> Parity:
    """Return the proof with the verdict on what was lost: in quality, or without labels in changed predictions, of which those of one group are not independent."""
    if quality and (quality.before.doubt or quality.loss):
        found = kept(quality, allowed, HELD_OUT)
        return _with(parity, found, None if quality.before.doubt else quality.loss)
    check = next((check for check in parity.checks if check.name == "data"), None)
    if quality or check is None or check.flips is None or grouped(data):
        reason = kept(quality, allowed, HELD_OUT).reason if quality else GROUPED_ALONE if grouped(data) else NOTHING
        return replace(parity, verdict=Verdict.NOT_PROVEN, reason=reason)
    loss = changes(check)
    seen = f"{check.flips.k:,} of {check.flips.n:,} predictions changed on held-out samples without labels."
    return _with(parity, _judged(loss, allowed, None, (seen, "", HALF)), loss)


def kept(quality: Qualities, allowed: float, samples: str) -> Kept:
    """Return whether a quality is kept on samples that nobody has seen, by the metric that it was measured by; the samples are called as told."""
    loss, seen, unmet = quality.loss, quality.seen(samples), quality.before.unmet
    if unmet:
        return Kept(Verdict.NOT_PROVEN, f"{unmet.message} {unmet.next_step}")
    if quality.before.doubt:
        return Kept(Verdict.NOT_PROVEN, f"The source is no base: {quality.before.doubt}")
    if loss is None:
        return Kept(Verdict.NOT_PROVEN, UNLIKE)
    half = HALF if samples == HELD_OUT else ""
    return _judged(loss, allowed, paired.needed(loss, allowed), (seen, quality.worst, half))


def added(quality: Qualities | None, data: Data | None, allowed: float) -> Qualities | None:
    """Return the qualities with their verdict, where the task of the data declares a metric."""
    if quality is None or data is None or data.task is None or not data.task.metric:
        return quality
    return replace(quality, kept=kept(quality, allowed, "samples"))


def grouped(data: Data | None) -> bool:
    """Say whether samples of one group, such as one patient, stand together in the data."""
    return data is not None and data.split is not None and data.split.by is By.GROUP


def changes(check: Check) -> PairedLoss:
    """Return the share of changed predictions as a loss; several of one sample, as of a mask, count for no more than the sample."""
    assert check.flips
    n = min(check.flips.n, check.samples)
    return paired.changes(math.ceil(check.flips.k * n / check.flips.n), n)


def _judged(loss: PairedLoss, allowed: float, lossless: int | None, words: tuple[str, str, str]) -> Kept:
    """Return the verdict with what was seen, the bound, what would settle it, and the worst class; where only a half of a data set was looked at, that is said too."""
    verdict, (seen, worst, half) = paired.verdict(loss, allowed), words
    told = [seen, f"{_bounds(loss, verdict)}; {allowed:.2%} is allowed."]
    if verdict is Verdict.NOT_PROVEN:
        told.append(_settling(loss, allowed, lossless, half))
    return Kept(verdict, " ".join(filter(None, (*told, worst))))


def _with(parity: Parity, found: Kept, loss: PairedLoss | None) -> Parity:
    """Return the proof with a verdict and its reason, which are those of the check on the data too where there is a loss."""
    checks = tuple(replace(one, verdict=found.verdict) if loss and one.name == "data" else one for one in parity.checks)
    return replace(parity, verdict=found.verdict, reason=found.reason, checks=checks, loss=loss or parity.loss)


def _bounds(loss: PairedLoss, verdict: Verdict) -> str:
    """Say how much is lost on other samples, as far as it matters."""
    if verdict is Verdict.PASS:
        return f"On other samples the loss is at most {loss.high:.2%} with 95 % confidence"
    if verdict is Verdict.FAIL:
        return f"On other samples the loss is at least {loss.low:.2%} with 95 % confidence"
    if math.isinf(loss.high):
        return "So few samples do not say how much is lost on others"
    return f"On other samples the loss may be up to {loss.high:.2%} with 95 % confidence"


def _settling(loss: PairedLoss, allowed: float, lossless: int | None, half: str) -> str:
    """Say how many samples would settle the verdict: where nothing is lost in truth, and where as much is as here."""
    if allowed <= 0:
        return NEVER
    if math.isinf(loss.unseen):
        return f"At least one class has too few samples: add some until each has {FEWEST_OF_CLASS} or more here. {half}".rstrip()
    here, seen = loss.samples, paired.needed_as_seen(loss, allowed)
    ways = []
    if lossless and lossless > here:
        ways.append(f"about {lossless:,} if nothing is lost in truth")
    if seen and seen > max(here, lossless or 0):
        ways.append(f"about {seen:,} if as much is lost as here")
    if not ways:
        return f"What was seen is so near to what is allowed that no number of samples is likely to settle it; here were {loss.samples:,}."
    return f"Held-out samples that would settle it: {', '.join(ways)}; here were {loss.samples:,}. {half}".rstrip()
