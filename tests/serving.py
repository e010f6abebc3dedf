"""A real server process on a free port with a home of its own, for every test that talks HTTP."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent


@dataclass
class Server:
    """One running server."""

    home: Path
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def memory_mb(self, field: str) -> float:
        """Return ``VmRSS`` (now) or ``VmHWM`` (the most so far) of the server process in MB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024

    def stop(self) -> int:
        """Ask the server to end, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self) -> None:
        """Kill the server as a power cut would, without a chance to tidy up."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(home: Path, *command: str, **settings: str) -> Server:
    """Start ``python app.py`` (or another command of the interpreter) and wait until it answers."""
    port = int(settings.get("PORTOLAN_PORT") or free_port())
    environment = {**os.environ, "PORTOLAN_HOME": str(home), "PORTOLAN_PORT": str(port), **settings}
    log = home.parent / f"server-{port}.log"
    with log.open("wb") as file:
        words = [sys.executable, *(part.format(port=port) for part in command or ("app.py",))]
        process = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=file, stderr=file, start_new_session=True)
    server = Server(home, port, process, log)
    for _ in range(600):
        try:
            if httpx.get(server.url + "/healthz").status_code == 200:
                return server
        except httpx.TransportError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    if process.poll() is None:
        server.kill()
    raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}")
