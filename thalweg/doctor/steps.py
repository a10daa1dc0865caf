"""Rules on the size of steps and on progress: learning rates too high or too low, stalls, trainings ended too early."""

from __future__ import annotations

import numpy as np

from thalweg.doctor.case import Case
from thalweg.doctor.rule import Numbers, Rule

HIGH, LOW = -1.0, -4.0
"""log₁₀ of mean|Δw| / mean|w| beyond which steps are too large and too small."""
EARLY = 0.2
"""The part of the steps in which large ones are usual, and harmful only if nothing is learned thereafter."""
USUAL = -3.0
"""What is recommended (log₁₀, as above)."""
LEAST = -12.0
"""What a step is taken for that changes nothing, although there is a gradient."""
WINDOW, STILL = 3, 3e-3
"""A loss stands still if so many epochs change it by less than this part of the constant answer's loss; …"""
SHORT, HARDLY = 10, 0.01
"""… in longer trainings, if the means of such parts of the epochs differ by less than this."""
FALLING = 0.015
"""A loss still falls if a tenth of the epochs takes away this part of the constant answer's loss, twice running."""
FAST = 0.05
"""A fall by this part is harm in itself: so much is still to be gained."""


def ratios(case: Case) -> np.ndarray:
    """log₁₀ of mean|Δw| / mean|w| of the middle layer, (samples,); NaN where nothing is known."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(case.statistic("update_ratio"))
    too_small_for_float32 = np.isneginf(logs) & (case.statistic("gradient_norm") > 0)
    logs[~np.isfinite(logs)] = np.nan
    logs[too_small_for_float32] = LEAST
    known = ~np.isnan(logs).all(axis=1)
    middle = np.full(len(logs), np.nan)
    if known.any():
        middle[known] = np.nanmedian(logs[known], axis=1)
    return middle


def too_high(case: Case) -> Numbers | None:
    if not case.poor:
        return None
    middle = ratios(case)
    above = middle > HIGH
    late = above[:-1] & (case.recording.iterations[:-1] >= EARLY * case.recording.iterations[-1])
    if not (late & above[1:]).any() and not (case.ever_twice(above) and case.nothing_learned):
        return None
    ratio, rate = float(np.nanmax(middle[above])), float(case.rates.max())
    return case.harm | {"ratio": ratio, "rate": rate, "try": rate * 10 ** max(USUAL - ratio, -3)}


def too_low(case: Case) -> Numbers | None:
    if not case.poor or case.diverged:
        return None
    middle = ratios(case)
    below = middle < LOW
    if not below[-2:].all() or below.mean() < 0.8:
        return None
    ratio, rate = float(np.nanmedian(middle)), float(case.rates.max())
    return case.harm | {"ratio": ratio, "rate": rate, "try": rate * 10 ** min(USUAL - ratio, 6)}


def stalled(case: Case) -> Numbers | None:
    constant = case.constant
    assert constant is not None
    if not case.poor or case.diverged or len(case.loss) < 2 * WINDOW + 1:
        return None
    window = len(case.loss) // SHORT
    if window > WINDOW:  # their means: a batch more or less easy moves the loss of an epoch
        before, between, now = case.loss[-3 * window :].reshape(3, window).mean(axis=1)
    else:
        window = WINDOW
        before, between, now = case.loss[-2 * WINDOW - 1], case.loss[-WINDOW - 1], case.loss[-1]
    if max(abs(before - between), abs(between - now)) > (HARDLY if window > WINDOW else STILL) * constant:
        return None
    return case.harm | {"epochs": 2 * window, "moved": abs(before - now) / constant}


def still_falling(case: Case) -> Numbers | None:
    constant = case.constant
    assert constant is not None
    if case.diverged or len(case.loss) < 4:
        return None
    held = case.held_loss if len(case.held_loss) == len(case.loss) else case.loss
    window = max(1, len(case.loss) // 10)
    falls = [
        min((values[-1 - window * (k + 1)] - values[-1 - window * k]) / constant for values in (case.loss, held))
        for k in (0, 1)
    ]
    if min(falls) < FALLING or falls[0] < falls[1] / 3:
        return None
    if not case.poor and min(falls) < FAST:
        return None
    rates = case.rates
    if len(rates) and rates[-1] < 0.05 * rates.max():
        return None  # a schedule has brought it to its end
    return case.harm | {"fall": falls[0], "window": window, "epochs": len(case.loss), "more": 2 * len(case.loss)}


STEP_SIZE = "a step changes the weights by 10^{ratio:.1f} of their size, where 10^−3 is usual; {harm}"
OTHER_RATE = "Give the optimizer learning_rate={try:.1g} instead of {rate:.2g}."

RULES = [
    Rule(
        name="learning rate too high",
        symptom=f"log₁₀ of (mean size of Δw / mean size of w) is above {HIGH:g} in two consecutive samples",
        harm=f"poor progress; if it was in the first {EARLY:.0%} of the steps, next to none",
        needs=("samples", "course"),
        yields_to=("symmetry",),
        check=too_high,
        sentence="The learning rate is too high.",
        evidence=STEP_SIZE,
        remedy=OTHER_RATE,
    ),
    Rule(
        name="learning rate too low",
        symptom=f"log₁₀ of (mean size of Δw / mean size of w) is below {LOW:g} in the last two samples, and in 80 "
        f"% of all",
        harm="poor progress",
        needs=("samples", "course"),
        yields_to=("dead units", "symmetry", "vanishing gradients", "saturated units", "unscaled inputs"),
        check=too_low,
        sentence="The learning rate is too low.",
        evidence=STEP_SIZE,
        remedy=OTHER_RATE,
    ),
    Rule(
        name="stalled",
        symptom=f"the loss has moved by less than {STILL:.1%} of the constant answer's in {WINDOW} epochs, or its "
        f"mean by less than {HARDLY:.0%} in a tenth of {SHORT * (WINDOW + 1)} epochs or more, twice running",
        harm="poor progress",
        needs=("constant", "course"),
        yields_to=("dead units", "symmetry", "vanishing gradients", "saturated units", "learning rate too low",
                   "learning rate too high", "loss that doesn't fit", "unscaled inputs"),
        check=stalled,
        sentence="The training has come to a standstill before it has learned much.",
        evidence="in the last {epochs} epochs the loss moved by {moved:.2%} of the constant answer's; {harm}",
        remedy="It sits in a valley of its own or on a plain: try another seed, a larger learning_rate, or "
        "more units.",
    ),
    Rule(
        name="still falling",
        severity="note",
        symptom=f"the last tenth of the epochs took away {FALLING:.1%} of the constant answer's loss, and so did "
        f"the tenth before",
        harm=f"poor progress so far, or a fall of {FAST:.0%} each time: the training ended too early",
        thorough=True,
        needs=("constant", "course"),
        yields_to=("learning rate too low",),
        check=still_falling,
        sentence="The loss was still falling when the training ended.",
        evidence="the last {window} of {epochs} epochs took away {fall:.1%} of the constant answer's loss; {harm}",
        remedy="Train longer (epochs={more}), or give the optimizer a larger learning_rate.",
    ),
]  # fmt: skip
