"""Layers for columns of numbers: what the tables of layers and instructions don't say."""

import re
from pathlib import Path

import numpy as np
import pytest

from thalweg import Input, Model, Sequential, load_model, ops
from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.layers import (
    Concatenate,
    Dense,
    ElementwiseScale,
    Layer,
    PeriodicEmbedding,
    PiecewiseLinearEncoding,
    quantile_edges,
    tree_edges,
)
from thalweg.optimizers import SGD, Adam

RANDOM = np.random.default_rng(3)
RECIPES = Path(__file__).parents[2] / "docs" / "recipes.md"


def by_hand(x, omega, phi, W, b):
    """The equation of the docstring, sum by sum."""
    a = np.zeros((len(x), *b.shape))
    for c, u in np.ndindex(b.shape):
        waves = [W[c, k, u] * np.cos(2 * np.pi * (omega[c, k] * x[:, c] + phi[c, k])) for k in range(omega.shape[1])]
        a[:, c, u] = sum(waves) + b[c, u]
    return a.reshape(len(x), -1)


@pytest.mark.parametrize(("columns", "frequencies", "units"), [(5, 16, 3), (40, 3, 1), (2, 1, 40), (1, 7, 33)])
def test_an_embedding_is_its_equation(columns, frequencies, units):
    model = Sequential([Input((columns,)), PeriodicEmbedding(frequencies, units, sigma=0.7)], seed=2)
    x = RANDOM.normal(size=(300, columns)).astype(np.float32)
    np.testing.assert_allclose(model.predict(x), by_hand(x, *model.get_weights()), atol=2e-5)


def test_an_embedding_starts_as_in_the_paper():
    model = Sequential([Input((500,)), PeriodicEmbedding(16, 3, sigma=0.1)], seed=1)
    model.build()
    omega, phi, W, b = model.get_weights()
    assert abs(omega.std() - 0.1) < 0.004
    assert abs(omega.mean()) < 0.004
    assert abs(phi.std() - 12**-0.5) < 0.01
    assert abs(phi).max() <= 0.5
    for weights in (W, b):
        assert abs(weights.std() - 0.25 / 3**0.5) < 0.01
        assert abs(weights).max() <= 0.25


def test_an_embedding_fits_what_waves():
    x = RANDOM.uniform(-2, 2, (2000, 1)).astype(np.float32)
    y = np.sin(5 * x)

    def error(*front):
        model = Sequential([Input((1,)), *front, Dense(1)], seed=1)
        model.compile(Adam(0.03), "mse")
        model.fit(x, y, epochs=30, batch_size=100, verbose=0)
        return model.evaluate(x, y, verbose=0)

    assert error() > 0.3  # the control
    assert error(PeriodicEmbedding(16, 4, sigma=1.0)) < 0.01


def codes(edges, x, **options):
    columns = np.shape(x)[1]
    return Sequential([Input((columns,)), PiecewiseLinearEncoding(edges, **options)]).predict(np.float32(x))


def test_codes_are_their_equation():
    edges = [np.sort(RANDOM.normal(size=n)).tolist() for n in (20, 1, 3, 0, 9, 34)]
    x = RANDOM.normal(size=(77, 6)).astype(np.float32)
    used = [(x[:, c, None], np.float32(e)) for c, e in enumerate(edges) if len(e) > 2]
    linear = [np.clip((v - e[:-1]) / np.diff(e), 0, 1) for v, e in used]
    np.testing.assert_allclose(codes(edges, x), np.hstack(linear), atol=1e-5)
    inside = [np.eye(len(e) - 1)[np.digitize(v[:, 0], e[1:-1])] for v, e in used]
    np.testing.assert_array_equal(codes(edges, x, steps=True), np.hstack(inside))


def test_codes_of_what_lies_outside():
    x = [[-np.inf], [-5], [0], [1], [3], [99]]
    assert codes([[0, 1, 3]], x).tolist() == [[0, 0], [0, 0], [0, 0], [1, 0], [1, 1], [1, 1]]
    assert codes([[0, 1, 3]], x, steps=True).tolist() == [[1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 1]]


def test_edges_are_saved(tmp_path):
    edges = [[-0.1, 1 / 3, 2e5], [], [1, 2, 3, 4]]
    model = Sequential([Input((3,)), PiecewiseLinearEncoding(edges), Dense(1)])
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    x = RANDOM.normal(size=(9, 3)).astype(np.float32)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert again.layers[0].bins == [2, 0, 3]


def test_a_table_s_network_is_the_same_on_lanes_and_in_the_reference():
    data = RANDOM.normal(size=(200, 4)).astype(np.float32)
    y = np.sin(data[:, :1])
    weights = []
    for lanes, options in ((1, {}), (2, {}), (None, {"engine": "reference", "dtype": "float64"})):
        model = member(**options)
        model.compile(SGD(0.05), "mse")
        model.fit(data, y, batch_size=64, epochs=3, verbose=0, lanes=lanes)
        weights.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    for other in weights[1:]:
        np.testing.assert_allclose(other, weights[0], rtol=1e-4, atol=1e-6)


def member(**options):
    """A network of all of them."""
    x = Input((4,))
    numbers = ElementwiseScale()(x[:, :3])
    joined = Concatenate()([x, PiecewiseLinearEncoding([[-1, 0, 1]] * 3 + [[]])(x), PeriodicEmbedding(5, 2)(numbers)])
    return Model(x, Dense(1)(Dense(9, "mish")(joined)), seed=1, **options)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: PiecewiseLinearEncoding([[0, 1, 1]]), ArgumentError, "column 0 have to be finite and to increase"),
        (lambda: PiecewiseLinearEncoding([[0, 1, 2], [0, np.nan, 1]]), ArgumentError, "column 1"),
        (lambda: PiecewiseLinearEncoding([[0, 1], []]), ArgumentError, "none of 2 columns has 3 edges"),
        (lambda: PiecewiseLinearEncoding([0, 1, 2]), ArgumentError, "a list of numbers for each column"),
        (lambda: PiecewiseLinearEncoding([[0, 1, 2]]).connect((2,)), ShapeError, "edges for 1 columns"),
        (lambda: PeriodicEmbedding(0), ArgumentError, "frequencies"),
        (lambda: PeriodicEmbedding(sigma=-1), ArgumentError, "sigma"),
        (lambda: PeriodicEmbedding().connect((2, 3)), ShapeError, "put a Flatten before it"),
        (lambda: tree_edges([[1.0], [np.nan]], [0, 1], "regression"), DataError, "column 0 has values that aren't"),
        (lambda: tree_edges([[1.0], [2.0]], [0], "regression"), ShapeError, "y has the shape"),
        (lambda: tree_edges([1.0, 2.0], [0, 1], "regression"), ShapeError, "of shape .rows, columns."),
        (lambda: tree_edges([[1.0]], [0], "classes"), ArgumentError, "unknown task"),
        (lambda: quantile_edges(np.zeros((0, 2))), DataError, "needs rows"),
        (lambda: quantile_edges([[1.0]], bins=1), ArgumentError, "bins"),
    ],
)
def test_what_can_not_be_is_said(make, error, text):
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_tree_finds_where_the_target_changes(task):
    x = np.c_[RANDOM.uniform(0, 10, 3000), np.ones(3000), RANDOM.normal(size=3000)]
    y = np.searchsorted([2.5, 4, 9], x[:, 0])
    names = np.array(["a", "b", "c", "d"])[y] if task == "classification" else y
    edges, constant, noise = tree_edges(x, names, task)
    assert constant == []
    assert np.isclose([edges[0], edges[-1]], [x[:, 0].min(), x[:, 0].max()]).all()
    for change in (2.5, 4, 9):
        assert min(abs(np.array(edges) - change)) < 0.02
    assert 2 <= len(noise) <= 17
    (few,) = tree_edges(x[:, :1], names, task, leaves=2)
    assert len(few) == 3


def test_a_tree_looks_at_weights_and_at_a_part_of_many_rows():
    x = np.arange(120_000.0)[:, None] % 1000
    y = (x[:, 0] > 300) + 1.0 * (x[:, 0] > 700)
    weight = (x[:, 0] > 500).astype(float)  # the first step doesn't count
    (edges,) = tree_edges(x, y, "regression", leaves=2, sample_weight=weight)
    assert abs(edges[1] - 700) < 2
    assert tree_edges(x, y, "regression", seed=5) == tree_edges(x, y, "regression", seed=5)


def test_quantiles_of_sparse_numbers_are_fewer():
    x = np.c_[np.arange(1000.0), np.maximum(np.arange(1000.0) - 990, 0), np.arange(1000) % 3 == 0]
    even, sparse, binary = quantile_edges(x, 4)
    np.testing.assert_allclose(even, [0, 249.75, 499.5, 749.25, 999])
    assert sparse == []
    assert binary == []


def test_the_recipe_for_a_table_runs():
    (code,) = re.findall(r"## A network for a table\n.*?```python\n(.*?)```", RECIPES.read_text(encoding="utf-8"), re.S)
    x, y = RANDOM.normal(size=(200, 6)), RANDOM.integers(0, 3, 200)
    made = {"columns": 6, "numbers": 4, "classes": 3, "edges": tree_edges(x[:, :4], y, "classification")}
    exec(code, made)
    history = made["model"].fit(x, y, epochs=5, batch_size=50, verbose=0).history["loss"]
    assert history[-1] < history[0]
    update = [row.formula for row in made["model"].program() if row.section == "update"]
    width = 6 + sum(len(e) - 1 for e in made["edges"] if e) + 12
    printed = [float(number) for formula in update for number in re.findall(r"η = ([0-9.e-]+)", formula)]
    for factor in (width**-0.5, 128**-0.5, 0.1):
        assert np.isclose(printed, factor).any()


class Scaled(Layer):
    """z = V·x/√inputs, in the parametrisation of the paper."""

    def build(self, input_shape):
        self.V = self.add_weight("V", (input_shape[-1], 3), "zeros")

    def call(self, x):
        return ops.matmul(x, self.V) / self.V.shape[0] ** 0.5


def test_a_factor_and_smaller_weights_are_the_ntk_parametrisation():
    x, V = RANDOM.normal(size=(64, 9)), RANDOM.normal(size=(9, 3))
    y = np.sin(x[:, :3])
    found = []
    for layer, factor, weights in ((Scaled(), 1.0, V), (Dense(3, use_bias=False, name="scaled"), 1 / 3, V / 3)):
        model = Sequential([Input((9,)), layer], engine="reference", dtype="float64")
        model.set_weights([weights])
        model.compile(Adam(0.04, epsilon=1e-12, learning_rate_factors={"scaled": factor}), "mse")
        model.fit(x, y, epochs=10, batch_size=16, shuffle=False, verbose=0)
        found.append(model.predict(x))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)
    assert abs(found[0] - x @ V / 3).max() > 0.1  # it has learned something
