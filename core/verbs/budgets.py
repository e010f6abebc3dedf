"""The gates of a move that hold a package to what its owner allows: quality, changed predictions, NaN, time and memory.

Shares are judged by exact bounds of what was counted (``core.proof.paired``), each with 95 % confidence, and never by
the figure in the middle: so few samples are NOT PROVEN, with the number that would settle it.
"""

import http.client
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from core.domain.conversion import Conversion
from core.domain.errors import first_line
from core.domain.loss import PairedLoss
from core.domain.migration import Budgets, Gate
from core.domain.report import Check, Count, Verdict
from core.proof import paired
from core.verbs import allowed_loss

BOTH = "both files, in fresh processes in the sandbox"
P95 = 0.95
REQUESTS, WARM, LONGEST = 300, 20, 20.0
"""Requests that are timed, those before them that are not, and seconds after which no more are sent."""
NEAR = 0.05
"""The share of a budget within which one peak of memory says nothing: another start may take as much more."""


def on_data(made: Conversion, budgets: Budgets) -> Iterator[Gate]:
    """Yield the gates on the owner's test data, where a drop was allowed."""
    if budgets.max_drop is None:
        return
    quality, name = made.quality, "Quality on your test data"
    flips = next((check for check in made.parity.checks if check.name == "data" and check.flips), None)
    if quality is not None:
        before, after = quality.before, quality.after
        if trouble := before.unmet or after.unmet:
            yield Gate(name, BOTH, Verdict.NOT_PROVEN, f"{trouble.message} {trouble.next_step}", after.samples)
        elif before.doubt or quality.loss is None:
            yield Gate(name, BOTH, Verdict.NOT_PROVEN, f"The source is no base: {before.doubt or 'the two cannot be paired.'}", after.samples)  # fmt: skip
        else:
            seen = " ".join(filter(None, (quality.seen("samples of your data"), quality.worst)))
            yield judged(name, seen, quality.loss, budgets.max_drop, after.correct)
    if flips is not None and flips.flips is not None:
        told = f"{flips.flips.k:,} of {flips.flips.n:,} predictions on your data changed."
        kept = Count(flips.flips.n - flips.flips.k, flips.flips.n)
        loss = changed(made, flips)
        if loss is None:
            words = f"{told} {allowed_loss.GROUPED}"
            yield Gate("Changed predictions", BOTH, Verdict.NOT_PROVEN, words, flips.samples, count=kept)
        else:
            yield judged("Changed predictions", told, loss, budgets.max_drop, kept)
    if quality is None and flips is None:
        words = "There is no test data to judge by: add a data set, preferably with labels."
        yield Gate(name, BOTH, Verdict.NOT_PROVEN, words)


def changed(made: Conversion, flips: Check) -> PairedLoss | None:
    """Return the changed predictions as a loss, of groups for as many samples as the quality of the same ones counts for; None where nobody counted these."""
    loss, quality = allowed_loss.changes(flips), made.quality
    if not allowed_loss.grouped(made.data):
        return loss
    if quality is None or quality.loss is None or quality.after.samples != flips.samples:
        return None
    return paired.dependent(loss, quality.loss.samples)


def judged(name: str, seen: str, loss: PairedLoss, allowed: float, count: Count | None) -> Gate:
    """Judge a loss by its interval, and say how many samples would settle it where these do not."""
    verdict = paired.verdict(loss, allowed)
    wanted = max(paired.needed(loss, allowed) or 0, paired.needed_as_seen(loss, allowed) or 0)
    more = (
        f" About {wanted:,} samples would settle it." if verdict is Verdict.NOT_PROVEN and wanted > loss.samples else ""
    )
    reason = f"{seen} {loss.bounds} {allowed:.2%} is allowed.{more}"
    return Gate(name, BOTH, verdict, reason, loss.samples, count=count)


def finite(kept: Count, where: str) -> Gate:
    """Judge the recorded calls whose answer is NaN or infinite only where the source's own is."""
    name = "No new NaN or infinity"
    if not kept.n:
        return Gate(name, where, Verdict.NOT_PROVEN, "No recorded call was answered.")
    bad = kept.n - kept.k
    words = (
        f"{bad:,} of {kept.n:,} recorded calls are answered with NaN or infinity where the source gives numbers."
        if bad
        else f"In {kept.n:,} of {kept.n:,} recorded calls the package gives numbers wherever the source does."
    )
    return Gate(name, where, Verdict.FAIL if bad else Verdict.PASS, words, kept.n, count=kept)


def latency(ask: Callable[[], None], budget: float, where: str) -> Gate:
    """Time requests one after another, and judge the share that is answered within ``budget`` milliseconds."""
    taken, began = [], time.monotonic()
    for number in range(WARM + REQUESTS):
        if time.monotonic() - began > LONGEST:
            break
        before = time.perf_counter()
        try:
            ask()
        except (ValueError, OSError, http.client.HTTPException) as error:
            return Gate("Latency (p95)", where, Verdict.FAIL, f"A request was not answered: {first_line(error)}"[:300])
        if number >= WARM:
            taken.append(1e3 * (time.perf_counter() - before))
    return within(taken, budget, where)


def within(taken: list[float], budget: float, where: str) -> Gate:
    """Judge times in milliseconds: the 95th percentile keeps to a budget where 95 % of all requests do."""
    kept = Count(sum(one <= budget for one in taken), len(taken))
    at_least, at_most = (paired.least(kept.k, kept.n), paired.most(kept.k, kept.n)) if taken else (0.0, 1.0)
    verdict = Verdict.PASS if at_least >= P95 else Verdict.FAIL if at_most < P95 else Verdict.NOT_PROVEN
    middle = (
        f"; p95 {sorted(taken)[int(P95 * len(taken))]:.3g} ms, median {sorted(taken)[len(taken) // 2]:.3g} ms"
        if taken
        else ""
    )
    words = (
        f"{kept.k:,} of {kept.n:,} requests of one recorded call, one after another, within {budget:g} ms{middle}. "
        f"With 95 % confidence, {f'at most {at_most:.1%}' if verdict is Verdict.FAIL else f'at least {at_least:.1%}'} keep to it; 95 % must."
    )
    return Gate("Latency (p95)", where, verdict, words, kept.n, count=kept)


def memory(pid: int | None, budget: float, where: str) -> Gate:
    """Judge the peak of the resident memory of the server, after it has answered everything that it was asked here."""
    name, peak = "Memory", peaked(pid)
    if peak is None:
        return Gate(name, where, Verdict.NOT_PROVEN, "This machine does not say how much memory a process took.")
    close = abs(peak - budget) <= NEAR * budget
    verdict = Verdict.NOT_PROVEN if close else Verdict.PASS if peak < budget else Verdict.FAIL
    more = f" That is within {NEAR:.0%} of the budget, and a peak varies from start to start." if close else ""
    return Gate(
        name,
        where,
        verdict,
        f"Peak of {peak:,.1f} MB over all recorded calls, large batches too; {budget:,.6g} MB are allowed.{more}",
        1,
    )


def peaked(pid: int | None) -> float | None:
    """Return the largest resident memory of a process so far, in MB; None where the system does not say."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM")), None)
