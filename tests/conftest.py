"""What many tests share: a sandbox, tools for the verbs, and the shipped samples."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.doors.commands import main
from core.memory.blobs import Blobs
from core.sandbox import Sandbox
from core.sandbox.tools import Tools
from tests.serving import Server, start

SAMPLES = Path(__file__).parent.parent / "sample_models"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the file that takes longest: at the end, one process would wait for it alone."""
    items.sort(key=lambda item: "tuning/test_search.py" not in item.nodeid)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One sandbox for the whole run."""
    box = Sandbox(tmp_path_factory.mktemp("scratch"))
    yield box
    box.close()


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network of the fashion sample as a package."""
    out, model = tmp_path_factory.mktemp("package") / "b.zip", SAMPLES / "fashion_cnn" / "model.onnx"
    assert main(["migrate", str(model), "--target", "onnxruntime", "-o", str(out), "--json"]) == 0
    return out


@pytest.fixture
def tools(tmp_path: Path, sandbox: Sandbox) -> Tools:
    """Tools with blobs of their own; progress goes nowhere."""
    return Tools(Blobs(tmp_path / "blobs"), sandbox, lambda fraction, text: None, threading.Event())


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Start servers that end with the run."""
    started: list[Server] = []

    def begin(*command: str, home: Path | None = None, **settings: str) -> Server:
        started.append(start(home or tmp_path_factory.mktemp("home"), *command, **settings))
        return started[-1]

    yield begin
    for server in started:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture(scope="session")
def sample_models() -> Path:
    """The folder of the shipped samples."""
    return SAMPLES


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small products lose more than they gain on several threads of a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
