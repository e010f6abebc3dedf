"""The pages through the frame: empty, with a model, with a foreign or broken address."""

import pytest
from streamlit.testing.v1 import AppTest

from core.domain.compression import CompressRequest
from core.domain.conversion import ConvertRequest
from core.domain.errors import Refused
from core.domain.installation import InstallRequest
from core.domain.job import State
from core.domain.portability import Attempt, Portability, PortabilityRequest, Standing
from core.domain.recipe import Step
from core.domain.search import TuneRequest
from core.domain.work import Subject
from core.doors import workspace
from core.doors.samples import sample
from core.doors.workspace import Workspace
from core.jobs.rows import JobRows
from core.techniques import TECHNIQUES
from tests.pages.showing import FRAME, VISITOR, bring, opened, words
from tests.serving import ROOT


def test_models_page_offers_every_sample_with_its_accuracy(home: Workspace) -> None:
    text = words(opened())
    assert "No models yet" in text
    assert text.count("% right (") == 4


def test_convert_page_without_a_model_says_where_to_begin(home: Workspace) -> None:
    assert "No model to convert yet" in words(opened("convert.py"))


def test_detail_shows_what_is_in_the_model(home: Workspace) -> None:
    app = opened(model=bring(home, "penguins"))
    assert {metric.label for metric in app.metric} >= {"Size", "Parameters", "Precision", "Operators"}
    assert not app.warning


def test_convert_page_offers_the_targets_of_the_format(home: Workspace) -> None:
    app = opened("convert.py", model=bring(home, "penguins"))
    assert any(button.label == "Convert and prove" for button in app.button)


def test_convert_page_offers_to_try_every_target(home: Workspace) -> None:
    app = opened("convert.py", model=bring(home, "penguins"))
    assert "Where must it run?" in words(app)
    assert any(button.label == "Try every target" for button in app.button)


def test_a_press_means_the_tile_that_was_chosen_a_moment_before(home: Workspace) -> None:
    model = bring(home, "penguins")
    app = opened("convert.py", model=model)
    app.session_state[f"to-{model}"] = "pmml"
    next(button for button in app.button if button.label == "Convert and prove").click().run()
    assert [job.request.target for job in home.queue.jobs(VISITOR) if job.verb == "convert"] == ["pmml"]


def test_convert_page_offers_to_install_what_needs_an_environment_of_its_own(home: Workspace) -> None:
    app = opened("convert.py", model=bring(home, "fashion_cnn"))
    assert "LiteRT Torch is not installed" in words(app)
    assert next(button for button in app.button if button.key == "matrix-litert").disabled
    assert [one.label for one in app.button if one.label.startswith("Install")] == ["Install LiteRT Torch (918 MB)"]


@pytest.mark.parametrize("setting", ["PORTOLAN_ADDRESS", "PORTOLAN_HOSTS"])
def test_a_visitor_of_a_server_for_others_installs_nothing(
    home: Workspace, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    model, request = bring(home, "fashion_cnn"), InstallRequest("nonsense")
    monkeypatch.setenv(setting, "portolan.example")
    app = opened("convert.py", model=model)
    assert "LiteRT Torch is not installed" in words(app)
    assert "Whoever runs this server can install it." in words(app)
    assert not [button.label for button in app.button if button.label.startswith("Install")]
    with pytest.raises(Refused, match="Only whoever runs this server"):
        home.queue.submit(VISITOR, "install", request)
    monkeypatch.setenv("PORTOLAN_INSTALLS", "1")
    with pytest.raises(Refused, match="no group called"):
        home.queue.submit(VISITOR, "install", request)


def test_tiles_of_a_walk_lead_to_its_conversions(home: Workspace) -> None:
    artifact = home.store.artifact(VISITOR, bring(home, "penguins"))
    rows = [
        Attempt("onnx", "ONNX", Standing.PROVEN, samples=40, max_abs=1e-6, size=900),
        Attempt("ort", "ORT format", Standing.DIFFERS, reason="Step 2, ONNX to ORT, is the first to fail."),
        Attempt("litert", "LiteRT", Standing.MISSING, reason="Install it: pip install -r requirements-x.txt"),
        Attempt("pickle", "Pickle", Standing.NO_ROUTE, reason="No converter leads there."),
    ]
    result, request = Portability(tuple(rows), 1.0, None), PortabilityRequest(Subject.of(artifact))
    rows_of_jobs = JobRows(home.store, workspace.VERBS)
    rows_of_jobs.answered(VISITOR, "portability", "Try every target", request, "key", result, artifact.id)
    app = opened("convert.py", model=artifact.id)
    tiles = {button.key: button for button in app.button if str(button.key).startswith("matrix-")}
    assert not tiles["matrix-onnx"].disabled
    assert "is the first to fail" in str(tiles["matrix-ort"].help).replace("\\", "")
    assert not tiles["matrix-pmml"].disabled, "one that was not tried can be chosen"
    assert "matrix-pickle" not in tiles
    text = words(app)
    assert "1 of 3 targets proven" in text
    assert "is the first to fail" in text
    assert "requirements" in text
    assert "No converter leads there: Pickle." in text


def test_compress_page_begins_with_a_model_and_offers_every_family(home: Workspace) -> None:
    app = opened("compress.py")
    assert "No model to compress yet" in words(app)
    blob = home.store.blobs.put(ROOT / "sample_models" / "fashion_cnn" / "model.onnx")
    artifact = home.store.add_artifact(VISITOR, sha256=blob.sha256, size=blob.size, format="onnx", name="m.onnx")
    app = opened("compress.py", model=artifact.id, technique="float16")
    assert any(button.label == "Compress and measure" for button in app.button)
    families = {str(technique.family) for technique in TECHNIQUES}
    assert {option.lower() for option in app.pills[0].options} == families


def test_compress_page_offers_what_fits_and_says_why_the_rest_does_not(home: Workspace) -> None:
    blob = home.store.blobs.put(ROOT / "sample_models" / "segment" / "model.onnx")
    job = home.queue.submit(VISITOR, "ingest", {"sha256": blob.sha256, "size": blob.size, "name": "trees.onnx"})
    done = home.queue.wait(VISITOR, job.id, 60)
    assert done.result, done.trouble
    app = opened("compress.py", model=str(done.made), technique="prune_trees")
    assert set(app.pills[0].options) == {"Pruning", "Clean-up"}
    assert "Prune trees" in app.radio[0].options
    assert "Prune channels" not in app.radio[0].options
    assert "no weight tensors" in words(app)


@pytest.mark.slow
def test_compress_page_shows_what_a_job_measured_among_all_variants(home: Workspace) -> None:
    blob = home.store.blobs.put(ROOT / "sample_models" / "fashion_cnn" / "model.onnx")
    artifact = home.store.add_artifact(VISITOR, sha256=blob.sha256, size=blob.size, format="onnx", name="m.onnx")
    args = {"artifact": artifact.id, "sha256": blob.sha256, "size": blob.size, "format": "onnx", "name": "m.onnx"}
    data = home.store.blobs.put(ROOT / "sample_models" / "fashion_cnn" / "test.npz")
    home.store.add_dataset(VISITOR, sha256=data.sha256, size=data.size, name="test.npz")
    asked = {**args, "data": {"sha256": data.sha256, "name": "test.npz", "label": None}, "max_drop": 0.01}
    job = home.queue.submit(VISITOR, "compress", {**asked, "recipe": [{"transform": "float16", "options": {}}]})
    done = home.queue.wait(VISITOR, job.id, 120)
    assert done.state is State.DONE, done.trouble
    app = opened("compress.py", model=artifact.id)
    assert "PASS. The loss of quality" in "\n".join(str(one.value) for one in app.success)
    labels = {metric.label: metric.value for metric in app.metric}
    assert {"File size", "Changed predictions", "Speed", "Peak memory", "Accuracy"} <= set(labels)
    assert "**Float16 weights**" in words(app)
    assert [box.value for box in app.selectbox if box.label == "Test data"] == [data.sha256]
    assert "All variants of this model" in words(app)
    assert [list(row) for row in app.table[-1].value["variant"].items()][-1][1] == "original"


def test_compress_page_begins_with_the_technique_of_the_job_that_it_is_led_to(home: Workspace) -> None:
    """Within one visit: a choice that the session kept from the job before would be used, and another one shown."""
    blob = home.store.blobs.put(ROOT / "sample_models" / "fashion_cnn" / "model.onnx")
    artifact = home.store.add_artifact(VISITOR, sha256=blob.sha256, size=blob.size, format="onnx", name="m.onnx")
    rows, asked = JobRows(home.store, workspace.VERBS), Subject.of(artifact)
    jobs = {
        name: rows.add(VISITOR, "compress", name, CompressRequest(asked, tuple(map(Step, steps))), name).id
        for name, steps in {"half": ["float16"], "few": ["prune_magnitude"], "both": ["float16", "clean_up"]}.items()
    }
    app = opened("compress.py", model=artifact.id, job=jobs["half"])
    assert (app.pills[0].value, app.radio[0].value) == ("quantization", "float16")
    app.query_params["job"] = jobs["few"]
    app.run()
    assert (app.pills[0].value, app.radio[0].value) == ("pruning", "prune_magnitude")
    app.query_params["job"] = jobs["both"]
    app.run()
    assert [box.value for box in app.selectbox if box.label.startswith("Step ")] == ["float16", "clean_up"]


def test_foreign_model_is_not_found(home: Workspace) -> None:
    artifact = bring(home, "penguins")
    app = AppTest.from_file(FRAME, default_timeout=30)
    app.session_state["visitor"] = "v" + "1" * 32
    app.query_params["model"] = artifact
    app.run()
    assert "There is no such model" in words(app)


@pytest.mark.parametrize("job", ["x", "../../etc/passwd", "' OR 1=1 --"])
def test_unknown_job_in_the_address_is_dropped(home: Workspace, job: str) -> None:
    assert "Add a model" in words(opened(job=job))


def test_hostile_name_is_inert_text(home: Workspace) -> None:
    blob = home.store.blobs.put(sample("penguins").model)  # type: ignore[union-attr]
    name = "![x](http://evil.example/i.png)<script>alert(1)</script>.skops"
    job = home.queue.submit(VISITOR, "ingest", {"sha256": blob.sha256, "size": blob.size, "name": name})
    made = home.queue.wait(VISITOR, job.id, 60).made
    assert made
    text = words(opened(model=made))
    assert "](http" not in text.replace("\\", "\0")


@pytest.mark.parametrize(("verb", "page"), [("tune", "compress"), ("compress", "compress"), ("convert", "convert")])
def test_an_interrupted_job_leads_to_the_page_of_its_verb(home: Workspace, verb: str, page: str) -> None:
    blob = home.store.blobs.put(ROOT / "sample_models" / "fashion_cnn" / "model.onnx")
    artifact = home.store.add_artifact(VISITOR, sha256=blob.sha256, size=blob.size, format="onnx", name="m.onnx")
    subject = Subject.of(artifact)
    requests = {
        "tune": TuneRequest(subject, None, 0.01),
        "compress": CompressRequest(subject, (Step("float16"),)),
        "convert": ConvertRequest(subject, "ort"),
    }
    rows = JobRows(home.store, workspace.VERBS)
    rows.claim(rows.add(VISITOR, verb, f"Some {verb}", requests[verb], "key").id)
    rows.interrupt()
    (link,) = [one.proto for one in opened("models.py").get("page_link") if "interrupted" in one.proto.label]
    assert link.page == page
    assert f"model={artifact.id}" in link.query_string
