"""Opening a workspace: settings, one server a folder, and the samples by the same door as uploads."""

from pathlib import Path

import pytest

from core.domain.errors import OverLimit, Unavailable
from core.doors import workspace
from core.doors.samples import sample


def test_quota_of_the_environment_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTOLAN_QUOTA_GB", "0.0001")
    opened = workspace.open_workspace(tmp_path)
    found = sample("fashion_cnn")
    assert found
    with pytest.raises(OverLimit):
        workspace.open_sample(opened, "v", found)
    opened.close()


def test_second_server_in_one_folder_is_refused(tmp_path: Path) -> None:
    first = workspace.open_workspace(tmp_path)
    with pytest.raises(Unavailable, match="Another Portolan server"):
        workspace.open_workspace(tmp_path)
    first.close()
    workspace.open_workspace(tmp_path).close()


def test_sample_twice_is_one_model_and_one_data_set(tmp_path: Path) -> None:
    opened = workspace.open_workspace(tmp_path)
    found = sample("penguins")
    assert found
    jobs = [opened.queue.wait("v", workspace.open_sample(opened, "v", found).id, 60) for _ in range(2)]
    assert jobs[0].id == jobs[1].id
    assert len(opened.store.artifacts("v")) == len(opened.store.datasets("v")) == 1
    assert opened.store.artifacts("somebody else") == []
    opened.close()
