"""Networks with loops over steps, in which a scan, its adjoint or a layout could go wrong."""

from typing import Any

from thalweg import Input, Model, Sequential, ops
from thalweg.layers import Activation, Dense, Embedding, Flatten, Layer, MultiHeadAttention
from thalweg.ops.loops import over_steps

Made = tuple[Any, ...]


class Loop(Layer):
    """A loop whose step the network gives: step(x, states, weights), with weights (units, units) and (units,)."""

    def __init__(self, step: Any, states: int = 1, units: int = 4, **options: Any) -> None:
        super().__init__()
        self.step, self.count, self.units, self.options = step, states, units, options

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return previous_mask if self.options.get("all_outputs", True) else None

    def build(self, input_shape: Any) -> None:
        self.R = self.add_weight((self.units, self.units), "orthogonal", name="R")
        if self.step is not simple:
            self.p = self.add_weight((self.units,), "ones", name="p")

    def call(self, x: Any, begin: Any = None, mask: Any = None) -> Any:
        zeros = ops.zeros_like(x[:, 0, : self.units])
        first = tuple(zeros if begin is None else begin for _ in range(self.count))
        found, states = over_steps(lambda xs, s: self.step(xs[0], s, self), first, (x,), mask=mask, **self.options)
        return ops.concatenate([found, states[-1]], -1) if self.options.get("all_outputs") is False else found


def simple(x: Any, s: Any, w: Any) -> Any:
    h = ops.tanh(x + ops.matmul(s[0], w.R))
    return h, (h,)


def gated(x: Any, s: Any, w: Any) -> Any:
    """Gates that are slices, a weight of each unit that is read twice, and a second state."""
    z = ops.concatenate([x, ops.matmul(s[0], w.R)], -1)
    i, f = ops.sigmoid(z[:, :4] + s[1] * w.p), ops.sigmoid(z[:, 4:])
    c = f * s[1] + i * ops.tanh(x * w.p)
    h = ops.tanh(c) * f
    return h, (h, c)


def shifted(x: Any, s: Any, w: Any) -> Any:
    """The second state is the first one of the step before, the third that of the second."""
    h = ops.tanh(x + ops.matmul(s[2], w.R) * w.p)
    return h, (h, s[0], s[1])


def counted(x: Any, s: Any, w: Any) -> Any:
    """A state of which no weight is a part, and an output that is none."""
    h = ops.tanh(ops.matmul(x, w.R) + s[0])
    return h * s[1] * w.p, (h, s[1] + 1.0)


def wide(x: Any, s: Any, w: Any) -> Any:
    """Matrices of each row: no pointwise operations on vectors."""
    square = ops.reshape(x, (-1, 2, 2))
    h = ops.tanh(ops.reshape(ops.matmul(square, ops.reshape(s[0], (-1, 2, 2))), (-1, 4)) + x * w.p)
    return h, (ops.matmul(h, w.R),)


def recurrent() -> Made:
    return Sequential([Input((5, 4)), Loop(simple, all_outputs=False), Dense(2)], seed=2), "mse"


def recurrent_backwards() -> Made:
    return Sequential([Input((3, 2)), Dense(4), Loop(simple, backwards=True), Flatten(), Dense(2)], seed=2), "mse"


def recurrent_gates() -> Made:
    """Sequences on both sides of a scan, one of which is read by what knows no steps, too."""
    x = Input((4, 3))
    z = Dense(4)(x)
    h = Loop(gated, 2)(ops.tanh(z))
    h = Loop(gated, 2, backwards=True)(ops.multiply(h, 0.5))
    return Model(x, Dense(2)(Flatten()(ops.add(Dense(4)(h), z))), seed=2), "mse"


def recurrent_masked() -> Made:
    x = Input((4, 4))
    counts = x[:, :, 0]
    h = Loop(simple)(x, mask=ops.greater(counts, 0.0))
    last = Loop(gated, 2, all_outputs=False, zero_output_for_mask=True)(h, mask=ops.greater(counts, 0.5))
    return Model(x, Dense(2)(last), seed=2), "mse"


def recurrent_shifted() -> Made:
    return Sequential([Input((6, 4)), Loop(shifted, 3), Flatten(), Dense(2)], seed=2), "mse"


def recurrent_begun() -> Made:
    """Loops that begin with what weights have made, and end in a loss of each step."""
    x = Input((3, 4))
    begin = Dense(4, "tanh")(x[:, 1])
    return Model(x, Activation("sigmoid")(Loop(counted, 2)(x, begin)), seed=2), "binary_crossentropy"


def recurrent_matrices() -> Made:
    return Sequential([Input((3, 4)), Loop(wide), Flatten(), Dense(2)], seed=2), "mse"


def recurrent_ids() -> Made:
    layers = [Input((4,)), Embedding(9, 4), Loop(simple), Dense(3, "softmax")]
    return Sequential(layers, seed=2), "categorical_crossentropy"


class Context(Layer):
    """A loop whose step reads a value of the row that is the same in all steps, and what comes of it."""

    def build(self, input_shape: Any) -> None:
        self.W = self.add_weight((4, 4), "orthogonal", name="W")

    def call(self, x: Any, row: Any) -> Any:
        def step(xs: Any, s: Any) -> Any:
            h = ops.tanh(xs[0] * row + s[0] + ops.matmul(row, self.W) + ops.matmul(row * 2.0, self.W))
            return h, (h,)

        return over_steps(step, (ops.zeros_like(row),), (x,))[0]


def recurrent_context() -> Made:
    x = Input((3, 4))
    return Model(x, Dense(2)(Flatten()(Context()(x, Dense(4)(x[:, 0])))), seed=2), "mse"


def recurrent_attention() -> Made:
    """A sequence by steps whose adjoint goes on, under another shape, to what knows no steps."""
    x = Input((3, 4))
    looked = MultiHeadAttention(2, 2)(x, x)
    return Model(x, Dense(2)(Loop(simple, all_outputs=False)(looked)), seed=2), "mse"


RECURRENT = {
    made.__name__.replace("_", " "): made
    for made in (
        recurrent, recurrent_backwards, recurrent_gates, recurrent_masked, recurrent_shifted, recurrent_begun,
        recurrent_matrices, recurrent_ids, recurrent_context, recurrent_attention,
    )
}  # fmt: skip
