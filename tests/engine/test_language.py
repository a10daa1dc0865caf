"""The language of kernels: each construct gives what Python or NumPy gives, and what isn't in it is named."""

import inspect
import math
import textwrap

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import language_constructs

from thalweg.engine.native.compiler.compile import callable_of
from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.language.rules import RULES, LanguageError

HEAD = inspect.getsource(language_constructs).partition("# --- constructs")[0]
START = "def kernel(o, c, s, f):\n"
WHOLE = np.array([0, 1, 2, 3, 5, 7, -1, -2, -7, 12, 1 << 40, -(1 << 40), (1 << 62) + 1], np.int64)
REAL = np.array([0.0, 1.0, -1.0, 2.5, -2.5, 7.25, 1e300, 1e-300, 1 / 3, -1 / 3, 6.0, 0.1, 100.0])
PAIRS = "for i in range(13):\n    for j in range(13):\n        x, y = s[i], s[j]\n        "
REALS = "for i in range(13):\n    for j in range(13):\n        x, y = f[i], f[j]\n        "
OPERATORS = {
    **{f"whole {op}": f"{PAIRS}o[13 * i + j] = x {op} y" for op in ("+", "-", "*", "&", "|", "^")},
    **{f"whole {op}": f"{PAIRS}o[13 * i + j] = x {op} y if y else 0" for op in ("//", "%")},
    **{f"whole {op}": f"{PAIRS}o[13 * i + j] = x {op} (y & 31)" for op in ("<<", ">>")},
    **{f"whole {op}": f"{PAIRS}o[13 * i + j] = x {op} y" for op in ("<", "<=", ">", ">=", "==", "!=")},
    "whole /": f"{PAIRS}c[13 * i + j] = x / y if y else 0.0",
    **{f"real {op}": f"{REALS}c[13 * i + j] = x {op} y" for op in ("+", "-", "*")},
    **{f"real {op}": f"{REALS}o[13 * i + j] = x {op} y" for op in ("<", "<=", ">", ">=", "==", "!=")},
    "real /": f"{REALS}c[13 * i + j] = x / y if y else 0.0",
    **{
        name: f"for i in range(13):\n    c[i] = {name}(0.1 + 0.06 * i)"
        for name in [
            "math.sqrt",
            "math.exp",
            "math.log",
            "math.sin",
            "math.cos",
            "math.log2",
            "math.log10",
            "math.tan",
            "math.tanh",
            "math.sinh",
            "math.cosh",
            "math.expm1",
            "math.log1p",
            "math.asin",
            "math.acos",
            "math.atan",
            "math.asinh",
            "math.atanh",
            "math.erf",
            "math.erfc",
            "math.lgamma",
            "math.gamma",
            "math.fabs",
            "math.exp2",
            "np.exp2",
            "math.cbrt",
            "np.cbrt",
            "np.negative",
            "np.sqrt",
            "np.exp",
            "np.log",
            "np.tanh",
            "np.expm1",
            "np.arctan",
            "np.sign",
            "np.square",
        ]
    },
    **{
        name: f"for i in range(13):\n    c[i] = {name}(0.5 * i - 2)"
        for name in ("np.floor", "np.ceil", "np.trunc", "np.rint")
    },
    **{
        name: f"for i in range(13):\n    c[i] = {name}(f[i], 1.5)"
        for name in [
            "np.maximum",
            "np.minimum",
            "math.atan2",
            "math.hypot",
            "math.copysign",
            "min",
            "max",
            "np.add",
            "np.subtract",
            "np.multiply",
            "np.divide",
        ]
    },
    "pow": "for i in range(13):\n    c[i], c[i + 13] = pow(1.5, 0.1 * i), math.pow(2.0, 0.3)",
    "np.clip": "for i in range(13):\n    c[i] = np.clip(f[i], -1.5, 6.5)",
    "nan, inf": "for i in range(13):\n    x, y = f[i] * math.inf, f[i] / 1e-300 * 1e300\n"
    "    o[i], o[i + 13], o[i + 26] = math.isnan(x), np.isnan(f[i]), math.isinf(y)\n    o[i + 39] = np.isinf(f[i])",
    "np.where": "for i in range(13):\n    c[i] = np.where(f[i] > 0, f[i], 0.1 * f[i])",
    "round": "for i in range(13):\n    o[i], o[i + 13] = round(0.5 * i), round(-0.5 * i)",
    "real %": f"{REALS}c[13 * i + j] = x % y if abs(y) > 0.05 and abs(x) < 1e9 else 0.0",
}
OWN = [f for f in vars(language_constructs).values() if inspect.isfunction(f) and f.__module__ == "language_constructs"]
CONSTRUCTS = OPERATORS | {f.__name__: textwrap.dedent(inspect.getsource(f).partition("\n")[2]) for f in OWN}
"""The body of a kernel of words and reals, which Python runs as well."""


def kernel_of(body):
    text = HEAD + START + textwrap.indent(body, "    ") + "\n"
    return Kernel("language", "kernel", text), text


def tables():
    return np.zeros(200, np.int64), np.zeros(200), WHOLE.copy(), REAL.copy()


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("name", CONSTRUCTS)
def test_a_construct_gives_what_python_gives(name):
    kernel, text = kernel_of(CONSTRUCTS[name])
    names = {}
    exec(compile(text, "<python>", "exec"), names)
    expected, found = tables(), tables()
    with np.errstate(all="ignore"):
        names["kernel"](*expected)
    callable_of(kernel)(*(table.ctypes.data for table in found))
    assert any(table.any() for table in expected[:2])
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14 if one.dtype == float else 0)


@pytest.mark.parametrize("by", ["s[0]", "0", "np.uint64(s[0])"])
def test_whole_numbers_divided_by_0_are_0(by):
    kernel, _ = kernel_of(f"o[0], o[1] = s[3] // {by}, s[3] % {by}\no[2] = np.uint64(s[3]) // {by}")
    words, reals, state, more = tables()
    words[:3] = 9
    callable_of(kernel)(*(table.ctypes.data for table in (words, reals, state, more)))
    assert words[:3].tolist() == [0, 0, 0]


def test_nan_is_unequal_true_and_in_no_order():
    kernel, _ = kernel_of("x = f[0]\no[0], o[1], o[2], o[3] = x != x, x < 1, x > 1, bool(x)\no[4] = math.isfinite(x)")
    words, reals, state, more = tables()
    more[0] = math.nan
    callable_of(kernel)(*(table.ctypes.data for table in (words, reals, state, more)))
    assert words[:5].tolist() == [1, 0, 0, 1, 0]


ERRORS = {
    "construct": ("o[0] = sum([k for k in range(3)])", 1, "ListComp .* isn't in the language of kernels: write a loop"),
    "construct: dict": ("x = {}", 1, "Dict .* use a tuple, or arguments"),
    "construct: in": ("o[0] = 3 in (1, 2)", 1, "compare one by one"),
    "construct: try": ("try:\n    o[0] = 1\nexcept ValueError:\n    pass", 1, "a kernel raises nothing"),
    "name": ("o[0] = 1\no[1] = nowhere", 2, "there is no 'nowhere' here"),
    "unassigned": ("if s[1] > 0:\n    x = 1\no[0] = x", 3, "'x' has no value on every path"),
    "unassigned: after a loop": ("for k in range(3):\n    x = k\no[0] = x", 3, "'x' has no value on every path"),
    "types": ("x = 1\nfor k in range(2):\n    x = o\n", 3, "'x' is int64 before and array of int64 here"),
    "operands": ("x = 1.5 & f[0]", 1, "the operator BitAnd of float64 and float64"),
    "operands: of real numbers": ("c[0] = f[0] // 2", 1, "the operator FloorDiv of float64 and int64"),
    "operands: a choice": ("x = o if s[0] > 1 else 3", 1, "a choice of array of int64 and int64"),
    "return": ("o[0] = half(s[0])", 1, "half returns a value, but not on every path"),
    "recursion": ("o[0] = down(s[0])", 1, "down calls itself"),
    "depth": ("c[0] = " + " + ".join(["f[0]"] * 900), 0, "kernel has an expression that is nested too deeply"),
    "known": ("c[0] = f[0] * (1 // 0)", 1, "FloorDiv of 1 and 0 has no value: integer division or modulo by zero"),
    "known: a power": ("c[0] = f[0] * 2 ** 5000", 1, "Pow of 2.0 and 5000 has no value"),
    "range": ("o[0] = 1 << 63", 1, "9223372036854775808 is beyond the whole numbers of 64 bits"),
    "range: of a power": ("o[0] = 2 ** 70", 1, "1180591620717411303424 is beyond the whole numbers of 64 bits"),
    "loop": ("for x in o:\n    c[0] = x", 1, r"a loop goes over range\(…\), independent\(…\)"),
    "independent": ("for k in independent(9):\n    if s[k] > 2:\n        break", 1, "goes on to its end: no break"),
    "independent: return": ("for k in independent(9):\n    if s[k] > 2:\n        return", 1, "no break or return"),
    "unrolled": ("for k in (1, 2):\n    if s[k] > 1:\n        break", 1, "over a tuple goes on to its end: no break"),
    "unrolled: continue": ("for x in s[0:1], s[1:2]:\n    continue", 1, "no break or continue"),
    "known: a range": ("for k in range(3, 0, 0):\n    o[k] = k", 1, "a range has no value: its step is 0"),
    "call": ("o[0] = sorted(TABLE)[0]", 1, "sorted can't be called in a kernel"),
    "arguments": ("o[0] = twice(1, 2)", 1, "twice is called with 2 arguments, and takes 1"),
    "arguments: of a view": (
        "x = floats(s[0])",
        1,
        "a view, array of float32, is called with 1 arguments, and takes 2",
    ),
    "index": ("o[0, 1] = 3", 1, "2 of array of int64"),
    "index: real": ("o[f[0]] = 3", 1, "float64: an index is a whole number"),
    "negative": ("o[-1] = 3", 1, r"write x\[x.size - 1\]"),
    "negative: of a part": ("x = o[0:-2]", 1, r"write x\[x.size - 2\]"),
    "index: real, of a part": ("x = o[f[0]:]", 1, "float64: an index is a whole number"),
    "operands: a power": ("o[0] = s[3] ** 5000", 1, "a power of int64 and a number that isn't a known whole one"),
    "field": ("Counts(o).od = 1", 1, "Counts has no 'od'; it has: even, odd, seen"),
    "field: read": ("counts = Counts(o)\no[0] = counts.size", 2, "Counts has no 'size'"),
    "field: changed": ("Counts(o).none += 1", 1, "Counts has no 'none'"),
    "construct: an attribute": ("o.size = 3", 1, r"Attribute \(o.size\) isn't in the language"),
    "arguments: of a record": ("x = Counts(o, 3)", 1, "Counts is called with 2 arguments, and takes 1"),
    "value": ("o[0] = math", 1, "math is no number or array"),
    "condition": ("if o:\n    c[0] = 1", 1, "array of int64 has no truth value"),
    "unpacking": ("x, y = (1, 2, 3)", 1, "3 values for 2 names"),
}
"""The body of a kernel, the line of it that is named (of the function before it, where it is called `half` or `down`),
and what is said."""
BROKEN = """from thalweg.engine.native.compiler.llvm import floats


@compiled
def half(x):
    if x > 3:
        return x // 2


@compiled
def down(x):
    return down(x - 1)


"""


@pytest.mark.parametrize("name", ERRORS)
def test_what_isn_t_in_the_language_is_named_with_its_line(name):
    body, line, said = ERRORS[name]
    text = HEAD + BROKEN + START + textwrap.indent(body, "    ") + "\n"
    with pytest.raises(LanguageError, match=said) as error:
        callable_of(Kernel("language", "kernel", text))
    assert error.value.rule == name.partition(":")[0]
    assert error.value.file == "<kernel>"
    own = {"return": "def half(x):\n", "recursion": "def down(x):\n"}.get(name, START)
    expected = text.partition(own)[0].count("\n") + 1 + line
    assert str(error.value) == f"<kernel>:{expected}: {error.value.said}"


def test_every_rule_has_an_error():
    assert {name.partition(":")[0] for name in ERRORS} == {*RULES}
