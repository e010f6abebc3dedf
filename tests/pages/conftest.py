"""What the tests of every page share: a workspace of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.doors import workspace
from core.doors.workspace import Workspace


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace of this test's own."""
    monkeypatch.setenv("PORTOLAN_HOME", str(tmp_path))
    yield workspace.current()
    workspace.close_current()
