"""What a search says of itself while it runs and when it is over: what pages draw, and one sentence for people."""

from core.domain.report import Verdict
from core.domain.search import Tuning
from core.domain.tuning import RULE, Goal, Progress, Standing
from core.verbs.tuning.state import State
from core.verbs.tuning.walks import Walk

WON = {Goal.SIZE: "smaller", Goal.TRAVEL: "smaller to download", Goal.LATENCY: "faster", Goal.MEMORY: "less memory"}


def keep(search: State, stage: str) -> None:
    """Write down what is known so far."""
    search.stage = stage
    search.bench.tools.memory.keep(result(search))


def result(search: State) -> Tuning:
    """Return all that is known so far: the heat map, ladders, points, the best, and the looks at the test half."""
    lines = [line(search, walk) for walk in search.walks]
    left = sum(one.left for one in lines) if search.stage == "searching" else 0
    return Tuning(
        minimise=search.goal,
        max_drop=search.allowed,
        seed=search.request.seed,
        keep=search.request.keep,
        stage=search.stage,
        sentence=sentence(search),
        seconds=search.seconds,
        budget_seconds=search.budget,
        left_seconds=seconds_left(search, left),
        candidates_left=left,
        source=search.original,
        heat=search.heat,
        heatless=search.heatless,
        ladders=tuple(lines),
        points=tuple(search.points),
        frontier=tuple(point.number for point in search.frontier()),
        best=search.best,
        looks=tuple(search.looks),
        rule=RULE,
        data=search.data,
    )


def seconds_left(search: State, candidates: int) -> float:
    """Return the seconds that the search may still take: the rest of the budget, or less where few candidates are left."""
    if search.stage == "done":
        return 0.0
    rest = max(0.0, search.budget - search.seconds)
    if not search.points:
        return rest
    each = sum(point.seconds for point in search.points) / len(search.points)
    return min(rest, candidates * each + search.reserve)


def line(search: State, walk: Walk) -> Progress:
    """Return where a ladder stands."""
    one, over = walk.ladder, walk.next is None
    lost = search.hopeless(walk)
    standing = Standing.WALKING if walk.tried else Standing.WAITING
    if over or lost:
        standing = Standing.WALKED if over else Standing.OVERTAKEN
    if over and walk.within is None and walk.reason:
        standing = Standing.REFUSED
    left = 0 if over or lost else walk.left
    return Progress(one.id, one.title, one.family, standing, len(one.rungs), walk.tried, walk.within, left, walk.reason)


def sentence(search: State) -> str:
    """Say what stands: the best so far, or the verdict with the number of looks at the test half."""
    tried = f"{len(search.points)} candidate{'s' if len(search.points) != 1 else ''} tried"
    if not search.looks:
        so_far = "" if search.stage == "done" else " so far"
        best = (
            f"best{so_far}: {search.best.title}, {won(search)}"
            if search.best
            else f"none is within the allowed drop{so_far}"
        )
        return f"{tried}; {best}."
    times = "once" if len(search.looks) == 1 else f"{len(search.looks)} times"
    words = f"{tried}; the test half was used {times}."
    if search.best is None:
        done = " Nothing is left to offer: allow a larger drop, or add more samples." if search.stage == "done" else ""
        return f"{words} {search.points[search.looks[-1].point].title}: {search.looks[-1].verdict}. {search.looks[-1].reason}{done}"
    mine = next((look for look in search.looks if look.point == search.best.number), None)
    if mine is None:
        return f"{words} Best so far: {search.best.title}, {won(search)}."
    beyond = [look for look in search.looks if look.verdict is not Verdict.PASS and look.point != search.best.number]
    more = (
        f" Beyond it, {search.points[beyond[0].point].title} was {beyond[0].verdict}."
        if beyond and mine.verdict is Verdict.PASS
        else ""
    )
    return f"{words} The winner, {search.best.title}, {won(search)}: {mine.verdict}. {mine.reason}{more}"


def won(search: State) -> str:
    """Say how many times less the best measures than the source."""
    measure = search.best.measure if search.best else None
    return f"{search.original.measure / measure if measure else 1.0:.2f} times {WON[search.goal]}"
