"""Networks for images agree with PyTorch, name what doesn't fit, and learn."""

import numpy as np
import pytest

from thalweg import Input, Sequential, load_model
from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import (
    AveragePooling2D,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Cropping2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePooling2D,
    GroupNormalization,
    LayerNormalization,
    MaxPooling2D,
    Parallel,
    Reshape,
    Residual,
    ZeroPadding2D,
)
from thalweg.optimizers import SGD

CONVOLUTIONS = {
    "valid": {"kernel_size": 3},
    "same": {"kernel_size": (3, 5), "padding": "same"},
    "strides": {"kernel_size": 3, "strides": (2, 1)},
    "dilation": {"kernel_size": 3, "padding": "same", "dilation_rate": 2},
    "groups": {"kernel_size": 3, "groups": 4, "padding": "same"},
    "pointwise": {"kernel_size": 1},
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_three_steps_of_two_convolutions_agree_with_pytorch(name):
    torch = pytest.importorskip("torch")
    options = CONVOLUTIONS[name]
    x = np.random.default_rng(0).normal(size=(24, 11, 12, 3)).astype("f")
    y = np.random.default_rng(1).normal(size=(24, 5)).astype("f")
    model = Sequential(
        [
            Input(x.shape[1:]),
            Conv2D(8, 3, activation="tanh"),
            Conv2D(20, **options),
            GlobalAveragePooling2D(),
            Dense(5),
        ],
        seed=2,
    )
    model.compile(SGD(0.5), "mse")
    theirs = [torch.tensor(w, requires_grad=True) for w in model.get_weights()]
    optimizer = torch.optim.SGD(theirs, 0.5)
    pad = "same" if options.get("padding") == "same" else 0
    more = {"stride": options.get("strides", 1), "dilation": options.get("dilation_rate", 1)}
    for _ in range(3):
        W1, b1, W2, b2, W3, b3 = theirs
        conv = torch.nn.functional.conv2d
        h = torch.tanh(conv(torch.tensor(x.transpose(0, 3, 1, 2)), W1.permute(3, 2, 0, 1), b1))
        h = conv(h, W2.permute(3, 2, 0, 1), b2, padding=pad, groups=options.get("groups", 1), **more)
        loss = torch.nn.functional.mse_loss(h.mean((2, 3)) @ W3 + b3, torch.tensor(y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    before = model.get_weights()
    model.fit(x, y, batch_size=24, epochs=3, verbose=0)
    for w, other, start in zip(model.get_weights(), theirs, before, strict=True):
        assert np.abs(w - start).max() > 1e-3
        np.testing.assert_allclose(w, other.detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", [MaxPooling2D(3, 2), AveragePooling2D((2, 3), (1, 2))])
def test_pooling_agrees_with_pytorch(layer):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(4, 9, 8, 5)).astype("f")
    model = Sequential([Input(x.shape[1:]), Conv2D(3, 1), layer, Flatten(), Dense(1)], seed=1)
    model.compile(SGD(0.1), "mse")
    W, b, V, c = (torch.tensor(w, requires_grad=True) for w in model.get_weights())
    h = torch.nn.functional.conv2d(torch.tensor(x.transpose(0, 3, 1, 2)), W.permute(3, 2, 0, 1), b)
    pool = torch.nn.functional.max_pool2d if isinstance(layer, MaxPooling2D) else torch.nn.functional.avg_pool2d
    p = pool(h, layer.pool_size, layer.strides).permute(0, 2, 3, 1).reshape(4, -1)
    torch.nn.functional.mse_loss(p @ V + c, torch.zeros(4, 1)).backward()
    values = model.trace(x, np.zeros(4))
    np.testing.assert_allclose(values["dW1"], W.grad.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(values["dW2"], V.grad.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_batch_normalization_agrees_with_pytorch(lanes, tmp_path):
    """Weights and moving averages after some steps, whatever the lanes; PyTorch's variance is the unbiased one."""
    torch = pytest.importorskip("torch")
    x = (2 + 3 * np.random.default_rng(0).normal(size=(70, 5, 6, 3))).astype("f")
    y = np.random.default_rng(1).normal(size=(70, 4)).astype("f")
    model = Sequential(
        [
            Input(x.shape[1:]),
            BatchNormalization(momentum=0.9),
            Residual([Conv2D(3, 3, padding="same", use_bias=False), BatchNormalization(momentum=0.9)]),
            GlobalAveragePooling2D(),
            Dense(4),
        ],
        seed=2,
    )
    model.compile(SGD(0.2), "mse")
    names = [name for name, _ in model.named_parameters()] if model.build() is None else []
    start = {n: torch.tensor(w) for n, w in zip(names, model.get_weights(), strict=True)}
    for name, w in start.items():
        w.requires_grad_(not name.endswith(("μ", "σ²")))
    optimizer = torch.optim.SGD([w for w in start.values() if w.requires_grad], 0.2)
    h1, h2, inner = "batch_normalization", "residual/batch_normalization", "residual/conv2d/W"

    def normal(h, name):
        n = h.numel() // h.shape[1]
        biased = h.var((0, 2, 3), correction=0)
        with torch.no_grad():
            start[f"{name}/μ"] += 0.1 * (h.mean((0, 2, 3)) - start[f"{name}/μ"])
            start[f"{name}/σ²"] += 0.1 * (biased - start[f"{name}/σ²"])
        assert n == h.shape[0] * 30
        args = (None, None, start[f"{name}/γ"], start[f"{name}/β"], True, 0.1, 1e-3)
        return torch.nn.functional.batch_norm(h, *args)

    for _ in range(3):
        h = normal(torch.tensor(x.transpose(0, 3, 1, 2)), h1)
        h = h + normal(torch.nn.functional.conv2d(h, start[inner].permute(3, 2, 0, 1), padding="same"), h2)
        loss = torch.nn.functional.mse_loss(h.mean((2, 3)) @ start["dense/W"] + start["dense/b"], torch.tensor(y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.fit(x, y, batch_size=70, epochs=3, verbose=0, lanes=lanes)
    for name, w in zip(names, model.get_weights(), strict=True):
        np.testing.assert_allclose(w, start[name].detach().numpy(), rtol=1e-4, atol=1e-5, err_msg=name)
    model.save(tmp_path / "model.safetensors")
    assert np.array_equal(load_model(tmp_path / "model.safetensors").predict(x), model.predict(x))


@pytest.mark.parametrize("layer", [LayerNormalization(), GroupNormalization(4)])
def test_layer_and_group_normalization_agree_with_pytorch(layer):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(5, 4, 3, 8)).astype("f")
    model = Sequential([Input(x.shape[1:]), Conv2D(8, 1), layer, Flatten(), Dense(1)], seed=1)
    model.compile(SGD(0.1), "mse")
    W, b, g, c, V, e = (torch.tensor(w, requires_grad=True) for w in model.get_weights())
    h = torch.nn.functional.conv2d(torch.tensor(x.transpose(0, 3, 1, 2)), W.permute(3, 2, 0, 1), b)
    if isinstance(layer, LayerNormalization):
        n = torch.nn.functional.layer_norm(h.permute(0, 2, 3, 1), (8,), g, c, 1e-3)
    else:
        n = torch.nn.functional.group_norm(h, 4, g, c, 1e-3).permute(0, 2, 3, 1)
    torch.nn.functional.mse_loss(n.reshape(5, -1) @ V + e, torch.zeros(5, 1)).backward()
    values = model.trace(x, np.zeros(5))
    for name, theirs in (("dW1", W), ("dγ2", g), ("dβ2", c), ("dW3", V)):
        np.testing.assert_allclose(values[name], theirs.grad.numpy(), rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("width", [7, 16, 33])
@pytest.mark.parametrize("lanes", [1, 2])
def test_blocks_and_lanes_change_nothing(width, lanes):
    """A batch cut into blocks has the gradients of the batch."""
    x = np.random.default_rng(0).normal(size=(200, 6, width, 3))
    y = x.mean((1, 2)) @ [1.0, 2.0, 3.0]
    models = []
    for engine in ("native", "reference"):
        model = Sequential(
            [Input(x.shape[1:]), Conv2D(9, 3, activation="relu"), MaxPooling2D(), Flatten(), Dense(1)],
            seed=3,
            engine=engine,
        )
        model.compile(SGD(0.01), "mse")
        model.fit(x, y, batch_size=150, epochs=2, verbose=0, lanes=lanes if engine == "native" else None)
        models.append(model)
    for one, other in zip(*(m.get_weights() for m in models), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "shape", "error", "text"),
    [
        (
            lambda: Conv2D(3, 5),
            (4, 8, 1),
            ShapeError,
            r"Conv2D's window spans \(5, 5\), more than its input of \(4, 8\)",
        ),
        (
            lambda: Conv2D(3, 3),
            (8,),
            ShapeError,
            r"Conv2D takes images of shape \(height, width, channels\), not \(8,\)",
        ),
        (lambda: Conv2D(4, 3, groups=2), (8, 8, 3), ShapeError, "2 groups don't divide the 3 channels"),
        (lambda: Conv2D(3, 3, groups=2), None, ArgumentError, "2 groups don't divide its 3 filters"),
        (lambda: Conv2D(3, 3, padding="full"), None, ArgumentError, "unknown padding 'full'"),
        (lambda: Conv2D(3, (3, 3, 3)), None, ArgumentError, "kernel_size is a whole number or two of them"),
        (lambda: Conv2D(0, 3), None, ArgumentError, "Conv2D's filters has to be a whole number of at least 1"),
        (lambda: Conv2D(3, 3, 2, dilation_rate=2), None, ArgumentError, "can't combine strides"),
        (lambda: MaxPooling2D(3), (2, 8, 1), ShapeError, r"MaxPooling2D's window spans \(3, 3\)"),
        (lambda: AveragePooling2D(2, 0), None, ArgumentError, "AveragePooling2D's strides"),
        (lambda: GroupNormalization(), (8, 8, 48), ShapeError, "32 groups don't divide the 48 channels"),
        (lambda: Conv1D(3, 9), (8, 2), ShapeError, "Conv1D's window spans"),
        (lambda: Conv1D(3, 2), (8, 2, 1), ShapeError, "Conv1D takes sequences"),
        (lambda: DepthwiseConv2D(3, 2, dilation_rate=2), None, ArgumentError, "DepthwiseConv2D can't combine"),
        (lambda: BatchNormalization(axis=1), (8, 8, 3), ShapeError, r"last axis, which is axis 3 of inputs .*, not 1"),
        (lambda: Residual([Conv2D(4, 3)]), (8, 8, 3), ShapeError, "a sum needs both shapes equal"),
        (lambda: Parallel([Conv2D(4, 3), []]), (8, 8, 3), ShapeError, "only the last axis may differ"),
        (lambda: Cropping2D(4), (8, 9, 3), ShapeError, "nothing is left"),
        (lambda: Reshape((5, -1)), (8, 8, 3), ShapeError, "their sizes differ"),
        (lambda: ZeroPadding2D((1, 2, 3)), None, ArgumentError, "ZeroPadding2D's padding is a whole number"),
        (lambda: GlobalAveragePooling2D(), (3, 4), ShapeError, "GlobalAveragePooling2D takes images"),
    ],
)
def test_what_does_not_fit_is_said(layer, shape, error, text):
    with pytest.raises(error, match=text):
        Sequential([Input(shape or (8, 8, 3)), layer()]).build()
