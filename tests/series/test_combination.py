"""Forecasts that are combined: exponential smoothing by its equations, and what each method counts."""

import numpy as np
import pytest

from thalweg.series.combination import shares_of
from thalweg.series.season import autocorrelation, repeated_peak
from thalweg.series.smoothing import GRID, Smoothing, beginning

RNG = np.random.default_rng(0)


def by_hand(y, m, at, horizon, alpha, beta, phi, gamma):
    """What is said after the first `at` values, one after the other as the equations of a book have it."""
    level, trend, offsets = (
        float(s[0]) if s.ndim == 1 else s[:, 0] for s in beginning(y[:, None], m, np.array([len(y)]))
    )
    level, trend = (level, trend) if phi else (level + trend, 0.0)
    seasonal = dict(enumerate(offsets, -m))
    for t in range(at):
        error = y[t] - (level + phi * trend + seasonal[t - m])
        level, trend = level + phi * trend + alpha * error, phi * trend + alpha * beta * error
        seasonal[t] = seasonal[t - m] + gamma * (1 - alpha) * error * (m > 1)
    return [
        level + sum(phi**k for k in range(1, h + 1)) * trend + seasonal[at - 1 + h - m * -(-h // m)]
        for h in range(1, horizon + 1)
    ]


@pytest.mark.parametrize("m", [1, 4])
def test_smoothing_says_what_its_equations_say(m):
    """Of lines of several lengths at once, after each value."""
    lines = [np.cumsum(RNG.normal(size=size)) + 3 * (np.arange(size) % 4 == 1) for size in (30, 41, 25)]
    made = Smoothing(lines, m)
    for place, line in enumerate(lines):
        for at in (1, 9, len(line)):
            found = made.forecast(np.array([place]), np.array([at]), 6)[0]
            all_of_them = [by_hand(line, m, at, 6, *given) for given in GRID]
            assert np.abs(found - all_of_them).max(axis=1).min() < 1e-9


def test_the_parameters_are_those_with_the_least_error():
    """Found without the values after `until`; the states go on with them."""
    y = np.cumsum(RNG.normal(size=60))
    jumping = np.r_[y[:40], 50 * RNG.normal(size=20)]
    first, second = (Smoothing([line], 1, np.array([40])) for line in (y, jumping))
    one, at = np.array([0]), np.array([40])
    np.testing.assert_array_equal(first.forecast(one, at, 5), second.forecast(one, at, 5))
    assert (first.forecast(one, np.array([60]), 1) != second.forecast(one, np.array([60]), 1)).all()
    walk, noise = np.cumsum(RNG.normal(size=400)), RNG.normal(size=400)
    said = [float(Smoothing([line], 1).forecast(one, np.array([400]), 1)[0, 0]) for line in (walk, noise)]
    assert abs(said[0] - walk[-1]) < 0.5
    assert abs(said[1]) < 0.5


def test_smoothing_is_judged_by_steps_that_it_was_not_fitted_on(quick, wave, monkeypatch):
    fitted, asked = [], []

    class Noted(Smoothing):
        def __init__(self, lines, m, until=None):
            fitted.append(until)
            super().__init__(lines, m, until)

        def forecast(self, lines, origins, horizon):
            asked.append((lines, origins))
            return super().forecast(lines, origins, horizon)

    monkeypatch.setattr("thalweg.series.origins.Smoothing", Noted)
    quick().fit(np.r_[wave, 50 * RNG.normal(size=12)])
    (lines, judging), until = asked[0], fitted[0]
    assert len(judging) > 1
    assert (judging >= until[lines]).all()  # of each window all values were unknown
    assert until[0] >= 60
    assert fitted[-1].tolist() == [92]  # what is continued knows them all


@pytest.mark.parametrize("size", [1, 2, 5, 7])
def test_short_and_constant_lines_are_smoothed(size):
    made = Smoothing([np.full(size, 3.0)], 4)
    np.testing.assert_allclose(made.forecast(np.array([0]), np.array([size]), 3), 3.0)


def test_of_a_long_line_the_latest_values_are_smoothed(monkeypatch):
    monkeypatch.setattr("thalweg.series.smoothing.LATEST", 50)
    line, one = np.cumsum(RNG.normal(size=80)), np.array([0])
    made, short = Smoothing([line], 4), Smoothing([line[-50:]], 4)
    np.testing.assert_array_equal(made.forecast(one, np.array([80]), 5), short.forecast(one, np.array([50]), 5))


def test_shares():
    """Few windows: by the errors; many: the mean that was nearest. What is far off counts nothing."""
    y = RNG.normal(size=(400, 3))
    found = {"high": y + 1, "low": y - 1.5, "off": y + 9}
    few, many = shares_of(y, found, 1.0), shares_of(y, found, 1e6)
    assert few["off"] == many["off"] == 0
    assert sum(few.values()) == pytest.approx(1) == sum(many.values())
    assert (few["high"], many["high"]) == (pytest.approx(0.6, abs=0.01), pytest.approx(0.6, abs=0.03))
    assert shares_of(y, {"right": y, "off": y + 1}, 1.0) == {"right": 1.0, "off": 0.0}
    near = {"a": y + np.where(np.arange(400) % 2, 1, 0.9)[:, None], "b": y + 1.2}
    assert shares_of(y, near, 1e6)["b"] < 0.01 < 0.4 < shares_of(y, near, 1.0)["b"]
    gaps = y.copy()
    gaps[::2] = np.nan
    assert shares_of(gaps, found, 1.0)["off"] == 0


@pytest.mark.parametrize(("size", "season"), [(0, 1), (2, 24)])
def test_a_season_of_a_series_that_wanders_shows_in_its_steps(size, season):
    """Its values are alike from one to the next, whatever the season; only a peak that comes again is one."""
    t = np.arange(3000)
    steps = np.diff(np.cumsum(RNG.normal(size=3000)) + size * np.sin(t * 2 * np.pi / 24))
    assert repeated_peak(autocorrelation(steps, 200), 0.08) == season
    wave = np.sin(t * 2 * np.pi / 24)
    assert repeated_peak(autocorrelation(wave, 60), 0.08) == 1  # three times the lag is beyond
