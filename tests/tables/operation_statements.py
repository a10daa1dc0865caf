"""What the operations of `operations.py` compute, in the words of NumPy and SciPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from thalweg.program.formula.language import evaluate
from thalweg.program.formula.operations import BINARY, UNARY

ONE: dict[str, Callable[..., Any]] = {name: getattr(np, name) for name in UNARY if hasattr(np, name)}
ONE |= {
    "erf": special.erf,
    "elu": lambda h: np.where(h > 0, h, np.exp(np.minimum(h, 0)) - 1),
    "gelu_approximate": lambda h: h / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3))),
    "leaky_relu": lambda h: np.clip(h, 0, None) + 0.2 * np.clip(h, None, 0),
    "gelu": lambda h: h * special.ndtr(h),
    "relu": lambda h: np.clip(h, 0, None),
    "rsqrt": lambda h: np.where(h < 0, np.nan, h**-0.5),
    "sigmoid": special.expit,
    "silu": lambda h: h * special.expit(h),
    "softplus": lambda h: np.logaddexp(0, h),
}
TWO: dict[str, Callable[..., Any]] = {name: getattr(np, name) for name in BINARY}

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(2, 1000))
X[:60], Y[30:90] = np.round(2 * X[:60]) / 2, np.round(2 * Y[30:90]) / 2
X[:10] = Y[:10]
X[10:20] = 0.0
X, Y = X + 0.0, Y + 0.0  # no −0, whose reciprocal would be −∞
STRANGE = [0.0, 0.5, -0.5, 1.0, -1.0, 1.5, 2.5, -3.0, np.inf, -np.inf, np.nan]
H = np.concatenate([X, 3 * Y, STRANGE])


def check_operation(name: str) -> None:
    """Elementwise on one array or two, to 1e-12, NaN included."""
    with np.errstate(all="ignore"):
        if name in UNARY:
            got, want = evaluate(UNARY[name].value, {"h": H, **UNARY[name].arguments}, np), ONE[name](H)
        else:
            got, want = evaluate(BINARY[name].value, {"x": X, "y": Y}, np), TWO[name](X, Y)
    want = np.asarray(want, np.float64)
    if name in ("silu", "gelu", "gelu_approximate"):  # −∞·0
        got = np.where(np.isneginf(H), want, got)
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
