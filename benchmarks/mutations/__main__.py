"""Changed files of every format through the real border: what became of each, and whether anything got out.

COUNT honest files, in turn of every format and data sets too, are changed in bytes and in structure by SEED; each is inspected in
the jail and, where it was accepted, converted or run there. Every eleventh goes to a real server by HTTP instead, which must answer
afterwards. What names a file outside, an address or a command leads to bait: a file read or changed, a connection, a process that
is left, an answer in a library's raw words, a fault of ours or a job that does not stop is a finding, and makes the exit code 1.
One JSON object on stdout: by format how many were accepted, refused, over a limit, stopped after 40 s, and killed their child with
which sentence; seconds, and the findings with the number that makes the file again. Linux only; 2,000 take about an hour.
Run: ``python -m benchmarks.mutations [COUNT] [SEED] [FIRST]``, or ``python -m benchmarks.mutations corpus``, which gives every file of
``tests/hostile/corpus`` to the border in the same way; one of these that is taken is a finding too.
"""

import json
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.mutations.bait import Bait
from benchmarks.mutations.served import Visit
from benchmarks.mutations.specimens import Specimen, specimens
from benchmarks.mutations.trial import Trial, changed, stored, tried
from core.domain.work import Model
from core.memory.blobs import Blobs
from core.sandbox import Sandbox
from core.sandbox.tools import Tools
from tests.formats.honest import linear_onnx
from tests.hostile.corpus import CORPUS, Attack
from tests.serving import Server, start

COUNT, SEED, SERVED = 2000, 0, 11
KEPT = 12
"""Changed files whose findings are shown; all are counted."""


@dataclass(frozen=True)
class Border:
    """What the changed files meet: the honest ones, the bait, a sandbox of this process, a model for data sets, and a server."""

    honest: list[Specimen]
    bait: Bait
    tools: Tools
    model: Model
    visit: Visit | None

    def trial(self, seed: int, number: int) -> Trial:
        """Make one changed file and try it."""
        specimen, what = changed(self.honest, seed, number, self.bait)
        if self.visit and number % SERVED == 0:
            return self.visit.tried(specimen, what, number, self.bait)
        return tried(specimen, what, number, self.tools, self.bait, self.model)


@contextmanager
def border(folder: Path, honest: Path, server: Server | None) -> Iterator[Border]:
    """Set everything up below a folder, with the honest files in ``honest``, and end it, with the server."""
    for place in (honest, folder / "outside"):
        place.mkdir(exist_ok=True)
    with ExitStack() as stack:
        visit = stack.enter_context(closing(Visit(server))) if server else None
        sandbox = stack.enter_context(closing(Sandbox(folder / "scratch")))
        tools = Tools(Blobs(folder / "blobs"), sandbox, lambda fraction, text: None, threading.Event())
        bait = stack.enter_context(closing(Bait(folder / "outside")))
        blob = stored(tools, linear_onnx().SerializeToString())
        yield Border(specimens(honest), bait, tools, Model(blob.sha256, blob.size, "onnx"), visit)


def attacked(here: Border, honest: dict[str, Path], attacks: Sequence[Attack]) -> list[Trial]:
    """Try hostile files; one that comes through its inspection, and is not called harmless, is a finding."""
    found = []
    for number, attack in enumerate(attacks):
        made = Specimen(attack.file, attack.format, attack.make(honest))
        one = tried(made, str(attack), number, here.tools, here.bait, here.model)
        taken = one.stage != "inspect" if attack.format != "data" else one.end == "accepted"
        if taken and not attack.harmless:
            one = replace(one, faults=(*one.faults, "taken"))
        found.append(show(one))
    return found


def show(one: Trial) -> Trial:
    """Say how one ended, and return it."""
    words = (one.number, one.name, one.changed, one.stage, one.end, one.seconds, *one.faults, one.words)
    print(*words, sep="\t", file=sys.stderr, flush=True)
    return one


def told(trials: list[Trial]) -> dict[str, Any]:
    """Sum up, by format."""
    rows: dict[str, Counter[str]] = {}
    for one in trials:
        rows.setdefault(one.format, Counter())[f"{one.stage}: {one.end}"] += 1
    faulty = [one for one in trials if one.faults]
    return {
        "mutations": len(trials),
        "changed": Counter(one.changed for one in trials),
        "ends": Counter(one.end for one in trials),
        "formats": {name: dict(sorted(row.items())) for name, row in sorted(rows.items())},
        "killed": Counter(one.words for one in trials if one.end == "killed the child"),
        "slowest": {stage: max((one.seconds for one in trials if one.stage == stage), default=0.0) for stage in ("inspect", "convert", "run", "server")},
        "escapes": sum(any("ESCAPE" in fault for fault in one.faults) for one in trials),
        "findings": len(faulty),
        "kinds": Counter(fault for one in faulty for fault in one.faults),
        "first": [asdict(one) for one in faulty[:KEPT]],
    }  # fmt: skip


def main(words: list[str]) -> int:
    """Run what was asked for, print it, and return the exit code."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        honest = folder / "honest"
        if words == ["corpus"]:
            with border(folder, honest, None) as here:
                trials = attacked(here, {path.name: path for path in honest.iterdir()}, CORPUS)
        else:
            count, seed, first = (int(word) for word in words + [str(COUNT), str(SEED), "0"][len(words) :])
            with border(folder, honest, start(folder / "home")) as here:
                trials = [show(here.trial(seed, number)) for number in range(first, first + count)]
    found = told(trials)
    print(json.dumps(found, indent=1))
    return 1 if found["findings"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
