"""References are pure functions of arrays: they write to none, and another array library stands in for NumPy."""

from typing import Any

import numpy as np
import pytest
from conformance import EVERY
from harness import Case, Shape

from thalweg import Input, Sequential
from thalweg.engine.contract import Chunk
from thalweg.engine.execution import compute, written
from thalweg.engine.reference import ReferenceExecutor
from thalweg.layers import AveragePooling2D, Conv2D, Dense, Dropout, Flatten
from thalweg.program.instructions import linear

SHAPES = [Shape(rows=3, width=5, units=3, positions=2, seed=8), Shape(rows=4, width=6, units=2, flags=255, seed=5)]
EACH = pytest.mark.parametrize("shape", SHAPES, ids=["plain", "every option"])
OF_NUMPY = ("formula", "custom")  # rows of what is compiled from the user's text: its NumPy form knows no other library
TOLERANCE = 1e-10
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # what isn't finite is compared, too


@pytest.fixture
def jnp():
    """jax.numpy in float64."""
    jax = pytest.importorskip("jax", exc_type=ImportError)
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield jax.numpy
    jax.config.update("jax_enable_x64", before)


def check(name: str, shape: Shape, xp: Any) -> None:
    """Both libraries give the same, to rounding errors of the size of the sum behind each output."""
    case = Case(EVERY[name], shape)
    case.dtype = np.float64
    if not name.startswith(OF_NUMPY):
        for value in compute(case.instruction, case.memory(np.float64), xp):
            assert value is None or isinstance(value, xp.ndarray), f"{name} leaves the array library"
    m, wanted = case.memory(np.float64), case.reference()
    for field, got in case.reference(xp).items():
        want = wanted[field]
        size = case.magnitudes[field](m) if field in case.magnitudes else np.abs(want)
        alike = (got == want) | (np.isnan(got) & np.isnan(want)) | (abs(got - want) <= TOLERANCE * size + 1e-13)
        assert alike.all(), f"{name}: {field} is {got[~alike][0]}, by NumPy {want[~alike][0]}"


@EACH
@pytest.mark.parametrize("name", EVERY)
def test_a_reference_writes_to_no_array(name, shape):
    case = Case(EVERY[name], shape)
    m = case.memory(np.float64)
    for array in m.values():
        array.setflags(write=False)
    places = [b for b in written(case.instruction) if b is None or b.view_of is None]
    for buffer, value in zip(places, compute(case.instruction, m), strict=False):
        assert value is None or np.broadcast_shapes(np.shape(value), m[buffer].shape) == m[buffer].shape


@EACH
@pytest.mark.parametrize("name", EVERY)
def test_jax_stands_in_for_numpy(name, shape, jnp):
    check(name, shape, jnp)


def test_a_wrong_sign_is_noticed(jnp, monkeypatch):
    def wrong(self, xp, x, W, b):
        return x @ W if b is None else x @ W + (b if xp is np else -b)

    monkeypatch.setattr(linear.Affine, "reference", wrong)
    with pytest.raises(AssertionError, match=r"affine: h is .*, by NumPy"):
        check("affine", Shape(flags=1), jnp)


def test_a_network_is_trained_with_jax(jnp):
    """Some steps: convolution, pooling, dropout, a penalty, Adam, and a smaller last batch."""

    def trained(xp: Any) -> np.ndarray:
        random = np.random.default_rng(0)
        x, y = random.normal(size=(19, 6, 6, 2)), random.normal(size=(19, 3))
        network = [Conv2D(4, 3, activation="relu"), AveragePooling2D(2), Flatten(), Dropout(0.3)]
        network += [Dense(5, "tanh", kernel_regularizer="l2"), Dense(3)]
        model = Sequential([Input((6, 6, 2)), *network], seed=1, engine="reference", dtype="float64")
        model.compile("adam", "mse")
        model.build()
        model._compiled.prepare_slots()
        job = model._compiled.job("training", {"X": x, "Y": y}, 8)
        outcome = ReferenceExecutor(job, xp).run(Chunk(0, 0, 3, 0, np.full(3, 0.01)))
        return np.concatenate([job.parameters, job.slots, outcome.totals])

    np.testing.assert_allclose(trained(jnp), trained(np), rtol=1e-9, atol=1e-12)
