"""A goal leads to the technique that fits the model, with or without data."""

import threading

import pytest

from core.domain.format import Summary
from core.domain.ingestion import IngestRequest
from core.domain.tuning import Goal
from core.doors.workspace import Workspace
from core.memory.blobs import Blobs
from core.sandbox import Sandbox
from core.sandbox.tools import Tools
from core.verbs import ingest
from core.verbs.goals import beginning
from tests.pages.showing import VISITOR, opened, words
from tests.serving import ROOT

SAMPLES = ("fashion_cnn", "spam_transformer", "segment")


@pytest.fixture(scope="module")
def summaries(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Summary]:
    """What the ONNX files of some samples say of themselves."""
    tools = Tools(Blobs(tmp_path_factory.mktemp("blobs")), sandbox, lambda fraction, text: None, threading.Event())
    blobs = {one: tools.blobs.put(ROOT / "sample_models" / one / "model.onnx") for one in SAMPLES}
    asked = {one: IngestRequest(blob.sha256, blob.size, f"{one}.onnx") for one, blob in blobs.items()}
    return {one: ingest.run(tools, request).summary for one, request in asked.items()}


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
    summaries: dict[str, Summary], sample: str, goal: Goal, has_data: bool, technique: str | None
) -> None:
    found = beginning(summaries[sample], goal, has_data)
    assert (found.id if found else None) == technique


def test_the_page_begins_with_a_goal_and_its_reason(home: Workspace) -> None:
    blob = home.store.blobs.put(ROOT / "sample_models" / "fashion_cnn" / "model.onnx")
    job = home.queue.submit(VISITOR, "ingest", IngestRequest(blob.sha256, blob.size, "fashion_cnn.onnx"))
    home.queue.wait(VISITOR, job.id, 60)
    app = opened("compress.py", model=home.store.artifacts(VISITOR)[0].id)
    assert "**Shared weights (codebooks)**" in words(app).replace("\\", "")
    assert "nearest of a few shared values" in words(app)
    assert any(button.label == "Compress and measure" and not button.disabled for button in app.button)
