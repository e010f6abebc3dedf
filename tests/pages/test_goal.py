"""A goal leads to the technique that fits the model, with or without data."""

import pytest

from core.domain.format import Summary
from core.domain.ingestion import Ingested
from core.domain.tuning import Goal
from core.doors.workspace import Workspace
from core.verbs.goals import beginning
from tests.pages.showing import VISITOR, opened, words
from tests.serving import ROOT


def summary(home: Workspace, sample: str) -> Summary:
    """Bring a sample's ONNX file and return what it says of itself."""
    blob = home.store.blobs.put(ROOT / "sample_models" / sample / "model.onnx")
    job = home.queue.submit(VISITOR, "ingest", {"sha256": blob.sha256, "size": blob.size, "name": f"{sample}.onnx"})
    made = home.queue.wait(VISITOR, job.id, 60).made
    return home.store.reports(VISITOR, str(made), "summary")[0].read(Ingested).summary


@pytest.mark.parametrize(
    ("sample", "goal", "has_data", "technique"),
    [
        ("fashion_cnn", Goal.SIZE, True, "codebooks_second_order"),
        ("fashion_cnn", Goal.SIZE, False, "codebooks"),
        ("fashion_cnn", Goal.LATENCY, True, "static_int8"),
        ("fashion_cnn", Goal.LATENCY, False, "static_int8"),
        ("spam_transformer", Goal.LATENCY, True, "dynamic_int8"),
        ("segment", Goal.SIZE, True, "prune_trees"),
        ("segment", Goal.LATENCY, True, None),
    ],
)
def test_a_goal_leads_to_a_technique_that_fits(
    home: Workspace, sample: str, goal: Goal, has_data: bool, technique: str | None
) -> None:
    found = beginning(summary(home, sample), goal, has_data)
    assert (found.id if found else None) == technique


def test_the_page_begins_with_a_goal_and_its_reason(home: Workspace) -> None:
    summary(home, "fashion_cnn")
    app = opened("compress.py", model=home.store.artifacts(VISITOR)[0].id)
    assert "**Shared weights (codebooks)**" in words(app).replace("\\", "")
    assert "nearest of a few shared values" in words(app)
    assert any(button.label == "Compress and measure" and not button.disabled for button in app.button)
