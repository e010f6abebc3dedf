"""A store whose blobs are kept in a bucket: before a row names one it is there, and the home's folder may be emptied."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from benchmarks import load
from benchmarks.pages import visiting
from benchmarks.visitors import small
from core.domain.errors import NotFound, Refused
from core.memory.backup import back_up, check
from core.memory.blobs import Blobs
from core.memory.cached_blobs import CachedBlobs, stored
from core.memory.named import lasting
from core.memory.store import Store
from tests.serving import Server, free_port, start

OLD = (0, time.time() - 8 * 86400)


@pytest.fixture(scope="module")
def s3() -> Iterator[subprocess.Popen[bytes]]:
    """An S3 in a process of its own, which the variables of this one name."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stderr=subprocess.DEVNULL)
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**keys, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}.items():
            patch.setenv(name, value)
        for _ in range(200):
            try:
                httpx.get(f"http://127.0.0.1:{port}/moto-api/")
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield process
    process.kill()
    process.wait()


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder, and a bucket behind the protocol of S3."""
    if request.param == "file":
        return f"file://{tmp_path}/shared"
    request.getfixturevalue("s3")
    return f"s3://{tmp_path.name.replace('_', '-').strip('-').lower()}/shared"


def opened(folder: Path, url: str, owner: str = "one") -> CachedBlobs:
    blobs = stored(folder, url)
    assert isinstance(blobs, CachedBlobs)
    blobs.claim(owner)
    return blobs


def put(blobs: Blobs, text: bytes) -> str:
    with blobs.writer() as writer:
        writer.write(text)
        return writer.commit().sha256


def test_a_blob_is_in_the_bucket_before_it_is_named_and_comes_back_verified(url: str, tmp_path: Path) -> None:
    blobs = opened(tmp_path / "home", url)
    names = [put(blobs, text) for text in (b"one" * 1000, b"two")]
    assert put(blobs, b"two") == names[1]
    assert [blobs.bucket.size(name) for name in names] == [3000, 3]
    shutil.rmtree(blobs.objects)
    other = opened(tmp_path / "other", url)
    with other.reading(names[0]) as file:
        assert file.read() == b"one" * 1000
    assert not other.place(names[0]).exists()
    assert [other.path(name).read_bytes() for name in names] == [b"one" * 1000, b"two"]
    assert [other.verify(name) for name in names] == [other.place(name) for name in names]
    assert other.has(names[0])
    assert not other.has("0" * 64)
    for stranger in ("0" * 64, "../" + names[0], "database"):
        with pytest.raises(NotFound):
            other.path(stranger)
        assert not other.has(stranger)


def test_other_bytes_in_the_bucket_are_refused_and_removed(url: str, tmp_path: Path) -> None:
    blobs = opened(tmp_path / "home", url)
    name = put(blobs, b"honest")
    blobs.bucket.write(name, "hostil")
    blobs.place(name).unlink()
    with pytest.raises(Refused, match="do not match its SHA-256"):
        blobs.path(name)
    assert blobs.bucket.size(name) is None
    assert list(blobs.objects.rglob("*.*")) == []
    assert put(blobs, b"honest") == name
    assert blobs.bucket.size(name) == 6


def test_a_sweep_removes_what_nothing_names_and_brings_what_is_here_alone(url: str, tmp_path: Path) -> None:
    before = put(Blobs(tmp_path / "home"), b"from the time before the bucket")
    blobs = opened(tmp_path / "home", url)
    kept, unnamed = (put(blobs, text) for text in (b"kept", b"unnamed"))
    assert blobs.sweep({before}) == 0
    assert blobs.sweep({kept, before}, age=-5) == 2
    assert [blobs.bucket.size(name) is not None for name in (before, kept, unnamed)] == [True, True, False]
    assert [Blobs.has(blobs, name) for name in (before, kept, unnamed)] == [True, True, False]
    blobs.discard(kept, time.monotonic())
    assert blobs.bucket.size(kept) is None


def test_what_is_brought_again_is_young_whenever_it_came_first(tmp_path: Path) -> None:
    first = opened(tmp_path / "home", f"file://{tmp_path}/shared")
    old, again, touched = (put(first, text) for text in (b"old", b"again", b"touched"))
    for file in tmp_path.rglob("*"):
        os.utime(file, OLD)
    later = opened(tmp_path / "home", f"file://{tmp_path}/shared")
    put(later, b"again")
    later.touch(touched)
    assert later.sweep(set()) == 2
    assert [later.bucket.size(name) is not None for name in (old, again, touched)] == [False, True, True]


def test_nothing_is_removed_from_the_bucket_of_another_database(url: str, tmp_path: Path) -> None:
    name = put(opened(tmp_path / "home", url), b"mine")
    with pytest.raises(Refused, match="belong to another database"):
        opened(tmp_path / "other", url, owner="two")
    stranger = stored(tmp_path / "other", url)
    with pytest.raises(Refused, match="nothing is removed"):
        stranger.sweep(set(), age=-5)
    assert stranger.has(name)
    assert isinstance(stranger, CachedBlobs)
    stranger.bucket.drop("database")
    with pytest.raises(Refused, match="belong to another database"):
        stranger.claim("two")


def served(client: load.Client, owned: load.Owned) -> None:
    """Have a conversion's result drawn, and download it."""
    with visiting(client.server, client.who.cookie) as page:
        page.ask("models")
        client.turn(page, "convert", f"model={owned.artifact}&job={owned.job}")
        assert client.download(load.text_of(page), owned.job, owned.artifact).sha256 == owned.sha256


def restored(database: Path, home: Path, url: str) -> None:
    """Give a new home a database and nothing else, and read every file that it names."""
    home.mkdir()
    shutil.copyfile(database, home / "portolan.db")
    store = Store(home, stored(home / "blobs", url))
    try:
        store.own()
        with store.database.reading() as db:
            names = lasting(db)
        assert len(names) >= 3
        for name in names:
            assert store.blobs.verify(name).is_file() is False
            assert store.blobs.path(name).is_file()
        assert store.sweep(age=0.0) == 0
    finally:
        store.close()


def jobs(server: Server) -> int:
    with closing(sqlite3.connect(server.home / "portolan.db")) as db:
        return int(db.execute("SELECT count(*) FROM job").fetchone()[0])


def test_a_server_with_s3_holds_no_file_but_its_database(s3: subprocess.Popen[bytes], tmp_path: Path) -> None:
    url = "s3://portolan/team"
    server = start(tmp_path / "home", PORTOLAN_BLOBS=url)
    try:
        end = threading.Event()
        end.set()
        client = load.Client(server, load.Notes(), end, 1)
        with client.http:
            client.visit()
            shutil.rmtree(server.home / "blobs" / "objects")
            (server.home / "blobs" / "objects").mkdir()
            served(client, client.notes.owned[0])
            assert back_up(server.home, tmp_path / "backup", lambda *_: None, url).lacking == ()
            assert check(tmp_path / "backup", lambda *_: None).blobs >= 3
            restored(tmp_path / "backup" / "portolan.db", tmp_path / "new", url)
            before = jobs(server)
            s3.kill()
            refused = client.http.put("/api/models", params={"name": "late.onnx"}, content=small(7))
        assert refused.status_code == 503
        assert "cannot be used" in refused.json()["error"]["message"]
        assert jobs(server) == before
    finally:
        server.kill()
