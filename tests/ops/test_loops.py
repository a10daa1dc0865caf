"""Loops over steps: what a scan computes is what the steps one by one compute, or it isn't one."""

import numpy as np
import pytest
from networks import network
from pass_checks import computed
from recurrent_networks import RECURRENT, Loop, counted, gated, shifted, simple, wide

from thalweg import Input, Model, Sequential, ops
from thalweg.engine.reference import ReferenceExecutor
from thalweg.layers import Dense, Flatten, Layer
from thalweg.ops.loops import over_steps
from thalweg.program.instructions.recurrence.scan import Scan
from thalweg.program.interchange.reading_back import from_json
from thalweg.program.interchange.writing import to_json
from thalweg.program.passes.draft import Pass, Request
from thalweg.program.passes.scanned import unroll, unrolled
from thalweg.program.plain import DERIVE, FUSE_LOSSES, PLAIN

X = np.random.default_rng(0).normal(size=(6, 5, 4))
Y = np.random.default_rng(1).normal(size=(6, 2))


def program(model, kind="training", visible=False):
    return model._compiled._lower(Request(kind, visible=visible), None, PLAIN)[0]


def scans(model, kind="training", visible=False):
    return [i for i in program(model, kind, visible) if isinstance(i, Scan)]


def of(step, states=1, **options):
    layers = [Input((5, 4)), Loop(step, states, **options), Flatten(), Dense(2)]
    model = Sequential(layers, engine="reference", dtype="float64", seed=2)
    model.compile("sgd", "mse")
    model.build()
    return model


def trained(model):
    model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    return [model.predict(X), *model.get_weights()]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("all_outputs", [False, True])
@pytest.mark.parametrize(("step", "states"), [(simple, 1), (counted, 2), (gated, 2), (shifted, 3), (wide, 1)])
def test_a_scan_trains_as_the_steps_one_by_one_do(backwards, all_outputs, step, states):
    """The last output of `counted` is no state, and no later step depends on it."""
    options = {"backwards": backwards, "all_outputs": all_outputs}
    one, other = of(step, states, **options), of(step, states, unroll=True, **options)
    assert scans(one)
    assert not scans(other)
    for found, wanted in zip(trained(one), trained(other), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def test_the_order_of_the_steps_counts():
    """A control: the other order computes something else."""
    forwards, last = trained(of(simple)), trained(of(simple, backwards=True))
    assert np.abs(forwards[0] - last[0]).max() > 1e-3


class Mask(Layer):
    """A loop that adds up, with a mask of steps that count."""

    def __init__(self, **options):
        super().__init__()
        self.options = options

    def call(self, x, mask):
        def step(xs, s):
            return s[0] + xs[0], (s[0] + xs[0],)

        found, (state,) = over_steps(step, (ops.zeros_like(x[:, 0]) + 100.0,), (x,), mask=mask, **self.options)
        return ops.concatenate([ops.reshape(found, (-1, 5)), state], -1)


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("engine", ["reference", "native"])
def test_a_step_that_is_left_out_keeps_states_and_the_output_before_it(unroll, engine):
    x, counts = Input((5, 1)), Input((5,))
    values = np.array([[1, 2, 3, 4, 5], [1, 2, 3, 4, 5]], np.float32)[..., None]
    masks = np.array([[0, 1, 0, 1, 0], [0, 0, 0, 0, 0]], np.float32)
    kept = Model([x, counts], Mask(unroll=unroll)(x, ops.greater(counts, 0.5)), engine=engine)
    zeros = Model(
        [x, counts], Mask(unroll=unroll, zero_output_for_mask=True)(x, ops.greater(counts, 0.5)), engine=engine
    )
    assert kept.predict([values, masks]).tolist() == [[0, 102, 102, 106, 106, 106], [0, 0, 0, 0, 0, 100]]
    assert zeros.predict([values, masks]).tolist() == [[0, 102, 0, 106, 0, 106], [0, 0, 0, 0, 0, 100]]


def noisy(x, s, w):
    h = ops.tanh(x + s[0] * w.p) + ops.matmul(s[0], w.R)
    return h + w.noise(h), (h,)


class Noisy(Loop):
    """A step that draws random numbers."""

    def noise(self, h):
        from thalweg import random

        return random.normal(ops.shape(h)) * 0.1


def test_a_step_that_draws_numbers_is_written_once_for_each_step():
    """Otherwise all steps would draw the same ones."""
    model = Sequential([Input((5, 4)), Noisy(noisy), Flatten(), Dense(2)], engine="reference", seed=1)
    model.compile("sgd", "mse")
    assert not scans(model)
    drawn = [i.stream for i in program(model) if hasattr(i, "stream")]
    assert len(set(drawn)) == 5


def test_what_nothing_reads_is_not_kept():
    (scan,) = scans(of(simple, all_outputs=False), "inference")
    assert (scan.made, [z is not None for z in scan.finals]) == ((), [True])
    forward, backward = scans(of(simple))
    assert len(forward.made) == 2  # the state before each step, and the output
    assert all(any(b in i.inputs for i in backward.body) or b in scan.memories for b in backward.parts)


@pytest.mark.parametrize("name", RECURRENT)
def test_a_program_with_loops_is_written_as_steps_and_read_back(name):
    model, loss, *_ = RECURRENT[name]()
    model.compile("sgd", loss)
    model.build()
    document = to_json(program(model))
    assert "scan" not in {i["operation"] for half in ("forward", "backward") for i in document[half]}
    assert to_json(from_json(document)) == document


def test_a_program_without_loops_stays_as_it_is():
    model = Sequential([Input((4,)), Dense(2)])
    model.compile("sgd", "mse")
    found = program(model)
    assert unrolled(found) is found


def test_the_steps_of_a_program_that_is_looked_at_are_written_out():
    model = of(simple)
    assert scans(model)
    assert not scans(model, visible=True)


def test_a_trace_shows_the_numbers_of_each_step():
    text = str(of(simple, backwards=True).trace(X[:1], Y[:1]))
    assert all(f"a[{step}] = tanh(" in text for step in range(1, 6))


@pytest.mark.parametrize("name", RECURRENT)
def test_the_adjoint_of_a_scan_is_that_of_its_steps(name):
    """The same network, derived before its steps are written out and after."""
    early = (Pass("write steps out", unroll, lambda r: True), DERIVE, FUSE_LOSSES)
    found, wanted = (
        computed(network(name), ReferenceExecutor, np.float64, "training", passes) for passes in (PLAIN, early)
    )
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
