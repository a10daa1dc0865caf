"""scikit-learn's own checks of an estimator, all of them, in float64 and in the engine's float32."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from thalweg.sklearn import MLPClassifier, MLPRegressor

SMALL = [MLPClassifier(max_iter=100), MLPRegressor(max_iter=100)]  # float64, as the checks' data are small
FAST = [MLPClassifier(max_iter=30, dtype="float32"), MLPRegressor(max_iter=30, dtype="float32")]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([*SMALL, *FAST])
def test_the_contract(estimator, check):
    if estimator.dtype == "float32" and "weight_equivalence_on_dense" in str(check):
        with pytest.raises(AssertionError, match="not equivalent"):  # equal to 6 digits, and 7 are asked for
            check(estimator)
    else:
        check(estimator)
