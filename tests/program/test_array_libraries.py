"""References are pure functions of arrays: they write to none, and another array library stands in for NumPy."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import strict
from conformance import EVERY
from harness import Case, Memory, Shape
from quick_jax import quickly_compiled

from thalweg import Input, Sequential
from thalweg.engine.contract import Chunk
from thalweg.engine.reference import ReferenceExecutor
from thalweg.layers import AveragePooling2D, BatchNormalization, Conv2D, Dense, Dropout, Embedding, Flatten
from thalweg.optimizers import Adam, Muon, Nadam
from thalweg.program.instructions import elementwise, linear
from thalweg.program.ir.counter import halves, key
from thalweg.program.ir.instruction import (
    DATA,
    GRADIENTS,
    NORMS,
    PARAMETERS,
    SLOTS,
    TOTALS,
    Buffer,
    Constant,
    StepState,
)
from thalweg.program.ir.references import compute, parameters

SHAPES = [Shape(rows=3, width=5, units=3, positions=2, seed=8), Shape(rows=4, width=6, units=2, flags=255, seed=5)]
PURE = [name for name in EVERY if name not in ("custom", "custom_adjoint")]  # which call the user's own Python function
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


def alike(got: Any, want: Any, size: Any) -> Any:
    """Where two results are the same, to rounding errors of the size of the sum behind each."""
    return (got == want) | (np.isnan(got) & np.isnan(want)) | (abs(got - want) <= TOLERANCE * size + 1e-13)


def reference_writes_to_no_array(name):
    for shape in SHAPES:
        case = Case(EVERY[name], shape)
        m = case.memory(np.float64)
        for array in m.values():
            array.setflags(write=False)
        places = [b for b in case.instruction.results if b is None or b.view_of is None]
        for buffer, value in zip(places, compute(case.instruction, m), strict=False):
            assert value is None or np.broadcast_shapes(np.shape(value), m[buffer].shape) == m[buffer].shape


def each(field: Any) -> tuple[Any, ...]:
    return field if isinstance(field, tuple) else (field,)


class Traced(dict[Buffer, Any]):
    """Traced arrays by buffer, and the state of a step."""

    step: StepState


Given = tuple[dict[int, Any], dict[str, Any], dict[int, Any]]


def traced(case: Case, m: Memory, xp: Any, run: Callable[[Callable[..., Any], Given], Any]) -> tuple[Any, ...]:
    """The results of a reference as a function of any arrays, any numbers of a step but those of rows, and its keys."""
    i, step = case.instruction, m.step
    fields = [getattr(i, name) for name in parameters(type(i)) if name != "step"]
    operands = [b for f in fields for b in each(f) if b is not None]
    constants = {b: m[b] for b in operands if isinstance(b, Constant)}  # a part of what is compiled
    arrays = {n: m[b] for n, b in enumerate(operands) if b not in constants}
    numbers = {name: np.asarray(getattr(step, name)) for name in ("iteration", "update", "learning_rate", "penalties")}
    keys = {stream: step.key(stream) for stream in i.streams}

    def reference(arrays: Any, numbers: Any, keys: Any) -> Any:
        values = Traced(constants | {operands[n]: array for n, array in arrays.items()})
        values.step = replace(step, seed=None, **numbers, keys=keys)
        return compute(i, values, xp)

    results: tuple[Any, ...] = run(reference, (arrays, numbers | {"order": step.order}, keys))
    return results


def with_jax(function: Callable[..., Any], given: Given) -> Any:
    return quickly_compiled(function, *given)(*given)


def strictly(function: Callable[..., Any], given: Given) -> Any:
    with np.errstate(all="ignore"):
        return strict.plain(function(*({k: strict.strict(v) for k, v in part.items()} for part in given)))


@pytest.mark.parametrize("name", PURE)
def test_jax_compiles_a_reference_for_any_arrays_and_numbers_of_a_step(name, jnp):
    for shape in SHAPES:
        check_traced(name, shape, jnp, with_jax)


def reference_gives_arrays_to_no_other_library_and_takes_no_number_out(name):
    for shape in SHAPES:
        check_traced(name, shape, strict, strictly)


@pytest.mark.parametrize("wrong", [lambda x: np.tanh(x), lambda x: x + float(x.sum()), lambda x: -x if x.max() else x])
def test_numpy_in_a_reference_is_noticed(wrong, monkeypatch):
    monkeypatch.setattr(elementwise.Add, "reference", lambda self, xp, x, y: wrong(x) + y)
    with pytest.raises(TypeError, match=r"another library|a Python number"):
        check_traced("add", SHAPES[0], strict, strictly)


def check_traced(name: str, shape: Shape, xp: Any, run: Callable[[Callable[..., Any], Given], Any]) -> None:
    """The reference, run in this way, gives what NumPy gives."""
    case = Case(EVERY[name], shape)
    case.dtype = np.float64
    m = case.memory(np.float64)
    fields = [(f, b) for f in case.instruction.writes for b in each(getattr(case.instruction, f))]
    results = zip(fields, traced(case, m, xp, run), compute(case.instruction, m), strict=True)
    for (field, buffer), got, want in results:
        assert (got is None) == (want is None)
        if want is None:
            continue
        named = field if field in case.magnitudes else getattr(buffer, "name", "")
        size = case.magnitudes[named](m) if named in case.magnitudes else np.abs(want)
        same = alike(np.asarray(got), np.asarray(want), size)
        assert same.all(), f"{name}: {field} is {np.asarray(got)[~same][0]}, by NumPy {np.asarray(want)[~same][0]}"


def test_a_wrong_sign_is_noticed(jnp, monkeypatch):
    def wrong(self, xp, x, W, b):
        return x @ W if b is None else x @ W + (b if xp is np else -b)

    monkeypatch.setattr(linear.Affine, "reference", wrong)
    with pytest.raises(AssertionError, match=r"affine: h is .*, by NumPy"):
        check_traced("affine", Shape(flags=1), jnp, with_jax)


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


class Step(Mapping[Buffer, Any]):
    """The values of one step: arrays by buffer, and the flat vectors of what lasts, none of which is written to."""

    def __init__(self, flat: dict[str, Any], data: dict[str, Any], step: StepState) -> None:
        self.flat, self.data, self.step = dict(flat), data, step
        self.arrays: dict[Buffer, Any] = {}

    def __getitem__(self, b: Buffer) -> Any:
        if isinstance(b, Constant):
            return b.values
        if b.region == DATA:
            return self.data[b.name].reshape(-1, *b.shape)
        if b.region in self.flat:
            return self.flat[b.region][b.offset :][: b.size].reshape(b.shape)
        return self.arrays[b.storage].reshape(*[-1] * b.per_row, *b.shape)

    def execute(self, i: Any, xp: Any) -> None:
        for b, value in zip(i.results, compute(i, self, xp), strict=True):
            if value is None:
                continue
            if b.region not in self.flat:
                self.arrays[b.storage] = xp.broadcast_to(value, (self.step.rows, *b.shape) if b.per_row else b.shape)
                continue
            added = self[b] if i.accumulates or b.region == TOTALS else 0
            self.flat[b.region] = self.flat[b.region].at[b.offset : b.offset + b.size].set((added + value).reshape(-1))

    def __iter__(self) -> Iterator[Buffer]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)


@pytest.mark.parametrize("optimizer", [Adam(global_clipnorm=0.1, gradient_accumulation_steps=2), Nadam(), Muon()])
def test_a_step_of_training_may_be_compiled_as_a_whole(optimizer, jnp):
    """With traced weights, state, data, keys and numbers, one function serves every step."""
    random = np.random.default_rng(0)
    x, y = random.integers(0, 9, (8, 4)), random.normal(size=(8, 2))
    network = [Embedding(9, 6, "normal"), Flatten(), Dropout(0.3), Dense(5, "tanh", kernel_regularizer="l2")]
    model = Sequential(
        [Input((4,)), *network, BatchNormalization(), Dense(2)], seed=1, engine="reference", dtype="float64"
    )
    model.compile(optimizer, "mse")
    model.build()
    model._compiled.prepare_slots()
    job = model._compiled.job("training", {"X": x.astype(np.float64), "Y": y}, 8)
    program, streams = job.program, {s for i in job.program for s in i.streams}
    flat = {PARAMETERS: job.parameters.copy(), SLOTS: job.slots.copy(), GRADIENTS: np.zeros(job.parameters.size)}
    flat |= {TOTALS: np.zeros(job.totals), NORMS: np.zeros(4)}

    def step(flat: Any, data: Any, numbers: Any, keys: Any, due: Any) -> Any:
        state = StepState(rows=8, batch_rows=8, seed=None, order=np.arange(8), keys=keys, **numbers)
        values = Step(flat, data, state)
        for i in program:
            before = values.flat
            values.flat = dict(before)
            values.execute(i, jnp)
            if i.due:  # kept only where gradients aren't accumulated
                values.flat = {region: jnp.where(due, v, before[region]) for region, v in values.flat.items()}
        return values.flat

    compiled = None
    for n in range(4):
        numbers = {"iteration": n + 1, "update": n // program.every + 1, "learning_rate": 0.01 * (n + 1)}
        keys = {s: halves(key(job.seed, n + 1, s)) for s in streams}
        given = (flat, dict(job.data), {k: np.asarray(v) for k, v in numbers.items()}, keys)
        given = (*given, np.asarray((n + 1) % program.every == 0))
        compiled = compiled or quickly_compiled(step, *given)
        flat = {region: np.asarray(v) for region, v in compiled(*given).items()}
    ReferenceExecutor(job).run(Chunk(0, 0, 4, 0, 0.01 * np.arange(1, 5)))
    np.testing.assert_allclose(flat[PARAMETERS], job.parameters, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(flat[SLOTS], job.slots, rtol=1e-7, atol=1e-9)
