"""The Profile page: empty, with a model, with what cannot run, and with a finished report card."""

import pytest

from core.answers.queueing import capacity
from core.calls import footprint
from core.domain.ingestion import IngestRequest
from core.domain.job import State
from core.domain.profile import ProfileRequest
from core.domain.recipe import Step
from core.domain.side_by_side import SideBySideRequest
from core.domain.work import Subject
from core.doors.workspace import Workspace
from core.verbs import profile, side_by_side
from tests.conftest import SAMPLES
from tests.pages.showing import VISITOR, opened, words


def test_without_a_model_it_says_where_to_begin(home: Workspace) -> None:
    assert "No model to profile yet" in words(opened("profile.py"))


def test_advice_opens_compress_with_its_technique(home: Workspace) -> None:
    blob = home.store.blobs.put(SAMPLES / "segment" / "model.onnx")
    request = IngestRequest(blob.sha256, blob.size, "m.onnx")
    model = home.queue.wait(VISITOR, home.queue.submit(VISITOR, "ingest", request).id, 60).made
    app = opened("compress.py", model=str(model), technique="prune_trees")
    assert [radio.value for radio in app.radio] == ["prune_trees"]


def test_a_file_of_weights_says_why_it_has_no_report_card(home: Workspace) -> None:
    blob = home.store.blobs.put(SAMPLES / "segment" / "model.onnx")
    model = home.store.add_artifact(VISITOR, sha256=blob.sha256, size=blob.size, format="safetensors", name="w").id
    app = opened("profile.py", model=model)
    assert "It holds weights alone" in words(app)
    assert not [button for button in app.button if button.label == "Profile"]


def test_a_model_is_measured_and_stays_on_its_page(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "TIMING_SECONDS", 0.5)
    blob = home.store.blobs.put(SAMPLES / "segment" / "model.onnx")
    model = home.store.add_artifact(VISITOR, sha256=blob.sha256, size=blob.size, format="onnx", name="m.onnx").id
    app = opened("profile.py", model=model)
    assert "The report card appears here" in words(app)
    assert [button.label for button in app.button if button.label == "Profile"]
    subject = Subject.of(home.store.artifact(VISITOR, model))
    job = home.queue.wait(VISITOR, home.queue.submit(VISITOR, "profile", ProfileRequest(subject)).id, 120)
    assert job.state is State.DONE, job.trouble
    app = opened("profile.py", model=model)
    assert [one.label for one in app.metric][:3] == ["Time of a call", "Peak memory", "Time to the first answer"]
    assert job.result.sentence[:20] in words(app).replace("\\", "")
    assert "python -m core profile" in app.code[0].value
    assert [button.label for button in app.button if button.label == "Measure again"]
    assert job.result.advice.sentence[:20] in words(app).replace("\\", "")
    assert home.store.holds(VISITOR, job.result.trace)
    assert home.store.reports(VISITOR, model, "profile")
    found = {one.label: one.value for one in app.metric}
    assert found["Energy of a million, estimated"].endswith(" kWh")
    assert found["State of a session"] == "37.7 MB"  # 2 x 12 x 12 x 64 x 1024 x 2 bytes
    assert float(found["Missed deadlines"].rstrip("%")) <= 1
    app.button(key=f"show-{job.id}").click().run()
    (share,) = home.store.shares(VISITOR, model)
    assert b"The model answers once in " in home.store.blobs.path(share.sha256).read_bytes()
    (rate,) = (one for one in app.number_input if one.label == "Requests a second")
    rate.set_value(1.5 * capacity(job.result.timing.service)).run()
    assert {one.label: one.value for one in app.metric}["p99 at this rate"] == "grows without end"
    app.number_input(key=f"watts-{model}").set_value(16.0).run()
    assert {one.label: one.value for one in app.metric}["Energy of a million, estimated"] != found[
        "Energy of a million, estimated"
    ]


def test_a_model_and_its_conversion_stand_in_every_runtime(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "SECONDS", 0.5)
    monkeypatch.setattr(footprint, "PROCESSES", 1)
    step = Step("skops_to_onnx")
    ids: list[str] = []
    for file, format in (("model.skops", "skops"), ("model.onnx", "onnx")):
        blob, parent = home.store.blobs.put(SAMPLES / "segment" / file), ids[0] if ids else None
        made = home.store.add_artifact(
            VISITOR, sha256=blob.sha256, size=blob.size, format=format, name=file, parent=parent, step=parent and step
        )
        ids.append(made.id)
    app = opened("profile.py", model=ids[0])
    app.segmented_control[0].set_value("Runtimes").run()
    kin, ways = app.multiselect
    assert kin.value == [ids[1]]
    assert "onnx" not in ways.value
    ways.set_value([])
    app.run()
    subject, other = (Subject.of(home.store.artifact(VISITOR, id)) for id in ids)
    job = home.queue.wait(
        VISITOR, home.queue.submit(VISITOR, "side_by_side", SideBySideRequest(subject, (other,))).id, 120
    )
    assert job.state is State.DONE, job.trouble
    app = opened("profile.py", model=ids[0], job=job.id)
    said = words(app).replace("\\", "")
    assert job.result.sentence in said
    assert "--runtimes model.onnx" in app.code[0].value
    assert [button.label for button in app.button if button.label == "Run again"]
