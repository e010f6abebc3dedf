"""Try every target: convert one model to each format that the converters write, prove each result, and keep what was found."""

import logging
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from core import convert
from core.bench import Bench, Cost
from core.converters import CONVERTERS, route, targets, unavailable
from core.domain.errors import Cancelled, Crashed, PortolanError, Refused
from core.domain.integer_products import Sums
from core.domain.portability import Attempt, Leg, Standing
from core.domain.recipe import Step
from core.domain.report import Verdict
from core.domain.transform import Converter, option_fields
from core.domain.work import Data, Golden, Model
from core.formats import FORMATS
from core.runtimes import cannot_run
from core.tools import Tools
from core.transform import Applied, advance, check_code, check_consent

if TYPE_CHECKING:
    from core.store import Store

log = logging.getLogger(__name__)

DEFECT = "This is a defect of Portolan; please report it."
DONE = {Verdict.PASS: Standing.PROVEN, Verdict.NOT_PROVEN: Standing.UNPROVEN, Verdict.FAIL: Standing.DIFFERS}


def run(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Try every target for the blob ``args["sha256"]`` of ``args["format"]``, compared on ``args["data"]`` too if given.

    ``args["options"]`` go to every step that declares them; ``args["code"]`` is as for a conversion.
    Returns ``{attempts, proven, of, seconds, data}``; each proven conversion is written down as the answer to the
    conversion that a visitor would ask for. Raises Refused when the file needs consent or answers nothing.
    """
    return on(Bench(tools), args)


def on(bench: Bench, args: dict[str, Any]) -> dict[str, Any]:
    """Try every target on a given bench; see ``run``."""
    source = Model(args["sha256"], args["size"], args["format"])
    check_consent(source, bool(args.get("consent")))
    check_code(args.get("code"), bool(args.get("consent")))
    search = Search(bench, args, source, plans(source.format))
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
    args: dict[str, Any]
    source: Model
    attempts: list[Attempt]
    golden: Golden | None = None
    ran: dict[tuple[str, ...], Applied | PortolanError] = field(default_factory=dict)
    seconds: float = 0.0

    def prepare(self) -> None:
        """Tell the bench what the source is opened with: the options of the first step, and the owner's Python file."""
        first = next((attempt for attempt in self.attempts if attempt.steps), None)
        if first is not None:
            options = declared(self.args, first)
            step = convert.plan(self.source.format, first.target, options)[0][1]
            self.bench.along[self.source.sha256] = convert.along(step.options, self.args.get("code"))

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
        request = conversion(self.args, planned)
        result = self.bench.tools.memory.known("convert", request)
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
            return refused(planned, Crashed(f"{type(error).__name__}: {error}"[:300], DEFECT), self.ran)
        self.bench.tools.memory.answer("convert", request, result)
        return found(planned, result)

    def recorded(self, place: int) -> Golden:
        """Return the answers of the source, asked for once. Raises what the recording raises, which ends the walk."""
        if self.golden is None:
            self.tell(place, 0.0, "Recording the answers of the source")
            shapes = str(self.args.get("options", {}).get("shapes", ""))
            self.golden = self.bench.probe(self.source, self.data, shapes, Sums.EXACT)
        return self.golden

    @property
    def data(self) -> Data | None:
        """The user's samples, if there are any."""
        return Data(**self.args["data"]) if self.args.get("data") else None

    def converted(self, planned: Attempt, request: dict[str, Any], golden: Golden, place: int) -> dict[str, Any]:
        """Return the result of the conversion to one target. Raises what a step raises."""
        steps = convert.with_data_shapes(convert.plan(self.source.format, planned.target, request["options"]), golden)
        applied = self.walked(steps, golden, place)
        self.tell(place, 0.9, "Packing the artifact with its evidence")
        return convert.finish(self.bench, request, self.source, self.data, golden, applied)

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

    def result(self) -> dict[str, Any]:
        """Return all attempts with the count of the proven ones."""
        return {
            "attempts": [attempt.to_json() for attempt in self.attempts],
            "proven": sum(attempt.standing is Standing.PROVEN for attempt in self.attempts),
            "of": len(self.attempts),
            "seconds": self.seconds,
            "data": self.args.get("data"),
        }


def declared(args: dict[str, Any], attempt: Attempt) -> dict[str, Any]:
    """Return those of the walk's options that a step on the way to a target declares."""
    names = {f.name for leg in attempt.steps for f in option_fields(CONVERTERS[leg.converter].Options)}
    return {name: value for name, value in args.get("options", {}).items() if name in names}


def conversion(args: dict[str, Any], attempt: Attempt) -> dict[str, Any]:
    """Return how a visitor asks for the conversion to one target of a walk."""
    return {**args, "target": attempt.target, "options": declared(args, attempt)}


def found(planned: Attempt, result: dict[str, Any]) -> Attempt:
    """Return the attempt with the figures of a conversion's result."""
    parity, artifact, bundle = result["parity"], result["artifact"], result["bundle"]
    verdicts = {step["transform"]: step["parity"]["verdict"] for step in result["steps"]}
    standing = DONE[Verdict(parity["verdict"])]
    if standing is Standing.UNPROVEN and cannot_run(planned.target):
        standing = Standing.WRITTEN
    worst = float(parity["max_abs"])
    return replace(
        planned,
        standing=standing,
        steps=tuple(replace(leg, verdict=verdicts.get(leg.converter)) for leg in planned.steps),
        reason=reason_of(result, standing),
        samples=sum(check["samples"] for check in parity["checks"]) or None,
        max_abs=worst if math.isfinite(worst) else None,
        size=artifact["size"] if standing.usable else None,
        seconds=result["seconds"],
        files={"artifact": artifact["sha256"], "bundle": bundle["sha256"]} if bundle else {},
    )


def reason_of(result: dict[str, Any], standing: Standing) -> str:
    """Say why a target is not proven, and for one that differs which step is guilty and where."""
    if standing is Standing.PROVEN:
        return ""
    parity = result["parity"]
    where = f"They part at {parity['diverges_at']}." if parity["diverges_at"] else ""
    return " ".join(filter(None, (result["guilty"], parity["reason"], where)))


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


def record(store: "Store", visitor: str, args: dict[str, Any], result: dict[str, Any], job: str) -> dict[str, Any]:
    """Write the walk beside the model; each conversion has written its own rows already."""
    store.add_report(visitor, args["artifact"], "portability", result, job=job)
    return {"artifact_id": args["artifact"]}


def title(args: dict[str, Any]) -> str:
    """Name the job for the list of jobs."""
    return f"Try every target for {args['name']}"
