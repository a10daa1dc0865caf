"""scikit-learn's own checks of estimators."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from thalweg.sklearn import TabularClassifier, TabularRegressor

QUICK = {"members": 1, "layers": (8,), "epochs": 8, "n_jobs": 1}


@parametrize_with_checks([TabularClassifier("fast", **QUICK), TabularRegressor("fast", **QUICK)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)
