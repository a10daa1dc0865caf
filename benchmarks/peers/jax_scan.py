"""JAX: one jitted `lax.scan` over the batches of an epoch, inside one over epochs; batches are gathered by index."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.convolutions import Convolution
from benchmarks.graphs import Graph
from benchmarks.images import Images
from benchmarks.peers.base import EPSILON, Arrays, Prediction, Training
from benchmarks.workloads import Workload


def image_forward(work: Images, weights: Any, x: Any, key: Any) -> Any:
    """The pre-activations of a classifier of images."""
    left = iter(weights)
    for kind, *values in work.layers:
        if kind == "conv":
            x = lax.conv_general_dilated(
                x, next(left), (1, 1), values[2].upper(), dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            x = x + next(left) if values[3] else x
        elif kind == "relu":
            x = jax.nn.relu(x)
        elif kind == "pool":
            window = (1, values[0], values[0], 1)
            x = lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
        elif kind == "flatten":
            x = x.reshape(len(x), -1)
        elif kind == "dropout":
            x = jnp.where(jax.random.bernoulli(key, 1 - values[0], x.shape), x / (1 - values[0]), 0)
        elif kind == "dense" and values[1] is None:
            x = x @ next(left) + next(left)
        else:
            raise ValueError(f"not written for JAX: {kind}")
    return x


def forward(work: Workload, weights: Any, x: Any, key: Any = None) -> Any:
    """The pre-activations of a classifier, or the activated output of a regression."""
    if isinstance(work, Images):
        return image_forward(work, weights, x, key)
    function = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}[work.activation]
    last = len(weights) - 2
    for place in range(0, len(weights), 2):
        h = x @ weights[place] + weights[place + 1]
        x = h if place == last and work.task == "classes" else function(h)
    return x


def loss(work: Workload, weights: Any, x: Any, y: Any, key: Any) -> Any:
    output = forward(work, weights, x, key)
    if work.task == "number":
        return jnp.mean((output - y) ** 2)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(output), y[:, None], axis=1))


def update(work: Workload, state: Any, gradients: Any) -> Any:
    """Adam (Kingma and Ba, 2015), or gradient descent."""
    weights, m, v, t = state
    rate = work.learning_rate
    if work.optimizer == "sgd":
        return jax.tree.map(lambda w, g: w - rate * g, weights, gradients), m, v, t
    t = t + 1
    m = jax.tree.map(lambda m, g: m + 0.1 * (g - m), m, gradients)
    v = jax.tree.map(lambda v, g: v + 0.001 * (g * g - v), v, gradients)
    remaining = -jnp.expm1(t * jnp.log(jnp.array([0.9, 0.999])))  # 1 − βᵗ: the difference would lose 4 of 7 digits
    scaled = rate * jnp.sqrt(remaining[1]) / remaining[0]
    return jax.tree.map(lambda w, m, v: w - scaled * m / (jnp.sqrt(v) + EPSILON), weights, m, v), m, v, t


def train(work: Workload, state: Any, x: Any, y: Any, orders: Any) -> Any:
    """orders: the row numbers, (epochs, batches, rows)."""

    def step(state: Any, rows: Any) -> Any:
        whole = len(rows) == len(x)
        key = jax.random.fold_in(jax.random.key(0), state[3])
        gradients = jax.grad(partial(loss, work))(state[0], x if whole else x[rows], y if whole else y[rows], key)
        return update(work, state, gradients), None

    return lax.scan(lambda s, epoch: (lax.scan(step, s, epoch)[0], None), state, orders)[0]


class Fit(Training):
    def make(self) -> None:
        self.many = self.work.does == "fit many"
        function = partial(train, self.work)
        if self.many:
            function = jax.vmap(function, in_axes=(0, None, None, 0))
        self.function = jax.jit(function, donate_argnums=0)
        self.generator = np.random.default_rng(2)
        self.x, self.y = jnp.asarray(self.x), jnp.asarray(self.y, None if self.work.task == "number" else jnp.int32)
        self.start()

    def start(self) -> None:
        networks = [self.work.weights(n) for n in range(self.work.networks)]
        weights = [jnp.stack(arrays) if self.many else jnp.asarray(arrays[0]) for arrays in zip(*networks, strict=True)]
        zeros = [[jnp.zeros_like(w) for w in weights] for _ in range(2)]
        self.state = (weights, *zeros, jnp.zeros(self.work.networks if self.many else (), jnp.int32))

    def train(self, x: Any, y: Any, epochs: int, shuffle: bool) -> None:
        shape = (self.work.networks, epochs, len(x)) if self.many else (epochs, len(x))
        orders = np.broadcast_to(np.arange(len(x), dtype=np.int32), shape)
        if shuffle and self.work.batch < len(x):
            orders = self.generator.permuted(orders, axis=-1)
        orders = orders.reshape(*shape[:-1], -1, self.work.batch)
        self.state = self.function(self.state, jnp.asarray(x), jnp.asarray(y), orders)
        jax.block_until_ready(self.state)

    def weights(self, network: int) -> Arrays:
        return [np.asarray(w[network] if self.many else w) for w in self.state[0]]


class Predict(Prediction):
    def make(self) -> None:
        weights = [jnp.asarray(w) for w in self.work.weights()]
        self.function = jax.jit(lambda x: jax.nn.softmax(forward(self.work, weights, x)))

    def predict(self, x: Any) -> Any:
        return np.asarray(self.function(x))


def variants(work: Workload) -> dict[str, Any]:
    if isinstance(work, Images | Convolution | Graph):
        return {}
    if work.does == "predict":
        return {"jit": Predict}
    return {"vmap of scan" if work.does == "fit many" else "scan": Fit}
