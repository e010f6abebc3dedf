"""A mistake in how pictures are prepared is found and named, and none where there is none."""

import io
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnx.helper as oh
import pytest
from PIL import Image

from core.domain.recipe import Step
from core.domain.runtime import Session
from core.domain.task import Task
from core.proof import likely, preview
from core.proof.dataset import Asked
from core.proof.datasets import read_dataset
from core.proof.pictures import Pictures
from core.runtimes import RUNTIMES
from tests.test_convert import SAMPLES

FASHION = SAMPLES / "fashion_cnn"
ROWS = 128
READ, SIZE, SCALE, LAYOUT = (
    Step("picture", {"colours": "grey"}),
    Step("resize", {"height": 28, "width": 28}),
    Step("scale"),
    Step("layout"),
)


def session(path: Path) -> Session:
    """Open an ONNX file."""
    return RUNTIMES["onnxruntime"].open(path, "onnx")


def png(pixels: np.ndarray) -> bytes:
    """Write a picture file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def clothes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real test pictures with their labels, in folders of classes."""
    samples, path = np.load(FASHION / "test.npz"), tmp_path_factory.mktemp("clothes") / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for row in range(ROWS):
            pixels = np.rint(samples["x"][row, 0] * 255).astype(np.uint8)
            archive.writestr(f"{samples['y'][row]}/{row}.png", png(pixels))
    return path


def read(path: Path, model: Session, *steps: Step) -> Pictures:
    """Read pictures with these steps."""
    found = read_dataset(path, Asked(task=Task(steps)), model.signature)
    assert isinstance(found, Pictures)
    return found


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ((READ, SIZE, Step("scale", {"divide": -255.0, "add": 1.0}), LAYOUT), "black and white exchanged"),
        ((READ, SIZE, Step("scale", {"divide": 1.0}), LAYOUT), "brightness scaled to 0 to 1"),
        (
            (READ, SIZE, SCALE, Step("normalise", {"mean": "3", "std": "0.2"}), LAYOUT),
            "brightness scaled to 0 to 1",
        ),
    ],
)
def test_a_mistake_on_a_trained_network_is_named(clothes: Path, mistake: tuple[Step, ...], words: str) -> None:
    model = session(FASHION / "model.onnx")
    found = likely.better(model, read(clothes, model, *mistake))
    assert found is not None
    assert found.change == words
    assert found.after.k > 115 > 70 > found.before.k
    assert f"rises from {found.before.k / ROWS:.0%} to {found.after.k / ROWS:.0%}" in found.sentence


def test_right_steps_are_left_alone(clothes: Path) -> None:
    model = session(FASHION / "model.onnx")
    assert likely.better(model, read(clothes, model, READ, SIZE, SCALE, LAYOUT)) is None


def redness(path: Path, *sides: int | str) -> Path:
    """Write a network that answers 0 where there is more red than blue, and 1 otherwise."""
    weight = np.array([[1, 0, -1], [-1, 0, 1]], np.float32).reshape(2, 3, 1, 1)
    nodes = [oh.make_node("Conv", ["x", "w"], ["c"]), oh.make_node("GlobalAveragePool", ["c"], ["p"])]
    nodes.append(oh.make_node("Flatten", ["p"], ["y"]))
    ends = (
        [oh.make_tensor_value_info("x", 1, ["n", 3, *(sides or (8, 8))])],
        [oh.make_tensor_value_info("y", 1, ["n", 2])],
    )
    graph = oh.make_graph(nodes, "redness", *ends, [onnx.numpy_helper.from_array(weight, "w")])
    onnx.save(oh.make_model(graph, opset_imports=[oh.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_colours_in_the_other_order_are_named_in_both_directions(tmp_path: Path) -> None:
    rng, model = np.random.default_rng(0), session(redness(tmp_path / "m.onnx"))
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        for row in range(60):
            pixels = rng.integers(0, 100, (8, 8, 3), np.uint8)
            pixels[:, :, 2 * (row % 2)] += 100
            archive.writestr(f"{row % 2}/{row}.png", png(pixels))
    colour = (Step("picture"), SCALE, LAYOUT)
    right, wrong = colour, (colour[0], Step("swap_colours"), *colour[1:])
    assert likely.better(model, read(tmp_path / "d.zip", model, *right)) is None
    found = likely.better(model, read(tmp_path / "d.zip", model, *wrong))
    assert found is not None
    assert (found.change, found.task.prepare) == ("the colours in the other order", right)
    assert (found.before.k, found.after.k) == (0, 60)


def test_the_preview_shows_each_step_and_the_answer_beside_the_label(clothes: Path) -> None:
    model = session(FASHION / "model.onnx")
    shown = preview.shown(model, read(clothes, model, READ, SIZE, SCALE, LAYOUT))
    assert len(shown) == preview.SAMPLES
    assert [stage.result for stage in shown[0].stages][-1].startswith("1 x 28 x 28, 0 to ")
    assert sum(one.answer == one.label for one in shown) >= 3
