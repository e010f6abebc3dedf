"""A Dask scheduler and workers as processes of their own on loopback, started with Dask's own commands."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.serving import ROOT, free_port

Process = subprocess.Popen[bytes]


@dataclass
class Cluster:
    """One scheduler at ``address`` and its workers; ``extra`` goes to every command."""

    folder: Path
    scheme: str = "tcp"
    extra: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    scheduler: Process | None = None
    workers: list[Process] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where the scheduler listens."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def begin(self) -> None:
        """Start the scheduler."""
        self.scheduler = self._dask("scheduler", "--host", self.address, "--no-dashboard")

    def join(self) -> Process:
        """Start one more worker: one job at a time, no nanny that would start it again."""
        place = self.folder / f"worker-{len(self.workers)}"
        place.mkdir(parents=True)
        words = (self.address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard")
        self.workers.append(self._dask("worker", *words, "--memory-limit", "0", "--local-directory", str(place)))
        return self.workers[-1]

    def end(self) -> None:
        """Kill all that still runs."""
        for process in (*self.workers, self.scheduler):
            if process and process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()

    def wait(self) -> None:
        """Return once the scheduler listens."""
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError((self.folder / "log").read_text()[-2000:])

    def _dask(self, *words: str) -> Process:
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with (self.folder / "log").open("ab") as file:
            return subprocess.Popen(
                [str(Path(sys.executable).with_name("dask")), *words, *self.extra],
                cwd=self.folder,
                env=environment,
                stdout=file,
                stderr=file,
            )
