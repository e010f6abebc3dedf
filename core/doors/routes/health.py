"""Health: is the server up and able to work, how well are models jailed, and is it still free of model libraries.

Each part is looked at on a thread of its own, so that one that hangs delays no answer, and at most once at a time; neither
needs a place among the threads that serve uploads.
"""

import functools
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse

from core.domain.errors import PortolanError
from core.doors import workspace
from core.doors.workspace import Workspace
from core.memory.standing import readable, standing

MODEL_LIBRARIES = (
    "torch",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "sklearn",
    "skl2onnx",
    "skops",
    "xgboost",
    "safetensors",
    "tensorflow",
)
PATIENCE_SECONDS = 0.7
FRESH_SECONDS = 0.5
TICK_SECONDS = 0.005
STILL_SECONDS = 120.0
OK, FULL, SILENT = "ok", "full", "no answer"
_STARTED, _BEGAN = time.monotonic(), time.time()


class Part:
    """One thing to look at; ``look`` says "ok", or what is wrong with it."""

    def __init__(self, look: Callable[[Workspace], str]) -> None:
        self._look = look
        self._lock, self._busy, self._told, self._at = threading.Lock(), False, SILENT, -FRESH_SECONDS

    def begin(self) -> None:
        """Look, unless somebody is looking or has just done so."""
        with self._lock:
            if self._busy or time.monotonic() - self._at < FRESH_SECONDS:
                return
            self._busy = True
        threading.Thread(target=self._run, name="portolan-health", daemon=True).start()

    @property
    def told(self) -> str | None:
        """What was seen, or None while it is looked for."""
        with self._lock:
            return None if self._busy else self._told

    def _run(self) -> None:
        try:
            told = self._look(workspace.current())
        except PortolanError as error:
            told = error.message
        except Exception as error:
            told = f"failed ({type(error).__name__})"
        with self._lock:
            self._told, self._at, self._busy = told, time.monotonic(), False


def disk(now: Workspace) -> str:
    """Ask for room beyond the reserve and within the quota."""
    return OK if now.store.blobs.room() > 0 else FULL


def database(now: Workspace) -> str:
    """Read a row."""
    with now.store.database.reading() as db:
        readable(db)
    return OK


def writing(now: Workspace) -> str:
    """Have the database begin and end a change."""
    with now.store.transaction():
        return OK


def queue(now: Workspace) -> str:
    """See that jobs do not wait while none runs and none has begun or ended for two minutes."""
    with now.store.database.reading() as db:
        stands = standing(db)
    still = time.time() - max(stands.waiting or 0.0, stands.moved or 0.0, _BEGAN)
    if stands.waiting and not stands.running and still > STILL_SECONDS:
        return f"jobs have waited for {still:.0f} s, and none runs"
    return OK


def sandbox(now: Workspace) -> str:
    """See that a child waits or is being made."""
    return now.sandbox.trouble or OK


@dataclass(frozen=True)
class Looks:
    """The parts by name."""

    parts: Mapping[str, Part]

    async def told(self) -> dict[str, str]:
        """Return what each part says within the patience that there is."""
        for part in self.parts.values():
            part.begin()
        with anyio.move_on_after(PATIENCE_SECONDS):
            while any(part.told is None for part in self.parts.values()):
                await anyio.sleep(TICK_SECONDS)
        return {name: part.told or SILENT for name, part in self.parts.items()}


HEALTH = Looks({look.__name__: Part(look) for look in (disk, database, queue, sandbox)})
READY = Looks({**HEALTH.parts, "writing": Part(writing)})


async def health(request: Request) -> JSONResponse:
    """Answer ``{status, parts, isolation, version, uptime, model_libraries}``; 503 when a part fails. A full disk is no failure.

    The last names what should never be loaded here.
    """
    parts = await HEALTH.told()
    failing = any(told not in (OK, FULL) for told in parts.values())
    found = workspace.current().sandbox.found
    value = {
        "status": "failing" if failing else "ok",
        "parts": parts,
        "isolation": "not known yet" if found is None else "full" if found.full else "limits only",
        "version": version(),
        "uptime": round(time.monotonic() - _STARTED, 3),
        "model_libraries": [name for name in MODEL_LIBRARIES if name in sys.modules],
    }
    return JSONResponse(value, 503 if failing else 200, headers={"Cache-Control": "no-store"})


async def ready(request: Request) -> JSONResponse:
    """Answer whether new work can be taken: every part is well, the database can be written, and there is room."""
    parts = await READY.told()
    well = all(told == OK for told in parts.values())
    return JSONResponse({"ready": well, "parts": parts}, 200 if well else 503, headers={"Cache-Control": "no-store"})


@functools.cache
def version() -> str:
    """Return the version that pyproject.toml declares."""
    text = (Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8")
    return str(tomllib.loads(text)["project"]["version"])
