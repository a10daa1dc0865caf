"""Every function of `thalweg.ops`: on arrays, in layers, in graphs; values, gradients, files."""

from typing import Any

import numpy as np
import pytest
from ops_checks import check_slopes, check_values, data, graph_model, wanted
from ops_rows import NAMES, ROWS, Row

from thalweg import Input, Model, load_model, ops, random
from thalweg.errors import ModelFileError
from thalweg.layers import Layer
from thalweg.support.nested import leaves

pytestmark = pytest.mark.usefixtures("mostly_ready_kernels")
IDS = [f"{row.name}-{k}" for k, row in enumerate(ROWS)]
every = pytest.mark.parametrize("row", ROWS, ids=IDS)
with_slope = pytest.mark.parametrize(
    "row", [r for r in ROWS if r.slope], ids=[name for name, r in zip(IDS, ROWS, strict=True) if r.slope]
)
KINDS = [
    (row, tuple(kind if k == place else "rows" for k in range(len(row.shapes))))
    for row in ROWS
    if row.kinds
    for place in range(len(row.shapes))
    for kind in ("weight", "array")[: 1 if len(row.shapes) == 1 else 2]
]
KIND_IDS = [f"{row.name}-{k}-{'-'.join(kinds)}" for k, (row, kinds) in enumerate(KINDS)]


def rows_only(row: Row) -> tuple[str, ...]:
    return ("rows",) * len(row.shapes)


def test_every_public_function_has_a_row():
    missing = set(ops.__all__) - NAMES
    assert not missing, f"give these functions a row in tests/tables/ops_rows.py: {sorted(missing)}"
    assert len(set(ops.__all__)) == len(ops.__all__)


@pytest.mark.parametrize(
    "row", [r for r in ROWS if r.statement], ids=[name for name, r in zip(IDS, ROWS, strict=True) if r.statement]
)
def test_on_arrays_it_is_its_statement(row):
    values = [v.astype(np.float64) for v in data(row, rows_only(row))]
    got, want = list(leaves(row.function(*values))), list(leaves(row.statement(*values)))
    for one, other in zip(got, want, strict=True):
        assert np.shape(one) == np.shape(other)
        np.testing.assert_allclose(np.asarray(one, float), np.asarray(other, float), rtol=1e-6, atol=1e-9)


@every
def test_in_a_layer_it_is_the_function_on_arrays(row):
    check_values(row, rows_only(row))


@with_slope
def test_gradients(row):
    check_slopes(row, rows_only(row))


@pytest.mark.parametrize(("row", "kinds"), KINDS, ids=KIND_IDS)
def test_of_weights_and_arrays(row, kinds):
    check_values(row, kinds)
    if row.slope:
        check_slopes(row, kinds)


@every
def test_in_a_graph_that_is_saved(row, tmp_path):
    values = data(row, rows_only(row))
    x = values if len(values) > 1 else values[0]
    model = graph_model(row)
    got = model.predict(x)
    want = wanted(row, values)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5 * max(1, np.abs(want).max()))
    if not row.saved:
        with pytest.raises(ModelFileError, match="can't be saved: <"):
            model.save(tmp_path / "graph.safetensors")
        return
    model.save(tmp_path / "graph.safetensors")
    assert np.array_equal(load_model(tmp_path / "graph.safetensors").predict(x), got)
    assert model.output_shape == (None, *got.shape[1:])


DRAWS = {  # of numbers of a shape: the function, its mean and standard deviation
    "normal": (lambda shape, seed: random.normal(shape, 2.0, 3.0, seed=seed), 2.0, 3.0),
    "uniform": (lambda shape, seed: random.uniform(shape, -1.0, 5.0, seed=seed), 2.0, np.sqrt(3)),
    "bernoulli": (lambda shape, seed: random.bernoulli(shape, 0.3, seed=seed), 0.3, np.sqrt(0.21)),
    "dropout": (lambda shape, seed: dropped(shape, seed), 1.0, np.sqrt(0.25 / 0.75)),
    "SeedGenerator": (lambda shape, seed: random.normal(shape, seed=random.SeedGenerator(seed)), 0.0, 1.0),
}


def dropped(shape: Any, seed: Any) -> Any:
    ones = np.ones(shape) if isinstance(shape[0], int) else Noise.given * 0.0 + 1.0
    return random.dropout(ones, 0.25, seed=seed)


class Noise(Layer):
    """Random numbers in the shape of its input."""

    given: Any = None

    def __init__(self, name: str) -> None:
        super().__init__()
        self.draw = DRAWS[name][0]

    def call(self, x: Any) -> Any:
        Noise.given = x
        return self.draw(ops.shape(x), 3)


def test_every_kind_of_random_number_has_a_row():
    assert set(random.__all__) == set(DRAWS)


def test_map_coordinates_of_tensors_in_a_list_and_of_weights():
    draw = np.random.default_rng(0)
    grids, at = draw.normal(size=(3, 5, 6)).astype("f"), draw.uniform(0, 5, (3, 2, 7)).astype("f")
    x, down, across = Input((5, 6)), Input((7,)), Input((7,))
    found = Model([x, down, across], ops.image.map_coordinates(x, [down, across], 1, "mirror")).predict(
        [grids, at[:, 0], at[:, 1]]
    )
    wanted = np.stack([ops.image.map_coordinates(*one, 1, "mirror") for one in zip(grids, at, strict=True)])
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)

    class Looked(Layer):
        def build(self, shape: Any) -> None:
            self.at = self.add_weight(shape=(2, 7), initializer="ones")
            self.table = self.add_weight(shape=(5, 6), initializer="random_normal")

        def call(self, x: Any) -> Any:
            return ops.image.map_coordinates(x, self.at * 1.3, 1) + ops.image.map_coordinates(self.table, at[0], 1)

    layer = Looked()
    model = Model(x, layer(x))
    table = layer.get_weights()[1]
    wanted = [ops.image.map_coordinates(g, np.full((2, 7), 1.3), 1) for g in grids]
    wanted += ops.image.map_coordinates(table, at[0], 1)
    np.testing.assert_allclose(model.predict(grids), wanted, rtol=1e-5, atol=1e-6)
    model.compile("sgd", "mse")
    model.fit(grids, np.zeros((3, 7)), verbose=0)
    assert not (layer.get_weights()[0] == 1).any()  # both were trained
    assert not np.array_equal(layer.get_weights()[1], table)


def places(rows: int, n: int) -> Any:
    """Images whose two channels tell where an element is, across and down."""
    return np.stack(np.meshgrid(np.arange(n), np.arange(n)), -1)[None].repeat(rows, 0).astype(np.float32)


def test_elastic_transform_moves_by_blurred_random_numbers():
    x, sigma, alpha, inner = places(200, 22), 1.2, 0.5, slice(4, -4)
    moved = (ops.image.elastic_transform(x, alpha, sigma, seed=3) - x)[:, inner, inner] / alpha
    bell = np.exp(-0.5 * (np.arange(-3, 4) / sigma) ** 2)
    bell /= bell.sum()
    np.testing.assert_allclose(moved.std((0, 1, 2)), sigma * (bell**2).sum(), rtol=0.05)
    assert abs(moved.mean((0, 1, 2))).max() < 0.02
    across, down = moved[..., 0].ravel(), moved[..., 1].ravel()
    assert abs(np.corrcoef(across, down)[0, 1]) < 0.1  # not the same numbers
    beside = np.corrcoef(moved[:, :, :-1, 0].ravel(), moved[:, :, 1:, 0].ravel())[0, 1]
    assert abs(beside - (bell[1:] * bell[:-1]).sum() / (bell**2).sum()) < 0.03  # neighbours move together
    assert np.array_equal(ops.image.elastic_transform(x, 0.0, seed=1), x)
    assert ops.image.elastic_transform(x[0], seed=1).shape == x[0].shape


def test_elastic_transform_in_a_network():
    """Both engines draw the same, and each row is distorted by itself."""
    x = Input((9, 9, 2))
    given = places(3, 9)
    y = ops.image.elastic_transform(x, 2.0, 1.5, seed=5)
    found = [Model(x, y, seed=1, engine=engine).predict(given, batch_size=3) for engine in ("native", "reference")]
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-5)
    assert not np.allclose(found[0][0], found[0][1], atol=0.1)
    assert not np.allclose(found[0], given, atol=0.1)


@pytest.mark.parametrize("name", DRAWS)
def test_random_numbers(name):
    """Their moments, on arrays and in both engines, whose numbers are the same; each row has its own."""
    draw, mean, deviation = DRAWS[name]
    rows = np.zeros((5000, 4))
    x = Input((4,))
    found = [
        draw((5000, 4), 3),
        *(Model(x, Noise(name)(x), seed=1, engine=e).predict(rows, batch_size=5000) for e in ("native", "reference")),
    ]
    for values in found:
        assert values.shape == (5000, 4)
        np.testing.assert_allclose(values.mean(0), mean, atol=5 * deviation / np.sqrt(5000))
        np.testing.assert_allclose(values.std(0), deviation, rtol=0.08)
        assert len(np.unique(values[:100], axis=0)) > 10
    np.testing.assert_allclose(found[1], found[2], atol=1e-5)
    np.testing.assert_array_equal(draw((3, 2), 7), draw((3, 2), 7))
