"""Pointwise operations and reductions in whole programs: per row, of parameters, of constants, and all mixed."""

from typing import Any

import numpy as np
import pytest
from test_autodiff import Custom, X, check, compiled, gradient

from thalweg import Sequential
from thalweg.errors import ShapeError
from thalweg.layers import Dense, Input
from thalweg.optimizers import SGD
from thalweg.program.builder import Builder
from thalweg.program.instructions.elementwise import Add
from thalweg.program.ir.instruction import PARAMETERS, Buffer

WIDTH = X.shape[1]
RANDOM = np.random.default_rng(3)
NUMBERS = RANDOM.normal(size=WIDTH) + 2


def softmax_of_the_kernel(p: Builder, x: Any, W: Any) -> Any:
    """x times a kernel whose columns have the sum 1: exponentials, sums and quotients, once a step."""
    e = p.unary("exp", W)
    return p.affine(x, p.binary("divide", e, p.reduce("sum", e, (0,), keepdims=True)))


def scaled_rows(p: Builder, x: Any, W: Any) -> Any:
    """Standardised rows, scaled by the kernel's first column and shifted by constants."""
    h = p.affine(x, W)
    d = p.binary("subtract", h, p.reduce("mean", h, (0,), keepdims=True))
    deviation = p.unary("sqrt", p.scalar("add", p.reduce("mean", p.unary("square", d), (0,), keepdims=True), 1e-3))
    gain = p.reduce("max", W, (1,))
    return p.binary("add", p.binary("multiply", p.binary("divide", d, deviation), gain), p.constant(NUMBERS))


def chosen(p: Builder, x: Any, W: Any) -> Any:
    """A comparison after weights, and a value whose derivative is stopped."""
    h = p.affine(x, W)
    above = p.scalar("greater", h, 0.1)
    return p.where(above, p.unary("square", h), p.binary("multiply", p.stop_gradient(h), h))


def logarithms(p: Builder, x: Any, W: Any) -> Any:
    h = p.affine(x, W)
    return p.binary("subtract", h, p.reduce("logsumexp", p.scalar("multiply", h, 2.0), (0,), keepdims=True))


def of_constants(p: Builder, x: Any, W: Any) -> Any:
    """A constant times a constant times a parameter, reshaped and summed."""
    c = p.binary("multiply", p.constant(NUMBERS), p.constant(0.5))
    v = p.reduce("sum", p.binary("multiply", W, c), (0,))
    flat = p.reshape(p.reshape(W, (WIDTH * WIDTH,)), (WIDTH, WIDTH))
    return p.binary("add", p.affine(x, flat), v)


def products(p: Builder, x: Any, W: Any) -> Any:
    """Products and running sums along an axis, of rows and of the kernel."""
    h = p.unary("tanh", p.affine(x, W))
    h = p.binary("multiply", h, p.reduce("prod", p.scalar("add", p.scalar("multiply", h, 0.3), 1.0), (0,), True))
    return p.binary("maximum", h, p.reduce("min", p.reduce("cumsum", W, (1,)), (0,)))


def twice(p: Builder, x: Any, W: Any) -> Any:
    """A parameter read by several instructions, plainly and stopped."""
    h = p.affine(x, p.binary("add", W, W))
    return p.binary("multiply", p.binary("multiply", h, h), p.reduce("mean", p.stop_gradient(W), (0, 1)))


FUNCTIONS = [softmax_of_the_kernel, scaled_rows, chosen, logarithms, of_constants, products, twice]


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if f not in (chosen, twice)])
def test_any_mixture_agrees_with_central_differences(function):
    check(compiled(Custom(function), Dense(3)))


def test_comparisons_and_stopped_values_have_no_derivative():
    """y = h² above 0.1 and ⟨h⟩·h below: the slopes are 2h and h."""
    model = compiled(Custom(chosen))
    y = RANDOM.normal(size=X.shape)
    h = X @ model.get_weights()[0]
    error = 2 * (h * h - y) / y.size
    np.testing.assert_allclose(gradient(model, y)[0], X.T @ (error * np.where(h > 0.1, 2 * h, h)), rtol=1e-10)


def trained(function: Any, lanes: int, **options: Any) -> list[Any]:
    model = Sequential([Input((WIDTH,)), Custom(function), Dense(3)], seed=4, **options)
    model.compile(SGD(0.05), "mse")
    model.fit(np.tile(X, (12, 1)), np.tile(X[:, :3], (12, 1)), epochs=2, batch_size=40, verbose=0, lanes=lanes)
    return [*model.get_weights(), model.predict(X)]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_training_is_the_same_in_both_engines_and_on_several_lanes(function):
    want = trained(function, 1, engine="reference", dtype="float64")
    for lanes in (1, 3):
        for one, other in zip(trained(function, lanes), want, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_what_depends_on_parameters_alone_is_done_once_a_step():
    model = Sequential([Input((WIDTH,)), Custom(softmax_of_the_kernel), Dense(3)])
    model.compile("sgd", "mse")
    assert [row.name for row in model.schedule() if row.phase == "prepare"][:3] == ["exponential", "sum", "quotient"]


@pytest.mark.parametrize(
    ("kind", "x", "want"),
    [
        ("sum", (2, 3), ((2, 1), (2,))),
        ("max", (2, 3), ((2, 1), (2,))),
        ("argmax", (2, 3), ((2, 1), (2,))),
        ("logsumexp", (2, 3), ((2, 1), (2,))),
    ],
)
def test_reduced_axes_go_unless_they_are_kept(kind, x, want):
    builder = Builder(True)
    kept, gone = (builder.reduce(kind, Buffer("x", x), (1,), keepdims) for keepdims in (True, False))
    assert (kept.shape, gone.shape) == want
    assert builder.reduce("sum", Buffer("x", x), (0, 1)).shape == ()


def test_an_addition_of_equal_shapes_is_the_instruction_that_passes_know():
    builder = Builder(True)
    builder.binary("add", Buffer("x", (3,)), Buffer("y", (3,)))
    builder.binary("add", Buffer("x", (3,)), Buffer("b", (3,), PARAMETERS, per_row=False))
    assert [isinstance(i, Add) for i in builder.instructions] == [True, False]


def test_shapes_that_do_not_broadcast_are_named():
    builder = Builder(True)
    with pytest.raises(ShapeError, match=r"quotient of x of shape \(3,\), y of shape \(4,\): the shapes"):
        builder.binary("divide", Buffer("x", (3,)), Buffer("y", (4,)))
    with pytest.raises(ShapeError, match="what is per row needs the same number of axes"):
        builder.binary("divide", Buffer("x", (3,)), Buffer("y", (2, 3)))


def test_a_constant_is_shown_as_its_number_and_stays_one():
    builder = Builder(True)
    number, numbers = builder.constant(2.5), builder.constant([[1.0, 2.0]])
    assert (str(number), number.shape) == ("2.5", ())
    assert builder.stop_gradient(numbers) is numbers
    assert builder.reshape(numbers, (2, 1)).shape == (2, 1)
    z = builder.binary("multiply", Buffer("x", (2,)), number)
    assert builder.instructions[-1].formula == f"{z} = x·2.5"
