"""Tune: search recipes for the smallest or fastest model within an accuracy budget, and always keep the best so far.

Techniques learn from one quarter of the data and the search chooses by another (``core.domain.tuning.RULE``); the test
half is looked at when the search is over, once unless the winner fails there. The order of candidates follows from the
seed and from what was measured, and trainings end by what they compute, so that equal seeds give equal answers at sizes.
The clock decides only where the search stops, and ends a training that takes several times what was reckoned; noise
decides who wins among files of like latency. What was tried is kept, so that stopping and running again goes on.
"""

from typing import TYPE_CHECKING, Any

from core import compress
from core.bench import Bench
from core.domain.errors import Refused
from core.domain.tuning import Goal
from core.domain.work import Data, Model
from core.formats import FORMATS
from core.tools import Tools
from core.tuning import finishing, tally
from core.tuning.search import Search

if TYPE_CHECKING:
    from core.store import Store


def run(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Search for the ONNX file ``args["sha256"]`` on ``args["data"]`` within ``args["max_drop"]``.

    ``args["minimise"]`` is a Goal, ``minutes`` the budget, ``seed`` the order among equals, ``keep`` the names of weights
    that stay as they are. Returns what ``tally.result`` says. Raises Refused without data, for another format, and
    where no technique applies.
    """
    return on(Bench(tools), args)


def on(bench: Bench, args: dict[str, Any]) -> dict[str, Any]:
    """Search on a given bench; see ``run``."""
    search = Search(bench, args, *checked(args))
    search.prepare()
    search.walk()
    finishing.judge(search)
    return tally.result(search)


def checked(args: dict[str, Any]) -> tuple[Model, Data, Goal]:
    """Return what is searched, by what and for what. Raises Refused in the user's words."""
    if args["format"] != compress.FORMAT:
        raise Refused(
            f"{FORMATS[args['format']].title} files cannot be tuned directly.", "Convert the model to ONNX first."
        )
    if not args.get("data"):
        raise Refused(
            "The search compares candidates on samples, and there are none.", "Add a data set, preferably with labels."
        )
    if args.get("minimise", Goal.SIZE) not in set(Goal):
        raise Refused(f"{args['minimise']!r} cannot be minimised.", f"Choose one of {', '.join(Goal)}.")
    if not 0 <= float(args["max_drop"]) < 1:
        raise Refused(
            "The allowed drop must be a share of at least 0 and below 1.",
            "Write 0.01 for one percentage point of accuracy.",
        )
    source = Model(args["sha256"], args["size"], args["format"])
    return source, Data(**args["data"]), Goal(args.get("minimise", Goal.SIZE))


def record(store: "Store", visitor: str, args: dict[str, Any], result: dict[str, Any], job: str) -> dict[str, Any]:
    """Write the search beside the model; each best has written its own rows already."""
    store.add_report(visitor, args["artifact"], "tuning", result, job=job)
    return {"artifact_id": args["artifact"]}


def title(args: dict[str, Any]) -> str:
    """Name the job for the list of jobs."""
    return f"Tune {args['name']}: least {args.get('minimise', Goal.SIZE)}"
