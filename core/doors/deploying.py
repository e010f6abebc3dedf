"""The last step of a move on the command line: a package that is served until Ctrl-C, and a server under load."""

import argparse
import http.client
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core.domain.errors import Crashed, Refused
from core.domain.load import Load
from core.doors.given import existing
from core.sandbox.servers import Server
from core.sandbox.tools import Tools
from core.sandbox.watched import HOST, Standing
from core.verbs import loading

READY_SECONDS = 60.0
ANSWER_BYTES = 1 << 20
LOCAL = {"127.0.0.1", "localhost"}
Run = Callable[[argparse.Namespace], int]


def declare(command: Callable[..., argparse.ArgumentParser], serve: Run, load: Run) -> None:
    """Add the two commands."""
    one = command(name="serve", run=serve, help="serve a package of `migrate` in the sandbox on loopback until Ctrl-C")
    one.add_argument("package", type=Path, metavar="PACKAGE.zip")
    two = command(
        name="load",
        run=load,
        help="send requests to a server on this machine at a fixed rate, or find the highest safe rate",
    )
    two.add_argument(
        "where",
        metavar="URL|PACKAGE.zip",
        help="address on this machine, such as http://127.0.0.1:8000, or a package to serve meanwhile",
    )
    two.add_argument("--rate", type=float, default=50.0, metavar="R", help="requests a second (50)")
    two.add_argument("--seconds", type=float, default=5.0, metavar="S", help="for so long (5)")
    two.add_argument(
        "--budget-p95",
        type=float,
        metavar="MS",
        help="also find the highest rate at which 95 of 100 answers come within so many milliseconds; exit 0 if --rate is no higher",
    )
    two.add_argument(
        "--request", type=Path, metavar="REQUEST.json", help="request to send; the example of the package unless given"
    )


@contextmanager
def until_told() -> Iterator[None]:
    """End quietly on Ctrl-C or a polite signal, which is how a server ends."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def begun(tools: Tools, package: Path) -> Server:
    """Serve a package and wait until it is ready. Raises Refused for what is no package, Crashed with the last of its log."""
    server = tools.sandbox.servers.begin("", package.name, package, tools.sandbox.isolation.full, {})
    loading.inference(server.name)
    server.until_ready(READY_SECONDS, lambda: None)
    return server


def told(server: Server) -> dict[str, Any]:
    """Return where a server answers."""
    return {"url": server.url, "infer": f"{server.url}{loading.inference(server.name)}", "pid": server.pid}


def say(server: Server) -> None:
    """Print where a server answers, and how it is asked."""
    print(f"Serving {server.title} at {server.url}, on this machine only. Ctrl-C ends it.")
    print(f"curl -s -d @example.json {server.url}{loading.inference(server.name)}", flush=True)


def follow(server: Server) -> None:
    """Wait until somebody ends it. Raises Crashed where it cannot live."""
    sys.stdout.flush()
    while server.standing is not Standing.FAILED:
        time.sleep(0.5)
    raise Crashed("The server ended again and again.", f"The last of its log: {' '.join(server.lines)[-300:]}")


def loaded(tools: Tools, args: argparse.Namespace) -> Load:
    """Load a server by its address, or a package that is served for it."""
    body = existing(args.request).read_bytes() if args.request else None
    if "://" in args.where:
        if body is None:
            raise Refused("A server does not say what to send.", "Add --request; `example.json` of the package is one.")
        question = loading.Question(*address(args.where), body)
        return loading.measured(tools, question, args.rate, args.seconds, args.budget_p95)
    server = begun(tools, existing(Path(args.where)))
    path = loading.inference(server.name)
    question = loading.Question(server.port, path, body or loading.example(server.unpacked))
    return loading.measured(tools, question, args.rate, args.seconds, args.budget_p95)


def address(url: str) -> tuple[int, str]:
    """Return the port and the path of a server of this machine; without a path, that of its one model. Raises Refused."""
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError:
        raise Refused(f"{url} is no address.", "Write it as in http://127.0.0.1:8000.") from None
    if parts.scheme != "http" or parts.hostname not in LOCAL:
        raise Refused(
            "Only servers on this machine are put under load.", "Give an address as in http://127.0.0.1:8000."
        )
    return port, parts.path if parts.path.strip("/") else only_model(port)


def only_model(port: int) -> str:
    """Ask a server for its one model, and return the path of it. Raises Refused where there is not one."""
    connection = http.client.HTTPConnection(HOST, port, timeout=loading.ANSWER_SECONDS)
    try:
        connection.request("POST", "/v2/repository/index")
        names = [one["name"] for one in json.loads(connection.getresponse().read(ANSWER_BYTES))]
    except (OSError, http.client.HTTPException, ValueError, RecursionError, KeyError, TypeError):
        names = []
    finally:
        connection.close()
    if len(names) != 1 or not isinstance(names[0], str):
        raise Refused(
            f"No server with one model answers at port {port}.", "Start it, or give the address up to /infer."
        )
    return loading.inference(names[0])


def kept(result: Load) -> bool:
    """Say whether every request was answered and, with a budget, whether the rate that was asked is safe."""
    safe = result.safe is None or (result.safe.rate or 0.0) >= result.rate
    return result.answered == result.sent and safe
