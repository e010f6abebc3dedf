"""A verdict on the page: the answer in its box, and below it all that was asked."""

import pytest
from streamlit.testing.v1 import AppTest

from pages.widgets.text import answer_and_rest

PASSED = "All answers on 102 samples are within the tolerance; with 95 % confidence, fewer than 2.9 % of such inputs would not be."
ASKED = "Also asked: 119 numbers at and beside the constants of the graph."


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (f"{PASSED} {ASKED}", (PASSED, ASKED)),
        (PASSED, (PASSED, "")),
        ("", ("", "")),
        ("Step 1.5 of 3 is 0.25 off. e.g. here. Then more.", ("Step 1.5 of 3 is 0.25 off. e.g. here.", "Then more.")),
    ],
)
def test_the_answer_is_the_first_sentence(words: str, parts: tuple[str, str]) -> None:
    assert answer_and_rest(words) == parts


def test_nothing_of_a_long_reason_is_left_out() -> None:
    def page() -> None:
        from core.domain.report import Check, Parity, Verdict
        from core.domain.transform import Tolerance
        from pages.widgets import evidence

        asked = " ".join(f"Asked number {n} of the constants." for n in range(90))
        check = Check("random", 32, 0.0, 0.0, None, None, Verdict.PASS)
        parity = Parity(Verdict.PASS, (check,), Tolerance(1e-4, 1e-4), 0, reason=f"All is well. {asked}")
        evidence.verdict(parity)
        evidence.asked(parity)

    app = AppTest.from_function(page, default_timeout=60).run()
    assert not app.exception
    (box,), (caption,) = app.success, app.caption
    assert "All is well" in box.value
    assert "Asked" not in box.value
    assert all(f"Asked number {n} of" in caption.value for n in range(90))


def test_a_metric_keeps_its_capitals_in_a_heading() -> None:
    def page() -> None:
        from core.domain.report import Quality
        from pages.widgets import evidence

        evidence.quality(None, Quality("area under the ROC curve", 0.9, 100))

    (figure,) = AppTest.from_function(page, default_timeout=60).run().metric
    assert figure.label == "Area under the ROC curve"
