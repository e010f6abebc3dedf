"""Visitors of a real server: each a cookie of its own, small models that nobody else has, and a job followed to its end."""

import time
from collections.abc import Callable

import httpx
from onnx import parser

from core.doors.routes import visitors

SMALL = '<ir_version: 8, opset_import: ["" : 17]> small (float[N, 3] x) => (float[N, 3] y) { y = Relu (x) }'


class Visitor:
    """Somebody with a cookie of their own."""

    def __init__(self, token: str = "") -> None:
        self.token = token or visitors.new_token()
        self.name = str(visitors.identity(self.token))
        self.cookie = f"{visitors.COOKIE}={self.token}"
        self.headers = {"Cookie": self.cookie, "X-Requested-With": "benchmarks"}


def small(number: int) -> bytes:
    """Return a small model that no other has the bytes of."""
    model = parser.parse_model(SMALL)
    model.doc_string = str(number)
    data: bytes = model.SerializeToString()
    return data


def submit(client: httpx.Client, name: str, content: bytes) -> str:
    """Upload a small model, and return the job of its inspection."""
    answer = client.put("/api/models", params={"name": name}, content=content)
    return str(answer.raise_for_status().json()["job"])


def follow(client: httpx.Client, job: str, until: Callable[[str], bool]) -> float:
    """Return the seconds until a job's state is as wanted."""
    began = time.monotonic()
    while not until(client.get(f"/api/jobs/{job}").json()["state"]):
        time.sleep(0.02)
    return time.monotonic() - began
