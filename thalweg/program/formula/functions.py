"""The functions of formulas: the value of each in any array library, its native code, and how it is printed."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any, NamedTuple


class Function(NamedTuple):
    """One function of the language. The texts have placeholders for the arguments: {0}, {1}, …"""

    value: Callable[..., Any]  # (xp, *arguments), xp NumPy or a library with its functions
    native: str  # empty for min and max: generated/code.py writes these, as it knows which argument can be NaN
    shown: str  # with placeholders, or a formula of x that defines it
    also: tuple[str, ...] = ()  # the functions that one call of the native code computes, in the order of its results
    near: str = ""  # faster native code, that of a loop in which every |argument| is at most 2²⁰


def same(name: str, native: str, shown: str) -> Function:
    """A function that has this name in array libraries."""
    return Function(lambda xp, *arguments: getattr(xp, name)(*arguments), native, shown)


def special(xp: Any) -> Any:
    """The special functions of an array library; NumPy's are in SciPy."""
    home = xp.__name__.partition(".")[0]
    return importlib.import_module("scipy.special" if home == "numpy" else f"{home}.scipy.special")


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


NORMAL, GATE = ("normal", "normal_density"), ("mish_gate", "mish_gate_slope")

FUNCTIONS = {
    "exp": same("exp", "maths.exp({0})", "e^{0}"),
    "expm1": same("expm1", "maths.expm1({0})", "exp(x) - 1"),
    "log": same("log", "maths.log({0})", "ln({0})"),
    "log1p": same("log1p", "maths.log1p({0})", "log(1 + x)"),
    "sqrt": same("sqrt", "np.sqrt({0})", "√({0})"),
    "abs": same("abs", "abs({0})", "|{0}|"),
    "sign": same("sign", "maths.sign({0})", "sign({0})"),
    "sin": same("sin", "maths.sin({0})", "sin({0})")._replace(near="maths.near_sin({0})"),
    "cos": same("cos", "maths.cos({0})", "cos({0})")._replace(near="maths.near_cos({0})"),
    "arctan": same("arctan", "maths.atan({0})", "arctan({0})"),
    "arctan2": same("arctan2", "maths.atan2({0}, {1})", "arctan2({0}, {1})"),
    "sinh": same("sinh", "maths.sinh({0})", "sinh({0})"),
    "cosh": same("cosh", "maths.cosh({0})", "cosh({0})"),
    "tanh": same("tanh", "maths.tanh({0})", "tanh({0})"),
    "floor": same("floor", "np.floor({0})", "floor({0})"),
    "ceil": same("ceil", "np.ceil({0})", "ceil({0})"),
    "round": same("rint", "np.rint({0})", "round({0})"),
    "mod": same("mod", "maths.mod({0}, {1})", "mod({0}, {1})"),
    "floor_divide": same("floor_divide", "maths.floor_divide({0}, {1})", "floor({0}/{1})"),
    "pow": Function(power, "maths.signed_power({0}, {1})", "pow({0}, {1})"),
    "min": same("minimum", "", "min({0}, {1})"),
    "max": same("maximum", "", "max({0}, {1})"),
    "where": same("where", "select({0}, {1}, {2})", "({0} ? {1} : {2})"),
    "sigmoid": Function(sigmoid, "maths.sigmoid({0})", "σ({0})"),
    "softplus": Function(softplus, "maths.softplus({0})", "log(1 + exp(x))"),
    "logcosh": Function(logcosh, "maths.logcosh({0})", "ln cosh({0})"),
    "tanh_shrink": Function(lambda xp, x: x - xp.tanh(x), "maths.tanh_shrink({0})", "x - tanh(x)"),
    "erf": Function(lambda xp, x: special(xp).erf(x), "maths.erf({0})", "erf({0})"),
    "normal": Function(lambda xp, x: special(xp).ndtr(x), "maths.normal({0})", "Φ({0})", NORMAL),
    "normal_density": Function(normal_density, "maths.normal({0})", "φ({0})", NORMAL),
    "pochhammer": Function(pochhammer, "maths.pochhammer({0}, {1}, {2})", "Π_{{k<{2}}} (1 − {0}·{1}^k)"),
    "mish_gate": Function(
        lambda xp, x: xp.tanh(softplus(xp, x)), "maths.mish_gate({0})", "tanh(log(1 + exp(x)))", GATE
    ),
    "mish_gate_slope": Function(
        mish_gate_slope, "maths.mish_gate({0})", "(1 - tanh(log(1 + exp(x)))**2) * sigmoid(x)", GATE
    ),
}
