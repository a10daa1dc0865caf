"""Periodic embeddings of numbers."""

from __future__ import annotations

from typing import Annotated

from thalweg import initializers
from thalweg.errors import ShapeError
from thalweg.initializers import RandomNormal, RandomUniform
from thalweg.layers import kinds
from thalweg.layers.layer import Layer, Shape
from thalweg.program.builder import Builder
from thalweg.program.instructions.numerical import periodic
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import Checked, Taken, arguments, default

Start = Annotated[
    Taken[initializers.InitializerLike, initializers.Initializer],
    Checked(kinds.optional(lambda what, value: initializers.get(value)), initializers.serialize),
]


@arguments
class PeriodicEmbedding(Layer):
    """a[c, u] = activation(Σ_k W[c, k, u]·cos(2π(ω[c, k]·x[c] + φ[c, k])) + b[c, u])

    x (rows, columns) → a (rows, columns·units): each column becomes a few numbers, by functions of its own that can
    bend more sharply than a dense layer's. Gorishniy, Rubachev and Babenko, NeurIPS 2022 (PLR: activation="relu");
    with a bias and without an activation it is the PBLD of RealMLP (Holzmüller, Grinsztajn and Steinwart, NeurIPS
    2024), which joins x itself to it with a `Concatenate` and trains it with a tenth of the learning rate:
    `learning_rate_factors={"periodic_embedding": 0.1}`.

    Args:
        frequencies: of each column.
        units: numbers that a column becomes.
        sigma: the standard deviation of the initial ω: the larger, the sharper the functions. The columns should have
            a standard deviation of about 1.
        activation: a name or one of `thalweg.activations`; linear by default.
        frequency_initializer: the initial ω (columns, frequencies); by default normal, mean 0, deviation sigma.
        phase_initializer: the initial φ (columns, frequencies), in turns; by default uniform in −½ … ½.
        kernel_initializer: the initial W (columns, frequencies, units); by default uniform within ±1/√frequencies.
        bias_initializer: the initial b (columns, units); by default the same.
        kernel_regularizer: a penalty on W.

    Raises:
        ShapeError: if a row of x has more or fewer than one axis.

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((5,)), PeriodicEmbedding(frequencies=16, units=3)])
    >>> model.build()
    >>> model.output_shape, model.count_params()
    ((None, 15), 415)
    """

    frequencies: kinds.Count = 16
    units: kinds.Count = 3
    sigma: kinds.Amount = 0.1
    activation: kinds.Activation = default("linear")
    frequency_initializer: Start = default(None)
    phase_initializer: Start = default(None)
    kernel_initializer: Start = default(None)
    bias_initializer: Start = default(None)
    kernel_regularizer: kinds.Regularizer = default(None)
    name: str | None = None

    def __post_init__(self) -> None:
        limit = self.frequencies**-0.5
        even = RandomUniform(-limit, limit)
        starts = {"frequency": RandomNormal(0.0, self.sigma), "phase": RandomUniform(-0.5, 0.5)}
        for name, start in (starts | {"kernel": even, "bias": even}).items():
            if getattr(self, f"{name}_initializer") is None:
                setattr(self, f"{name}_initializer", start)

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) != 1:
            raise ShapeError(
                f"PeriodicEmbedding takes rows of columns, of shape (rows, columns), got {('rows', *input_shape)}: "
                "put a Flatten before it"
            )
        columns, frequencies, units = *input_shape, self.frequencies, self.units
        self.omega = self.add_weight("ω", (columns, frequencies), self.frequency_initializer)
        self.phi = self.add_weight("φ", (columns, frequencies), self.phase_initializer)
        self.W = self.add_weight("W", (columns, frequencies, units), self.kernel_initializer, self.kernel_regularizer)
        self.b = self.add_weight("b", (columns, units), self.bias_initializer)
        self.add_activation(self.activation, columns * units)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        program.number = self.W.name.lstrip("W")
        a = program.value("h", (x.size * self.units,))
        h = program.append(periodic.PeriodicEmbedding(x, self.omega, self.phi, self.W, self.b, a))
        return self.activated(program, self.activation, h)
