"""Rules on losses that grow: values that aren't finite, bad starts, divergence, oscillation, exploding gradients."""

from __future__ import annotations

import numpy as np

from thalweg import words
from thalweg.doctor.case import Case
from thalweg.doctor.rule import Numbers, Rule

START = 2.0
"""A start is bad if the first loss is above this many times that of a constant answer …"""
SURE = 1.5
"""… and this many times that of equal probabilities for all classes …"""
WASTED = 0.1
"""… and the training has spent this part of its epochs, and two at least, to come down to that answer."""
GROWN = 2.0
"""A loss diverges if it is above this many times its least value so far."""
TURNS = 0.5
"""The share of the differences between epochs that change sign in an oscillation …"""
SWING = 0.03
"""… whose mean size is above this part of the constant answer's loss …"""
LOST = 0.1
"""… and that has cost this part of it: so far is the loss above the least one."""
WINDOW = 10
"""The epochs of a window; two windows are compared."""
ACROSS = 1e3
"""A gradient explodes if the first layer's norm is above this many times the last one's …"""
BESIDE = 100.0
"""… or a layer's norm above this many times that of its weights, and above this."""


def not_finite(case: Case) -> Numbers | None:
    if not case.diverged:
        return None
    data = not case.blown_up
    return {
        "what": case.diverged,
        "remedy": words.text(
            "Fill in or drop the missing values in x and y."
            if data
            else "Give the optimizer a smaller learning_rate, or clipnorm=1.0; scale the inputs to about −1 … 1."
        ),
    }


def bad_start(case: Case) -> Numbers | None:
    constant = case.constant
    assert constant is not None
    losses = case.recording.batch_losses if len(case.recording.batch_losses) else case.loss
    if not len(losses):
        return None  # it failed in the first step
    first = float(losses[0])
    spent = int(np.argmax(case.gone > 0)) if (case.gone > 0).any() else len(case.gone)
    equal = np.log(len(case.shares)) if case.shares is not None else 0.0  # the loss of equal probabilities
    first -= float(case.facts.get("initial_penalty") or 0.0)
    epochs = max(len(case.gone), int(case.facts.get("epochs") or 0) if not case.facts.get("stopped") else 0)
    if first <= max(START * constant, SURE * equal) or spent < max(2, WASTED * epochs):
        return None
    classes = case.shares is not None
    return {
        "first": first,
        "constant": constant,
        "spent": spent,
        "epochs": len(case.gone),
        "what": words.text("the inputs") if classes else words.text("inputs and target"),
    }


def diverging(case: Case) -> Numbers | None:
    if case.diverged:
        return None  # which has been said
    loss = case.loss
    before = np.minimum.accumulate(loss)[:-1]
    level = case.constant if case.constant is not None else float(loss[0])
    grown = (loss[1:] > GROWN * before) & (loss[1:] > level)
    if len(grown) < 2 or not grown[-2:].all():
        return None
    return {"loss": float(loss[-1]), "least": float(loss.min()), "epoch": int(loss.argmin()) + 1, "level": level}


def oscillation(case: Case) -> Numbers | None:
    constant = case.constant
    assert constant is not None
    if len(case.loss) < 2 * WINDOW + 1:
        return None
    changes = np.diff(case.loss[-2 * WINDOW - 1 :])
    windows = changes.reshape(2, WINDOW)
    turns = (np.sign(changes[1:]) != np.sign(changes[:-1])).mean()
    swings = np.abs(windows).mean(axis=1) / constant
    recent, earlier = case.loss[-WINDOW:].mean(), case.loss[-2 * WINDOW : -WINDOW].mean()
    better = (earlier - recent) / constant
    if recent - case.loss.min() < LOST * constant:
        return None  # it swings about the best that it has reached
    if turns < TURNS or (swings < SWING).any() or better > swings.min() / 2:
        return None
    return {"swing": swings.mean(), "turns": turns, "epochs": 2 * WINDOW, "least": case.loss.min(), "loss": recent}


def exploding(case: Case) -> Numbers | None:
    gradients, weights = case.statistic("gradient_norm"), case.statistic("weight_norm")
    if not case.poor or gradients.shape[1] < 2:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        across = gradients[:, :1] / gradients[:, -1:]
        beside = gradients / np.maximum(weights, 1.0)  # weights that begin at 0 are no evidence
    beside[~np.isfinite(beside)] = 0.0
    first, last = case.recording.layers[0], case.recording.layers[-1]
    if case.ever_twice(across > ACROSS)[0]:
        than = words.text("of {last}", last=last)
        return case.harm | {"layer": first, "times": float(across[across > ACROSS].max()), "than": than}
    twice = case.ever_twice(beside > BESIDE)
    if twice.any():
        place = int(np.where(twice, beside.max(axis=0), 0).argmax())
        than = words.text("of its weights")
        layer = case.recording.layers[place]
        return case.harm | {"layer": layer, "times": float(beside[:, place].max()), "than": than}
    return None


RULES = [
    Rule(
        name="not finite",
        severity="error",
        symptom="loss, weights or the optimizer's vectors became NaN or infinite",
        harm="`fit` has stopped",
        check=not_finite,
        sentence="The training stopped at a number that isn't finite.",
        evidence="{what}",
        remedy="{remedy}",
    ),
    Rule(
        name="bad start",
        symptom=f"the first loss is above {START:g} × that of a constant answer (of classes: the entropy of their "
        f"shares, and {SURE:g} × that of equal shares)",
        harm=f"it takes two epochs, and {WASTED:.0%} of all, to come down to that answer",
        needs=("constant", "course"),
        check=bad_start,
        sentence="The training starts far from the target: its first epochs only make up for the initial weights.",
        evidence="the first loss is {first:.4g}, a constant answer has {constant:.4g}, and it took {spent} of "
        "{epochs} epochs to get below that",
        remedy="Draw smaller initial weights (kernel_initializer='glorot_uniform', bias_initializer='zeros'), "
        "and scale {what} to about −1 … 1.",
    ),
    Rule(
        name="diverging",
        severity="error",
        symptom=f"the loss is above {GROWN:g} × its least value so far",
        harm="and above that of a constant answer, in the last two epochs",
        needs=("course",),
        check=diverging,
        sentence="The loss grows instead of falling.",
        evidence="the loss is {loss:.4g}; it was {least:.4g} in epoch {epoch}, and a constant answer has {level:.4g}",
        remedy="Give the optimizer a learning_rate ten times smaller, or clipnorm=1.0.",
    ),
    Rule(
        name="oscillation",
        symptom=f"the loss turns at {TURNS:.0%} of the epochs, by {SWING:.0%} of the constant answer's loss on average",
        harm=f"the last {WINDOW} epochs are hardly better than those before, and worse than the best by {LOST:.0%}",
        needs=("constant", "course"),
        yields_to=("not finite", "diverging"),
        check=oscillation,
        sentence="The loss jumps up and down without getting better.",
        evidence="over the last {epochs} epochs it changed by {swing:.0%} of the constant answer's loss from "
        "one to the next, and turned at {turns:.0%} of them; its mean is {loss:.4g}, and it has been "
        "{least:.4g}",
        remedy="Give the optimizer a smaller learning_rate, or let it fall (schedules.CosineDecay); or a "
        "larger batch_size.",
    ),
    Rule(
        name="exploding gradients",
        symptom=f"the norm of the first layer's gradient is above {ACROSS:g} × the last one's, or a layer's above "
        f"{BESIDE:g} × that of its weights, in two consecutive samples",
        harm="poor progress",
        needs=("samples", "course"),
        check=exploding,
        sentence="The gradients explode.",
        evidence="the norm of {layer}'s gradient is {times:.3g} times that {than}; {harm}",
        remedy="Give the optimizer clipnorm=1.0, draw smaller initial weights "
        "(kernel_initializer='he_normal'), or put BatchNormalization between the layers.",
    ),
]
