"""Random graphs of operations on rows, weights and constants: against central differences, and in both engines."""

from typing import Any

import numpy as np
from amounts import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from test_autodiff import Custom, X, check, gradient

from thalweg import Sequential
from thalweg.layers import Dense, Input
from thalweg.optimizers import SGD
from thalweg.program.builder import Builder

BINARY = ("add", "subtract", "multiply", "maximum", "minimum", "arctan2")
UNARY = ("tanh", "sigmoid", "sin", "softplus", "silu", "gelu", "abs", "square")
ALONG = ("mean", "sum", "max", "min", "logsumexp", "prod")
PLACES = st.integers(0, 30)
STEP = st.one_of(
    st.tuples(st.sampled_from(BINARY), PLACES, PLACES),
    st.tuples(st.sampled_from(UNARY), PLACES, PLACES),
    st.tuples(st.sampled_from(ALONG), PLACES, PLACES),
    st.tuples(st.sampled_from(("where", "cumsum", "stop", "number")), PLACES, PLACES),
)


def graph(steps: list[tuple[str, int, int]]) -> Any:
    """A function of (program, x, W): each step takes one or two of the values so far; all are used in the end."""

    def function(p: Builder, x: Any, W: Any) -> Any:
        h = p.reshape(p.affine(x, W), (2, 3))
        w = p.reshape(p.reduce("mean", p.unary("tanh", W), (0,)), (2, 3))
        values = [h, w, p.constant([0.5, -0.25, 1.5]), p.constant(0.75)]
        for kind, one, other in steps:
            values.append(step(p, kind, values[one % len(values)], values[other % len(values)], other))
        z = h
        for v in values[1:]:  # bounded, so that long graphs don't grow
            z = p.binary("add", z, p.unary("tanh", v))
        return p.reshape(z, (6,))

    return function


def step(p: Builder, kind: str, v: Any, other: Any, number: int) -> Any:
    if kind in BINARY:
        return p.binary(kind, v, p.unary("tanh", other))
    if kind in UNARY:
        return p.unary(kind, p.unary("tanh", v))
    if kind == "where":
        return p.where(p.scalar("greater", v, 0.1), v, other)
    if kind == "number":
        return p.scalar(("multiply", "subtract", "power")[number % 3], p.unary("sigmoid", v), 1.5, number % 2 == 1)
    if kind == "stop" or not v.shape:
        return p.binary("multiply", p.stop_gradient(p.unary("sigmoid", p.constant(number / 30))), v)
    axis = number % len(v.shape)
    return p.reduce(kind, p.unary("tanh", v), (axis,), keepdims=True)


def made(steps: Any, **options: Any) -> Sequential:
    model = Sequential([Input((X.shape[1],)), Custom(graph(steps)), Dense(3)], seed=4, **options)
    model.compile(SGD(1.0), "mse")
    model.build()
    return model


@settings(max_examples=150, deadline=None, database=None, derandomize=True)
@given(st.lists(STEP, min_size=1, max_size=8))
def test_any_graph_of_operations_agrees_with_central_differences(steps):
    check(made(steps, engine="reference", dtype="float64"))


@settings(max_examples=examples(12, 5), deadline=None, database=None, derandomize=True)
@given(st.lists(STEP, min_size=4, max_size=8))
def test_any_graph_of_operations_has_the_same_gradient_in_both_engines(steps):
    """Few, as their chains are compiled."""
    native, reference = made(steps), made(steps, engine="reference", dtype="float64")
    reference.set_weights(native.get_weights())
    np.testing.assert_allclose(native.predict(X), reference.predict(X), atol=1e-5)
    for one, other in zip(gradient(native), gradient(reference), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 * max(1, np.abs(other).max()))
