"""Champions and challengers on this machine: ``python -m benchmarks.canary [SECONDS] [DRAWS]``.

For the penguins pipeline, the fashion CNN and the spam transformer, each moved to ONNX Runtime by the real verb and asked
what its own test set holds, in random order:

- one class shifted: a challenger that answers the second class where the first is right, tried DRAWS (20) times, at 1 % and 0.5 % allowed:
  requests until it is rolled back;
- all shifted: the same where every class stands one place further;
- identical: the same package again, tried under load from three clients: requests until it is promoted, and how many failed;
- rollback: seconds from the click until the routing process follows;
- healed: seconds from kill -9 of the champion to the next answer behind the address, and how many requests failed meanwhile;
- steady: SECONDS (60) at half the capacity through the address: errors, p50, p95, p99.

Each question counts once, so a test set that is smaller than what a promotion needs is drawn with noise.
"""

import json
import os
import signal
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from benchmarks.serving import FILES, LADDER, SAMPLES, SETTINGS, told
from core.domain.canary import Terms
from core.domain.migration import MigrateRequest
from core.domain.work import Subject
from core.memory.blobs import Blobs
from core.sandbox import Sandbox
from core.sandbox.aliases import Alias
from core.sandbox.servers import Server
from core.sandbox.tools import Tools
from core.sandbox.watched import HOST
from core.verbs import loading, migrate

BOUND_MS = 100.0


@dataclass
class Asker:
    """Questions to one address, each as nobody asked before, and what came of them."""

    alias: Alias
    questions: Iterator[bytes]
    statuses: Counter[int]

    def ask(self, connection: HTTPConnection) -> None:
        """Ask once."""
        try:
            connection.request("POST", loading.inference(self.alias.name), next(self.questions))
            answer = connection.getresponse()
            answer.read()
            self.statuses[answer.status] += 1
        except OSError:
            connection.close()
            self.statuses[0] += 1

    def until(self, state: Callable[[], bool], most: int = 20_000) -> int:
        """Ask one after another until a state is reached; return how often."""
        with closing(HTTPConnection(HOST, self.alias.port, timeout=60)) as connection:
            for number in range(most):
                if state():
                    return number
                self.ask(connection)
        return most


def main() -> None:
    """Print some lines a sample."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    draws = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with tempfile.TemporaryDirectory(prefix="portolan-canary-") as home, closing(Sandbox(Path(home) / "s")) as box:
        tools = Tools(Blobs(Path(home) / "blobs"), box, lambda fraction, text: None, threading.Event())
        for sample, name in FILES.items():
            blob = tools.blobs.put(SAMPLES / sample / name)
            moved = migrate.run(tools, MigrateRequest(Subject(blob.sha256, blob.size, Path(name).suffix[1:], name), "onnxruntime"))  # fmt: skip
            if moved.bundle is None:
                raise SystemExit(f"{sample}: {moved.verdict}")
            print(sample, flush=True)
            measured(tools, sample, tools.blobs.path(moved.bundle.sha256), Path(home), seconds, draws)


def measured(tools: Tools, sample: str, package: Path, home: Path, seconds: float, draws: int) -> None:
    """Measure one sample, and print it."""
    servers = tools.sandbox.servers

    def served(path: Path) -> Server:
        server = servers.begin("", sample, path, True, SETTINGS)
        server.until_ready(60, lambda: None)
        return server

    champion, twin = served(package), served(package)
    alias = servers.alias("", champion)
    alias.until_ready(30, lambda: None)
    asker = Asker(alias, questions(sample, champion), Counter())
    for words, every in (("one class shifted", False), ("all shifted", True)):
        wrong = served(permuted(package, home / f"{sample}-{every}.zip", every))
        for allowed in (0.01, 0.005):
            needed = [rolled_back(asker, wrong, allowed) for _ in range(draws)]
            back = [one for one in needed if one is not None]
            after = f", after {np.mean(back):.1f} requests on average, {max(back)} at most" if back else ""
            print(f"  {words}, {allowed:.1%} allowed: {len(back)} of {draws} rolled back{after}", flush=True)
        servers.stop(wrong)
    promoted(asker, twin)
    healed(asker)
    capacity = climbed(tools, asker)
    steady = loading.measured(tools, question(asker), max(1.0, capacity / 2), seconds)
    print(f"  through the address: capacity {capacity:g}/s; steady {told(steady)}", flush=True)
    for server in (alias.champion, twin, champion):
        if isinstance(server, Server):
            servers.stop(server)


def rolled_back(asker: Asker, wrong: Server, allowed: float) -> int | None:
    """Try a faulty challenger; return after how many requests it was rolled back, None where it was promoted or not decided."""
    alias = asker.alias
    alias.propose(wrong, Terms(share=0.0, allowed=allowed))
    alias.settled()
    champion, needed = alias.champion, asker.until(lambda: alias.challenger is None)
    if alias.challenger is not None:
        alias.roll_back()
        return None
    return needed if alias.champion is champion else None


def promoted(asker: Asker, twin: Server) -> None:
    """Try the same package again under load, and go back."""
    alias, asker.statuses = asker.alias, Counter()
    alias.propose(twin, Terms(share=0.3))
    lock = threading.Lock()
    asker.questions = locked(asker.questions, lock)
    enough = [0]

    def over() -> bool:
        enough[0] += alias.champion is twin
        return enough[0] > 300

    threads = [threading.Thread(target=asker.until, args=(over,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failed = asker.statuses.total() - asker.statuses[200]
    print(f"  identical, 30 % of the requests and three clients: {alias.outcome} {failed} of {asker.statuses.total():,} requests failed; drained: {alias.drained()}")  # fmt: skip
    alias.roll_back()
    alias.settled()
    print(f"  rollback followed in {1e3 * (alias.took or 0):.1f} ms", flush=True)


def healed(asker: Asker) -> None:
    """Kill the champion under load, and print how long the longest request took."""
    asker.statuses = Counter()
    pid = asker.alias.champion.pid
    if pid is None:
        raise SystemExit("there is no process to kill")
    longest = 0.0
    with closing(HTTPConnection(HOST, asker.alias.port, timeout=60)) as connection:
        for number in range(200):
            if number == 50:
                os.kill(pid, signal.SIGKILL)
            began = time.monotonic()
            asker.ask(connection)
            longest = max(longest, time.monotonic() - began)
    print(f"  kill -9 of the champion: the longest of 200 requests took {longest:.2f} s; {dict(asker.statuses)}")


def climbed(tools: Tools, asker: Asker) -> float:
    """Return the highest rate of the ladder at which every request of four seconds is answered, with a 95th percentile below the bound where so few answers carry one."""
    best = 0.0
    for rate in LADDER:
        found = loading.measured(tools, question(asker), rate, 4.0)
        if found.answered < found.sent or (found.p95 or 0.0) >= BOUND_MS:
            break
        best = rate
    return best


def question(asker: Asker) -> loading.Question:
    """Return one request to send again and again."""
    return loading.Question(asker.alias.port, loading.inference(asker.alias.name), next(asker.questions))


def locked(source: Iterator[bytes], lock: Any) -> Iterator[bytes]:
    """Return an iterator that several threads may ask."""

    class Locked:
        def __iter__(self) -> "Locked":
            return self

        def __next__(self) -> bytes:
            with lock:
                return next(source)

    return Locked()


def questions(sample: str, server: Server) -> Iterator[bytes]:
    """Yield rows of the recorded inputs or the test set as requests, each with a little noise of its own."""
    dice, specs = np.random.default_rng(0), server.signature["inputs"]
    rows = inputs(sample, specs)
    count = len(next(iter(rows.values())))
    while True:
        for row in dice.permutation(count):
            tensors = []
            for spec in specs:
                value = rows[spec["name"]][row]
                if value.dtype.kind == "f":
                    value = value * (1 + 1e-4 * dice.standard_normal(value.shape))
                kind = {"float32": "FP32", "float64": "FP64", "str": "BYTES", "int64": "INT64", "int32": "INT32"}[spec["dtype"]]  # fmt: skip
                shape = [1, *value.shape]
                tensors.append({"name": spec["name"], "datatype": kind, "shape": shape, "data": value.reshape(-1).tolist()})  # fmt: skip
            yield json.dumps({"inputs": tensors}).encode()


def inputs(sample: str, specs: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Return the test set as the model takes it, by input."""
    folder = SAMPLES / sample
    if (folder / "test.npz").exists():
        with np.load(folder / "test.npz", allow_pickle=False) as file:
            named = [name for name in file.files if name not in ("y", "label")]
            if len(named) == len(specs) == 1:
                found = file[named[0]]
                return {specs[0]["name"]: found.astype(specs[0]["dtype"]) if specs[0]["dtype"] != "str" else found}
            return {name: file[name] for name in named}
    import pandas as pd

    table = pd.read_csv(next(folder.glob("*.csv")))
    return {
        spec["name"]: table[spec["name"]].to_numpy(dtype=object if spec["dtype"] == "str" else spec["dtype"])[:, None]
        for spec in specs
    }


def permuted(package: Path, out: Path, every: bool) -> Path:
    """Write the package with a fault: every class stands one place further, or only the first is answered as the second."""
    with zipfile.ZipFile(package) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, faulty(data, every) if name.endswith(".onnx") else data)
    return out


def faulty(data: bytes, every: bool) -> bytes:
    """Move the scores of a network, or the labels of a classifier of scikit-learn."""
    model = onnx.load_from_string(data)
    graph = model.graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name == "classlabels_strings":
                labels = list(attribute.strings)
                attribute.strings[:] = [*labels[1:], labels[0]] if every else [labels[1], *labels[1:]]
                return bytes(model.SerializeToString())
    end = graph.output[-1]
    size = end.type.tensor_type.shape.dim[-1].dim_value
    for node in graph.node:
        node.output[:] = ["before" if one == end.name else one for one in node.output]
        node.input[:] = ["before" if one == end.name else one for one in node.input]

    def taken(name: str, places: list[int], out: str) -> str:
        graph.initializer.append(numpy_helper.from_array(np.array(places), name))
        graph.node.append(helper.make_node("Gather", ["before", name], [out], axis=-1))
        return out

    if every:
        taken("order", [size - 1, *range(size - 1)], end.name)
    else:
        first, second = taken("at0", [0], "first"), taken("at1", [1], "second")
        graph.node.append(helper.make_node("Min", [first, second], ["low"]))
        graph.node.append(helper.make_node("Max", [first, second], ["high"]))
        parts = ["low", "high", *([taken("others", list(range(2, size)), "rest")] if size > 2 else [])]
        graph.node.append(helper.make_node("Concat", parts, [end.name], axis=-1))
    return bytes(model.SerializeToString())


if __name__ == "__main__":
    main()
