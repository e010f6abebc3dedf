"""Backups: what was copied while others wrote restores whole, and what is not whole is no backup."""

import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from core.domain.errors import OverLimit, PortolanError, Refused, Unavailable
from core.doors.doctor import Place, examine
from core.doors.doctor.checks import CHECKS
from core.doors.workspace import open_workspace
from core.memory.backup import MARK, back_up, blob_name, check, restore
from core.memory.blobs import Blobs
from core.memory.named import staying
from core.memory.store import Store
from tests.serving import ROOT
from tests.test_kill import VISITOR, Witness, check_tables, mother, rows

SHAPES = ["backup.zip", "backup"]


def quiet(fraction: float | None, text: str) -> None:
    """Progress goes nowhere."""


def filled(home: Path, count: int = 5) -> Path:
    """Make a home with some models, each named by a report too."""
    store = Store(home)
    for number in range(count):
        with store.blobs.writer() as writer:
            writer.write(os.urandom(50_000))
            blob = writer.commit()
        made = store.add_artifact(VISITOR, **vars(blob), format="onnx", name=f"model {number}")
        store.add_report(VISITOR, made.id, "note", {"of": number}, blobs=[blob.sha256])
    store.close()
    return home


def names(home: Path) -> dict[str, str]:
    """Return the models of a home by name, after every file of theirs was read."""
    with closing(Store(home)) as store:
        assert rows(store, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
        found = store.artifacts(VISITOR)
        for artifact in found:
            store.blobs.verify(artifact.sha256)
        assert store.sweep(age=0) == 0
        return {artifact.name: artifact.sha256 for artifact in found}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_backup_restores_into_an_empty_home(shape: str, tmp_path: Path) -> None:
    home, again = filled(tmp_path / "home"), tmp_path / "again"
    made = back_up(home, tmp_path / shape, quiet)
    assert (made.blobs, made.bytes, made.lacking) == (5, 250_000, ())
    shutil.rmtree(home / "blobs")
    assert restore(tmp_path / shape, again, quiet) == made
    assert len(names(again)) == 5
    assert again.stat().st_mode & 0o077 == 0
    assert (again / "portolan.db").stat().st_mode & 0o077 == 0
    assert examine(Place(again), {"database": CHECKS["database"], "home": CHECKS["home"]}, quiet) == []
    workspace = open_workspace(again)
    workspace.close()


def test_a_home_that_is_not_empty_and_a_name_that_is_taken_are_refused(tmp_path: Path) -> None:
    home = filled(tmp_path / "home")
    back_up(home, tmp_path / "backup", quiet)
    with pytest.raises(Refused, match="not empty"):
        restore(tmp_path / "backup", home, quiet)
    with pytest.raises(Refused, match="something"):
        back_up(home, tmp_path / "backup", quiet)
    with pytest.raises(Refused, match="inside"):
        back_up(home, home / "backup", quiet)
    with pytest.raises(Refused, match="no database"):
        back_up(tmp_path / "nowhere", tmp_path / "other", quiet)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fault", ["cut", "changed blob", "no blob", "no manifest", "changed database"])
def test_what_is_not_whole_is_refused_and_opens_no_server(shape: str, fault: str, tmp_path: Path) -> None:
    home, again = filled(tmp_path / "home"), tmp_path / "again"
    back_up(home, tmp_path / "backup", quiet)
    spoiled = tmp_path / "backup"
    blob = spoiled / blob_name(next(iter(names(home).values())))
    if fault in ("cut", "changed blob"):
        blob.write_bytes(blob.read_bytes()[:100] + (b"" if fault == "cut" else bytes(49_900)))
    elif fault == "changed database":
        with closing(sqlite3.connect(spoiled / "portolan.db")) as db:
            db.execute("UPDATE artifact SET name = 'other'")
            db.commit()
    else:
        (blob if fault == "no blob" else spoiled / "manifest.json").unlink()
    if shape.endswith(".zip"):
        spoiled = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", spoiled))
    for act in (lambda: check(spoiled, quiet), lambda: restore(spoiled, again, quiet)):
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.next_step
    if again.exists():
        with pytest.raises(Refused, match="in part"):
            open_workspace(again)
        assert not (again / "portolan.db").exists()


def test_a_restore_that_broke_off_goes_on(tmp_path: Path) -> None:
    home, again = filled(tmp_path / "home"), tmp_path / "again"
    back_up(home, tmp_path / "backup", quiet)
    kept = names(home)
    lost = tmp_path / "backup" / blob_name(sorted(kept.values())[-1])
    lost.rename(tmp_path / "aside")
    with pytest.raises(Refused, match="missing"):
        restore(tmp_path / "backup", again, quiet)
    assert (again / MARK).exists()
    (tmp_path / "aside").rename(lost)
    restore(tmp_path / "backup", again, quiet)
    assert not (again / MARK).exists()
    assert names(again) == kept


def test_files_that_were_damaged_before_are_named_and_the_rest_is_saved(tmp_path: Path) -> None:
    home = filled(tmp_path / "home")
    gone, spoiled, *_ = sorted(names(home).values())
    Blobs(home / "blobs").place(gone).unlink()
    Blobs(home / "blobs").place(spoiled).write_bytes(b"other bytes")
    made = back_up(home, tmp_path / "backup.zip", quiet)
    assert (made.blobs, made.lacking) == (3, (gone, spoiled))
    assert restore(tmp_path / "backup.zip", tmp_path / "again", quiet).lacking == (gone, spoiled)


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    home = filled(tmp_path / "home", 20)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, before[1]))
    try:
        with pytest.raises(OverLimit, match="takes no more"):
            back_up(home, tmp_path / "backup.zip", quiet)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_database_of_a_newer_program_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    home = filled(tmp_path / "home")
    back_up(home, tmp_path / "old", quiet)
    with closing(sqlite3.connect(home / "portolan.db")) as db:
        db.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('portolan', 'm999_x', '')")
        db.commit()
    with pytest.raises(Unavailable, match="newer Portolan"):
        back_up(home, tmp_path / "backup", quiet)
    assert list(tmp_path.glob("backup*")) == []
    content = bytearray((tmp_path / "old" / "portolan.db").read_bytes())
    content[8192:40_000] = os.urandom(40_000 - 8192)
    (home / "portolan.db").write_bytes(content)
    with pytest.raises(PortolanError, match="damaged"):
        back_up(home, tmp_path / "backup", quiet)


def test_nothing_is_swept_while_a_backup_is_made(tmp_path: Path) -> None:
    home = filled(tmp_path / "home")
    with closing(Store(home)) as store:
        with store.blobs.writer() as writer:
            writer.write(b"nobody names this")
            writer.commit()
        with staying(home):
            assert store.sweep(age=0) == 0
        assert store.sweep(age=0) == 1


def test_what_is_removed_meanwhile_is_in_the_backup_all_the_same(tmp_path: Path) -> None:
    home = filled(tmp_path / "home")
    kept, swept = names(home), []
    with closing(Store(home)) as store:

        def remove(fraction: float | None, text: str) -> None:
            for artifact in store.artifacts(VISITOR):
                store.remove_artifact(VISITOR, artifact.id)
            swept.append((text.split(":")[0], store.sweep(age=0)))

        assert back_up(home, tmp_path / "backup.zip", remove).lacking == ()
    assert sum(count for doing, count in swept if doing == "Copying") == 0
    assert sum(count for _, count in swept) == len(kept)  # as soon as all is copied
    restore(tmp_path / "backup.zip", tmp_path / "again", quiet)
    assert names(tmp_path / "again") == kept


def test_a_backup_that_is_killed_is_none(tmp_path: Path) -> None:
    home, dice, whole, killed = filled(tmp_path / "home", 120), random.Random(3), 0, 0
    for number in range(8):
        out = tmp_path / f"backup {number}{random.Random(number).choice(['', '.zip'])}"
        environment = {**os.environ, "PORTOLAN_HOME": str(home), "TMPDIR": str(tmp_path)}
        words = [sys.executable, "-m", "core", "backup", str(out)]
        with subprocess.Popen(words, cwd=ROOT, env=environment, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            process.stderr.readline()
            time.sleep(dice.uniform(0, 0.25))
            process.kill()
        killed += process.returncode != 0
        assert process.returncode != 0 or out.exists()
        if out.exists():
            whole += check(out, quiet).blobs == 120
        for part in tmp_path.glob("*.part"):
            with suppress(Refused):  # all of it may be there, and only its name be missing
                assert check(part, quiet).blobs == 120
            shutil.rmtree(part) if part.is_dir() else part.unlink()
    print(f"{killed} backups killed, {whole} whole")
    assert killed > 0
    with closing(Store(home)) as store:
        assert store.sweep(age=0) == 0


def test_a_backup_made_while_the_server_works_and_is_killed_restores(tmp_path: Path) -> None:
    kills = 6  # `python -m benchmarks.kills` does 200
    dice, witness, home, artifacts = random.Random(kills), Witness(), tmp_path / "home", 0
    with mother() as process:
        for number in range(kills):
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{home}\n")
            server = int(process.stdout.readline().split()[1])
            while not (line := process.stdout.readline()).startswith("artifact"):
                witness.hear(line)
            witness.hear(line)
            time.sleep(dice.uniform(0, 0.2))
            acknowledged, out, errors = set(witness.said["artifact"]), tmp_path / f"b{number}.zip", []

            def save(out: Path = out, errors: list[Exception] = errors) -> None:
                try:
                    back_up(home, out, quiet)
                except Exception as error:
                    errors.append(error)

            copying = threading.Thread(target=save)
            copying.start()
            time.sleep(dice.uniform(0, 0.3))
            os.kill(server, signal.SIGKILL)
            copying.join()
            while (line := process.stdout.readline()) != "dead\n":
                witness.hear(line)
            assert errors == []
            again = tmp_path / f"again {number}"
            assert restore(out, again, quiet).lacking == ()
            with closing(Store(again)) as store:
                check_tables(store)
                present = {artifact.id for artifact in store.artifacts(VISITOR)}
                assert acknowledged - witness.said["removing"] <= present
                for row in rows(
                    store, "SELECT sha256 FROM artifact UNION SELECT sha256 FROM mention WHERE report IS NOT NULL"
                ):
                    store.blobs.verify(row["sha256"])
            artifacts += len(present)
            shutil.rmtree(again)
    print(
        f"{kills} backups beside killed servers, {artifacts} artifacts restored, {len(witness.said['artifact'])} made"
    )
    assert artifacts > kills
