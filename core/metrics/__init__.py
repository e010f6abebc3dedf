"""How good answers are, by figures that are shown and that a task may name for its verdict: one file each, one row each."""

from core.domain.metric import Metric
from core.domain.shelf import Shelf
from core.metrics import (
    auroc,
    balanced_accuracy,
    calibration_error,
    character_error_rate,
    log_loss,
    macro_f1,
    mean_absolute_error,
    r2,
    top_5,
    word_error_rate,
)

METRICS: Shelf[Metric] = Shelf(
    "metric",
    balanced_accuracy.METRIC,
    macro_f1.METRIC,
    top_5.METRIC,
    auroc.METRIC,
    log_loss.METRIC,
    calibration_error.METRIC,
    mean_absolute_error.METRIC,
    r2.METRIC,
    character_error_rate.METRIC,
    word_error_rate.METRIC,
)
