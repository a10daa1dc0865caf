"""The derived backward half: any graph of instructions against central differences, and native against reference."""

from typing import Any

import numpy as np
import pytest
from graphs import LOSSES, STEPS, WIDTH, Graph, network
from hypothesis import given, settings

from thalweg import Sequential, activations
from thalweg.errors import ThalwegError
from thalweg.layers import Activation, Dense, Flatten, Input, Layer, LeakyReLU, Residual
from thalweg.optimizers import SGD

FLOAT64 = {"engine": "reference", "dtype": "float64"}
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(8, WIDTH))
Y = RANDOM.dirichlet(np.ones(3), 8)
SETTINGS = settings(max_examples=150, deadline=None, database=None, derandomize=True)


def loss(model: Sequential, weights: Any, y: Any = Y) -> float:
    """The training loss at these weights: with dropout, the mask of the first step."""
    model.set_weights(weights)
    model.optimizer.iterations, model.optimizer.learning_rate = 0, 0.0
    return float(model.train_on_batch(X, y, return_dict=True)["loss"])


def gradient(model: Sequential, y: Any = Y) -> list[Any]:
    """What one step of gradient descent with a learning rate of 1 takes away."""
    before = model.get_weights()
    model.optimizer.iterations, model.optimizer.learning_rate = 0, 1.0
    model.train_on_batch(X, y)
    after = model.get_weights()
    model.set_weights(before)
    return [b - a for b, a in zip(before, after, strict=True)]


def check(model: Sequential, y: Any = Y) -> None:
    """The derivative of the whole loss along a random direction, both ways, to 1e-6."""
    weights, slopes = model.get_weights(), gradient(model, y)
    random = np.random.default_rng(1)  # the same direction in whatever order tests run: one near a kink may fail
    directions = [random.normal(size=w.shape) for w in weights]
    adjoint = sum(float((g * d).sum()) for g, d in zip(slopes, directions, strict=True))
    moved = [loss(model, [w + step * d for w, d in zip(weights, directions, strict=True)], y) for step in (1e-5, -1e-5)]
    difference = (moved[0] - moved[1]) / 2e-5
    assert abs(adjoint - difference) <= 1e-6 * max(1, abs(difference)), (
        f"the adjoints give {adjoint:.12g}, a central difference {difference:.12g}\n{model.program()}"
    )


@SETTINGS
@given(STEPS, LOSSES)
def test_any_graph_agrees_with_central_differences(steps, kind):
    check(network(steps, kind, **FLOAT64))


@SETTINGS
@given(STEPS, LOSSES)
def test_any_graph_has_the_same_gradient_in_both_engines(steps, kind):
    native, reference = network(steps, kind), network(steps, kind, **FLOAT64)
    reference.set_weights(native.get_weights())
    for one, other in zip(gradient(native), gradient(reference), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 * max(1, np.abs(other).max()))


def compiled(*layers: Layer) -> Sequential:
    model = Sequential([Input((WIDTH,)), *layers], seed=4, **FLOAT64)
    model.compile(SGD(1.0), "mse")
    return model


class Custom(Layer):
    """A layer of one square kernel and a function of (program, x, W)."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def build(self, input_shape: tuple[int, ...]) -> None:
        self.W = self.add_weight("W", (input_shape[-1], input_shape[-1]))

    def forward(self, program: Any, x: Any) -> Any:
        return self.function(program, x, self.W)


def test_a_value_used_twice_gets_the_sum():
    """y = h + h for h = x·W: dW = 2·xᵀ·dy."""
    model = compiled(Custom(lambda p, x, W: p.add(h := p.affine(x, W), h)))
    y = RANDOM.normal(size=X.shape)
    (dW,) = gradient(model, y)
    error = 2 * (2 * X @ model.get_weights()[0] - y) / y.size
    np.testing.assert_allclose(dW, 2 * X.T @ error, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("uses", [2, 3, 4])
def test_a_parameter_used_several_times_gets_the_sum(uses):
    """y = x·W·W…: dW is the sum over the places at which W stands."""

    def chain(program, x, W):
        for _ in range(uses):
            x = program.affine(x, W)
        return x

    model = compiled(Custom(chain))
    y = RANDOM.normal(size=X.shape)
    W = model.get_weights()[0]
    power = np.linalg.matrix_power
    error = 2 * (X @ power(W, uses) - y) / y.size
    want = sum((X @ power(W, k)).T @ error @ power(W, uses - 1 - k).T for k in range(uses))
    np.testing.assert_allclose(gradient(model, y)[0], want, rtol=1e-10, atol=1e-13)


def test_nested_residual_connections():
    inner = Residual([Dense(WIDTH, "sigmoid"), Residual([Dense(4, "tanh"), Dense(WIDTH)])])
    check(compiled(Residual([inner, Residual([Activation("softmax")])]), Dense(3)))


def test_views_of_one_value_beside_the_value_itself():
    def both(program, x, W):
        h = program.affine(x, W)
        view = program.reshape(program.reshape(h, (3, 2)), (WIDTH,))
        return program.add(program.add(view, h), view)

    check(compiled(Custom(both), Dense(3)))


def test_dense_on_the_last_axis_of_an_image():
    x = RANDOM.normal(size=(8, 4, 3))
    model = Sequential([Input((4, 3)), Dense(5, "tanh"), Dense(2, "sigmoid"), Flatten(), Dense(3)], **FLOAT64)
    model.compile(SGD(1.0), "mse")
    (W1, b1, W2, b2, W3, b3) = model.get_weights()
    a1 = np.tanh(x @ W1 + b1)
    a2 = 1 / (1 + np.exp(-(a1 @ W2 + b2)))
    flat = a2.reshape(8, -1)
    error = 2 * (flat @ W3 + b3 - Y) / Y.size
    d2 = (error @ W3.T).reshape(a2.shape) * a2 * (1 - a2)
    d1 = (d2 @ W2.T) * (1 - a1 * a1)
    want = [
        np.einsum("npi,npu->iu", x, d1), d1.sum(axis=(0, 1)), np.einsum("npi,npu->iu", a1, d2), d2.sum(axis=(0, 1)),
        flat.T @ error, error.sum(axis=0),
    ]  # fmt: skip
    model.train_on_batch(x, Y)
    for before, after, slope in zip((W1, b1, W2, b2, W3, b3), model.get_weights(), want, strict=True):
        np.testing.assert_allclose(before - after, slope, rtol=1e-9, atol=1e-14)


# --- what isn't computed ---------------------------------------------------------------------------------------------


def test_nothing_is_derived_that_no_weight_needs():
    model = compiled(LeakyReLU(), Dense(4, "tanh"), Dense(3))
    backward = [row.name for row in model.program() if row.section == "backward"]
    assert backward.count("input gradient") == 1  # of the second layer; nobody wants the data's
    assert "leaky relu adjoint" not in backward
    assert backward.count("weight gradient") == 2


@pytest.mark.parametrize("metrics", [[], ["accuracy"]])
def test_a_loss_its_gradient_and_its_activation_are_one_instruction(metrics):
    """y_pred is written only where something reads it; an evaluation has the activation and the loss by themselves."""
    model = Sequential([Input((WIDTH,)), Dense(3, "softmax")])
    model.compile(SGD(), "categorical_crossentropy", metrics)
    names = [row.name for row in model.program() if row.name != "gather"]
    assert names[:2] == ["affine", "softmax + categorical crossentropy"]
    assert not {"softmax", "softmax adjoint"} & set(names)
    assert ("y_pred = softmax(h)" in model.program()[3].formula) == bool(metrics)
    names = [row.name for row in model.program("evaluation") if row.name != "gather"]
    assert names[:3] == ["affine", "softmax", "categorical crossentropy logits"]
    values = model.trace(X, np.eye(3)[np.arange(len(X)) % 3])
    np.testing.assert_allclose(values["y_pred"], model.predict(X), rtol=1e-6)


def test_an_activation_that_is_read_before_the_loss_stays():
    """The outputs are summed with themselves: the loss is not of their pre-activations alone."""

    def forward(program, x, W):
        a = activations.softmax.forward(program, program.affine(x, W))
        program.add(a, a)
        return a

    model = compiled(Custom(forward))
    model.compile(SGD(), "categorical_crossentropy")
    names = [row.name for row in model.program()]
    assert "softmax" in names
    assert "softmax + categorical crossentropy" in names


def test_a_use_that_leads_nowhere_counts_for_nothing():
    """The same kernel in a product that the loss depends on, and in one that nobody reads."""

    def forward(program, x, W):
        program.affine(x, W)
        return program.affine(x, W)

    y = RANDOM.normal(size=X.shape)
    plain = compiled(Custom(lambda program, x, W: program.affine(x, W)))
    np.testing.assert_array_equal(gradient(compiled(Custom(forward)), y)[0], gradient(plain, y)[0])


def test_a_weight_that_is_never_used_is_named():
    model = compiled(Custom(lambda program, x, W: x), Dense(3))
    with pytest.raises(ThalwegError, match="the loss does not depend on W1"):
        model.fit(X, Y, verbose=0)


def test_a_graph_survives_saving(tmp_path):
    from thalweg import load_model

    model = network([("affine", 0, 1), ("tanh", 1, 0), ("affine", 2, 1), ("add", 1, 3)])
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "graph.safetensors")
    again = load_model(tmp_path / "graph.safetensors", {"Graph": Graph})
    assert np.array_equal(again.predict(X), model.predict(X))
