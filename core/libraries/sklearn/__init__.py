"""Fitted scikit-learn estimators and the files that hold them."""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator

Estimator: TypeAlias = "BaseEstimator"
DataFrame: TypeAlias = "pd.DataFrame"
