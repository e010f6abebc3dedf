"""Residual blocks: which are found, which goes first, and what a student without them learns back."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from sklearn.datasets import load_digits
from torch import Tensor, nn

from core.domain.errors import Refused
from core.formats.onnx import FORMAT
from core.onnx import files
from core.proof.dataset import Dataset
from core.shrink import residuals
from core.techniques import TECHNIQUES
from tests.techniques.samples import Sample, apply, arrays, sample
from tests.techniques.strangers import filled, rows

WIDTH, DEPTH, LEARNED, TOLD = 24, 4, 700, 500
"""Of the digits: how wide and deep the network is, how many rows it is trained on, and how many the techniques see."""
BLOCK = "a{0} = Gemm (h{0}, u{0}, b{0})  r{0} = Relu (a{0})  c{0} = MatMul (r{0}, v{0})  h{1} = Add (h{0}, c{0})"

pytestmark = pytest.mark.usefixtures("one_thread")


class Digits(nn.Module):
    """Residual blocks of two layers between a first and a last one."""

    def __init__(self) -> None:
        super().__init__()
        shapes = {"w": (64, WIDTH), "o": (WIDTH, 10)}
        for place in range(DEPTH):
            shapes |= {f"u{place}": (WIDTH, 2 * WIDTH), f"b{place}": (2 * WIDTH,), f"v{place}": (2 * WIDTH, WIDTH)}
        self.all = nn.ParameterDict({n: nn.Parameter(torch.randn(s) * s[0] ** -0.5) for n, s in shapes.items()})

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures [n, 64] to scores [n, 10]."""
        h = x @ self.all["w"]
        for place in range(DEPTH):
            h = h + torch.relu(h @ self.all[f"u{place}"] + self.all[f"b{place}"]) @ self.all[f"v{place}"]
        return h @ self.all["o"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Return a network trained on handwritten digits; the counted rows are none that it or a technique has seen."""
    torch.manual_seed(3)
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    net, rng = Digits(), np.random.default_rng(3)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.003)
    for _ in range(250):
        some = rng.integers(0, LEARNED, 64)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(torch.from_numpy(x[some])), torch.from_numpy(y[some])).backward()
        optimizer.step()
    nodes = "  ".join(BLOCK.format(place, place + 1) for place in range(DEPTH))
    text = f"""<ir_version: 8, opset_import: ["" : 17]>
    m (float[N, 64] x) => (float[N, 10] y) {{ h0 = MatMul (x, w)  {nodes}  y = MatMul (h{DEPTH}, o) }}"""
    model = onnx.parser.parse_model(text)
    tensors = {name: value.detach().numpy() for name, value in net.all.items()}
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in tensors.items())
    path = tmp_path_factory.mktemp("digits") / "model.onnx"
    onnx.save(model, path)
    seen = LEARNED + TOLD
    return Sample(path, {"x": x[LEARNED:seen]}, Dataset({"x": x[seen:]}, y[seen:], len(x) - seen))


def silent(digits: Sample, places: set[int], out: Path) -> Path:
    """Write the model with branches that add nothing: what leaving them out must answer."""
    model = onnx.load(digits.source)
    for tensor in model.graph.initializer:
        if tensor.name in {f"v{place}" for place in places}:
            tensor.CopyFrom(numpy_helper.from_array(np.zeros((2 * WIDTH, WIDTH), np.float32), tensor.name))
    onnx.save(model, out)
    return out


def least_missed(digits: Sample, gone: set[int], folder: Path) -> int:
    """Return the block whose branch is missed least by the first samples, by another way than the technique's."""
    few = Sample(digits.source, {}, Dataset({"x": digits.calibration["x"][:128]}, None, 128))
    tries = {place: silent(digits, gone | {place}, folder / f"{place}.onnx") for place in {*range(DEPTH)} - gone}
    whole = few.scores(digits.source)
    return min(tries, key=lambda place: float(np.mean((few.scores(tries[place]) - whole) ** 2)))


@pytest.mark.parametrize("count", [1, 2])
def test_the_blocks_that_are_missed_least_go_one_after_the_other(count: int, digits: Sample, tmp_path: Path) -> None:
    out = apply("drop_blocks", digits.source, tmp_path / "out.onnx", digits.calibration, blocks=count)
    gone: set[int] = set()
    while len(gone) < count:
        gone.add(least_missed(digits, gone, tmp_path))
    left = {f"{letter}{place}" for letter in "ubv" for place in {*range(DEPTH)} - gone}
    assert arrays(out).keys() == left | {"w", "o"}
    assert len(onnx.load(out).graph.node) == len(onnx.load(digits.source).graph.node) - 4 * count
    assert out.stat().st_size < (1 - 0.18 * count) * digits.source.stat().st_size
    same = silent(digits, gone, tmp_path / "silent.onnx")
    assert np.allclose(digits.scores(out), digits.scores(same), atol=1e-5)
    assert not [risk for risk in FORMAT.audit(out) if risk.level == "refuse"]


def test_other_blocks_are_missed_more(digits: Sample, tmp_path: Path) -> None:
    out = apply("drop_blocks", digits.source, tmp_path / "out.onnx", digits.calibration)
    others = [digits.right(silent(digits, {place}, tmp_path / f"{place}.onnx")) for place in range(DEPTH)]
    assert digits.right(out) >= max(others) - 3
    assert digits.right(out) > min(others)


def test_a_student_learns_back_what_a_block_knew(digits: Sample, tmp_path: Path) -> None:
    shallow = apply("drop_blocks", digits.source, tmp_path / "shallow.onnx", digits.calibration, blocks=3)
    out = apply("distill", digits.source, tmp_path / "out.onnx", digits.calibration, share=0, blocks=3, epochs=20)
    assert {n: a.shape for n, a in arrays(out).items()} == {n: a.shape for n, a in arrays(shallow).items()}
    assert digits.right(out) > digits.right(shallow) + 20
    assert digits.right(out) >= digits.right(digits.source) - 20


def test_a_student_may_be_narrower_and_shallower(digits: Sample, tmp_path: Path) -> None:
    out = apply("distill", digits.source, tmp_path / "out.onnx", digits.calibration, share=0.4, blocks=1, epochs=1)
    assert sum(name.startswith("u") for name in arrays(out)) == DEPTH - 1
    assert sum(array.size for array in arrays(out).values()) < 0.6 * sum(a.size for a in arrays(digits.source).values())
    with pytest.raises(Refused, match="would be its teacher"):
        apply("distill", digits.source, tmp_path / "same.onnx", digits.calibration, share=0, blocks=0)


def test_attentions_and_feed_forward_parts_are_blocks(tmp_path: Path) -> None:
    model = sample("spam_transformer")
    found = residuals.blocks(files.load(model.source), model.calibration)
    assert [any("attn" in name for name in block.constants) for block in found] == [True, False, True, False]
    few, some = {"x": model.calibration["x"][:16]}, 100
    counted = Sample(model.source, few, Dataset(model.test.rows(0, some), model.test.labels[:some], some))
    out = apply("drop_blocks", model.source, tmp_path / "out.onnx", few)
    assert counted.right(out) >= counted.right(model.source) - 4


def test_weights_stay_compact(digits: Sample, tmp_path: Path) -> None:
    small = apply("codebooks", digits.source, tmp_path / "small.onnx", bits=4)
    out = apply("drop_blocks", small, tmp_path / "out.onnx", digits.calibration)
    assert out.stat().st_size < 0.85 * small.stat().st_size


def test_named_weights_keep_their_block(digits: Sample, tmp_path: Path) -> None:
    first = least_missed(digits, set(), tmp_path)
    out = apply("drop_blocks", digits.source, tmp_path / "out.onnx", digits.calibration, keep=f"b{first}")
    assert {f"u{first}", f"b{first}", f"v{first}"} < arrays(out).keys()
    kept = ",".join(f"b{place}" for place in range(DEPTH))
    with pytest.raises(Refused, match="Only 0 residual blocks can be removed"):
        apply("drop_blocks", digits.source, tmp_path / "kept.onnx", digits.calibration, keep=kept)


def test_what_no_block_can_be_is_refused_in_words(digits: Sample, tmp_path: Path) -> None:
    cnn, entry, out = sample("fashion_cnn"), TECHNIQUES["drop_blocks"], tmp_path / "out.onnx"
    trouble = entry.applies(FORMAT.inspect(cnn.source))
    assert trouble
    assert "never adds two values" in trouble.message
    for samples, options, words in (
        ({}, {}, "there are none"),
        (digits.calibration, {"blocks": DEPTH}, "4 residual blocks and 4 are to be removed"),
        (digits.calibration, {"keep": "nothing"}, "called nothing"),
    ):
        with pytest.raises(Refused, match=words):
            apply("drop_blocks", digits.source, out, samples, **options)
    with pytest.raises(Refused, match="no residual block"):
        apply("drop_blocks", cnn.source, out, cnn.calibration)
    integers = apply("static_int8", digits.source, tmp_path / "int8.onnx", digits.calibration)
    with pytest.raises(Refused, match="already quantized"):
        apply("drop_blocks", integers, out, digits.calibration)
    assert not out.exists()


GRAPHS = {
    "answered by the sum": ("d = MatMul (x, a)  y = Add (x, d)", 1),
    "of three values, or of itself": ("d = MatMul (x, a)  s = Sum (x, d, d)  y = Add (s, s)", 0),
    "beside a view": ("d = MatMul (x, a)  i = Identity (x)  t = Cast <to=1> (i)  s = Add (d, t)  y = Relu (s)", 1),
    "of two branches": ("d = MatMul (x, a)  e = MatMul (x, b)  s = Add (d, e)  y = Relu (s)", 0),
    "spread over rows": ("m = ReduceMean <axes=[0]> (x)  d = MatMul (m, a)  s = Add (x, d)  y = Relu (s)", 0),
    "one in another": (
        "d = MatMul (x, a)  s = Add (x, d)  r = Relu (s)  e = MatMul (r, b)  t = Add (x, e)  y = Relu (t)",
        2,
    ),
    "an activation written out": (
        "d = MatMul (x, a)  p = Mul (d, d)  q = Mul (p, d)  k = Mul (q, c)  s = Add (d, k)  t = Tanh (s)  y = Mul (t, d)",
        0,
    ),
    "read in a branch": (
        """d = MatMul (x, a)  s = Add (x, d)  z = ReduceSum <keepdims=0> (x)  g = Greater (z, c)
        y = If (g) <then_branch = p () => (float[N, 40] o) { o = Relu (s) },
                    else_branch = q () => (float[N, 40] o) { o = Neg (s) }>""",
        1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_sums_of_many_kinds(name: str, tmp_path: Path) -> None:
    nodes, count = GRAPHS[name]
    text = f"""<ir_version: 8, opset_import: ["" : 17]>
    m (float[N, 40] x) => (float[N, 40] y) <float c = {{0.04}}> {{ {nodes} }}"""
    model, path = filled(text, {"a": (40, 40), "b": (40, 40)}), tmp_path / "left.onnx"
    found = residuals.blocks(model, {"x": rows(40)})
    assert len(found) == count
    for block in found:
        files.write(residuals.without(model, [block]), path)
        left = Sample(path, {}, Dataset({"x": rows(40)}, None, 48)).scores(path)
        assert left.shape == (48, 40)
        assert block.constants & {"a", "b"}
        assert not block.constants & arrays(path).keys()
