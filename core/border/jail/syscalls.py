"""The system calls that a jailed child does without, as a seccomp filter for x86-64 and 64-bit ARM.

A model runs on memory, threads, clocks and files that are open or that Landlock lets it open. All else is refused:
sockets, programs, processes, signals to others (also those that a file sends), tracing, mounts, namespaces, kernel modules, keys, shared memory,
io_uring, limits, priorities. Landlock does not watch modes, owners and times of files, so calls that change them are
answered with success and not done: libraries copy such attributes as a courtesy and stop when they cannot.
Numbers: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of Linux 6.
"""

import ctypes
import errno
import platform
from collections.abc import Iterable

Instruction = tuple[int, int, int, int]

ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""AUDIT_ARCH value and column in the tables below, by the machine's name."""

HIGHEST = 462
"""Calls that were numbered later answer "not implemented"; so do the x32 doubles of all calls."""

REFUSED: dict[str, tuple[int | None, int | None]] = {
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242), "execve": (59, 221), "execveat": (322, 281), "fork": (57, None),
    "vfork": (58, None), "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "kcmp": (312, 272), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "setsid": (112, 157), "setpgid": (109, 154), "setrlimit": (160, 164),
    "setpriority": (141, 140), "sched_setparam": (142, 118), "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274), "sched_setaffinity": (203, 122), "ioprio_set": (251, 30), "migrate_pages": (256, 238),
    "move_pages": (279, 239), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "move_mount": (429, 429), "open_tree": (428, 428), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268), "reboot": (169, 142), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60), "quotactl_fd": (443, 443),
    "syslog": (103, 116), "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None),
    "personality": (135, 92), "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263), "inotify_init": (253, None), "inotify_init1": (294, 26), "lookup_dcookie": (212, 18),
    "vhangup": (153, 58), "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194),
    "shmat": (30, 196), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180), "mq_unlink": (241, 181),
    "mknod": (133, None), "mknodat": (259, 33), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16), "capset": (126, 91),
}  # fmt: skip
"""Number on x86-64 and on 64-bit ARM (None where the machine has no such call)."""

IGNORED: dict[str, tuple[int | None, int | None]] = {
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None),
    "lchown": (94, None), "fchown": (93, 55), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None),
    "utimensat": (280, 88), "futimesat": (261, None),
}  # fmt: skip

CLONE, CLONE3, MMAP, PRCTL, PRLIMIT = (56, 220), (435, 435), (9, 222), (157, 167), (302, 261)
KILL, TGKILL = (62, 129), (234, 131)
FCNTL, IOCTL = (72, 25), (16, 29)
FILE_SIGNALS = {"F_SETOWN": 8, "F_SETSIG": 10, "F_SETOWN_EX": 15, "F_SETLEASE": 1024, "F_NOTIFY": 1026}
DEVICE_SIGNALS = {"FIOASYNC": 0x5452, "FIOSETOWN": 0x8901, "SIOCSPGRP": 0x8902}
"""What has the kernel send a signal when a file can be read or changes: to a process of the caller's choice, past ``kill``."""

F_SETFL, O_ASYNC = 4, 0x2000
EXECVE = REFUSED["execve"]
STARTS = ("execve", "fork", "vfork")
ANSWERS = ("listen", "accept", "accept4")
"""What a server needs of a socket that was bound before its doors closed."""

CLONE_THREAD = 0x10000
SHARED_ANONYMOUS = 0x21
PR_SET_PDEATHSIG = 1

LOAD, EQUAL, GREATER, ANY_BIT, AND, RETURN = 0x20, 0x15, 0x25, 0x45, 0x54, 0x06
NUMBER, ARCHITECTURE = 0, 4
ALLOW, KILL_PROCESS, ERRNO = (RETURN, 0, 0, 0x7FFF0000), (RETURN, 0, 0, 0x80000000), 0x00050000


def answer(code: int) -> Instruction:
    """Return the instruction that ends the call with an error number (0: success, nothing done)."""
    return (RETURN, 0, 0, ERRNO | code)


def argument(index: int, half: int = 0) -> Instruction:
    """Return the instruction that loads the low (0) or high (1) half of an argument; both machines are little-endian."""
    return (LOAD, 0, 0, 16 + 8 * index + 4 * half)


def when(number: int | None, *body: Instruction) -> list[Instruction]:
    """Run ``body``, which must end in a return, for one call; go on behind it for all others."""
    return [] if number is None else [(EQUAL, 0, len(body), number), *body]


def allowed_if(test: Instruction) -> tuple[Instruction, ...]:
    """Return the end of a body: allow the call where the test holds, and refuse it elsewhere."""
    return (test, ALLOW, answer(errno.EPERM))


def none_of(index: int, values: Iterable[int]) -> tuple[Instruction, ...]:
    """Return the start of a body: refuse the call where an argument of 32 bits is one of some values."""
    refused = ((one, answer(errno.EPERM)) for one in ((EQUAL, 0, 1, value) for value in values))
    return (argument(index), *(step for pair in refused for step in pair))


def program(audit: int, column: int, pid: int) -> list[Instruction]:
    """Write the filter for one architecture and one process; a signal may go only to the process itself."""
    return _closed(audit, column, pid, (answer(errno.EPERM),))


def server(audit: int, column: int, pid: int) -> list[Instruction]:
    """Write the filter of a process that answers on a socket which it was given, and can make, bind or connect none."""
    return _closed(audit, column, pid, (answer(errno.EPERM),), frozenset(ANSWERS))


def starter(audit: int, column: int) -> list[Instruction]:
    """Write the filter of a process that may fork, start programs, and signal; it must not read what a model wrote."""
    return [*_head(audit), *_tables(column, frozenset(STARTS)), *_arguments(column), ALLOW]


def started(audit: int, column: int, pid: int, path: int) -> list[Instruction]:
    """Write the filter that comes on top in a fork: closed, but for the one execve whose path lies at the address ``path``."""
    low, high = path & 0xFFFFFFFF, path >> 32
    refuse = answer(errno.EPERM)
    there = (argument(0), (EQUAL, 1, 0, low), refuse, argument(0, 1), *allowed_if((EQUAL, 0, 1, high)))
    return _closed(audit, column, pid, there)


def _closed(
    audit: int, column: int, pid: int, execve: tuple[Instruction, ...], without: frozenset[str] = frozenset()
) -> list[Instruction]:
    filter = [*_head(audit), *when(EXECVE[column], *execve), *_tables(column, without)]
    filter += when(CLONE[column], argument(0), *allowed_if((ANY_BIT, 0, 1, CLONE_THREAD)))
    for numbers in (KILL, TGKILL):
        filter += when(numbers[column], argument(0), *allowed_if((EQUAL, 0, 1, pid)))
    # A child dies with its parent and must not take that back.
    filter += when(PRCTL[column], argument(0), (EQUAL, 0, 1, PR_SET_PDEATHSIG), answer(errno.EPERM), ALLOW)
    return [*filter, *_arguments(column), ALLOW]


def _head(audit: int) -> list[Instruction]:
    # Numbers mean other calls on another architecture, so that 32-bit calls would pass by the tables.
    machine = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, audit), KILL_PROCESS, (LOAD, 0, 0, NUMBER)]
    return [*machine, (GREATER, 0, 1, HIGHEST), answer(errno.ENOSYS)]


def _tables(column: int, without: frozenset[str]) -> list[Instruction]:
    filter: list[Instruction] = []
    for name, numbers in REFUSED.items():
        filter += [] if name in without else when(numbers[column], answer(errno.EPERM))
    for numbers in IGNORED.values():
        filter += when(numbers[column], answer(0))
    # clone3 has its flags in memory, where no filter can look; where it is not there, glibc uses clone.
    return [*filter, *when(CLONE3[column], answer(errno.ENOSYS))]


def _arguments(column: int) -> list[Instruction]:
    reading_only = (argument(2), (EQUAL, 1, 0, 0), answer(errno.EPERM), argument(2, 1), *allowed_if((EQUAL, 0, 1, 0)))
    shared = (argument(3), (AND, 0, 0, SHARED_ANONYMOUS), (EQUAL, 0, 1, SHARED_ANONYMOUS), answer(errno.EPERM), ALLOW)
    flags = ((EQUAL, 1, 0, F_SETFL), ALLOW, argument(2), (ANY_BIT, 0, 1, O_ASYNC), answer(errno.EPERM), ALLOW)
    signals = [*when(FCNTL[column], *none_of(1, FILE_SIGNALS.values()), *flags)]
    signals += when(IOCTL[column], *none_of(1, DEVICE_SIGNALS.values()), ALLOW)
    return [*when(PRLIMIT[column], *reading_only), *when(MMAP[column], *shared), *signals]


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def compiled(pid: int) -> ctypes.Structure | None:
    """Return this machine's filter as the kernel takes it (``struct sock_fprog``), or None for an unknown machine."""
    known = ARCHITECTURES.get(platform.machine())
    return None if known is None else _pack(program(*known, pid))


def compiled_server(pid: int) -> ctypes.Structure | None:
    """Return the filter of a server; None for an unknown machine."""
    known = ARCHITECTURES.get(platform.machine())
    return None if known is None else _pack(server(*known, pid))


def compiled_starter() -> ctypes.Structure | None:
    """Return the filter of a process that starts programs; None for an unknown machine."""
    known = ARCHITECTURES.get(platform.machine())
    return None if known is None else _pack(starter(*known))


def compiled_started(pid: int, path: int) -> ctypes.Structure | None:
    """Return the filter of a process that is about to become the program whose path lies at an address."""
    known = ARCHITECTURES.get(platform.machine())
    return None if known is None else _pack(started(*known, pid, path))


def _pack(instructions: Iterable[Instruction]) -> _Program:
    rows = [_Instruction(*row) for row in instructions]
    return _Program(len(rows), (_Instruction * len(rows))(*rows))
