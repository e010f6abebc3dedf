"""Rows that the program of commit 61c0c3f wrote still open: artifacts, reports, jobs, data sets, shares, and the pages that show them.

``data/database_61c0c3f.sql.gz`` dumps a database that real jobs filled through the real queue, ended in every way that a
job can end, and a server that was killed at last with two jobs at work and one in line. Blobs are no part of it: those
that ship as samples are laid beside it, and each other one that a row names is a small file of other bytes in its place.
"""

import gzip
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.domain.artifact import Artifact
from core.domain.codec import decode, encode
from core.domain.compression import Compression
from core.domain.conversion import Conversion
from core.domain.evaluation import Evaluation
from core.domain.ingestion import Ingested
from core.domain.job import Job, State
from core.domain.overhead import Race
from core.domain.portability import Portability, Standing
from core.domain.report import Parity, Quality, Verdict
from core.domain.search import Tuning
from core.doors import workspace
from core.doors.workspace import Workspace
from tests.pages import showing
from tests.pages.showing import words

DUMP = Path(__file__).parent / "data" / "database_61c0c3f.sql.gz"
ANN, BEN = "v" + "a" * 32, "v" + "b" * 32
NAMED = "SELECT sha256 FROM artifact UNION SELECT sha256 FROM dataset UNION SELECT sha256 FROM share UNION SELECT sha256 FROM mention"


@dataclass(frozen=True)
class Old:
    """The old database as the program has it open, and the rows as they were written."""

    now: Workspace
    written: sqlite3.Connection

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """Return rows as they were written."""
        return [dict(row) for row in self.written.execute(sql, values)]

    def job(self, title: str, which: int = 0) -> Job:
        """Return Ann's job of a title, the oldest unless ``which`` says otherwise."""
        found = [job for job in reversed(self.now.queue.jobs(ANN)) if job.title == title]
        return found[which]

    def artifact(self, name: str) -> Artifact:
        """Return Ann's oldest artifact of a name."""
        return next(one for one in reversed(self.now.store.artifacts(ANN)) if one.name == name)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory, sample_models: Path) -> Iterator[Old]:
    """The database of the dump in a home of its own, open in the program as it is now."""
    home, script = tmp_path_factory.mktemp("old"), gzip.decompress(DUMP.read_bytes()).decode()
    with closing(sqlite3.connect(home / "portolan.db")) as db:
        db.executescript(script)
    with closing(sqlite3.connect(":memory:")) as written, pytest.MonkeyPatch.context() as patch:
        written.row_factory = sqlite3.Row
        written.executescript(script)
        patch.setenv("PORTOLAN_HOME", str(home))
        lay_files(home, {row["sha256"] for row in written.execute(NAMED)}, sample_models)
        yield Old(workspace.current(), written)
        workspace.close_current()


def lay_files(home: Path, named: set[str], sample_models: Path) -> None:
    """Put a file where each blob is looked for: a sample's own bytes, or a stand-in."""
    shipped = {sha256(path.read_bytes()).hexdigest(): path for path in sample_models.glob("*/*.*")}
    for name in named:
        place = home / "blobs" / "objects" / name[:2] / name[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(shipped[name].read_bytes() if name in shipped else b"stand-in")


def opened(page: str, visitor: str = ANN, **query: str) -> AppTest:
    """Open one page as Ann, unless it is somebody else's."""
    return showing.opened(page, visitor, **query)


JOBS = {
    ("ingest", "done"): 6,
    ("ingest", "failed"): 1,
    ("ingest", "queued"): 1,
    ("convert", "done"): 10,
    ("convert", "failed"): 2,
    ("convert", "cancelled"): 1,
    ("convert", "interrupted"): 1,
    ("convert", "running"): 2,
    ("compress", "done"): 7,
    ("compress", "failed"): 1,
    ("evaluate", "done"): 2,
    ("evaluate", "failed"): 1,
    ("portability", "done"): 1,
    ("tune", "done"): 1,
    ("tune", "cancelled"): 1,
}
CONVERTED = {
    "Convert penguins.joblib to scikit-learn (skops)": (Verdict.PASS, 164, 137_428),
    "Convert fashion_cnn.pt2 to ONNX": (Verdict.PASS, 1060, 603_981),
    "Convert fashion_cnn.pt2 to ORT format": (Verdict.PASS, 1060, 611_808),
    "Convert penguins.skops to PMML": (Verdict.PASS, 164, 10_414),
    "Convert penguins.skops to ORT format": (Verdict.PASS, 164, 9_504),
    "Convert penguins.skops to Web package (zip)": (Verdict.PASS, 164, 3_774_502),
    "Convert penguins.skops to Python source": (Verdict.PASS, 164, 3_972),
    "Convert penguins.skops to C source": (Verdict.NOT_PROVEN, 0, 4_949),
    "Convert segment.skops to PMML": (Verdict.PASS, 686, 1_019_772),
}
"""By title: the verdict, the samples that were compared, and the bytes of the file."""
TUNED = (
    "Compress fashion_cnn.onnx: Prune by second order, Shared weights, corrected on samples, Float16 weights, Clean up"
)
COMPRESSED = {
    "Compress fashion_cnn.onnx: Clean up": (Verdict.PASS, 474, 474, 602_451),
    "Compress fashion_cnn.onnx: Prune by magnitude, Integer weights": (Verdict.PASS, 474, 474, 80_530),
    "Compress fashion_cnn.onnx: Static int8": (Verdict.PASS, 474, 477, 84_547),
    "Compress fashion_cnn.onnx: Prune by magnitude": (Verdict.FAIL, 474, 52, 43_045),
    "Compress fashion_cnn.onnx: Float16 weights": (Verdict.NOT_PROVEN, None, None, 302_987),
    TUNED: (Verdict.PASS, 224, 225, 58_116),
}
"""By title: the verdict, the right answers before and after, and the bytes of the file."""
TROUBLES = {
    "Inspect olddb.onnx": ("refused", "This seems to be a picture: data, not a model."),
    "Convert penguins.joblib to scikit-learn (skops)": (
        "refused",
        "A pickle is a program: loading it runs what its author wrote.",
    ),
    "Convert penguins.skops to ONNX": ("refused", "This route has no option called nonsense."),
    "Compress fashion_cnn.onnx: Prune trees": ("refused", "The model holds no tree ensemble."),
    "Evaluate fashion_cnn.onnx": ("refused", "There is nothing to measure this model on."),
    "Convert segment.skops to ONNX": ("cancelled", "This was cancelled."),
    "Tune fashion_cnn.onnx: least latency": ("cancelled", "This was cancelled."),
    "Convert fashion_cnn.pt2 to ONNX": (
        "interrupted",
        "The server stopped while this was running; nothing is lost.",
    ),
}


REPORTS: dict[str, type[Any]] = {
    "summary": Ingested,
    "parity": Parity,
    "conversion": Conversion,
    "compression": Compression,
    "evaluation": Evaluation,
    "portability": Portability,
    "tuning": Tuning,
}


def differs(old: Any, new: Any, place: str = "$") -> str:
    """Return the first place where a value that was written is not in what is read of it today; empty where all is."""
    if isinstance(old, dict) and isinstance(new, dict):
        gaps = (differs(part, new.get(key, "missing"), f"{place}.{key}") for key, part in old.items())
        return next(filter(None, gaps), "")
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        gaps = (differs(a, b, f"{place}[{n}]") for n, (a, b) in enumerate(zip(old, new, strict=True)))
        return next(filter(None, gaps), "")
    return "" if old == new else f"{place}: {str(old)[:60]} is {str(new)[:60]}"


def test_the_dump_holds_what_it_is_to_hold(old: Old) -> None:
    jobs = Counter((row["verb"], row["state"]) for row in old.rows("SELECT verb, state FROM job"))
    assert jobs == JOBS
    tables = ("artifact", "report", "mention", "event", "dataset", "share")
    counts = [old.rows(f"SELECT count(*) AS n FROM {table}")[0]["n"] for table in tables]
    assert dict(zip(tables, counts, strict=True)) == {
        "artifact": 25, "report": 70, "mention": 369, "event": 127, "dataset": 4, "share": 1,
    }  # fmt: skip


def test_every_artifact_reads_as_it_was_written(old: Old) -> None:
    for row in old.rows("SELECT * FROM artifact"):
        one = old.now.store.artifact(row["visitor"], row["id"])
        plain = ("id", "sha256", "size", "format", "name", "parent", "sample", "created")
        assert {name: getattr(one, name) for name in plain} == {name: row[name] for name in plain}
        assert (encode(one.step) if one.step else None) == (json.loads(row["step"]) if row["step"] else None)
        assert one.consented is bool(row["consented"])
    assert [one.name for one in old.now.store.artifacts(BEN)] == ["penguins.skops"]
    assert old.artifact("penguins.joblib").consented
    assert old.artifact("Bildsegmente – trees.skops").sample == "segment"


def test_the_lineage_of_the_tuned_model_reads_with_its_options(old: Old) -> None:
    last = old.artifact("fashion_cnn-prune_second_order-codebooks_second_order-float16-clean_up.onnx")
    chain = [one.step for one in old.now.store.lineage(ANN, last.id)]
    steps = ("torch_export_to_onnx", "prune_second_order", "codebooks_second_order", "float16", "clean_up")
    assert chain[0] is None
    assert tuple(one.transform for one in chain[1:] if one) == steps
    assert chain[2]
    assert chain[2].options == {"shares": "head.1.weight=0.8"}
    integers = old.artifact("fashion_cnn-prune_magnitude-weights_nearest.onnx").step
    assert integers
    assert integers.options == {"bits": "4"}


def test_every_report_reads_as_it_was_written(old: Old) -> None:
    kinds: Counter[str] = Counter()
    for artifact in old.rows("SELECT id, visitor FROM artifact"):
        found = {one.id: one for one in old.now.store.reports(artifact["visitor"], artifact["id"])}
        for row in old.rows("SELECT * FROM report WHERE artifact = ?", artifact["id"]):
            one = found.pop(row["id"])
            kinds[one.kind] += 1
            plain = ("artifact", "kind", "against", "job", "created")
            assert {name: getattr(one, name) for name in plain} == {name: row[name] for name in plain}
            assert differs(json.loads(row["value"]), encode(one.read(REPORTS[one.kind]))) == ""
            mentions = old.rows("SELECT sha256 FROM mention WHERE report = ? ORDER BY rowid", row["id"])
            assert one.blobs == tuple(mention["sha256"] for mention in mentions)
    assert kinds == {
        "summary": 34, "parity": 15, "conversion": 10, "compression": 7, "evaluation": 2, "portability": 1, "tuning": 1,
    }  # fmt: skip


def test_every_job_reads_as_it_was_written(old: Old) -> None:
    for row in old.rows("SELECT * FROM job WHERE state NOT IN ('queued', 'running')"):
        job = old.now.queue.job(row["visitor"], row["id"])
        plain = ("verb", "title", "state", "fraction", "message", "attempt", "created", "started", "finished")
        assert {name: getattr(job, name) for name in plain} == {name: row[name] for name in plain}
        assert differs(json.loads(row["args"]), encode(job.request)) == ""
        written = json.loads(row["result"]) if row["result"] else {}
        assert job.made == written.pop("artifact_id", None)
        assert differs(written, encode(job.result) if job.result else {}) == ""
        assert (encode(job.trouble) if job.trouble else None) == (
            json.loads(row["trouble"]) if row["trouble"] else None
        )
        lines = old.rows("SELECT at, text FROM event WHERE job = ? ORDER BY id", row["id"])
        assert [vars(line) for line in old.now.queue.events(row["visitor"], row["id"])] == lines


def test_what_was_refused_cancelled_or_interrupted_says_so(old: Old) -> None:
    found = {job.title: job.trouble for job in old.now.queue.jobs(ANN) if job.id in ended_badly(old)}
    assert {title: (one.kind, one.message) for title, one in found.items() if one} == TROUBLES
    assert all(one and one.next_step for one in found.values())


def ended_badly(old: Old) -> set[str]:
    """Return the jobs that had ended without a result when the dump was made."""
    rows = old.rows("SELECT id FROM job WHERE state IN ('failed', 'cancelled', 'interrupted')")
    return {row["id"] for row in rows}


def test_every_conversion_has_its_verdict(old: Old) -> None:
    for title, (verdict, samples, size) in CONVERTED.items():
        result = next(job.result for job in map(partial(old.job, title), (0, 1)) if job.state is State.DONE)
        assert result
        parity = result.parity
        assert (parity.verdict, sum(check.samples for check in parity.checks)) == (verdict, samples)
        assert result.artifact.size == size
        assert result.bundle.size > size / 20


def test_every_compression_has_its_verdict_and_quality(old: Old) -> None:
    for title, (verdict, before, after, size) in COMPRESSED.items():
        result = old.job(title).result
        assert result
        assert (result.parity.verdict, result.artifact.size) == (verdict, size)
        assert (result.bundle is None) == (verdict is Verdict.FAIL)
        if before is None:
            assert result.quality is None
        else:
            sides = [one.correct for one in (result.quality.before, result.quality.after)]
            assert [one.k for one in sides if one] == [before, after]


def test_proofs_rebuild_from_what_was_written(old: Old) -> None:
    proofs = [json.loads(row["value"]) for row in old.rows("SELECT value FROM report WHERE kind = 'parity'")]
    rebuilt = [decode(Parity, one) for one in proofs]
    assert Counter(one.verdict for one in rebuilt) == {Verdict.PASS: 14, Verdict.NOT_PROVEN: 1}
    assert differs(proofs, json.loads(json.dumps(encode(rebuilt)))) == ""


def test_races_and_qualities_rebuild_from_what_was_written(old: Old) -> None:
    results = [json.loads(row["value"]) for row in old.rows("SELECT value FROM report WHERE kind = 'compression'")]
    races = [one["speed"] for one in results]
    qualities = [one["quality"][side] for one in results if one["quality"] for side in ("before", "after")]
    assert (len(races), len(qualities)) == (7, 12)
    assert [encode(decode(Race, one)) for one in races] == races
    added = {"notes": [], "unmet": None, "doubt": ""}
    assert [encode(decode(Quality, one)) for one in qualities] == [{**one, **added} for one in qualities]


def test_a_search_rebuilds_from_what_was_written(old: Old) -> None:
    result = old.job("Tune fashion_cnn.onnx: least size").result
    assert result
    assert [(one.title, one.size, one.within) for one in result.points[-1:]] == [
        ("Pruned and shared, layer by layer", 58_116, True)
    ]
    assert result.heat
    assert (len(result.heat.rows), result.heat.samples) == (4, 128)


def test_datasets_and_the_share_read_as_they_were_written(old: Old) -> None:
    found = [(one.name, one.label, one.sample, one.size) for one in old.now.store.datasets(ANN)]
    assert found == [
        ("test.npz", "y", "fashion_cnn", 654_644),
        ("test.csv", "label", "segment", 115_383),
        ("test.csv", "sex", "penguins", 4_448),
    ]
    assert [one.sample for one in old.now.store.datasets(BEN)] == ["penguins"]
    (row,) = old.rows("SELECT * FROM share")
    share = old.now.store.share(row["id"])
    assert vars(share) == {name: value for name, value in row.items() if name != "visitor"} | {"expires": None}
    assert old.now.store.shares(ANN, old.artifact("fashion_cnn.onnx").id) == [share]
    assert share.title == "Compress fashion_cnn.onnx: Prune by magnitude, Integer weights"


def test_the_walk_over_all_targets_reads(old: Old) -> None:
    result = old.job("Try every target for penguins.skops").result
    assert result
    standings = {one.target: one.standing for one in result.attempts}
    assert (result.proven, result.of, len(standings)) == (5, 14, 14)
    assert {target for target, one in standings.items() if one is Standing.PROVEN} == {
        "onnx", "pmml", "ort", "web_package", "python_source",
    }  # fmt: skip
    assert standings["c_source"] is Standing.WRITTEN
    assert standings["openvino"] is Standing.REFUSED
    assert standings["saved_model"] is Standing.NO_ROUTE


def test_work_that_a_dead_server_left_is_interrupted_or_done(old: Old) -> None:
    running = [old.now.queue.job(ANN, row["id"]) for row in old.rows("SELECT id FROM job WHERE state = 'running'")]
    assert [(one.state, one.trouble.kind) for one in running if one.trouble] == [(State.INTERRUPTED, "interrupted")] * 2
    (row,) = old.rows("SELECT id FROM job WHERE state = 'queued'")
    done = old.now.queue.wait(ANN, row["id"], 120)
    assert done.state is State.DONE, done.trouble
    assert done.made
    brought = old.now.store.artifact(ANN, done.made)
    assert (brought.name, brought.format, brought.size) == ("queued.onnx", "onnx", 136_515)


@pytest.mark.slow
def test_an_interrupted_conversion_is_run_again_by_the_program_of_today(old: Old) -> None:
    (row,) = old.rows("SELECT id FROM job WHERE state = 'running' AND title = 'Convert penguins.skops to ONNX'")
    done = old.now.queue.wait(ANN, old.now.queue.retry(ANN, row["id"]).id, 240)
    assert (done.state, done.attempt) == (State.DONE, 2), done.trouble
    assert done.result
    assert done.result.parity.verdict == "PASS"
    assert done.result.source.name == "penguins.skops"


def test_convert_page_shows_a_proof(old: Old) -> None:
    job = old.job("Convert fashion_cnn.pt2 to ORT format")
    app = opened("convert.py", model=str(job.request.subject.artifact), job=job.id)
    assert {metric.label: metric.value for metric in app.metric} == {
        "Largest difference": "1.1e-05", "Changed predictions": "0", "File size": "612 kB", "Accuracy": "94.00%",
    }  # fmt: skip
    assert "PASS. Both files give the same answers." in words(app)
    assert words(app).count(":green-badge[PASS]") == 2
    (table,) = [table.value for table in app.table if "check" in table.value]
    assert list(table["samples"]) == [32, 1, 3, 24, 1000]
    assert len(app.get("vega_lite_chart")) == 3


def test_convert_page_shows_what_is_not_proven(old: Old) -> None:
    job = old.job("Convert penguins.skops to C source")
    app = opened("convert.py", model=str(job.request.subject.artifact), job=job.id)
    assert "NOT PROVEN. The file was written, but no runtime on this machine can run it." in words(app)
    assert {metric.label: metric.value for metric in app.metric}["Largest difference"] == "not run"


@pytest.mark.parametrize(
    ("title", "heading", "again"),
    [
        ("Convert penguins.joblib to scikit-learn (skops)", ":red-badge[This did not work]", False),
        ("Convert segment.skops to ONNX", ":gray-badge[Cancelled]", True),
        ("Convert fashion_cnn.pt2 to ONNX", ":red-badge[Interrupted]", True),
    ],
)
def test_convert_page_shows_a_bad_end(old: Old, title: str, heading: str, again: bool) -> None:
    job = next(one for one in old.now.queue.jobs(ANN) if one.title == title and one.id in ended_badly(old))
    app = opened("convert.py", model=str(job.request.subject.artifact), job=job.id)
    assert heading in words(app)
    assert TROUBLES[title][1].split(":")[0].rstrip(".") in words(app).replace("\\", "")
    assert ("Try again" in [button.label for button in app.button]) is again


def test_convert_page_shows_the_tiles_of_the_walk(old: Old) -> None:
    job = old.job("Try every target for penguins.skops")
    app = opened("convert.py", model=str(job.request.subject.artifact))
    tiles = {str(one.key).removeprefix("matrix-"): one for one in app.button if str(one.key).startswith("matrix-")}
    proven = {target for target, tile in tiles.items() if "verified" in tile.label}
    assert proven == {"onnx", "pmml", "ort", "web_package", "python_source"}
    assert len(tiles) == 13
    assert "5 of 13 targets proven, compared on test\\.csv too." in words(app)


def test_convert_page_shows_an_evaluation_and_a_comparison(old: Old) -> None:
    alone = old.job("Evaluate fashion_cnn.onnx")
    app = opened("convert.py", model=str(alone.request.subject.artifact), job=alone.id)
    assert [(metric.label, metric.value) for metric in app.metric] == [("Accuracy", "94.00%")]
    both = old.job("Compare fashion_cnn.onnx with fashion_cnn.pt2")
    app = opened("convert.py", model=str(both.request.page), job=both.id)
    assert "PASS. Both files give the same answers." in words(app)
    assert [(metric.label, metric.value) for metric in app.metric] == [("Accuracy", "94.00%")]


@pytest.mark.parametrize(
    ("title", "heading", "smaller", "accuracy"),
    [
        ("Compress fashion_cnn.onnx: Static int8", "PASS. The loss of quality is within", "7.14", "93.35%"),
        (
            "Compress fashion_cnn.onnx: Prune by magnitude",
            "FAIL. The loss of quality is more than you allowed",
            "14.03",
            "10.18%",
        ),
        ("Compress fashion_cnn.onnx: Float16 weights", "NOT PROVEN. The file runs", "1.99", None),
        (TUNED, "PASS. The loss of quality is within", "10.39", "92.76%"),
    ],
)
def test_compress_page_shows_a_result(old: Old, title: str, heading: str, smaller: str, accuracy: str | None) -> None:
    job = old.job(title, -1)
    app = opened("compress.py", model=str(job.request.subject.artifact), job=job.id)
    shown = {metric.label: metric.value for metric in app.metric}
    size = next(metric for metric in app.metric if metric.label == "File size")
    assert size.help == f"{smaller} times smaller, as a runtime opens it."
    assert shown.get("Accuracy") == accuracy
    assert {"Download size", "Changed predictions", "Speed", "Peak memory"} < set(shown)
    assert heading in words(app)
    assert ("This verdict is from an earlier version" in words(app)) == (accuracy is not None)
    assert "All variants of this model" in words(app)


def test_compress_page_lists_every_variant_with_options_written_as_text(old: Old) -> None:
    job = old.job("Compress fashion_cnn.onnx: Static int8")
    app = opened("compress.py", model=str(job.request.subject.artifact), job=job.id)
    table = next(table.value for table in app.table if "variant" in table.value)
    names = [name.replace("\\", "") for name in table["variant"]]
    assert len(names) == 7
    assert "Static int8 (weight_bits 4, tables true, method measured)" in names
    assert "Prune by magnitude (share 0.3, scope tensor), Integer weights (bits 4)" in names
    assert Counter(table["verdict"])["FAIL"] == 1
    assert "Revoke the link" in [button.label for button in app.button]


def test_compress_page_shows_a_finished_and_a_paused_search(old: Old) -> None:
    job = old.job("Tune fashion_cnn.onnx: least size")
    app = opened("compress.py", model=str(job.request.subject.artifact), job=job.id)
    assert ":green-badge[PASS on the test half] **Pruned and shared, layer by layer**" in words(app)
    assert "58.1 kB from 604 kB, 3 of 236 predictions changed on selection samples" in words(app)
    assert len(next(table.value for table in app.table if "approach" in table.value)) == 13
    paused = old.job("Tune fashion_cnn.onnx: least latency")
    app = opened("compress.py", model=str(paused.request.subject.artifact), job=paused.id)
    assert "1 candidate tried; none is within the drop so far" in words(app)
    assert "Resume" in [button.label for button in app.button]


def test_models_page_lists_every_model_of_its_visitor(old: Old) -> None:
    app = opened("models.py")
    for button in [
        one for one in app.button if one.label.startswith("Show more")
    ]:  # other tests may have made one more
        button.click().run()
    text = words(app).replace("\\", "")
    named = {row["name"][:50] for row in old.rows("SELECT name FROM artifact WHERE visitor = ?", ANN)}
    assert len(named) == 20
    assert {name for name in named if f"**{name}" not in text} == set()
    assert text.count("**penguins.skops**") == 2
    assert "fashion" not in words(opened("models.py", BEN)).split("Your models")[1]


@pytest.mark.parametrize("name", ["penguins.joblib", "fashion_cnn.ort", "fashion_cnn-static_int8.onnx", "penguins.zip"])
def test_models_page_shows_what_is_in_a_model(old: Old, name: str) -> None:
    artifact = old.artifact(name)
    app = opened("models.py", model=artifact.id)
    assert {metric.label for metric in app.metric} == {"Size", "Parameters", "Precision", "Operators"}
    assert f"sha256 {artifact.sha256[:16]}" in words(app)
