"""MLPClassifier and MLPRegressor beside scikit-learn's, and what they can do more."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn import neural_network as theirs
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris, make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import thalweg
from thalweg import sklearn as ours
from thalweg.errors import ArgumentError, DataError
from thalweg.sklearn import MLPClassifier, MLPRegressor, sparse_rows

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, THREE = make_classification(437, 20, n_classes=3, n_informative=8, random_state=0)
TWO = THREE % 2
LABELS = np.c_[THREE == 0, X[:, 0] > 0, X[:, 1] > 0.5].astype(int)
XR, NUMBERS = make_regression(437, 10, random_state=0)
NUMBERS = NUMBERS / 100
COUNTS = np.round(np.exp(NUMBERS.clip(-2, 2)))
WEIGHTS = np.random.default_rng(0).integers(0, 4, 437).astype(float)
SPARSE = sparse.random(437, 60, 0.1, random_state=0, format="csr")
TEN = {"max_iter": 10, "random_state": 1, "hidden_layer_sizes": (16,)}
FORTY = TEN | {"max_iter": 40, "learning_rate_init": 0.02}
SAME = {
    "classes": ("MLPClassifier", X, THREE, TEN, None),
    "a strong penalty": ("MLPClassifier", X, THREE, TEN | {"alpha": 1.0, "activation": "tanh"}, None),
    "weights": ("MLPClassifier", X, THREE, TEN | {"alpha": 1.0}, WEIGHTS),
    "two classes": ("MLPClassifier", X, TWO, TEN | {"hidden_layer_sizes": (9, 5)}, None),
    "labels": ("MLPClassifier", X, LABELS, TEN, WEIGHTS),
    "momentum": ("MLPClassifier", X, TWO, TEN | {"solver": "sgd", "learning_rate_init": 0.1}, None),
    "a falling rate": (
        "MLPClassifier", X, TWO, TEN | {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5,
        "power_t": 0.1, "nesterovs_momentum": False, "activation": "logistic"}, None),
    "an adaptive rate": (
        "MLPClassifier", X, TWO, FORTY | {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.2,
        "n_iter_no_change": 2, "tol": 0.02, "max_iter": 60}, None),
    "early stopping": ("MLPClassifier", X, THREE, FORTY | {"early_stopping": True, "n_iter_no_change": 3}, WEIGHTS),
    "early stopping, two classes": ("MLPClassifier", X, TWO, FORTY | {"early_stopping": True}, None),
    "until it converges": ("MLPClassifier", X[:90], TWO[:90], FORTY | {"max_iter": 300, "tol": 1e-3}, None),
    "in order": ("MLPClassifier", X, THREE, TEN | {"shuffle": False, "batch_size": 50}, None),
    "lbfgs": ("MLPClassifier", X, THREE, TEN | {"solver": "lbfgs"}, WEIGHTS),
    "sparse rows": ("MLPClassifier", SPARSE, THREE, TEN | {"batch_size": 50}, None),
    "numbers": ("MLPRegressor", XR, NUMBERS, TEN | {"alpha": 1.0}, WEIGHTS),
    "several numbers": ("MLPRegressor", XR, np.c_[NUMBERS, -NUMBERS, NUMBERS**2], TEN | {"alpha": 0.01}, None),
    "counts": ("MLPRegressor", XR, COUNTS, TEN | {"loss": "poisson"}, None),
    "numbers by lbfgs": ("MLPRegressor", XR, NUMBERS, TEN | {"solver": "lbfgs"}, None),
}  # fmt: skip


def losses(model):
    return np.array(getattr(model, "loss_curve_", [model.loss_]))


@pytest.mark.parametrize("case", SAME)
def test_the_loss_curve_is_that_of_scikit_learn(case):
    name, x, y, parameters, weights = SAME[case]
    if parameters.get("loss") == "poisson" and not hasattr(theirs.MLPRegressor(), "loss"):
        pytest.skip("scikit-learn 1.7 has it")
    given = {} if weights is None else {"sample_weight": weights}
    try:
        his = getattr(theirs, name)(**parameters).fit(x, y, **given)
    except TypeError:
        pytest.skip("scikit-learn 1.7 has weights")
    our = getattr(ours, name)(**parameters).fit(x, y, **given)
    assert our.n_iter_ == his.n_iter_
    assert our.out_activation_ == his.out_activation_
    assert our.t_ == his.t_
    np.testing.assert_allclose(losses(our), losses(his), rtol=0, atol=1e-4 if case == "several numbers" else 2e-6)
    np.testing.assert_allclose(our.predict(x), his.predict(x), atol=1e-4)
    if parameters.get("early_stopping"):
        np.testing.assert_allclose(our.validation_scores_, his.validation_scores_)
        assert our.best_loss_ is None
        assert our.best_validation_score_ == pytest.approx(his.best_validation_score_)
    elif parameters.get("solver") != "lbfgs":
        assert our.best_loss_ == pytest.approx(his.best_loss_, abs=1e-4)
        assert our.validation_scores_ is None
    for mine, theirs_ in zip(our.coefs_ + our.intercepts_, his.coefs_ + his.intercepts_, strict=True):
        np.testing.assert_allclose(mine, theirs_, atol=2e-4)


def test_another_seed_is_another_curve():  # the control
    first, second = (MLPClassifier(**TEN | {"random_state": s}).fit(X, THREE).loss_curve_ for s in (1, 2))
    assert np.abs(np.subtract(first, second)).max() > 1e-3


def test_sparse_rows_in_parts_are_the_same(monkeypatch):
    whole = MLPClassifier(**TEN, batch_size=30).fit(SPARSE, THREE, WEIGHTS)
    monkeypatch.setattr(sparse_rows, "BYTES", 60 * 4 * 100)  # three batches
    seen = []
    callback = thalweg.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((epoch, logs["loss"])))
    parts = MLPClassifier(**TEN, batch_size=30, callbacks=[callback]).fit(SPARSE, THREE, WEIGHTS)
    np.testing.assert_allclose(parts.loss_curve_, whole.loss_curve_, rtol=1e-5)
    assert [epoch for epoch, _ in seen] == list(range(10))
    np.testing.assert_allclose([loss for _, loss in seen], whole.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(parts.predict_proba(SPARSE), whole.predict_proba(SPARSE.toarray()), atol=1e-5)
    held = MLPClassifier(**TEN, batch_size=30, early_stopping=True).fit(SPARSE, THREE)
    dense = MLPClassifier(**TEN, batch_size=30, early_stopping=True).fit(SPARSE.toarray(), THREE)
    np.testing.assert_allclose(held.validation_loss_curve_, dense.validation_loss_curve_, rtol=1e-5)
    assert held.validation_scores_ == dense.validation_scores_


def test_both_curves_and_a_validation_set_of_ones_own():
    train, held = slice(0, 300), slice(300, None)
    model = MLPClassifier(**TEN, validation_data=(X[held], THREE[held])).fit(X[train], THREE[train])
    assert len(model.validation_loss_curve_) == len(model.loss_curve_) == 10
    p = model.predict_proba(X[held])
    entropy = -np.log(p[np.arange(len(p)), THREE[held]]).mean()
    assert model.validation_loss_curve_[-1] == pytest.approx(entropy, abs=1e-3)
    assert model.validation_scores_[-1] == pytest.approx(model.score(X[held], THREE[held]))
    stops = MLPClassifier(**TEN | {"max_iter": 500}, early_stopping=True)
    stops.fit(X[train], THREE[train], validation_data=(X[held], THREE[held]))
    assert stops.score(X[held], THREE[held]) == pytest.approx(stops.best_validation_score_)
    assert stops.n_iter_ < 500


def test_partial_fit_with_early_stopping():
    model = MLPClassifier((16,), random_state=0, early_stopping=True, n_iter_no_change=3, learning_rate_init=0.02)
    for _ in range(200):
        model.partial_fit(X[:300], THREE[:300], classes=[0, 1, 2], validation_data=(X[300:], THREE[300:]))
        if model.stopped_:
            break
    assert model.stopped_
    assert model.score(X[300:], THREE[300:]) == pytest.approx(max(model.validation_scores_))
    before = len(model.loss_curve_)
    model.partial_fit(X[:300], THREE[:300], validation_data=(X[300:], THREE[300:]))
    assert len(model.loss_curve_) == before


def test_partial_fit_and_warm_starts_keep_the_state_of_the_optimizer():
    his, our = (m(**TEN) for m in (theirs.MLPClassifier, MLPClassifier))
    for _ in range(5):
        his.partial_fit(X, THREE, classes=[0, 1, 2])
        our.partial_fit(X, THREE, classes=[0, 1, 2])
    np.testing.assert_allclose(our.loss_curve_, his.loss_curve_, atol=1e-5)
    warm = MLPClassifier(**TEN | {"max_iter": 3, "shuffle": False}, warm_start=True, batch_size=500)
    once = MLPClassifier(**TEN | {"max_iter": 6, "shuffle": False}, batch_size=500)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warm.fit(X, THREE).fit(X, THREE)
        once.fit(X, THREE)
    np.testing.assert_allclose(warm.loss_curve_, once.loss_curve_, rtol=1e-6)
    with pytest.raises(ArgumentError, match="goes on with a network"):
        warm.set_params(dropout=0.5).fit(X, THREE)


def test_dropout_normalization_and_an_activation_for_each_layer():
    model = MLPClassifier((20, 10), ["silu", "tanh"], dropout=[0.2, 0.0], batch_normalization=True, **TEN_MORE)
    model.fit(X, THREE)
    names = [type(layer).__name__ for layer in model.model_.layers]
    assert names == [*("Dense", "BatchNormalization", "Activation", "Dropout"), *names[4:7], "Dense"]
    assert model.score(X, THREE) > 0.8
    assert [W.shape for W in model.coefs_] == [(20, 20), (20, 10), (10, 3)]
    assert clone(model).fit(X, THREE).loss_ == model.loss_


TEN_MORE = {"max_iter": 40, "random_state": 0, "learning_rate_init": 0.01}


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        ("categorical_focal_crossentropy", THREE),
        ("hinge", TWO),
        (thalweg.losses.BinaryCrossentropy(label_smoothing=0.1), TWO),
        ("-y_true * log(max(y_pred, 1e-7))", THREE),
    ],
    ids=str,
)
def test_any_loss_of_classes(loss, y):
    model = MLPClassifier((16,), loss=loss, **TEN_MORE).fit(X, y)
    assert model.score(X, y) > 0.75
    if "hinge" in str(loss):
        assert not hasattr(model, "predict_proba")
        margins = model.model_.predict(X.astype(np.float32), verbose=0).ravel()
        assert ((margins > 0) & (margins < 0.5)).any()  # where a probability would be below one half
        assert np.array_equal(model.predict(X) == model.classes_[1], margins > 0)
    else:
        np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("loss", ["huber", "abs(y_pred - y_true)**1.5"])
def test_any_loss_of_numbers(loss):
    assert MLPRegressor(loss, (30,), **TEN_MORE).fit(XR, NUMBERS).score(XR, NUMBERS) > 0.8


def test_any_optimizer_and_schedule():
    given = thalweg.optimizers.AdamW(0.01, weight_decay=0.1)
    for solver in (given, "rmsprop"):
        model = MLPClassifier((16,), solver=solver, **TEN_MORE).fit(X, THREE)
        assert model.score(X, THREE) > 0.7
    assert given.iterations == 0  # it is a parameter, and stays as it was given
    schedule = thalweg.schedules.CosineDecay(0.02, 120)
    model = MLPClassifier((16,), learning_rate=schedule, **TEN_MORE).fit(X, THREE)
    assert model.model_.optimizer.learning_rate < 1e-6


def test_class_weights_are_weights_of_rows():
    weighted = MLPClassifier(**TEN, class_weight={0: 1.0, 1: 3.0}).fit(X, TWO)
    rows = MLPClassifier(**TEN).fit(X, TWO, sample_weight=1 + 2.0 * TWO)
    assert weighted.loss_ == pytest.approx(rows.loss_)
    counts = np.bincount(TWO)
    even = dict(enumerate(437 / (2 * counts)))
    plain, balanced, same = (MLPClassifier(**TEN, class_weight=w).fit(X, TWO) for w in (None, "balanced", even))
    assert balanced.loss_ == same.loss_ != plain.loss_


def test_callbacks_stop_and_listen():
    class Third(thalweg.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 2

    assert MLPClassifier(**TEN, callbacks=[Third()]).fit(X, THREE).n_iter_ == 3


def test_weights_can_be_changed():
    model = MLPClassifier(**TEN).fit(X, THREE)
    model.coefs_ = [np.zeros_like(W) for W in model.coefs_]
    model.intercepts_[-1][:] = [0, 9, 0]
    assert (model.predict(X) == 1).all()
    with pytest.raises(DataError, match="coefs_ has the shapes"):
        model.coefs_ = [np.zeros((2, 2))]


def test_the_tools_of_scikit_learn():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X[:, :3], columns=["a", "b", "c"]).assign(kind=np.where(X[:, 3] > 0, "left", "right"))
    columns = ColumnTransformer([("numbers", StandardScaler(), ["a", "b", "c"]), ("kinds", OneHotEncoder(), ["kind"])])
    search = GridSearchCV(make_pipeline(columns, MLPClassifier(**TEN)), {"mlpclassifier__alpha": [1e-4, 1.0]}, cv=2)
    search.fit(frame, THREE)
    assert search.best_score_ > 0.3
    named = MLPClassifier(**TEN).fit(frame[["a", "b", "c"]], THREE)
    assert named.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names"):
        named.predict(frame[["c", "b", "a"]])
    model = search.best_estimator_
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(frame), model.predict_proba(frame))
    scaled = (
        make_pipeline(StandardScaler(), MLPRegressor(**TEN)).set_output(transform="pandas").fit(frame[["a"]], X[:, 0])
    )
    assert scaled.predict(frame[["a"]]).shape == (437,)
    assert len(cross_val_score(MLPRegressor(**TEN), XR, NUMBERS, cv=2, n_jobs=2)) == 2  # joblib sends it to processes


def test_metadata_routing():
    import sklearn

    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier(**TEN).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"alpha": [1e-4]}, cv=2).fit(X, THREE, sample_weight=WEIGHTS)
    plain = MLPClassifier(**TEN).fit(X, THREE, WEIGHTS)
    assert search.best_estimator_.loss_ == pytest.approx(plain.loss_)


def test_bad_input_is_named():
    fit = [
        (MLPClassifier(alpha=-1), "alpha"),
        (MLPClassifier(solver="newton"), "adamw"),
        (MLPClassifier(activation="rleu"), "relu"),
        (MLPClassifier(activation=["relu"] * 2), "2 values for 1 hidden"),
        (MLPClassifier(dropout=1.0), "dropout"),
        (MLPClassifier(loss="huge"), "huber"),
        (MLPClassifier(loss="quantile"), "doesn't fit"),
        (MLPClassifier((0,)), "hidden_layer_sizes must be > 0"),
        (MLPClassifier(solver="lbfgs", dropout=0.1), "lbfgs"),
        (MLPClassifier(solver="lbfgs", dtype="float32"), "float64"),
        (MLPClassifier(validation_data=(X,)), "validation_data"),
        (MLPClassifier(callbacks=["stop"]), "callbacks"),
        (MLPClassifier(max_iter=5, learning_rate_init=1e30, solver="sgd"), "non-finite"),
    ]
    for model, said in fit:
        with pytest.raises(ValueError, match=said):
            model.fit(X, THREE)
    with pytest.raises(ValueError, match="eights"):  # scikit-learn's own message since 1.9
        MLPClassifier().fit(X, THREE, np.zeros(437))
    with pytest.raises(DataError, match="weights of all rows"):
        MLPClassifier(class_weight={0: 0, 1: 0, 2: 0}).fit(X, THREE)
    with pytest.raises(DataError, match="classes not in"):
        MLPClassifier(validation_data=(X, THREE + 1)).fit(X, THREE)
    with pytest.raises(DataError, match="too large for float32 in row 3"):
        MLPClassifier().fit(np.where(np.arange(437)[:, None] == 3, 1e39, X), THREE)
    with pytest.raises(DataError, match="targets of 0 or more"):
        MLPRegressor("poisson").fit(XR, NUMBERS)
    with pytest.raises(ArgumentError, match="balanced"):
        MLPClassifier(class_weight="balanced").partial_fit(X, THREE, classes=[0, 1, 2])
    with pytest.raises(AttributeError, match="partial_fit"):
        MLPClassifier(solver="lbfgs").partial_fit  # noqa: B018
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        MLPClassifier(max_iter=2).fit(*load_iris(return_X_y=True))
    with pytest.warns(UserWarning, match="clipped"):
        MLPClassifier(max_iter=1, batch_size=1000).fit(X, THREE)


def test_verbose_prints_the_lines_of_scikit_learn(capsys):
    for module in (theirs, ours):
        module.MLPClassifier(**TEN | {"max_iter": 40}, verbose=True, early_stopping=True, n_iter_no_change=2).fit(
            X, TWO
        )
    lines = capsys.readouterr().out.splitlines()
    half = len(lines) // 2
    assert [line[:16] for line in lines[:half]] == [line[:16] for line in lines[half:]]
