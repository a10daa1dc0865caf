"""The functions of formulas: the value of each in any array library, and how it is printed."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any, NamedTuple


class Function(NamedTuple):
    """One function of the language. The texts have placeholders for the arguments: {0}, {1}, …"""

    value: Callable[..., Any]  # (xp, *arguments), xp NumPy or a library with its functions
    shown: str  # with placeholders, or a formula of x that defines it


def same(name: str, shown: str) -> Function:
    """A function that has this name in array libraries."""
    return Function(lambda xp, *arguments: getattr(xp, name)(*arguments), shown)


def ndtr(x: float) -> float:
    """Φ(x), the share of a normal distribution below x."""
    return math.erfc(-x * math.sqrt(0.5)) / 2


def special(xp: Any, of_one: Callable[[float], float], x: Any) -> Any:
    """A function that array libraries have under SciPy's name; NumPy has none and takes that of one number."""
    if xp.__name__ != "numpy":
        home = xp.__name__.partition(".")[0]
        return getattr(importlib.import_module(f"{home}.scipy.special"), of_one.__name__)(x)
    x = xp.asarray(x)
    return xp.asarray(xp.frompyfunc(of_one, 1, 1)(x), xp.result_type(x.dtype, xp.float32))


def sigmoid(xp: Any, x: Any) -> Any:
    """1/(1 + e⁻ˣ), without overflow."""
    e = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1, e) / (1 + e)


def softplus(xp: Any, x: Any) -> Any:
    """ln(1 + eˣ), without overflow."""
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


def logcosh(xp: Any, x: Any) -> Any:
    """ln(1 + 2·sinh²(x/2)); for large |x|, where that overflows, |x| + ln(1 + e^−2|x|) − ln 2."""
    t = xp.abs(x)
    near = xp.log1p(2 * xp.sinh(xp.minimum(t, 1) / 2) ** 2)
    return xp.where(t < 1, near, t + xp.log1p(xp.exp(-2 * t)) - math.log(2))


def mish_gate_slope(xp: Any, x: Any) -> Any:
    """(1 − tanh²(ln(1 + eˣ)))·σ(x) = 4(n + 1)/(n + 2)²·σ(x) with n = eˣ(eˣ + 2)."""
    u = xp.exp(xp.minimum(x, 30))
    n = u * (u + 2)
    return 4 * (n + 1) / (n + 2) ** 2 * sigmoid(xp, x)


def normal_density(xp: Any, x: Any) -> Any:
    return xp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def power(xp: Any, x: Any, y: Any) -> Any:
    """xʸ; of −∞ and ½ it is ∞, as in IEEE 754, where NumPy takes the root."""
    z = xp.power(x, y)
    return xp.where((x == -math.inf) & (y == 0.5), math.inf, z).astype(z.dtype) if z.dtype.kind == "f" else z


def pochhammer(xp: Any, a: float, q: float, n: Any) -> Any:
    """The q-Pochhammer symbol (a; q)ₙ = Π (1 − a·qᵏ) for k < n, for scalars 0 ≤ a < ½, 0 ≤ q < 1."""
    k = xp.arange(2000)
    return xp.cumprod(xp.where(k < n, 1 - a * q**k, 1))[-1]


FUNCTIONS = {
    "exp": same("exp", "e^{0}"),
    "expm1": same("expm1", "exp(x) - 1"),
    "log": same("log", "ln({0})"),
    "log1p": same("log1p", "log(1 + x)"),
    "sqrt": same("sqrt", "√({0})"),
    "abs": same("abs", "|{0}|"),
    **{
        name: same(name, f"{name}({{0}})")
        for name in ("sign", "sin", "cos", "arctan", "sinh", "cosh", "tanh", "floor", "ceil")
    },
    "round": same("rint", "round({0})"),
    "arctan2": same("arctan2", "arctan2({0}, {1})"),
    "mod": same("mod", "mod({0}, {1})"),
    "floor_divide": same("floor_divide", "floor({0}/{1})"),
    "pow": Function(power, "pow({0}, {1})"),
    "min": same("minimum", "min({0}, {1})"),
    "max": same("maximum", "max({0}, {1})"),
    "where": same("where", "({0} ? {1} : {2})"),
    "sigmoid": Function(sigmoid, "σ({0})"),
    "softplus": Function(softplus, "log(1 + exp(x))"),
    "logcosh": Function(logcosh, "ln cosh({0})"),
    "tanh_shrink": Function(lambda xp, x: x - xp.tanh(x), "x - tanh(x)"),
    "erf": Function(lambda xp, x: special(xp, math.erf, x), "erf({0})"),
    "normal": Function(lambda xp, x: special(xp, ndtr, x), "Φ({0})"),
    "normal_density": Function(normal_density, "φ({0})"),
    "pochhammer": Function(pochhammer, "Π_{{k<{2}}} (1 − {0}·{1}^k)"),
    "mish_gate": Function(lambda xp, x: xp.tanh(softplus(xp, x)), "tanh(log(1 + exp(x)))"),
    "mish_gate_slope": Function(mish_gate_slope, "(1 - tanh(log(1 + exp(x)))**2) * sigmoid(x)"),
}
