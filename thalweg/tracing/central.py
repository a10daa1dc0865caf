"""Gradients by central differences in float64: the check of every gradient that was derived."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from thalweg import words
from thalweg.program.ir.instruction import Array
from thalweg.tracing.values import TracedWeight
from thalweg.words import Text

Loss = Callable[[Array], float]
STEP = float(np.cbrt(np.finfo(np.float64).eps))  # its truncation error and its rounding error are about equal
MOST = 200  # numbers of an array that are checked
KINK = 1e-3  # how much the slopes to either side may differ, as a share; if it is more, …
NEARER = 16  # … they are compared again, as many times nearer
ZERO = 10  # times their rounding: gradients that are smaller are 0, as those of a bias before a normalization


@dataclass(frozen=True, eq=False)
class Checked:
    """The check of one gradient."""

    path: str
    numeric: Array  # (L(w + h) − L(w − h))/2h in the shape of the weights; NaN where it wasn't computed
    checked: int  # how many numbers
    error: float  # the largest difference of the two, as a share of the array's largest gradient
    kinks: int  # numbers at which the loss has a kink within h, as relu's at 0; they don't count for `error`
    zero: bool  # whether all are 0 but for rounding: then `error` is a share of the step's largest gradient


@dataclass(frozen=True, eq=False)
class Check:
    """The check of all gradients of a step."""

    arrays: tuple[Checked, ...]
    step: float

    @property
    def error(self) -> float:
        """The largest of the arrays' errors."""
        return float(np.max([c.error for c in self.arrays], initial=0.0))  # NaN is the largest

    def of(self, path: str) -> Checked | None:
        """The check of one array of weights."""
        return next((c for c in self.arrays if c.path == path), None)

    def sentence(self) -> str:
        """What was checked, and the outcome, in English."""
        return self.told()["en"]

    def told(self) -> Text:
        """The same in every language."""
        checked, kinks = sum(c.checked for c in self.arrays), sum(c.kinks for c in self.arrays)
        total = sum(c.numeric.size for c in self.arrays)
        of_all = words.text(
            "all {total:,}" if checked == total else "{checked:,} of {total:,}", total=total, checked=checked
        )
        said = words.text(
            "central differences in float64 of {of_all} gradients: they differ by at most {error:.1e} of the largest "
            "in the same array",
            of_all=of_all,
            error=self.error,
        )
        if kinks:
            said = words.text("{said}; {kinks} at a kink of the loss are left out", said=said, kinks=kinks)
        if zero := [c.path for c in self.arrays if c.zero]:
            paths = words.listed([*zero[:3], *["…"] * (len(zero) > 3)])
            said = words.text(
                "{said}; those of {paths} are 0 but for rounding: of the largest of all", said=said, paths=paths
            )
        return said


def check(loss: Loss, vector: Array, weights: Sequence[tuple[TracedWeight, int]], seed: int = 0) -> Check:
    """Compares gradients with central differences of the loss.

    Args:
        loss: the loss for a vector of all weights, float64.
        vector: the weights before the step.
        weights: each array of weights with its place in the vector; those without a gradient are passed over. Of an
            array with more than 200 numbers, 200 drawn by the seed are checked.
    """
    generator = np.random.default_rng(seed)
    middle = loss(vector)
    gradients = [weight.gradient for weight, _ in weights if weight.gradient is not None]
    overall = float(np.max([np.max(abs(g), initial=0.0) for g in gradients], initial=0.0))
    kind = max((float(np.finfo(g.dtype).eps) for g in gradients), default=0.0)
    rounding = kind * overall + float(np.finfo(np.float64).eps) * abs(middle) / STEP
    checks = []
    for weight, offset in weights:
        if weight.gradient is None:
            continue
        size = weight.before.size
        which = np.arange(size) if size <= MOST else np.sort(generator.choice(size, MOST, replace=False))
        numeric, kinks = np.full(size, np.nan), np.zeros(size, bool)
        for k in which:
            numeric[k], kinks[k] = slope(loss, vector, offset + int(k), middle)
        derived = weight.gradient.ravel().astype(np.float64)
        judged = which[~kinks[which]]
        own = float(np.max(abs(np.append(derived, numeric[judged]))))
        zero = 0 < own <= ZERO * rounding
        largest = max(overall if zero else own, float(np.finfo(np.float32).tiny))
        error = float(np.max(abs(numeric[judged] - derived[judged]), initial=0.0)) / largest
        shaped = numeric.reshape(weight.before.shape)
        checks.append(Checked(weight.path, shaped, len(which), error, int(kinks.sum()), zero))
    return Check(tuple(checks), STEP)


def slope(loss: Loss, vector: Array, place: int, middle: float) -> tuple[float, bool]:
    """The central difference with respect to one weight, and whether the loss has a kink there."""
    h = STEP * max(1.0, abs(float(vector[place])))
    result, bend = slopes(loss, vector, place, middle, h)
    if not bend > KINK * abs(result):
        return result, False
    nearer, rest = slopes(loss, vector, place, middle, h / NEARER)  # where the loss is only curved, they differ less
    return nearer, rest > 2 * bend / NEARER


def slopes(loss: Loss, vector: Array, place: int, middle: float, h: float) -> tuple[float, float]:
    """The central difference, and by how much the slopes to either side differ."""
    kept = vector[place]
    vector[place] = kept + h
    above, right = loss(vector), vector[place] - kept
    vector[place] = kept - h
    below, left = loss(vector), kept - vector[place]
    vector[place] = kept
    bend = abs((above - middle) / right - (middle - below) / left)
    return float((above - below) / (right + left)), float(bend)
