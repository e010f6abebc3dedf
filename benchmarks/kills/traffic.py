"""A visitor who uploads models and data sets without a pause, follows the jobs, and writes down what the server said."""

import contextlib
import os
import random
import threading
import time
from hashlib import sha256

import httpx
import numpy as np
from onnx import numpy_helper, parser

from benchmarks.kills.ledger import Ledger
from core.doors.routes import visitors
from tests.serving import Server

MODEL = '<ir_version: 8, opset_import: ["" : 17]> m (float[N, 4] x) => (float[N, W] y) { y = MatMul (x, w) }'
ENDED = {"done", "failed", "cancelled"}


def model(dice: random.Random) -> bytes:
    """Return a model of up to 300 KB that no other has the bytes of."""
    made = parser.parse_model(MODEL.replace("W]", f"{(width := dice.randrange(1, 20_000))}]"))
    weight = np.frombuffer(os.urandom(4 * width), np.uint8).astype(np.float32).reshape(4, width)
    made.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    return bytes(made.SerializeToString())


class Traffic:
    """One visitor of all lives of a server."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self.ledger, self._seed, token = ledger, seed, visitors.new_token()
        self.name = str(visitors.identity(token))
        self.headers = {"Cookie": f"{visitors.COOKIE}={token}", "X-Requested-With": "kills"}

    def upload(self, server: Server, end: threading.Event, number: int) -> None:
        """Send files until the end."""
        dice = random.Random(f"{self._seed} {number} {time.monotonic_ns()}")
        with httpx.Client(base_url=server.url, headers=self.headers, timeout=30) as client:
            while not end.is_set():
                kind, body = dice.choice((("models", model(dice)), ("data", os.urandom(dice.randrange(1, 300_000)))))
                try:
                    answer = client.put(
                        f"/api/{kind}", params={"name": "m.onnx" if kind == "models" else "d.npz"}, content=body
                    )
                except httpx.TransportError:
                    self.count("cut off")
                    end.wait(0.05)
                    continue
                self.count(str(answer.status_code))
                if answer.is_success:
                    self.acknowledged(kind, sha256(body).hexdigest(), answer.json().get("job"))
                else:
                    self.worded(answer)
                end.wait(dice.uniform(0, 0.2))

    def follow(self, server: Server, end: threading.Event) -> None:
        """Ask for each job that has no end yet, and write its end down."""
        with httpx.Client(base_url=server.url, headers=self.headers, timeout=30) as client:
            while not end.is_set():
                for id in list(self.open())[:20]:
                    with contextlib.suppress(httpx.TransportError, ValueError):
                        self.hear(id, client.get(f"/api/jobs/{id}"))
                end.wait(0.05)

    def open(self) -> set[str]:
        """Return the jobs that were acknowledged and whose end nobody told yet."""
        with self.ledger.lock:
            return self.ledger.jobs - self.ledger.ends.keys()

    def hear(self, id: str, answer: httpx.Response) -> None:
        """Write down what the server says of a job."""
        if answer.status_code != 200:
            self.count(f"job: {answer.status_code}")
            return
        shown = answer.json()
        if shown["state"] in ENDED:
            with self.ledger.lock:
                self.ledger.ends[id] = (shown["state"], (shown["result"] or {}).get("artifact_id"))
            self.count(f"job: {shown['state']}" + (f" ({shown['error']['message'][:90]})" if shown["error"] else ""))

    def acknowledged(self, kind: str, sha256: str, job: str | None) -> None:
        """Write down a file that the server took."""
        with self.ledger.lock:
            self.ledger.blobs.add(sha256)
            if job:
                self.ledger.jobs.add(job)
            else:
                self.ledger.data.add(sha256)

    def worded(self, answer: httpx.Response) -> None:
        """Count a refusal that is not in words."""
        try:
            if answer.json()["error"]["message"]:
                return
        except (ValueError, KeyError, TypeError):
            pass
        self.count(f"no words: {answer.status_code} {answer.text[:80]}")

    def count(self, what: str) -> None:
        """Count an answer."""
        with self.ledger.lock:
            self.ledger.answers[what] += 1
