"""Jobs on a real Dask cluster: what travels, what is said on the way, and what is left when a part of it dies."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

from core.domain.codec import encode
from core.domain.errors import Refused, Unavailable
from core.domain.job import Job, Spec, State
from core.doors import workspace
from core.doors.samples import sample
from core.jobs.engines import dask, unread
from core.jobs.engines.cluster import FILES
from core.jobs.engines.dask import DaskEngine, share_of
from core.jobs.engines.remote_job import Carry
from core.jobs.queue import Queue
from core.memory.store import Store
from core.sandbox import Sandbox
from core.sandbox.tools import Tools
from tests.engines import verbs
from tests.engines.cluster import Cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One scheduler with three workers: two for whoever comes, one for who has nothing running."""
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.begin()
        for _ in range(3):
            made.join()
        made.wait()
        yield made
    finally:
        made.end()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "home")
    yield opened
    opened.close()


def opened(store: Store, sandbox: Sandbox, cluster: Cluster, version: str = verbs.VERSION) -> Queue:
    """Return a queue whose jobs run on the cluster; its share lies beside the home."""
    engine = DaskEngine(cluster.address, verbs.carry, f"file://{share(store)}", version)
    return Queue(store, sandbox, engine, verbs.VERBS)


@pytest.fixture
def queue(store: Store, sandbox: Sandbox, cluster: Cluster) -> Iterator[Queue]:
    made = opened(store, sandbox, cluster)
    yield made
    made.close()


def share(store: Store) -> Path:
    return store.blobs.objects.parents[1] / "share"


def put(store: Store, text: bytes = b"hello") -> str:
    """Store a blob and return its SHA-256."""
    with store.blobs.writer() as writer:
        writer.write(text)
        return writer.commit().sha256


def certificates(folder: Path, names: str = "IP:127.0.0.1") -> tuple[str, str, str]:
    """Make an authority and a certificate of it for some names, and return the paths of both and of the key."""
    ca, ca_key, cert, key, request = (str(folder / name) for name in ("ca", "ca.key", "cert", "key", "request"))
    folder.mkdir()
    (folder / "names").write_text(f"subjectAltName={names}")
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *new, "-keyout", ca_key, "-out", ca, "-subj", "/CN=authority", "-days", "2")
    openssl("req", *new, "-keyout", key, "-out", request, "-subj", "/CN=portolan")
    openssl(
        "x509",
        "-req",
        "-in",
        request,
        "-CA",
        ca,
        "-CAkey",
        ca_key,
        "-set_serial",
        "1",
        "-out",
        cert,
        "-days",
        "2",
        "-extfile",
        str(folder / "names"),
    )
    return ca, cert, key


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def lines(queue: Queue, job: Job) -> list[str]:
    return [event.text for event in queue.events(job.visitor, job.id)]


def holder(queue: Queue, job: Job, times: int = 1) -> int:
    """Return the process that holds the job, once it was begun this often."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = [line for line in lines(queue, job) if line.startswith("Holding in ")]
        if len(found) >= times:
            return int(found[-1].split()[-1])
        time.sleep(0.02)
    raise AssertionError(f"{queue.job(job.visitor, job.id)}: {lines(queue, job)}")


def ended(queue: Queue, job: Job, state: State) -> Job:
    done = queue.wait(job.visitor, job.id, 40)
    assert done.state is state, (done, lines(queue, job))
    return done


def test_a_job_runs_in_another_process_and_its_blobs_travel(queue: Queue, store: Store) -> None:
    job = queue.submit("ann", "write", {"sha256": put(store)})
    done = ended(queue, job, State.DONE)
    result = done.result
    assert result is not None
    assert result["process"] != os.getpid()
    assert store.blobs.verify(result["sha256"]).read_bytes() == b"hellohello"
    assert [row.id for row in store.artifacts("ann")] == [done.made]
    said = lines(queue, job)
    assert said[-1] == "Writing"
    assert any(line.startswith("Running on the worker at tcp://127.0.0.1:") for line in said)


def test_no_line_of_a_log_is_lost(queue: Queue) -> None:
    job = queue.submit("ann", "slow", {"lines": 60, "pause": 0.01})
    ended(queue, job, State.DONE)
    assert [line for line in lines(queue, job) if line.startswith("line ")] == [f"line {n}" for n in range(60)]


def test_troubles_cross_the_border_as_sentences(queue: Queue) -> None:
    jobs = [queue.submit("ann", verb, {}) for verb in ("refuse", "crash")]
    refused, crashed = (ended(queue, job, State.FAILED).trouble for job in jobs)
    assert refused
    assert crashed
    assert (refused.kind, refused.message, refused.next_step) == ("refused", "This file has no head.", "Give it one.")
    assert crashed.kind == "crashed"
    assert "fault of Portolan, not of your file" in crashed.message
    assert "(ZeroDivisionError: over)" in crashed.message


def test_a_cancelled_job_is_stopped_on_its_worker(queue: Queue, tmp_path: Path) -> None:
    job = queue.submit("ann", "hold", {"open": str(tmp_path / "gate")})
    holder(queue, job)
    began = time.monotonic()
    queue.cancel("ann", job.id)
    ended(queue, job, State.CANCELLED)
    assert time.monotonic() - began < 3
    assert (tmp_path / "gate.stopped").exists()


def test_best_so_far_and_other_answers_arrive_while_a_job_runs(queue: Queue, store: Store, tmp_path: Path) -> None:
    source, gate = put(store, b"by the way"), tmp_path / "gate"
    first = queue.submit("ann", "wander", {"sha256": source, "open": str(gate)})
    holder(queue, first)
    kept = queue.job("ann", first.id).result
    assert kept == {"knew": False, "bytes": 20}
    answer = queue.submit("ann", "write", {"sha256": source})
    assert answer.state is State.DONE
    assert answer.result
    assert store.blobs.verify(answer.result["sha256"]).stat().st_size == 20
    second = queue.submit("ann", "wander", {"sha256": source, "open": str(gate), "again": True})
    holder(queue, second)
    assert queue.job("ann", second.id).result == {"knew": True, "bytes": 20}
    gate.touch()
    assert [ended(queue, job, State.DONE).result["knew"] for job in (first, second)] == [False, True]  # type: ignore[index]


def test_one_visitor_never_holds_every_worker(queue: Queue, tmp_path: Path) -> None:
    """Dask would begin the waiting jobs in the order in which they came, so they wait in the line."""
    ended(queue, queue.submit("ann", "slow", {"lines": 1, "pause": 0, "first": True}), State.DONE)
    gate = tmp_path / "gate"
    loops = [queue.submit("ann", "hold", {"open": str(gate), "number": number}) for number in range(20)]
    for job in loops[:2]:
        holder(queue, job)
    began = time.monotonic()
    ended(queue, queue.submit("bob", "slow", {"lines": 1, "pause": 0}), State.DONE)
    assert time.monotonic() - began < 5
    assert [queue.job("ann", job.id).state for job in loops[2:]] == [State.QUEUED] * 18
    for job in loops:
        queue.cancel("ann", job.id)


def test_bytes_that_are_not_what_their_name_says_are_refused(queue: Queue, store: Store) -> None:
    job = queue.submit("ann", "lie", {"share": str(share(store))})
    trouble = ended(queue, job, State.FAILED).trouble
    assert trouble
    assert trouble.kind == "refused"
    assert "do not match its SHA-256" in trouble.message


def test_a_damaged_file_is_refused_by_the_worker_and_replaced(queue: Queue, store: Store) -> None:
    source = put(store, b"whole")
    (share(store) / source).write_bytes(b"wrong")
    job = queue.submit("ann", "write", {"sha256": source})
    trouble = ended(queue, job, State.FAILED).trouble
    assert trouble
    assert "do not match its SHA-256" in trouble.message
    ended(queue, queue.retry("ann", job.id), State.DONE)


def test_a_job_whose_server_is_gone_is_stopped(cluster: Cluster, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    spec = Spec("1", "hold", {"open": str(gate)})
    request = {"ticket": "deaf", "spec": encode(spec), "version": verbs.VERSION, "share": f"file://{tmp_path}"}
    with Client(cluster.address, set_as_default=False) as client:
        future = client.submit(verbs.carry, json.dumps(request), key="deaf", pure=False)
        assert json.loads(future.result(timeout=30))["trouble"]["kind"] == "cancelled"
    assert Path(f"{gate}.stopped").exists()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
def test_outside_loopback_both_sides_show_certificates(
    store: Store, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = (certificates(tmp_path / name) for name in ("ours", "theirs"))
    flags = [
        word for flag, file in zip(("ca-file", "cert", "key"), ours, strict=True) for word in (f"--tls-{flag}", file)
    ]
    cluster = Cluster(tmp_path / "cluster", "tls", tuple(flags))
    monkeypatch.setattr(dask, "WAIT_SECONDS", 1.0)
    try:
        cluster.begin()
        cluster.join()
        cluster.wait()
        for files, state in ((theirs, State.FAILED), (ours, State.DONE)):
            for name, file in zip(FILES, files, strict=True):
                monkeypatch.setenv(name, file)
            queue = opened(store, sandbox, cluster)
            ended(queue, queue.submit("ann", "slow", {"lines": 1, "pause": 0, "as": files[0]}), state)
            queue.close()
    finally:
        cluster.end()


def test_a_worker_of_another_version_is_refused(store: Store, sandbox: Sandbox, cluster: Cluster) -> None:
    queue = opened(store, sandbox, cluster, version="older")
    try:
        trouble = ended(queue, queue.submit("ann", "write", {"sha256": put(store)}), State.FAILED).trouble
        assert trouble
        assert "different version" in trouble.message
    finally:
        queue.close()


def test_a_job_whose_worker_is_killed_is_begun_once_more(queue: Queue, cluster: Cluster, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    job = queue.submit("ann", "hold", {"open": str(gate)})
    killed = holder(queue, job)
    assert killed in [worker.pid for worker in cluster.workers]
    os.kill(killed, signal.SIGKILL)
    second = holder(queue, job, times=2)
    assert second != killed
    gate.touch()
    result = ended(queue, job, State.DONE).result
    assert result
    assert result["process"] == second
    assert any("was lost; running again on the worker at" in line for line in lines(queue, job))
    cluster.join()


def test_a_job_that_two_workers_died_of_is_reported(queue: Queue, cluster: Cluster, tmp_path: Path) -> None:
    job = queue.submit("ann", "hold", {"open": str(tmp_path / "gate")})
    for times in (1, 2):
        os.kill(holder(queue, job, times), signal.SIGKILL)
        cluster.join()
    trouble = ended(queue, job, State.FAILED).trouble
    assert trouble
    assert trouble.kind == "crashed"
    assert trouble.message.count("tcp://127.0.0.1:") == 2
    assert "out of memory" in trouble.next_step
    ended(queue, queue.submit("ann", "slow", {"lines": 1, "pause": 0}), State.DONE)


@pytest.mark.slow
def test_a_lost_scheduler_loses_no_finished_result(
    store: Store, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask, "CONNECT_SECONDS", 1.0)
    cluster = Cluster(tmp_path / "cluster")
    cluster.begin()
    cluster.join()
    queue = opened(store, sandbox, cluster)
    try:
        done = ended(queue, queue.submit("ann", "write", {"sha256": put(store)}), State.DONE)
        args = {"sha256": put(store, b"more"), "open": str(tmp_path / "gate")}
        job = queue.submit("ann", "wander", args)
        holder(queue, job)
        assert cluster.scheduler
        cluster.scheduler.send_signal(signal.SIGKILL)
        cluster.scheduler.wait()
        lost = ended(queue, job, State.FAILED)
        assert lost.trouble
        assert "was lost while this job was running" in lost.trouble.message
        assert lost.result == {"knew": False, "bytes": 8}
        assert queue.job("ann", done.id).result == done.result
        assert queue.submit("ann", "write", {"sha256": args["sha256"]}).state is State.DONE
        cluster.workers[0].wait(30)
        cluster.begin()
        cluster.join()
        (tmp_path / "gate").touch()
        again = ended(queue, queue.retry("ann", job.id), State.DONE).result
        assert again
        assert again["knew"] is True
    finally:
        queue.close()
        cluster.end()


def test_a_scheduler_that_never_answers_is_a_sentence(
    store: Store, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask, "WAIT_SECONDS", 1.0)
    monkeypatch.setattr(dask, "CONNECT_SECONDS", 0.5)
    queue = opened(store, sandbox, Cluster(tmp_path / "nowhere"))
    try:
        job = queue.submit("ann", "write", {"sha256": put(store)})
        trouble = ended(queue, job, State.FAILED).trouble
        assert trouble
        assert trouble.kind == "unavailable"
        assert "does not answer" in trouble.message
        assert any(line.startswith("Waiting for the Dask scheduler at") for line in lines(queue, job))
    finally:
        queue.close()


def test_a_real_verb_runs_on_a_worker(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTOLAN_SCHEDULER", cluster.address)
    opened = workspace.open_workspace(tmp_path / "home")
    try:
        found = sample("fashion_cnn")
        assert found
        job = workspace.open_sample(opened, "v", found)
        done = opened.queue.wait("v", job.id, 60)
        assert done.state is State.DONE, done
        assert len(opened.store.artifacts("v")) == 1
        assert opened.store.spent("v").seconds > 0
        assert any("Running on the worker" in event.text for event in opened.queue.events("v", job.id))
    finally:
        opened.close()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("tcp://192.0.2.7:8786", "unprotected"),
        ("cluster.example:8786", "unprotected"),
        ("ws://127.0.0.1:8786", "not the address"),
        ("127.0.0.1", "not the address"),
        ("tls://127.0.0.1:99999", "not the address"),
        ("tls://192.0.2.7:8786", "certificates that are not set"),
    ],
)
def test_an_address_that_is_not_safe_is_refused_at_start(
    address: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTOLAN_SCHEDULER", address)
    monkeypatch.setenv("PORTOLAN_BLOBS", f"file://{tmp_path}")
    with pytest.raises(Refused, match=words) as caught:
        workspace.open_workspace(tmp_path / "home")
    assert caught.value.next_step
    assert not (tmp_path / "home").exists()


def test_a_cluster_elsewhere_needs_a_share_that_it_can_reach() -> None:
    assert share_of("localhost:8786", None, "file:///here") == "file:///here"
    assert share_of("tls://192.0.2.7:8786", "s3://bucket/blobs", "file:///here") == "s3://bucket/blobs"
    with pytest.raises(Unavailable, match="cannot reach") as caught:
        share_of("tls://192.0.2.7:8786", None, "file:///here")
    assert "PORTOLAN_BLOBS" in caught.value.next_step


def test_what_stays_here_never_leaves(tools: Tools, tmp_path: Path) -> None:
    nowhere = Cluster(tmp_path / "nowhere").address
    engine = DaskEngine(nowhere, verbs.carry, f"file://{tmp_path / 'share'}", stay=frozenset({"write"}))
    with tools.blobs.writer() as writer:
        writer.write(b"x")
        spec = Spec("1", "write", {"sha256": writer.commit().sha256})
    assert engine.perform(spec, tools, verbs.write)["process"] == os.getpid()


@pytest.mark.parametrize("hostile", [verbs.poisoned_result, verbs.poisoned_error])
def test_nothing_that_a_worker_sends_runs_in_the_server(
    store: Store, sandbox: Sandbox, cluster: Cluster, tmp_path: Path, hostile: Carry
) -> None:
    place = tmp_path / "ran"
    engine = DaskEngine(cluster.address, hostile, f"file://{share(store)}", verbs.VERSION)
    queue = Queue(store, sandbox, engine, verbs.VERBS)
    try:
        assert ended(queue, queue.submit("ann", "slow", {"place": str(place)}), State.FAILED).trouble
    finally:
        queue.close()
    assert not place.exists() or str(os.getpid()) not in place.read_text().split()


def test_a_pickle_of_a_cluster_is_read_as_data(tmp_path: Path) -> None:
    place = tmp_path / "ran"
    assert unread.closed(pickle.dumps({"job": ["text", 1, b"bytes"]})) == {"job": ["text", 1, b"bytes"]}
    for hostile in (verbs.Poison(str(place)), verbs.Poisoned(str(place)), type, os.system, DaskEngine):
        found = unread.closed(pickle.dumps(hostile))
        assert isinstance(found, unread.Unread) or issubclass(found, unread.Unread)
    assert not place.exists()
    with pytest.raises(TypeError):
        unread.closed(b"ctblib.pickling_support\nunpickle_traceback\n.")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
def test_a_scheduler_with_a_certificate_for_another_name_is_not_spoken_to(
    store: Store, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = certificates(tmp_path / "ours", names="DNS:elsewhere.example")
    flags = [f for flag, file in zip(("ca-file", "cert", "key"), files, strict=True) for f in (f"--tls-{flag}", file)]
    made = Cluster(tmp_path / "cluster", "tls", tuple(flags))
    monkeypatch.setattr(dask, "WAIT_SECONDS", 1.0)
    for name, file in zip(FILES, files, strict=True):
        monkeypatch.setenv(name, file)
    try:
        made.begin()
        made.wait()
        queue = opened(store, sandbox, made)
        trouble = ended(queue, queue.submit("ann", "slow", {"lines": 1, "pause": 0}), State.FAILED).trouble
        queue.close()
    finally:
        made.end()
    assert trouble
    assert "does not answer" in trouble.message
