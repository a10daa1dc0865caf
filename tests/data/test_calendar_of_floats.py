"""Years by arithmetic of floats, which exports trace: NumPy's calendar says the same."""

import numpy as np

from thalweg.data.dates import year_of


def test_the_first_day_and_the_length_of_each_year():
    """All days of four centuries, with their leap years, and some of each year from 1 to 9999."""
    every = np.arange(np.datetime64("1850-01-01"), np.datetime64("2251-01-01"))
    ends = np.arange("0001", "9999", dtype="datetime64[Y]").astype("datetime64[D]")
    days = np.concatenate([every, ends, *(ends + np.timedelta64(days, "D") for days in (-1, 58, 59, 60))])[:-1]
    years = days.astype("datetime64[Y]")
    first = years.astype("datetime64[D]")
    found, length = year_of(np, days.astype(np.int64).astype(float))
    np.testing.assert_array_equal(found, first.astype(np.int64))
    following = (years + np.timedelta64(1, "Y")).astype("datetime64[D]")
    np.testing.assert_array_equal(length, (following - first).astype(np.int64))
