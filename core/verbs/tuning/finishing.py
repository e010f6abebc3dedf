"""What makes a candidate of a search something to download, and the looks at the test half when the search is over.

Proof, measurements and bundle take longer than a candidate, so the first within the drop gets them at once, and later
ones when they are clearly better and a share of the time allows it.
"""

import time
from dataclasses import replace

from core.calls import compare, probe
from core.calls.bench import Cost
from core.domain.compression import TEST, Compression, CompressRequest
from core.domain.report import Parity, Verdict
from core.domain.technique import ANY, QUARTERS
from core.domain.tuning import Look, Point
from core.domain.work import Golden
from core.verbs import allowed_loss, compress
from core.verbs.compress import Effort
from core.verbs.tuning import account
from core.verbs.tuning.state import State
from core.verbs.tuning.trials import QUICK
from core.verbs.tuning.visiting import visit

LEARNING, SELECTION = QUARTERS
GAIN, SHARE = 0.98, 0.25
"""What the leader measures to the last that can be downloaded, at most, and the share of the time that goes there."""
LOOKS = 3
"""Looks at the test half at most: more would make it one more set to choose by."""
MILDER = 1.15
"""Of the measure of a candidate that failed on the test half: what the next has at least; few samples tell like ones not apart."""
NEXT = 1.02
"""The same where many samples tell like ones apart: the best of many is the luckiest too, and one beside it may hold."""
LAST = 2 / 3
"""Of the loss to expect of a candidate that failed: what the one at the last look may be expected to lose; and of what is allowed, the one beside it."""


def settle(search: State) -> None:
    """Make the leader something to download where it is time."""
    leader, best = search.leader, search.best
    if leader is None or (best and (best.number == leader.number or not worth(search, leader))):
        return
    search.tell(f"New best: {leader.title}; packing it with its evidence")
    begun = time.monotonic()
    result = compression(search, leader, SELECTION, search.trials.golden, QUICK)
    if result.parity.verdict is Verdict.FAIL:
        search.points[leader.number] = replace(leader, within=False, reason=result.parity.reason)
    else:
        search.best = search.points[leader.number] = replace(leader, files=files(result))
    search.finished.append(time.monotonic() - begun)
    account.keep(search, "searching")


def worth(search: State, leader: Point) -> bool:
    """Say whether the leader is better by enough, and the time was not yet spent on such."""
    before = search.best.measure if search.best else None
    better = before is None or (leader.measure or 0.0) <= GAIN * before
    return better and sum(search.finished) <= SHARE * search.seconds


def compression(search: State, point: Point, part: str, golden: Golden, effort: Effort) -> Compression:
    """Return the compression of a point, judged on a part of the data, and write it down as such."""
    memory, request = search.bench.tools.memory, asked(search, point, part)
    if (known := memory.known("compress", request, Compression)) is not None:
        return known
    held, applied = replace(search.data, half=part), search.trials.applied(point)
    result = compress.proven(search.bench, request, applied, held, golden, effort)
    memory.answer("compress", request, result)
    return result


def asked(search: State, point: Point, part: str) -> CompressRequest:
    """Return how anybody asks for the compression of a point."""
    request = search.request
    return CompressRequest(request.subject, point.recipe, request.data, search.allowed, LEARNING, part)


def judge(search: State) -> None:
    """Look at the test half with the leader, and where it fails there with one that should lose clearly less."""
    account.keep(search, "judging")
    point = search.leader
    while point is not None and len(search.looks) < LOOKS:
        if look(search, point) is not Verdict.FAIL:
            break
        point = milder(search, point)
    search.stage = "done"


def look(search: State, point: Point) -> Verdict:
    """Judge a point on the test half; only one that holds there is measured and packed."""
    search.tell(f"Judging {point.title} on the test half")
    search.bench.cost, result = Cost(), None
    held = replace(search.data, half=TEST)
    golden = probe.ask(search.bench, search.source, held)
    parity = verdict(search, point, golden)
    if parity.verdict is not Verdict.FAIL:
        result = compression(search, point, TEST, golden, search.effort)
        parity = result.parity
    made = files(result) if result else {}
    search.looks.append(Look(point.number, parity.verdict, parity.reason, made))
    search.best = None if parity.verdict is Verdict.FAIL else replace(point, files=made)
    account.keep(search, "judging")
    return parity.verdict


def verdict(search: State, point: Point, golden: Golden) -> Parity:
    """Return what the test half says of a point."""
    bench, target = search.bench, search.trials.applied(point)[-1].model
    quality = compress.measure(bench, search.source, target, replace(search.data, half=TEST), golden)
    return allowed_loss.judge(compare.ask(bench, target, golden, ANY), quality, search.allowed)


def milder(search: State, failed: Point) -> Point | None:
    """Return what to judge after a point that failed: the best that is gentler and should lose no more, at the last look clearly less; else a gentler rung, tried now."""
    last = len(search.looks) == LOOKS - 1
    if search.telling and not last:
        least, most = NEXT * (failed.measure or 0.0), LAST * search.allowed
    else:
        least, most = MILDER * (failed.measure or 0.0), (LAST if last else 1.0) * (failed.expected or 0.0)
    gentler = [p for p in search.able() if (p.measure or 0.0) >= least and (p.expected or 0.0) <= most]
    if gentler:
        return gentler[0]
    tried = {(point.ladder, point.rung) for point in search.points}
    walk, rung = next(walk for walk in search.walks if walk.ladder.id == failed.ladder), failed.rung // 2
    if rung == failed.rung or (failed.ladder, rung) in tried or len(search.looks) == LOOKS:
        return None
    point = visit(search, walk, rung)
    return point if point in search.frontier() else None


def files(result: Compression) -> dict[str, str]:
    """Return the SHA-256 of what a compression leaves to download; nothing where it failed."""
    return {"artifact": result.artifact.sha256, "bundle": result.bundle.sha256} if result.bundle else {}
