"""Estimators by scikit-learn's contract."""

from typing import TYPE_CHECKING

from thalweg.support.extras import need
from thalweg.support.lazily import lazily

if TYPE_CHECKING:
    from thalweg.series.forecaster import Forecaster
    from thalweg.sklearn.mlp_classifier import MLPClassifier
    from thalweg.sklearn.mlp_regressor import MLPRegressor
    from thalweg.sklearn.table_classifier import TabularClassifier
    from thalweg.sklearn.table_regressor import TabularRegressor

__all__ = ["Forecaster", "MLPClassifier", "MLPRegressor", "TabularClassifier", "TabularRegressor"]

need("sklearn", "", "thalweg.sklearn")
HOMES = {
    "Forecaster": "thalweg.series.forecaster",
    "MLPClassifier": "thalweg.sklearn.mlp_classifier",
    "MLPRegressor": "thalweg.sklearn.mlp_regressor",
    "TabularClassifier": "thalweg.sklearn.table_classifier",
    "TabularRegressor": "thalweg.sklearn.table_regressor",
}
lazily(__name__, HOMES)
