"""A package on the command line: served until it is told to end, and loaded within a budget."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from core.domain.load import SafeRate
from core.doors.commands import main
from core.memory.blobs import Blobs
from core.sandbox import Sandbox
from core.sandbox.tools import Tools
from core.verbs import loading


def test_a_package_is_served_until_it_is_told_to_end_and_loaded_meanwhile(
    package: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "core", "serve", str(package), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as serving:
        assert serving.stdout
        told = json.loads(serving.stdout.readline())
        assert httpx.get(f"{told['url']}/v2/health/ready").json() == {"ready": True}
        assert main(["load", told["url"], "--rate", "40", "--seconds", "0.5", "--json"]) == 1
        assert "--request" in json.loads(capsys.readouterr().out)["error"]["next_step"]
        request = tmp_path / "request.json"
        request.write_text(json.dumps({"inputs": [image()]}))
        asked = ["load", told["url"], "--request", str(request), "--rate", "40", "--seconds", "0.5"]
        assert main([*asked, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["sent"], found["answered"], found["safe"]) == (20, 20, None)
        assert found["p50"] > 0
        assert (found["p95"], found["p99"]) == (None, None)
        request.write_text('{"inputs": []}')
        assert main([*asked, "--json"]) == 1
        assert json.loads(capsys.readouterr().out)["failed"] == 20
        serving.send_signal(signal.SIGINT)
        assert serving.wait(30) == 0
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{told['url']}/v2/health/live", timeout=1)


def image() -> dict[str, object]:
    """A picture as a tensor of the protocol."""
    return {"name": "x", "datatype": "FP32", "shape": [1, 1, 28, 28], "data": [0.5] * 784}


@pytest.mark.parametrize("where", ["http://example.org/", "http://127.0.0.1.example.org:80", "https://127.0.0.1:1", "http://127.0.0.1:99999999"])  # fmt: skip
def test_no_other_machine_is_loaded(where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.json").write_text("{}")
    assert main(["load", where, "--request", str(tmp_path / "r.json"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "refused"


def test_the_search_finds_what_a_server_of_known_speed_bears(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "TRY_SECONDS", (1.0, 30.0))
    tools = Tools(Blobs(tmp_path), sandbox, lambda fraction, text: None, threading.Event())

    def searched(budget: float) -> SafeRate:
        return loading.search(tools, loading.Question(port, "/", b""), 40.0, budget)

    with subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE) as slow:
        assert slow.stdout
        port = int(slow.stdout.readline())
        found = searched(250.0)
        assert found.rate is not None
        assert found.unsafe is not None
        assert 20 <= found.rate < found.unsafe <= 160
        assert [one for one in found.tried if one.safe and (one.bound or 1e9) > 250] == []
        assert len(found.tried) <= loading.TRIES
        slow.kill()
    none = searched(250.0)
    assert none.rate is None


SLOW = """
import asyncio
lock = asyncio.Lock()

async def answer(reader, writer):
    while await reader.readuntil(b"\\r\\n\\r\\n"):
        async with lock:
            await asyncio.sleep(0.01)
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")

async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""
"""A server that takes 10 milliseconds an answer, one after another: it bears less than 100 requests a second."""
