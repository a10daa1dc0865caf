"""The examples of scikit-learn's user guide, "Neural network models (supervised)", with the import changed."""

import warnings

import numpy as np
import pytest
from sklearn import neural_network as theirs
from sklearn.datasets import load_digits, load_iris, make_circles, make_classification, make_moons
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from thalweg import sklearn as ours
from thalweg.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
BOTH = (theirs, ours)


def test_two_points():
    X, y = [[0.0, 0.0], [1.0, 1.0]], [0, 1]
    clf = MLPClassifier(solver="lbfgs", alpha=1e-5, hidden_layer_sizes=(5, 2), random_state=1).fit(X, y)
    assert clf.predict([[2.0, 2.0], [-1.0, -2.0]]).tolist() == [1, 0]
    assert [coef.shape for coef in clf.coefs_] == [(2, 5), (5, 2), (2, 1)]
    his = theirs.MLPClassifier(solver="lbfgs", alpha=1e-5, hidden_layer_sizes=(5, 2), random_state=1).fit(X, y)
    given = [[2.0, 2.0], [1.0, 2.0]]
    np.testing.assert_allclose(clf.predict_proba(given), his.predict_proba(given), atol=1e-4)


def test_two_labels():
    X, y = [[0.0, 0.0], [1.0, 1.0]], [[0, 1], [1, 1]]
    clf = MLPClassifier(solver="lbfgs", alpha=1e-5, hidden_layer_sizes=(15,), random_state=1).fit(X, y)
    assert clf.predict([[1.0, 2.0]]).tolist() == [[1, 1]]
    assert clf.predict([[0.0, 0.0]]).tolist() == [[0, 1]]


def test_exclusive_or():
    X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    clf = MLPClassifier((4,), "tanh", solver="lbfgs", random_state=3).fit(X, y)
    assert clf.predict(X).tolist() == y


def test_a_loop_of_warm_starts():
    X, y = load_iris(return_X_y=True)
    scores = []
    for module in BOTH:
        clf = module.MLPClassifier(hidden_layer_sizes=(15,), random_state=1, max_iter=1, warm_start=True)
        for _ in range(30):
            clf.fit(X, y)
        scores.append(clf.score(X, y))
    assert scores[1] >= scores[0]


def moons_and_others():
    X, y = make_classification(n_features=2, n_redundant=0, n_informative=2, random_state=0, n_clusters_per_class=1)
    X += 2 * np.random.RandomState(2).uniform(size=X.shape)
    yield make_moons(noise=0.3, random_state=0)
    yield make_circles(noise=0.2, factor=0.5, random_state=1)
    yield X, y


@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_varying_regularization(alpha):
    for X, y in moons_and_others():
        train, test, y_train, y_test = train_test_split(X, y, test_size=0.4, random_state=42)
        his, our = (
            make_pipeline(
                StandardScaler(),
                module.MLPClassifier(
                    solver="lbfgs", alpha=alpha, random_state=1, max_iter=2000, early_stopping=True,
                    hidden_layer_sizes=[10, 10],
                ),
            ).fit(train, y_train)
            for module in BOTH
        )  # fmt: skip
        # After a hundred iterations rounding decides which of several minima is found.
        assert our[-1].loss_ <= his[-1].loss_ + 1e-3
        assert our.score(test, y_test) >= his.score(test, y_test) - 1 / len(test)


CURVES = [
    {"solver": "sgd", "learning_rate": "constant", "momentum": 0, "learning_rate_init": 0.2},
    {"solver": "sgd", "learning_rate": "constant", "momentum": 0.9, "nesterovs_momentum": False,
     "learning_rate_init": 0.2},
    {"solver": "sgd", "learning_rate": "constant", "momentum": 0.9, "nesterovs_momentum": True,
     "learning_rate_init": 0.2},
    {"solver": "sgd", "learning_rate": "invscaling", "momentum": 0, "learning_rate_init": 0.2},
    {"solver": "sgd", "learning_rate": "invscaling", "momentum": 0.9, "nesterovs_momentum": False,
     "learning_rate_init": 0.2},
    {"solver": "sgd", "learning_rate": "invscaling", "momentum": 0.9, "nesterovs_momentum": True,
     "learning_rate_init": 0.2},
    {"solver": "adam", "learning_rate_init": 0.01},
]  # fmt: skip


@pytest.mark.parametrize("parameters", CURVES, ids=lambda p: "-".join(map(str, p.values())))
def test_learning_strategies(parameters):
    for (X, y), epochs in ((load_digits(return_X_y=True), 15), (load_iris(return_X_y=True), 40)):
        X = MinMaxScaler().fit_transform(X)
        curves, scores = [], []
        for module in BOTH:
            mlp = module.MLPClassifier(random_state=0, max_iter=epochs, **parameters).fit(X, y)
            curves.append(mlp.loss_curve_[:10])
            scores.append(mlp.score(X, y))
        np.testing.assert_allclose(curves[1], curves[0], atol=1e-4)
        assert scores[1] >= scores[0] - 1 / len(X)  # a row may change sides by rounding


def test_weights_of_digits():
    X, y = load_digits(return_X_y=True)
    train, test, y_train, y_test = train_test_split(X / 16, y, random_state=0, test_size=0.7)
    scores = []
    for module in BOTH:
        mlp = module.MLPClassifier(
            hidden_layer_sizes=(40,), max_iter=8, alpha=1e-4, solver="sgd", random_state=1, learning_rate_init=0.2
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mlp.fit(train, y_train)
        scores.append(mlp.score(test, y_test))
        assert mlp.coefs_[0].shape == (64, 40)
    assert scores[1] >= scores[0] - 1 / len(test)
    assert scores[1] > 0.8


def test_a_regression():
    from sklearn.datasets import make_regression

    X, y = make_regression(n_samples=200, n_features=20, random_state=1)
    train, test, y_train, y_test = train_test_split(X, y, random_state=1)
    regr = MLPRegressor(random_state=1, max_iter=2000, tol=0.1).fit(train, y_train)
    his = theirs.MLPRegressor(random_state=1, max_iter=2000, tol=0.1).fit(train, y_train)
    assert regr.score(test, y_test) == pytest.approx(his.score(test, y_test), abs=1e-3)  # after hundreds of epochs
    assert regr.score(test, y_test) > 0.9
