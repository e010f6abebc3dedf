"""What travels with a model does what is done here: the code of every step and decoding, on every choice, to the last bit."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image, ImageOps

from core.answers.package import tasks
from core.decoding import DECODINGS
from core.domain.errors import Refused
from core.domain.preprocessing import Kind, Preprocessing
from core.domain.recipe import Step
from core.domain.task import Task
from core.domain.transform import option_fields, parse_options
from core.preprocessing import STEPS
from tests.preprocessing.test_steps import PHOTO, bomb, file


class BadInput(ValueError):
    """As in predict.py."""


def function(body: str, *arguments: str):  # type: ignore[no-untyped-def]
    """Return a body as a function, with the names that the package has."""
    names = {"np": np, "io": io, "Image": Image, "ImageOps": ImageOps, "BadInput": BadInput}
    exec(f"def made({', '.join(arguments)}):\n{tasks.indented(body)}\n", names)
    return names["made"]


def choices(entry: Preprocessing) -> list[dict[str, object]]:
    """Return every combination of what is chosen from a list, with small sizes."""
    fields = option_fields(entry.Options)
    several = {one.name: (True, False) if one.type is bool else one.choices for one in fields}
    named = {name: values for name, values in several.items() if values}
    fixed = {"height": 20, "width": 31} if "height" in {one.name for one in fields} and entry.id != "pad" else {}
    ways = itertools.product(*named.values())
    return [{**fixed, **dict(zip(named, way, strict=True))} for way in ways]


WRITTEN = [entry for entry in STEPS if entry.code(entry.Options()) is not None]
EXIF = Image.Exif()
EXIF[0x0112] = 6
SAMPLES = {
    Kind.FILE: [file(PHOTO), file(PHOTO, "JPEG", exif=EXIF), file(PHOTO[:, :, 0])],
    Kind.PICTURE: [PHOTO, PHOTO[:20, :31], np.ascontiguousarray(PHOTO[:, :, :1])],
    Kind.NUMBERS: [PHOTO.astype(np.float32)],
}


@pytest.mark.parametrize("entry", WRITTEN, ids=lambda entry: entry.id)
def test_the_code_of_a_step_does_what_the_step_does(entry: Preprocessing) -> None:
    compared = 0
    for given in choices(entry):
        options = parse_options(entry.Options, given)
        made = function(entry.code(options) or "", "value")
        for kind in entry.takes:
            for sample in SAMPLES[kind]:
                try:
                    expected = entry.apply(sample, options)
                except Refused:
                    with pytest.raises(BadInput):
                        made(sample)
                    continue
                found = made(sample)
                assert (found.dtype, found.shape) == (expected.dtype, expected.shape), given
                np.testing.assert_array_equal(found, expected)
                compared += 1
    assert compared


def test_all_steps_for_pictures_travel() -> None:
    assert {entry.id for entry in WRITTEN} >= {"picture", "resize", "crop", "pad", "swap_colours", "scale", "normalise", "layout"}  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"%PDF-1.4", file(PHOTO)[:200], bomb(65_000, 65_000)])
def test_what_is_no_picture_is_refused_by_the_code_too(content: bytes) -> None:
    entry = STEPS["picture"]
    with pytest.raises(BadInput, match="no picture"):
        function(entry.code(entry.Options()) or "", "value")(content)


@pytest.mark.parametrize(("blank", "strip"), list(itertools.product(("first", "last"), (True, False))))
def test_the_code_of_the_decoding_reads_what_is_read_here(blank: str, strip: bool) -> None:
    entry = DECODINGS["ctc"]
    given = {"alphabet": "a\nb\n \nß", "blank": blank, "strip": strip}
    scores = np.random.default_rng(3).random((20, 12, 5)).astype(np.float32)
    options = parse_options(entry.Options, given)
    found = function(entry.code() or "", "outputs", "options")([scores], vars(options))
    assert found == entry.apply([scores], options).tolist()
    assert len(set(found)) > 10


def test_steps_with_numbers_that_are_none_do_not_travel() -> None:
    def tried(*steps: Step) -> object:
        return tasks.functions(Task((Step("picture"), *steps, Step("layout"))))

    assert "no form that can travel" in str(tried(Step("normalise", {"mean": "nan"})))
    assert "no form that can travel" in str(tried(Step("scale", {"divide": "nan"})))
    assert len(tried(Step("scale", {"divide": "127.5"}))) == 3  # type: ignore[arg-type]
