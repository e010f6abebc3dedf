"""The audit log: the database writes it with each change, and nothing changes it afterwards."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from core.domain.artifact import Artifact
from core.domain.errors import Refused
from core.memory import audit
from core.memory.blobs import Blob
from core.memory.store import Store
from tests.serving import ROOT


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def brought(store: Store, content: bytes) -> Blob:
    with store.blobs.writer() as writer:
        writer.write(content)
        return writer.commit()


def added(store: Store) -> Artifact:
    return store.add_artifact("ann", **vars(brought(store, b"a model")), format="onnx", name="Ann's secret model")


def acts(store: Store) -> list[tuple[str, str, str | None]]:
    return [(entry.who, entry.act, entry.sha256) for entry in audit.since(store.home, 0, time.time() + 60)]


def test_each_change_says_who_what_and_which_file(store: Store) -> None:
    began = time.time()
    model, data, page = added(store), brought(store, b"data"), brought(store, b"page")
    added(store)  # the same once more changes nothing
    store.consent("ann", model.id)
    store.consent("ann", model.id)
    share = store.add_share("ann", model.id, page.sha256, "A title")
    store.remove_share("ann", share.id)
    store.add_share("ann", model.id, page.sha256, "A title")
    set_ = store.add_dataset("ann", sha256=data.sha256, size=data.size, name="Ann's own data")
    store.remove_dataset("ann", set_.id)
    store.remove_artifact("ann", model.id)  # and the page with it
    told = acts(store)
    assert told[:-2] == [
        ("ann", "model added", model.sha256),
        ("ann", "consent given", model.sha256),
        ("ann", "page shared", page.sha256),
        ("ann", "page taken back", page.sha256),
        ("ann", "page shared", page.sha256),
        ("ann", "data added", data.sha256),
        ("ann", "data removed", data.sha256),
    ]
    assert set(told[-2:]) == {("ann", "model removed", model.sha256), ("ann", "page taken back", page.sha256)}
    entries = list(audit.since(store.home, 0, time.time() + 60))
    assert [one.id for one in entries] == list(range(1, 10))
    assert all(began - 1 < one.at < time.time() + 1 for one in entries)
    text = json.dumps([vars(one) for one in entries])
    assert share.id not in text
    assert "secret" not in text
    assert list(audit.since(store.home, time.time() + 60, time.time() + 99)) == []


def test_a_change_that_is_rolled_back_was_never_done(store: Store) -> None:
    def broken() -> None:
        with store.transaction():
            added(store)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert acts(store) == []


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit",
        "UPDATE audit SET who = 'ben'",
        "INSERT OR REPLACE INTO audit (id, at, who, act) VALUES (1, 0, 'ben', 'nothing')",
        "REPLACE INTO audit (id, at, who, act) VALUES (1, 0, 'ben', 'nothing')",
        "INSERT INTO audit (id, at, who, act) VALUES (1, 0, 'ben', 'x') ON CONFLICT (id) DO UPDATE SET who = 'ben'",
    ],
)
def test_the_log_only_grows(statement: str, store: Store) -> None:
    added(store)
    before = acts(store)
    with (
        closing(sqlite3.connect(store.home / "portolan.db")) as db,
        pytest.raises(sqlite3.IntegrityError, match="grows"),
    ):
        db.execute(statement)
    assert acts(store) == before


def test_the_command_prints_a_line_an_act(store: Store) -> None:
    model = added(store)
    audit.note(store.database, "ben", "downloaded", sha256=model.sha256)
    environment = {**os.environ, "PORTOLAN_HOME": str(store.home)}

    def said(*words: str) -> list[dict[str, object]]:
        run = subprocess.run(
            [sys.executable, "-m", "core", "audit", *words], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        return [json.loads(line) for line in run.stdout.splitlines()]

    first, second = said("--since", "2026-01-01")
    assert (first["who"], first["act"], first["sha256"], first["detail"]) == (
        "ann",
        "model added",
        model.sha256,
        "onnx",
    )
    assert (second["who"], second["act"]) == ("ben", "downloaded")
    assert str(first["at"]).endswith("+00:00")
    assert said("--json", "--until", "2026-01-01T00:00") == []
    with pytest.raises(Refused, match="no database"):
        list(audit.since(store.home / "none", 0, 1))


def test_a_reader_that_has_seen_enough_is_no_error(store: Store) -> None:
    with store.transaction() as db:
        db["audit"].insert_all({"at": 1.0 * number, "who": "ann", "act": "x"} for number in range(3000))
    environment = {**os.environ, "PORTOLAN_HOME": str(store.home)}
    words = [sys.executable, "-m", "core", "audit"]
    with subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 0)
