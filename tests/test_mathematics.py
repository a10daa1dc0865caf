"""exp, log, tanh, sigmoid and softplus against float64 NumPy, over the bit patterns of all floats."""

import numba
import numpy as np
import pytest

from thalweg.engine.native import mathematics
from thalweg.engine.native.llvm import FLAGS, floats

STEP = 63  # an odd step visits every pattern of low bits
NORMAL = np.finfo("f").tiny


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


EXACT = {"exp": np.exp, "log": np.log, "tanh": np.tanh, "sigmoid": sigmoid, "softplus": softplus}
ULP = {"exp": 1.5, "log": 2, "tanh": 2, "sigmoid": 3, "softplus": 3}  # the bounds, in units in the last place


def elementwise(function):
    @numba.njit(**FLAGS)
    def loop(source, target, n):
        x, y = floats(source, n), floats(target, n)
        for i in range(n):
            y[i] = function(x[i])

    return loop


LOOPS = {name: elementwise(getattr(mathematics, name)) for name in EXACT}


def ours(name, x):
    y = np.empty_like(x)
    LOOPS[name](x.ctypes.data, y.ctypes.data, x.size)
    return y


@pytest.mark.parametrize("name", EXACT)
def test_all_floats(name):
    patterns = np.arange(0, 1 << 32, STEP, dtype=np.uint32)
    for part in np.array_split(patterns, 1 + patterns.size // 1_000_000):
        x = part.view("f")
        with np.errstate(all="ignore"):  # NaN, infinity and underflow are among the inputs
            exact = EXACT[name](x.astype("d"))
            rounded = exact.astype("f")
        y = ours(name, x)
        np.testing.assert_array_equal(np.isnan(y), np.isnan(exact))
        tiny = np.abs(exact) < NORMAL
        assert np.all(np.abs(y[tiny]) <= NORMAL)
        infinite = np.isinf(rounded)
        np.testing.assert_array_equal(y[infinite], rounded[infinite])
        rest = np.isfinite(rounded) & ~tiny
        error = np.abs(y[rest] - exact[rest]) / np.spacing(np.abs(rounded[rest]))
        assert error.size == 0 or error.max() <= ULP[name], x[rest][error.argmax()]


inf, nan = np.inf, np.nan
SPECIAL = {
    "exp": [(-inf, 0), (inf, inf), (nan, nan), (0, 1), (88.73, inf), (-87.4, 0), (-1e30, 0)],
    "log": [(0.0, -inf), (-0.0, -inf), (-1, nan), (-inf, nan), (inf, inf), (nan, nan), (1, 0), (1e-45, -103.27893)],
    "tanh": [(-inf, -1), (inf, 1), (nan, nan), (0, 0), (1e-30, 1e-30), (-1e-3, -0.00099999967), (30, 1)],
    "sigmoid": [(-inf, 0), (inf, 1), (nan, nan), (0, 0.5), (-100, 0), (100, 1)],
    "softplus": [(-inf, 0), (inf, inf), (nan, nan), (0, 0.6931472), (100, 100), (-20, 2.0611537e-09)],
}


@pytest.mark.parametrize("name", EXACT)
def test_special_values(name):
    x, expected = np.array(SPECIAL[name], "f").T
    np.testing.assert_allclose(ours(name, np.ascontiguousarray(x)), expected, rtol=3e-7, atol=0)


@pytest.mark.parametrize("name", EXACT)
def test_the_loop_is_vectorised(name):
    """A loop of the C library's scalar functions would call them, and the vectoriser would leave it scalar."""
    loop = LOOPS[name]
    ours(name, np.ones(1, "f"))
    code = loop.inspect_llvm(loop.signatures[0])
    assert " x float> " in code
    assert not any(f"call float @{library}" in code for library in ("expf", "logf", "tanhf", "log1pf", "llvm.exp"))


def test_tanh_and_sigmoid_stay_in_their_range():
    x = np.linspace(-20, 20, 2_000_001, dtype="f")
    assert np.abs(ours("tanh", x)).max() == 1
    assert ours("sigmoid", x).min() > 0
    assert ours("sigmoid", x).max() == 1
