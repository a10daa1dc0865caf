"""Forecaster: continues series in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from thalweg.data.tables import Table, read_table
from thalweg.errors import ArgumentError, DataError
from thalweg.series.cadence import Cadence
from thalweg.series.given_series import Form, Indexed, Roles, read_series
from thalweg.series.global_network import Continuation, Plan, continuation
from thalweg.series.origins import Strip, View, scores_of
from thalweg.series.panel import Panel, panel_of, shown
from thalweg.series.season import Season, season_of
from thalweg.series.time_index import TimeIndex
from thalweg.support.arguments import arguments
from thalweg.support.checks import number, whole
from thalweg.tabular.clock import Clock
from thalweg.tabular.features import Features

Array = NDArray[Any]

STEPS = 12
"""The horizon of series without a season, unless it is given; of others a season is."""
MOST_STEPS = 48
MOST_LAGS, HORIZONS, PART = 336, 7, 0.55
"""Lags, at most, but for two seasons; how many horizons they are; and of a series' values, at most."""


class RollingOrigins(NamedTuple):
    """What `cross_validate` returns: scores of forecasts from several origins, and their means."""

    origins: list[dict[str, float]]
    """Of each origin, from the earliest: MASE, sMAPE, pinball, coverage, and "MASE as last season"."""
    means: dict[str, float]

    def __str__(self) -> str:
        return (
            ", ".join(f"{name} {value:.4g}" for name, value in self.means.items()) + f" ({len(self.origins)} origins)"
        )


@arguments
class Forecaster(BaseEstimator):
    """Continues one series or thousands: networks that learn from all of them at once, with intervals.

    ŷ_{t+h} = share·(base_h + scale·mean of networks(window before t)_h) + Σ share·simple forecast_h

    Simple forecasts: the value at the same place of the last season, the last value, and exponential smoothing with a
    damped trend and a season. base: the one that is best on the latest windows; scale: the mean |y_t − y_{t−season}| of
    the series. The networks see the last `lags` values, the calendar, and columns that are known in advance; all steps
    are said at once, as quantiles, by the pinball loss. A first network that hasn't seen the latest windows shows how
    long to train, what each forecast counts (Bates and Granger, 1969), and how wide intervals have to be.

    Args:
        horizon: how many steps can be forecast; by default a season, at most 48, or 12 without one.
        target, time, group: the columns of a table; group may be a list. By default Nixtla's names y, ds and unique_id,
            or for time the only column of dates. Of pandas' objects with time stamps in the index, target alone.
        known: columns whose values are known in advance, such as holidays or prices.
        season: the period in steps, 1 for none; by default found from the step and the autocorrelation.
        lags: how many values are seen; by default 7 horizons or two seasons, as far as the series are long enough.
        quantiles: those of intervals, between 0 and 1. The median is added: it is the forecast.
        networks: how many are averaged. epochs: of each; by default as many as the first one needed.
        time_limit: seconds for `fit`, all that it does included; no epoch begins that would end later. What can't be
            made shorter, such as smoothing and a linear model of many series, may take longer.
        random_state: fixes the result, on the same number of cores.

    A gap, by a missing row or a missing value, is filled on a straight line and counts less as a target; rows may be
    in any order. A series ends with its last known value. Rows after it, of a table with known columns, are its future.

    Attributes:
        season_, lags_, horizon_: as found or given. cadence_: the step. history_: a record for each epoch.
        held_out_: the error in scales on the windows that the first network hadn't seen, "as the base", and how many.
        shares_: what "networks", "last season", "last value" and "smoothing" count in the forecast; together 1.
        errors_: the error of each on the windows held out, in scales; nothing where series are too short to hold any.

    >>> import numpy as np
    >>> t = np.arange(200)
    >>> model = Forecaster(horizon=12, networks=1, epochs=10, random_state=0).fit(10 + np.sin(t * 2 * np.pi / 12))
    >>> model.season_, bool(abs(model.predict(12) - 10 - np.sin(np.arange(200, 212) * 2 * np.pi / 12)).max() < 0.2)
    (12, True)
    """

    horizon: int | None = None
    _: KW_ONLY
    target: Any = None
    time: Any = None
    group: Any = None
    known: Sequence[Any] = ()
    season: int | None = None
    lags: int | None = None
    quantiles: Sequence[float] = (0.1, 0.5, 0.9)
    networks: int = 3
    epochs: int | None = None
    time_limit: float | None = None
    random_state: Any = None

    def fit(self, y: Any, X: Any = None, fh: Any = None) -> Self:
        """Learns from series.

        Args:
            y: an array; a dict of arrays; a pandas series or frame whose index, or its last level, has the time stamps
                (of a frame without a target each column is a series); a table with a row for each value: a pandas,
                Polars or Arrow frame, a dict of columns, a path or a SQL query.
            X: columns known in advance, with the index of y, or also of later steps: a pandas frame.
            fh: sktime's horizon, steps such as [1, 2, 3]: the largest is the horizon, unless that is given.

        Raises:
            DataError: what is wrong with the series, with row and column. ArgumentError: an argument that can't be
                honoured.
        """
        quantiles = checked_quantiles(self.quantiles)
        plan = self._plan()
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        form, self.roles_ = read_series(y, self._roles(), X)
        self.form_, panel = self._panel(form, X)
        self._learn(panel, quantiles, plan, seed, fh)
        return self

    def _learn(self, panel: Panel, quantiles: tuple[float, ...], plan: Plan, seed: int, fh: Any) -> None:
        """Sets the fitted attributes."""
        self.cadence_, self.panel_ = panel.cadence, panel
        found = season_of(panel) if self.season is None else None
        season = found or Season(*[whole("season", self.season)] * 2)
        steps = None if fh is None else steps_of(fh, None)
        self.season_ = season.short
        self.horizon_ = self._horizon(season.short, steps)
        self.fh_ = steps
        sizes = np.array([len(line) for line in panel.lines])
        self.lags_ = self._lags(season, sizes)
        known = 0 if self.features_ is None else len(self.features_.feature_names)
        view = View(self.lags_, self.horizon_, season.short, panel.cadence, known)
        self.continuation_: Continuation = continuation(Strip(panel, view), quantiles, plan, seed)
        self.history_, self.held_out_ = self.continuation_.records, self.continuation_.held
        self.shares_, self.errors_ = self.continuation_.shares, self.continuation_.errors

    def predict(self, horizon: Any = None, X: Any = None, *, y: Any = None, fh: Any = None) -> Any:
        """The next values of each series, the median, in the form in which the series were given.

        Args:
            horizon: how many steps; by default all that were trained for.
            X: the columns known in advance of the steps to come: of a table, one with the same columns of time and
                group; of pandas' indexed objects a frame with such an index.
            y: series to continue instead of those of the fit, in the same form: also ones that weren't there, and newer
                values of those that were.
            fh: sktime's horizon: only these steps are returned.

        Raises:
            DataError, ArgumentError: as in `fit`; the horizon is longer than that of the training; known columns lack
                a step.
        """
        return self._predict(horizon, X, y, fh, ())

    def predict_quantiles(
        self,
        horizon: Any = None,
        X: Any = None,
        *,
        y: Any = None,
        fh: Any = None,
        quantiles: Sequence[float] | None = None,
    ) -> Any:
        """The quantiles of the next values: an array (steps, quantiles), a column for each, or as sktime has them.

        Args:
            horizon, X, y, fh: as in `predict`.
            quantiles: some of those of the training; by default those that were asked for there.
        """
        check_is_fitted(self)
        asked = checked_quantiles(self.quantiles if quantiles is None else quantiles, add=False)
        lost = [q for q in asked if q not in self.continuation_.quantiles]
        if lost:
            raise ArgumentError(
                f"the quantile {lost[0]:g} wasn't trained: Forecaster(quantiles=…) had "
                f"{', '.join(f'{q:g}' for q in self.continuation_.quantiles)}"
            )
        return self._predict(horizon, X, y, fh, asked)

    def _predict(self, horizon: Any, X: Any, y: Any, fh: Any, quantiles: tuple[float, ...]) -> Any:
        check_is_fitted(self)
        steps = self._steps(horizon, fh)
        form, panel = self.form_, self.panel_
        if y is not None:
            form, panel = self._panel(read_series(y, self._given_roles(y))[0], None, self.cadence_)
        if self.features_ is not None:
            panel = self._with_future(panel, X, int(steps[-1]))
        elif X is not None:
            raise ArgumentError(
                "X has columns known in advance, and none were there in training: Forecaster(known=[…])"
            )
        found = self.forecasts(panel)[:, steps - 1]
        places = [list(self.continuation_.quantiles).index(q) for q in quantiles or (0.5,)]
        stamps = [panel.future(line, self.horizon_)[steps - 1] for line in panel.lines]
        return form.give(range(len(panel.lines)), stamps, list(found[:, :, places]), quantiles)

    def forecasts(self, panel: Panel) -> Array:
        """The quantiles of the training for each line of a panel: (lines, horizon, quantiles)."""
        strip = Strip(panel, self.continuation_.view)
        lines = np.arange(len(panel.lines))
        return self.continuation_.forecast(strip, lines, strip.sizes)

    def cross_validate(self, y: Any, X: Any = None, origins: int = 3, stride: int | None = None) -> RollingOrigins:
        """Scores of forecasts from several origins, each by a forecaster that learned from the values before it alone.

        Args:
            y, X: as in `fit`.
            origins: how many. The last one lies a horizon before the end, each a stride before the next.
            stride: in steps; by default the horizon.

        Returns:
            the scores of each origin, and their means; beside them, the MASE of the values of the last season. This
            estimator itself stays unfitted.
        """
        origins = whole("origins", origins)
        form, roles = read_series(y, self._roles(), X)
        probe = clone(self)
        probe.roles_ = roles
        _, panel = probe._panel(form, X)
        season = season_of(panel).short if self.season is None else whole("season", self.season)
        horizon = self._horizon(season, None)
        stride = horizon if stride is None else whole("stride", stride)
        scores = []
        for back in range(origins - 1, -1, -1):
            held = horizon + back * stride
            scores.append(probe._score_before(panel, held))
        return RollingOrigins(scores, {name: float(np.mean([s[name] for s in scores])) for name in scores[0]})

    def _score_before(self, panel: Panel, held: int) -> dict[str, float]:
        """Learns from all but the last `held` steps of each series, and scores the steps after."""
        usable = [line for line in panel.lines if len(line) - held > 1]
        cut = [line.until(len(line) - held) for line in usable]
        if not usable:
            raise DataError(
                f"no series is longer than {held} steps, which the earliest origin leaves out: give fewer origins"
            )
        quantiles = checked_quantiles(self.quantiles)
        plan = self._plan()
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._learn(Panel(cut, panel.cadence), quantiles, plan, seed, None)
        found = self.forecasts(Panel(cut, panel.cadence))
        return scores_of(usable, cut, found, quantiles, self.season_)

    def _plan(self) -> Plan:
        clock = Clock(None if self.time_limit is None else number("time_limit", self.time_limit, 1e-9))
        epochs = None if self.epochs is None else whole("epochs", self.epochs)
        return Plan(whole("networks", self.networks), epochs=epochs, clock=clock, until=clock.limit)

    def _roles(self) -> Roles:
        group = self.group if self.group is None or isinstance(self.group, list | tuple) else [self.group]
        if isinstance(self.known, str):
            raise ArgumentError(f"known is a list of columns, got the text {self.known!r}: give [{self.known!r}]")
        return Roles(self.target, self.time, None if group is None else tuple(group), tuple(self.known))

    def _given_roles(self, y: Any) -> Roles:
        """The roles as in the fit, for later series."""
        return self._roles() if isinstance(self.form_, Indexed) else self.roles_

    def _panel(self, form: Form, X: Any, cadence: Cadence | None = None, empty: bool = False) -> tuple[Form, Panel]:
        """The series, with their known columns; fits these, if the forecaster isn't fitted (no cadence is given)."""
        rows, table = form.rows, form.table
        known = self.roles_.known or (tuple(table.names) if X is not None and table is not None else ())
        if cadence is None:
            self.features_ = None
            if known:
                assert table is not None
                self.features_ = Features.fit(table.only([str(name) for name in known]))
        if self.features_ is not None:
            assert table is not None
            rows = replace(rows, known=self.features_.matrix(table))
        return form, panel_of(rows, cadence, empty)

    def _horizon(self, season: int, steps: Array | None) -> int:
        if self.horizon is not None:
            return whole("horizon", self.horizon)
        if steps is not None:
            return int(steps[-1])
        return min(season, MOST_STEPS) if season > 1 else STEPS

    def _lags(self, season: Season, sizes: Array) -> int:
        """How many values windows have."""
        longest = int(np.percentile(sizes, 75))
        if self.lags is not None:
            lags = whole("lags", self.lags)
            if lags + self.horizon_ > sizes.max():
                raise ArgumentError(
                    f"lags={lags} and a horizon of {self.horizon_} need {lags + self.horizon_} values, and the longest "
                    f"series has {int(sizes.max())}"
                )
            return lags
        wanted = max(2 * season.long, min(MOST_LAGS, HORIZONS * self.horizon_), 4)
        least = min(season.short, longest - self.horizon_)
        return max(1, least, min(wanted, int(PART * (longest - self.horizon_))))

    def _steps(self, horizon: Any, fh: Any) -> Array:
        """Which steps are asked for, from 1."""
        if horizon is not None and fh is not None:
            raise ArgumentError("horizon is a number of steps, fh says which: give one of them")
        if fh is None and horizon is None:
            steps = np.arange(1, self.horizon_ + 1) if self.fh_ is None else self.fh_
        elif fh is None and np.ndim(horizon) == 0:
            steps = np.arange(1, whole("horizon", horizon) + 1)
        else:
            steps = steps_of(horizon if fh is None else fh, self)
        if steps[-1] > self.horizon_:
            raise ArgumentError(
                f"step {steps[-1]} is beyond the horizon of the training, {self.horizon_}: train with "
                f"Forecaster(horizon={steps[-1]})"
            )
        return steps

    def _with_future(self, panel: Panel, X: Any, steps: int) -> Panel:
        """The panel with the known columns of the steps to come, of X and of the series' own later rows."""
        further = {} if X is None else self._future_rows(panel, X)
        lines = []
        for place, line in enumerate(panel.lines):
            assert line.known is not None
            assert line.there is not None
            size = len(line) + self.horizon_
            known = np.zeros((size, line.known.shape[1]), np.float32)
            there = np.zeros(size, bool)
            kept = min(size, len(line.known))
            known[:kept], there[:kept] = line.known[:kept], line.there[:kept]
            for step, row in further.get(place, {}).items():
                if 0 <= step < size:
                    known[step], there[step] = row, True
            lost = np.flatnonzero(~there[len(line) : len(line) + steps])
            if len(lost):
                stamp = shown(panel.future(line, int(lost[0]) + 1)[-1])
                of = "" if line.key is None else f" of {line.key!r}"
                raise DataError(
                    f"the columns known in advance have no row for {stamp}{of}, step {int(lost[0]) + 1}: give it in X, "
                    "or as a later row of the series without a value"
                )
            lines.append(replace(line, known=known, there=there))
        return Panel(lines, panel.cadence)

    def _future_rows(self, panel: Panel, X: Any) -> dict[int, dict[int, Array]]:
        """By line and step from its first value, the known columns of X's rows."""
        assert self.features_ is not None
        roles, keys = self.roles_, {line.key: k for k, line in enumerate(panel.lines)}
        if isinstance(self.form_, Indexed):
            if not hasattr(X, "index"):
                raise ArgumentError(
                    f"X has to be a pandas frame with the time stamps in its index, got {type(X).__name__}"
                )
            stamps = TimeIndex.of_index(X.index.get_level_values(-1))[1]
            named = list(X.index.droplevel(-1)) if X.index.nlevels > 1 else [panel.lines[0].key] * len(X)
            table = read_table(X.reset_index(drop=True))
        else:
            rows, table = future_of(X, roles)
            stamps, named = rows
        matrix = self.features_.matrix(table)
        found: dict[int, dict[int, Array]] = {}
        for key in dict.fromkeys(named):
            if key not in keys:
                raise DataError(f"X has rows of {key!r}, and there is no such series")
            line = panel.lines[keys[key]]
            own = np.array([k for k, name in enumerate(named) if name == key])
            there = np.concatenate([[line.first], stamps[own]])
            steps = np.rint(panel.cadence.places(there, line.day)[1:]).astype(np.int64)
            found[keys[key]] = dict(zip(steps.tolist(), matrix[own], strict=True))
        return found


def future_of(X: Any, roles: Roles) -> tuple[tuple[Array, list[Any]], Table]:
    """Stamps and names of the rows of a table that has no targets, and the table."""
    from thalweg.series.given_series import coded, framed, stamps_in

    table, frame = read_table(X), framed(X)
    for name in (roles.time, *(roles.group or ()), *roles.known):
        if name is not None:
            table.column(name)
    if roles.time is None:
        raise ArgumentError("the series have no column of time stamps, so rows of X can't be told apart: give time=")
    codes, keys = coded(table, roles.group, frame) if roles.group else (np.zeros(table.rows, int), [None])
    _, stamps = stamps_in(table, roles.time, frame, codes, len(keys))
    return (stamps, [keys[code] for code in codes]), table


def steps_of(fh: Any, fitted: Forecaster | None) -> Array:
    """sktime's horizon as steps from 1, in order: a number, numbers, or a relative ForecastingHorizon."""
    if getattr(fh, "is_relative", True) is False:
        raise ArgumentError("fh has time stamps: give it in steps, such as fh=[1, 2, 3]")
    values = np.atleast_1d(fh.to_numpy() if hasattr(fh, "to_numpy") else np.asarray(fh))
    if values.ndim != 1 or not len(values) or values.dtype.kind not in "iu" or values.min() < 1:
        raise ArgumentError(f"fh has to be whole numbers of steps from 1, such as [1, 2, 3], got {fh!r}")
    steps = np.unique(values).astype(np.int64)
    if len(steps) < len(values) or (steps != values).any():
        raise ArgumentError(f"fh has to name steps in order and none twice, got {fh!r}")
    return steps


def checked_quantiles(quantiles: Any, add: bool = True) -> tuple[float, ...]:
    """The quantiles in order, with the median."""
    if isinstance(quantiles, str) or np.ndim(quantiles) != 1 or not len(quantiles):
        raise ArgumentError(f"quantiles is a list of numbers between 0 and 1, got {quantiles!r}")
    found = [number("a quantile", q, 1e-9, 1) for q in quantiles]
    if len(set(found)) < len(found):
        raise ArgumentError(f"quantiles names one twice: {quantiles!r}")
    return tuple(sorted({*found, *((0.5,) if add else ())}))
