"""Node, the unpacked runtime, and a way to replay a recording in Node as the browser's worker does."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core import web

REPLAY = Path(__file__).with_name("replay_in_node.mjs")
OLDEST = 20


@pytest.fixture(scope="session")
def node() -> str:
    """The path of Node, version 20 or newer; without it these tests are skipped."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node is not installed on this machine")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").split(".")[0]) < OLDEST:
        pytest.skip(f"Node is {version.strip()} here; these tests need {OLDEST}")
    return found


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runtime's files unpacked."""
    folder = tmp_path_factory.mktemp("runtime")
    for name in web.RUNTIME:
        (folder / name).write_bytes(web.unpacked(name))
    return folder


@pytest.fixture
def replay(node: str, runtime: Path) -> Callable[[Path, Path], dict[str, Any]]:
    """Replay a recording on a model in Node, and return what the worker would answer."""

    def run(model: Path, recording: Path) -> dict[str, Any]:
        words = [node, str(REPLAY), str(model), str(recording), str(runtime)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    return run
