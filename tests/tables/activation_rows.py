"""An independent statement of every activation, in plain NumPy and SciPy: a row each, a second one for arguments.

A new activation needs a row here: its name, arguments if it has any, and its equation in other words than the
catalogue's. Its values and, by central differences, its slopes are compared with it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

Array = NDArray[Any]


class Row(NamedTuple):
    """Of the catalogue's function with these arguments, the value at h; h is kept within `among` where it is tried."""

    name: str
    statement: Callable[..., Array]
    arguments: dict[str, Any] = {}  # noqa: RUF012 — read only
    among: tuple[float, float] = (-1e4, 1e4)


def piecewise(h: Array, *pieces: Any) -> Array:
    """piecewise(h, 0, f, 1, g) is 0 below, f between 0 and 1, and so on: alternately values and where they end."""
    result = np.broadcast_to(pieces[-1], h.shape)
    for value, end in zip(pieces[-3::-2], pieces[-2::-2], strict=True):
        result = np.where(h < end, value, result)
    return result


def projected(h: Array) -> Array:
    """The nearest point among the probabilities: max(h − τ, 0) with the τ for which Σ = 1, found by bisection."""
    rows = []
    for row in h.reshape(-1, h.shape[-1]):
        tau = optimize.brentq(lambda t: np.maximum(row - t, 0).sum() - 1, row.min() - 1, row.max(), xtol=1e-14)  # noqa: B023
        rows.append(np.maximum(row - tau, 0))
    return np.reshape(rows, h.shape)


def gated(h: Array) -> Array:
    x, g = np.split(h, 2, axis=-1)
    return x * special.expit(g)


ROWS = [
    Row("linear", lambda h: h),
    Row("sigmoid", special.expit),
    Row("tanh", lambda h: 2 * special.expit(2 * h) - 1),
    Row("relu", lambda h: (h + abs(h)) / 2),
    Row(
        "relu",
        lambda h, negative_slope, max_value, threshold: piecewise(
            h, negative_slope * (h - threshold), threshold, h, max_value, max_value
        ),
        {"negative_slope": 0.1, "max_value": 5.0, "threshold": 1.25},
    ),
    Row("leaky_relu", lambda h: np.maximum(h, h / 5)),
    Row("leaky_relu", lambda h, negative_slope: np.maximum(h, negative_slope * h), {"negative_slope": 0.35}),
    Row("relu6", lambda h: np.clip(h, 0, 6)),
    Row("elu", lambda h: np.maximum(h, 0) + np.exp(np.minimum(h, 0)) - 1),
    Row("elu", lambda h, alpha: np.maximum(h, 0) + alpha * (np.exp(np.minimum(h, 0)) - 1), {"alpha": 0.7}),
    Row("celu", lambda h: np.maximum(h, 0) + np.exp(np.minimum(h, 0)) - 1),
    Row("celu", lambda h, alpha: np.maximum(h, 0) + alpha * (np.exp(np.minimum(h, 0) / alpha) - 1), {"alpha": 0.7}),
    Row(  # the numbers of Klambauer et al.
        "selu",
        lambda h: 1.0507009873554805 * np.where(h > 0, h, 1.6732632423543772 * (np.exp(np.minimum(h, 0)) - 1)),
    ),
    Row("gelu", lambda h: h * special.erfc(-h / np.sqrt(2)) / 2),
    Row(
        "gelu",
        lambda h, approximate: h / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3))),
        {"approximate": True},
        (-4, 1e4),
    ),
    Row("silu", lambda h: h * special.expit(h)),
    Row("mish", lambda h: h * np.tanh(np.logaddexp(0, h))),
    Row("golu", lambda h: h / np.exp(np.exp(-h)), among=(-6, 1e4)),
    Row("lisht", lambda h: abs(h) * (1 - 2 * special.expit(-2 * abs(h)))),
    Row("softplus", lambda h: np.logaddexp(0, h)),
    Row("softsign", lambda h: np.sign(h) - np.sign(h) / (1 + abs(h))),
    Row("exponential", lambda h: np.exp(h / 2) ** 2, among=(-60, 3)),
    Row("hard_sigmoid", lambda h: np.clip((h + 3) / 6, 0, 1)),
    Row("hard_silu", lambda h: piecewise(h, 0, -3, h * (h + 3) / 6, 3, h)),
    Row("hard_tanh", lambda h: np.clip(h, -1, 1)),
    Row("hard_shrink", lambda h: h * (abs(h) > 0.5)),
    Row("hard_shrink", lambda h, threshold: h * (abs(h) > threshold), {"threshold": 1.25}),
    Row("soft_shrink", lambda h: np.sign(h) * np.maximum(abs(h) - 0.5, 0)),
    Row("soft_shrink", lambda h, threshold: np.sign(h) * np.maximum(abs(h) - threshold, 0), {"threshold": 1.25}),
    Row("tanh_shrink", lambda h: h + 1 - 2 * special.expit(2 * h)),
    Row("log_sigmoid", special.log_expit),
    Row("squareplus", lambda h: 2 / (np.sqrt(h**2 + 4) - h), among=(-1e4, 60)),
    Row("squareplus", lambda h, b: b / (np.sqrt(h**2 + b) - h) / 2, {"b": 1.5}, (-1e4, 60)),
    Row("sparse_plus", lambda h: piecewise(h, 0, -1, (h**2 + 2 * h + 1) / 4, 1, h)),
    Row("sparse_sigmoid", lambda h: np.clip(h / 2 + 0.5, 0, 1)),
    Row(
        "threshold",
        lambda h, threshold, default_value: piecewise(h, default_value, threshold, h),
        {"threshold": 0.5, "default_value": 0.25},
    ),
    Row("step", lambda h: np.heaviside(h, 1)),
    Row("gaussian", lambda h: 1 / np.exp(h * h), among=(-9, 9)),
    Row("sine", lambda h: np.cos(h - np.pi / 2)),
    Row("arctan", lambda h: np.angle(1 + 1j * h)),
    Row("bent_identity", lambda h: (np.hypot(h, 1) - 1) / 2 + h),
    Row("softmax", lambda h: special.softmax(h, axis=-1)),
    Row("log_softmax", lambda h: special.log_softmax(h, axis=-1)),
    Row("sparsemax", projected, among=(-60, 60)),
    Row("glu", gated),
]
