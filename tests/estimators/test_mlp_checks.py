"""scikit-learn's own checks of an estimator: all of them, and those that train and predict also in float32."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from thalweg.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
CHOSEN = (
    "estimators_dtypes", "fit_score_takes_y", "pickle", "sample_order_invariance", "dict_unchanged", "fit_idempotent",
    "fit2d_1sample", "sparse_array", "classifiers_train", "classifiers_multilabel", "regressors_train", "one_label",
)  # fmt: skip


@parametrize_with_checks([MLPClassifier(max_iter=100), MLPRegressor(max_iter=100)])
def test_the_contract(estimator, check):
    check(estimator)  # in float64, as the data of the checks are small


@parametrize_with_checks([MLPClassifier(max_iter=30, dtype="float32"), MLPRegressor(max_iter=60, dtype="float32")])
def test_the_contract_in_float32(estimator, check):
    if not any(name in str(check) for name in CHOSEN):
        pytest.skip("tested in float64; or it asks for more digits than float32 has")
    check(estimator)
