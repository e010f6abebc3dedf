"""The Profile page with two models beside each other, and with what training takes."""

import pytest

from core.calls import footprint
from core.domain.gate import Bounds
from core.domain.job import State
from core.domain.training_cost import TrainingRequest
from core.domain.versus import VersusRequest
from core.domain.work import Subject
from core.doors.workspace import Workspace
from core.verbs import versus
from tests.conftest import SAMPLES
from tests.pages.showing import VISITOR, opened, words


def brought(home: Workspace, sample: str, file: str, format: str) -> str:
    """Put a sample's file into the visitor's library, and return its id."""
    blob = home.store.blobs.put(SAMPLES / sample / file)
    return home.store.add_artifact(VISITOR, sha256=blob.sha256, size=blob.size, format=format, name=file).id


def test_two_models_stand_beside_each_other(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "PROCESSES", 1)
    monkeypatch.setattr(versus, "GATE_SECONDS", 1.0)
    model = brought(home, "segment", "model.onnx", "onnx")
    subject = Subject.of(home.store.artifact(VISITOR, model))
    request = VersusRequest(subject, subject, bounds=Bounds(slowdown=1.0))
    job = home.queue.wait(VISITOR, home.queue.submit(VISITOR, "versus", request).id, 120)
    assert job.state is State.DONE, job.trouble
    app = opened("profile.py", model=model, job=job.id)
    assert [one.label for one in app.metric] == ["Speed", "Peak memory", "Answers"]
    said = words(app).replace("\\", "")
    assert "No change: both compute every answer alike." in said
    assert "Processor time: proven within the bound of 100.0%" in said
    assert [one.value for one in app.metric][2] == "same"
    assert [button.label for button in app.button if button.label == "Compare again"]
    assert home.store.reports(VISITOR, model, "versus")


def test_training_is_reckoned_for_any_batch_and_optimizer(home: Workspace) -> None:
    model = brought(home, "fashion_cnn", "model.pt2", "torch_export")
    request = TrainingRequest(Subject.of(home.store.artifact(VISITOR, model)))
    job = home.queue.wait(VISITOR, home.queue.submit(VISITOR, "training", request).id, 120)
    assert job.state is State.DONE, job.trouble
    assert (job.result.linear, job.result.measured, job.result.batches) == (True, False, (2, 8, 32))
    assert job.result.trainable <= job.result.weights < (SAMPLES / "fashion_cnn" / "model.pt2").stat().st_size
    app = opened("profile.py", model=model, job=job.id)
    first = app.metric[0].value
    assert app.metric[0].label == "Memory of a step"
    app.number_input(key=f"train-batch-{model}").set_value(512).run()
    assert app.metric[0].value != first
    app.selectbox(key=f"optimizer-{model}").select("SGD").run()
    assert "One step of SGD with a batch of 512" in words(app).replace("\\", "")


def test_trees_are_told_that_training_cannot_be_reckoned(home: Workspace) -> None:
    model = brought(home, "segment", "model.skops", "skops")
    app = opened("profile.py", model=model)
    app.segmented_control[0].set_value("Training").run()
    assert "The memory of training is estimated for networks that torch can train" in words(app)
    assert not [button for button in app.button if button.label == "Estimate training memory"]
