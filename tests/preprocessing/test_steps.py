"""Each step of preprocessing does what the library that people train with does, and refuses in words what it cannot do."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from core.domain.errors import Refused
from core.domain.preprocessing import Kind
from core.domain.recipe import Step
from core.preprocessing import STEPS, described, normal, prepared, stages
from core.preprocessing.resize import FILTERS

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (37, 53, 3), np.uint8)


def file(pixels: np.ndarray, kind: str = "PNG", **more: object) -> bytes:
    """Write a picture file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **more)
    return out.getvalue()


def apply(id: str, sample: object, **options: str | float) -> np.ndarray:
    """Apply one step alone."""
    return np.asarray(prepared(sample, [Step(id, options)]))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "TIFF"])
def test_files_decode_to_their_pixels(kind: str) -> None:
    np.testing.assert_array_equal(apply("picture", file(PHOTO, kind)), PHOTO)
    assert apply("picture", file(PHOTO[:, :, 0], kind), colours="grey").shape == (37, 53, 1)


def test_a_photograph_is_turned_as_its_camera_says_unless_told_otherwise() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = file(PHOTO, "PNG", exif=exif)
    np.testing.assert_array_equal(apply("picture", turned), np.rot90(PHOTO, -1))
    np.testing.assert_array_equal(apply("picture", turned, turn=False), PHOTO)


@pytest.mark.parametrize("filter", FILTERS)
def test_filters_are_those_of_pillow(filter: str) -> None:
    expected = Image.fromarray(PHOTO).resize((20, 12), Image.Resampling[filter.upper()])
    np.testing.assert_array_equal(apply("resize", PHOTO, height=12, width=20, filter=filter), np.asarray(expected))


@pytest.mark.parametrize("filter", ["nearest", "bilinear"])
@pytest.mark.parametrize("size", [(12, 20), (80, 90), (37, 10)])
def test_without_antialiasing_it_is_what_torch_interpolates(filter: str, size: tuple[int, int]) -> None:
    batch = torch.from_numpy(PHOTO.transpose(2, 0, 1)[None]).double()
    mode = {"align_corners": False} if filter == "bilinear" else {}
    expected = torch.nn.functional.interpolate(batch, size, mode=filter, **mode)[0].permute(1, 2, 0).numpy()
    found = apply("resize", PHOTO, height=size[0], width=size[1], filter=filter, antialias=False)
    assert np.abs(found - expected).max() <= 0.501  # rounded to whole numbers


@pytest.mark.parametrize(("fit", "size"), [("stretch", (30, 30)), ("shorter side", (30, 42)), ("inside", (21, 30))])
def test_a_picture_is_stretched_or_keeps_its_sides_in_proportion(fit: str, size: tuple[int, int]) -> None:
    assert apply("resize", PHOTO, height=30, width=30, fit=fit).shape == (*size, 3)


def test_crop_and_pad_keep_the_middle() -> None:
    np.testing.assert_array_equal(apply("crop", PHOTO, height=21, width=31), PHOTO[8:29, 11:42])
    padded = apply("pad", PHOTO, height=40, width=60, value=114)
    np.testing.assert_array_equal(padded[1:38, 3:56], PHOTO)
    assert (padded[0] == 114).all()
    np.testing.assert_array_equal(apply("pad", PHOTO, height=40, width=60, place="top left")[:37, :53], PHOTO)
    for id, limits in (("crop", {"height": 38, "width": 10}), ("pad", {"height": 36, "width": 60})):
        with pytest.raises(Refused, match="37 by 53"):
            apply(id, PHOTO, **limits)


def test_colours_are_swapped_scaled_and_normalised() -> None:
    np.testing.assert_array_equal(apply("swap_colours", PHOTO), PHOTO[:, :, ::-1])
    np.testing.assert_allclose(apply("scale", PHOTO, divide=127.5, add=-1), PHOTO / 127.5 - 1, atol=1e-6)
    np.testing.assert_allclose(apply("scale", PHOTO, divide=-255, add=1), 1 - PHOTO / 255, atol=1e-6)
    expected = (PHOTO / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(prepared(PHOTO, [Step("scale"), Step("normalise")]), expected, atol=1e-5)
    np.testing.assert_allclose(apply("normalise", PHOTO, mean="0.5", std="2"), (PHOTO - 0.5) / 2)


@pytest.mark.parametrize(
    ("mean", "std", "words"), [("1, 2", "1", "2 numbers for 3"), ("a", "1", "no numbers"), ("0", "0", "divides by")]
)
def test_what_cannot_normalise_is_refused(mean: str, std: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        apply("normalise", PHOTO, mean=mean, std=std)


def test_dimensions_are_put_in_order() -> None:
    np.testing.assert_array_equal(apply("layout", PHOTO), PHOTO.transpose(2, 0, 1))
    np.testing.assert_array_equal(apply("layout", PHOTO, order="channels last"), PHOTO)
    np.testing.assert_array_equal(apply("layout", PHOTO[:, :, :1], order="no channels"), PHOTO[:, :, 0])
    np.testing.assert_array_equal(apply("layout", PHOTO, order="flat"), PHOTO.reshape(-1))


def bomb(width: int, height: int) -> bytes:
    """Write a PNG of a few bytes that states many pixels."""
    parts = [(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(1000)))]
    chunks = (
        struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in [*parts, (b"IEND", b"")]
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no picture"),
        (b"%PDF-1.4", "no picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture"),
        (file(PHOTO)[:200], "no picture"),
        (bomb(65_000, 65_000), "more than 100,000,000 pixels"),
        (bomb(9_000, 9_000), "no picture"),
    ],
    ids=["empty", "pdf", "postscript", "cut off", "bomb", "lie"],
)
def test_what_is_no_picture_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(Refused, match=words):
        apply("picture", content)


def test_steps_take_what_the_one_before_gives() -> None:
    steps = [Step("picture"), Step("resize", {"height": "28", "width": 224}), Step("layout")]
    assert normal(steps, Kind.FILE)[1].options == {"height": 28}
    assert [stage.shape for stage in stages(file(PHOTO), steps)] == [(37, 53, 3), (28, 224, 3), (3, 28, 224)]
    assert described(normal(steps, Kind.FILE)) == "Read the picture, resize (height 28), order of the dimensions"
    for wrong, words in (
        ([Step("resize")], "takes a picture, but after the picture file"),
        ([Step("picture"), Step("layout"), Step("crop")], "after 'Order of the dimensions' there is a numbers"),
        ([Step("picture")], "end with a picture"),
        ([Step("blur")], "no step of preprocessing called"),
        ([Step("picture", {"size": 3})], "no option called"),
    ):
        with pytest.raises(Refused, match=words):
            normal(wrong, Kind.FILE)


def test_every_step_is_on_the_shelf_with_words() -> None:
    for entry in STEPS:
        row = entry.to_json()
        assert row["takes"]
        assert row["sentence"].endswith(".")
        assert all(option["help"] for option in row["options"].values())
