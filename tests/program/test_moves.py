"""Matrix products, moved and chosen elements in whole programs: per row, of parameters, of constants, and all mixed."""

from typing import Any

import numpy as np
import pytest
from test_autodiff import Custom, X, check, compiled
from test_pointwise import trained

from thalweg import Sequential
from thalweg.errors import ShapeError
from thalweg.layers import Dense, Input
from thalweg.program.builder import Builder
from thalweg.program.instructions.linear import Affine
from thalweg.program.ir.instruction import PARAMETERS, Buffer

WIDTH = X.shape[1]
RANDOM = np.random.default_rng(5)
COLUMN, FACTORS = RANDOM.normal(size=(4, 1)), RANDOM.normal(size=(3, 2, 1))


def attention(p: Builder, x: Any, W: Any) -> Any:
    """Each element of a row becomes a vector, which looks at the others: two heads of two numbers."""
    tokens = p.matmul(p.reshape(x, (WIDTH, 1)), p.slice(W, (0, 0), (1, 4), (1, 1)))  # (WIDTH, 4)
    heads = p.permute(p.reshape(tokens, (WIDTH, 2, 2)), (1, 0, 2))
    scores = p.unary("tanh", p.matmul(heads, heads, transpose_y=True))
    mixed = p.permute(p.matmul(scores, heads), (1, 0, 2))
    return p.reshape(p.matmul(p.reshape(mixed, (WIDTH, 4)), p.constant(COLUMN)), (WIDTH,))


def all_transpositions(p: Builder, x: Any, W: Any) -> Any:
    """Pairs per row, pairs that share the kernel on either side, and products of kernels, once a step."""
    a = p.matmul(p.reshape(p.affine(x, W), (WIDTH, 1)), p.reshape(x, (1, WIDTH)))
    b = p.matmul(W, a, transpose_x=True, transpose_y=True)
    c = p.matmul(p.matmul(a, W, transpose_x=True, transpose_y=True), b, transpose_x=True)
    d = p.matmul(c, p.matmul(W, W, transpose_y=True), transpose_y=True)
    return p.matmul(x, d)


def shared_by_heads(p: Builder, x: Any, W: Any) -> Any:
    """One matrix for several of the other side: its adjoint is summed over them, and over the rows."""
    three = p.pad(p.reshape(x, (1, 1, WIDTH)), ((1, 1), (0, 0), (0, 0)), 0.5)
    scaled = p.binary("multiply", p.broadcast_to(three, (3, 2, WIDTH)), p.constant(FACTORS))
    z = p.matmul(scaled, p.broadcast_to(W, (1, WIDTH, WIDTH)))
    return p.reduce("sum", p.matmul(z, p.reshape(W, (1, WIDTH, WIDTH)), transpose_y=True), (0, 1))


def vectors(p: Builder, x: Any, W: Any) -> Any:
    """Dot products of two vectors of a row, and a vector that is the same for all rows."""
    h = p.matmul(x, W)
    column = p.take(W, 1, 1)
    total = p.binary("add", p.matmul(x, h), p.matmul(h, column))
    return p.binary("multiply", h, p.reshape(total, (1,)))


def moved(p: Builder, x: Any, W: Any) -> Any:
    """Slices forwards and backwards, padding, permuted and repeated elements, of rows and of the kernel."""
    V = p.permute(p.slice(W, (None, -1), (None, None), (1, -1)), (1, 0))
    h = p.affine(x, p.take(V, [*range(1, WIDTH), 0], 0))
    ends = p.concatenate([p.slice(h, (0,), (1,), (1,)), p.slice(h, (-1,), (None,), (-2,))])
    return p.take(p.binary("add", p.pad(p.slice(ends, (0,), (2,), (1,)), ((0, WIDTH - 2),), 0.7), h), [1, 1, 0, -1], 0)


def joined(p: Builder, x: Any, W: Any) -> Any:
    """What is the same for all rows beside what isn't; more parts than one instruction takes."""
    row = p.reshape(p.slice(W, (1, 0), (2, WIDTH), (1, 1)), (1, WIDTH))
    own = p.reshape(x, (1, WIDTH))
    parts = [own, row, p.constant(np.ones((1, WIDTH))), *[p.scalar("multiply", own, k / 9) for k in range(9)]]
    whole = p.concatenate(parts, axis=0)
    twice = p.concatenate([whole, p.matmul(whole, W)], axis=-1)
    return p.reduce("sum", p.unary("tanh", twice), (0,))


def chosen(p: Builder, x: Any, W: Any) -> Any:
    """Each row's own elements of what depends on it, and of the kernel; ids as vectors with a single 1."""
    ids = p.reduce("argmax", x, (0,), keepdims=True)
    h = p.affine(x, W)
    own = p.take_along_axis(h, ids, 0)
    of_kernel = p.take_along_axis(W, p.reshape(ids, (1, 1)), 0)  # the row of the kernel that ids says
    hot = p.reshape(p.one_hot(ids, WIDTH), (WIDTH,))
    return p.binary("add", p.binary("multiply", own, hot), p.reshape(of_kernel, (WIDTH,)))


def random_values(p: Builder, x: Any, W: Any) -> Any:
    h = p.affine(x, W)
    noise = p.binary("multiply", p.random("normal", (WIDTH,), 3, 1.0, 0.2), p.random("bernoulli", (WIDTH,), None, 0.6))
    return p.binary("add", p.binary("multiply", h, noise), p.random("uniform", (WIDTH,), None, -1.0, 1.0))


def ordered(p: Builder, x: Any, W: Any) -> Any:
    """The largest elements, and all in order, of rows and of the kernel."""
    h = p.affine(x, W)
    values, ids = p.top_k(h, 2)
    return p.binary(
        "add", p.concatenate([values, ids, p.sort(p.slice(h, (0,), (WIDTH - 4,), (1,)))]), p.sort(p.take(W, 0, 0))
    )


FUNCTIONS = [attention, all_transpositions, shared_by_heads, vectors, moved, joined, chosen, ordered, random_values]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_any_mixture_agrees_with_central_differences(function):
    check(compiled(Custom(function), Dense(3)))


def bounded(function: Any) -> Any:
    """The function's hyperbolic tangent, so that training stays stable."""
    return lambda p, x, W: p.unary("tanh", p.scalar("multiply", function(p, x, W), 0.1))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_training_is_the_same_in_both_engines_and_on_several_lanes(function):
    want = trained(bounded(function), 1, engine="reference", dtype="float64")
    for lanes in (1, 3):
        got = trained(bounded(function), lanes)
        if function is random_values:  # a prediction draws numbers of its own
            got, want = got[:-1], want[: len(got) - 1]
        for one, other in zip(got, want, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def value_of(function: Any, x: Any) -> Any:
    """What a function of the builder makes of rows, in the reference engine."""
    model = Sequential(
        [Input(x.shape[1:]), Custom(lambda p, x, W: function(p, x))], engine="reference", dtype="float64"
    )
    model.build()
    return model.predict(x)


@pytest.mark.parametrize(
    ("function", "by_numpy"),
    [
        (lambda p, x: p.slice(x, (None, -1, 1), (-1, None, None), (2, -2, 1)), lambda x: x[:, :-1:2, -1::-2, 1:]),
        (lambda p, x: p.pad(x, ((1, 0), (0, 2), (0, 0)), 3),
         lambda x: np.pad(x, ((0, 0), (1, 0), (0, 2), (0, 0)), constant_values=3)),
        (lambda p, x: p.take(x, [[0, -1], [1, 1]], 1), lambda x: np.take(x, [[0, -1], [1, 1]], 2)),
        (lambda p, x: p.permute(x, (2, 0, 1)), lambda x: x.transpose(0, 3, 1, 2)),
        (lambda p, x: p.concatenate([x, x, x], 1), lambda x: np.concatenate([x, x, x], 2)),
        (lambda p, x: p.broadcast_to(p.slice(x, (0, 0, 0), (4, 1, 3), (1, 1, 1)), (2, 4, 5, 3)),
         lambda x: np.broadcast_to(x[:, None, :, :1], (len(x), 2, 4, 5, 3))),
        (lambda p, x: p.matmul(x, x, transpose_x=True), lambda x: x.swapaxes(2, 3) @ x),
        (lambda p, x: p.matmul(p.constant(np.ones((2, 5))), x), lambda x: np.ones((2, 5)) @ x),
        (lambda p, x: p.sort(x, descending=True), lambda x: -np.sort(-x)),
        (lambda p, x: p.top_k(x, 2)[1], lambda x: np.argsort(-x)[..., :2]),
        (lambda p, x: p.one_hot(p.scalar("floor_divide", x, 1.0), 2), lambda x: np.floor(x)[..., None] == [0, 1]),
    ],
)  # fmt: skip
def test_values_are_those_of_numpy(function, by_numpy):
    x = RANDOM.normal(size=(3, 4, 5, 3))
    np.testing.assert_allclose(value_of(function, x), by_numpy(x), rtol=1e-12)


def test_an_id_that_does_not_exist_gives_nan():
    ids = np.array([[0.0], [2.0], [-3.0], [3.0], [-4.0], [np.nan]])
    got = value_of(lambda p, x: p.take_along_axis(p.constant([5.0, 6.0, 7.0]), x, 0), ids)
    np.testing.assert_array_equal(got[:, 0], [5, 7, 5, np.nan, np.nan, np.nan])


def test_a_matrix_that_is_the_same_for_all_rows_makes_a_dense_product():
    W, x = Buffer("W", (4, 3), PARAMETERS, per_row=False), Buffer("x", (5, 4))
    for arguments in ((x, W), (Buffer("x", (3,)), W, False, True), (x, Buffer("w", (4,), per_row=False))):
        builder = Builder(True)
        builder.matmul(*arguments)
        assert sum(isinstance(i, Affine) for i in builder.instructions) == 1


def test_nothing_is_done_where_nothing_changes():
    builder, x = Builder(True), Buffer("x", (4, 3))
    assert builder.slice(x, (0, None), (4, None), (1, 1)) is x
    assert builder.pad(x, ((0, 0), (0, 0))) is x
    assert builder.concatenate([x]) is x
    assert builder.broadcast_to(x, (4, 3)) is x
    assert builder.instructions == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p, x: p.slice(x, (2, 0), (2, 3), (1, 1)), r"leaves nothing: \(0, 3\)"),
        (lambda p, x: p.take(x, [0, 3], 1), r"x has 3 elements along axis 1, the indices are \[0, 3\]"),
        (lambda p, x: p.concatenate([x, Buffer("y", (4, 4))], 0), "may differ in axis 0 only"),
        (lambda p, x: p.matmul(x, x), "the rows of x have 3 elements, the columns of y 4"),
        (lambda p, x: p.matmul(x, Buffer("y", ())), "at least one axis"),
        (lambda p, x: p.matmul(x, Buffer("y", (2, 3, 4))), "what is per row needs the same number of axes"),
        (lambda p, x: p.matmul(Buffer("y", (3, 2, 4)), Buffer("z", (2, 4, 3))), "the axes before the last two"),
        (lambda p, x: p.broadcast_to(x, (4, 2)), r"can't be broadcast to \(4, 2\)"),
        (lambda p, x: p.top_k(x, 4), "x has 3 elements along its last axis: the first 4"),
        (lambda p, x: p.take_along_axis(x, Buffer("ids", (1,)), 0), "need as many axes"),
    ],
)
def test_shapes_that_do_not_fit_are_named(call, message):
    with pytest.raises(ShapeError, match=message):
        call(Builder(True), Buffer("x", (4, 3)))
