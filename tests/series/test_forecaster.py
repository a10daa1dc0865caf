"""Forecaster: what it learns, and scikit-learn's contract as far as it applies."""

import csv
import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from thalweg.errors import ArgumentError, DataError
from thalweg.series import global_network
from thalweg.series.global_network import Plan
from thalweg.series.measures import coverage, mase, pinball, smape
from thalweg.sklearn import Forecaster

M4 = Path(__file__).parents[3] / "shared" / "data" / "series"


def noisy(rng, n, season=7, trend=0.0):
    t = np.arange(n)
    return 20 + trend * t + 5 * np.sin(t * 2 * np.pi / season) + rng.normal(0, 0.3, n)


def test_it_learns_more_than_the_last_season():
    """A season whose size swings slowly: the last season is always late."""
    rng, t = np.random.default_rng(0), np.arange(700)
    y = {k: (3 + 2 * np.sin(t / 40 + k)) * np.sin(t * 2 * np.pi / 7) + rng.normal(0, 0.1, 700) for k in range(6)}
    history = {k: v[:-14] for k, v in y.items()}
    found = Forecaster(14, networks=1, epochs=12, random_state=0).fit(history).predict()
    own = np.mean([mase(y[k][-14:], found[k], history[k], 7) for k in y])
    last = np.mean([mase(y[k][-14:], np.tile(v[-7:], 2), v, 7) for k, v in history.items()])
    assert own < 0.6 * last


@pytest.mark.parametrize("horizon", [1, 2, 3])
@pytest.mark.parametrize("values", [np.random.default_rng(0).normal(5, 2, 8), np.full(8, 7.0)], ids=["any", "constant"])
def test_the_shortest_series_are_forecast_or_refused_by_their_length(values, horizon):
    """Of windows of one value, there are no steps from value to value: that was NaN."""
    few = {"horizon": horizon, "networks": 1, "epochs": 1, "random_state": 0}
    for size in range(2, len(values) + 1):
        model, y = Forecaster(**few), values[:size]
        if size < horizon + 2:
            with pytest.raises(DataError, match=f"has {size} values: a horizon of {horizon} needs {horizon + 2} or"):
                model.fit(y)
            continue
        model.fit(y)
        assert np.isfinite(model.predict_quantiles()).all(), size
        assert model.predict().shape == (horizon,)
        if np.ptp(y) == 0:
            np.testing.assert_allclose(model.predict(), 7.0)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_short_series_beside_long_ones_is_forecast(size):
    long = noisy(np.random.default_rng(0), 60)
    model = Forecaster(3, networks=1, epochs=1, random_state=0).fit({"long": long, "short": long[:size]})
    assert all(np.isfinite(found).all() for found in model.predict_quantiles().values())
    assert np.isfinite(model.predict(y={"new": long[:size]})["new"]).all()


def test_columns_known_in_advance_are_used():
    rng = np.random.default_rng(0)
    promo = rng.random(406) < 0.3
    y = 5 + 3.0 * promo + rng.normal(0, 0.1, 406)
    table = {"day": np.datetime64("2020-01-01") + np.arange(406), "y": np.where(np.arange(406) < 400, y, np.nan)}
    beside = {"target": "y", "time": "day", "networks": 1, "epochs": 30, "random_state": 0}
    known = Forecaster(6, known=["promo"], **beside).fit(table | {"promo": promo})
    blind = Forecaster(6, **beside).fit(table)
    error = [np.abs(model.predict()["y"] - y[400:]).mean() for model in (known, blind)]
    assert error[0] < 0.5 * error[1]


def test_a_series_never_negative_is_not_forecast_so():
    rng = np.random.default_rng(1)
    y = np.maximum(0, rng.normal(0, 1, 300) + 2 * np.sin(np.arange(300) * 2 * np.pi / 12))
    model = Forecaster(12, networks=1, epochs=3, random_state=0).fit(y)
    assert model.predict_quantiles().min() >= 0


def test_intervals_hold_about_as_often_as_they_say():
    rng = np.random.default_rng(2)
    y = {k: noisy(rng, 300) for k in range(20)}
    model = Forecaster(7, networks=1, epochs=8, random_state=0).fit({k: v[:-7] for k, v in y.items()})
    found = model.predict_quantiles()
    inside = np.mean([coverage(y[k][-7:], found[k][:, 0], found[k][:, 2]) for k in y])
    assert 0.65 < inside < 0.95
    assert all((np.diff(part, axis=1) >= 0).all() for part in found.values())


@pytest.mark.parametrize("season", [0.0, 1.0])
def test_a_straight_line_goes_on_and_so_does_a_season(quick, season):
    """Nothing else is in these values, so nothing but smoothing counts."""
    y = np.arange(204.0) / 4 + season * np.array([3.0, -1.0, 4.0, -6.0])[np.arange(204) % 4]
    model = quick().fit(y[:200])
    np.testing.assert_allclose(model.predict(), y[200:], rtol=1e-9)
    np.testing.assert_allclose(model.predict_quantiles()[:, 1], y[200:], rtol=1e-9)
    assert model.shares_["last value"] == 0


def test_the_same_seed_gives_the_same_forecasts(quick):
    y = noisy(np.random.default_rng(0), 80)
    first, again = (quick(random_state=3).fit(y).predict() for _ in range(2))
    assert (first == again).all()
    assert (quick(random_state=4).fit(y).predict() != first).any()


def test_one_series_alone_and_among_many_is_continued_alike(quick, wave):
    model = quick().fit({"a": wave, "b": wave[:50] * 2})
    together = model.predict(y={"b": wave[:50] * 2, "new": wave[3:60] + 5})
    np.testing.assert_allclose(model.predict(y={"new": wave[3:60] + 5})["new"], together["new"], rtol=1e-6)
    np.testing.assert_allclose(model.predict()["b"], together["b"], rtol=1e-6)


def test_scikit_learns_contract(quick, wave):
    model = quick(known=(), season=7)
    same = clone(model)
    assert same.get_params() == model.get_params()
    assert same is not model
    assert model.set_params(lags=9).fit(wave) is model
    assert (model.lags_, model.season_, model.horizon_) == (9, 7, 4)
    with pytest.raises(NotFittedError):
        same.predict()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(), model.predict())


def test_rolling_origins(quick, wave):
    scores = quick(7, epochs=10).cross_validate({"a": wave + np.arange(80) / 8, "b": wave}, origins=2)
    assert len(scores.origins) == 2
    assert set(scores.means) == {"MASE", "sMAPE", "pinball", "coverage", "MASE as last season"}
    assert "(2 origins)" in str(scores)


def test_a_later_origin_knows_nothing_of_what_it_is_scored_on(quick):
    """A jump in the last season changes its score, and no earlier forecast."""
    wave = noisy(np.random.default_rng(0), 80)
    jumped = np.r_[wave[:-7], wave[-7:] + 100]
    first, second = (quick(7).cross_validate({"a": y}, origins=2).origins for y in (wave, jumped))
    assert first[0] == pytest.approx(second[0], rel=1e-6)
    assert second[1]["MASE"] > 10 * first[1]["MASE"]


def test_measures():
    assert np.isnan(mase([1.0], [1.0], [2.0], 1))
    assert mase([1.0, np.nan], [3.0, 9.0], [1.0, 2.0, np.nan, 4.0, 5.0], 1) == 2.0
    assert smape([2.0, np.nan], [-2.0, 1.0]) == 200.0
    assert pinball([0.0], [[1.0]], [0.9]) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"horizon": 0}, "horizon has to be a whole number of at least 1, got 0"),
        ({"horizon": 80}, "the longest series has 80 values: a horizon of 80 needs 82 or more; give a shorter horizon"),
        ({"season": 0}, "season has to be a whole number"),
        ({"lags": 78}, "lags=78 and a horizon of 4 need 82 values"),
        ({"quantiles": (0.1, 1.2)}, r"a quantile has to be a number in \[1e-09, 1\), got 1.2"),
        ({"quantiles": (0.1, 0.1)}, "names one twice"),
        ({"networks": 0}, "networks has to be"),
        ({"target": "y"}, "target='y' names columns, and an array has none"),
        ({"known": "y"}, "known is a list of columns"),
        ({"time_limit": 0}, "time_limit has to be"),
    ],
)
def test_arguments_that_can_not_be_honoured(quick, wave, given, message):
    with pytest.raises((ArgumentError, DataError), match=message):
        quick(**given).fit(wave)


def test_what_a_prediction_can_not_be_asked(quick, wave):
    model = quick().fit(wave, fh=[1, 3])
    np.testing.assert_array_equal(model.predict(), model.predict(4)[[0, 2]])
    for given, message in [
        ({"horizon": 5}, r"step 5 is beyond the horizon of the training, 4: train with Forecaster\(horizon=5\)"),
        ({"fh": [2, 1]}, "steps in order"),
        ({"fh": [0]}, "whole numbers of steps from 1"),
        ({"horizon": 2, "fh": [1]}, "give one of them"),
        ({"X": [1]}, "none were there in training"),
    ]:
        with pytest.raises(ArgumentError, match=message):
            model.predict(**given)
    with pytest.raises(ArgumentError, match=r"the quantile 0.2 wasn't trained: .* had 0.1, 0.5, 0.9"):
        model.predict_quantiles(quantiles=[0.2])


def test_a_time_limit_ends_the_training(wave):
    model = Forecaster(4, networks=1, epochs=50, time_limit=1e-3, random_state=0).fit(wave)
    assert len(model.history_) < 10
    assert np.isfinite(model.predict()).all()


@pytest.mark.skipif(not M4.is_dir(), reason="needs the M4 series")
def test_a_part_of_m4_is_better_than_the_last_day():
    def read(name):
        with gzip.open(M4 / f"m4-hourly-{name}.csv.gz", "rt") as file:
            rows = list(csv.reader(file))[1::20]
        return [np.array([float(cell) for cell in row[1:] if cell]) for row in rows]

    history, truth = read("train"), read("test")
    model = Forecaster(48, networks=1, epochs=6, random_state=0).fit(dict(enumerate(history)))
    assert model.season_ == 24
    own = [mase(t, f, h, 24) for t, f, h in zip(truth, model.predict().values(), history, strict=True)]
    last = [mase(t, np.tile(h[-24:], 2), h, 24) for t, h in zip(truth, history, strict=True)]
    assert np.mean(own) < np.mean(last)


# ------------------------------------------------------------------------------------------------------- a time limit


@pytest.mark.parametrize(("limit", "networks"), [(30.0, 3), (5.0, 3), (2.0, 1), (1.0, 0)])
def test_networks_are_trained_within_the_time(counted, monkeypatch, limit, networks):
    """The first network may take a third; those that one core trains one after the other share the rest."""
    clock, trained = counted(limit), []
    kept = global_network.joined
    monkeypatch.setattr(global_network, "joined", lambda view, made: trained.extend(made) or kept(view, made))
    monkeypatch.setattr(Forecaster, "_plan", lambda self: Plan(3, epochs=40, clock=clock, until=clock.limit))
    model = Forecaster(3, random_state=0).fit(noisy(np.random.default_rng(0), 120))
    assert clock.seconds <= limit
    assert np.isfinite(model.predict_quantiles()).all()
    assert len(trained) == len({record["network"] for record in model.history_} - {0}) == networks
    if limit == 30:
        assert [record["network"] for record in model.history_].count(0) == 10
        assert clock.seconds >= 13


def test_networks_that_wait_for_a_core_share_what_is_left(counted):
    clock = counted(30.0)
    clock.seconds = 6
    plan = Plan(3, clock=clock, until=30.0)
    assert plan.deadlines() == [14, 22, 30]
    assert [plan.in_time(seconds, 0).networks for seconds in (0.0, 8.0, 9.0, 24.0, 25.0)] == [3, 3, 2, 1, 0]
    assert plan.in_time(25.0, 1).networks == 1
    assert Plan(3).deadlines() == [np.inf] * 3
    assert Plan(3).in_time(1e9, 0).networks == 3


def test_the_limit_of_a_fit_counts_from_its_beginning(monkeypatch):
    plan = Forecaster(time_limit=7)._plan()
    assert (plan.until, plan.clock.limit) == (7, 7)
    assert Forecaster()._plan().until == np.inf
    with pytest.raises(ArgumentError, match="time_limit has to be a number"):
        Forecaster(time_limit=-1).fit(np.arange(20.0))
