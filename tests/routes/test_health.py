"""The server says how it is, and holds no model library."""

from pathlib import Path

import httpx

from tests.serving import Server


def test_health_is_quick_and_complete(stranger: httpx.Client) -> None:
    answer = stranger.get("/healthz")
    value = answer.json()
    assert value["status"] == "ok"
    assert value["isolation"] in ("full", "limits only")
    assert value["version"].count(".") == 2
    assert value["uptime"] > 0
    assert answer.elapsed.total_seconds() < 1


def test_no_model_library_is_in_the_server(stranger: httpx.Client) -> None:
    stranger.get("/")
    assert stranger.get("/healthz").json()["model_libraries"] == []


def test_the_server_listens_on_loopback_only(server: Server) -> None:
    port = f"{server.port:04X}"
    sockets = [
        line.split()[1:4] for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    assert [local for local, _, state in sockets if state == "0A" and local.endswith(":" + port)] == [
        f"0100007F:{port}"
    ]
