"""The operations of `thalweg.ops` that work element by element: each one's value and derivatives, stated once.

At a kink, where a derivative has two sides: the larger or smaller of two equal numbers gives half of it to each, and
|x| and sign(x) have the derivative 0 at 0, as in JAX.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from thalweg.program.formula.equation import Equation
from thalweg.program.formula.language import names_in, within


@dataclass(frozen=True)
class Operation:
    """z = f(x, y, …) of single numbers, and its derivatives, as texts in the language of formulas.

    A slope is a formula in the operands. Where there is none, nothing flows back. `combine` says how the values
    become one along the axes that z lacks: their sum, prod, max or min.
    """

    name: str  # as printed
    value: str
    slopes: Mapping[str, str | None]  # operand → derivative with respect to it
    arguments: tuple[str, ...] = ()  # the names of numbers that the texts use
    combine: str = "sum"
    cost: int = 1  # floating-point operations per element, roughly

    def __hash__(self) -> int:
        return hash(self.name)


@lru_cache(maxsize=1024)
def adjoint(of: Operation, operand: str) -> Operation:
    """dz·∂z/∂operand, a function of dz and of what the slope uses."""
    slope = of.slopes[operand]
    assert slope is not None
    value = {"1": "dz", "-1": "-dz"}.get(slope) or within("dz * {}", slope)
    used = [name for name in ("dz", *of.slopes) if name in names_in(value)]
    name = f"{of.name} adjoint" + f" of {operand}" * (len(of.slopes) > 1)
    return Operation(name, value, dict.fromkeys(used), of.arguments, cost=of.cost + 1)


def binary(name: str, value: str, x: str | None = None, y: str | None = None, cost: int = 1) -> Operation:
    return Operation(name, value, {"x": x, "y": y}, cost=cost)


def comparison(name: str, condition: str) -> Operation:
    return binary(name, f"where({condition}, 1, 0)")


# y/(x² + y²), without overflow
ANGLE_SLOPE = """size = max(abs(x), abs(y))
({} / size) / ((x / size) * (x / size) + (y / size) * (y / size)) / size"""
OF_TIES = "where(x == y, 0.5, 0)"
BINARY = {
    "add": binary("sum of two", "x + y", "1", "1"),
    "subtract": binary("difference", "x - y", "1", "-1"),
    "multiply": binary("product of two", "x * y", "y", "x"),
    "divide": binary("quotient", "x / y", "1 / y", "-x / (y * y)"),
    "maximum": binary("maximum", "max(x, y)", f"where(x > y, 1, {OF_TIES})", f"where(y > x, 1, {OF_TIES})"),
    "minimum": binary("minimum", "min(x, y)", f"where(x < y, 1, {OF_TIES})", f"where(y < x, 1, {OF_TIES})"),
    "power": binary(
        "power", "pow(x, y)", "where(y == 0, 0, y * pow(x, y - 1))", "where(x == 0, 0, pow(x, y) * log(x))", cost=20
    ),
    "logaddexp": binary(
        "log of sum of exponentials",
        "where(x == y, x + log(2), max(x, y) + log1p(exp(-abs(x - y))))",
        "sigmoid(x - y)",
        "sigmoid(y - x)",
        cost=30,
    ),
    "arctan2": binary("angle", "arctan2(x, y)", ANGLE_SLOPE.format("y"), ANGLE_SLOPE.format("-x"), cost=15),
    "floor_divide": binary("floor divide", "floor_divide(x, y)", cost=4),
    "mod": binary("mod", "mod(x, y)", "1", "-floor_divide(x, y)", cost=4),
    "equal": comparison("equal", "x == y"),
    "not_equal": comparison("not equal", "x != y"),
    "greater": comparison("greater", "x > y"),
    "greater_equal": comparison("greater equal", "x >= y"),
    "less": comparison("less", "x < y"),
    "less_equal": comparison("less equal", "x <= y"),
    "logical_and": comparison("logical and", "x != 0 and y != 0"),
    "logical_or": comparison("logical or", "x != 0 or y != 0"),
    "logical_xor": comparison("logical xor", "(x != 0 and y == 0) or (x == 0 and y != 0)"),
}
COMMUTATIVE = (
    "add",
    "multiply",
    "maximum",
    "minimum",
    "logaddexp",
    "equal",
    "not_equal",
    *(k for k in BINARY if "logical" in k),
)
WHERE = Operation(
    "where",
    "where(condition != 0, x, y)",
    {"condition": None, "x": "where(condition != 0, 1, 0)", "y": "where(condition != 0, 0, 1)"},
)

# Along axes
SUM = Operation("sum", "x", {"x": "1"})
MEAN = Operation("mean over axes", "share * x", {"x": "share"}, ("share",), cost=2)
PRODUCT = Operation("product", "x", {"x": None}, combine="prod")
LARGEST = Operation("largest", "x", {"x": None}, combine="max")
SMALLEST = Operation("smallest", "x", {"x": None}, combine="min")
REDUCTIONS = {"sum": SUM, "mean": MEAN, "prod": PRODUCT, "max": LARGEST, "min": SMALLEST}

# The derivative of the largest and smallest: equal shares to all elements that are as large as z.
TIES = Operation("ties", "where(x == z, 1, 0)", {"x": None, "z": None})
SHARES = Operation("share of ties", "where(x == z, dz / ties, 0)", dict.fromkeys(("dz", "ties", "x", "z")), cost=2)
# That of a product: dz times the product of the other elements, which needs care where an element is 0.
ZEROS = Operation("zeros", "where(x == 0, 1, 0)", {"x": None})
OTHERS = Operation("product without zeros", "where(x == 0, 1, x)", {"x": None}, combine="prod")
FACTORS = Operation(
    "product adjoint",
    "dz * where(x == 0, where(zeros == 1, others, 0), where(zeros == 0, others / x, 0))",
    dict.fromkeys(("dz", "x", "zeros", "others")),
    cost=4,
)
# log Σ eˣ = top + log Σ e^(x − top) with the largest element as top, which has no derivative here, as it cancels out.
EXPONENTIALS = Operation(
    "exponentials",
    "exp(x - where(abs(top) < inf, top, 0))",
    {"x": "exp(x - where(abs(top) < inf, top, 0))", "top": None},
    cost=12,
)
LOGARITHM = Operation("logarithm", "log(x) + where(abs(top) < inf, top, 0)", {"x": "1 / x", "top": None}, cost=12)

# Of one number: equations, as those of activations, which are in thalweg/activations/catalogue.py unless they are here.
UNARY = {
    "exp": Equation("exponential", "exp(h)", "a", cost=10),
    "expm1": Equation("expm1", "expm1(h)", "a + 1", cost=10),
    "log": Equation("log", "log(h)", "1 / h", cost=12),
    "log1p": Equation("log1p", "log1p(h)", "1 / (1 + h)", cost=14),
    "log2": Equation("log2", f"log(h) * {1 / math.log(2)!r}", f"{1 / math.log(2)!r} / h", cost=13),
    "log10": Equation("log10", f"log(h) * {1 / math.log(10)!r}", f"{1 / math.log(10)!r} / h", cost=13),
    "sqrt": Equation("sqrt", "sqrt(h)", "0.5 / a", cost=4),
    "rsqrt": Equation("rsqrt", "1 / sqrt(h)", "-0.5 * a * a * a", cost=8),
    "square": Equation("square", "h * h", "2 * h"),
    "abs": Equation("abs", "abs(h)", "sign(h)"),
    "sign": Equation("sign", "sign(h)"),
    "reciprocal": Equation("reciprocal", "1 / h", "-a * a", cost=4),
    "negative": Equation("negative", "-h", "-1"),
    "sin": Equation("sine", "sin(h)", "cos(h)", cost=12),
    "cos": Equation("cos", "cos(h)", "-sin(h)", cost=12),
    "tan": Equation("tan", "sin(h) / cos(h)", "1 + a * a", cost=34),
    "arcsin": Equation("arcsin", "arctan(h / sqrt((1 - h) * (1 + h)))", "1 / sqrt((1 - h) * (1 + h))", cost=25),
    "arccos": Equation("arccos", "2 * arctan(sqrt((1 - h) / (1 + h)))", "-1 / sqrt((1 - h) * (1 + h))", cost=25),
    "arctan": Equation("arctan", "arctan(h)", "1 / (1 + h**2)", cost=12),
    "sinh": Equation("sinh", "sinh(h)", "cosh(h)", cost=20),
    "cosh": Equation("cosh", "cosh(h)", "sinh(h)", cost=20),
    "tanh": Equation("tanh", "tanh(h)", "1 - a**2", cost=12),
    "sigmoid": Equation("sigmoid", "sigmoid(h)", "a * (1 - a)", cost=12),
    "relu": Equation("relu", "max(h, 0)", "where(a > 0, 1, 0)"),
    "softplus": Equation("softplus", "softplus(h)", "-expm1(-a)", cost=20),
    "silu": Equation(
        "silu",
        "h * sigmoid(h)",
        """x = min(max(h, -100), 100)
s = sigmoid(x)
s + s * x * (1 - s)""",
        cost=13,
    ),
    "gelu": Equation(
        "gelu",
        "h * normal(h)",
        """x = min(max(h, -14), 14)
normal(x) + x * normal_density(x)""",
        cost=30,
    ),
    "gelu_approximate": Equation(
        "gelu approximate",
        "h * sigmoid(sqrt(8 / pi) * h * (1 + 0.044715 * h**2))",
        """x = min(max(h, -30), 30)
s = sigmoid(sqrt(8 / pi) * x * (1 + 0.044715 * x**2))
s + s * (1 - s) * x * sqrt(8 / pi) * (1 + 0.134145 * x**2)""",
        {"approximate": False},
        cost=30,
    ),
    "leaky_relu": Equation(
        "leaky relu", "where(h > 0, h, negative_slope * h)", "where(h > 0, 1, negative_slope)", {"negative_slope": 0.2}
    ),
    "elu": Equation(
        "elu",
        "where(h > 0, h, alpha * expm1(h))",
        "where(a > 0, 1, a + alpha)",
        {"alpha": 1.0},
        {"alpha": (0.0, math.inf)},
        cost=12,
    ),
    "floor": Equation("floor", "floor(h)"),
    "ceil": Equation("ceil", "ceil(h)"),
    "round": Equation("round", "round(h)"),
    "erf": Equation("erf", "erf(h)", "2 / sqrt(pi) * exp(-h * h)", cost=30),
    "logical_not": Equation("logical not", "where(h == 0, 1, 0)"),
    "isnan": Equation("isnan", "where(h != h, 1, 0)"),
    "isfinite": Equation("isfinite", "where(abs(h) < inf, 1, 0)"),
    "isinf": Equation("isinf", "where(abs(h) == inf, 1, 0)"),
}


@lru_cache(maxsize=256)
def with_number(kind: str, reverse: bool) -> Equation:
    """The operation of h and a number c, or of c and h if `reverse` makes a difference."""
    if reverse and kind in COMMUTATIVE:
        return with_number(kind, reverse=False)
    operation, operand = BINARY[kind], "y" if reverse else "x"
    names = {"x": "c", "y": "h"} if reverse else {"x": "h", "y": "c"}

    def renamed(text: str) -> str:
        return re.sub(r"\b[xy]\b", lambda found: names[found[0]], text)

    name = f"{operation.name} from number" if reverse else f"{operation.name} with number"
    slope = renamed(operation.slopes[operand] or "")
    return Equation(name, renamed(operation.value), slope, {"c": None}, cost=operation.cost)


# Of −∞ and −0, a power isn't the root.
ROOTS = {
    0.5: Equation("power one half", "sqrt(where(h == -inf, inf, h))", "0.5 / a", cost=4),
    -0.5: Equation(
        "power minus one half", "where(h == 0, inf, 1 / sqrt(where(h == -inf, inf, h)))", "-0.5 * a * a * a", cost=8
    ),
}
WHOLE_POWERS = range(3, 9)  # those that are operations of their own


@lru_cache(maxsize=256)
def whole_power(n: int) -> Equation:
    """hⁿ for a small whole n, by multiplications."""
    return Equation(f"power {n}", f"h**{n}", f"{n} * h**{n - 1}", cost=n)
