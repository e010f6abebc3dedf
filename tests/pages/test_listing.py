"""The list of a library: search, order, so many at a time; a new name; what a sample's card says."""

import pytest

from core.doors.workspace import Workspace
from tests.pages.showing import VISITOR, bring, opened, words


@pytest.fixture
def many(home: Workspace) -> Workspace:
    """A library of 60 models, of which one is called as nothing else is."""
    for number in range(60):
        name = "needle in a haystack.onnx" if number == 41 else f"model {number}.onnx"
        with home.store.blobs.writer() as writer:
            writer.write(bytes(number + 1))
            blob = writer.commit()
        home.store.add_artifact(VISITOR, sha256=blob.sha256, size=blob.size, format="onnx", name=name)
    return home


def listed(text: str) -> list[str]:
    """Return the names in the list, in its order."""
    return [line.replace("*", "").replace("\\", "") for line in text.splitlines() if line.endswith("onnx**")]


def test_a_large_library_is_searched_sorted_and_shown_in_parts(many: Workspace) -> None:
    app = opened()
    assert listed(words(app))[:2] == ["model 59.onnx", "model 58.onnx"]
    assert len(listed(words(app))) == 25
    app.text_input(key="models-search").set_value("Haystack ONNX").run()
    assert listed(words(app)) == ["needle in a haystack.onnx"]
    app.text_input(key="models-search").set_value("no such").run()
    assert "No model has these words" in words(app)
    app.text_input(key="models-search").set_value("")
    app.selectbox(key="models-order").set_value("Largest first").run()
    assert listed(words(app))[0] == "model 59.onnx"
    app.selectbox(key="models-order").set_value("Name").run()
    assert listed(words(app))[:2] == ["model 0.onnx", "model 1.onnx"]
    next(button for button in app.button if button.label == "Show more: 25 of 60").click().run()
    assert len(listed(words(app))) == 50


def test_a_model_is_renamed_and_keeps_what_its_sample_knew(home: Workspace) -> None:
    model = bring(home, "penguins")
    app = opened(model=model)
    assert "88 of 100" in words(app)
    assert "female, male" in words(app)
    app.text_input(key=f"name-{model}").set_value("sex of a penguin.skops").run()
    app.button(key="rename").click().run()
    assert home.store.artifact(VISITOR, model).name == "sex of a penguin.skops"
    assert "sex of a penguin.skops" in words(app).replace("\\", "")
