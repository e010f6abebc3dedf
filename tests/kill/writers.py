"""Many processes open one new store at once and write reports to it; prints writes, errors and the slowest write as JSON."""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import sqlite_utils  # noqa: F401  the store imports it when it is opened, and these seconds are for writing

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from core.memory.store import Store


def write(home: Path, seconds: float) -> dict[str, object]:
    """Add reports one after the other, each in a transaction that reads first."""
    writes, slowest, errors = 0, 0.0, []
    end = time.monotonic() + seconds
    try:
        store, visitor = Store(home), f"visitor {os.getpid()}"
        with store.blobs.writer() as writer:
            writer.write(visitor.encode())
            blob = writer.commit()
        root = store.add_artifact(visitor, sha256=blob.sha256, size=blob.size, format="onnx", name="m")
        while (begun := time.monotonic()) < end:
            store.add_report(visitor, root.id, "note", {"number": writes})
            writes, slowest = writes + 1, max(slowest, time.monotonic() - begun)
    except Exception as error:
        errors.append(f"{type(error).__name__}: {error}")
    return {"writes": writes, "slowest": slowest, "errors": errors}


def main() -> None:
    """Fork the writers, gather what each one says through a pipe, and print the sum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=6.0)
    args = parser.parse_args()
    pipes = []
    for _ in range(args.processes):
        out, into = os.pipe()
        if os.fork() == 0:
            os.write(into, json.dumps(write(args.home, args.seconds)).encode())
            os._exit(0)
        os.close(into)
        pipes.append(os.fdopen(out))
    results = [json.loads(pipe.read()) for pipe in pipes]
    errors = [error for result in results for error in result["errors"]]
    writes, slowest = sum(r["writes"] for r in results), max(r["slowest"] for r in results)
    print(json.dumps({"writes": writes, "errors": errors, "slowest": slowest, "per_second": writes / args.seconds}))


if __name__ == "__main__":
    main()
