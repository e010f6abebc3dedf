"""Try every target: convert one model to each format that the converters write, prove each result, and keep what was found."""

import logging
import math
from dataclasses import dataclass, field, replace

from core.calls import probe
from core.calls.bench import Bench, Cost
from core.converters import CONVERTERS, route, targets, unavailable
from core.domain.conversion import Conversion, ConvertRequest
from core.domain.errors import Cancelled, PortolanError, Refused, our_fault
from core.domain.integer_products import Sums
from core.domain.portability import Attempt, Leg, Portability, PortabilityRequest, Standing
from core.domain.recipe import Option, Step
from core.domain.report import Verdict
from core.domain.transform import Converter, option_fields
from core.domain.work import Golden, Model
from core.formats import FORMATS
from core.jobs.verb import Verb
from core.memory.store import Store
from core.runtimes import cannot_run
from core.sandbox.tools import Tools
from core.verbs import convert
from core.verbs.transform import Applied, advance, check_code, check_consent

log = logging.getLogger(__name__)

DONE = {Verdict.PASS: Standing.PROVEN, Verdict.NOT_PROVEN: Standing.UNPROVEN, Verdict.FAIL: Standing.DIFFERS}


def run(tools: Tools, request: PortabilityRequest) -> Portability:
    """Try every target for a model, compared on the data too if given; options go to every step that declares them.

    Each proven conversion is written down as the answer to the conversion that a visitor would ask for. Raises Refused
    when the file needs consent or answers nothing.
    """
    return on(Bench(tools), request)


def on(bench: Bench, request: PortabilityRequest) -> Portability:
    """Try every target on a given bench; see ``run``."""
    source, consent = request.subject.model, request.subject.consent
    check_consent(source, consent)
    check_code(request.code, consent)
    search = Search(bench, request, source, plans(source.format))
    search.prepare()
    search.keep()
    for place in range(len(search.attempts)):
        search.visit(place)
    return search.result()


def plans(source: str) -> list[Attempt]:
    """Return every format that a converter writes, nearest first, with the way there or the reason why there is none."""
    reachable = targets(source)
    others = [c.target for c in CONVERTERS if c.target not in reachable and c.target != source]
    return [planned(source, target) for target in dict.fromkeys([*reachable, *others])]


def planned(source: str, target: str) -> Attempt:
    """Return where a target stands before anything was tried."""
    title = FORMATS[target].title
    try:
        steps = route(source, target)
    except Refused as refused:
        return Attempt(target, title, Standing.NO_ROUTE, (), refused.message)
    legs = tuple(Leg(c.id, c.title, c.target) for c in steps)
    if reason := unavailable(steps):
        return Attempt(target, title, Standing.MISSING, legs, reason)
    return Attempt(target, title, Standing.WAITING, legs)


@dataclass
class Search:
    """One walk over all targets: what each came to so far, and the steps that ran, by the converters up to them."""

    bench: Bench
    request: PortabilityRequest
    source: Model
    attempts: list[Attempt]
    golden: Golden | None = None
    ran: dict[tuple[str, ...], Applied | PortolanError] = field(default_factory=dict)
    seconds: float = 0.0

    def prepare(self) -> None:
        """Tell the bench what the source is opened with: the options of the first step, and the owner's Python file."""
        first = next((attempt for attempt in self.attempts if attempt.steps), None)
        if first is not None:
            options = declared(self.request, first)
            step = convert.plan(self.source.format, first.target, options)[0][1]
            self.bench.openings[self.source.sha256] = convert.along(step.options, self.request.code)

    def visit(self, place: int) -> None:
        """Try one target unless it is known already why it cannot be, and keep what came of it."""
        planned = self.attempts[place]
        if planned.standing is not Standing.WAITING:
            return
        self.attempts[place] = replace(planned, standing=Standing.TRYING)
        self.keep()
        self.bench.cost = Cost()
        self.attempts[place] = self.tried(planned, place)
        self.seconds += self.bench.cost.seconds
        self.keep()

    def tried(self, planned: Attempt, place: int) -> Attempt:
        """Return the attempt with what came of it; what other work has answered is not done again."""
        request = convert.normal(conversion(self.request, planned))
        result = self.bench.tools.memory.known("convert", request, Conversion)
        if result is not None:
            return found(planned, result)
        golden = self.recorded(place)
        try:
            result = self.converted(planned, request, golden, place)
        except Cancelled:
            raise
        except PortolanError as error:
            return refused(planned, error, self.ran)
        except Exception as error:
            log.exception("the way to %s broke", planned.target)
            return refused(planned, our_fault(error), self.ran)
        self.bench.tools.memory.answer("convert", request, result)
        return found(planned, result)

    def recorded(self, place: int) -> Golden:
        """Return the answers of the source, asked for once. Raises what the recording raises, which ends the walk."""
        if self.golden is None:
            self.tell(place, 0.0, "Recording the answers of the source model")
            shapes = str(self.request.options.get("shapes", ""))
            self.golden = probe.ask(self.bench, self.source, self.request.data, shapes, Sums.EXACT)
        return self.golden

    def converted(self, planned: Attempt, request: ConvertRequest, golden: Golden, place: int) -> Conversion:
        """Return the result of the conversion to one target. Raises what a step raises."""
        steps = convert.with_data_shapes(convert.plan(self.source.format, planned.target, request.options), golden)
        applied = self.walked(steps, golden, place)
        self.tell(place, 0.9, "Packing the artifact with its evidence")
        return convert.finish(self.bench, request, golden, applied)

    def walked(self, steps: list[tuple[Converter, Step]], golden: Golden, place: int) -> list[Applied]:
        """Take the steps of a route; those that another route shares have run already. Raises what a step raises."""
        applied: list[Applied] = []
        for number, (converter, step) in enumerate(steps, 1):
            way = tuple(one.id for one, _ in steps[:number])
            if way not in self.ran:
                self.ran[way] = self.stepped(applied, converter, step, golden, place)
            reached = self.ran[way]
            if isinstance(reached, PortolanError):
                raise reached
            applied.append(reached)
            if reached.parity.verdict is Verdict.FAIL:
                break
        return applied

    def stepped(
        self, applied: list[Applied], converter: Converter, step: Step, golden: Golden, place: int
    ) -> Applied | PortolanError:
        """Take one step, or return why it cannot be taken."""

        def tell(share: float, text: str) -> None:
            self.tell(place, share, text)

        try:
            return advance(self.bench, self.source, applied, converter, step, golden, tell)
        except Cancelled:
            raise
        except PortolanError as error:
            return error

    def tell(self, place: int, share: float, text: str) -> None:
        """Say how far the walk is, and what it does for which target."""
        of = len(self.attempts)
        self.bench.tools.progress((place + share) / of, f"{self.attempts[place].title} ({place + 1} of {of}): {text}")

    def keep(self) -> None:
        """Write down what is known so far."""
        self.bench.tools.memory.keep(self.result())

    def result(self) -> Portability:
        """Return all attempts so far."""
        return Portability(tuple(self.attempts), self.seconds, self.request.data)


def declared(request: PortabilityRequest, attempt: Attempt) -> dict[str, Option]:
    """Return those of the walk's options that a step on the way to a target declares."""
    names = {f.name for leg in attempt.steps for f in option_fields(CONVERTERS[leg.converter].Options)}
    return {name: value for name, value in request.options.items() if name in names}


def conversion(request: PortabilityRequest, attempt: Attempt) -> ConvertRequest:
    """Return how a visitor asks for the conversion to one target of a walk."""
    options = declared(request, attempt)
    return ConvertRequest(request.subject, attempt.target, options, request.data, request.code)


def found(planned: Attempt, result: Conversion) -> Attempt:
    """Return the attempt with the figures of a conversion's result."""
    parity, bundle = result.parity, result.bundle
    verdicts = {one.step.transform: str(one.parity.verdict) for one in result.steps}
    standing = DONE[parity.verdict]
    if standing is Standing.UNPROVEN and cannot_run(planned.target):
        standing = Standing.WRITTEN
    return replace(
        planned,
        standing=standing,
        steps=tuple(replace(leg, verdict=verdicts.get(leg.converter)) for leg in planned.steps),
        reason=reason_of(result, standing),
        samples=sum(check.samples for check in parity.checks) or None,
        max_abs=parity.max_abs if math.isfinite(parity.max_abs) else None,
        size=result.artifact.size if standing.usable else None,
        seconds=result.seconds,
        files={"artifact": result.artifact.sha256, "bundle": bundle.sha256} if bundle else {},
    )


def reason_of(result: Conversion, standing: Standing) -> str:
    """Say why a target is not proven, and for one that differs which step is guilty and where."""
    if standing is Standing.PROVEN:
        return ""
    parity = result.parity
    where = f"They first differ at {parity.diverges_at}." if parity.diverges_at else ""
    return " ".join(filter(None, (result.guilty, parity.reason, where)))


def refused(planned: Attempt, error: PortolanError, ran: dict[tuple[str, ...], Applied | PortolanError]) -> Attempt:
    """Return the attempt with the reason of the step that was refused, and the verdicts of the steps before it."""
    legs = []
    for number, leg in enumerate(planned.steps, 1):
        reached = ran.get(tuple(one.converter for one in planned.steps[:number]))
        legs.append(replace(leg, verdict=str(reached.parity.verdict) if isinstance(reached, Applied) else None))
    stuck = next((leg for leg in legs if leg.verdict is None), None)
    place = f"At {stuck.title}: " if stuck is not None and len(legs) > 1 else ""
    return replace(
        planned, standing=Standing.REFUSED, steps=tuple(legs), reason=place + error.message, next_step=error.next_step
    )


def record(store: Store, visitor: str, request: PortabilityRequest, result: Portability, job: str) -> str | None:
    """Write the walk beside the model; each conversion has written its own rows already."""
    store.add_report(visitor, request.subject.owned, "portability", result, job=job)
    return request.subject.artifact


def title(request: PortabilityRequest) -> str:
    """Name the job for the list of jobs."""
    return f"Try every target for {request.subject.name}"


VERB = Verb(
    "portability",
    PortabilityRequest,
    Portability,
    run,
    record,
    title,
    page="convert.py",
    command="matrix",
)
