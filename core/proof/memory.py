"""Measures the memory of one file in the process that this runs in, which is a fresh one for each measurement.

The kernel keeps the highest residence of a process (VmHWM in /proc/self/status, proc(5)). The jail does not let a child set
that mark back, so before each act the process holds as many pages of its own as lie between its residence and the mark:
from there every page that the act adds moves the mark. It misses nothing, however short, of all that the process holds,
libraries' native memory included. Before it starts, the engine is imported, inputs are made, and the C library gives back
what it only keeps (malloc_trim(3)); an engine's code that is first touched when it opens a file counts as that file's.
"""

import ctypes
import gc
import importlib
import mmap
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from core.domain.errors import Unavailable
from core.domain.limits import MB
from core.domain.overhead import Footprint
from core.domain.runtime import Session
from core.proof.parity import feed
from core.proof.probes import PACKAGES

T = TypeVar("T")
STATUS = Path("/proc/self/status")
KB = 1024
CALLS = 3
SLACK = 2 * MB
"""The kernel counts pages on each processor and adds them up now and then; this is more than it was seen to be behind (0.4 MB)."""


@dataclass(frozen=True)
class Residence:
    """Bytes that this process holds in memory now, those of them that are its own and that are files' pages, and the mark."""

    now: int
    anonymous: int
    mapped: int
    highest: int


def footprint(
    file: Path, packages: tuple[str, ...], opener: Callable[[], Session], inputs: dict[str, np.ndarray], batch: int
) -> Footprint:
    """Open ``file`` by ``opener`` and run it on ``inputs``; ``packages`` are the engine's distributions.

    Raises Unavailable where the kernel does not keep the mark.
    """
    for module in [module for module, package in PACKAGES.items() if package in packages]:
        importlib.import_module(module)
    give_back()
    before = residence()
    session, load_rise = rise(opener)
    after = residence()

    fed = feed(session, inputs)

    def answer() -> None:
        for _ in range(CALLS):
            session.run(fed)

    _, run_rise = rise(answer)
    loaded = after.now - before.now
    return Footprint(
        file=file.stat().st_size / MB,
        loaded=loaded / MB,
        anonymous=(after.anonymous - before.anonymous) / MB,
        mapped=(after.mapped - before.mapped) / MB,
        load_peak=load_rise / MB,
        inference_peak=(loaded + run_rise) / MB,
        batch=batch,
    )


def residence() -> Residence:
    """Read what the kernel says of this process. Raises Unavailable where it is not Linux's."""
    if sys.platform != "linux":
        raise Unavailable(
            "Memory is measured by a kernel counter that only Linux has.", "Run Portolan on Linux to measure it."
        )
    found = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    now, anonymous, file, shared, highest = (
        KB * int(found[name].split()[0]) for name in ("VmRSS", "RssAnon", "RssFile", "RssShmem", "VmHWM")
    )
    return Residence(now, anonymous, file + shared, highest)


def rise(act: Callable[[], T]) -> tuple[T, int]:
    """Return what an act answers, and by how many bytes at most the residence was higher while it ran."""
    with _at_the_mark():
        before = residence()
        answer = act()
        return answer, residence().highest - before.now


@contextmanager
def _at_the_mark() -> Iterator[None]:
    """Hold pages, so that the residence is at its mark as long as the block lasts."""
    here = residence()
    with mmap.mmap(-1, here.highest - here.now + SLACK, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as pages:
        touched = range(0, len(pages), mmap.PAGESIZE)
        pages[:: mmap.PAGESIZE] = b"\1" * len(touched)
        yield


def give_back() -> None:
    """Let go of what nobody uses: Python's cycles, and the free memory that the C library keeps."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl does not
    if trim:
        trim(0)
