"""exp, log, tanh, erf, sin and the others against float64 NumPy and SciPy, over the bit patterns of all floats."""

import numpy as np
import pytest
from jit import skip_module
from scipy import special

skip_module()

import llvmlite.binding as binding  # noqa: E402

from thalweg.engine.native.compiler import emit  # noqa: E402
from thalweg.engine.native.compiler.compile import callable_of  # noqa: E402
from thalweg.engine.native.compiler.kernel import Kernel  # noqa: E402
from thalweg.engine.native.language.callables import inlined  # noqa: E402
from thalweg.engine.native.linalg import angles, mathematics  # noqa: E402

STEP = 63  # an odd step visits every pattern of low bits
NORMAL = np.finfo("f").tiny


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@inlined
def normal_share(x):
    return mathematics.normal(x)[0]


@inlined
def normal_density(x):
    return mathematics.normal(x)[1]


@inlined
def mish_gate(x):
    return mathematics.mish_gate(x)[0]


@inlined
def mish_slope(x):
    return mathematics.mish_gate(x)[1]


def part(x):
    """What is left of x turns without whole ones."""
    return x - np.round(x)


FIRST = {"exp": np.exp, "log": np.log, "tanh": np.tanh, "sigmoid": sigmoid, "softplus": softplus}  # in most kernels
EXACT = FIRST | {
    "expm1": np.expm1,
    "log1p": np.log1p,
    "erf": special.erf,
    "sin": np.sin,
    "cos": np.cos,
    "near_sin": np.sin,
    "near_cos": np.cos,
    "sin_of_turns": lambda x: np.sign(part(x)) * np.sin(2 * np.pi * np.minimum(abs(part(x)), 0.5 - abs(part(x)))),
    "cos_of_turns": lambda x: np.sin(2 * np.pi * (0.25 - abs(part(x)))),
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh_shrink": lambda x: np.where(abs(x) < 1e-3, x**3 / 3 - 2 * x**5 / 15, x - np.tanh(x)),
    "logcosh": lambda x: np.where(
        abs(x) < 1e-3, x**2 / 2 - x**4 / 12, abs(x) + np.log1p(np.exp(-2 * abs(x))) - np.log(2)
    ),
    "normal_share": special.ndtr,
    "normal_density": lambda x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi),
    "mish_gate": lambda x: np.tanh(softplus(x)),
    "mish_slope": lambda x: sigmoid(x) / np.cosh(np.minimum(softplus(x), 300)) ** 2,
}
# The bounds, in units in the last place.
ULP = {"exp": 1.5, "log": 2, "tanh": 2, "sigmoid": 3, "softplus": 3, "expm1": 2, "log1p": 3, "erf": 3, "sin": 2}
ULP |= {
    "cos": 2,
    "near_sin": 2,
    "near_cos": 2,
    "sin_of_turns": 4,
    "cos_of_turns": 4,
    "atan": 3,
    "sinh": 4,
    "cosh": 4,
    "tanh_shrink": 30,
    "logcosh": 20,
    "normal_share": 6,
    "normal_density": 4,
    "mish_gate": 4,
    "mish_slope": 6,
}
LARGEST = {"near_sin": 2**20, "near_cos": 2**20}  # beyond, the result is any number
LARGEST |= {"mish_slope": 20}  # beyond, it is 0


OWN = {"normal_share", "normal_density", "mish_gate", "mish_slope"}
LOOP = """from thalweg.engine.native.compiler.llvm import floats
from {module} import {name}


def loop(o, c, s, f):
    x, y = floats(o[0], o[2]), floats(o[1], o[2])
    for i in range(o[2]):
        y[i] = {name}(x[i])
"""


def loop_of(name):
    """A kernel that computes a function of each element."""
    home = __name__ if name in OWN else (mathematics if hasattr(mathematics, name) else angles).__name__
    return Kernel("test_mathematics", "loop", LOOP.format(module=home, name=name))


def ours(name, x):
    y = np.empty_like(x)
    words = np.array([x.ctypes.data, y.ctypes.data, x.size], np.int64)
    callable_of(loop_of(name))(words.ctypes.data, 0, 0, 0)
    return y


@pytest.mark.parametrize("name", EXACT)
def test_all_floats(name):
    patterns = np.arange(0, 1 << 32, STEP if name in FIRST else 16 * STEP + 1, dtype=np.uint32)
    for part in np.array_split(patterns, 1 + patterns.size // 1_000_000):
        x = part.view("f")
        with np.errstate(all="ignore"):  # NaN, infinity and underflow are among the inputs
            exact = EXACT[name](x.astype("d"))
            rounded = exact.astype("f")
        y = ours(name, x)
        np.testing.assert_array_equal(np.isnan(y), np.isnan(exact))
        tiny = np.abs(exact) < NORMAL
        within = np.abs(x) <= LARGEST.get(name, np.inf)
        assert np.all(np.abs(y[tiny & within]) <= NORMAL)
        infinite = np.isinf(rounded)
        np.testing.assert_array_equal(y[infinite], rounded[infinite])
        rest = np.isfinite(rounded) & ~tiny & within
        error = np.abs(y[rest] - exact[rest]) / np.spacing(np.abs(rounded[rest]))
        assert error.size == 0 or error.max() <= ULP[name], x[rest][error.argmax()]


inf, nan = np.inf, np.nan
SPECIAL = {
    "exp": [(-inf, 0), (inf, inf), (nan, nan), (0, 1), (88.73, inf), (-87.4, 0), (-1e30, 0)],
    "log": [(0.0, -inf), (-0.0, -inf), (-1, nan), (-inf, nan), (inf, inf), (nan, nan), (1, 0), (1e-45, -103.27893)],
    "tanh": [(-inf, -1), (inf, 1), (nan, nan), (0, 0), (1e-30, 1e-30), (-1e-3, -0.00099999967), (30, 1)],
    "sigmoid": [(-inf, 0), (inf, 1), (nan, nan), (0, 0.5), (-100, 0), (100, 1)],
    "expm1": [(-inf, -1), (inf, inf), (nan, nan), (0, 0), (1e-30, 1e-30), (-100, -1), (88.73, inf)],
    "log1p": [(-1, -inf), (-2, nan), (inf, inf), (nan, nan), (0, 0), (1e-30, 1e-30)],
    "erf": [(-inf, -1), (inf, 1), (nan, nan), (0, 0), (1e-30, 1.1283792e-30)],
    "sin": [(-inf, nan), (inf, nan), (nan, nan), (0, 0), (1e-30, 1e-30), (1e4, -0.30561438)],
    "cos": [(-inf, nan), (inf, nan), (nan, nan), (0, 1), (1e4, -0.95215537)],
    "near_sin": [(-inf, nan), (inf, nan), (nan, nan), (0, 0), (1e-30, 1e-30), (1e4, -0.30561438)],
    "near_cos": [(-inf, nan), (inf, nan), (nan, nan), (0, 1), (1e4, -0.95215537)],
    "sin_of_turns": [(0, 0), (0.25, 1), (1.75, -1), (8388609, 0), (np.inf, np.nan), (np.nan, np.nan)],
    "cos_of_turns": [(0, 1), (0.25, 0), (1.5, -1), (8388609, 1), (-np.inf, np.nan), (np.nan, np.nan)],
    "atan": [(-inf, -1.5707964), (inf, 1.5707964), (nan, nan), (0, 0), (1e-30, 1e-30)],
    "sinh": [(-inf, -inf), (inf, inf), (nan, nan), (0, 0), (89, 2.2448064e38)],
    "cosh": [(-inf, inf), (inf, inf), (nan, nan), (0, 1), (89, 2.2448064e38)],
    "tanh_shrink": [(-inf, -inf), (inf, inf), (nan, nan), (0, 0), (2, 1.0359724)],
    "logcosh": [(-inf, inf), (inf, inf), (nan, nan), (0, 0), (1, 0.43378083), (1e4, 9999.3069)],
    "normal_share": [(-inf, 0), (inf, 1), (nan, nan), (0, 0.5), (-10, 7.6198530e-24)],
    "normal_density": [(-inf, 0), (inf, 0), (nan, nan), (0, 0.39894228)],
    "mish_gate": [(-inf, 0), (inf, 1), (nan, nan), (0, 0.6), (1e30, 1)],
    "mish_slope": [(-inf, 0), (inf, 0), (nan, nan), (0, 0.32), (1e30, 0)],
    "softplus": [(-inf, 0), (inf, inf), (nan, nan), (0, 0.6931472), (100, 100), (-20, 2.0611537e-09)],
}


@pytest.mark.parametrize("name", EXACT)
def test_special_values(name):
    x, expected = np.array(SPECIAL[name], "f").T
    np.testing.assert_allclose(ours(name, np.ascontiguousarray(x)), expected, rtol=3e-7, atol=0)


@pytest.mark.parametrize("name", [name for name in EXACT if name not in ("sin", "cos")])
def test_the_loop_is_vectorised(name):
    """A loop of the C library's scalar functions would call them, and the vectoriser would leave it scalar."""
    module = binding.parse_assembly(str(emit.lowered(loop_of(name))))
    emit.optimise(module)
    code = str(module)
    assert " x float> " in code
    assert not any(f"call float @{library}" in code for library in ("expf", "logf", "tanhf", "log1pf", "sinf", "llvm."))


def test_tanh_and_sigmoid_stay_in_their_range():
    x = np.linspace(-20, 20, 2_000_001, dtype="f")
    assert np.abs(ours("tanh", x)).max() == 1
    assert ours("sigmoid", x).min() > 0
    assert ours("sigmoid", x).max() == 1
