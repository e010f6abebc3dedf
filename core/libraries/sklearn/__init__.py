"""Fitted scikit-learn estimators and the files that hold them."""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.base import BaseEstimator

Estimator: TypeAlias = "BaseEstimator"
Table: TypeAlias = "np.ndarray | pd.DataFrame"
