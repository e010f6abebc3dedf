"""Nothing that the server does, from start to end, tries to reach another machine."""

import json
import shutil
import subprocess
import sys

import pytest

from tests.serving import ROOT

ALONE = ["unshare", "--map-root-user", "--net"]


@pytest.mark.slow
def test_no_outbound_connection_from_start_to_stop() -> None:
    if (
        shutil.which("unshare") is None
        or subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode != 0
    ):
        pytest.skip("this machine does not let us make a network namespace")
    words = [*ALONE, sys.executable, "-m", "tests.routes.lonely"]
    run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    report = json.loads(run.stdout.splitlines()[-1])
    assert report["messages"] > 3
    assert report["foreign"] == 403
    assert report["ingest"] == "done"
    assert report["convert"] == 0
    assert report["counts"], "the counters do not see an attempt, so they prove nothing here"
    assert set(report["counters"].values()) == {0}, report
