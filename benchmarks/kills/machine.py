"""The processes: a server, and a scheduler and workers of a cluster, with what of them may be killed."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.serving import ROOT, Server, free_port, start

CHILD = "core.doors.worker"


class Cluster:
    """A scheduler and two workers by ``python -m core cluster``; what dies is started again."""

    def __init__(self, folder: Path) -> None:
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self._log = (folder / "cluster.log").open("ab")
        self._roles: dict[str, subprocess.Popen[bytes]] = {}

    def mend(self) -> None:
        """Start what does not run."""
        for role, more in (("scheduler", []), ("worker", ["--processes", "2"])):
            if role not in self._roles or self._roles[role].poll() is not None:
                words = [sys.executable, "-m", "core", "cluster", role, self.address, *more]
                self._roles[role] = subprocess.Popen(
                    words, cwd=ROOT, stdout=self._log, stderr=self._log, start_new_session=True
                )

    def workers(self) -> list[psutil.Process]:
        """Return the processes of Dask's worker command, without our own that started it, and without sandboxed children."""
        with contextlib.suppress(psutil.Error):
            below = psutil.Process(self._roles["worker"].pid).children(recursive=True)
            return [one for one in below if CHILD not in _command(one)]
        return []

    def close(self) -> None:
        """End all of it."""
        for process in self._roles.values():
            process.send_signal(signal.SIGTERM)
        for process in self._roles.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        self._log.close()


def children(server: Server) -> list[psutil.Process]:
    """Return the sandboxed children of a server, and the templates that they are forked from."""
    with contextlib.suppress(psutil.Error):
        return [one for one in psutil.Process(server.process.pid).children(recursive=True) if CHILD in _command(one)]
    return []


def kill_one(among: list[psutil.Process], dice: random.Random) -> bool:
    """Kill one of some processes, and say whether there was one."""
    if not among:
        return False
    with contextlib.suppress(psutil.Error):
        dice.choice(among).kill()
        return True
    return False


def begin(home: Path, cluster: Cluster | None, cap: int = 3) -> Server:
    """Start a server, with jobs on the cluster or here. Raises RuntimeError when it does not come up in some tries."""
    settings = {"PORTOLAN_SCHEDULER": cluster.address} if cluster else {}
    for left in reversed(range(cap)):
        try:
            return start(home, **settings)
        except RuntimeError:
            if not left:
                raise
            time.sleep(1)
    raise AssertionError


def _command(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""
