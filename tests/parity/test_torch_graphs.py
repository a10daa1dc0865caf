"""Graphs and own layers beside PyTorch: outputs, a step of SGD (the gradients), and 20 steps of Adam."""

import numpy as np
import pytest
from test_graph_parity import IDS, KIND, NUMBER, ROWS, SEQUENCE, STEPS, X, Z, attention, embedded, shared, two_outputs

import thalweg


def linear(torch, model, name):
    """A layer of PyTorch with the weights of ours."""
    w, b = model.get_layer(name).get_weights()
    layer = torch.nn.Linear(*w.shape)
    layer.weight.data, layer.bias.data = torch.tensor(w.T.copy()), torch.tensor(b)
    return layer


def of_attention(torch, model):
    layer = model.get_layer("attention")
    parts = dict(zip(("q", "k", "v"), zip(*[iter(layer.get_weights())] * 2, strict=True), strict=True))
    own = torch.nn.ModuleDict({n: linear(torch, model, n) for n in ("mlp", "out")})
    for name, (w, b) in parts.items():
        own[name] = torch.nn.Linear(8, 8)
        own[name].weight.data, own[name].bias.data = torch.tensor(w.T.copy()), torch.tensor(b)
    own["norm"] = torch.nn.LayerNorm(8, eps=1e-3)

    def forward(x):
        h = own["norm"](x)
        q, k, v = (own[n](h).reshape(-1, 5, 2, 4).transpose(1, 2) for n in ("q", "k", "v"))
        z = torch.softmax(q @ k.transpose(2, 3) / 2.0, -1) @ v
        h = x + z.transpose(1, 2).reshape(-1, 5, 8)
        return [own["out"](torch.nn.functional.gelu(own["mlp"](h)).mean(1))]

    return own, forward


def of_embedding(torch, model):
    own = torch.nn.ModuleDict({"out": linear(torch, model, "out")})
    own["table"] = torch.nn.Embedding(11, 4)
    own["table"].weight.data = torch.tensor(model.get_layer("table").get_weights()[0])
    return own, lambda ids: [own["out"](own["table"](ids).mean(1))]


def of_shared(torch, model):
    own = torch.nn.ModuleDict({n: linear(torch, model, n) for n in ("twin", "out")})
    return own, lambda x, z: [own["out"](torch.cat([torch.tanh(own["twin"](v)) for v in (x, z)], 1))]


def of_two_outputs(torch, model):
    own = torch.nn.ModuleDict({n: linear(torch, model, n) for n in ("h", "number", "kind")})

    def forward(x):
        h = torch.tanh(own["h"](x))
        return [own["number"](h), own["kind"](h)]

    return own, forward


NETWORKS = {
    "attention": (attention, of_attention, [SEQUENCE], [NUMBER]),
    "embedding": (embedded, of_embedding, [IDS], [NUMBER]),
    "shared layer": (shared, of_shared, [X, Z], [NUMBER]),
    "two outputs": (two_outputs, of_two_outputs, [X], [NUMBER, KIND]),
}


def losses_of(torch, forward, inputs, targets):
    total = 0.0
    for p, y in zip(forward(*inputs), targets, strict=True):
        classes = y.dtype == torch.int64
        total = total + (torch.nn.functional.cross_entropy(p, y) if classes else ((p - y) ** 2).mean())
    return total


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("name", NETWORKS)
def test_pytorch_trains_the_same(name, optimizer):
    torch = pytest.importorskip("torch", exc_type=ImportError)
    network, twin, x, y = NETWORKS[name]
    model = network(thalweg)
    own, forward = twin(torch, model)
    inputs, targets = ([torch.tensor(a) for a in arrays] for arrays in (x, y))
    loss = "mse" if len(y) == 1 else ["mse", "sparse_categorical_crossentropy"]
    if optimizer == "SGD":
        model.compile(thalweg.optimizers.SGD(0.1), loss)
        steps, step = 1, torch.optim.SGD(own.parameters(), 0.1)
    else:
        model.compile(thalweg.optimizers.Adam(0.01, epsilon=1e-10), loss)
        steps, step = STEPS, torch.optim.Adam(own.parameters(), 0.01, eps=1e-10)
    history = model.fit(x, y, batch_size=ROWS, epochs=steps, shuffle=False, verbose=0).history["loss"]
    theirs = []
    for _ in range(steps):
        step.zero_grad()
        value = losses_of(torch, forward, inputs, targets)
        value.backward()
        step.step()
        theirs.append(float(value.detach()))
    tolerance = 1e-4 if optimizer == "SGD" else 1e-3  # Adam divides noise by noise where a gradient is 0
    np.testing.assert_allclose(history, theirs, rtol=tolerance, atol=1e-5)
    ours = losses_of(torch, forward, inputs, targets).item()
    np.testing.assert_allclose(lists(model.evaluate(x, y, verbose=0))[0], ours, rtol=tolerance, atol=1e-5)


def lists(values):
    return values if isinstance(values, list) else [values]
