"""Estimators by scikit-learn's contract."""

from thalweg.sklearn.table_classifier import TabularClassifier
from thalweg.sklearn.table_regressor import TabularRegressor

__all__ = ["TabularClassifier", "TabularRegressor"]
