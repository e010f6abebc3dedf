"""One search for the best trade-off: which candidate comes next, what is best so far, and the verdict at the end."""

import random
from dataclasses import replace

from core.calls import answers, inspect, probe, sensitivity
from core.domain.errors import Cancelled, PortolanError, Refused, from_trouble
from core.domain.format import Summary
from core.domain.report import Quality
from core.domain.search import Original, Tuning
from core.domain.technique import QUARTERS
from core.domain.tuning import HeatMap
from core.domain.work import Lessons
from core.verbs.tuning import account, finishing, ladders
from core.verbs.tuning.ladders import Ladder, Means
from core.verbs.tuning.neighbours import NEAR, neighbours
from core.verbs.tuning.state import State
from core.verbs.tuning.trials import Trials
from core.verbs.tuning.visiting import visit
from core.verbs.tuning.walks import Walk

LEARNING, SELECTION = QUARTERS
HOPE = 0.9
"""Of the best measure: what a fresh ladder of rank 0 is hoped to come to; one of rank 2 to no less than the best."""


def must_be_base(quality: Quality | None) -> None:
    """Raise Refused where labels and answers cannot be the same thing, or the source does no better than guessing."""
    if quality and quality.unmet:
        raise from_trouble(quality.unmet)
    if quality and quality.doubt:
        raise Refused(f"The source is no base: {quality.doubt}", "Correct the labels, or use data without labels.")


class Search(State):
    """One search: which candidate comes next, until the time is up or none is left that can win."""

    def prepare(self) -> None:
        """Take up what was kept, record the source's answers on the selection samples, and measure the sensitivity."""
        before = self.bench.tools.memory.known("tune", self.request, Tuning)
        self.spent = before.seconds if before else 0.0
        self.earlier = {(p.ladder, p.rung): p for p in (before.points if before else ())}
        self.tell("Recording the answers of the source model on the selection samples")
        self.trials = self.opened()
        subject, quality = self.request.subject, self.trials.quality
        measure = self.trials.measure(self.source)
        self.original = Original(measure, quality, subject.size, subject.sha256, subject.name, subject.artifact)
        account.keep(self, "sensitivity")
        (found,) = inspect.audit(self.bench, [self.source], "source.onnx")
        self.heat = self.measured(before.heat if before else None)
        self.walks = [Walk(ladder, self.allowed) for ladder in self.usable(found.summary)]
        account.keep(self, "searching")

    def opened(self) -> Trials:
        """Return what candidates are tried with."""
        selection = replace(self.data, half=SELECTION)
        recorded, quality, samples = answers.ask(self.bench, self.source, selection)
        must_be_base(quality)
        lessons = Lessons(self.data, LEARNING, SELECTION, recorded, self.allowed)
        golden = probe.ask(self.bench, self.source, selection)
        return Trials(self.bench, self.source, lessons, golden, quality, self.goal, samples)

    def measured(self, before: HeatMap | None) -> HeatMap | None:
        """Return the heat map, measured once; None where there is none, which the search can do without."""
        keep, learning = set(self.request.keep), replace(self.data, half=LEARNING)
        self.tell("Measuring the sensitivity of each layer")
        try:
            heat = before or sensitivity.ask(self.bench, self.source, learning)
        except Cancelled:
            raise
        except PortolanError as error:
            self.heatless = error.message
            return None
        if unknown := keep - {row.name for row in heat.rows}:
            known = ", ".join(row.name for row in heat.rows[:20])
            raise Refused(
                f"No weight that can be tuned is called {', '.join(sorted(unknown))}.",
                f"Weights that there are: {known}.",
            )
        return heat.keeping(keep)

    def usable(self, summary: Summary) -> list[Ladder]:
        """Return the ladders to walk. Raises Refused where there is none."""
        keep = ",".join(self.request.keep)
        means = Means(self.trials.samples, self.budget / 60)
        found = ladders.ladders(summary, self.goal, self.heat, keep, means)
        if not found:
            raise Refused(f"No technique here makes the {self.goal} of this model smaller.", "Choose another goal.")
        return found

    def walk(self) -> None:
        """Try one candidate after the other until the time is up or none is left that can win."""
        while (pick := self.pick() or self.longer()) and (not self.points or self.timely(*pick)):
            visit(self, *pick)
            self.look_around()
            self.train_on()
            finishing.settle(self)

    def timely(self, walk: Walk, rung: int) -> bool:
        """Say whether there is time for a rung; one that was tried before takes none."""
        latest = [point.seconds for point in self.points[-5:]]
        training = 60 * sum(map(ladders.reckoned, walk.ladder.rungs[rung]))
        ahead = training + sum(latest) / len(latest) + self.reserve if self.best else 0.0
        return (walk.ladder.id, rung) in self.earlier or self.seconds + ahead < self.budget

    def pick(self) -> tuple[Walk, int] | None:
        """Return the ladder that promises most, with its next rung: by what that should measure."""
        able = [(walk, rung) for walk in self.walks if (rung := walk.next) is not None and not self.hopeless(walk)]
        return min(able, key=lambda one: self.promise(one[0]), default=None)

    def longer(self) -> tuple[Walk, int] | None:
        """Where no ladder is left that can win, add those that train with longer trainings, and return what to try."""
        return self.pick() if self.add_longer(self.walks) else None

    def train_on(self) -> None:
        """Add the ladders with longer trainings that are walked and came near the leader: more of the same may win."""
        best = self.leader.measure if self.leader else None
        self.add_longer([walk for walk in self.walks if walk.next is None and near(walk, best)])

    def add_longer(self, walks: list[Walk]) -> bool:
        """Put some ladders with longer trainings among the others, and say whether there was one that is new."""
        known = {walk.ladder.id for walk in self.walks}
        found = (ladders.longer(walk.ladder, walk.within) for walk in walks)
        new = [Walk(ladder, self.allowed) for ladder in found if ladder and ladder.id not in known]
        self.walks += new
        return bool(new)

    def look_around(self) -> None:
        """Put the recipes near a new leader among the ladders, in the place of those near the last."""
        if (
            not self.telling
            or self.goal not in ladders.FILES
            or self.leader is None
            or self.leader.number in self.around
        ):
            return
        self.around.add(self.leader.number)
        self.walks = [walk for walk in self.walks if walk.tried or not walk.ladder.id.startswith(NEAR)]
        known, keep = {walk.ladder.id for walk in self.walks}, ",".join(self.request.keep)
        found = [ladders.keeping(one, keep) for one in neighbours(self.leader.recipe, self.heat)]
        self.walks += [Walk(ladder, self.allowed) for ladder in found if ladder.id not in known]

    def promise(self, walk: Walk) -> tuple[float, ...]:
        """Return what ladders are ordered by: what the next rung should measure, by rank where none was tried; the seed decides among equals."""
        chance = random.Random(f"{self.request.seed} {walk.ladder.id}").random()  # noqa: S311
        reach = self.leader.measure if self.leader and self.leader.measure else self.original.measure
        fresh = reach * (HOPE + walk.ladder.rank * (1 - HOPE) / 2)
        return (walk.guess() or reach if walk.tried else fresh), walk.ladder.rank, chance


def near(walk: Walk, best: float | None) -> bool:
    """Say whether a little more on a ladder would beat the best."""
    found = walk.measures.get(walk.within) if walk.within is not None else None
    return found is not None and best is not None and HOPE * found <= best
