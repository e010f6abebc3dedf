"""Hostile uploads end in one sentence each, and the server answers at once all the while."""

import time
from pathlib import Path

import httpx
import pytest

from tests.serving import Server
from tests.test_command_line import hostile

KINDS = ["truncated", "empty-graph", "bomb", "pickle", "outside"]


@pytest.mark.parametrize("kind", KINDS)
def test_server_answers_within_a_second_beside_a_hostile_file(
    server: Server, visitor: httpx.Client, tmp_path: Path, kind: str
) -> None:
    path = hostile(kind, tmp_path) if kind != "empty-graph" else written(tmp_path / "model.onnx", b"\x08\x08\x3a\x00")
    job = visitor.put("/api/models", params={"name": path.name}, content=path.read_bytes()).json()["job"]
    slowest, state = 0.0, "queued"
    deadline = time.monotonic() + 30
    while state in ("queued", "running"):
        assert time.monotonic() < deadline
        begin = time.monotonic()
        assert visitor.get("/healthz").status_code == 200
        slowest = max(slowest, time.monotonic() - begin)
        shown = visitor.get(f"/api/jobs/{job}").json()
        state = shown["state"]
        time.sleep(0.02)
    assert state == "failed"
    assert all(shown["error"][part] for part in ("kind", "message", "next_step"))
    assert "Traceback" not in str(shown["error"])
    assert slowest < 1.0
    assert not (tmp_path / "canary").exists()


def written(path: Path, content: bytes) -> Path:
    """Write bytes and return where they are."""
    path.write_bytes(content)
    return path
