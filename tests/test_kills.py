"""The bench that kills servers notices what is lost, and a short life of it loses nothing."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.kills.disk import disk
from benchmarks.kills.ledger import Ledger
from core.memory.blobs import Blobs
from core.memory.store import Store


def filled(home: Path) -> Ledger:
    """Make a home with a model, a data set and a job, and acknowledge them."""
    store = Store(home)
    with store.blobs.writer() as writer:
        writer.write(b"a model")
        blob = writer.commit()
    made = store.add_artifact("ann", **vars(blob), format="onnx", name="m")
    store.add_dataset("ann", **vars(blob), name="d")
    with store.transaction() as db:
        row = {
            "id": "j",
            "visitor": "ann",
            "verb": "ingest",
            "title": "t",
            "args": "{}",
            "state": "done",
            "made": made.id,
        }
        db["job"].insert({**row, "created": 1.0})
    store.close()
    return Ledger({blob.sha256}, {blob.sha256}, {"j"}, {"j": ("done", made.id)})


def sql(statement: str) -> Callable[[Path], None]:
    """Return what changes the tables."""

    def act(home: Path) -> None:
        store = Store(home)
        with store.transaction() as db:
            db.execute(statement)
        store.close()

    return act


def spoil(home: Path) -> None:
    """Change the bytes of the only blob."""
    (blob,) = (path for path in Blobs(home / "blobs").objects.rglob("*") if path.is_file())
    blob.write_bytes(b"another")


LOST: dict[str, tuple[Callable[[Path], None], str]] = {
    "a blob": (lambda home: shutil.rmtree(home / "blobs"), "blob"),
    "the bytes of a blob": (spoil, "do not match"),
    "a job": (sql("DELETE FROM job"), "job j"),
    "the end of a job": (sql("UPDATE job SET state = 'running'"), "was done, and is running"),
    "a data set": (sql("DELETE FROM dataset"), "data set"),
    "a model": (sql("DELETE FROM artifact"), "artifact"),
}


@pytest.mark.parametrize("what", LOST)
def test_what_is_lost_is_noticed(what: str, tmp_path: Path) -> None:
    ledger = filled(tmp_path / "home")
    assert ledger.lost(tmp_path / "home") == []
    LOST[what][0](tmp_path / "home")
    assert LOST[what][1] in " ".join(ledger.lost(tmp_path / "home"))


def test_the_disk_runs_full_and_is_empty_again(tmp_path: Path) -> None:
    with disk(tmp_path) as small:
        if small.kind == "none":
            pytest.skip("nothing may be mounted here")
        small.fill(0)
        with pytest.raises(OSError, match="No space left"):
            (small.folder / "x").write_bytes(bytes(1 << 20))
        small.free()
        (small.folder / "y").write_bytes(bytes(1 << 20))
    mounted = subprocess.run(["mount"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in mounted
