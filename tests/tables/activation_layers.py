"""Rows of the layers' table: activations and noise as layers, and formulas."""

import math
from typing import Any

from thalweg import activations
from thalweg.initializers import Constant
from thalweg.layers import (
    ELU,
    Activation,
    ActivityRegularization,
    AlphaDropout,
    GaussianDropout,
    GaussianNoise,
    Layer,
    PReLU,
    ReLU,
    Softmax,
)

BOWL = activations.custom("bowl", lambda h: math.sqrt(1 + h * h) - 1, lambda h: h / math.sqrt(1 + h * h))
CUSTOM_OBJECTS = {"bowl": BOWL}

ACTIVATION_LAYERS: dict[type[Layer], list[tuple[Any, tuple[int, ...], tuple[int, ...], int]]] = {
    Activation: [
        (lambda: Activation("tanh"), (3, 2), (3, 2), 0),
        (lambda: Activation("softmax"), (3,), (3,), 0),
        (lambda: Activation("glu"), (4, 6), (4, 3), 0),
        (lambda: Activation("x * sigmoid(1.702 * x)"), (3,), (3,), 0),
        (lambda: Activation("max(x, 0) + a * min(x, 0)", parameters={"a": 0.25}), (2, 3), (2, 3), 3),
        (lambda: Activation(BOWL), (2, 3), (2, 3), 0),
        (lambda: Activation("k * x + b * tanh(x)", constants={"k": 0.1}, parameters={"b": "ones"}), (3,), (3,), 3),
    ],
    PReLU: [
        (lambda: PReLU(), (3,), (3,), 3),
        (lambda: PReLU(Constant(0.25), "l2", "non_neg", [1]), (2, 3), (2, 3), 3),
        (lambda: PReLU("random_normal", shared_axes=(1, 2)), (4, 3, 2), (4, 3, 2), 2),
        (lambda: PReLU("random_normal", shared_axes=3), (4, 3, 2), (4, 3, 2), 12),
        (lambda: PReLU(Constant(0.25), shared_axes=[1, 3]), (4, 3, 2), (4, 3, 2), 3),
    ],
    ActivityRegularization: [(lambda: ActivityRegularization(0.01, 0.02), (2, 3), (2, 3), 0)],
    ELU: [(lambda: ELU(0.5), (3,), (3,), 0)],
    ReLU: [(lambda: ReLU(), (3,), (3,), 0), (lambda: ReLU(6, 0.1, 0.5), (2, 3), (2, 3), 0)],
    Softmax: [(lambda: Softmax(), (2, 3), (2, 3), 0)],
    GaussianNoise: [(lambda: GaussianNoise(0.1), (3,), (3,), 0)],
    GaussianDropout: [(lambda: GaussianDropout(0.2, seed=7), (2, 3), (2, 3), 0)],
    AlphaDropout: [(lambda: AlphaDropout(0.2), (3,), (3,), 0)],
}
