"""From a picture to the input: guessed on a model's page, tried on real pictures, saved, and inherited by what is made of the model."""

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from core.domain.ingestion import IngestRequest
from core.domain.previewing import Preview, PreviewRequest
from core.domain.recipe import Step
from core.domain.split import By, Split
from core.domain.task import Task
from core.domain.work import Data, Subject
from core.doors.workspace import Workspace
from core.verbs import task
from tests.pages.showing import VISITOR, bring, opened, words
from tests.proof.test_likely import redness
from tests.test_convert import SAMPLES


def network(home: Workspace, file: Path = SAMPLES / "fashion_cnn" / "model.onnx") -> str:
    """Bring the network that names clothes, or another, and return its id."""
    blob = home.store.blobs.put(file)
    job = home.queue.submit(VISITOR, "ingest", IngestRequest(blob.sha256, blob.size, "clothes.onnx"))
    return str(home.queue.wait(VISITOR, job.id, 60).made)


def pictures(home: Workspace, negative: bool = False) -> Data:
    """Bring 60 real test pictures, or their negatives, with their labels."""
    samples, out = np.load(SAMPLES / "fashion_cnn" / "test.npz"), io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for row in range(60):
            pixels, one = np.rint(samples["x"][row, 0] * 255).astype(np.uint8), io.BytesIO()
            Image.fromarray(255 - pixels if negative else pixels).save(one, "PNG")
            archive.writestr(f"{samples['y'][row]}/{row}.png", one.getvalue())
    with home.store.blobs.writer() as writer:
        writer.write(out.getvalue())
        blob = writer.commit()
    home.store.add_dataset(VISITOR, sha256=blob.sha256, size=blob.size, name="pictures.zip")
    return Data(blob.sha256, "pictures.zip")


def test_steps_are_guessed_tried_saved_and_inherited(home: Workspace) -> None:
    made = network(home)
    said = words(opened(model=made)).replace("\\", "")
    assert "this guess is used: Read the picture (colours grey), resize (height 28, width 28)" in said
    request = PreviewRequest(Subject.of(home.store.artifact(VISITOR, made)), pictures(home))
    job = home.queue.wait(VISITOR, home.queue.submit(VISITOR, "task", request).id, 60)
    assert isinstance(job.result, Preview), job.trouble
    page = opened(model=made, job=job.id)
    assert words(page).count(":green-badge[right]") >= 3
    assert words(page).count("Scale: 28 x 28 x 1, 0 to ") == 4
    next(button for button in page.button if button.label == "Save these steps").click().run()
    assert not page.exception
    saved = task.declared(home.store, VISITOR, made)
    assert saved is not None
    assert [step.transform for step in saved.prepare] == ["picture", "resize", "scale", "layout"]
    child = home.store.add_artifact(
        VISITOR, sha256=request.subject.sha256, size=1, format="onnx", name="child", parent=made, step=Step("clean_up")
    )
    assert task.declared(home.store, VISITOR, child.id) == saved
    assert "Set for this model: Read the picture" in words(opened(model=made))


def test_better_steps_are_offered_and_used(home: Workspace) -> None:
    made = network(home)
    request = PreviewRequest(Subject.of(home.store.artifact(VISITOR, made)), pictures(home, negative=True))
    job = home.queue.wait(VISITOR, home.queue.submit(VISITOR, "task", request).id, 60)
    page = opened(model=made, job=job.id)
    assert "With black and white exchanged, the accuracy rises from" in words(page)
    next(button for button in page.button if button.label == "Use these steps").click().run()
    assert not page.exception
    again = home.queue.wait(VISITOR, str(page.query_params["job"]), 60)
    assert again.id != job.id
    assert again.result.better is None
    assert words(opened(model=made, job=again.id)).count(":green-badge[right]") >= 3


def test_a_network_that_takes_any_size_is_guessed_from_the_pictures(home: Workspace, tmp_path: Path) -> None:
    made = network(home, redness(tmp_path / "m.onnx", "h", "w"))
    page = opened(model=made)
    assert "does not say how large its pictures are" in words(page)
    request = PreviewRequest(Subject.of(home.store.artifact(VISITOR, made)), pictures(home))
    job = home.queue.wait(VISITOR, home.queue.submit(VISITOR, "task", request).id, 60)
    assert isinstance(job.result, Preview), job.trouble
    assert job.result.task.prepare[1] == Step("resize", {"height": 28, "width": 28})
    page = opened(model=made, job=job.id)
    assert [one.value for one in page.selectbox if one.label == "Step 2"] == ["resize"]


def test_steps_that_do_not_fit_each_other_are_refused_in_words(home: Workspace) -> None:
    made = network(home)
    page = opened(model=made)
    next(one for one in page.selectbox if one.label == "Step 4").select("crop").run()
    next(button for button in page.button if button.label == "Save these steps").click().run()
    assert "'Crop the middle' takes a picture, but after 'Scale' there is" in words(page)
    assert task.declared(home.store, VISITOR, made) is None


def test_a_model_that_takes_no_picture_shows_nothing_of_it(home: Workspace) -> None:
    made = bring(home, "penguins")
    page = opened(model=made)
    assert "From a picture" not in words(page)
    assert task.declared(home.store, VISITOR, made) is None
    next(one for one in page.selectbox if one.label == "Judge quality by").select("macro_f1").run()
    assert not page.exception
    assert task.declared(home.store, VISITOR, made) == Task(metric="macro_f1")
    assert "The mean over all classes of the harmonic mean" in words(opened(model=made))


def test_what_is_held_out_is_asked_on_the_page(home: Workspace) -> None:
    made = network(home)
    pictures(home)
    page = opened(model=made)
    dataset = home.store.datasets(VISITOR)[0].sha256
    next(one for one in page.selectbox if one.label == "Test data").select(dataset).run()
    next(one for one in page.radio if one.label == "Split of the samples").set_value("group").run()
    next(one for one in page.text_input if one.label == "Column with the groups or the times").set_value("who").run()
    next(button for button in page.button if button.label == "Try on samples").click().run()
    assert not page.exception
    asked = home.queue.wait(VISITOR, str(page.query_params["job"]), 60)
    assert asked.request.data.split == Split("who", By.GROUP)
    assert "A zip without a table has no column 'who'" in asked.trouble.message
