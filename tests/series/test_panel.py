"""Steps, gaps and seasons of series, and the sentences on rows that don't fit."""

import numpy as np
import pytest

from thalweg.errors import DataError
from thalweg.series.cadence import Cadence, cadence_of
from thalweg.series.panel import Rows, panel_of, without_gaps
from thalweg.series.season import season_of


def moments(first, count, step):
    return (np.datetime64(first) + np.arange(count) * np.timedelta64(*step)).astype("datetime64[us]")


def rows(stamps, values=None, codes=None, keys=(None,)):
    stamps = np.asarray(stamps)
    values = np.arange(len(stamps), dtype=float) if values is None else np.asarray(values, float)
    codes = np.zeros(len(stamps), int) if codes is None else np.asarray(codes)
    return Rows(list(keys), codes, stamps, values, source="sales.csv", target="sold")


DAYS = moments("2020-01-01", 30, (1, "D"))


def test_rows_in_any_order_make_the_same_series():
    order = np.random.default_rng(0).permutation(30)
    first, second = panel_of(rows(DAYS)), panel_of(rows(DAYS[order], np.arange(30.0)[order]))
    np.testing.assert_array_equal(first.lines[0].values, second.lines[0].values)
    assert first.cadence == second.cadence == Cadence("time", 86_400_000_000)
    assert first.cadence.name == "1 day"


def test_gaps_and_missing_values_are_alike_and_filled_on_a_line():
    keep = np.setdiff1d(np.arange(30), [10, 11, 12])
    gap = panel_of(rows(DAYS[keep], np.arange(30.0)[keep]))
    lost = panel_of(rows(DAYS, np.where(np.isin(np.arange(30), [10, 11, 12]), np.nan, np.arange(30.0))))
    for panel in (gap, lost):
        assert panel.gaps == 3
        np.testing.assert_array_equal(panel.lines[0].filled, np.arange(30.0))


def test_a_series_ends_with_its_last_known_value():
    values = np.r_[np.nan, np.arange(27.0), np.nan, np.nan]
    panel = panel_of(rows(DAYS, values))
    assert len(panel.lines[0]) == 27
    assert panel.future(panel.lines[0], 2).tolist() == DAYS[28:].tolist()


def test_no_value_after_a_cut_fills_a_gap_before_it():
    line = panel_of(rows(DAYS[:5], [1.0, 2.0, np.nan, np.nan, 50.0])).lines[0]
    assert line.until(4).values.tolist() == line.until(4).filled.tolist() == [1.0, 2.0]


def test_business_days_have_no_gaps_at_weekends():
    days = DAYS[np.is_busday(DAYS.astype("datetime64[D]"))]
    panel = panel_of(rows(np.delete(days, 7)))
    assert (panel.cadence, panel.gaps) == (Cadence("weekday", 1), 1)
    assert cadence_of([DAYS]).unit == "time"


def test_a_number_of_years_with_months_as_fractions():
    stamps = np.array([round(1958 + k / 12, 3) for k in range(40)])
    assert panel_of(rows(stamps)).gaps == 0


def test_the_season_is_that_of_the_calendar_or_the_autocorrelation():
    rng, t = np.random.default_rng(0), np.arange(400)
    wave = np.sin(t * 2 * np.pi / 11) + rng.normal(0, 0.3, 400)
    assert season_of(panel_of(rows(t.astype(float), wave))).short == 11
    weekly = (t % 7 == 2) + rng.normal(0, 0.3, 400)
    assert season_of(panel_of(rows(moments("2020-01-01", 400, (1, "D")), weekly))).short == 7
    for nothing in (rng.normal(size=400), np.cumsum(rng.normal(size=400)), np.ones(400), t.astype(float)):
        assert season_of(panel_of(rows(t.astype(float), nothing))).short == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (rows(DAYS[:0]), "sales.csv has no rows"),
        (rows(DAYS[:1]), "every series has a single value"),
        (rows(np.r_[DAYS, DAYS[3]]), "row 31 of sales.csv has the time stamp of row 4, 2020-01-04: give one value"),
        (
            rows(np.r_[DAYS, DAYS[3]], codes=[0] * 15 + [1] * 14 + [0, 0], keys=("A", "B")),
            "row 31 of sales.csv has the time stamp of row 4, 2020-01-04 of 'A'",
        ),
        (rows(np.r_[DAYS, [np.datetime64("NaT")]]), "row 31 of sales.csv has no time stamp"),
        (rows(np.r_[np.arange(9.0), np.nan]), "row 10 of sales.csv has no time stamp"),
        (rows(DAYS, np.r_[[np.inf], np.zeros(29)]), "row 1 of sales.csv has an infinite value in 'sold'"),
        (rows(DAYS, np.full(30, np.nan)), "no row of sales.csv has a value in 'sold'"),
        (
            rows(np.r_[DAYS, moments("2020-02-01T05:00", 1, (1, "D"))]),
            "row 31 of sales.csv, 2020-02-01 05:00:00, doesn't lie on steps of 1 day from 2020-01-01",
        ),
        (
            rows(np.r_[moments("2020-01-01", 90, (1, "h")), DAYS], codes=[0] * 90 + [1] * 30, keys=("A", "B")),
            "the series of 'B' mostly has 24 steps of 1 hour .* as from row 91 of sales.csv",
        ),
    ],
)
def test_rows_that_make_no_series(given, message):
    with pytest.raises(DataError, match=message):
        panel_of(given)


def test_a_gap_is_filled_between_its_neighbours():
    assert without_gaps(np.array([1.0, np.nan, np.nan, 4.0])).tolist() == [1.0, 2.0, 3.0, 4.0]
