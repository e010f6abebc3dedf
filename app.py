"""The server: the pages and Portolan's own routes on one port. Run it with ``python app.py`` or ``streamlit run app.py``."""

import ctypes
import gc
import importlib
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import anyio
import anyio.to_thread
from streamlit import config
from streamlit.starlette import App

from core.domain import settings
from core.domain.bounds import open_more_files
from core.domain.errors import PortolanError
from core.domain.home import default_home
from core.domain.reach import base
from core.doors import administration, connections, logs, routes, signin, workspace
from core.doors.routes import links, metrics

LIGHT = (
    "altair",
    "pandas",
    "pyarrow",
    "core.answers.charts",
    "core.answers.bundle",
    "core.doors.samples",
    "streamlit.web.bootstrap",
)
"""What the first page would otherwise wait for."""

M_ARENA_MAX = -8
"""The number of glibc's malloc.h."""

log = logging.getLogger("portolan")


def prepare() -> None:
    """Check the settings, open the workspace, wait for the jail's self-test, and load meanwhile what charts and tables need.

    Model libraries never enter this process. Raises PortolanError when the folder cannot be opened, or a setting is wrong.
    """
    settings.check()
    logs.begin()
    share_arenas()
    for stranger in settings.strangers(os.environ):
        log.warning("%s %s", stranger.message, stranger.next_step)
    open_more_files()
    opened = workspace.current()
    for name in LIGHT:
        importlib.import_module(name)
    opened.sandbox.isolation  # noqa: B018
    metrics.READER.begin(opened.store)
    # What is loaded by now never becomes garbage, so that no later collection needs to walk it.
    gc.collect()
    gc.freeze()


def share_arenas() -> None:
    """Let the threads of many visitors take memory from two places, and not from one for each thread that grow apart (mallopt(3), glibc)."""
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(M_ARENA_MAX, 2)


@asynccontextmanager
async def lifespan(app: App) -> AsyncIterator[None]:
    """Be ready before the first request, and close the workspace after the last. Raises Refused where strangers would reach it."""
    # As Streamlit binds it, whoever said so: the bounds of a server for others depend on it (core/domain/reach.py).
    os.environ["PORTOLAN_ADDRESS"] = config.get_option("server.address") or "::"
    signin.check_reach(config.get_option("server.address"))
    if not gc.get_freeze_count():
        await anyio.to_thread.run_sync(prepare)
    logs.begin()  # once more: uvicorn and Streamlit have set up handlers of their own meanwhile
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sweep_hourly)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()
    await anyio.to_thread.run_sync(workspace.close_current)


def sweep() -> None:
    """Delete what is older than the retention and sweep once; why that was not done is said in the server's log, and ends nothing."""
    try:
        administration.expire()
        workspace.current().store.sweep()
    except PortolanError as error:
        log.error("the files were not swept: %s %s", error.message, error.next_step)


async def sweep_hourly() -> None:
    """Remove the files that nothing names any more, a minute after the start and then every hour."""
    await anyio.sleep(60)
    while True:
        await anyio.to_thread.run_sync(sweep)
        await anyio.sleep(3600)


def secrets() -> dict[str, Any]:
    """Return what Streamlit needs to sign people in, which no file holds; half a configuration ends the program in words."""
    try:
        provider = signin.provider()
    except PortolanError as error:
        sys.exit(f"{error.message} {error.next_step}")
    if provider is None:
        return {}
    home = default_home()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return {"auth": provider.settings(links.key(home))}


app = App(
    Path(__file__).parent / "pages" / "frame.py",
    routes=routes.ROUTES,
    middleware=routes.MIDDLEWARE,
    exception_handlers=routes.HANDLERS,
    lifespan=lifespan,
    secrets=secrets(),
)


def main() -> None:
    """Serve on loopback, port 8501, unless ``PORTOLAN_ADDRESS`` or ``PORTOLAN_PORT`` say otherwise.

    Streamlit reads its own environment variables under ``streamlit run`` only.
    """
    chosen: dict[str, str | int] = {"server.address": os.environ.get("PORTOLAN_ADDRESS") or "127.0.0.1"}
    try:
        signin.check_reach(str(chosen["server.address"]))
        prepare()  # before Streamlit announces the address, which it does before the lifespan begins
    except PortolanError as error:
        sys.exit(f"{error.message} {error.next_step}")
    chosen["server.baseUrlPath"] = base()
    if port := os.environ.get("PORTOLAN_PORT"):
        chosen["server.port"] = int(port)
    connections.install()
    app.run(config=chosen)


if __name__ == "__main__":
    main()
