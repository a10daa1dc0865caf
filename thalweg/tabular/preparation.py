"""From a table to all that the training of an ensemble needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.data.tables import Table
from thalweg.data.target import Target
from thalweg.tabular import canonical, holdouts, qualities
from thalweg.tabular.blueprint import Blueprint
from thalweg.tabular.clock import Clock
from thalweg.tabular.design import design
from thalweg.tabular.ensemble import Ensemble, Progress, Rows, train
from thalweg.tabular.features import Features
from thalweg.tabular.judge import Judge
from thalweg.tabular.qualities import Settings
from thalweg.tabular.trees import DOUBT, FITS, grow, weighted

Array = NDArray[Any]


@dataclass(frozen=True)
class Prepared:
    """A table ready to be learned from: `prepare` makes one, `train` makes an ensemble of it.

    Attributes:
        features: the fitted columns, with the target.
        rows: matrix, targets and weights.
        blueprint: of a member's network: `blueprint.member(0, seed=0, steps=1)[0].summary()` shows it.
        folds: the rows that each member holds out, and maybe further ones that trees do.
        judge: scores predictions.
        seed: of networks.
    """

    features: Features
    rows: Rows
    blueprint: Blueprint
    folds: list[Array]
    judge: Judge
    seed: int

    def train(self, clock: Clock, lanes: int, progress: Progress | None = None, record: bool = False) -> Ensemble:
        """Trains the members, `lanes` at a time (see `thalweg.tabular.ensemble.train`), and trees if asked for."""
        rows, judge, kinds = self.rows, self.judge, self.blueprint.settings.trees
        clock.check("reading the columns")
        settings = self.blueprint.settings
        fits = settings.folds if settings.together else FITS
        folds = self.folds[: settings.folds]
        grown = grow(self.features, rows.x, judge.y, rows.weights, folds, kinds, self.seed, clock, lanes, fits)
        if clock.interrupted:
            raise KeyboardInterrupt
        held_out = self.folds[: settings.members]
        found = train(self.blueprint, rows, held_out, judge, self.seed, clock, lanes, progress, record)
        networks, y = found.out_of_fold, judge.y
        if judge.task == "regression":
            networks, y = networks[:, 0], judge.numbers(y)
        trees, together = weighted(networks, grown, self.features, y, judge.weights, DOUBT if settings.together else 0)
        return replace(found, trees=trees, together=together)


def prepare(
    table: Table,
    target: Target,
    settings: Settings,
    *,
    numbers: Array | None = None,
    weights: Array | None = None,
    class_factors: Array | None = None,
    metric: str | None = None,
    groups: Array | None = None,
    time: Array | None = None,
    ignore: Sequence[str] = (),
    categories: Sequence[str] = (),
    numeric: Sequence[str] = (),
    seed: int = 0,
) -> Prepared:
    """Fits the columns on all rows of a table, and decides what each member holds out.

    Args:
        table: the rows to learn from.
        target: what to learn; for a regression with the mean and scale of these rows.
        numbers: the targets as class numbers (rows,) or standardised numbers (rows,); by default, those in the table.
        weights: of the rows. class_factors: of their classes, multiplied in for training and choosing, not in scores.
        metric: on which epochs are chosen; log-loss or RMSE by default.
        groups, time: (rows,) by which rows are held out.
        ignore, categories: columns, as in `Features.fit`; numeric: those to take as numbers.
    """
    features = Features.fit(table, ignore=[*ignore, *([target.name] if target.name in table else [])],
                            categories=categories, numbers=numeric)  # fmt: skip
    features = replace(features, target=target)
    if numbers is None:
        numbers = encoded(target, table)
    x = features.matrix(table)
    combined = class_factors if weights is None else weights if class_factors is None else weights * class_factors
    training = None if combined is None else (combined / combined.mean()).astype(np.float32)
    judge = Judge.of(target.task, numbers, combined, metric, settings.loss, target.mean, target.scale)
    alike = canonical.alike(x, numbers) if len(x) <= canonical.FEW_ROWS else None
    if alike is not None and alike.max() < qualities.FEW:
        settings = settings.of_few_rows()
    settings = replace(settings, epochs=settings.epochs_of(len(x), target.task))
    if len(x) > settings.tree_rows:
        settings = replace(settings, trees=())
    blueprint = design(features, x, numbers, settings, training, seed)
    held = hold_out(alike, numbers, target.task, settings, groups, time, seed)
    y = numbers if target.task == "multiclass" else numbers.astype(np.float32)[:, None]
    return Prepared(features, Rows(x, y, training), blueprint, held, judge, seed)


def encoded(target: Target, table: Table) -> Array:
    """Class numbers (rows,), or standardised numbers (rows,), of the target's column."""
    if target.task == "regression":
        standard: Array = (target.numbers(table) - target.mean) / target.scale
        return standard
    return target.encode(table).ravel().astype(np.int64)


def hold_out(
    alike: Array | None,
    numbers: Array,
    task: str,
    settings: Settings,
    groups: Array | None,
    time: Array | None,
    seed: int,
) -> list[Array]:
    """The rows that each member holds out: whole groups, the latest, or a fold of all; further folds for trees."""
    folds = settings.folds
    members = max(settings.members, folds) if settings.trees else settings.members
    if not folds:
        return [np.arange(0)] * members
    if groups is not None:
        return holdouts.grouped(np.unique(groups, return_inverse=True)[1], members, seed, folds)
    if time is not None:
        return holdouts.latest(time, members, folds)
    return holdouts.rotating(len(numbers), members, None if task == "regression" else numbers, seed, folds, alike)
