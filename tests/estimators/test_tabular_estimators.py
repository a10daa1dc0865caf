"""TabularClassifier and TabularRegressor: what they learn, keep, refuse and promise."""

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from thalweg.data.tables import Table
from thalweg.data.target import Target
from thalweg.errors import ArgumentError, DataError, ThalwegWarning
from thalweg.sklearn import TabularClassifier, TabularRegressor
from thalweg.tabular.clock import Clock
from thalweg.tabular.ensemble import Rows
from thalweg.tabular.pace import planned
from thalweg.tabular.preparation import prepare
from thalweg.tabular.qualities import settings_of

SMALL = {"layers": (16,), "epochs": 6, "random_state": 0, "n_jobs": 1}


def classifier(**more):
    return TabularClassifier("fast", **{"members": "networks", **SMALL, **more})


def regressor(**more):
    return TabularRegressor("fast", **{"members": "networks", **SMALL, **more})


def frame(rows=400, seed=0):
    """Two numbers, one with missing cells, a category, a date and a constant; the class follows from all but the
    constant."""
    rng = np.random.default_rng(seed)
    a, b, town = rng.normal(size=rows), rng.exponential(size=rows), rng.choice(["Ulm", "Bonn", "Kiel"], rows)
    day = np.datetime64("2024-01-01") + rng.integers(0, 300, rows).astype("timedelta64[D]")
    score = a - b + (town == "Ulm") + (day > np.datetime64("2024-06-01"))
    table = pd.DataFrame({"a": a, "b": b, "town": town, "day": day, "same": 1.0})
    table.loc[::17, "b"] = np.nan
    return table, pd.Series(np.where(score > 0.4, "yes", "no"), name="bought")


X, Y = frame()
NUMBERS = X["a"].to_numpy() ** 2 + X["b"].fillna(0).to_numpy() * 100


@pytest.fixture(scope="module")
def fitted():
    return classifier().fit(X, Y)


# --- what is fitted --------------------------------------------------------------------------------------------------


def test_a_classifier_learns_and_says_how(fitted):
    new, labels = frame(seed=1)
    assert fitted.score(new, labels) > 0.85
    shares = fitted.predict_proba(new)
    assert shares.shape == (400, 2)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert fitted.classes_.tolist() == ["no", "yes"]
    assert fitted.n_features_in_ == 5
    assert fitted.feature_names_in_.tolist() == list(X)
    assert len(fitted.members_) == 2
    assert 0.7 <= fitted.temperature_ <= 8
    assert {"member", "epoch", "loss", "held_out"} <= fitted.history_[0].keys()
    best = [min(r["held_out"] for r in m.records) for m in fitted.members_]
    assert best == [m.score for m in fitted.members_]
    assert [m.records[m.best_epoch - 1]["held_out"] for m in fitted.members_] == best


def test_the_graph_is_the_mean_of_the_members(fitted):
    x = fitted.features_.matrix(X)
    parts = [member.network.predict(x, verbose=0) for member in fitted.members_]
    np.testing.assert_allclose(fitted.model_.predict(x, verbose=0), np.mean(parts, axis=0), atol=1e-6)
    np.testing.assert_allclose(fitted.predict_proba(X)[:, 1], np.mean(parts, axis=0)[:, 0], atol=1e-6)


def test_out_of_fold_predictions_are_of_members_that_did_not_see_the_row(fitted):
    held = [member.held_out for member in fitted.members_]
    assert not set(held[0]) & set(held[1])
    seen = ~np.isnan(fitted.out_of_fold_[:, 0])
    assert set(np.flatnonzero(seen)) == set(held[0]) | set(held[1])
    x = fitted.features_.matrix(X.iloc[held[0]])
    of_one = fitted.members_[0].network.predict(x, verbose=0)[:, 0]
    np.testing.assert_allclose(fitted.out_of_fold_[held[0], 1], of_one, atol=1e-5)
    y = Y.to_numpy()[seen]
    assert fitted.validation_score_ == pytest.approx(log_loss(y, fitted.out_of_fold_[seen]), rel=1e-6)


def test_a_regressor_stays_within_the_range_learned_from():
    model = regressor(epochs=16).fit(X, NUMBERS)
    assert model.score(X, NUMBERS) > 0.8
    wild = X.assign(b=1e6)
    assert model.predict(wild).max() <= NUMBERS.max() * (1 + 1e-6)
    assert model.validation_score_ == pytest.approx(model.networks_score_)
    assert model.metric_ == "rmse"


def test_several_classes_of_numbers_keep_their_type():
    y = np.array([3, 7, 20])[np.digitize(X["a"], [-0.5, 0.5])]
    model = classifier(epochs=12).fit(X, y)
    assert model.predict(X).dtype == y.dtype
    assert model.score(X, y) > 0.85
    assert model.predict_proba(X).shape == (400, 3)


@pytest.mark.parametrize("make", [pl.from_pandas, lambda f: pa.Table.from_pandas(f), lambda f: Table.of(dict(f)), dict])
def test_every_kind_of_frame_gives_the_same(make, fitted):
    model = classifier().fit(make(X), Y)
    np.testing.assert_array_equal(model.predict_proba(make(X)), fitted.predict_proba(X))


def test_a_row_by_itself_needs_no_table(fitted, monkeypatch):
    """But names and cells that aren't as in the fit are told of, as ever."""
    row = X.iloc[5].to_dict() | {"day": X["day"][5].to_pydatetime()}
    wanted, turned = fitted.predict_proba(X[5:6]), dict(reversed(row.items()))
    with monkeypatch.context() as patch:
        patch.setattr("thalweg.sklearn.table_estimator.table_of", lambda *_, **__: pytest.fail("a table was read"))
        for source in (
            row,
            [row],
            turned,
            pd.DataFrame({name: pd.Series([cell], dtype=object) for name, cell in row.items()}),
        ):
            assert np.array_equal(fitted.predict_proba(source), wanted)
        for other in (row | {"town": "Köln"}, row | {"a": None}, row | {"more": 1}, pd.DataFrame([turned])):
            with pytest.raises(pytest.fail.Exception):
                fitted.predict(other)
    with pytest.warns(ThalwegWarning, match=r"unknown categories \(Köln\)"):
        fitted.predict(row | {"town": "Köln"})
    with pytest.warns(ThalwegWarning, match="'a' lacks 1 values"):
        fitted.predict(row | {"a": None})
    with pytest.raises(DataError, match=r"unseen at fit time:\n- more"):
        fitted.predict(row | {"more": 1})
    with pytest.raises(DataError, match="must be in the same order"):
        fitted.predict(pd.DataFrame([turned]))


def test_the_same_seed_gives_the_same_bits_whatever_the_lanes(fitted):
    again = classifier(n_jobs=2).fit(X, Y)
    np.testing.assert_array_equal(again.model_.vector, fitted.model_.vector)
    np.testing.assert_allclose(again.predict_proba(X), fitted.predict_proba(X), atol=1e-6)
    assert (classifier(random_state=1).fit(X, Y).predict_proba(X) != fitted.predict_proba(X)).any()


def test_few_rows_may_come_in_any_order(fitted):
    order = np.random.default_rng(0).permutation(400)
    shuffled = classifier().fit(X.iloc[order], Y.iloc[order])
    np.testing.assert_array_equal(shuffled.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(shuffled.out_of_fold_, fitted.out_of_fold_[order])


def test_it_can_be_pickled_and_cloned(fitted):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert not hasattr(clone(fitted), "model_")
    assert clone(fitted).get_params() == fitted.get_params()


def test_pipelines_searches_and_joblib_take_it():
    pipe = make_pipeline(FunctionTransformer(lambda f: f.drop(columns="same")), classifier())
    search = GridSearchCV(pipe, {"tabularclassifier__learning_rate": [1e-6, 0.04]}, cv=2, n_jobs=1).fit(X, Y)
    assert search.best_params_ == {"tabularclassifier__learning_rate": 0.04}
    assert cross_val_score(classifier(), X, Y, cv=2, scoring="roc_auc").min() > 0.8


# --- trees -----------------------------------------------------------------------------------------------------------


def test_trees_join_by_what_they_predict_out_of_fold():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (600, 12)).astype(float)
    y = (x[:, 0] * 4 + x[:, 1] * 2 + x[:, 2] > 3) ^ (x[:, 3] > x[:, 4])
    weak = TabularClassifier("fast", **{**SMALL, "epochs": 1, "learning_rate": 1e-5}).fit(x, y)
    assert weak.shares_["HistGradientBoosting"] > 0.8
    assert sum(weak.shares_.values()) == pytest.approx(1)
    assert weak.validation_score_ < weak.networks_score_
    assert weak.score(x, y) > 0.9
    alone = TabularClassifier("fast", **{**SMALL, "epochs": 1, "learning_rate": 1e-5, "members": "networks"}).fit(x, y)
    assert alone.trees_ == []
    assert alone.validation_score_ == pytest.approx(alone.networks_score_)


# --- weights, groups, time -------------------------------------------------------------------------------------------


def test_class_weights_move_the_border():
    rare = Y.where((Y == "no") | (np.arange(400) % 4 == 0), "no")
    plain, balanced = classifier().fit(X, rare), classifier(class_weight="balanced").fit(X, rare)
    given = classifier(class_weight={"yes": 400 / 2 / (rare == "yes").sum(), "no": 400 / 2 / (rare == "no").sum()})
    assert (balanced.predict(X) == "yes").sum() > 1.5 * (plain.predict(X) == "yes").sum()
    np.testing.assert_allclose(given.fit(X, rare).predict_proba(X), balanced.predict_proba(X), atol=1e-4)


def test_balanced_weights_of_classes_count_what_the_rows_count():
    """The classes weigh the same together with the weights of their rows, and without them don't."""
    few = slice(80)
    table, labels = X[few], Y[few]
    weights = np.where(labels == "yes", 5.0, 1.0) * np.linspace(0.5, 1.5, 80)
    totals = {label: weights[labels == label].sum() for label in ("no", "yes")}
    factors = {label: weights.sum() / (2 * total) for label, total in totals.items()}
    assert totals["yes"] > 1.5 * totals["no"]
    quick = {"epochs": 2, "layers": (4,), "members": 1}
    balanced, given, counted = (
        classifier(class_weight=each, **quick).fit(table, labels, sample_weight=weights).predict_proba(table)
        for each in ("balanced", factors, {label: 80 / (2 * (labels == label).sum()) for label in factors})
    )
    np.testing.assert_allclose(balanced, given, atol=1e-6)
    assert np.abs(balanced - counted).max() > 1e-3


def test_rows_of_weight_0_are_not_learned_from():
    weights = np.where(np.arange(400) < 300, 1.5, 0.0)
    model = classifier().fit(X, Y, weights)
    first = classifier().fit(X.iloc[:300], Y.iloc[:300])
    np.testing.assert_array_equal(model.predict_proba(X), first.predict_proba(X))
    assert np.isnan(model.out_of_fold_[300:]).all()
    with pytest.raises(ValueError, match=r"non-zero|0 for every row"):
        classifier().fit(X, Y, np.zeros(400))


def test_groups_are_held_out_whole():
    groups = np.arange(400) // 10
    model = classifier(members=3).fit(X, Y, groups=groups)
    for member in model.members_:
        assert not set(groups[member.held_out]) & set(np.delete(groups, member.held_out))
        assert 40 <= len(member.held_out) <= 60
    with pytest.raises(DataError, match="one group only"):
        classifier().fit(X, Y, groups=np.zeros(400))


def test_with_time_the_latest_rows_are_held_out():
    model = classifier().fit(X, Y, time=X["day"])
    for member in model.members_:
        assert 40 <= len(member.held_out) <= 60
        assert X["day"].iloc[member.held_out].min() > X["day"].drop(index=member.held_out).max()
    with pytest.raises(ArgumentError, match="give one of them"):
        classifier().fit(X, Y, groups=np.arange(400), time=X["day"])


def test_cross_validation_scores_rows_that_were_not_learned_from():
    found = classifier(metric="auc").cross_validate(X, Y, folds=3)
    assert found.metric == "auc"
    assert len(found.scores) == 3
    assert found.mean == pytest.approx(np.mean(found.scores))
    assert found.spread == pytest.approx(np.std(found.scores, ddof=1))
    assert 0.8 < found.mean < 1
    noise = np.random.default_rng(0).permutation(Y)
    assert classifier(metric="auc").cross_validate(X, noise, folds=3).mean < 0.62
    by_time = regressor().cross_validate(X, NUMBERS, folds=2, time=X["day"])
    assert by_time.metric == "rmse"


# --- arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "auc", "f1", "brier"])
def test_the_epoch_is_chosen_by_the_metric(metric):
    model = classifier(metric=metric).fit(X, Y)
    first = model.members_[0]
    assert first.score == (min if metric == "brier" else max)(r["held_out"] for r in first.records)
    if metric == "auc":
        rows = first.held_out
        assert first.score == pytest.approx(roc_auc_score(Y[rows] == "yes", model.out_of_fold_[rows, 1]))


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (classifier(metric="rmse"), "doesn't fit a binary target"),
        (classifier(metric="acuracy"), "did you mean 'accuracy'"),
        (TabularClassifier("quick"), "unknown quality 'quick'"),
        (classifier(members=0), "members"),
        (classifier(members="trees"), "members"),
        (classifier(layers=(16, 0)), "units of a hidden layer"),
        (classifier(activation=["relu", "tanh"]), "2 entries for 1 hidden layers"),
        (classifier(dropout=1.0), "dropout"),
        (classifier(loss="poisson_nll"), "unknown loss"),
        (classifier(loss="quantile"), "doesn't fit a binary target"),
        (classifier(class_weight={"maybe": 1}), "names 'maybe', which is no class"),
        (classifier(ignore="town"), "is a list of columns"),
        (classifier(ignore=["twon"]), "did you mean town"),
        (classifier(time_limit=-1), "time_limit"),
        (classifier(n_jobs=0), "n_jobs"),
    ],
)
def test_an_argument_that_cannot_be_honoured_raises(estimator, message):
    with pytest.raises((ArgumentError, DataError), match=message):
        estimator.fit(X, Y)


def test_class_weight_is_for_classes():
    with pytest.raises(ArgumentError, match="a regression has none"):
        regressor(class_weight="balanced").fit(X, NUMBERS)


@pytest.mark.parametrize(
    "knobs",
    [
        {"activation": "relu", "initial_weights": "he_normal"},
        {"loss": "hinge"},
        {"optimizer": "rmsprop", "learning_rate": 0.01},
        {"layers": 8, "activation": ["tanh"], "dropout": 0.5, "batch_size": 32},
    ],
)
def test_knobs_can_be_turned(knobs):
    assert classifier(epochs=12).set_params(**knobs).fit(X, Y).score(X, Y) > 0.8


def test_columns_can_be_named():
    model = classifier(ignore=["day", 4], categories=["a"]).fit(X.assign(a=X["a"].round()), Y)
    kinds = {summary.name: summary.kind for summary in model.features_.describe()}
    assert kinds == {"a": "category", "b": "number", "town": "category"}


# --- bad input -------------------------------------------------------------------------------------------------------


def test_what_is_new_at_predict_is_counted_and_taken(fitted):
    new = X.head(20).copy()
    new.loc[0, "town"], new.loc[1, "town"] = "Rom", "Rom"
    new.loc[[2, 3, 4], "a"] = [np.inf, -np.inf, np.nan]
    with pytest.warns(ThalwegWarning) as seen:
        shares = fitted.predict_proba(new)
    said = str(seen[0].message)
    assert "'town' has 2 cells of unknown categories (Rom)" in said
    assert "'a' has 2 infinite numbers" in said
    assert "'a' lacks 1 values, and no training row did" in said
    assert np.isfinite(shares).all()
    huge = fitted.predict_proba(X.head(1).assign(a=1e30))
    np.testing.assert_allclose(fitted.predict_proba(X.head(1).assign(a=1e300)), huge, atol=1e-3)


def test_columns_that_are_missing_or_new_are_named(fitted):
    with pytest.raises(DataError, match=r"(?s)unseen at fit time:\n- more\n.*now missing:\n- a\n"):
        fitted.predict(X.rename(columns={"a": "more"}))
    with pytest.raises(DataError, match="same order"):
        fitted.predict(X[list(X)[::-1]])
    with pytest.raises(DataError, match="has 4 features, but TabularClassifier is expecting 5"):
        fitted.predict(X.to_numpy()[:, :4])


def test_numbers_and_targets_written_by_hand():
    size = [f"{n}.5坪" if n % 3 else f"約{n}" for n in range(10, 110)]
    floor = [f"{n % 9}樓" if n % 2 else f"{n % 9}/9" for n in range(100)]
    rent = [f"{n}.5萬" if n % 3 else f"NT${n * 10_000:,}" for n in range(10, 110)]
    frame = pd.DataFrame({"size": size, "floor": floor})
    with pytest.warns(ThalwegWarning, match="50 cells of the column 'floor' aren't numbers"):
        model = TabularRegressor("fast", members=1, epochs=2, random_state=0, numbers=["floor"]).fit(frame, rent)
    assert [column.kind for column in model.features_.describe()] == ["number", "number"]
    assert model.features_.columns[1].odd == 50
    assert model.features_.target.mean > 100_000
    with pytest.warns(ThalwegWarning, match="'floor' has 50 cells that are no numbers, taken as missing"):
        together = model.predict(frame)
    with pytest.warns(ThalwegWarning, match="'floor' has 1 cells"):
        alone = model.predict(frame.iloc[[0]])
    assert alone == pytest.approx(together[:1], rel=1e-6)
    with pytest.raises(DataError, match="row 1 of the column 'size' holds the text '25 kg'"):
        model.predict(frame.assign(size="25 kg"))
    with pytest.raises(DataError, match="y holds no number in row 101: '面議'"):
        TabularRegressor("fast").fit(pd.concat([frame, frame.head(1)]), [*rent, "面議"])
    assert clone(model).numbers == ["floor"]


def test_classes_beyond_2_to_53_are_given_back():
    labels = np.array([2**53, 2**53 + 1] * 20)
    model = TabularClassifier("fast", members=1, epochs=2, random_state=0).fit(np.arange(40.0)[:, None], labels)
    assert model.classes_.tolist() == [2**53, 2**53 + 1]
    assert set(model.predict(np.arange(40.0)[:, None]).tolist()) <= {2**53, 2**53 + 1}


def test_infinite_numbers_in_training_are_named():
    with pytest.raises(DataError, match="row 6 of the column 'a' holds inf"):
        classifier().fit(X.assign(a=X["a"].where(X.index != 5, np.inf)), Y)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X, np.zeros(400), "one class only"),
        (X, np.array([1, "a"] * 200, dtype=object), "mixes labels of the types int and str"),
        (X, Y.where(Y.index != 3), "NaN"),
        (X.set_axis(["a", "a", "b", "c", "d"], axis=1), Y, "several columns of one name: a"),
        (X[["same"]], Y, "no column to learn from"),
        (X.head(399), Y, "inconsistent numbers of samples"),
        (X["a"], Y, "frame of columns|2D"),
    ],
)
def test_data_that_cannot_be_learned_from_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        classifier().fit(x, y)


def test_a_constant_number_is_predicted_as_it_is():
    assert (regressor(epochs=2).fit(X, np.full(400, 7.5)).predict(X) == 7.5).all()


def test_a_class_with_one_row_is_learned_from():
    y = Y.copy()
    y[7] = "perhaps"
    model = classifier().fit(X, y)
    assert model.classes_.tolist() == ["no", "perhaps", "yes"]
    assert all(7 not in member.held_out for member in model.members_)


def test_free_text_is_left_out_with_a_warning():
    noted = X.assign(note=[f"row {k} of the table" for k in range(400)])
    with pytest.warns(ThalwegWarning, match="'note': text that differs in nearly every row is left out"):
        model = classifier().fit(noted, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(noted)


# --- time ------------------------------------------------------------------------------------------------------------


def test_a_time_limit_is_kept():
    endless = {"epochs": 10**7, "learning_rate": 1e-9}  # each epoch is the best so far
    model = classifier(time_limit=4, **endless).fit(X, Y)
    assert 0 < len(model.history_) < 10**6
    assert len(model.members_) >= 1
    assert np.isfinite(model.predict_proba(X)).all()


def test_fewer_members_and_epochs_are_planned_for_less_time():
    asked = settings_of("balanced", epochs=32)
    full, less = (planned(asked, rows=25_600, step=0.01, seconds=s, at_once=2) for s in (200, 20))
    assert (full.members, full.epochs) == (4, 32)
    assert (less.members, less.epochs) == (2, 13)  # for a machine a quarter faster; the last ones may be left out
    few = {"rows": 25_600, "step": 0.01, "seconds": 12, "at_once": 2}
    assert planned(replace(settings_of("balanced"), epochs=4), **few).epochs == 8
    assert planned(settings_of("balanced", epochs=4), **few).epochs == 4  # as asked for


def test_few_held_out_rows_get_a_weight_of_0_instead_of_a_copy_of_the_others():
    rows = Rows(np.ones((100, 2), np.float32), np.ones((100, 1), np.float32), np.full(100, 2, np.float32))
    few, many = rows.without(np.arange(5)), rows.without(np.arange(50))
    assert few.x is rows.x
    assert few.weights.tolist() == [0] * 5 + [2] * 95
    assert len(many.x) == len(many.y) == len(many.weights) == 50
    assert rows.weights.min() == 2


def test_what_was_learned_when_time_is_over_is_kept():
    table = Table.of({"a": X["a"].to_numpy()})
    target = Target("bought", "binary", ("no", "yes"))
    prepared = prepare(table, target, settings_of("fast", members=3, epochs=9), numbers=(Y == "yes").to_numpy() * 1)
    watch = Clock(None)
    found = prepared.train(watch, 1, lambda member, epoch, epochs, logs: watch.stop() if epoch == 2 else None)
    assert [len(member.records) for member in found.members] == [2]
    assert found.out_of_fold.shape == (400, 2)


def test_a_time_limit_that_is_too_short_says_so():
    with pytest.raises(
        ArgumentError, match=r"time_limit=1e-06 s was over before training began: .*allow \d+ s or more"
    ):
        classifier(time_limit=1e-6).fit(X, Y)
