"""Optional groups: what says that one is there, and private environments made by the real pip from a wheel of the test's own."""

import json
import sys
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.converters import CONVERTERS
from core.domain import groups
from core.domain.errors import Cancelled, Refused, Unavailable
from core.domain.groups import GROUPS, ROOT, Group, Private
from core.domain.installation import InstallRequest
from core.domain.limits import Limits
from core.doors.commands import main
from core.runtimes import RUNTIMES
from core.sandbox import Sandbox, environments
from core.verbs import install

SMALL = Limits(wall_seconds=20, cpu_seconds=10, memory_mb=600, file_mb=32)


@dataclass(frozen=True)
class Made(Private):
    """A private group whose pins lie where the test wrote them."""

    pins: Path = Path()

    @property
    def requirements(self) -> Path:
        """The test's own file."""
        return self.pins


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """A group that pip can install without a network: one wheel with one module."""
    monkeypatch.setenv("PORTOLAN_HOME", str(tmp_path / "home"))
    with zipfile.ZipFile(tmp_path / "smallthing-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("smallthing.py", "ANSWER = 42\n")
        wheel.writestr("smallthing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: smallthing\nVersion: 1.0\n")
        wheel.writestr(
            "smallthing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("smallthing-1.0.dist-info/RECORD", "")
    (tmp_path / "pins.txt").write_text(f"--no-index\n--find-links {tmp_path}\nsmallthing==1.0\n")
    return Made("small", "Small thing", 1, ("smallthing",), pins=tmp_path / "pins.txt")


def make(group: Group, cancel: threading.Event | None = None) -> list[str]:
    """Make an environment and return what was told."""
    told: list[str] = []
    environments.make(group, lambda fraction, text: told.append(text), cancel or threading.Event())
    return told


def test_an_environment_is_made_once_and_starts_a_child_behind_every_wall(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "python -m core install small" in str(made.unavailable())
    told = make(made)
    assert told[0] == "Creating an environment for Small thing"
    assert any("smallthing" in line for line in told)
    assert made.unavailable() is None
    assert make(made) == []
    monkeypatch.setitem(GROUPS, "small", made)
    sandbox = Sandbox(tmp_path / "scratch", "tests.hostile.attacks")
    try:
        args = {"module": "smallthing"}
        with sandbox.run("late_import", args, {"model": Path(__file__)}, SMALL, kind="small") as done:
            assert done.value["prefix"] == str(made.folder)
            assert done.value["module"].startswith(str(made.folder))
            assert not done.value["numpy"].startswith(str(made.folder))
        with sandbox.run("act", {"name": "tcp", "target": "1"}, {"model": Path(__file__)}, SMALL, kind="small") as done:
            assert "not permitted" in done.value["refused"]
    finally:
        sandbox.close()


def test_another_pin_makes_an_environment_a_stranger(made: Made) -> None:
    make(made)
    made.pins.write_text(made.pins.read_text() + "# another reason\n")
    assert made.unavailable()
    make(made)
    assert made.unavailable() is None


def test_what_fails_says_why_and_leaves_nothing(made: Made) -> None:
    made.pins.write_text(made.pins.read_text() + "nothing-like-this==9.9\n")
    with pytest.raises(Unavailable) as caught:
        make(made)
    assert "nothing-like-this==9.9" in caught.value.message
    assert caught.value.next_step
    assert not made.folder.exists()


def test_a_cancelled_installation_leaves_nothing(made: Made) -> None:
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        environments.make(made, lambda fraction, text: cancel.set(), cancel)
    assert not made.folder.exists()


def test_the_job_installs_private_groups_alone() -> None:
    with pytest.raises(Refused, match="beside Portolan's own libraries") as caught:
        install.run(None, InstallRequest("ncnn"))  # type: ignore[arg-type]
    assert "pip install -r requirements-ncnn.txt" in caught.value.next_step
    with pytest.raises(Refused, match="no group called"):
        install.title(InstallRequest("../../etc"))
    assert install.title(InstallRequest("litert")) == "Install LiteRT Torch"


@pytest.mark.parametrize("group", GROUPS.values(), ids=lambda group: group.id)
def test_every_group_has_pins_with_reasons(group: Group) -> None:
    rows = [row for row in group.requirements.read_text().splitlines() if row and not row.startswith("#")]
    assert rows
    assert all("==" in row and "  # " in row for row in rows)
    assert group.megabytes > 0


def test_an_entry_says_how_its_group_is_installed() -> None:
    entries = [entry for entry in (*CONVERTERS, *RUNTIMES) if entry.group is not None]
    assert {"ncnn", "coreml", "executorch", "litert"} <= {entry.group.id for entry in entries if entry.group}
    for entry in entries:
        assert entry.group is not None
        assert entry.group.id in GROUPS
        row = entry.to_json()
        assert row["group"] == entry.group.id
        assert row["available"] or ".venv/bin/python -m " in str(row["reason"])


def test_a_child_without_a_group_runs_on_this_interpreter() -> None:
    assert groups.python_for("light") == Path(sys.executable)
    assert groups.program_for("light") is None
    assert groups.python_for("litert").parent.parent.name == "litert"


def test_the_command_line_lists_groups(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["groups"]
    assert [row["id"] for row in rows] == list(GROUPS)
    assert main(["install", "nonsense", "--json"]) == 1
    assert "nonsense" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert (ROOT / "requirements.txt").exists()
