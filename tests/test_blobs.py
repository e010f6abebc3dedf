"""Blobs: whole or absent, stored once, never more than the disk and the quota allow."""

import hashlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.domain.errors import NotFound, OverLimit, Refused
from core.memory.blobs import Blob, Blobs
from core.memory.job_blobs import JobBlobs


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def stored(blobs: Blobs, content: bytes) -> Blob:
    with blobs.writer() as writer:
        writer.write(content)
        return writer.commit()


def temporaries(blobs: Blobs) -> list[Path]:
    return list(blobs.temporary.iterdir())


def test_a_file_is_known_by_its_hash(blobs: Blobs, tmp_path: Path) -> None:
    source = tmp_path / "model.onnx"
    source.write_bytes(os.urandom(3_000_000))
    blob = blobs.put(source)
    assert blob == Blob(hashlib.sha256(source.read_bytes()).hexdigest(), 3_000_000)
    assert blobs.path(blob.sha256).read_bytes() == source.read_bytes()
    assert blobs.verify(blob.sha256) == blobs.path(blob.sha256)
    assert blobs.used == 3_000_000
    assert temporaries(blobs) == []


def test_equal_bytes_are_stored_once_and_become_young(blobs: Blobs) -> None:
    blob = stored(blobs, b"same")
    os.utime(blobs.path(blob.sha256), (1, 1))
    assert stored(blobs, b"same") == blob
    assert blobs.path(blob.sha256).stat().st_mtime > time.time() - 60
    assert (blobs.used, temporaries(blobs)) == (4, [])


def test_a_writer_without_commit_leaves_nothing(blobs: Blobs) -> None:
    with blobs.writer() as writer:
        writer.write(b"half")
    with blobs.writer() as writer:
        writer.write(b"half")
        writer.abort()
    assert (blobs.used, temporaries(blobs), list(blobs.objects.iterdir())) == (0, [], [])


@pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", "0" * 63, "A" * 64, "0" * 64 + "\n", "0" * 64])
def test_a_name_that_is_no_stored_hash_is_not_found(blobs: Blobs, name: str) -> None:
    with pytest.raises(NotFound):
        blobs.path(name)


def test_changed_bytes_are_found_out_and_an_equal_upload_heals_a_torn_file(blobs: Blobs) -> None:
    blob = stored(blobs, b"right bytes")
    blobs.path(blob.sha256).write_bytes(b"wrong bytes")
    with pytest.raises(Refused, match="damaged"):
        blobs.verify(blob.sha256)
    blobs.path(blob.sha256).write_bytes(b"right")
    stored(blobs, b"right bytes")
    blobs.verify(blob.sha256)


def test_links_pipes_and_folders_are_refused(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "pipe", "folder"):
        with pytest.raises(Refused):
            blobs.put(tmp_path / name)
    assert temporaries(blobs) == []


def test_the_reserve_stays_free(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    blobs = Blobs(tmp_path / "blobs", reserve_bytes=free + 1_000_000_000)
    with pytest.raises(
        OverLimit, match=r"disk of this server is full: the file needs at least 8 bytes, and 0 bytes is free"
    ) as caught:
        stored(blobs, b"12345678")
    assert caught.value.next_step
    assert (blobs.used, temporaries(blobs)) == (0, [])


def test_the_quota_counts_what_is_stored_and_what_is_being_written(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs", reserve_bytes=0, quota_bytes=100)
    stored(blobs, b"a" * 60)
    with pytest.raises(OverLimit, match="full"):
        stored(blobs, b"b" * 41)
    stored(blobs, b"b" * 40)
    assert (blobs.used, blobs.room(), temporaries(blobs)) == (100, 0, [])
    assert Blobs(tmp_path / "blobs").used == 100
    assert blobs.sweep(set(), age=0) == 2
    assert blobs.room() == 100


def test_a_sweep_keeps_what_is_named_and_what_is_young(blobs: Blobs) -> None:
    kept, young, old = (stored(blobs, content) for content in (b"kept", b"young", b"old"))
    (blobs.temporary / "stray.part").write_bytes(b"half")
    for path in (blobs.path(kept.sha256), blobs.path(old.sha256), blobs.temporary / "stray.part"):
        os.utime(path, (1, 1))
    blobs = Blobs(blobs.objects.parent)  # what a process wrote itself is young by its own clock
    assert blobs.sweep({kept.sha256}) == 2
    assert blobs.path(kept.sha256).is_file()
    assert blobs.path(young.sha256).is_file()
    assert temporaries(blobs) == []
    with pytest.raises(NotFound):
        blobs.path(old.sha256)


def test_many_threads_write_equal_and_different_files(blobs: Blobs) -> None:
    contents = [bytes([number % 10]) * 50_000 for number in range(80)]
    threads = [
        threading.Thread(target=lambda part=part: [stored(blobs, c) for c in part])
        for part in (contents[i::8] for i in range(8))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert blobs.used == 10 * 50_000
    for content in contents:
        blobs.verify(hashlib.sha256(content).hexdigest())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB, where this machine lets us mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("a small disk cannot be mounted here; the reserve and the quota are tested without one")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_disk_that_is_really_full_ends_in_a_sentence(small_disk: Path) -> None:
    blobs = Blobs(small_disk / "blobs", reserve_bytes=-1_000_000_000)
    first = stored(blobs, os.urandom(3_000_000))
    with pytest.raises(OverLimit, match="disk of this server is full"):
        stored(blobs, os.urandom(20_000_000))
    assert (blobs.used, temporaries(blobs)) == (3_000_000, [])
    blobs.verify(first.sha256)
    stored(blobs, os.urandom(3_000_000))


def test_a_clock_that_jumps_takes_nothing_that_is_on_its_way(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    with blobs.writer() as writer, JobBlobs(blobs, []).writer() as of_a_job:
        writer.write(b"half of an upload")
        of_a_job.write(b"half of a result")
        unnamed = stored(blobs, b"whole, and its row comes next")
        old = stored(blobs, b"touched")
        blobs.touch(old.sha256)
        tomorrow = time.time() + 86400
        monkeypatch.setattr(time, "time", lambda: tomorrow)
        assert blobs.sweep(set()) == 0
        assert blobs.verify(writer.commit().sha256).read_bytes() == b"half of an upload"
        assert blobs.verify(of_a_job.commit().sha256).read_bytes() == b"half of a result"
    for kept in (unnamed, old):
        blobs.verify(kept.sha256)
    hour = time.monotonic() + 3601
    monkeypatch.setattr(time, "monotonic", lambda: hour)
    assert blobs.sweep(set()) == 4
