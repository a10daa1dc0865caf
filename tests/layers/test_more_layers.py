"""Transposed convolution, Permute, spatial dropout, Normalization, frozen batch normalisation … in training."""

import numpy as np
import pytest

from thalweg import Input, Sequential, load_model
from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.layers import (
    BatchNormalization,
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Dropout,
    EinsumDense,
    Flatten,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    Normalization,
    Parallel,
    Permute,
    RepeatVector,
    Reshape,
    Residual,
    SpatialDropout1D,
    SpatialDropout2D,
    UnitNormalization,
    Wrapper,
)
from thalweg.optimizers import SGD

TRANSPOSED = {
    "valid": ({"kernel_size": 3}, {}),
    "strides": ({"kernel_size": (3, 4), "strides": (2, 3)}, {"stride": (2, 3)}),
    "gaps": ({"kernel_size": 2, "strides": 3}, {"stride": 3, "output_padding": 1}),
    "same": ({"kernel_size": (3, 5), "padding": "same"}, {"padding": (1, 2)}),
    "same, strides": ({"kernel_size": 4, "strides": 2, "padding": "same"}, {"stride": 2, "padding": 1}),
    "output padding": (
        {"kernel_size": 3, "strides": 2, "output_padding": (1, 0)}, {"stride": 2, "output_padding": (1, 0)},
    ),
    "dilation": ({"kernel_size": (2, 3), "dilation_rate": (3, 2)}, {"dilation": (3, 2)}),
    "pointwise": ({"kernel_size": 1}, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSPOSED)
@pytest.mark.parametrize("lanes", [1, 2])
def test_three_steps_of_a_transposed_convolution_agree_with_pytorch(name, lanes):
    torch = pytest.importorskip("torch")
    ours, theirs = TRANSPOSED[name]
    x = np.random.default_rng(0).normal(size=(24, 7, 6, 3)).astype("f")
    y = np.random.default_rng(1).normal(size=(24, 5)).astype("f")
    stack = [Conv2D(9, 3, activation="tanh"), Conv2DTranspose(6, **ours), Conv2D(4, 2, activation="tanh")]
    model = Sequential([Input(x.shape[1:]), *stack, GlobalAveragePooling2D(), Dense(5)], seed=2)
    model.compile(SGD(0.5), "mse")
    weights = [torch.tensor(w, requires_grad=True) for w in model.get_weights()]
    optimizer = torch.optim.SGD(weights, 0.5)
    functional = torch.nn.functional
    for _ in range(3):
        W1, b1, W2, b2, W3, b3, W4, b4 = weights
        h = torch.tanh(functional.conv2d(torch.tensor(x.transpose(0, 3, 1, 2)), W1.permute(3, 2, 0, 1), b1))
        h = functional.conv_transpose2d(h, W2.permute(3, 2, 0, 1), b2, **theirs)
        assert h.shape[2:] == model.layers[1].output_shape[:2]
        h = torch.tanh(functional.conv2d(h, W3.permute(3, 2, 0, 1), b3))
        loss = functional.mse_loss(h.mean((2, 3)) @ W4 + b4, torch.tensor(y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    before = model.get_weights()
    model.fit(x, y, batch_size=24, epochs=3, verbose=0, lanes=lanes)
    for w, other, start in zip(model.get_weights(), weights, before, strict=True):
        assert np.abs(w - start).max() > 1e-3
        np.testing.assert_allclose(w, other.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_prediction_takes_the_weights_as_they_are():
    """The kernel is turned around anew at each call."""
    x = np.random.default_rng(0).normal(size=(3, 4, 4, 2)).astype("f")
    model = Sequential([Input((4, 4, 2)), Conv2DTranspose(3, 3, 2)], seed=1)
    before = model.predict(x)
    model.set_weights([2 * w for w in model.get_weights()])
    np.testing.assert_allclose(model.predict(x), 2 * before, rtol=1e-6)
    np.testing.assert_allclose(model.predict(x, lanes=2), 2 * before, rtol=1e-6)


def test_an_autoencoder_learns():
    """Pictures of one bright stripe through 4 numbers and back."""
    random = np.random.default_rng(0)
    x = np.zeros((256, 8, 8, 1), np.float32)
    x[np.arange(256), random.integers(0, 8, 256)] = 1
    stack = [Conv2D(8, 3, 2, "same", activation="relu"), Flatten(), Dense(4, "tanh"), Dense(32, "relu")]
    back = [Reshape((2, 2, 8)), Conv2DTranspose(8, 4, 2, "same", activation="relu"), Conv2DTranspose(1, 4, 2, "same")]
    model = Sequential([Input((8, 8, 1)), *stack, *back], seed=3)
    model.compile("adam", "mse")
    start = model.evaluate(x, x, verbose=0)
    model.fit(x, x, epochs=60, verbose=0)
    assert model.evaluate(x, x, verbose=0) < start / 5


# --- spatial dropout --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("layer", "shape"), [(SpatialDropout2D, (3, 4, 50)), (SpatialDropout1D, (5, 50))])
def test_whole_channels_are_dropped_and_the_mean_stays(layer, shape):
    model = Sequential([Input(shape), layer(0.25), Flatten(), Dense(1)], seed=5)
    model.compile("sgd", "mse")
    x = np.ones((200, *shape), np.float32)
    r = model.trace(x, np.zeros(200))["r"].reshape(200, -1, 50)
    assert (r == r[:, :1]).all()
    assert set(np.unique(r)) == {np.float32(0), np.float32(1 / 0.75)}
    dropped = r[:, 0] == 0
    assert abs(dropped.mean() - 0.25) < 0.018  # 10,000 draws: four standard deviations are 0.0173
    assert 0 < abs(np.corrcoef(dropped[:, 0], dropped[:, 1])[0, 1]) < 0.3  # each channel draws for itself
    assert np.array_equal(model.layers[0].get_config()["rate"], 0.25)
    model.train_on_batch(x, np.zeros(200))
    assert (model.trace(x, np.zeros(200))["r"].reshape(200, -1, 50)[:, 0] != r[:, 0]).any()


def test_spatial_dropout_s_seed_decides():
    def mask(seed, model_seed=5):
        model = Sequential([Input((2, 2, 40)), SpatialDropout2D(0.5, seed=seed), Flatten(), Dense(1)], seed=model_seed)
        model.compile("sgd", "mse")
        return model.trace(np.ones((8, 2, 2, 40)), np.zeros(8))["r"]

    assert np.array_equal(mask(1), mask(1))
    assert (mask(1) != mask(2)).any()
    assert (mask(None, 5) != mask(None, 6)).any()


# --- Normalization ----------------------------------------------------------------------------------------------------


def test_what_was_measured_is_saved_and_not_trained(tmp_path):
    random = np.random.default_rng(0)
    x = random.normal([100, -3], [20, 0.1], (500, 2))
    y = (x[:, 0] - 100) / 20 + 10 * (x[:, 1] + 3)
    layer = Normalization()
    layer.adapt(x)
    model = Sequential([Input((2,)), layer, Dense(1)], seed=0)
    model.compile(SGD(0.1), "mse")
    model.build()
    before = layer.get_weights()
    np.testing.assert_allclose(before[0], x.mean(0), rtol=1e-6)
    np.testing.assert_allclose(before[1], x.var(0), rtol=1e-6)
    model.fit(x, y, epochs=20, verbose=0)
    assert model.evaluate(x, y, verbose=0) < 1e-3
    for w, other in zip(layer.get_weights(), before, strict=True):
        assert np.array_equal(w, other)
    model.save(tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    assert np.array_equal(again.predict(x), model.predict(x))


def test_bytes_are_measured_as_numbers():
    x = np.random.default_rng(0).integers(0, 256, (5000, 4, 3), np.uint8)
    layer = Normalization()
    layer.adapt(x)
    np.testing.assert_allclose(layer.mean, x.mean((0, 1)), rtol=1e-12)
    np.testing.assert_allclose(layer.variance, x.var((0, 1), dtype=np.float64), rtol=1e-9)


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        ([[1.0, 2.0], [np.nan, 1.0]], DataError, "a value that is not finite in row 1"),
        (np.zeros((0, 2)), DataError, "needs rows to measure"),
        ([["a", "b"]], DataError, "have to be numbers"),
        ([[1.0, 2.0, 3.0]], ShapeError, "the last axes differ"),
    ],
)
def test_data_that_can_t_be_measured_is_refused(data, error, text):
    layer = Normalization()
    Sequential([Input((2,)), layer]).build()
    with pytest.raises(error, match=text):
        layer.adapt(data)
    assert [w.tolist() for w in layer.get_weights()] == [[0, 0], [1, 1]]  # as it was


# --- frozen batch normalisation ---------------------------------------------------------------------------------------


def frozen(inside, x, **options):
    """A network with batch normalisation that isn't trained, alone or in a container that isn't."""
    norm = BatchNormalization(**options)
    block = Residual([Conv2D(3, 3, padding="same"), norm]) if inside else norm
    model = Sequential([Input(x.shape[1:]), Conv2D(3, 1), block, GlobalAveragePooling2D(), Dense(2)], seed=2)
    model.compile(SGD(0.1), "mse")
    model.build()
    random = np.random.default_rng(4)
    norm.set_weights([random.uniform(0.5, 1.5, w.shape) for w in norm.get_weights()])
    block.trainable = False
    return model, norm


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize("options", [{}, {"center": False, "scale": False}])
def test_frozen_batch_normalization_uses_its_averages_as_in_pytorch_s_eval(inside, lanes, options):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(1, 2, (40, 4, 5, 2)).astype("f")
    y = np.random.default_rng(1).normal(size=(40, 2)).astype("f")
    model, norm = frozen(inside, x, **options)
    names = [name for name, _ in model.named_parameters()]
    w = {name: torch.tensor(a) for name, a in zip(names, model.get_weights(), strict=True)}
    free = [w[name] for name in ("conv2d/W", "conv2d/b", "dense/W", "dense/b")]
    for tensor in free:
        tensor.requires_grad_()
    optimizer = torch.optim.SGD(free, 0.1)
    prefix = "residual/" if inside else ""
    held = [w.get(f"{prefix}batch_normalization/{key}") for key in ("μ", "σ²", "γ", "β")]
    for _ in range(3):
        h = g = torch.nn.functional.conv2d(torch.tensor(x.transpose(0, 3, 1, 2)), w["conv2d/W"].permute(3, 2, 0, 1))
        h = g = h + w["conv2d/b"][:, None, None]
        if inside:
            kernel, bias = w["residual/conv2d/W"], w["residual/conv2d/b"]
            g = torch.nn.functional.conv2d(h, kernel.permute(3, 2, 0, 1), bias, padding="same")
        g = torch.nn.functional.batch_norm(g, *held, training=False, eps=1e-3)
        h = h + g if inside else g
        loss = torch.nn.functional.mse_loss(h.mean((2, 3)) @ w["dense/W"] + w["dense/b"], torch.tensor(y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    before = norm.get_weights()
    model.fit(x, y, batch_size=40, epochs=3, verbose=0, lanes=lanes)
    assert all(np.array_equal(a, b) for a, b in zip(norm.get_weights(), before, strict=True))
    for name, a in zip(names, model.get_weights(), strict=True):
        np.testing.assert_allclose(a, w[name].detach().numpy(), rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("inside", [False, True])
def test_a_frozen_layer_keeps_its_averages_and_uses_them(inside):
    x = np.random.default_rng(0).normal(1, 2, (40, 4, 5, 2)).astype("f")
    model, norm = frozen(inside, x)
    before, y = norm.get_weights(), np.zeros((40, 2))
    (loss,) = model.fit(x, y, batch_size=40, epochs=1, verbose=0).history["loss"]
    model.set_weights(frozen(inside, x)[0].get_weights())
    assert loss == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-5)
    assert all(np.array_equal(a, b) for a, b in zip(norm.get_weights(), before, strict=True))


def test_freezing_takes_effect_between_two_fits_also_without_weights_to_train():
    x = np.random.default_rng(0).normal(1, 2, (40, 4, 5, 2)).astype("f")
    model, norm = frozen(False, x, center=False, scale=False)
    y = np.zeros((40, 2))
    for trainable in (False, True, False):
        norm.trainable = trainable
        before = norm.get_weights()
        model.fit(x, y, epochs=1, verbose=0)
        assert trainable != np.array_equal(norm.get_weights()[0], before[0])


# --- wrong turns ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "shape", "error", "text"),
    [
        (lambda: Conv2DTranspose(3, 3), (8,), ShapeError, "Conv2DTranspose takes images"),
        (lambda: Conv2DTranspose(3, 3, 2, dilation_rate=2), None, ArgumentError, "Conv2DTranspose can't combine"),
        (lambda: Conv2DTranspose(3, 3, 2, output_padding=2), None, ArgumentError, r"\(2, 2\) has to be less than"),
        (
            lambda: Conv2DTranspose(3, 2, padding="same", output_padding=0),
            (1, 4, 2),
            ShapeError,
            "has no output for an",
        ),
        (lambda: Conv2DTranspose(0, 3), None, ArgumentError, "Conv2DTranspose's filters"),
        (lambda: Conv2DTranspose(2, 3, padding="full"), None, ArgumentError, "unknown padding"),
        (lambda: Conv1DTranspose(3, 3), (8, 8, 2), ShapeError, "Conv1DTranspose takes sequences"),
        (lambda: Conv1DTranspose(3, 3, output_padding=1), None, ArgumentError, "output_padding"),
        (lambda: Permute((1, 3)), None, ArgumentError, "each of 1 … 2 once"),
        (lambda: Permute(()), None, ArgumentError, "Permute's dims is a tuple"),
        (lambda: Permute((2, 1)), (4, 4, 2), ShapeError, r"Permute\(2, 1\) takes inputs of 2 axes"),
        (lambda: SpatialDropout2D(1.0), None, ArgumentError, "SpatialDropout2D's rate"),
        (lambda: SpatialDropout2D(0.5), (4, 2), ShapeError, r"takes inputs of shape \(height, width, channels\)"),
        (lambda: SpatialDropout1D(0.5), (4, 2, 2), ShapeError, r"takes inputs of shape \(steps, channels\)"),
        (lambda: GlobalAveragePooling1D(), (4, 2, 2), ShapeError, "GlobalAveragePooling1D takes sequences"),
        (lambda: RepeatVector(2), (3, 4), ShapeError, "RepeatVector takes vectors"),
        (lambda: UnitNormalization([0, 1]), None, ArgumentError, "mix the rows"),
        (lambda: UnitNormalization(-3), (3, 4), ShapeError, "takes the axes 1 … 2, not -3"),
        (lambda: UnitNormalization(4), (3, 4), ShapeError, "takes the axes 1 … 2, not 4"),
        (lambda: EinsumDense("ab,bc", 3), None, ArgumentError, "EinsumDense's equation names the axes"),
        (lambda: EinsumDense("...b,bc->bc", 3), None, ArgumentError, "EinsumDense's equation names the axes"),
        (lambda: EinsumDense("ab,bc->ac", 3, bias_axes="a"), None, ArgumentError, "axes behind the rows"),
        (lambda: EinsumDense("ab,bc->ac", 3), (3, 4), ShapeError, "'ab' doesn't name the axes"),
        (lambda: EinsumDense("ab,bc->ca", 3), (3,), ShapeError, "the first letter"),
        (lambda: EinsumDense("ab,abc->ac", 3), (3,), ShapeError, "the first letter"),
        (lambda: EinsumDense("abc,cd->abd", 3), (3, 4), ShapeError, "isn't a size for each axis"),
        (lambda: EinsumDense("abc,cd->abd", (2, 3)), (3, 4), ShapeError, "the size 3 in the input and 2"),
        (lambda: EinsumDense("ab,bc->ac", (None,)), (3,), ShapeError, "the size None in the input and None"),
        (lambda: EinsumDense("ab,bcd->ac", 3), (3,), ShapeError, "has W's axis 'd'"),
        (lambda: Wrapper(3), None, ArgumentError, "Wrapper's layer is a layer, got 3"),
        (lambda: Normalization(axis=0), None, ArgumentError, "Normalization works along the last axis"),
        (lambda: Normalization(mean=1.0), None, ArgumentError, "mean and variance together"),
        (lambda: Normalization(mean=0, variance=-1), None, ArgumentError, "can't be negative"),
        (lambda: Normalization(mean=np.nan, variance=1), None, ArgumentError, "has to be finite"),
        (lambda: Normalization(mean=[1, 2], variance=[1, 2]), (3,), ShapeError, "mean has 2 numbers for 3 columns"),
        (lambda: Normalization(None, [1, 2], [1, 2]), None, ArgumentError, "Normalization's mean is a number"),
        (lambda: Parallel([Permute((2, 1)), []]), (3, 2), ShapeError, "only the last axis may differ"),
    ],
)
def test_what_does_not_fit_is_said(layer, shape, error, text):
    with pytest.raises(error, match=text):
        Sequential([Input(shape or (8, 8, 3)), layer()]).build()


def test_what_was_given_is_not_adapted():
    with pytest.raises(ArgumentError, match="was given its mean and variance"):
        Normalization(mean=0, variance=1).adapt([[1.0]])


class Twice(Wrapper):
    def call(self, x):
        return x + self.layer(self.layer(x))


def test_a_layer_around_another(tmp_path):
    model = Sequential([Input((4,)), Twice(Dense(4, "tanh", name="inner"), name="outer"), Dense(1)], seed=1)
    model.build()
    assert [name for name, _ in model.named_parameters()][:2] == ["outer/inner/W", "outer/inner/b"]
    x = np.random.default_rng(0).normal(size=(20, 4)).astype("f")
    model.compile(SGD(0.1), "mse")
    before = model.evaluate(x, x[:, :1], verbose=0)
    model.fit(x, x[:, :1], epochs=5, verbose=0)
    assert model.evaluate(x, x[:, :1], verbose=0) < before
    model.save(tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors", {"Twice": Twice})
    assert again.predict(x).tobytes() == model.predict(x).tobytes()
    inner, (W, b) = x, model.get_weights()[:2]
    for _ in range(2):
        inner = np.tanh(inner @ W + b)
    layer = model.layers[-2]
    np.testing.assert_allclose(layer(x), x + inner, rtol=1e-4, atol=1e-5)


def test_no_later_step_has_to_do_with_a_causal_output():
    model = Sequential([Input((6, 2)), Conv1D(3, 3, padding="causal", dilation_rate=2)], seed=1)
    x = np.random.default_rng(0).normal(size=(2, 6, 2)).astype("f")
    before = model.predict(x)
    x[:, 4:] += 1
    after = model.predict(x)
    assert np.array_equal(before[:, :4], after[:, :4])
    assert not np.any(np.isclose(before[:, 4:], after[:, 4:]).all(axis=-1))


def test_a_vector_of_zeros_has_a_gradient():
    model = Sequential([Input((3,)), Dense(4, use_bias=False), UnitNormalization(), Dense(1)], seed=1)
    model.compile(SGD(0.1), "mse")
    model.fit(np.array([[0.0, 0, 0], [1, 2, 3]]), np.ones((2, 1)), epochs=2, verbose=0)
    assert np.isfinite(model.get_weights()[0]).all()


def test_a_dropout_of_whole_rows():
    model = Sequential([Input((5, 3)), Dropout(0.5, noise_shape=(None, 1, 1)), Flatten(), Dense(1)], seed=1)
    model.compile(SGD(0.1), "mse")
    kept = model.trace(np.ones((40, 5, 3)), np.zeros((40, 1)))["z′"].reshape(40, 15)
    assert set(kept[:, 0]) == {0.0, 2.0}
    assert (kept == kept[:, :1]).all()
    assert 8 < (kept[:, 0] > 0).sum() < 32


@pytest.mark.parametrize("shape", [(None, 2, 1), (None, 1)])
def test_a_dropout_whose_shape_does_not_fit(shape):
    model = Sequential([Input((5, 3)), Dropout(0.5, shape), Flatten(), Dense(1)])
    model.compile(SGD(0.1), "mse")
    with pytest.raises(ShapeError, match="doesn't fit inputs"):
        model.fit(np.ones((4, 5, 3)), np.ones((4, 1)), verbose=0)
    with pytest.raises(ArgumentError, match="begins with None"):
        Dropout(0.5, (1, *shape))
    with pytest.raises(ArgumentError, match="begins with None"):
        Dropout(0.5, 7)
