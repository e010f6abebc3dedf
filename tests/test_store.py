"""The store: lineage, isolation of visitors, reports, and transactions that many writers share."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.domain.artifact import Artifact
from core.domain.codec import Json
from core.domain.errors import NotFound, OverLimit, Refused, Unavailable
from core.domain.recipe import Step
from core.doors.workspace import open_workspace
from core.memory import pairing
from core.memory.blobs import Blob, Blobs
from core.memory.store import Store

WRITERS = Path(__file__).parent / "kill" / "writers.py"
STEP = Step("torch_export_to_onnx", {"opset": 20})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "home")
    yield opened
    opened.close()


def blob(store: Store, content: bytes) -> Blob:
    with store.blobs.writer() as writer:
        writer.write(content)
        return writer.commit()


def artifact(
    store: Store, content: bytes, parent: Artifact | None = None, visitor: str = "ann", name: str = "m.onnx"
) -> Artifact:
    file = blob(store, content)
    lineage = {"parent": parent.id, "step": STEP} if parent else {}
    return store.add_artifact(visitor, sha256=file.sha256, size=file.size, format="onnx", name=name, **lineage)


def test_lineage_leads_from_the_root_to_the_artifact(store: Store) -> None:
    root = artifact(store, b"root")
    child = artifact(store, b"child", root)
    leaf = artifact(store, b"leaf", child)
    assert store.lineage("ann", leaf.id) == [root, child, leaf]
    assert store.children("ann", root.id) == [child]
    assert store.artifacts("ann") == [leaf, child, root]
    assert store.artifact("ann", child.id).step == STEP


def test_the_same_file_by_the_same_step_is_the_same_artifact(store: Store) -> None:
    root = artifact(store, b"root")
    assert artifact(store, b"root", name="again.onnx") == root
    child = artifact(store, b"root", root)
    assert child.id != root.id
    assert artifact(store, b"root", root) == child
    assert artifact(store, b"root", visitor="bob").id != root.id


def test_a_row_needs_its_blob(store: Store) -> None:
    with pytest.raises(NotFound):
        store.add_artifact("ann", sha256="0" * 64, size=1, format="onnx", name="ghost")
    root = artifact(store, b"root")
    with pytest.raises(NotFound):
        store.add_report("ann", root.id, "summary", {}, blobs=["0" * 64])
    assert store.reports("ann", root.id) == []


def test_another_visitor_finds_nothing(store: Store) -> None:
    mine = artifact(store, b"mine")
    theirs = artifact(store, b"theirs", visitor="bob")
    calls = (
        lambda: store.artifact("bob", mine.id),
        lambda: store.lineage("bob", mine.id),
        lambda: store.children("bob", mine.id),
        lambda: store.rename("bob", mine.id, "stolen"),
        lambda: store.consent("bob", mine.id),
        lambda: store.remove_artifact("bob", mine.id),
        lambda: store.reports("bob", mine.id),
        lambda: store.add_report("bob", mine.id, "summary", {}),
        lambda: store.add_report("bob", theirs.id, "parity", {}, against=mine.id),
        lambda: artifact(store, b"child", mine, visitor="bob"),
    )
    for call in calls:
        with pytest.raises(NotFound):
            call()
    assert store.artifacts("ann") == [mine]
    assert store.artifacts("bob") == [theirs]


def test_names_are_one_plain_line(store: Store) -> None:
    root = artifact(store, b"root", name="a\u202eb\n\x00 <b>" + "x" * 500)
    assert root.name == ("a b <b>" + "x" * 500)[:200]
    assert store.rename("ann", root.id, " \n ").name == "model"


def test_consent_is_written_down_for_one_artifact(store: Store) -> None:
    root, other = artifact(store, b"root"), artifact(store, b"other")
    assert store.consent("ann", root.id).consented
    assert not store.artifact("ann", other.id).consented


def test_reports_come_newest_first_and_by_kind(store: Store) -> None:
    root, golden = artifact(store, b"root"), blob(store, b"golden")
    graph = blob(store, b"graph")
    first = store.add_report("ann", root.id, "summary", {"graph": graph.sha256, "other": ["f" * 64]})
    child = artifact(store, b"child", root)
    store.add_report("ann", child.id, "parity", {"verdict": "PASS"}, against=root.id, blobs=[golden.sha256])
    second = store.add_report("ann", root.id, "quality", {"value": 0.5})
    assert [report.id for report in store.reports("ann", root.id)] == [second, first]
    (summary,) = store.reports("ann", root.id, "summary")
    assert (summary.read(dict[str, Json])["graph"], summary.blobs) == (graph.sha256, (graph.sha256,))
    (parity,) = store.reports("ann", child.id)
    assert (parity.against, parity.blobs) == (root.id, (golden.sha256,))
    assert parity.read(dict[str, Json]) == {"verdict": "PASS"}


def test_an_artifact_goes_with_its_reports_and_not_before_its_children(store: Store) -> None:
    root = artifact(store, b"root")
    child = artifact(store, b"child", root, name="child.onnx")
    golden = blob(store, b"golden")
    store.add_report("ann", child.id, "parity", {}, against=root.id, blobs=[golden.sha256])
    with pytest.raises(Refused, match=r"child\.onnx"):
        store.remove_artifact("ann", root.id)
    assert store.sweep(age=0) == 0
    store.remove_artifact("ann", child.id)
    assert store.sweep(age=0) == 2
    store.remove_artifact("ann", root.id)
    assert (store.sweep(age=0), store.artifacts("ann"), store.blobs.used) == (1, [], 0)


def test_one_file_of_two_visitors_stays_for_the_other(store: Store) -> None:
    mine, theirs = artifact(store, b"shared"), artifact(store, b"shared", visitor="bob")
    store.remove_artifact("ann", mine.id)
    assert store.sweep(age=0) == 0
    assert store.blobs.path(theirs.sha256).is_file()


def test_a_data_set_is_the_visitors_own_and_keeps_its_file(store: Store) -> None:
    file = blob(store, b"x,y")
    first = store.add_dataset("ann", sha256=file.sha256, size=file.size, name="a.csv")
    again = store.add_dataset("ann", sha256=file.sha256, size=file.size, name="b.csv", label="y", sample="penguins")
    assert (again.id, again.name, again.label, again.sample) == (first.id, "b.csv", "y", "penguins")
    assert (store.datasets("ann"), store.datasets("bob")) == ([again], [])
    assert store.sweep(age=0) == 0
    with pytest.raises(NotFound):
        store.remove_dataset("bob", again.id)
    store.remove_dataset("ann", again.id)
    assert (store.datasets("ann"), store.sweep(age=0)) == ([], 1)


def test_a_transaction_writes_all_or_nothing(store: Store) -> None:
    root = artifact(store, b"root")

    def half() -> None:
        with store.transaction():
            store.rename("ann", root.id, "other")
            store.add_report("ann", root.id, "summary", {})
            assert store.artifact("ann", root.id).name == "other"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert store.artifact("ann", root.id).name == "m.onnx"
    assert store.reports("ann", root.id) == []


def test_readers_do_not_wait_for_a_writer(store: Store) -> None:
    root = artifact(store, b"root")
    inside, leave = threading.Event(), threading.Event()

    def write() -> None:
        with store.transaction():
            store.rename("ann", root.id, "later")
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=write)
    thread.start()
    assert inside.wait(10)
    begun = time.monotonic()
    assert store.artifact("ann", root.id).name == "m.onnx"
    assert time.monotonic() - begun < 1
    leave.set()
    thread.join()
    assert store.artifact("ann", root.id).name == "later"


def test_the_settings_hold_on_every_connection(store: Store) -> None:
    for connection in (store.transaction, store.database.reading):
        with connection() as db:
            values = [
                db.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
        assert values == ["wal", 1, 1, 15000]


def test_opening_again_changes_nothing(store: Store) -> None:
    root = artifact(store, b"root")
    again = Store(store.home)
    assert again.artifacts("ann") == [root]
    again.close()


def test_one_server_a_folder(store: Store) -> None:
    store.own()
    other = Store(store.home)
    with pytest.raises(Unavailable, match="Another Portolan server"):
        other.own()
    store.close()
    other.own()
    other.close()


def test_a_database_without_room_says_so_and_goes_on_when_there_is_room(store: Store) -> None:
    root = artifact(store, b"root")
    with store.transaction() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(OverLimit, match="disk of this server is full"):
        store.add_report("ann", root.id, "summary", {"text": "x" * 50_000})
    with store.transaction() as db:
        db.execute("PRAGMA max_page_count = 1000000")
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    store.add_report("ann", root.id, "summary", {"text": "x" * 5000})


def test_threads_write_side_by_side(store: Store) -> None:
    roots = [artifact(store, os.urandom(8), visitor=f"visitor {number}") for number in range(8)]
    errors: list[Exception] = []

    def write(visitor: str, id: str) -> None:
        try:
            for number in range(50):
                store.add_report(visitor, id, "note", {"number": number})
                assert len(store.reports(visitor, id)) == number + 1
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(f"visitor {n}", root.id)) for n, root in enumerate(roots)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_processes_write_side_by_side_without_a_lock_error(tmp_path: Path) -> None:
    command = [sys.executable, str(WRITERS), str(tmp_path / "home"), "--processes", "8", "--seconds", "3"]
    done = subprocess.run(command, capture_output=True, check=True, text=True, cwd=Path(__file__).parent.parent)
    figures = json.loads(done.stdout)
    assert figures["errors"] == []
    assert figures["writes"] > 100
    with sqlite3.connect(tmp_path / "home" / "portolan.db") as conn:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert conn.execute("SELECT count(*) FROM report").fetchone() == (figures["writes"],)
    conn.close()


def test_a_store_may_be_given_other_limits(tmp_path: Path) -> None:
    store = Store(tmp_path, Blobs(tmp_path / "blobs", reserve_bytes=0, quota_bytes=3))
    with pytest.raises(OverLimit):
        blob(store, b"four")
    store.close()


def lost(database: Path) -> None:
    for path in database.parent.glob("portolan.db*"):
        path.unlink()


def emptied(database: Path) -> None:
    lost(database)
    database.touch()


def without_tables(database: Path) -> None:
    lost(database)
    with closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA user_version = 1")
        db.commit()


@pytest.mark.parametrize("happens", [lost, emptied, without_tables])
@pytest.mark.parametrize("older", [True, False], ids=["a home of an older program", "a home of this program"])
def test_a_lost_database_does_not_take_the_files_along(
    tmp_path: Path, happens: Callable[[Path], None], older: bool
) -> None:
    home = tmp_path / "home"
    with closing(Store(home)) as store:
        model = artifact(store, b"all that is left")
    shutil.copy(home / "portolan.db", tmp_path / "backup")
    if older:
        (home / "blobs" / pairing.FILE).unlink()
    happens(home / "portolan.db")
    for _ in range(2):  # a second start knows it too
        with closing(Store(home)) as store:
            assert store.artifacts("ann") == []
            with pytest.raises(Refused, match=r"its own database was lost.*") as caught:
                store.sweep(age=0)
            assert "backup" in caught.value.next_step
            assert store.blobs.path(model.sha256).read_bytes() == b"all that is left"
    if not older:
        lost(home / "portolan.db")
        shutil.copy(tmp_path / "backup", home / "portolan.db")
        with closing(Store(home)) as store:
            assert store.sweep(age=0) == 0
            assert store.artifacts("ann") == [model]
    else:
        (home / "blobs" / pairing.FILE).unlink()
        with closing(Store(home)) as store:
            assert store.sweep(age=0) == 1


def test_a_new_home_and_one_without_files_are_swept(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for _ in range(2):
        with closing(Store(home)) as store:
            blob(store, b"named by nothing")
            assert store.sweep(age=0) == 1
        lost(home / "portolan.db")
        shutil.rmtree(home / "blobs" / "objects")


def overwritten(database: Path) -> None:
    database.write_bytes(b"x" * 8192)


def torn(database: Path) -> None:
    """Spoil every page but the first."""
    with database.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(database.stat().st_size - 4096))


def newer(database: Path) -> None:
    with closing(sqlite3.connect(database)) as db:
        db.execute(
            "INSERT INTO _sqlite_migrations SELECT id + 1000, migration_set, 'm999_later', applied_at FROM _sqlite_migrations LIMIT 1"
        )
        db.commit()


@pytest.mark.parametrize(
    ("happens", "words", "next_step"),
    [
        (overwritten, "is no database", "backup"),
        (torn, "is damaged", "backup"),
        (newer, r"newer Portolan wrote this database \(m999_later\)", "PORTOLAN_HOME"),
    ],
)
def test_trouble_with_the_database_is_said_in_words(
    tmp_path: Path, happens: Callable[[Path], None], words: str, next_step: str
) -> None:
    home = tmp_path / "home"
    with closing(Store(home)) as store:
        for number in range(200):
            artifact(store, b"model %d" % number)
    happens(home / "portolan.db")
    with pytest.raises(Unavailable, match=words) as caught, closing(Store(home)) as store:
        store.artifacts("ann")
    assert next_step in caught.value.next_step
    assert "\n" not in caught.value.message


def test_a_home_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with closing(Store(home)):
        pass
    if subprocess.run(["mount", "--bind", "-o", "ro", home, home], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", home], check=True)
        with pytest.raises(Unavailable, match="cannot be") as caught:
            open_workspace(home)
        assert "PORTOLAN_HOME" in caught.value.next_step
    finally:
        subprocess.run(["umount", "-l", home], check=True)


def test_nobody_else_looks_into_a_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    (home / "portolan.db").touch(0o644)
    (home / "portolan.db").chmod(0o644)
    with closing(Store(home)) as store:
        artifact(store, b"model")
        assert home.stat().st_mode & 0o777 == 0o700
        modes = {path.name: path.stat().st_mode & 0o777 for path in home.glob("portolan.db*")}
        assert set(modes.values()) == {0o600}, modes
        assert len(modes) == 3
