"""A bound of the kernel's own on how many threads and processes a child has, where this process may set one.

That is a control group with the controller ``pids``: as root of most machines and containers, seldom as a plain user. The
watch (core/sandbox/watch.py) bounds threads everywhere, but looks only ten times a second.
"""

import contextlib
import os
import time
from pathlib import Path

SPARE = 64
"""Above the bound of the watch, so that a child is ended in words and not by a refusal of the kernel that a library reports."""

MOUNTS = {"pids": Path("/sys/fs/cgroup/pids"), "": Path("/sys/fs/cgroup")}
"""Where the first and the second version of control groups lie, by the controllers that /proc/self/cgroup names."""

LEAVE_SECONDS = 1.0


class Bound:
    """A group of one process and all below it, made while nobody waits: to move a process takes the kernel about 10 ms."""

    def __init__(self, pid: int) -> None:
        self._group = _group(pid)

    def set(self, most: int) -> bool:
        """Bound the threads and say whether that was possible."""
        if self._group is None:
            return False
        try:
            (self._group / "pids.max").write_text(str(most + SPARE))
        except OSError:
            return False
        return True

    def remove(self) -> None:
        """Remove the group once its processes are gone."""
        if self._group is not None:
            _remove(self._group)
            self._group = None


def clear() -> None:
    """Remove the groups that servers left which were killed; the kernel keeps those with processes in them."""
    for here in _own():
        for group in here.glob("portolan-*"):
            with contextlib.suppress(OSError):
                group.rmdir()


def _group(pid: int) -> Path | None:
    for here in _own():
        group = here / f"portolan-{os.getpid()}-{pid}"
        try:
            group.mkdir()
        except OSError:  # no such controller here, or not for us
            continue
        try:
            (group / "cgroup.procs").write_text(str(pid))
        except OSError:
            _remove(group)
        else:
            return group
    return None


def _own() -> list[Path]:
    """Return this process's own groups that may bound threads."""
    try:
        rows = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return []
    return [MOUNTS[controllers] / path.lstrip("/") for _, controllers, path in rows if controllers in MOUNTS]


def _remove(group: Path) -> None:
    """Remove a group whose processes were killed; the kernel lets go of them a moment later."""
    deadline = time.monotonic() + LEAVE_SECONDS
    while True:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            try:
                group.rmdir()
            except OSError:
                if time.monotonic() < deadline:
                    time.sleep(0.005)
                    continue
        return
