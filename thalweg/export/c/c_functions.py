"""NumPy's elementwise functions in C99."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.program.loops import printer

INFIX = printer.INFIX | {
    "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^", "left_shift": "<<", "right_shift": ">>"
}  # fmt: skip
MATHS = printer.MATHS | {
    "rint": "rint", "absolute": "fabs", "erf": "erf", "power": "pow", "exp2": "exp2", "copysign": "copysign"
}  # fmt: skip
"""The names in <math.h>, of those for double: with an f for float."""
PAIRS = ("pow", "atan2", "hypot", "copysign")

NUMBERS = {
    "maximum": "return a > b || a != a ? a : b;",
    "minimum": "return a < b || a != a ? a : b;",
    "sign": "return a > 0 ? 1 : a < 0 ? -1 : a;",
    "isfinite": "return a - a == 0;",
    "isnan": "return a != a;",
    "square": "return a * a;",
    "reciprocal": "return 1 / a;",
    "positive": "return a;",
    "smaller": "return a < b || (a == a && b != b);",
    "logical_xor": "return !a != !b;",
}
REALS = {
    "ndtr": "return 0.5{f} * {erfc}(a * -0.7071067811865476{f});",
    "floor_divide": "return {floor}(a / b);",
    "remainder": "const {t} c = {fmod}(a, b);\n    return c != 0 && (c < 0) != (b < 0) ? c + b : c;",
}
WHOLE = {
    "absolute": "return a < 0 ? -a : a;",
    "floor_divide": "return b == 0 ? 0 : a / b - (a % b != 0 && (a < 0) != (b < 0));",
    "remainder": "const {t} c = b == 0 ? 0 : a % b;\n    return c != 0 && (c < 0) != (b < 0) ? c + b : c;",
    "power": "{t} c = 1;\n    for ({t} k = 0; k < b; k++) {{\n        c *= a;\n    }}\n    return c;",
    "rint": "return a;", "floor": "return a;", "add": "return a || b;", "multiply": "return a && b;",
}  # fmt: skip
OWN = {*NUMBERS, *REALS, *WHOLE}
"""Functions that C lacks, or has with another meaning for numbers that aren't."""
TWO = ("maximum", "minimum", "smaller", "floor_divide", "remainder", "power", "logical_xor", "add", "multiply")
TRUTHS = ("isfinite", "isnan", "smaller", "logical_xor")


def helper(function: str, kind: str, dtype: np.dtype[Any]) -> tuple[str, set[str]]:
    """(the text of a function of C's for numbers of a type, what it needs of <math.h>)"""
    suffix = "f" if kind == "float" else ""
    texts = {**NUMBERS, **(REALS if dtype.kind == "f" else WHOLE)}
    body = texts[function]
    if dtype.kind != "f" and function in ("maximum", "minimum", "smaller"):  # every whole number is one
        body = {"maximum": "return a > b ? a : b;", "minimum": "return a < b ? a : b;"}.get(function, "return a < b;")
    if dtype.kind in "bu" and function in ("sign", "absolute"):
        body = "return a > 0;" if function == "sign" else "return a;"
    needed = {name + suffix for name in ("erfc", "floor", "fmod") if f"{{{name}}}" in body}
    maths = {name: name + suffix for name in ("erfc", "floor", "fmod")}
    body = body.format(f=suffix, t=kind, **maths)
    result = "int" if function in TRUTHS else kind
    operands = f"{kind} a, {kind} b" if function in TWO else f"{kind} a"
    return f"static inline {result} {function}_{kind}({operands})\n{{\n    {body}\n}}\n", needed


SPLITMIX = """static uint64_t splitmix(uint64_t z)
{
    z += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* The key of a stream's random numbers in a step. */
static uint64_t key_of(uint64_t seed, int64_t iteration, uint64_t stream)
{
    return splitmix(splitmix(splitmix(seed) ^ (uint64_t)iteration) ^ stream);
}

static uint32_t mixed(uint32_t x)
{
    x = (x ^ (x >> 16)) * 0x7FEB352Du;
    x = (x ^ (x >> 15)) * 0x846CA68Bu;
    return x ^ (x >> 16);
}

/* Number n of a key, in [0, 1). */
static float drawn(uint64_t key, uint32_t n)
{
    return (float)(mixed(mixed(n ^ (uint32_t)key) + (uint32_t)(key >> 32)) >> 8) * 5.9604645e-08f;
}
"""
"""Random numbers of a counter, those of `thalweg.program.ir.counter`."""


def declared(name: str) -> str:
    """The declaration of a function of <math.h>."""
    kind = "float" if name.endswith("f") and name not in ("erf",) else "double"
    bare = name[:-1] if kind == "float" else name
    operands = f"{kind} x, {kind} y" if bare in (*PAIRS, "fmod") else f"{kind} x"
    return f"extern {kind} {name}({operands});"
