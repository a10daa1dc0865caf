"""scikit-learn's own checks of estimators."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from thalweg.sklearn import TabularClassifier, TabularRegressor
from thalweg.tabular import trees

QUICK = {"members": 1, "layers": (8,), "epochs": 8, "n_jobs": 1}


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    """How well they predict is no matter here."""
    monkeypatch.setattr(trees, "ITERATIONS", 20)


@parametrize_with_checks([TabularClassifier("fast", **QUICK), TabularRegressor("fast", **QUICK)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)
