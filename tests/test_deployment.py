"""What lies in ``deploy``: it names what there is, and the server runs as confined as it says, with every wall of the jail."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from fnmatch import fnmatch
from pathlib import Path

import httpx
import psutil
import pytest

from core.domain.settings import SETTINGS
from tests.serving import ROOT, free_port

DEPLOY = ROOT / "deploy"
CONFINED = """
set -e
mount --make-rprivate /
if [ -n "$CLOSED" ]; then  # the interpreter lies where only root may look, as in a home
    mount --bind "$PYTHON_HOME" "$BESIDE"
    mount -t tmpfs -o mode=755 tmpfs "$CLOSED"
    mkdir -p "$PYTHON_HOME"
    mount --bind "$BESIDE" "$PYTHON_HOME"
fi
mount --bind "$ROOT" /mnt
mount -o remount,bind,ro /
mount -t tmpfs -o mode=1777 tmpfs /tmp
case "$ROOT" in /tmp/*) mkdir -p "$ROOT"; mount --bind /mnt "$ROOT";; esac  # this checkout lies there itself
mkdir -m 700 /tmp/data
chown 10001:10001 /tmp/data
cd "$ROOT"
export HOME=/tmp PORTOLAN_HOME=/tmp/data PYTHONDONTWRITEBYTECODE=1
exec setpriv --reuid 10001 --regid 10001 --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""
"""As ``deploy/compose.yaml`` has it: a user of its own, no capabilities, a root that cannot be written, and a small /tmp."""


def test_the_files_name_only_settings_and_files_that_there_are() -> None:
    files = [path for path in DEPLOY.rglob("*") if path.is_file()]
    named = {name for path in files for name in re.findall(r"PORTOLAN_[A-Z_]*[A-Z]", path.read_text())}
    assert len(named) >= 5
    assert named - {"PORTOLAN_BACKUPS"} <= set(SETTINGS)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
    assert len(copied) >= 5
    let_in = [line[1:] for line in (DEPLOY / "Containerfile.dockerignore").read_text().splitlines() if line[0] == "!"]
    for word in " ".join(copied).split():
        assert list(ROOT.glob(word)), word
        assert any(fnmatch(word, known.removesuffix("/config.toml")) for known in let_in), word


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in (DEPLOY / "systemd").iterdir():  # the program is not where an installation has it
        text = unit.read_text().replace("/opt/portolan/.venv/bin/python", "/bin/sh")
        (tmp_path / unit.name).write_text(text)
    units = sorted(map(str, tmp_path.iterdir()))
    run = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")


def closed(python: Path) -> Path | None:
    """Return the folder above an interpreter that others may not enter, or None."""
    return next((folder for folder in reversed(python.parents) if not folder.stat().st_mode & 0o001), None)


@pytest.fixture
def confined(tmp_path: Path) -> list[str]:
    """The beginning of a command that runs as the container does; skips where no mount namespace can be had."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"]).returncode != 0:
        pytest.skip("only root may make a mount namespace here")
    script = tmp_path / "confined.sh"
    script.write_text(CONFINED)
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", str(script)]


def surroundings(tmp_path: Path, port: int) -> dict[str, str]:
    """Return the variables of the script."""
    home = Path(sys.base_prefix)
    (tmp_path / "beside").mkdir()
    variables = {"ROOT": str(ROOT), "PYTHON_HOME": str(home), "BESIDE": str(tmp_path / "beside")}
    return {**os.environ, **variables, "CLOSED": str(closed(home) or ""), "PORTOLAN_PORT": str(port)}


def test_every_wall_holds_without_root_capabilities_and_a_root_that_can_be_written(
    confined: list[str], tmp_path: Path
) -> None:
    port, python = free_port(), str(ROOT / ".venv" / "bin" / "python")
    environment = surroundings(tmp_path, port)
    look = subprocess.run([*confined, python, "-m", "core", "doctor", "--json"], env=environment, capture_output=True)
    assert look.returncode == 0, look.stdout + look.stderr
    assert json.loads(look.stdout)["faults"] == 0
    log = tmp_path / "log"
    with (
        log.open("wb") as file,
        subprocess.Popen([*confined, python, "app.py"], env=environment, stdout=file, stderr=file) as server,
    ):
        try:
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", timeout=60, headers={"X-Requested-With": "test"}
            ) as client:
                health = waited(client)
                assert (health["status"], health["isolation"]) == ("ok", "full")
                client.get("/")
                model = (ROOT / "sample_models" / "fashion_cnn" / "model.onnx").read_bytes()
                job = client.put("/api/models?name=m.onnx", content=model).json()["job"]
                deadline = time.monotonic() + 60
                while (state := client.get(f"/api/jobs/{job}").json()["state"]) in ("queued", "running"):
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
                assert state == "done"
        finally:
            for inner in psutil.Process(server.pid).children():  # unshare ends with it, and takes no SIGTERM itself
                inner.kill()


def waited(client: httpx.Client) -> dict[str, object]:
    """Return what the server says of its health, as soon as it says anything."""
    deadline = time.monotonic() + 60
    while True:
        try:
            value: dict[str, object] = client.get("/healthz").json()
            return value
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
