"""What SimpleRNNCell, LSTMCell and GRUCell share: weights, products and dropout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from thalweg import activations, ops
from thalweg.errors import ArgumentError
from thalweg.layers import kinds
from thalweg.layers.layer import Layer, Shape
from thalweg.ops.scanning import Step
from thalweg.ops.tensor import Traced
from thalweg.program.instructions.linear import Affine
from thalweg.support.arguments import Before, Checked, Taken, arguments, default

Masks = list[Any]  # for each gate, the factors of dropout; None where nothing is dropped
Product = Callable[[Any], Any]


def elementary(what: str, value: Any) -> activations.ActivationFunction:
    """An activation without weights of its own, and that works element by element."""
    function = activations.get(value)
    if getattr(function, "starts", ()) or function.rowwise:
        raise ArgumentError(
            f"{what} works element by element, without weights of its own, as tanh does; got {function.name}"
        )
    return function


Gate = Annotated[
    Taken[str | activations.ActivationFunction | None, activations.ActivationFunction],
    Checked(elementary, activations.serialize),
]
"""The activation of a gate, or of a candidate for a state."""


def one_or_two(what: str, value: Any) -> int:
    """Raises for another number."""
    if value not in (1, 2) or isinstance(value, bool):
        raise ArgumentError(f"{what} is 1, a mask of dropout for each gate, or 2, one for all, got {value!r}")
    return int(value)


Implementation = Annotated[int, Checked(one_or_two)]


@arguments
class UnitArguments:
    """Base of recurrent layers of units, and of their cells: what arguments they begin with, in Keras's order."""

    units: kinds.Count
    activation: Gate = default("tanh")
    use_bias: bool = True
    kernel_initializer: kinds.Initializer = default("glorot_uniform")
    recurrent_initializer: kinds.Initializer = default("orthogonal")
    bias_initializer: kinds.Initializer = default("zeros")
    kernel_regularizer: kinds.Regularizer = default(None)
    recurrent_regularizer: kinds.Regularizer = default(None)
    bias_regularizer: kinds.Regularizer = default(None)
    kernel_constraint: kinds.Constraint = default(None)
    recurrent_constraint: kinds.Constraint = default(None)
    bias_constraint: kinds.Constraint = default(None)
    dropout: kinds.Share = 0.0
    recurrent_dropout: kinds.Share = 0.0


@arguments
class GateArguments(UnitArguments):
    """Base of GRU and its cell."""

    recurrent_activation: Annotated[Gate, Before("use_bias")] = default("sigmoid")


@arguments
class LSTMArguments(GateArguments):
    """Base of LSTM and its cell."""

    unit_forget_bias: Annotated[bool, Before("kernel_regularizer")] = True


class Cell(Layer):
    """Base of cells whose gates are linear in the input x and in the state h: x·W + b of all steps is one product.

    A subclass has `gates`, `state_size` and `step`, which takes x·W + b of a step and the states.
    """

    uncalled = Layer.uncalled | dict.fromkeys(
        ("get_dropout_mask", "get_recurrent_dropout_mask", "reset_dropout_mask", "reset_recurrent_dropout_mask"),
        "a row's masks of dropout are drawn in each batch, for all of its steps",
    )

    gates: ClassVar[int]
    units: int
    use_bias: bool
    bias_initializer: Any
    dropout: float
    recurrent_dropout: float
    seed: int | None
    implementation = 2

    @property
    def state_size(self) -> Any:
        """The number of units of the state, or a list of them for several states."""
        return self.units

    @property
    def state_shape(self) -> Shape:
        """The shape of a row of the state that is multiplied by the recurrent kernel."""
        return (self.units,)

    @property
    def output_size(self) -> int:
        """The number of units of the output."""
        return self.units

    @property
    def states_alone(self) -> bool:
        """Whether x·W + b may be computed for all steps before the first: not if a subclass has its own `call`."""
        return type(self).call is Cell.call

    def build(self, input_shape: Shape) -> None:
        width = self.gates * self.units
        self.kernel = self.part("kernel", (input_shape[-1], width))
        self.recurrent_kernel = self.part("recurrent_kernel", (self.units, width))
        self.bias: Any = self.part("bias", self.bias_shape, self.first_bias()) if self.use_bias else None

    @property
    def bias_shape(self) -> Shape:
        """The shape of the bias."""
        return (self.gates * self.units,)

    def first_bias(self) -> Any:
        """The initializer of the bias."""
        return self.bias_initializer

    def part(self, key: str, shape: Shape, start: Any = None) -> Any:
        """Declares an array of weights, by the arguments for kernel, recurrent kernel or bias."""
        name = key.removesuffix("_kernel") if key != "kernel" else key
        penalty, bound = getattr(self, f"{name}_regularizer"), getattr(self, f"{name}_constraint")
        return self.add_weight(key, shape, start or getattr(self, f"{name}_initializer"), penalty, constraint=bound)

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Zeros, for so many rows."""
        sizes = self.state_size if isinstance(self.state_size, list) else [self.state_size]
        return [ops.zeros((1 if batch_size is None else batch_size, n)) for n in sizes]

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        """(output, states) of one step: inputs (rows, n), states (rows, units) each."""
        advance = self.stepping(inputs.program, training)
        output, after = advance((self.products(inputs, training),), tuple(states))
        return output, list(after)

    def products(self, x: Any, training: bool) -> Any:
        """x·W + b over the last axis of x (rows, n), or of all steps, (rows, steps, n)."""
        masks = self.masks(x.program, (x.shape[-1],), self.dropout, training)
        if len(x.shape) == 3:
            masks = [None if m is None else ops.expand_dims(m, 1) for m in masks]
        return product(self.kernel, masks, self.input_bias())(x)

    def input_bias(self) -> Any:
        """What is added to x·W."""
        return self.bias

    def stepping(self, program: Any, training: bool) -> Step:
        """The step, for what `products` returned; dropout leaves out the same parts of h in all steps."""
        recurrent = self.recurrent(self.masks(program, self.state_shape, self.recurrent_dropout, training))
        return lambda inputs, states: self.step(inputs[0], states, *recurrent)

    def recurrent(self, masks: Masks) -> list[Product]:
        """The products with h, which are the same in all steps."""
        return [product(self.recurrent_kernel, masks)]

    def step(self, x: Any, states: tuple[Any, ...], *recurrent: Product) -> tuple[Any, tuple[Any, ...]]:
        """(output, states) of one step, from x·W + b."""
        raise NotImplementedError

    def masks(self, program: Any, shape: Shape, rate: float, training: bool) -> Masks:
        """What each number of a row is multiplied by: 0 with probability `rate`, otherwise 1/(1 − rate).

        As in Keras, one mask for all gates, or one for each if there is recurrent dropout or implementation=1.
        """
        several = self.recurrent_dropout > 0 or self.implementation == 1
        count = self.gates if several else 1
        if rate == 0 or not training:
            for _ in range(count):
                program.stream(self.seed)  # the streams of other layers don't depend on whether this one drops
            return [None]
        keep = (1 - rate, 1 / (1 - rate))
        return [Traced(program, program.random("bernoulli", shape, self.seed, *keep)) for _ in range(count)]


def product(W: Any, masks: Masks, b: Any = None) -> Product:
    """The function (x·mask)·W + b of x, each gate's part of W with its own mask if there are several."""
    if len(masks) == 1:
        return lambda x: affine(x if masks[0] is None else x * masks[0], W, b)
    parts = list(zip(masks, ops.split(W, len(masks), -1), strict=True))

    def by_gates(x: Any) -> Any:
        h = ops.concatenate([affine(x * mask, part) for mask, part in parts], -1)
        return h if b is None else h + b

    return by_gates


def affine(x: Any, W: Any, b: Any = None) -> Any:
    """x·W + b over the last axis of x, as one instruction."""
    program = x.program
    x, W, b = (getattr(v, "buffer", v) for v in (x, W, b))
    h = program.value("h", (*x.shape[:-1], W.shape[1]))
    return Traced(program, program.append(Affine(x, W, b, h)))
