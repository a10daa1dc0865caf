"""A judgement on predictions: scores with intervals, where they are wrong, and what should make one careful."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.data.cells import Array
from thalweg.data.tables import Table
from thalweg.data.target import label_text
from thalweg.doctor.givens import TWINS
from thalweg.runs.mistakes import class_mistakes, number_mistakes
from thalweg.runs.scores import Score, class_scores, number_scores
from thalweg.runs.suspicions import Leak
from thalweg.tabular.features import Features

MOST_NAMED = 5
"""How many columns or classes a warning names."""


@dataclass(frozen=True)
class Judgement:
    """Scores of predictions, and where these are wrong: `mistakes.class_mistakes` or `number_mistakes`."""

    scores: dict[str, Score]
    mistakes: dict[str, Any]

    @property
    def values(self) -> dict[str, float]:
        """The scores without their intervals."""
        return {name: score.value for name, score in self.scores.items()}

    def facts(self) -> dict[str, Any]:
        """As run.json holds it."""
        intervals = {name: [score.low, score.high] for name, score in self.scores.items()}
        return {"held-out": self.values, "intervals": intervals, "mistakes": self.mistakes}


def judge(features: Features, predicted: Array, table: Table) -> Judgement:
    """The judgement on predictions for the rows of a table, whose target is known: (rows, classes), or (rows,)."""
    target = features.target
    assert target is not None
    if target.task == "regression":
        truth = target.numbers(table)
        return Judgement(number_scores(truth, predicted), number_mistakes(truth, predicted, table.row_number))
    codes = features.targets(table).ravel().astype(int)
    return Judgement(class_scores(codes, predicted), class_mistakes(codes, predicted, target.classes))


# --- what should make one careful ------------------------------------------------------------------------------------


def too_rare(rare: dict[Any, float]) -> list[str]:
    """A warning of rare classes, with their shares of the training rows."""
    if not rare:
        return []
    shown = listed([f"{label_text(label)} ({share:.2g})" for label, share in rare.items()])
    return [
        f"rare classes, with their shares of the rows: {shown}; --class-weight balanced lets each class count as much "
        "as the others, and balanced accuracy or F1 say more than accuracy"
    ]


def given_away(leaks: Sequence[Leak], looked: int, columns: int) -> list[str]:
    """A warning of columns that tell the target by themselves."""
    if not leaks:
        return []
    names = listed([f"{leak.column!r} ({leak.measure} {leak.score:.3f})" for leak in leaks])
    part = f" (of {columns:,}, the first {looked:,} were looked at)" if looked < columns else ""
    return [
        f"columns that tell the target by themselves: {names}{part}; if they aren't known before the answer is, the "
        f"scores mean nothing: leave them out with --ignore"
    ]


def seen_before(twins: int, rows: int) -> list[str]:
    """A warning of held-out rows that stand among the rows learned from, too."""
    if twins < max(1, TWINS * rows):
        return []
    return [
        f"{twins:,} of the {rows:,} held-out rows have the same inputs as a row learned from, which flatters the "
        "scores; if such rows belong together, --group COLUMN keeps them on one side"
    ]


def beaten(judgement: Judgement, baseline: dict[str, Any], linear: dict[str, Any] | None, weighted: bool) -> list[str]:
    """Warnings of scores no better than those of one answer for all, or of a linear model.

    `weighted`: the classes were weighted, so that the balanced accuracy counts.
    """
    if "RMSE" in judgement.scores:
        first = main = "RMSE"
    else:
        first, main = ("balanced accuracy",) * 2 if weighted else ("accuracy", "log loss")
    said = []
    own, other = judgement.scores[first].value, baseline["scores"].get(first, np.nan)
    if not is_better(first, own, other) and not np.isnan([own, other]).any():
        said.append(
            f"{first} {own:.4g}: no better than {other:.4g}, that of the same answer for every row: either the columns "
            "say nothing about the target, or the training failed"
        )
    if linear is not None:
        score, other = judgement.scores[main], linear["scores"].get(main, np.nan)
        if is_better(main, other, score.value):
            chance = " (within the interval, so it may be chance)" if score.low <= other <= score.high else ""
            said.append(f"a {linear['model']} is better: {main} {other:.4g}, and {score.value:.4g} here{chance}")
    return said


def is_better(name: str, one: float, other: float) -> bool:
    """Whether a score is better than another."""
    return one < other if name in ("RMSE", "MAE", "log loss") else one > other


def listed(parts: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    return ", ".join([*parts[:MOST_NAMED], *([f"and {len(parts) - MOST_NAMED:,} more"] * (len(parts) > MOST_NAMED))])
