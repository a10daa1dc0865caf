"""Matrix products, transposes and column sums against float64 NumPy, with guards around everything they may touch."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from amounts import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from jit import skip_module

from thalweg.engine.native.compiler.compile import callable_of
from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.compiler.levels import USABLE

skip_module()
GUARD = 37  # floats of NaN before and after every operand
ENDS = ((False, False), (True, False), (False, True))  # of a product: (relu, gated)
USES = ("forward", "weight gradient", "overlapping rows")


def native(name, count):
    """A function of gemm.py with so many arguments, as a kernel of its own."""
    arguments = ", ".join(f"o[{i}]" for i in range(count))
    body = (
        f"from thalweg.engine.native.linalg import gemm\ndef {name}_{count}(o, c, s, f):\n    gemm.{name}({arguments})"
    )
    call = callable_of(Kernel("test_gemm", f"{name}_{count}", body))

    def function(*given):
        o = np.array(given, np.int64)
        assert o.size == count
        call(o.ctypes.data, 0, 0, 0)

    return function


gemm, product, gemm_before_update = native("gemm", 12), native("product", 14), native("gemm_before_update", 15)
pair = native("pair", 9)
transpose, column_sums = native("transpose", 6), native("column_sums", 5)


def guarded(random, rows, columns, stride):
    """Returns memory full of NaN and, inside it, a (rows, columns) view of random numbers with this row stride."""
    memory = np.full(2 * GUARD + rows * stride, np.nan, "f")
    view = memory[GUARD : GUARD + rows * stride].reshape(rows, stride)[:, :columns]
    view[:] = random.standard_normal((rows, columns))
    return memory, view


def address(view):
    return view.ctypes.data if view.size else 0


def operand_a(random, use, M, K, gap):
    """Returns (memory, A of shape (M, K), its row stride, its column stride)."""
    if use == "forward":
        memory, A = guarded(random, M, K, K + gap)
        return memory, A, K + gap, 1
    if use == "weight gradient":
        memory, x = guarded(random, K, M, M + gap)
        return memory, x.T, 1, M + gap
    stride = 1 + gap  # as in a convolution: each row begins `stride` floats after the one before
    memory, row = guarded(random, 1, (M - 1) * stride + K, (M - 1) * stride + K)
    return memory, np.lib.stride_tricks.sliding_window_view(row[0], max(K, 1))[::stride, :K][:M], stride, 1


def check(random, use, M, N, K, gap=0, bias=False, accumulate=False):
    """One product; the bound is relative to Σ|a||b|, to which rounding errors are proportional."""
    _, A, rsa, csa = operand_a(random, use, M, K, gap)
    _, B = guarded(random, K, N, N + gap)
    memory, C = guarded(random, M, N, N + gap)
    _, row = guarded(random, 1, N, N)
    exact, size = A.astype("d") @ B.astype("d"), np.abs(A).astype("d") @ np.abs(B)
    if bias:
        exact, size = exact + row, size + np.abs(row)
    if accumulate:
        exact, size = exact + C, size + np.abs(C)
    outside = memory.copy()
    at = row.ctypes.data if bias else 0
    gemm(A.ctypes.data, rsa, csa, B.ctypes.data, N + gap, C.ctypes.data, N + gap, at, accumulate, M, N, K)
    case = f"{use}, {M}x{N}x{K}, gap {gap}, bias {bias}, accumulate {accumulate}"
    assert np.all(np.abs(C - exact) <= 1e-5 * size + 1e-30), case
    C[:] = np.nan
    inside = outside[GUARD:][: M * (N + gap)].reshape(M, N + gap)
    inside[:, :N] = np.nan
    assert np.isnan(memory).all(), f"wrote outside C: {case}"


def check_product(random, M, N, K, gap, across, bias=False, relu=False, gated=False):
    """A product as layers need it: with a B that is stored transposed, a relu or a relu's adjoint behind it."""
    _, A = guarded(random, M, K, K + gap)
    _, B = guarded(random, *((N, K, K + gap) if across else (K, N, N + gap)))
    memory, C = guarded(random, M, N, N + gap)
    _, G = guarded(random, M, N, N + gap)
    _, row = guarded(random, 1, N, N)
    at, gate = row.ctypes.data if bias else 0, address(G) if gated else 0
    ldb = (K if across else N) + gap
    product(address(A), K + gap, 1, address(B), ldb, across, address(C), N + gap, at, relu, gate, M, N, K)
    right = B.T if across else B
    exact, size = A.astype("d") @ right.astype("d"), np.abs(A).astype("d") @ np.abs(right)
    if bias:
        exact, size = exact + row, size + np.abs(row)
    if relu:
        exact = np.maximum(exact, 0)
    if gated:
        exact *= G > 0
    assert np.all(np.abs(C - exact) <= 1e-5 * size), (M, N, K, gap, across, bias, relu, gated)
    C[:] = np.nan
    assert np.isnan(memory).all(), f"wrote outside C: {M}x{N}x{K}"


@st.composite
def shapes(draw):
    """M, N, K, of which one is any width in 1 … 300 and the product is small enough to be quick."""
    wide, *others = draw(st.integers(1, 300)), draw(st.integers(1, 70)), draw(st.integers(1, 70))
    return draw(st.permutations([wide, *others]))


@settings(max_examples=examples(1500), deadline=None)
@given(shapes(), st.sampled_from(USES), st.integers(0, 5), st.booleans(), st.booleans(), st.integers(0, 2**32 - 1))
def test_product(shape, use, gap, bias, accumulate, seed):
    check(np.random.default_rng(seed), use, *shape, gap, bias, accumulate)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    "shape", [(300, 40, 1100), (1, 1, 2000), (5, 7, 513), (129, 17, 600), (2, 300, 1024), (140, 450, 700)]
)
def test_several_blocks(shape, use):
    check(np.random.default_rng(0), use, *shape, 3, True, True)


@settings(max_examples=examples(300), deadline=None)
@given(shapes(), st.integers(0, 5), st.booleans(), st.booleans(), st.sampled_from(ENDS), st.integers(0, 2**32 - 1))
def test_product_of_a_layer(shape, gap, across, bias, end, seed):
    check_product(np.random.default_rng(seed), *shape, gap, across, bias, *end)


@pytest.mark.parametrize("shape", [(300, 40, 1100), (3, 700, 650), (129, 500, 340), (1, 1, 2000)])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("across", [False, True])
def test_several_blocks_of_a_layer(shape, across, end):
    check_product(np.random.default_rng(0), *shape, 3, across, True, *end)


@settings(max_examples=examples(200), deadline=None)
@given(shapes(), st.integers(1, 5), st.booleans(), st.booleans(), st.integers(0, 2**32 - 1))
def test_what_is_updated_next_stays_as_it_is(shape, parts, turned, accumulate, seed):
    """A product of several parts, as of several lanes' rows; A by columns, or by rows."""
    (M, N, K), random = shape, np.random.default_rng(seed)
    _, A = guarded(random, parts * K, M, M) if turned else guarded(random, parts * M, K, K)
    _, B = guarded(random, parts * K, N, N)
    memory, W = guarded(random, M, N, N)
    C, before = random.standard_normal((M, N)).astype("f"), memory.copy()
    strides = (1, M) if turned else (K, 1)
    each = A.reshape(parts, K, M).transpose(0, 2, 1) if turned else A.reshape(parts, M, K)
    right = (C.astype("d") if accumulate else 0) + (each.astype("d") @ B.reshape(parts, K, N)).sum(axis=0)
    gemm_before_update(
        A.ctypes.data, *strides, M * K, B.ctypes.data, N, K * N, parts,
        C.ctypes.data, N, accumulate, M, N, K, W.ctypes.data - C.ctypes.data,
    )  # fmt: skip
    assert np.abs(C - right).max() <= 1e-4
    assert np.array_equal(memory, before, equal_nan=True)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("shape", [(1, 40, 30), (5, 130, 600), (40, 300, 90), (17, 129, 1100), (150, 400, 520)])
def test_few_rows_by_a_matrix_stored_transposed(shape, end):
    check_product(np.random.default_rng(0), *shape, 3, True, False, *end)


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_no_products_leave_bias_or_zero(bias, accumulate):
    check(np.random.default_rng(0), "forward", 9, 21, 0, 0, bias, accumulate)


@pytest.mark.parametrize("shape", [s for s in itertools.product((0, 1, 2, 9, 40), repeat=3) if 0 in s])
def test_products_of_nothing(shape):
    """Without rows or columns nothing is written; without products, C is what it begins with."""
    random = np.random.default_rng(0)
    for flags in range(8):
        one, two, accumulate = bool(flags & 1), bool(flags & 2), bool(flags & 4)
        check(random, USES[one], *shape, 3, two, accumulate)
        for end in ENDS:
            check_product(random, *shape, 3, one, two, *end)
        check_pair(random, *shape, one, two, accumulate)


def check_pair(random, M, N, K, tx, ty, accumulate):
    _, X = guarded(random, *((K, M, M) if tx else (M, K, K)))
    _, Y = guarded(random, *((N, K, K) if ty else (K, N, N)))
    memory, Z = guarded(random, M, N, N)
    right = (X.T if tx else X).astype("d") @ (Y.T if ty else Y) + (Z if accumulate else 0)
    pair(address(X), tx, address(Y), ty, Z.ctypes.data, accumulate, M, N, K)
    assert np.abs(Z - right).max(initial=0) <= 1e-4, (M, N, K, tx, ty, accumulate)
    Z[:] = np.nan
    assert np.isnan(memory).all(), f"wrote outside Z: {M}x{N}x{K}"


def test_nan_and_infinity_survive():
    A, B = np.ones((3, 40), "f"), np.ones((40, 20), "f")
    A[0, 3], A[1, 39] = np.nan, np.inf
    C = np.zeros((3, 20), "f")
    gemm(A.ctypes.data, 40, 1, B.ctypes.data, 20, C.ctypes.data, 20, 0, False, 3, 20, 40)
    assert np.isnan(C[0]).all()
    assert (C[1] == np.inf).all()
    assert (C[2] == 40).all()


def test_errors_of_long_sums_do_not_grow():
    x = np.full((1 << 18, 1), 0.1, "f")  # summed one after another in float32, the error is 4e-4
    out = np.zeros(1, "f")
    column_sums(x.ctypes.data, len(x), 1, out.ctypes.data, False)
    np.testing.assert_allclose(out, x.astype("d").sum(), rtol=1e-5)


def check_transpose(random, rows, columns):
    _, x = guarded(random, rows, columns, columns)
    memory, y = guarded(random, columns, rows, rows)
    half = random.integers(0, columns + 1).item()
    for first, after in ((0, half), (half, columns)):
        transpose(x.ctypes.data, rows, columns, y.ctypes.data, first, after)
    np.testing.assert_array_equal(y, x.T)
    y[:] = np.nan
    assert np.isnan(memory).all()


def check_column_sums(random, rows, n, accumulate):
    _, d = guarded(random, rows, n, n)
    memory, out = guarded(random, 1, n, n)
    exact = d.astype("d").sum(0) + out[0] * accumulate
    column_sums(d.ctypes.data, rows, n, out.ctypes.data, accumulate)
    assert np.all(np.abs(out[0] - exact) <= 1e-5 * (np.abs(d).sum(0) + 10)), (rows, n, accumulate)
    out[:] = np.nan
    assert np.isnan(memory).all()


@settings(max_examples=examples(300), deadline=None)
@given(st.integers(1, 120), st.integers(1, 120), st.integers(0, 2**32 - 1))
def test_transpose(rows, columns, seed):
    check_transpose(np.random.default_rng(seed), rows, columns)


@settings(max_examples=examples(300), deadline=None)
@given(st.integers(1, 1100), st.integers(1, 150), st.booleans(), st.integers(0, 2**32 - 1))
def test_column_sums(rows, n, accumulate, seed):
    check_column_sums(np.random.default_rng(seed), rows, n, accumulate)


def some_of_everything():
    """A short run of all of the above, for one vector width."""
    random = np.random.default_rng(0)
    for i in range(300):
        M, N, K = random.permutation([random.integers(1, 301), *random.integers(1, 50, 2)]).tolist()
        gap, bias, accumulate = random.integers(0, 4).item(), bool(i & 1), bool(i & 2)
        check(random, USES[i % 3], M, N, K, gap, bias, accumulate)
        check_product(random, M, N, K, gap, bool(i & 4), bias, *ENDS[i % 3])
        check_transpose(random, M, min(N, 60))
        check_column_sums(random, M, N, accumulate)


@pytest.mark.parametrize("level", USABLE[1:])
def test_lower_levels_of_processors(level):
    """This process has run the highest."""
    environment = {**os.environ, "THALWEG_LEVEL": level.name, "PYTHONPATH": os.pathsep.join(sys.path)}
    script = "from thalweg.engine.native.compiler.levels import LEVEL\nimport test_gemm\n"
    script += f"assert LEVEL.name == {level.name!r}\ntest_gemm.some_of_everything()"
    subprocess.run([sys.executable, "-W", "error", "-c", script], env=environment, check=True)
