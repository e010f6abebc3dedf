"""A child that reads scikit-learn files starts without the libraries that it does not need, and can still import them."""

import subprocess
import sys

HELD = """
import sys
import core.libraries.sklearn.skops_alone
assert not {"torch", "dask", "pytest"} & set(sys.modules), sorted(sys.modules)
from skops.io._trusted_types import SKLEARN_ESTIMATOR_TYPE_NAMES as names
from sklearn.utils import all_estimators
found = {f"{kind.__module__}.{kind.__name__}" for _, kind in all_estimators()}
assert found and found <= set(names), sorted(found - set(names))
import torch
assert torch.ones(2).sum() == 2
"""


def test_skops_comes_alone_and_knows_every_estimator() -> None:
    done = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
