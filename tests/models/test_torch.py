"""PyTorch as a second opinion: the same weights and batches, the same numbers after every kind of step."""

import numpy as np
import pytest

from thalweg import Sequential, losses
from thalweg.layers import Dense, Input, LeakyReLU
from thalweg.optimizers import SGD, Adam
from thalweg.regularizers import L2

torch = pytest.importorskip("torch")
F = torch.nn.functional
torch.set_num_threads(1)  # more would only wait for each other

RANDOM = np.random.default_rng(5)
ROWS, INPUTS, CLASSES, BATCH = 96, 7, 4, 32
X = RANDOM.normal(size=(ROWS, INPUTS)).astype(np.float32)
LABELS = RANDOM.integers(0, CLASSES, ROWS)
ONE_HOT = np.eye(CLASSES, dtype=np.float32)[LABELS]
BITS = RANDOM.integers(0, 2, (ROWS, CLASSES)).astype(np.float32)
REAL = RANDOM.normal(size=(ROWS, CLASSES)).astype(np.float32)
WEIGHTS = RANDOM.uniform(0, 2, ROWS).astype(np.float32)
STEPS = 102  # 34 epochs of three batches


def networks(activation="tanh", output=None, **options):
    """The same network twice, from the same weights."""
    model = Sequential([Input((INPUTS,)), Dense(16, activation, **options), Dense(CLASSES, output)], seed=8)
    model.build()
    kernels = [torch.tensor(w, requires_grad=True) for w in model.get_weights()]
    return model, kernels


def logits(kernels, x, activation=torch.tanh):
    W1, b1, W2, b2 = kernels
    return activation(x @ W1 + b1) @ W2 + b2


def train(kernels, optimizer, loss, steps=STEPS):
    """100 steps over the batches in their order; `loss` takes the rows of a batch."""
    for step in range(steps):
        first = step * BATCH % ROWS
        optimizer.zero_grad()
        loss(slice(first, first + BATCH)).backward()
        optimizer.step()


def fit(model, y, steps=STEPS, **more):
    model.fit(X, y, batch_size=BATCH, epochs=steps * BATCH // ROWS, shuffle=False, verbose=0, **more)


def assert_same(model, kernels, tolerance=1e-4):
    for ours, theirs in zip(model.get_weights(), kernels, strict=True):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=tolerance, atol=tolerance)


def tensor(array, rows):
    return torch.tensor(array[rows])


# Adam: Keras adds ε to √v and PyTorch to the corrected √v̂, so they are compared with an ε that doesn't matter.
OPTIMIZERS = {
    "sgd": (SGD(0.1), lambda p: torch.optim.SGD(p, 0.1)),
    "momentum": (SGD(0.05, momentum=0.9), lambda p: torch.optim.SGD(p, 0.05, momentum=0.9)),
    "nesterov": (SGD(0.05, 0.9, nesterov=True), lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True)),
    "adam": (Adam(0.01, epsilon=1e-12), lambda p: torch.optim.Adam(p, 0.01, eps=1e-12)),
}


@pytest.mark.parametrize(("ours", "theirs"), OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_hundred_steps_of_every_optimizer(ours, theirs):
    model, kernels = networks(output="softmax")
    start = model.get_weights()
    model.compile(ours, "sparse_categorical_crossentropy")
    fit(model, LABELS)
    assert model.optimizer.iterations == STEPS
    train(kernels, theirs(kernels), lambda r: F.cross_entropy(logits(kernels, tensor(X, r)), tensor(LABELS, r)))
    assert_same(model, kernels)
    assert max(abs(w - s).max() for w, s in zip(model.get_weights(), start, strict=True)) > 0.05  # it went somewhere


# our loss, the output's activation, targets, PyTorch's loss of each row from the logits
LOSSES = {
    "mse": (losses.MeanSquaredError(), None, REAL, lambda h, y: ((h - y) ** 2).mean(dim=1)),
    "mae": (losses.MeanAbsoluteError(), "tanh", REAL, lambda h, y: (torch.tanh(h) - y).abs().mean(dim=1)),
    "half sse": (
        losses.SumSquaredError(half=True), "sigmoid", BITS, lambda h, y: ((torch.sigmoid(h) - y) ** 2).sum(dim=1) / 2,
    ),
    "bce": (
        losses.BinaryCrossentropy(), "sigmoid", BITS,
        lambda h, y: F.binary_cross_entropy(torch.sigmoid(h), y, reduction="none").mean(dim=1),
    ),
    "bce logits": (
        losses.BinaryCrossentropy(from_logits=True), None, BITS,
        lambda h, y: F.binary_cross_entropy_with_logits(h, y, reduction="none").mean(dim=1),
    ),
    "cce": (
        losses.CategoricalCrossentropy(), "softmax", ONE_HOT, lambda h, y: F.cross_entropy(h, y, reduction="none"),
    ),
    "cce of plain probabilities": (  # not fused: the outputs are divided by their sum
        losses.CategoricalCrossentropy(), "sigmoid", ONE_HOT,
        lambda h, y: -(y * torch.log(torch.sigmoid(h) / torch.sigmoid(h).sum(dim=1, keepdim=True))).sum(dim=1),
    ),
    "cce smoothed": (
        losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1), None, ONE_HOT,
        lambda h, y: F.cross_entropy(h, y, reduction="none", label_smoothing=0.1),
    ),
    "sparse": (
        losses.SparseCategoricalCrossentropy(), "softmax", LABELS, lambda h, y: F.cross_entropy(h, y, reduction="none"),
    ),
    "sparse logits": (
        losses.SparseCategoricalCrossentropy(from_logits=True), None, LABELS,
        lambda h, y: F.cross_entropy(h, y, reduction="none"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("loss", "output", "y", "theirs"), LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
def test_a_hundred_steps_of_every_loss(loss, output, y, theirs, weighted, reduction):
    model, kernels = networks(output=output)
    rate = 0.05 if reduction != "sum" else 0.05 / BATCH
    model.compile(SGD(rate), type(loss)(**loss.get_config() | {"reduction": reduction}))
    fit(model, y, sample_weight=WEIGHTS if weighted else None)

    def of_batch(rows):
        each = theirs(logits(kernels, tensor(X, rows)), tensor(y, rows))
        each = each * tensor(WEIGHTS, rows) if weighted else each
        return each.sum() if reduction == "sum" else each.mean()

    train(kernels, torch.optim.SGD(kernels, rate), of_batch)
    assert_same(model, kernels)
    ours = model.evaluate(X[:BATCH], y[:BATCH], sample_weight=WEIGHTS[:BATCH] if weighted else None)
    assert ours == pytest.approx(float(of_batch(slice(0, BATCH)).detach()), rel=1e-4)


def test_the_layer_leaky_relu_of_any_slope():
    model = Sequential([Input((INPUTS,)), Dense(CLASSES), LeakyReLU(0.1)], seed=8)
    model.compile(SGD(0.05), "mse")
    kernels = [torch.tensor(w, requires_grad=True) for w in model.get_weights()]
    fit(model, REAL)
    out = lambda r: F.leaky_relu(tensor(X, r) @ kernels[0] + kernels[1], 0.1)  # noqa: E731
    train(kernels, torch.optim.SGD(kernels, 0.05), lambda r: F.mse_loss(out(r), tensor(REAL, r)))
    assert_same(model, kernels)


def test_l2_is_weight_decay():
    """l2·Σ W² has the derivative 2·l2·W: PyTorch's weight decay of twice the factor, on this kernel alone."""
    model, kernels = networks(kernel_regularizer=L2(0.03))
    model.compile(SGD(0.1), "mse")
    fit(model, REAL)
    groups = [{"params": kernels[:1], "weight_decay": 0.06}, {"params": kernels[1:]}]
    train(kernels, torch.optim.SGD(groups, 0.1), lambda r: F.mse_loss(logits(kernels, tensor(X, r)), tensor(REAL, r)))
    assert_same(model, kernels)
