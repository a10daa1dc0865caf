"""Trees beside the networks, for few rows a linear model too: cross-fitted, weighted by out-of-fold predictions."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg.experiments.population import one_thread, side_by_side
from thalweg.tabular import scoring
from thalweg.tabular.beside import Trees, columns_of, trees_of
from thalweg.tabular.clock import Clock
from thalweg.tabular.features import Features
from thalweg.tabular.penalised import PENALTIES, linear, penalised
from thalweg.tabular.qualities import LINEAR

Array = NDArray[Any]

FITS = 4
DOUBT = 5
"""Of few rows, weights are found as if so many more rows had been predicted equally well by all kinds."""
MOST_COLUMNS, MOST_CLASSES = 1000, 20
"""With more, trees are left out: they would take longer than the networks."""
PART = 0.3
"""Of a time limit, what trees may take."""
LEAST_WEIGHT = {"networks": 0.02, LINEAR: 0.02, "HistGradientBoosting": 0.02, "ExtraTrees": 0.1}
"""Those of less weight are left out; unpruned trees take about a megabyte each."""
MOST_ROWS = {"ExtraTrees": 20_000}
NETWORKS = "networks"
BOOSTED = "HistGradientBoosting"
ITERATIONS, FEWER = 500, 100
"""Of boosting, at most; and where held-out rows can't say when to stop."""
TRIAL_ROWS, TRIAL_SHARE = 20_000, 1 / 4
"""What the pace is measured on: so many rows, and no more than this share of them."""
GROWTH = 2.0
"""More rows need more iterations: up to so many times those of the trial are allowed for."""


@dataclass(frozen=True)
class Grown:
    """Models of one kind before they are weighted; `out_of_fold` has NaN where none left the row out."""

    name: str
    models: list[Any]
    out_of_fold: Array


def compact(features: Features, x: Array) -> Array:
    """The matrix with one column for each column of categories, its code, NaN for none: see `columns_of`."""
    return np.column_stack([codes(x[:, own]) if len(own) > 1 else x[:, own] for own in columns_of(features)])


def codes(shown: Array) -> Array:
    """The place of the one among zeros, float32 (rows, 1); NaN where there is none."""
    return np.where(shown.max(axis=1) > 0, shown.argmax(axis=1), np.nan).astype(np.float32)[:, None]


def seen_by(name: str, features: Features, x: Array) -> Array:
    """The matrix as models of this kind take it: compact for trees."""
    return x if name == LINEAR else compact(features, x)


def categorical(features: Features) -> list[bool]:
    """Which columns of the compact matrix hold codes."""
    return [len(own) > 1 for own in columns_of(features)]


def predictions(models: Sequence[Any], features: Features, z: Array) -> Array:
    """The mean of fitted models of a kind for rows as it takes them: probabilities (rows, classes), or numbers (rows,)
    in the target's unit."""
    with one_thread("openmp"):
        mean: Array = np.mean([_predicted(model, features, z) for model in models], axis=0)
    return mean


def _predicted(model: Any, features: Features, z: Array) -> Array:
    target = features.target
    assert target is not None
    of_line = hasattr(model, "coef_")
    if target.task == "regression":
        numbers: Array = linear(model, z) if of_line else model.predict(z)
        return numbers * target.scale + target.mean
    shares = np.zeros((len(z), len(target.classes)))  # a class that a fit hasn't seen keeps 0
    shares[:, model.classes_.astype(np.int64)] = linear(model, z) if of_line else model.predict_proba(z)
    return shares


def called(names: Sequence[str]) -> str:
    """What models of these names are, in words.

    >>> called(["ExtraTrees"]), called([LINEAR]), called([LINEAR, "ExtraTrees"])
    ('trees', 'a linear model', 'a linear model and trees')
    """
    parts = ["a linear model"] * (LINEAR in names) + ["trees"] * any(name != LINEAR for name in names)
    return " and ".join(parts)


# --- growing ---------------------------------------------------------------------------------------------------------


def grow(
    features: Features,
    x: Array,
    y: Array,
    weights: Array | None,
    folds: Sequence[Array],
    kinds: Sequence[str],
    seed: int,
    clock: Clock,
    lanes: int,
    count: int = FITS,
) -> list[Grown]:
    """Models of each kind, so many fits that leave out their part of the rows each; none if they would take too long.

    Where a time limit is short, trees learn from fewer rows.

    Args:
        y: class numbers or standardised numbers (rows,).
        folds: rows that are held out together; two of eight make a quarter, a fit's part of four.
        lanes: fits at a time.
    """
    target = features.target
    assert target is not None
    folds = [rows for rows in {rows.tobytes(): rows for rows in folds}.values() if len(rows)]
    kinds = kinds_for(features, x, kinds)
    if not folds or not kinds:
        return []
    coded = categorical(features)
    parts = [
        np.concatenate([folds[k] for k in part]) for part in np.array_split(range(len(folds)), min(count, len(folds)))
    ]
    budget, begin, took = PART * clock.left, clock.passed, [0.0]
    most, iterations = len(x), ITERATIONS
    if clock.limit < np.inf and BOOSTED in kinds and len(x) > TRIAL_ROWS:
        pace = TreePace.of(features, x, y, weights)
        most = int((budget + begin - clock.passed) * min(lanes, len(parts)) / (len(parts) * GROWTH * pace.row))
        iterations = min(iterations, round(GROWTH * pace.iterations))
    shape = (len(x), len(target.classes)) if target.classes else (len(x),)
    truth = y * target.scale + target.mean if target.task == "regression" else y
    grown: list[Grown] = []

    def one(fit: Callable[..., Any], z: Array, out_of_fold: Array, held: Array) -> Any:
        if clock.stopped or clock.passed - begin + max(took) > budget:
            return None
        started = clock.passed
        learn = np.setdiff1d(np.arange(len(z)), held, assume_unique=True)
        if len(learn) > most:
            learn = np.sort(np.random.default_rng(seed).choice(learn, most, replace=False))
        model = fit(z, y, weights, learn, held, coded, target.task, seed)
        if model is not None:
            out_of_fold[held] = predictions([model], features, z[held])
        took.append(clock.passed - started)
        return model

    for name in kinds if most else ():
        z, tried = seen_by(name, features, x), []
        for way in KINDS[name]:
            fit = partial(way, iterations=iterations) if name == BOOSTED else way
            out_of_fold = np.full(shape, np.nan)
            with steady_warnings():
                fits = side_by_side([partial(one, fit, z, out_of_fold, held) for held in parts], lanes, clock.stop)
            models = [model for model in fits if model is not None]
            if models:
                tried.append(Grown(name, models, out_of_fold))
        if tried:
            grown.append(min(tried, key=partial(loss, y=truth, weights=weights)) if len(tried) > 1 else tried[0])
    return grown


@contextmanager
def steady_warnings() -> Iterator[None]:
    """Of what is fitted side by side, the warnings come afterwards, by the caller's filters, and these stay.

    scikit-learn empties the filters of the whole process around each tree, so that fits in two threads lose them for
    one another, and warn of that, too. That a linear model has not converged is of no interest: its score says enough.
    """
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for one in caught:
        if not issubclass(one.category, ConvergenceWarning) and "utils.parallel.delayed" not in str(one.message):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def loss(one: Grown, y: Array, weights: Array | None) -> float:
    """Of its out-of-fold predictions: log-loss, or squared error; y as in `weighted`."""
    rows = np.flatnonzero(~np.isnan(one.out_of_fold.reshape(len(y), -1)[:, 0]))
    score = scoring.rmse if one.out_of_fold.ndim == 1 else scoring.log_loss
    return -score(y[rows], one.out_of_fold[rows], None if weights is None else weights[rows])


def kinds_for(features: Features, x: Array, kinds: Sequence[str]) -> list[str]:
    """Those of the kinds that are grown for a matrix; none where they would take longer than the networks."""
    assert features.target is not None
    if len(categorical(features)) > MOST_COLUMNS or len(features.target.classes) > MOST_CLASSES:
        return []
    grows = bool(columns_of(features))  # free text alone has nothing for trees
    return [name for name in kinds if len(x) <= MOST_ROWS.get(name, len(x)) and (grows or name == LINEAR)]


class TreePace(NamedTuple):
    """How fast boosted trees grow here: seconds for each row of a fit, in so many iterations."""

    row: float
    iterations: int

    @classmethod
    def of(cls, features: Features, x: Array, y: Array, weights: Array | None) -> TreePace:
        """Measures a fit to a few of the rows, a quarter of them held out."""
        assert features.target is not None
        most = max(2, min(TRIAL_ROWS * 2 // max(2, len(features.target.classes)), int(len(x) * TRIAL_SHARE)))
        rows = np.random.default_rng(0).permutation(len(x))[:most]
        z, learn, held = compact(features, x[rows]), np.arange(most // 4, most), np.arange(most // 4)
        weights = None if weights is None else weights[rows]
        begin = time.perf_counter()
        model = boosted(z, y[rows], weights, learn, held, categorical(features), features.target.task, 0)
        return cls((time.perf_counter() - begin) / len(learn), model.n_iter_)


def boosted(
    z: Array,
    y: Array,
    weights: Array | None,
    learn: Array,
    held: Array,
    coded: list[bool],
    task: str,
    seed: int,
    iterations: int = ITERATIONS,
) -> Any:
    """HistGradientBoosting of some rows; held-out ones say when to stop, or it has 100 iterations where they can't."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    told = task == "regression" or len(np.unique(y[learn])) == len(np.unique(y))
    watched = told and "X_val" in inspect.signature(kind.fit).parameters
    model = kind(
        random_state=seed % 2**31,
        max_iter=iterations if watched else min(iterations, FEWER),
        early_stopping=watched,
        categorical_features=coded if any(coded) else None,
    )
    more: dict[str, Any] = {"X_val": z[held], "y_val": y[held]} if watched else {}
    if watched and weights is not None:
        more["sample_weight_val"] = weights[held]
    return _with_one_thread(model, z[learn], y[learn], None if weights is None else weights[learn], more)


def extra(
    z: Array, y: Array, weights: Array | None, learn: Array, held: Array, coded: list[bool], task: str, seed: int
) -> Any:
    """Extremely randomized trees (Geurts, Ernst, Wehenkel 2006), 25 in each of the four fits; they remember copies."""
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    kind, most = (ExtraTreesRegressor, 0.4) if task == "regression" else (ExtraTreesClassifier, "sqrt")
    model = kind(25, max_features=most, random_state=(seed + int(held[0])) % 2**31)
    chained = make_pipeline(SimpleImputer(strategy="constant", fill_value=-1.0), model)
    more = {} if weights is None else {f"{chained.steps[-1][0]}__sample_weight": weights[learn]}
    return chained.fit(z[learn], y[learn], **more)


def _with_one_thread(model: Any, x: Array, y: Array, weights: Array | None, more: Mapping[str, Any]) -> Any:
    with one_thread("openmp"):
        return model.fit(x, y, sample_weight=weights, **more)


KINDS: dict[str, Sequence[Callable[..., Any]]] = {
    BOOSTED: [boosted],
    "ExtraTrees": [extra],
    LINEAR: [partial(penalised, penalty=penalty) for penalty in PENALTIES],
}
"""Of several ways to fit a kind the one is kept that predicts best out of fold."""


# --- weighting -------------------------------------------------------------------------------------------------------


def weighted(
    networks: Array, grown: Sequence[Grown], features: Features, y: Array, weights: Array | None, doubt: float = 0
) -> tuple[list[Trees], Array]:
    """Models with their weights, kinds that don't help left out, and the mixture's out-of-fold predictions.

    Args:
        networks: their out-of-fold predictions: probabilities (rows, classes), or numbers (rows,) in the target's unit.
        y: class numbers, or numbers in the target's unit (rows,).
        doubt: further rows that all kinds predict equally well, which a few rows need.
    """
    each = [networks, *(kind.out_of_fold for kind in grown)]
    known = [~np.isnan(one.reshape(len(networks), -1)[:, 0]) for one in each]
    rows = np.flatnonzero(np.logical_and.reduce(known))
    if not len(rows) or not grown:
        return [], networks
    chosen = None if weights is None else weights[rows]
    least = np.array([LEAST_WEIGHT[name] for name in (NETWORKS, *(kind.name for kind in grown))])
    shares = best_shares(each, rows, y, chosen, doubt)
    if (shares < least).any():
        kept = np.flatnonzero(shares >= least)
        shares = np.zeros(len(each))
        shares[kept] = best_shares([each[k] for k in kept], rows, y, chosen, doubt)
    used = [trees_of(k.name, k.models, features, float(w)) for k, w in zip(grown, shares[1:], strict=True) if w > 0]
    predicted: Array = sum(w * p for w, p in zip(shares, each, strict=True) if w > 0)
    return used, predicted


def best_shares(each: Sequence[Array], rows: Array, y: Array, weights: Array | None, doubt: float = 0) -> Array:
    """The share of each of several predictions in their mean, by these rows."""
    if each[0].ndim > 1:
        return mixture_shares(np.stack([p[rows, y[rows]] for p in each]), weights, doubt)
    return averaging_shares(np.stack([p[rows] for p in each], axis=1), y[rows], weights, doubt)


def mixture_shares(p: Array, weights: Array | None = None, doubt: float = 0, rounds: int = 400) -> Array:
    """The shares w ≥ 0, Σw = 1, of least −log Σ w·p, by expectation-maximisation; p (kinds, rows) of the true classes.

    `doubt` further rows are each kind's in equal parts (a Dirichlet prior).

    >>> mixture_shares(np.array([[0.9, 0.9, 0.9], [0.1, 0.5, 0.2]])).round(3).tolist()
    [1.0, 0.0]
    >>> mixture_shares(np.array([[0.9, 0.9, 0.9], [0.1, 0.5, 0.2]]), doubt=3).round(3).tolist()
    [0.695, 0.305]
    """
    p = np.maximum(p, 1e-7)
    shares = np.full(len(p), 1 / len(p))
    for _ in range(rounds):
        parts = shares[:, None] * p
        shares = np.average(parts / parts.sum(axis=0), axis=1, weights=weights)
        if doubt:
            shares = (shares * p.shape[1] + doubt / len(p)) / (p.shape[1] + doubt)
    return shares


def averaging_shares(p: Array, y: Array, weights: Array | None = None, doubt: float = 0) -> Array:
    """The shares w ≥ 0, Σw = 1, of least squared error of p·w, p (rows, kinds).

    `doubt` pulls them to equal ones: it is added, times |w − 1/kinds|² and the mean squared error of those.

    >>> averaging_shares(np.array([[1.0, 3.0], [2.0, 0.0], [4.0, 4.0]]), np.array([2.0, 1.0, 4.0])).round(3).tolist()
    [0.5, 0.5]
    """
    from scipy.optimize import nnls

    root = np.ones(len(y)) if weights is None else np.sqrt(weights)
    errors = (p - y[:, None]) * root[:, None]  # Σw = 1, so p·w − y = (p − y)·w
    unit = np.abs(errors).max() or 1.0
    kinds = p.shape[1]
    parts, wanted = [errors / unit, np.full((1, kinds), 1e3 * np.sqrt(len(y)))], np.zeros(len(y) + 1)
    wanted[-1] = 1e3 * np.sqrt(len(y))
    if doubt:
        pull = np.sqrt(doubt * np.mean((errors / unit).mean(axis=1) ** 2))
        parts, wanted = [*parts, pull * np.eye(kinds)], np.append(wanted, np.full(kinds, pull / kinds))
    shares: Array = nnls(np.vstack(parts), wanted)[0]
    normalized: Array = shares / shares.sum()
    return normalized
