"""Forecasts of several methods as one: what each counts, found on windows that none of them has learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

FAR_OFF = 2.0
"""A method whose error is so many times the least counts nothing."""
DOUBT = 100.0
"""Independent windows with which the weights that were best on them count as much as those by the errors alone."""
PICKS = 20
"""Of which the best mean is made, one after the other."""


def shares_of(y: Array, found: dict[str, Array], independent: float) -> dict[str, float]:
    """What each method counts in the mean: at least 0, together 1.

    w = (n·best + DOUBT·v)/(n + DOUBT),  v = (1/e)/Σ(1/e),  e = mean |y − ŷ|

    best: the mean of methods, picked one after the other, that was nearest on these windows; n: how many of them are
    independent. So few windows say little more than which methods are useless, and many say all.
    (Bates and Granger, Operational Research Quarterly, 1969; picking: Caruana et al., ICML, 2004)

    Args:
        y: (windows, horizon), NaN where nothing is known. found: of each method, forecasts of that shape.
        independent: windows that don't overlap, of all series.

    >>> shares_of(np.ones((1, 2)), {"a": np.ones((1, 2)), "b": np.zeros((1, 2))}, 9.0)
    {'a': 1.0, 'b': 0.0}
    """
    names = list(found)
    errors = np.array([error_of(y, found[name]) for name in names])
    least = errors.min()
    if not least > 0:
        return dict(zip(names, ((errors == least) / (errors == least).sum()).tolist(), strict=True))
    inverse = np.where(errors <= FAR_OFF * least, least / errors, 0.0)
    picks, total = np.zeros(len(names)), np.zeros(y.shape)
    for count in range(1, PICKS + 1):
        best = int(np.argmin([error_of(y, (total + found[name]) / count) for name in names]))
        picks[best] += 1
        total = total + found[names[best]]
    shares = (independent * picks / PICKS + DOUBT * inverse / inverse.sum()) / (independent + DOUBT)
    return dict(zip(names, shares.tolist(), strict=True))


def error_of(y: Array, found: Array) -> float:
    """mean |y − ŷ| of what is known."""
    return float(np.nanmean(np.abs(y - found)))
