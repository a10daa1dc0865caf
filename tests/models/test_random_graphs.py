"""Random graphs of layers and operations: gradients, engines, files and copies."""

import copy
import pickle
from tempfile import TemporaryDirectory

import numpy as np
from amounts import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from ops_checks import FLOAT64, check_gradients

from thalweg import Input, Model, load_model, ops
from thalweg.layers import Add, Concatenate, Dense
from thalweg.optimizers import SGD

WIDTH = 3
UNARY = {
    "dense": lambda x: Dense(WIDTH, "tanh")(x), "sigmoid": ops.sigmoid, "softmax": ops.softmax,
    "square": lambda x: x * x,
    "centred": lambda x: x - ops.mean(x, -1, keepdims=True), "flip": lambda x: x[:, ::-1], "sin": ops.sin,
    "scaled": lambda x: 0.5 * x + np.array([0.1, 0.2, 0.3]), "pad": lambda x: ops.pad(x[:, 1:], ((0, 0), (1, 0))),
    "matrix": lambda x: ops.sum(ops.reshape(x, (-1, 3, 1)) * ops.reshape(ops.cos(x), (-1, 1, 3)), 1),
}  # fmt: skip
BINARY = {
    "add": lambda x, y: Add()([x, y]), "multiply": lambda x, y: x * y, "difference": lambda x, y: x - y,
    "joined": lambda x, y: Dense(WIDTH)(Concatenate()([x, y])), "where": lambda x, y: ops.where(x > y, x, 2 * y),
    "divide": lambda x, y: x / (1.5 + ops.square(y)), "take": lambda x, y: ops.concatenate([x[:, :1], y[:, 1:]], 1),
    "outer": lambda x, y: ops.einsum("bi,bj->bij", x, y)[:, 1],
}  # fmt: skip
STEPS = st.lists(
    st.tuples(st.sampled_from([*UNARY, *BINARY]), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=7
)


def random_graph(inputs, steps, **options):
    """Every step takes earlier values and adds one; outputs are the last and a product of all."""
    given_ = [Input((WIDTH,)) for _ in range(inputs)]
    values = [Dense(WIDTH)(x) for x in given_]
    shared = Dense(WIDTH, "tanh")
    for name, i, j in steps:
        x, y = values[i % len(values)], values[j % len(values)]
        values.append(UNARY[name](x) if name in UNARY else BINARY[name](x, y))
    total = shared(values[0])
    for value in values[1:]:
        total = total + shared(value)
    return Model(given_, [total, ops.sum(values[-1], 1, keepdims=True)], seed=5, **options)


def rows(inputs):
    """x and y for a graph with so many inputs."""
    draw = np.random.default_rng(inputs)
    x = [draw.normal(size=(6, WIDTH)) for _ in range(inputs)]
    return x, [draw.normal(size=(6, WIDTH)), draw.normal(size=(6, 1))]


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(st.integers(1, 3), STEPS)
def test_gradients_of_random_graphs_are_central_differences(inputs, steps):
    x, y = rows(inputs)
    check_gradients(random_graph(inputs, steps, **FLOAT64), x, y, "mse")


@settings(max_examples=examples(60, 15), deadline=None, database=None, derandomize=True)
@given(st.integers(1, 3), STEPS)
def test_both_engines_agree_on_random_graphs(inputs, steps):
    """Few, as their chains are compiled."""
    x, y = rows(inputs)
    reference, native = random_graph(inputs, steps, **FLOAT64), random_graph(inputs, steps)
    native.set_weights(reference.get_weights())
    gradients = check_gradients(reference, x, y, "mse")
    for one, other in zip(native.predict(x), reference.predict(x), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4 * max(1, np.abs(other).max()))
    native.compile(SGD(1.0), "mse")
    before = native.get_weights()
    native.train_on_batch(x, y)
    scale = max(1, *(np.abs(g).max() for g in gradients))
    for b, a, want in zip(before, native.get_weights(), gradients, strict=True):
        np.testing.assert_allclose(b - a, want, atol=1e-4 * scale)


@settings(max_examples=20, deadline=None, database=None, derandomize=True)
@given(st.integers(1, 3), STEPS)
def test_random_graphs_survive_saving_and_copying(inputs, steps):
    x = [np.random.default_rng(k).normal(size=(6, WIDTH)) for k in range(inputs)]
    model = random_graph(inputs, steps)
    want = model.predict(x)
    with TemporaryDirectory() as folder:
        model.save(f"{folder}/m.safetensors")
        loaded = load_model(f"{folder}/m.safetensors")
    for other in (loaded, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        for got, values in zip(other.predict(x), want, strict=True):
            np.testing.assert_array_equal(got, values)
