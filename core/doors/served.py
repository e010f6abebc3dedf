"""The child side of a deployment: the generated server of a package on a socket that was bound for it, behind the walls of the jail.

Started by ``core/sandbox/servers.py`` as ``python -m core.doors.served PARENT SOCKET`` in a scratch folder whose ``in``
holds the package. It imports its libraries and makes its event loop, locks the jail, and only then reads the package.
It can answer whoever connects to the one port, and open no connection of its own; who calls it by a name that is not of loopback is
refused (``core/border/loopback.py``).
"""

import asyncio
import importlib
import os
import socket
import sys
from pathlib import Path

from core.border import jail
from core.border.loopback import Door
from core.domain.limits import SERVING
from core.doors.worker import die_with

LIBRARIES = ("numpy", "onnxruntime", "uvicorn", "uvicorn.lifespan.on", "starlette.applications", "prometheus_client")


def main() -> None:
    """Serve until a signal."""
    die_with(int(sys.argv[1]))
    listening = socket.socket(fileno=int(sys.argv[2]))
    for name in LIBRARIES:
        importlib.import_module(name)
    loop = asyncio.new_event_loop()
    jail.libraries()
    jail.lock_server(Path.cwd(), SERVING)
    sys.path.insert(0, str(Path("in").resolve()))
    os.environ["TMPDIR"] = str(Path("tmp").resolve())
    importlib.import_module("predict").begin_log()
    server = importlib.import_module("server")
    server.app = Door(server.app)  # type: ignore[attr-defined]
    loop.run_until_complete(server.serve(listening))


if __name__ == "__main__":
    main()
