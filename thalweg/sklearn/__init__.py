"""Estimators by scikit-learn's contract."""

from thalweg.sklearn.mlp_classifier import MLPClassifier
from thalweg.sklearn.mlp_regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
