"""The share: blobs by hash in any place that fsspec opens, whole or not at all."""

import os
import time
from pathlib import Path

import pytest

from core.domain.errors import NotFound, Refused, Unavailable
from core.jobs.engines.share import Share, Shared, named
from core.memory.blobs import Blobs

DAY = 86400.0


@pytest.fixture(params=["file", "memory"])
def share(request: pytest.FixtureRequest, tmp_path: Path) -> Share:
    """A folder, and an object store in this process's memory."""
    return Share(f"{request.param}://{tmp_path}/share")


def stored(blobs: Blobs, text: bytes) -> str:
    with blobs.writer() as writer:
        writer.write(text)
        return writer.commit().sha256


def test_a_blob_travels_and_is_taken_once(share: Share, tmp_path: Path) -> None:
    near, far = Blobs(tmp_path / "near"), Shared(tmp_path / "far")
    far.share = share
    name = stored(near, b"one" * 1000)
    for _ in range(2):
        share.offer(near, name)
        assert far.path(name).read_bytes() == b"one" * 1000
    assert far.verify(name) == far.place(name)
    assert far.used == near.used == 3000
    with pytest.raises(NotFound, match="no longer in"):
        far.path("0" * 64)
    with pytest.raises(NotFound):
        far.path("../../etc/passwd")
    other = stored(near, b"other")
    share.offer(near, other)
    far.touch(other)
    assert far.place(other).is_file()


def test_other_bytes_under_a_name_are_refused_and_removed(tmp_path: Path) -> None:
    near, far = Blobs(tmp_path / "near"), Blobs(tmp_path / "far")
    share = Share(f"file://{tmp_path}/share")
    name = stored(near, b"honest")
    share.offer(near, name)
    (tmp_path / "share" / name).write_bytes(b"hostil")
    with pytest.raises(Refused, match="do not match its SHA-256"):
        share.take(far, name)
    assert not far.place(name).exists()
    share.offer(near, name)
    share.take(far, name)
    assert far.path(name).read_bytes() == b"honest"


def test_what_is_old_is_offered_again_and_at_last_removed(tmp_path: Path) -> None:
    near, share = Blobs(tmp_path / "near"), Share(f"file://{tmp_path}/share")
    old, young = stored(near, b"old"), stored(near, b"young")
    for name in (old, young):
        share.offer(near, name)
        os.utime(tmp_path / "share" / name, (0, time.time() - 8 * DAY))
    share.offer(near, young)
    assert share.sweep() == 1
    assert [file.name for file in (tmp_path / "share").iterdir()] == [young]


@pytest.mark.parametrize("url", ["nothing://here", "file:///proc/nowhere"])
def test_a_place_that_cannot_be_opened_is_a_sentence(url: str) -> None:
    with pytest.raises(Unavailable, match="cannot be used") as caught:
        Share(url)
    assert "PORTOLAN_BLOBS" in caught.value.next_step


def test_names_are_found_wherever_they_stand() -> None:
    a, b = "a" * 64, "0123456789abcdef" * 4
    assert named({"x": [a, {"files": {"model": b}}], "y": a + "0", a[:63]: None}) == {a, b}
    assert named(None) == set()
