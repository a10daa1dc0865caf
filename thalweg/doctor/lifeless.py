"""Rules on units that can't learn: dead, saturated, all equal; and on gradients that vanish on the way to them."""

from __future__ import annotations

import numpy as np

from thalweg.doctor.case import Case, last_two
from thalweg.doctor.rule import Numbers, Rule

HALF = 0.5
"""A layer suffers if half of its units do."""
VANISHED = 1e-3
"""How small the first layer's gradient is, as a part of the last one's."""
STARTED = 1e-4
"""The mean size of a layer's weights from which they count as trained, where they begin at 0."""


def worst_layer(case: Case, name: str) -> tuple[str, float] | None:
    """Of the hidden layers in which at least half suffered in the last two samples, the worst, and its share."""
    values = case.statistic(name)[:, case.hidden]
    if not values.size:
        return None
    suffering = last_two(np.nan_to_num(values, nan=0.0) >= HALF)
    if not suffering.any():
        return None
    place = int(np.where(suffering, np.nan_to_num(values[-1], nan=0.0), -1).argmax())
    return case.recording.layers[case.hidden[place]], float(values[-1, place])


def suffering(case: Case, name: str) -> Numbers | None:
    """Half of a layer's units suffer, and progress is poor."""
    if not case.poor:
        return None
    worst = worst_layer(case, name)
    return None if worst is None else case.harm | {"layer": worst[0], "share": worst[1]}


def dead(case: Case) -> Numbers | None:
    return suffering(case, "dead")


def saturated(case: Case) -> Numbers | None:
    return suffering(case, "saturated")


def symmetry(case: Case) -> Numbers | None:
    return suffering(case, "equal_units")


def vanishing(case: Case) -> Numbers | None:
    gradients = case.statistic("gradient_norm")
    if not case.poor or gradients.shape[1] < 2:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        across = gradients[:, 0] / gradients[:, -1]
    begun = (case.statistic("weight_mean_abs") > STARTED).all(axis=1)  # weights of 0 let nothing through either
    small = (across < VANISHED) & (gradients[:, -1] > 0) & begun
    if not small[-2:].all():
        return None
    first, last = case.recording.layers[0], case.recording.layers[-1]
    return case.harm | {"times": float(across[-1]), "first": first, "last": last}


RULES = [
    Rule(
        name="dead units",
        symptom="at least half of a hidden layer's units have pre-activations ≤ 0 for all rows, in the last two "
        "samples",
        harm="poor progress",
        needs=("samples", "course"),
        yields_to=("symmetry",),
        check=dead,
        sentence="{share:.0%} of the units of {layer} are dead.",
        evidence="their pre-activation is at most 0 for every row, so that no gradient passes; {harm}",
        remedy="Use activation='leaky_relu' or 'elu', kernel_initializer='he_normal', or a smaller learning_rate.",
    ),
    Rule(
        name="saturated units",
        symptom="more than half of a hidden layer's pre-activations are at least 5 in size, in the last two samples",
        harm="poor progress",
        needs=("samples", "course"),
        yields_to=("symmetry",),
        check=saturated,
        sentence="The units of {layer} are saturated.",
        evidence="{share:.0%} of its pre-activations are at least 5 in size, where its activation is flat; {harm}",
        remedy="Scale the inputs to about −1 … 1, draw smaller initial weights "
        "(kernel_initializer='glorot_uniform'), or put BatchNormalization before the activation.",
    ),
    Rule(
        name="symmetry",
        symptom="at least half of a hidden layer's units have a twin with the same weights, in the last two samples",
        harm="poor progress",
        needs=("samples", "course"),
        check=symmetry,
        sentence="Units of {layer} are equal, and stay so.",
        evidence="{share:.0%} of them have a twin with the same weights, so that they get the same gradient; {harm}",
        remedy="Draw the initial weights at random: kernel_initializer='glorot_uniform' instead of "
        "'zeros' or a constant.",
    ),
    Rule(
        name="vanishing gradients",
        symptom=f"the first layer's gradient is below {VANISHED:g} × the last one's, in the last two samples",
        harm="poor progress",
        needs=("samples", "course"),
        yields_to=("dead units", "saturated units", "symmetry"),
        check=vanishing,
        sentence="The gradient vanishes on its way to the first layer.",
        evidence="the gradient of {first} is {times:.2g} times that of {last}; {harm}",
        remedy="Use activation='relu' with kernel_initializer='he_normal', fewer layers, BatchNormalization, "
        "or layers.Residual.",
    ),
]
