"""What a child locks itself into before it opens a model: rlimits, no capabilities, Landlock, seccomp, and a self-test.

The child calls ``lock`` on itself after its imports and before its first look at the file; there is no way back.
Outside Linux only the limits hold, ``self_test`` says so, and code-bearing formats are refused. ``core.border.jail.programs``
lets a child have one program of ours run behind the same walls.
"""

import contextlib
import ctypes
import errno
import mmap
import os
import platform
import signal
import socket
import struct
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from core.border.jail import syscalls
from core.domain.limits import MB, Limits

LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
SECCOMP, CAPSET = {"x86_64": (317, 126), "aarch64": (277, 91)}.get(platform.machine(), (-1, -1))
PR_SET_NO_NEW_PRIVS = 38
PTRACE_SEIZE = 0x4206
LANDLOCK_ABSENT = (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)
"""The kernel has none, or it is switched off, or an engine's filter that does not know it is around us."""

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG, REFER, TRUNCATE = (
    1 << bit for bit in (0, 1, 2, 3, 4, 5, 7, 8, 13, 14)
)
FILE_RIGHTS = WRITE_FILE | READ_FILE | TRUNCATE
READ = READ_FILE | READ_DIR
WRITE = READ | WRITE_FILE | REMOVE_FILE | MAKE_REG | REFER | TRUNCATE
NEEDS = "Linux 6.2"
"""The oldest kernel on which every wall holds: the first with version 3 of Landlock, which watches the truncation of files."""

NEWEST_ABI = 7
"""What is asked of Landlock at most; tests lower it, and so have the jail that an older kernel gives."""

RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15}
"""How many rights over files a kernel knows; from version 5 on there are 16."""

SYSTEM = (
    "/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/proc/cpuinfo", "/proc/meminfo",
    "/proc/self/maps", "/proc/self/stat", "/proc/self/status", "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu", "/sys/devices/system/node", "/dev/urandom", "/proc/self/cmdline",
)  # fmt: skip

LOADERS = tuple(Path(name) for name in ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"))
"""What the kernel starts first for a program that uses shared libraries."""


@dataclass(frozen=True)
class Isolation:
    """Which walls a real child found standing around itself; ``full`` only when all do."""

    full: bool
    walls: dict[str, bool]
    detail: str

    @classmethod
    def of(cls, walls: dict[str, bool]) -> "Isolation":
        """Judge the answers of a self-test."""
        fallen = [name for name, holds in walls.items() if not holds]
        if walls and not fallen:
            return cls(True, walls, "every wall holds")
        return cls(
            False, walls, "these walls do not hold: " + ", ".join(fallen) if fallen else "the self-test gave no answer"
        )

    def to_json(self) -> dict[str, object]:
        """Return the fields as plain values."""
        return asdict(self)


def lock(scratch: Path, limits: Limits) -> None:
    """Close every door but ``scratch/in`` for reading and ``scratch/out`` and ``scratch/tmp`` for writing.

    Must run on a process with one thread: Landlock holds only the thread that asks for it and those that it starts.
    Raises OSError where the kernel has a wall but does not put it up.
    """
    _enclose(scratch, limits, ())
    if sys.platform == "linux":
        filter_calls(syscalls.compiled(os.getpid()))


def lock_starter(scratch: Path, limits: Limits, program: Path) -> None:
    """Lock as ``lock`` does, but leave open to fork and to start ``program`` and the loader that it names, and no other file."""
    _enclose(scratch, limits, (program, *LOADERS))
    filter_calls(syscalls.compiled_starter())


def lock_server(scratch: Path, limits: Limits) -> None:
    """Lock as ``lock`` does, but let the process answer on a socket that it was given and that is bound already."""
    _enclose(scratch, limits, ())
    filter_calls(syscalls.compiled_server(os.getpid()))


def _enclose(scratch: Path, limits: Limits, programs: tuple[Path, ...]) -> None:
    _limit(limits)
    if sys.platform != "linux":
        return
    threads = list(Path("/proc/self/task").iterdir())
    if len(threads) != 1:
        raise OSError(errno.EBUSY, f"{len(threads)} threads run before the jail is locked")
    libc = ctypes.CDLL(None, use_errno=True)
    _drop_capabilities(libc)
    _call(libc.prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _landlock(libc, [*_doors(scratch), *((path, EXECUTE | READ_FILE) for path in programs)])


def _limit(limits: Limits) -> None:
    import resource  # absent on Windows

    spent = int(sum(os.times()[:2]))
    for kind, bound in (
        # Not RLIMIT_AS: mapped weights and libraries take addresses, not memory. DATA counts private writable maps
        # (setrlimit(2)).
        (resource.RLIMIT_DATA, limits.memory_mb * MB),
        (resource.RLIMIT_FSIZE, limits.file_mb * MB),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
        # What a warm child spent on its imports is not the job's.
        (resource.RLIMIT_CPU, limits.cpu_seconds + spent),
    ):
        # At the soft bound of CPU time comes SIGXCPU, a second later, at the hard one, SIGKILL (setrlimit(2)).
        with contextlib.suppress(ValueError):  # a lower bound of the machine's owner stays
            resource.setrlimit(kind, (bound, bound + 1 if kind == resource.RLIMIT_CPU else bound))


def _call(function: Callable[..., int], *arguments: object) -> int:
    result = int(function(*(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"the jail cannot be locked: {os.strerror(code)}")
    return result


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    # _LINUX_CAPABILITY_VERSION_3, whose three sets are two words each (capset(2)).
    header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    _call(libc.syscall, CAPSET, header, nothing)


def _landlock(libc: ctypes.CDLL, doors: list[tuple[Path, int]]) -> None:
    try:
        # The flag 1 asks for the version and creates nothing (landlock_create_ruleset(2)).
        abi = min(_call(libc.syscall, LANDLOCK_CREATE, None, 0, 1), NEWEST_ABI)
    except OSError as absent:
        if absent.errno in LANDLOCK_ABSENT:
            return
        raise
    handled = (1 << RIGHTS_BY_ABI.get(abi, 16)) - 1
    # Rights over files; binding and connecting of TCP; scopes of abstract sockets and signals (linux/landlock.h).
    wanted = (ctypes.c_uint64 * 3)(handled, 0b11 if abi >= 4 else 0, 0b11 if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = _call(libc.syscall, LANDLOCK_CREATE, wanted, size, 0)
    for path, rights in doors:
        if path.exists():
            _allow(libc, ruleset, path, rights & handled)
    _call(libc.syscall, LANDLOCK_RESTRICT, ruleset, 0)
    os.close(ruleset)


@cache
def libraries() -> frozenset[str]:
    """Return the folders of Python's own modules and of those that were installed; found once, as that takes milliseconds."""
    paths = sysconfig.get_paths()
    own = (paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib"))
    return frozenset((*own, *(path for path in sys.path if path.endswith(("site-packages", "dist-packages")))))


def _doors(scratch: Path) -> list[tuple[Path, int]]:
    readable = [*SYSTEM, *libraries(), f"{sys.base_prefix}/lib", str(Path(__file__).parents[2])]
    writable = [
        (scratch / "out", WRITE),
        (scratch / "tmp", WRITE | MAKE_DIR | REMOVE_DIR),
        (Path("/dev/null"), FILE_RIGHTS),
    ]
    return [*((Path(path), READ) for path in readable), (scratch / "in", READ), *writable]


class _Door(ctypes.Structure):
    # struct landlock_path_beneath_attr is packed (linux/landlock.h).
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("parent", ctypes.c_int32))


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        # The kernel answers EINVAL to rights over folders on a file (landlock_add_rule(2)).
        door = _Door(rights if path.is_dir() else rights & (FILE_RIGHTS | EXECUTE), parent)
        _call(libc.syscall, LANDLOCK_ADD, ruleset, 1, ctypes.byref(door), 0)
    finally:
        os.close(parent)


def filter_calls(filter: ctypes.Structure | None) -> None:
    """Put a seccomp filter on this process, on top of those that it has; nothing for None."""
    if filter is not None:
        # SECCOMP_SET_MODE_FILTER with TSYNC: the filter holds for every thread (seccomp(2)).
        _call(ctypes.CDLL(None, use_errno=True).syscall, SECCOMP, 1, 1, ctypes.byref(filter))


def self_test(canary: Path, home: Path, memory_mb: int) -> dict[str, bool]:
    """Try each forbidden act in a locked child and say which walls hold.

    ``canary`` is a file of the parent beside the scratch folder, ``home`` the owner's home folder, ``memory_mb`` the
    bound that the child was given.
    """
    return {
        "files outside cannot be read": _refused(canary.read_bytes, Path("/etc/passwd").read_bytes),
        "folders outside cannot be listed": _refused(
            lambda: list(home.iterdir()), lambda: list(canary.parent.iterdir())
        ),
        "nothing outside can be written": _refused(
            lambda: canary.with_name("escaped").write_bytes(b""), lambda: os.truncate(canary, 0), canary.unlink
        ),
        "modes of files outside stay": not _changes_mode(canary),
        "no network": _refused(
            *(lambda f=f: socket.socket(f).close() for f in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX))
        ),
        "no other program": _refused(
            lambda: os.execv("/nowhere", ["/nowhere"])  # noqa: S606
        ),
        "no other process": _refused(_fork),
        "no signal to the parent": _refused(lambda: os.kill(os.getppid(), 0)),
        "no signal by a file": _refused(*_file_signals()),
        "no tracing of the parent": _refused(
            lambda: _call(ctypes.CDLL(None, use_errno=True).ptrace, PTRACE_SEIZE, os.getppid(), 0, 0)
        ),
        "memory is bounded": _refused(
            lambda: _map(memory_mb * MB, mmap.MAP_PRIVATE), lambda: _map(MB, mmap.MAP_SHARED)
        ),
        "limits cannot be raised": _refused(_raise_limit),
    }


def _refused(*acts: Callable[[], object]) -> bool:
    for act in acts:
        try:
            act()
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EACCES, errno.ENOMEM):
                return False
        else:
            return False
    return True


def _changes_mode(path: Path) -> bool:
    before = path.stat().st_mode
    with contextlib.suppress(OSError):
        path.chmod(0o640 if before & 0o777 != 0o640 else 0o600)
    return path.stat().st_mode != before


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)
    os.wait()


def _file_signals() -> list[Callable[[], object]]:
    import fcntl  # absent on Windows

    end, parent = os.pipe()[0], os.getppid()
    owner, on = struct.pack("ii", 1, parent), struct.pack("i", 1)  # F_OWNER_PID of struct f_owner_ex (fcntl(2))
    return [
        lambda: fcntl.fcntl(end, syscalls.FILE_SIGNALS["F_SETOWN"], parent),
        lambda: fcntl.fcntl(end, syscalls.FILE_SIGNALS["F_SETOWN_EX"], owner),
        lambda: fcntl.fcntl(end, syscalls.FILE_SIGNALS["F_SETSIG"], signal.SIGKILL),
        lambda: fcntl.fcntl(end, syscalls.F_SETFL, os.O_NONBLOCK | syscalls.O_ASYNC),
        lambda: fcntl.ioctl(end, syscalls.DEVICE_SIGNALS["FIOASYNC"], on),
    ]


def _map(size: int, kind: int) -> None:
    mmap.mmap(-1, size, flags=kind | mmap.MAP_ANONYMOUS).close()


def _raise_limit() -> None:
    import resource

    try:
        resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except ValueError as refused:
        raise PermissionError(errno.EPERM, str(refused)) from refused
