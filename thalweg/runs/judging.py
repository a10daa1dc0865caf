"""A judgement on predictions: scores with intervals, where they are wrong, and what should make one careful."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg import words
from thalweg.data.cells import Array
from thalweg.data.tables import Table
from thalweg.data.target import Target, label_text
from thalweg.doctor.givens import TWINS
from thalweg.runs.mistakes import class_mistakes, number_mistakes
from thalweg.runs.scores import Score, class_scores, number_scores
from thalweg.runs.suspicions import Key, Leak
from thalweg.tabular.features import Features
from thalweg.views.report.subject import score_name

FEW = 20
"""Of fewer pictures, a class isn't learned, nor is a score to be relied on."""
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
    assert features.target is not None
    return judgement_of(features.target, truth_of(features, table), predicted, table.row_number)


def truth_of(features: Features, table: Table) -> Array:
    """The class numbers, or numbers, of rows whose target is known: (rows,)."""
    target = features.target
    assert target is not None
    return target.numbers(table) if target.task == "regression" else features.targets(table).ravel().astype(int)


def judgement_of(target: Target, truth: Array, predicted: Array, row_number: Callable[[int], int]) -> Judgement:
    """The judgement on predictions for rows with these class numbers, or numbers; `row_number`: of a row's place."""
    if target.task == "regression":
        return Judgement(number_scores(truth, predicted), number_mistakes(truth, predicted, row_number))
    return Judgement(class_scores(truth, predicted), class_mistakes(truth, predicted, target.classes))


# --- what should make one careful ------------------------------------------------------------------------------------


def too_rare(rare: dict[Any, float]) -> list[words.Said]:
    """A warning of rare classes, with their shares of the training rows."""
    if not rare:
        return []
    return [
        words.Said(
            "rare classes, with their shares of the rows: {shown}; --class-weight balanced lets each class count as "
            "much as the others, and balanced accuracy or F1 say more than accuracy",
            shown=named([f"{label_text(label)} ({share:.2g})" for label, share in rare.items()]),
        )
    ]


def named(things: Sequence[str]) -> Any:
    """The first few, and how many more there are."""
    more = len(things) - MOST_NAMED
    few = list(things[:MOST_NAMED])
    return words.Said("{few} and {more:,} more", few=few, more=more) if more > 0 else few


def given_away(leaks: Sequence[Leak], looked: int, columns: int) -> list[words.Said]:
    """A warning of columns that tell the target by themselves."""
    if not leaks:
        return []
    each = [
        words.Said(
            "{column!r} ({measure} {score:.3f})", column=leak.column, measure=score_name(leak.measure), score=leak.score
        )
        for leak in leaks
    ]
    names = named(each)
    if looked < columns:
        names = words.Said(
            "{names} (of {columns:,}, the first {looked:,} were looked at)", names=names, columns=columns, looked=looked
        )
    return [
        words.Said(
            "columns that tell the target by themselves: {names}; if they aren't known before the answer is, the "
            "scores mean nothing: leave them out with --ignore",
            names=names,
        )
    ]


def counting(keys: Sequence[Key]) -> list[words.Said]:
    """A warning of inputs that are the rows' numbers or keys."""
    if not keys:
        return []
    return [
        words.Said(
            "inputs that look like row numbers or keys: {names}; each row has its own, so they say nothing about new "
            "rows, and rows can be learned by heart from them: leave them out with {options}",
            names=named([f"{key.column!r} ({key.low:.0f} … {key.high:.0f})" for key in keys]),
            options=" ".join(f"--ignore {shlex.quote(key.column)}" for key in keys[:MOST_NAMED]),
        )
    ]


def seen_before(twins: int, rows: int) -> list[words.Said]:
    """A warning of held-out rows that stand among the rows learned from, too."""
    if twins < max(1, TWINS * rows):
        return []
    return [
        words.Said(
            "{twins:,} of the {rows:,} held-out rows have the same inputs as a row learned from, which flatters the "
            "scores; if such rows belong together, --group COLUMN keeps them on one side",
            twins=twins,
            rows=rows,
        )
    ]


def beaten(
    judgement: Judgement, baseline: dict[str, Any], linear: dict[str, Any] | None, weighted: bool, inputs: words.Said
) -> list[words.Said]:
    """Warnings of scores no better than those of one answer for all, or of a linear model.

    Args:
        weighted: the classes were weighted, so that the balanced accuracy counts.
        inputs: what the network answers to: columns or pictures.
    """
    if "RMSE" in judgement.scores:
        first = main = "RMSE"
    else:
        first, main = ("balanced accuracy",) * 2 if weighted else ("accuracy", "log loss")
    said = []
    own, other = judgement.scores[first].value, baseline["scores"].get(first, np.nan)
    if not is_better(first, own, other) and not np.isnan([own, other]).any():
        said.append(
            words.Said(
                "{score} {own:.4g}: no better than {other:.4g}, that of the same answer for every row: either the "
                "{inputs} say nothing about the target, or the training failed",
                score=score_name(first),
                own=own,
                other=other,
                inputs=inputs,
            )
        )
    own, other = judgement.scores[main].value, baseline["scores"].get(main, np.nan)
    if main == "log loss" and is_better(main, other, own):
        said.append(
            words.Said(
                "log loss {own:.4g}: worse than {other:.4g}, that of giving every row the shares of the classes: it is "
                "sure of answers that are wrong, so don't rely on its probabilities; more rows, or fewer epochs, help",
                own=own,
                other=other,
            )
        )
    if linear is not None:
        score, other = judgement.scores[main], linear["scores"].get(main, np.nan)
        if is_better(main, other, score.value):
            model, name = linear["model"], score_name(main)
            if score.low <= other <= score.high:
                said.append(
                    words.Said(
                        "a {model} does about as well: {score} {other:.4g}, within the interval here",
                        model=model, score=name, other=other,
                    )
                )  # fmt: skip
            else:
                said.append(
                    words.Said(
                        "a {model} is better: {score} {other:.4g}, and {own:.4g} here",
                        model=model, score=name, other=other, own=score.value,
                    )
                )  # fmt: skip
    return said


def few_pictures(trained: Array, watched: int, tested: int, classes: Sequence[Any]) -> list[words.Said]:
    """Warnings of too few pictures: of a class to learn from, to watch by, and to judge by.

    Args:
        trained: class numbers of the pictures learned from.
        watched, tested: how many there are to watch by, 0 if none are asked for, and to judge by.
    """
    counts = np.bincount(trained, minlength=len(classes))
    few = [k for k in np.argsort(counts, kind="stable").tolist() if counts[k] < FEW]
    said = []
    if few:
        said.append(
            words.Said(
                "few pictures to learn from ({least} of each class are a bare minimum, some hundreds are usual): "
                "{shown}; take more, and vary those that you have: --flip horizontal --shift 0.1 --rotate 0.05 --zoom "
                "0.1",
                least=FEW,
                shown=named([f"{label_text(classes[k])} {counts[k]}" for k in few]),
            )
        )
    to_watch = words.Said("1 picture to watch by" if watched == 1 else "{count} pictures to watch by", count=watched)
    held_out = words.Said("1 picture held out" if tested == 1 else "{count} pictures held out", count=tested)
    for count, pictures, option in ((watched, to_watch, "--validation-share"), (tested, held_out, "--test-share")):
        if 0 < count < FEW:
            said.append(
                words.Said(
                    "{pictures}: one more or less that is right changes the accuracy by {change:.0%}, so such a score "
                    "is mostly chance; take more pictures, or give a larger {option}",
                    pictures=pictures,
                    change=1 / count,
                    option=option,
                )
            )
    return said


def is_better(name: str, one: float, other: float) -> bool:
    """Whether a score is better than another."""
    return one < other if name in ("RMSE", "MAE", "log loss") else one > other
