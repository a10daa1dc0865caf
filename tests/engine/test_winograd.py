"""Winograd's filtering gives what the definition of a convolution gives, and is chosen only where it pays."""

import numpy as np
import pytest
from harness import execute
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines import leave_out

from thalweg import Input, Sequential, layers
from thalweg.engine.native.passes import winograd
from thalweg.engine.native.passes.winograd import plan
from thalweg.program.instructions.convolution import (
    Convolution,
    Flip,
    KernelGradient,
    TransposedConvolution,
    Window,
    same,
)
from thalweg.program.ir.instruction import GRADIENTS, PARAMETERS, Buffer, StepState
from thalweg.program.passes.draft import Draft

RANDOM = np.random.default_rng(0)
NAMES = ["winograd kernel", "winograd convolution", "winograd gradient", "winograd kernel gradient"]


class Memory(dict):
    """What instructions are executed on: every buffer has a value."""

    step = StepState(rows=2)
    accumulate = False


def computed(instructions, memory):
    """The values of the last instruction's output."""
    for i in instructions:
        for b in i.outputs:
            memory.setdefault(b, np.full((2, *b.shape) if b.per_row else b.shape, np.nan))
        execute(i, memory)
    return memory[instructions[-1].outputs[0]]


@settings(max_examples=30, deadline=None, database=None, derandomize=True)
@given(
    taps=st.sampled_from(winograd.TAPS),
    image=st.tuples(st.integers(6, 13), st.integers(6, 13)),
    padding=st.sampled_from(["valid", "same"]),
    inputs=st.sampled_from([16, 20]),
    outputs=st.sampled_from([5, 16, 48]),
)
def test_it_is_the_convolution_and_its_gradients(taps, image, padding, inputs, outputs):
    size = (taps, taps)
    window = Window(size) if padding == "valid" else same(size, (1, 1), (1, 1), image)
    places = window.outputs(*image)
    x, h, dx = Buffer("x", (*image, inputs)), Buffer("h", (*places, outputs)), Buffer("dx", (*image, inputs))
    dh = Buffer("dh", h.shape)
    W = Buffer("W", (*size, inputs, outputs), PARAMETERS, per_row=False)
    dW = Buffer("dW", W.shape, GRADIENTS, per_row=False)
    flipped = Buffer("Wᶠ", (*size, outputs, inputs), per_row=False)
    start = {b: RANDOM.normal(size=(2, *b.shape) if b.per_row else b.shape) for b in (x, dh, W)}
    for direct in (
        [Convolution(x, W, None, h, window)],
        [KernelGradient(x, dh, dW, window)],
        [Flip(W, flipped, (1, 1)), TransposedConvolution(dh, W, flipped, None, dx, window)],
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(winograd, "GAIN", 0)  # also where it doesn't pay
            other = winograd.by_winograd(Draft([], direct)).backward
        assert not {i.name for i in other}.isdisjoint(NAMES)
        expected = computed(direct, Memory(start))
        np.testing.assert_allclose(computed(other, Memory(start)), expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    ("size", "strides", "dilation", "groups", "inputs", "outputs"),
    [
        ((3, 3), (2, 2), (1, 1), 1, 16, 16),
        ((3, 3), (1, 1), (2, 2), 1, 16, 16),
        ((4, 4), (1, 1), (1, 1), 1, 16, 16),
        ((1, 3), (1, 1), (1, 1), 1, 16, 16),
        ((3, 3), (1, 1), (1, 1), 2, 16, 16),
        ((3, 3), (1, 1), (1, 1), 1, 1, 16),
        ((5, 5), (1, 1), (1, 1), 1, 6, 16),
        ((3, 3), (1, 1), (1, 1), 1, 16, 512),
    ],
)
def test_other_convolutions_are_taken_directly(size, strides, dilation, groups, inputs, outputs):
    window = same(size, strides, dilation, (16, 16))
    x, h = Buffer("x", (16, 16, inputs)), Buffer("h", (*window.outputs(16, 16), outputs))
    assert plan(x, h, window, groups) is None
    window = same((3, 3), (1, 1), (1, 1), (16, 16))
    assert plan(Buffer("x", (16, 16, 16)), Buffer("h", (16, 16, 32)), window, 1).covered == (16, 16)


@pytest.mark.parametrize(
    ("taps", "before", "image", "outputs", "covered"),
    [
        (3, (0, 0), (6, 6), (4, 4), (4, 4)),
        (3, (0, 0), (3, 8), (1, 6), None),  # most of each tile isn't there
        (3, (0, 0), (13, 13), (11, 11), (11, 11)),
        (3, (2, 2), (11, 11), (13, 13), (12, 12)),  # the last kernels see one row, or one column, of the image
        (3, (1, 1), (7, 7), (7, 7), (7, 7)),
        (5, (2, 2), (9, 9), (9, 9), (8, 8)),
        (5, (0, 0), (14, 14), (10, 10), (10, 10)),
        (5, (0, 0), (5, 5), (1, 1), None),
    ],
)
def test_tiles_cover_what_they_take_with_fewer_operations(taps, before, image, outputs, covered):
    after = tuple(max(0, o + taps - 1 - b - n) for o, b, n in zip(outputs, before, image, strict=True))
    window = Window((taps, taps), before=before, after=after)
    way = plan(Buffer("x", (*image, 64)), Buffer("h", (*outputs, 64)), window, 1)
    assert (way and way.covered) == covered


def network(seed=0):
    model = Sequential(
        [
            Input((10, 12, 16)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2DTranspose(16, 3, padding="same"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ],
        seed=seed,
    )
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize("lanes", [1, 2])
def test_a_network_trains_as_with_direct_convolutions(lanes, monkeypatch):
    x, y = (RANDOM.normal(size=(48, *shape)).astype(np.float32) for shape in ((10, 12, 16), (3,)))
    trained = []
    for direct in (False, True):
        if direct:
            leave_out(monkeypatch, "winograd")
        model = network()
        names = {row.name for row in model.schedule()}
        assert names.isdisjoint(NAMES) if direct else names.issuperset(NAMES)
        assert ("flip" in names) == direct
        model.fit(x, y, batch_size=20, epochs=2, verbose=0, lanes=lanes)
        trained.append((model.vector, model.predict(x, verbose=0), model.evaluate(x, y, verbose=0)))
    for ours, theirs in zip(*trained, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5)


def test_a_row_s_prediction_does_not_depend_on_the_others():
    model = Sequential([Input((10, 12, 16)), layers.Conv2D(32, 3, padding="same")], seed=0)
    x = RANDOM.normal(size=(37, 10, 12, 16)).astype(np.float32)
    every = model.predict(x, verbose=0)
    for row in (0, 11, 36):
        np.testing.assert_array_equal(model.predict(x[row : row + 1], verbose=0)[0], every[row])


def test_what_is_not_finite_stays_in_the_tiles_that_see_it():
    x = RANDOM.normal(size=(1, 10, 12, 16)).astype(np.float32)
    x[0, 4, 5, 3] = np.nan
    model = Sequential([Input((10, 12, 16)), layers.Conv2D(32, 3, padding="same")], seed=0)
    assert "winograd convolution" in [row.name for row in model.schedule("inference")]
    finite = np.isfinite(model.predict(x, verbose=0)).all(axis=(0, 3))
    assert not finite[3:6, 4:7].any()  # what the kernel sees …
    finite[:8, 4:8] = True  # … lies in two tiles of 4x4
    assert finite.all()


def test_values_and_gradients_agree_with_pytorch():
    torch = pytest.importorskip("torch")
    x, pulled = (RANDOM.normal(size=(5, 12, 12, n)).astype(np.float32) for n in (16, 32))
    model = Sequential([Input((12, 12, 16)), layers.Conv2D(32, 3, padding="same")], seed=0)
    model.compile("sgd", "sum_squared_error")
    W, b = model.get_weights()
    ours = model.trace(x, model.predict(x, verbose=0) - pulled)
    images = torch.tensor(x.transpose(0, 3, 1, 2))
    weight = torch.tensor(W.transpose(3, 2, 0, 1), requires_grad=True)
    h = torch.nn.functional.conv2d(images, weight, torch.tensor(b), padding=1)
    np.testing.assert_allclose(ours["y_pred"], h.detach().numpy().transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-5)
    h.backward(torch.tensor(ours["dy_pred"].transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(ours["dW"], weight.grad.numpy().transpose(2, 3, 1, 0), rtol=1e-4, atol=1e-4)
