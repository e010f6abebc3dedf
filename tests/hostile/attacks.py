"""A worker whose tasks attack: run by the tests in place of ``core.doors.worker``, with the same frame around it."""

import contextlib
import ctypes
import importlib
import mmap
import os
import random
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from core.border import jail
from core.border.jail import programs
from core.calls import self_test
from core.calls.call import Here
from core.domain.errors import Refused
from core.doors import worker

LIBC = ctypes.CDLL(None, use_errno=True)


def syscalls(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Make raw system calls and return the result and the error number of each."""
    answers, me = [], os.getpid()
    for call in args["calls"]:
        result = LIBC.syscall(*(ctypes.c_long(value) for value in call))
        answers.append([result, ctypes.get_errno()])
        if os.getpid() != me:
            os._exit(0)
    return {"answers": answers}


ACTS = {
    "read": lambda path: Path(path).read_bytes(),
    "read through proc": lambda path: Path(f"/proc/self/root{path}").read_bytes(),
    "read the parent's environment": lambda path: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "list": lambda path: list(Path(path).iterdir()),
    "write": lambda path: Path(path).write_bytes(b"was here"),
    "truncate": lambda path: os.truncate(path, 0),
    "remove": lambda path: Path(path).unlink(),
    "rename": lambda path: Path(path).rename(path + ".moved"),
    "move in": lambda path: Path(path).rename("out/stolen"),
    "link in": lambda path: os.link(path, "out/stolen"),
    "symlink out": lambda path: Path("out/link").symlink_to(path),
    "fifo": lambda path: os.mkfifo("out/fifo"),
    "make a folder": lambda path: Path(path + ".d").mkdir(),
    "write an input": lambda path: Path("in/model").write_bytes(b"other"),
    "write beside": lambda path: Path("beside").write_bytes(b"x"),
    "tcp": lambda port: socket.create_connection(("127.0.0.1", int(port)), timeout=2),
    "udp": lambda port: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", int(port))),
    "unix socket": lambda path: socket.socket(socket.AF_UNIX).connect(path),
    "unix socket pair": lambda path: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b"x", path),
    "shell": lambda path: subprocess.run(["/bin/sh", "-c", "true"], check=True),
    "spawn": lambda path: os.posix_spawn("/bin/true", ["true"], {}),
    "exec": lambda path: os.execv("/bin/true", ["true"]),
    "fork": lambda path: os.fork() or os._exit(0),
    "signal the parent": lambda path: os.kill(os.getppid(), 0),
    "signal everybody": lambda path: os.kill(-1, 0),
    "slow the parent down": lambda path: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19),
    "leave the group": lambda path: os.setsid(),
    "shared memory": lambda path: os.memfd_create("x"),
    "raise a limit": lambda path: resource.prlimit(0, resource.RLIMIT_CPU, (1 << 40, 1 << 40)),
}


def act(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Try one forbidden act and return how it was refused."""
    try:
        ACTS[args["name"]](args.get("target", ""))
    except (OSError, ValueError) as error:
        return {"refused": str(error)}
    return {"refused": None}


def change_attributes(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Change mode and times of a file outside, with whatever success is told."""
    with contextlib.suppress(OSError):
        Path(args["target"]).chmod(0o777)
        os.utime(args["target"], (1, 1))
    return {}


def honest(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Do what honest work does: read, write, copy, threads, a late import, arithmetic on two threads."""
    import numpy

    Path("out/copy").write_bytes(Path("in/model").read_bytes())
    shutil.copy("in/model", "tmp/with_mode")
    Path("tmp/deep/er").mkdir(parents=True)
    shutil.rmtree("tmp/deep")
    Path("tmp/with_mode").rename("out/moved")
    done: list[int] = []
    threads = [threading.Thread(target=done.append, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    import fcntl

    reader, _ = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETFL, fcntl.fcntl(reader, fcntl.F_GETFL) | os.O_NONBLOCK)
    os.set_inheritable(os.dup(reader), False)
    progress(0.5, "half")
    late = importlib.import_module("sqlite3").sqlite_version
    return {"threads": sorted(done), "late": late, "sum": float(numpy.ones((300, 300)).dot(numpy.ones(300)).sum())}


def environment(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Tell all that the process knows of its surroundings."""
    return {"environ": dict(os.environ), "path": sys.path, "modules": sorted(sys.modules), "pid": os.getpid()}


def surroundings(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Tell what the process has of its own: folder, descriptors, group, masks, and where it would put its temporary files."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    descriptors = {}
    for number in range(1024):
        with contextlib.suppress(OSError):
            kind = os.fstat(number).st_mode
            descriptors[number] = "pipe" if stat.S_ISFIFO(kind) else "socket" if stat.S_ISSOCK(kind) else "other"
    dies_by = ctypes.c_int()
    LIBC.prctl(2, ctypes.byref(dies_by), 0, 0, 0)  # PR_GET_PDEATHSIG
    return {
        "dies_by": dies_by.value, "folder": str(Path.cwd()), "temporary": tempfile.gettempdir(), "environ": dict(os.environ),
        "descriptors": descriptors, "group": os.getpgid(0), "session": os.getsid(0), "parent": os.getppid(), "pid": os.getpid(),
        "file_pages": int(status["RssFile"].split()[0]), "umask": status["Umask"].strip(), "signals": [status[name].strip() for name in ("SigBlk", "SigIgn", "SigCgt")],
    }  # fmt: skip


LEFT: list[str] = []


def leave_behind(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Write to memory and to a file, and tell what another child wrote there."""
    found = [*LEFT, *(path.name for path in Path("tmp").iterdir())]
    LEFT.append("a word")
    Path("tmp/a file").write_text("a word")
    return {"found": found}


def draw(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Draw from every generator that nobody gave a seed."""
    import numpy
    import onnxruntime

    session = onnxruntime.InferenceSession(Path("in/model").read_bytes(), providers=["CPUExecutionProvider"])
    drawn = {"onnxruntime": session.run(None, {})[0].tolist(), "numpy": numpy.random.random(3).tolist()}
    drawn["default_rng"] = numpy.random.default_rng().random(3).tolist()
    return {**drawn, "random": random.random(), "uuid": str(uuid.uuid4()), "name": Path(tempfile.mkdtemp()).name}


def reach(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Try to reach another process by its id; each way must be refused."""
    pid, words = int(args["pid"]), {}
    ways = {
        "signal": lambda: os.kill(pid, 0),
        "memory": lambda: Path(f"/proc/{pid}/mem").open("rb").close(),
        "maps": lambda: Path(f"/proc/{pid}/maps").read_text(),
        "descriptors": lambda: list(Path(f"/proc/{pid}/fd").iterdir()),
        "trace": lambda: _checked(LIBC.ptrace(0x4206, pid, 0, 0)),
        "handle": lambda: os.pidfd_open(pid),
    }
    for name, way in ways.items():
        try:
            way()
        except OSError as error:
            words[name] = error.errno
        else:
            words[name] = None
    return {"errors": words}


def _checked(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")


def late_import(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Import a module behind the walls, and tell where it and NumPy lie."""
    import numpy

    module = importlib.import_module(args["module"])
    return {"module": module.__file__, "numpy": numpy.__file__, "prefix": sys.prefix}


def hang(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Tell its process id and sleep for ever."""
    progress(None, str(os.getpid()))
    time.sleep(1000)
    return {}


def spin(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Use a processor for ever."""
    while True:
        pass


def eat(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Take memory until something gives way."""
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1)) * (16 << 20))


def eat_native(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Take address space from the kernel without asking Python."""
    LIBC.mmap.restype = ctypes.c_void_p
    got = LIBC.mmap(None, ctypes.c_size_t(4 << 30), 3, args["flags"], -1, 0)
    return {"refused": got in (None, ctypes.c_void_p(-1).value)}


def fill(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Write files without end."""
    number = 0
    while True:
        number += 1
        Path(f"tmp/{number}").write_bytes(b"x" * args["size"])


def sparse(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Write files that are holes: as long as many blocks, and hardly one on the disk."""
    for number in range(args["files"]):
        with Path(f"out/{number}").open("wb") as file:
            file.truncate(args["size"] << 20)
    return {}


def crowd(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Start threads with small stacks until the kernel refuses or somebody stops it."""
    threading.stack_size(32 * 1024)
    for number in range(args["threads"]):
        try:
            threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        except RuntimeError:
            progress(None, f"refused after {number}")
            break
    time.sleep(args.get("then", 5))
    return {}


def shout(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Print without end."""
    while True:
        os.write(2, b"x" * 65536)


def signal_by_file(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Have the kernel send a signal to the parent when a pipe can be read, with whatever calls are let through."""
    import fcntl

    reader, writer = os.pipe()
    done = []
    for name, act in {
        "owner": lambda: fcntl.fcntl(reader, fcntl.F_SETOWN, os.getppid()),
        "signal": lambda: fcntl.fcntl(reader, 10, signal.SIGUSR1),
        "on": lambda: fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC),
    }.items():
        with contextlib.suppress(OSError):
            act()
            done.append(name)
    os.write(writer, b"x")
    return {"done": done}


def big_file(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Write one file without end."""
    with Path("out/big").open("wb") as file:
        while True:
            file.write(b"x" * (1 << 20))


def nest(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Make folders in folders, deeper than any path can say, and locked."""
    os.chdir("tmp")
    for _ in range(args["depth"]):
        Path("d").mkdir(0o700)
        os.chdir("d")
    Path("locked").mkdir(0)
    return {}


def crash(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """End by a signal of the own choice."""
    if args["signal"] == "SIGSEGV":
        ctypes.string_at(0)
    os.kill(os.getpid(), signal.Signals[args["signal"]])
    time.sleep(10)
    return {}


def leave(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Leave without an answer, politely or not."""
    if args["politely"]:
        raise SystemExit("gone")
    os._exit(7)


def noise(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Print a lot on both streams, from Python and from C, then answer."""
    for _ in range(3000):
        print("noise " * 20)
    LIBC.puts(b'{"event": "result", "value": {"forged": true}}')
    LIBC.fflush(None)
    os.write(2, b"the last words")
    return {"quiet": True}


def noisy_crash(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Print a lot, then leave without an answer."""
    noise(args, progress)
    os._exit(1)


def refuse(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Refuse in the words of the product."""
    raise Refused("No.", "Ask again.")


def map_files(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Hold far more memory than is counted as data, by maps of files."""
    maps = []
    for name in ("out/a", "out/b"):
        with Path(name).open("w+b") as file:
            file.truncate(args["size"] << 20)
            maps.append(mmap.mmap(file.fileno(), 0))
        for place in range(0, args["size"] << 20, 4096):
            maps[-1][place] = 1
    time.sleep(10)
    return {}


def say(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Send raw bytes where events are expected."""
    piece = args["text"].encode(errors="surrogateescape")
    for number in range(3, 64):
        with contextlib.suppress(OSError):
            if Path(f"/proc/self/fd/{number}").exists() and os.fstat(number).st_mode & 0o10000:
                for _ in range(args["times"]):
                    os.write(number, piece)
    time.sleep(args.get("then", 0))
    return {}


def chatter(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Report progress far more often than anybody can read, with odd fractions."""
    for number in range(2000):
        time.sleep(0.0005)
        progress([number / 2000, float("nan"), 1e300, -5, None][number % 5], f"step {number}" * 100)
    return {}


def run_onnx(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Run an ONNX file on ones, on two threads."""
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    model = Path("in/model").read_bytes()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feed = {one.name: numpy.ones([64, *one.shape[1:]], numpy.float32) for one in session.get_inputs()}
    return {"sum": float(session.run(None, feed)[0].sum()), "threads": _threads()}


def run_torch(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Multiply large matrices and take a step of training, on two threads."""
    import torch

    torch.set_num_threads(2)
    product = torch.ones(600, 600) @ torch.ones(600, 600)
    net = torch.nn.Sequential(torch.nn.Linear(256, 512), torch.nn.ReLU(), torch.nn.Linear(512, 1))
    step = torch.optim.SGD(net.parameters(), lr=1e-3)
    x, losses = torch.ones(4096, 256), []
    for _ in range(2):
        loss = (net(x) - 1).square().mean()
        step.zero_grad()
        loss.backward()
        step.step()
        losses.append(float(loss))
    return {"sum": float(product.sum()), "losses": losses, "threads": _threads()}


def run_sklearn(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Fit boosted trees by OpenMP and a forest by joblib's threads."""
    import numpy
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    x = numpy.linspace(0, 1, 40000).reshape(20000, 2)
    boosted = HistGradientBoostingClassifier(max_iter=5).fit(x, x[:, 0] > 0.5)
    forest = RandomForestClassifier(8, n_jobs=2).fit(x, x[:, 0] > 0.5)
    return {"boosted": int(boosted.predict(x).sum()), "forest": int(forest.predict(x).sum()), "threads": _threads()}


def _threads() -> int:
    return int(Path("/proc/self/status").read_text().split("Threads:")[1].split()[0])


def program(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Have the helper run this child's program, a Python, with arguments, and return exit codes and words."""
    ended = [programs.run(arguments) for arguments in args["runs"]]
    return {"codes": [one.code for one in ended], "said": [one.said for one in ended]}


ATTACKS: dict[str, worker.Work] = {
    task.__name__: task
    for task in (
        syscalls, act, change_attributes, honest, environment, surroundings, leave_behind, draw, reach, late_import, hang, noisy_crash, refuse, map_files, spin, eat, eat_native, fill, sparse, crowd, shout, signal_by_file, big_file, nest, crash,
        leave, noise, say, chatter, run_onnx, run_torch, run_sklearn, program,
    )
} | {"self_test": self_test.CALL.serve}  # fmt: skip

PRELOAD = {
    "bare": (),
    "light": ("numpy", "onnx", "onnxruntime"),
    "torch": ("torch",),
    "sklearn": ("sklearn.ensemble", "skops.io"),
    "helped": (),
    "small": ("numpy",),
    "threaded": ("tests.hostile.threaded",),
    "remembering": ("tests.hostile.remembering",),
    "missing": ("a_library_that_is_not_there",),
    "broken": ("tests.hostile.broken",),
    **{f"abi{version}": () for version in range(1, jail.NEWEST_ABI + 1)},
}

if __name__ == "__main__":
    if sys.argv[1].startswith("abi"):  # what an older kernel's Landlock knows
        jail.NEWEST_ABI = int(sys.argv[1].removeprefix("abi"))
    worker.main(ATTACKS, PRELOAD, {"helped": Path(sys.executable).resolve()}.get)
