"""Health: is the server up, how well are models jailed, and is it still free of model libraries."""

import functools
import sys
import time
import tomllib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse

from core.doors import workspace

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
_STARTED = time.monotonic()


def health(request: Request) -> JSONResponse:
    """Answer ``{status, isolation, version, uptime, model_libraries}``; the last names what should never be loaded here."""
    isolation = workspace.current().sandbox.isolation
    value = {
        "status": "ok",
        "isolation": "full" if isolation.full else "limits only",
        "version": version(),
        "uptime": round(time.monotonic() - _STARTED, 3),
        "model_libraries": [name for name in MODEL_LIBRARIES if name in sys.modules],
    }
    return JSONResponse(value, headers={"Cache-Control": "no-store"})


@functools.cache
def version() -> str:
    """Return the version that pyproject.toml declares."""
    text = (Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8")
    return str(tomllib.loads(text)["project"]["version"])
