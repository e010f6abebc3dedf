"""The inputs of a model as a few numbers a sample, the same for test data and for requests."""

from collections.abc import Mapping

import numpy as np

from core.domain.drift import MOST_FEATURES

WIDE = 32
"""An input with more values a sample is told by their mean and their spread."""


def features(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return numbers by the name of the feature, each [rows]; texts have none."""
    found: dict[str, np.ndarray] = {}
    for name in sorted(inputs):
        array = inputs[name]
        if array.dtype.kind not in "biuf" or array.ndim == 0:
            continue
        flat = array.reshape(len(array), -1).astype(np.float64)
        if flat.shape[1] > WIDE:
            found |= {f"mean of {name}": flat.mean(axis=1), f"spread of {name}": flat.std(axis=1)}
        elif flat.shape[1] == 1:
            found[name] = flat[:, 0]
        else:
            found |= {f"{name}[{place}]": flat[:, place] for place in range(flat.shape[1])}
    return dict(list(found.items())[:MOST_FEATURES])
