"""A residual network with batch normalisation against PyTorch in float64: gradients layer by layer, then training.

float32 is as far from float64 as it must be, which PyTorch's own float32 shows. The network is small and its data are
fixed, so that no pre-activation lies within a rounding error of max(h, 0)'s kink: there the derivative jumps from 0 to
1, and gradients differ by far more than rounding (`benchmarks/images.py` has the numbers).
"""

from dataclasses import replace

import numpy as np
import pytest

from thalweg import Input, Sequential
from thalweg.layers import Activation

torch = pytest.importorskip("torch")

from benchmarks.images import images  # noqa: E402
from benchmarks.peers import ours, pytorch  # noqa: E402

LAYERS = (
    ("conv", 8, 3, "same", False), ("norm",), ("relu",),
    ("residual", 8, 1), ("residual", 16, 2), ("residual", 16, 1), ("global",), ("dense", 10, None),
)  # fmt: skip
WORK = images("small residual network", (8, 8, 3), 16, 1, LAYERS)
X, Y = WORK.data()


def theirs(dtype):
    """PyTorch's network with the same weights."""
    net = pytorch.image_network(WORK).to(dtype)
    pytorch.give(net, WORK.weights())
    return net


def trained(net):
    """Its arrays but for the moving averages, in thalweg's order and shapes."""
    return [p for p in pytorch.arrays_of(net) if p.requires_grad]


def turned(tensor):
    array = tensor.detach().numpy().copy()
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T


def backward(net, dtype):
    net.zero_grad()
    x = torch.from_numpy(X).to(dtype).permute(0, 3, 1, 2)
    torch.nn.CrossEntropyLoss()(net(x), torch.from_numpy(Y)).backward()


def gradients(net, dtype):
    backward(net, dtype)
    return [turned(p.grad) for p in trained(net)]


def apart(one, other):
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


@pytest.mark.parametrize(("engine", "dtype", "limit"), [("native", "float32", 1e-4), ("reference", "float64", 1e-12)])
def test_gradients_of_every_layer(engine, dtype, limit):
    stack = [Input(WORK.image), *ours.image_layers(LAYERS), Activation("softmax")]
    model = Sequential(stack, engine=engine, dtype=dtype)
    model.set_weights(WORK.weights())
    ours.compiled(WORK, model)
    values = model.trace(X, Y)
    exact, rounded = gradients(theirs(torch.float64), torch.float64), gradients(theirs(torch.float32), torch.float32)
    assert len(exact) == len(model.trained_parameters()) == 26
    for (path, parameter), want, other in zip(model.trained_parameters(), exact, rounded, strict=True):
        error = apart(values[f"d{parameter.buffer.name}"].reshape(want.shape), want)
        assert error <= limit, f"{path} is off by {error:.1e}, PyTorch's float32 by {apart(other, want):.1e}"


@pytest.mark.parametrize("kind", ["sgd", "adam"])
@pytest.mark.parametrize("lanes", [1, 2])
def test_weights_after_three_steps(kind, lanes):
    """Also by Adam, whose first steps have the size of the learning rate however small a gradient is."""
    work = replace(WORK, optimizer=kind, learning_rate=0.01)
    net = theirs(torch.float64)
    optimizers = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
    more = {"eps": ours.EPSILON} if kind == "adam" else {}
    optimizer = optimizers[kind](net.parameters(), lr=0.01, **more)
    for _ in range(3):
        backward(net, torch.float64)
        optimizer.step()
    model = ours.network(work)
    ours.compiled(work, model)
    start = [np.array(p.array) for _, p in model.trained_parameters()]
    model.fit(X, Y, batch_size=16, epochs=3, verbose=0, lanes=lanes)
    for (path, parameter), before, want in zip(model.trained_parameters(), start, trained(net), strict=True):
        error = apart(parameter.array - before, turned(want) - before)
        assert error <= 1e-3, f"{path}'s change is off by {error:.1e}"
