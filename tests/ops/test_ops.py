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
