"""One candidate tried and written down: what its recipe came to on the selection samples, or why it did not run."""

import time
from dataclasses import replace

from core.calls.bench import Cost
from core.domain.errors import Cancelled, PortolanError, Refused
from core.domain.tuning import Point
from core.verbs.tuning import account
from core.verbs.tuning.ladders import Ladder
from core.verbs.tuning.state import State
from core.verbs.tuning.walks import Walk

LEAST_SECONDS = 20.0
"""What a candidate may take however little time is left."""


def visit(search: State, walk: Walk, rung: int) -> Point:
    """Try one rung, unless it was tried before the search was stopped, and keep and return what came of it."""
    search.bench.cost, begun = Cost(), time.monotonic()
    known = search.earlier.get((walk.ladder.id, rung))
    if known is None:
        search.tell(f"{walk.ladder.title}, step {rung + 1} of {len(walk.ladder.rungs)}")
        known = replace(tried(search, walk.ladder, rung), seconds=time.monotonic() - begun)
    point = replace(known, number=len(search.points), files={})
    search.points.append(point)
    walk.note(point)
    account.keep(search, search.stage)
    return point


def tried(search: State, ladder: Ladder, rung: int) -> Point:
    """Return the point of a rung: what its recipe came to on the selection samples, or why it did not run."""
    empty = Point(0, ladder.id, rung, ladder.title, ladder.family, tuple(ladder.rungs[rung]), 0.0)
    try:
        return search.trials.tried(empty, max(LEAST_SECONDS, search.budget - search.seconds))
    except Cancelled:
        raise
    except PortolanError as error:
        reason = f"{error.message} {error.next_step}".strip()
        return replace(empty, reason=reason, broken=not isinstance(error, Refused))
