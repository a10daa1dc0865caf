"""Operations on each number by itself, with NumPy's broadcasting: arithmetic, comparisons, functions, choices."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from thalweg.ops.operation import operand, operation
from thalweg.ops.tensor import Traced, program_of, refuse
from thalweg.program.formula import functions
from thalweg.program.ir.instruction import Buffer

__all__ = [
    "abs", "absolute", "add", "arccos", "arcsin", "arctan", "arctan2", "cast", "ceil", "clip", "cos", "cosh", "divide",
    "elu", "equal", "erf", "exp", "expm1", "floor", "floor_divide", "gelu", "greater", "greater_equal", "isfinite",
    "isinf", "isnan", "leaky_relu", "less", "less_equal", "log", "log1p", "log2", "log10", "log_sigmoid", "logaddexp",
    "logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "mod", "multiply", "negative",
    "not_equal", "power", "reciprocal", "relu", "round", "rsqrt", "sigmoid", "sign", "silu", "sin", "sinh", "softplus",
    "sqrt", "square", "stop_gradient", "subtract", "tan", "tanh", "true_divide", "where",
]  # fmt: skip


def aligned(x: Any, y: Any) -> tuple[Any, Any]:
    """Operands for a program: an axis of size 1 in the place of the rows is dropped, as it is the same for all rows."""
    ranks = [len(v.shape) if isinstance(v, Traced) else np.ndim(v) for v in (x, y)]
    both = []
    for value, other, rank, most in ((x, y, *ranks), (y, x, *ranks[::-1])):
        rows = isinstance(other, Traced) and other.buffer.per_row
        own_rows = isinstance(value, Traced) and value.buffer.per_row
        if rows and own_rows and rank != most:
            raise refuse(
                f"tensors of shapes {x.shape} and {y.shape} have different numbers of axes: which axis is that of the "
                "rows would change, so reshape one, or give it an axis of size 1"
            )
        if rows and not own_rows and rank == most and rank:
            first = value.shape[0] if isinstance(value, Traced) else np.shape(value)[0]
            if first != 1:
                raise refuse(
                    f"a value of shape {np.shape(value)} for {first} rows can't meet a batch of any number of rows"
                )
            value = value[0] if not isinstance(value, Traced) else without_first(value)
        both.append(value)
    return both[0], both[1]


def without_first(x: Traced) -> Traced:
    """A value that is the same for all rows, without its first axis, which has the size 1."""
    return Traced(x.program, x.program.reshape(x.buffer, x.buffer.shape[1:]))


def two(name: str, numpy: Callable[..., Any], doc: str) -> Any:
    """An operation on two operands."""

    def function(x1: Any, x2: Any) -> Buffer:
        program = program_of([x1, x2])
        for value, other, reverse in ((x2, x1, False), (x1, x2, True)):
            if isinstance(value, (int, float, np.number)) and not isinstance(other, (int, float, np.number)):
                return program.scalar(name, operand(program, other), float(value), reverse)
        one, other = aligned(x1, x2)
        return program.binary(name, operand(program, one), operand(program, other))

    return finished(function, name, numpy, doc)


def one(name: str, numpy: Callable[..., Any], doc: str, instruction: str = "") -> Any:
    """An operation on one operand."""

    def function(x: Any) -> Buffer:
        program = program_of([x])
        return program.unary(instruction or name, operand(program, x))

    return finished(function, name, numpy, doc)


def finished(function: Any, name: str, numpy: Callable[..., Any], doc: str) -> Any:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return operation(numpy)(function)


add = two("add", np.add, "x₁ + x₂, with broadcasting.\n\n>>> float(add(1.0, 2.0))\n3.0\n")
subtract = two("subtract", np.subtract, "x₁ − x₂, with broadcasting.\n\n>>> float(subtract(3.0, 2.0))\n1.0\n")
multiply = two("multiply", np.multiply, "x₁·x₂, with broadcasting.\n\n>>> float(multiply(3.0, 2.0))\n6.0\n")
divide = two("divide", np.divide, "x₁/x₂, with broadcasting.\n\n>>> float(divide(3.0, 2.0))\n1.5\n")
floor_divide = two(
    "floor_divide", np.floor_divide, "⌊x₁/x₂⌋; no derivative.\n\n>>> float(floor_divide(7.0, 2.0))\n3.0\n"
)
mod = two("mod", np.mod, "The remainder of x₁/x₂, with the sign of x₂.\n\n>>> float(mod(7.0, 4.0))\n3.0\n")
power = two("power", partial(functions.power, np), "x₁ to the power of x₂.\n\n>>> float(power(3.0, 2.0))\n9.0\n")
maximum = two("maximum", np.maximum, "The larger of x₁ and x₂.\n\n>>> float(maximum(3.0, 2.0))\n3.0\n")
minimum = two("minimum", np.minimum, "The smaller of x₁ and x₂.\n\n>>> float(minimum(3.0, 2.0))\n2.0\n")
logaddexp = two(
    "logaddexp",
    np.logaddexp,
    "ln(eˣ¹ + eˣ²), without overflow.\n\n>>> float(logaddexp(1000.0, -1000.0))\n1000.0\n",
)
arctan2 = two("arctan2", np.arctan2, "The angle of the point (x₂, x₁).\n\n>>> float(arctan2(0.0, 1.0))\n0.0\n")


equal = two("equal", np.equal, "1 where x₁ = x₂, otherwise 0; no derivative.\n\n>>> bool(equal(1, 1))\nTrue\n")
not_equal = two("not_equal", np.not_equal, "1 where x₁ ≠ x₂, otherwise 0.\n\n>>> bool(not_equal(1, 1))\nFalse\n")
greater = two("greater", np.greater, "1 where x₁ > x₂, otherwise 0.\n\n>>> bool(greater(2, 1))\nTrue\n")
greater_equal = two("greater_equal", np.greater_equal, "1 where x₁ ≥ x₂.\n\n>>> bool(greater_equal(1, 1))\nTrue\n")
less = two("less", np.less, "1 where x₁ < x₂, otherwise 0.\n\n>>> bool(less(2, 1))\nFalse\n")
less_equal = two("less_equal", np.less_equal, "1 where x₁ ≤ x₂, otherwise 0.\n\n>>> bool(less_equal(1, 1))\nTrue\n")
logical_and = two("logical_and", np.logical_and, "1 where both are not 0.\n\n>>> bool(logical_and(1, 0))\nFalse\n")
logical_or = two("logical_or", np.logical_or, "1 where one is not 0.\n\n>>> bool(logical_or(1, 0))\nTrue\n")
logical_xor = two("logical_xor", np.logical_xor, "1 where one alone is not 0.\n\n>>> bool(logical_xor(1, 1))\nFalse\n")


def _sigmoid(x: Any) -> Any:
    x = np.asarray(x, np.result_type(x, np.float32))
    with np.errstate(over="ignore"):
        return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


def _erf(x: Any) -> Any:
    return functions.special(np, math.erf, np.asarray(x, np.result_type(x, np.float32)))


exp = one("exp", np.exp, "eˣ\n\n>>> float(exp(0.0))\n1.0\n")
expm1 = one("expm1", np.expm1, "eˣ − 1, exact for small x.\n\n>>> float(expm1(0.0))\n0.0\n")
log = one("log", np.log, "ln x\n\n>>> float(log(1.0))\n0.0\n")
log1p = one("log1p", np.log1p, "ln(1 + x), exact for small x.\n\n>>> float(log1p(0.0))\n0.0\n")
log2 = one("log2", np.log2, "log₂ x\n\n>>> float(log2(8.0))\n3.0\n")
log10 = one("log10", np.log10, "log₁₀ x\n\n>>> float(log10(100.0))\n2.0\n")
sqrt = one("sqrt", np.sqrt, "√x\n\n>>> float(sqrt(9.0))\n3.0\n")
rsqrt = one("rsqrt", lambda x: 1 / np.sqrt(x), "1/√x\n\n>>> float(rsqrt(4.0))\n0.5\n")
square = one("square", np.square, "x²\n\n>>> float(square(3.0))\n9.0\n")
abs = one("abs", np.abs, "|x|\n\n>>> float(abs(-3.0))\n3.0\n")
absolute = abs
sign = one("sign", np.sign, "−1, 0 or 1; no derivative.\n\n>>> float(sign(-3.0))\n-1.0\n")
reciprocal = one("reciprocal", lambda x: 1 / np.asarray(x), "1/x\n\n>>> float(reciprocal(4.0))\n0.25\n")
negative = one("negative", np.negative, "−x\n\n>>> float(negative(4.0))\n-4.0\n")
sin = one("sin", np.sin, "sin x\n\n>>> float(sin(0.0))\n0.0\n")
cos = one("cos", np.cos, "cos x\n\n>>> float(cos(0.0))\n1.0\n")
tan = one("tan", np.tan, "tan x\n\n>>> float(tan(0.0))\n0.0\n")
arcsin = one("arcsin", np.arcsin, "arcsin x\n\n>>> float(arcsin(0.0))\n0.0\n")
arccos = one("arccos", np.arccos, "arccos x\n\n>>> float(arccos(1.0))\n0.0\n")
arctan = one("arctan", np.arctan, "arctan x\n\n>>> float(arctan(0.0))\n0.0\n")
sinh = one("sinh", np.sinh, "sinh x\n\n>>> float(sinh(0.0))\n0.0\n")
cosh = one("cosh", np.cosh, "cosh x\n\n>>> float(cosh(0.0))\n1.0\n")
tanh = one("tanh", np.tanh, "tanh x\n\n>>> float(tanh(0.0))\n0.0\n")
floor = one("floor", np.floor, "⌊x⌋; no derivative.\n\n>>> float(floor(2.5))\n2.0\n")
ceil = one("ceil", np.ceil, "⌈x⌉; no derivative.\n\n>>> float(ceil(2.5))\n3.0\n")
round = one(
    "round", np.round, "The nearest whole number, of two the even one; no derivative.\n\n>>> float(round(2.5))\n2.0\n"
)
erf = one("erf", _erf, "The error function, 2/√π·∫₀ˣ e^(−t²) dt.\n\n>>> float(erf(0.0))\n0.0\n")
logical_not = one("logical_not", np.logical_not, "1 where x is 0, otherwise 0.\n\n>>> bool(logical_not(0))\nTrue\n")
isnan = one("isnan", np.isnan, "1 where x is not a number.\n\n>>> bool(isnan(1.0))\nFalse\n")
isinf = one("isinf", np.isinf, "1 where x is infinite.\n\n>>> bool(isinf(1.0))\nFalse\n")
isfinite = one("isfinite", np.isfinite, "1 where x is a finite number.\n\n>>> bool(isfinite(1.0))\nTrue\n")
sigmoid = one("sigmoid", _sigmoid, "1/(1 + e⁻ˣ)\n\n>>> float(sigmoid(0.0))\n0.5\n")
relu = one("relu", lambda x: np.maximum(x, 0), "max(x, 0)\n\n>>> float(relu(-1.0))\n0.0\n")
softplus = one("softplus", lambda x: np.logaddexp(x, 0), "ln(1 + eˣ)\n\n>>> float(softplus(-1000.0))\n0.0\n")
silu = one("silu", lambda x: x * _sigmoid(x), "x/(1 + e⁻ˣ)\n\n>>> float(silu(0.0))\n0.0\n")
swish = silu
true_divide = divide


def _gelu(x: Any, approximate: bool = True) -> Any:
    x = np.asarray(x)
    if approximate:
        return 0.5 * x * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + _erf(x / np.sqrt(2)))


@operation(_gelu)
def gelu(x: Any, approximate: bool = True) -> Any:
    """x·Φ(x), Φ being the normal distribution; with `approximate` by tanh.

    Hendrycks and Gimpel, arXiv 1606.08415.

    >>> float(gelu(0.0))
    0.0
    """
    program = program_of([x])
    return program.unary("gelu_approximate" if approximate else "gelu", operand(program, x))


@operation(lambda x, alpha=1.0: np.where(np.asarray(x) > 0, x, alpha * np.expm1(np.minimum(x, 0))))
def elu(x: Any, alpha: float = 1.0) -> Any:
    """x, below 0 alpha·(eˣ − 1).

    >>> float(elu(2.0))
    2.0
    """
    program = program_of([x])
    return program.unary("elu", operand(program, x), float(alpha))


@operation(lambda x, negative_slope=0.2: np.where(np.asarray(x) > 0, x, negative_slope * np.asarray(x)))
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """x, below 0 x·negative_slope.

    >>> float(leaky_relu(-10.0))
    -2.0
    """
    program = program_of([x])
    return program.unary("leaky_relu", operand(program, x), float(negative_slope))


def log_sigmoid(x: Any) -> Any:
    """ln(1/(1 + e⁻ˣ)), without overflow.

    >>> float(log_sigmoid(0.0)) == -float(np.log(2.0))
    True
    """
    return negative(softplus(negative(x)))


def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """x within x_min … x_max.

    >>> float(clip(5.0, 0.0, 1.0))
    1.0
    """
    return minimum(maximum(x, x_min), x_max)


def _where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    if x1 is None and x2 is None:
        return np.where(condition)
    if x1 is None or x2 is None:
        raise refuse("where takes both x1 and x2, or neither, for the places where the condition is not 0")
    return np.where(condition, x1, x2)


@operation(_where)
def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x₁ where the condition is not 0, otherwise x₂, with broadcasting; of an array alone, where it is not 0.

    >>> where([True, False], 1, 2).tolist(), where([[False, True]])
    ([1, 2], (array([0]), array([1])))
    """
    if x1 is None or x2 is None:
        raise refuse("where takes x1 and x2 in a network: how many places a condition has isn't known when it is drawn")
    program = program_of([condition, x1, x2])
    per_row = [v for v in (condition, x1, x2) if isinstance(v, Traced) and v.buffer.per_row]
    given = [operand(program, aligned(v, per_row[0])[0] if per_row else v) for v in (condition, x1, x2)]
    return program.where(*given)


@operation(lambda x, dtype: np.asarray(x).astype(dtype))
def cast(x: Any, dtype: str) -> Any:
    """x in another type: in a network, whose numbers are floats, fractions are cut off for whole numbers.

    bool: 1 where x is not 0. Types of floats change nothing.

    >>> int(cast(2.7, "int32"))
    2
    """
    kind = str(dtype)
    program = program_of([x])
    if "float" in kind:
        return operand(program, x)
    if kind == "bool":
        return program.scalar("not_equal", operand(program, x), 0.0)
    if "int" not in kind:
        raise refuse(f"cast takes the name of a type of numbers, got {dtype!r}")
    size = program.unary("floor", program.unary("abs", operand(program, x)))
    return program.binary("multiply", program.unary("sign", operand(program, x)), size)


@operation(lambda x: x)
def stop_gradient(x: Any) -> Any:
    """x, as a constant for the derivatives.

    >>> stop_gradient(3.0)
    3.0
    """
    program = program_of([x])
    return program.stop_gradient(operand(program, x))
