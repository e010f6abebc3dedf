"""Pages of files that lie in a process's memory, which a fork does not take along: it maps them anew at their first touch.

A child without them would hold less than one that was started, and a model that it opens would seem to take more memory.
"""

import ctypes
import os
import re
from collections.abc import Iterator
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
MADV_POPULATE_READ = 22

Span = tuple[int, int]
"""The first address and the number of bytes."""


def held() -> list[Span]:
    """Return where this process holds pages of files that it can read (proc_pid_pagemap(5))."""
    spans = []
    with Path("/proc/self/pagemap").open("rb", buffering=0) as table:
        for addresses, mode, inode in _maps():
            if inode != "0" and mode.startswith("r"):
                first, end = (int(address, 16) // PAGE for address in addresses.split("-"))
                table.seek(8 * first)
                spans += _runs(first, table.read(8 * (end - first)))
    return spans


def shared() -> bool:
    """Say whether a part of the memory that this process can write would be one and the same in its forks."""
    return any(mode[1] == "w" and mode[3] == "s" for _, mode, _ in _maps())


def _maps() -> Iterator[tuple[str, str, str]]:
    """Yield addresses, mode and inode of each part of the memory (proc_pid_maps(5))."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, mode, _, _, inode, *_ = line.split()
        yield addresses, mode, inode


def _runs(first: int, entries: bytes) -> list[Span]:
    """Return the runs of pages that are there; the last byte of each entry of 8 has the flag as its highest bit."""
    runs = re.finditer(rb"[\x80-\xff]+", entries[7::8])
    return [((first + run.start()) * PAGE, (run.end() - run.start()) * PAGE) for run in runs]


def hold(spans: list[Span]) -> None:
    """Map pages of files that lie in memory, without touching them one by one. Raises OSError where the kernel cannot (before 5.14)."""
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    for address, size in spans:
        if madvise(ctypes.c_void_p(address), ctypes.c_size_t(size), MADV_POPULATE_READ) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
