"""Estimators by scikit-learn's contract."""

from thalweg.sklearn.mlp_classifier import MLPClassifier
from thalweg.sklearn.mlp_regressor import MLPRegressor
from thalweg.sklearn.table_classifier import TabularClassifier
from thalweg.sklearn.table_regressor import TabularRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "TabularClassifier", "TabularRegressor"]
