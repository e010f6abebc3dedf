"""What somebody who runs the server asks it: health, readiness, figures, and the log."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import anyio
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from core.doors import workspace
from core.doors.routes import health, links
from core.doors.workspace import Workspace
from core.memory.store import Store
from tests.routes.conftest import WRITER
from tests.serving import ROOT, Server

FASHION = ROOT / "sample_models" / "fashion_cnn" / "model.onnx"
TOKEN = "a-long-secret"


def figures(answer: httpx.Response) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Read the text as Prometheus does."""
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def done(client: httpx.Client, job: str) -> None:
    """Wait for the end of a job."""
    deadline = time.monotonic() + 60
    while client.get(f"/api/jobs/{job}").json()["state"] in ("queued", "running"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_health_looks_at_every_part(stranger: httpx.Client) -> None:
    answer = stranger.get("/healthz")
    assert answer.status_code == 200
    assert answer.json()["parts"] == dict.fromkeys(("disk", "database", "queue", "sandbox"), "ok")
    ready = stranger.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)


def test_a_part_that_hangs_or_is_lost_is_named_within_a_second(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(PORTOLAN_QUOTA_GB="0.000000001")
    with httpx.Client(base_url=server.url, timeout=20) as client:
        assert client.get("/healthz").json()["parts"]["disk"] == "ok"  # nothing is stored yet
        client.get("/")
        answer = client.put("/api/data?name=x.npz", content=b"x" * 10, headers=WRITER)
        assert answer.status_code == 507
        with closing(sqlite3.connect(server.home / "portolan.db", isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")  # as a program that keeps the database would
            time.sleep(0.6)
            began = time.monotonic()
            ready, well = client.get("/readyz"), client.get("/healthz")
            assert time.monotonic() - began < 2
            assert ready.elapsed.total_seconds() < 1
            assert (ready.status_code, ready.json()["parts"]["writing"]) == (503, "no answer")
            assert well.status_code == 200
            db.execute("ROLLBACK")
        home = server.home / "portolan.db"
        with closing(sqlite3.connect(home, isolation_level=None)) as db:
            db.execute("ALTER TABLE identity RENAME TO lost")
        time.sleep(0.6)
        answer = client.get("/healthz")
        assert (answer.status_code, answer.json()["status"]) == (503, "failing")
        assert answer.json()["parts"]["database"] != "ok"
    server.stop()


def test_a_look_that_hangs_is_waited_for_once_and_not_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTOLAN_HOME", str(tmp_path / "home"))
    begun, goes_on = [], threading.Event()

    def hang(now: Workspace) -> str:
        begun.append(now)
        return "ok" if goes_on.wait(30) else "gave up"

    looks = health.Looks({"disk": health.Part(health.disk), "hung": health.Part(hang)})
    try:
        workspace.current()
        for _ in range(3):
            began = time.monotonic()
            assert anyio.run(looks.told) == {"disk": "ok", "hung": "no answer"}
            assert time.monotonic() - began < 1
        assert len(begun) == 1
        goes_on.set()
        time.sleep(0.2)
        assert anyio.run(looks.told) == {"disk": "ok", "hung": "ok"}
    finally:
        goes_on.set()
        workspace.close_current()


def test_jobs_that_stand_still_are_unhealthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Store(tmp_path / "home")) as store:
        now = Workspace(store.home, store, None, None)  # type: ignore[arg-type]
        assert health.queue(now) == "ok"
        row = {"id": "x", "visitor": "v", "verb": "ingest", "title": "t", "args": "{}", "state": "queued"}
        with store.transaction() as db:
            db["job"].insert({**row, "created": time.time() - 1000})
        monkeypatch.setattr(health, "_BEGAN", time.time())
        assert health.queue(now) == "ok"  # the process has just begun
        monkeypatch.setattr(health, "_BEGAN", 0.0)
        assert health.queue(now) == "jobs have waited for 1000 s, and none runs"
        with store.transaction() as db:
            db["job"].update("x", {"state": "running"})
        assert health.queue(now) == "ok"


def test_figures_count_jobs_waits_bytes_and_refusals(serve: Callable[..., Server]) -> None:
    server = serve()
    with httpx.Client(base_url=server.url, timeout=60, headers=WRITER) as client:
        client.get("/")
        before = figures(client.get("/metrics"))
        job = client.put("/api/models?name=m.onnx", content=FASHION.read_bytes()).json()["job"]
        done(client, job)
        bad = client.put("/api/models?name=m.onnx", content=b"no model").json()["job"]
        done(client, bad)
        assert client.put("/api/models?name=m.onnx", content=b"").status_code == 400
        client.request("BREW", "/healthz")
        after = figures(client.get("/metrics"))
        assert after["portolan_jobs_total", (("end", "done"), ("verb", "ingest"))] == 1
        assert after["portolan_jobs_total", (("end", "failed"), ("verb", "ingest"))] == 1
        assert after["portolan_job_failures_total", (("kind", "refused"), ("verb", "ingest"))] == 1
        assert after["portolan_job_wait_seconds_count", (("verb", "ingest"),)] == 2
        assert after["portolan_job_seconds_count", (("verb", "ingest"),)] == 2
        assert after["portolan_job_seconds_sum", (("verb", "ingest"),)] > 0.01
        assert after["portolan_uploads_total", (("end", "taken"),)] == 2
        assert after["portolan_uploads_total", (("end", "refused"),)] == 1
        assert after["portolan_refusals_total", (("route", "/api/models"), ("status", "400"))] == 1
        with closing(sqlite3.connect(server.home / "portolan.db")) as db:
            acts = db.execute("SELECT act, sha256, detail FROM audit WHERE subject = ? ORDER BY id", [job]).fetchall()
        digest = sha256(FASHION.read_bytes()).hexdigest()
        assert acts == [(f"job {state}", digest, "ingest") for state in ("queued", "running", "done")]
        into = ("portolan_bytes_total", (("direction", "in"),))
        assert after[into] - before.get(into, 0) >= FASHION.stat().st_size
        assert after["portolan_stored_bytes", ()] >= FASHION.stat().st_size
        assert after["portolan_room_bytes", ()] > 0
        assert ("portolan_children", ()) in after
        text = client.get("/metrics").text
        assert client.cookies["portolan_visitor"] not in text
        assert job not in text
        assert "BREW" not in text
    server.stop()


def test_figures_are_not_for_others(serve: Callable[..., Server], stranger: httpx.Client) -> None:
    assert stranger.get("/metrics", headers={"X-Forwarded-For": "198.51.100.1"}).status_code == 403
    server = serve(PORTOLAN_HOSTS="models.example", PORTOLAN_ANONYMOUS="1")
    assert httpx.get(server.url + "/metrics").status_code == 403
    server.stop()
    server = serve(PORTOLAN_HOSTS="models.example", PORTOLAN_ANONYMOUS="1", PORTOLAN_METRICS_TOKEN=TOKEN)
    for given, status in ((None, 403), ("Bearer x", 403), (TOKEN, 403), (f"Bearer {TOKEN}", 200), ("Bearer \xe9", 403)):
        headers = {} if given is None else {"Authorization": given.encode("latin-1")}
        assert httpx.get(server.url + "/metrics", headers=headers).status_code == status
    server.stop()


@pytest.mark.parametrize(
    "path", ["metrics", "script-health-check", "agent/interact", "agent/openapi.json", "agent/mcp", "agent"]
)
def test_streamlits_own_figures_and_agents_are_closed(path: str, stranger: httpx.Client) -> None:
    for method in ("GET", "POST"):
        answer = stranger.request(method, f"/_stcore/{path}")
        assert (answer.status_code, "error" in answer.json()) == (404, True)
    assert stranger.get("/_stcore/health").status_code == 200


def test_the_log_is_json_with_the_ids_of_request_and_job(serve: Callable[..., Server]) -> None:
    server = serve(PORTOLAN_LOG="json", PORTOLAN_SURE="1")
    with httpx.Client(base_url=server.url, timeout=60, headers=WRITER) as client:
        client.get("/")
        answer = client.put("/api/models?name=m.onnx", content=b"no model", headers={"X-Request-ID": "request-of-ann"})
        assert answer.headers["X-Request-ID"] == "request-of-ann"
        job = answer.json()["job"]
        done(client, job)
        other = client.get("/healthz", headers={"X-Request-ID": 'x"\ny'.replace("\n", " ")})
        assert len(other.headers["X-Request-ID"]) == 16
        client.get("/files/a/b/c/secret-name")
    server.stop()
    raw = server.log.read_text()
    lines = [json.loads(line) for line in raw.splitlines() if line.startswith("{")]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    (upload,) = [line for line in lines if line.get("request") == "request-of-ann" and "route" in line]
    assert (upload["route"], upload["status"], upload["bytes_in"]) == ("/api/models", 202, 8)
    said = [line["message"] for line in lines if line.get("job") == job]
    assert said[:2] == [f"job {job} (ingest) is queued", f"job {job} (ingest) began"]
    assert any(line.get("request") == "request-of-ann" and line.get("job") == job for line in lines)
    assert said[-1].startswith(f"job {job} (ingest) is failed: ")
    assert any("PORTOLAN_SURE" in line["message"] for line in lines)
    assert "secret-name" not in raw
    plain = [line for line in raw.splitlines() if line.strip() and not line.startswith("{")]
    assert all("Uvicorn" not in line and "INFO" not in line for line in plain), plain


def test_reading_is_in_the_audit_log(server: Server, visitor: httpx.Client) -> None:
    brought = visitor.put("/api/data?name=x.npz", content=b"some data").json()
    link = links.Signer(links.key(server.home)).link("files", brought["sha256"], "x.npz")
    assert visitor.get(link).status_code == 200
    assert visitor.get(link, headers={"Range": "bytes=3-"}).status_code == 206
    assert httpx.get(server.url + link).status_code == 200
    with closing(sqlite3.connect(server.home / "portolan.db")) as db:
        rows = db.execute("SELECT who, act FROM audit WHERE sha256 = ? ORDER BY id", [brought["sha256"]]).fetchall()
    assert [act for _, act in rows] == ["data added", "downloaded", "downloaded"]
    assert rows[0][0] == rows[1][0]
    assert rows[2][0] == "a link's holder"
