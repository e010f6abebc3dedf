"""What makes a candidate of a search something to download, and the looks at the test half when the search is over.

Proof, measurements and bundle take longer than a candidate, so the first within the drop gets them at once, and later
ones when they are clearly better and a share of the time allows it.
"""

import math
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

LEARNING, SELECTION = QUARTERS
GAIN, SHARE = 0.98, 0.25
"""What the leader measures to the last that can be downloaded, at most, and the share of the time that goes there."""
SURE = 0.5
"""Of what is allowed: a bound that is sure to be kept on the test half."""


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
    """Look at the test half with candidates from gentle to aggressive until one is no PASS, and keep the last that is one.

    Where the first is none already, nothing more can be proven; then what the search leads with is offered as not proven.
    """
    account.keep(search, "judging")
    passed: Point | None = None
    for point in order(search.frontier(), search.allowed):
        if look(search, point) is not Verdict.PASS:
            break
        passed = point
    best = passed or unproven(search)
    search.best = None if best is None else packed(search, best)
    search.stage = "done"


def order(frontier: list[Point], allowed: float) -> list[Point]:
    """Return the points of a frontier, the boldest first, that are looked at in this order, by the selection samples alone.

    One that is sure, the boldest that should be proven, and beyond.
    """
    front = frontier[::-1]
    able = [n for n, point in enumerate(front) if reach(point) <= allowed]
    if not able:
        return sorted(front, key=reach)[:1]
    sure = [n for n in able if reach(front[n]) <= SURE * allowed][-1:] or able[:1]
    places = dict.fromkeys([*sure, able[-1], min(able[-1] + 1, len(front) - 1), len(front) - 1])
    return [front[n] for n in places]


def reach(point: Point) -> float:
    """Return the upper bound that the test half should give."""
    return math.inf if point.bound is None else point.bound


def unproven(search: State) -> Point | None:
    """Return what may be offered although no look was a PASS: the leader, or else the one that was looked at, unless they failed.

    A leader that would PASS is not taken: it would be the luckiest of two.
    """
    leader = search.leader
    if leader is None:
        return None
    seen = {one.point: one.verdict for one in search.looks}
    if leader.number not in seen:
        seen = {leader.number: look(search, leader), **seen}
    open_ = [number for number, verdict in seen.items() if verdict is Verdict.NOT_PROVEN]
    return search.points[open_[0]] if open_ else None


def look(search: State, point: Point) -> Verdict:
    """Judge a point on the test half."""
    search.tell(f"Judging {point.title} on the test half")
    parity = verdict(search, point, golden(search))
    search.looks.append(Look(point.number, parity.verdict, parity.reason))
    account.keep(search, "judging")
    return parity.verdict


def packed(search: State, point: Point) -> Point:
    """Measure a point that was looked at, and return it with its files."""
    search.tell(f"Measuring {point.title} and packing it with its evidence")
    search.bench.cost = Cost()
    made = files(compression(search, point, TEST, golden(search), search.effort))
    search.looks = [replace(one, files=made) if one.point == point.number else one for one in search.looks]
    return replace(point, files=made)


def golden(search: State) -> Golden:
    """Return the source's answers to the test half."""
    return probe.ask(search.bench, search.source, replace(search.data, half=TEST))


def verdict(search: State, point: Point, golden: Golden) -> Parity:
    """Return what the test half says of a point, as its compression will say it."""
    bench, applied = search.bench, search.trials.applied(point)
    tolerance = compress.loosest([(one.technique, one.step) for one in applied])
    parity = compare.ask(bench, applied[-1].model, golden, tolerance)
    if tolerance is not ANY or parity.verdict is Verdict.FAIL:
        return parity
    held = replace(search.data, half=TEST)
    quality = compress.measure(bench, search.source, applied[-1].model, held, golden)
    return allowed_loss.judge(parity, quality, search.allowed, held)


def files(result: Compression) -> dict[str, str]:
    """Return the SHA-256 of what a compression leaves to download; nothing where it failed."""
    return {"artifact": result.artifact.sha256, "bundle": result.bundle.sha256} if result.bundle else {}
