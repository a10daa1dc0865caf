"""Chains of pointwise operations: what is joined, what isn't, and that nothing changes."""

import numpy as np
import pytest
from test_autodiff import Custom, X

from thalweg import Sequential
from thalweg.engine.native.passes.chains import MOST_VALUES, renamed
from thalweg.layers import Activation, Dense, Input, Residual
from thalweg.optimizers import SGD
from thalweg.program.passes.draft import Request

WIDTH = X.shape[1]


def gated(p, x, W):
    """silu and gelu, whose slopes name parts, beside products: their adjoints are in one chain."""
    h = p.affine(x, W)
    return p.binary("multiply", p.scalar("multiply", p.unary("silu", h), 0.5), p.unary("gelu", p.affine(x, W)))


def summed(p, x, W):
    """A sum along an axis ends a chain, and begins none: its elements would be computed again and again."""
    h = p.affine(x, W)
    s = p.reduce("sum", p.unary("square", p.binary("subtract", h, p.constant(np.ones(WIDTH)))), (0,), keepdims=True)
    return p.binary("divide", h, p.unary("sqrt", p.scalar("add", s, 1.0)))


def shared(p, x, W):
    """A value that two others read stays where it is."""
    h = p.binary("multiply", p.affine(x, W), p.constant(np.arange(WIDTH)))
    return p.binary("add", p.unary("tanh", h), p.unary("sin", h))


def long(p, x, W):
    """More values than a kernel takes."""
    z = p.affine(x, W)
    for k in range(3 * MOST_VALUES):
        z = p.binary("add" if k % 2 else "multiply", z, p.constant(np.linspace(0.9, 1.1 + k / 1000, WIDTH) - k % 2))
    return z


def trained(function, **options):
    model = Sequential([Input((WIDTH,)), Custom(function), Dense(3)], seed=4, **options)
    model.compile(SGD(0.05), "mse")
    model.fit(np.tile(X, (12, 1)), np.tile(X[:, :3], (12, 1)), epochs=2, batch_size=40, verbose=0)
    return model


@pytest.mark.jit
@pytest.mark.parametrize("function", [gated, summed, shared, long])
def test_chains_change_nothing_but_the_rounding(function):
    chained, plain = trained(function), trained(function, engine="reference", dtype="float64")
    assert "pointwise chain" in {row.name for row in chained.schedule()}
    for one, other in zip(chained.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(chained.predict(X), plain.predict(X), rtol=1e-4, atol=1e-5)


def names(function, section):
    """The instructions of a section without gathers and losses."""
    found = [row.name for row in trained(function).schedule() if row.section == section]
    return [name for name in found if name != "gather" and "error" not in name]


@pytest.mark.jit
def test_a_sum_is_not_joined_to_what_reads_it():
    """The difference has two readers, as the square's adjoint needs it; square and sum are one."""
    forward = names(summed, "forward")
    assert forward[:3] == ["affine", "difference", "pointwise chain"]
    assert forward[-2:] == ["quotient", "affine"]
    chain = next(row for row in trained(summed).schedule() if row.name == "pointwise chain")
    assert chain.formula.startswith("z1′ = Σ over axis 1 of ")
    assert chain.shape == (32, 1)


def test_a_value_with_two_readers_is_not_joined():
    assert names(shared, "forward")[:2] == ["affine", "product of two"]


@pytest.mark.jit
def test_a_chain_reads_a_limited_number_of_values():
    model = trained(long)
    program, _ = model.lower(Request("training"))
    chains = [i for i in program if i.title == "pointwise chain"]
    assert len(chains) > 2
    assert max(len(i.values) for i in chains) == MOST_VALUES


def test_ordinary_networks_have_no_chains():
    model = Sequential([Input((WIDTH,)), Residual([Dense(WIDTH, "tanh")]), Activation("silu"), Dense(3, "silu")])
    model.compile(SGD(0.1), "mse")
    model.build()
    assert "pointwise chain" not in {row.name for row in model.schedule()}


def test_the_parts_of_a_text_get_names_of_their_own():
    text = "x = min(max(h, -100), 100)\ns = sigmoid(x)\ns + s * x * (1 - s)"
    assert renamed(text, {"h": "x0"}, 2) == [
        "d2_x = min(max(x0, -100), 100)",
        "d2_s = sigmoid(d2_x)",
        "d2_s + d2_s * d2_x * (1 - d2_s)",
    ]
