"""Embedding: a trained vector for every id. Names, arguments and defaults are Keras's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg import constraints, initializers, regularizers
from thalweg.constraints import ConstraintLike
from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.layers.kernel_layer import RegularizerLike
from thalweg.layers.layer import Array, Layer, Shape
from thalweg.ops.variable import Variable, to_numbers
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import Buffer, Constant
from thalweg.support.checks import whole

__all__ = ["Embedding"]

MOST_IDS = 1 << 24  # up to which float32, in which ids travel, holds every whole number


class Embedding(Layer):
    """h = W[ids]      ids (rows, …), whole numbers in 0 … input_dim − 1 → h (rows, …, output_dim)

    The gradient is sparse: a training step reads, updates and decays only the rows of W whose ids occur in the batch;
    all other rows, and the optimizer's vectors for them, stay as they are (as with LazyAdam of TensorFlow Addons and
    SparseAdam of PyTorch). So a step costs what its batch costs, however large the table. For SGD without momentum and
    weight decay nothing else changes; with others a row rests, rather than moving on, until its id comes again.

    All rows are updated in every step with sparse=False; with a regularizer or a constraint on W; where something else
    computes with W; and where the optimizer looks at whole arrays (Adafactor, Lamb, Muon; clipnorm, global_clipnorm,
    use_ema, gradient_accumulation_steps).

    Args:
        input_dim: the number of ids, at most 2²⁴.
        output_dim: the length of a vector.
        embeddings_initializer: the initial W, of shape (input_dim, output_dim): a name, one of `thalweg.initializers`,
            a NumPy array, or a function f(shape, generator). By default U[−0.05, 0.05), as in Keras.
        embeddings_regularizer: a penalty on W, see `thalweg.regularizers`.
        embeddings_constraint: a constraint on W after every update, see `thalweg.constraints`.
        mask_zero: False; no layer takes a mask yet.
        weights: the initial W as an array, instead of an initializer.
        lora_rank: None. lora_alpha: None. Low-rank adaptation isn't supported.
        input_length: the number of ids in a row, which is checked; None for any, as it isn't needed.
        sparse: False for a dense gradient, which updates all rows, as in Keras.

    An id that is negative, a fraction or too large raises `DataError` before training and prediction.

    >>> import numpy as np
    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((2,)), Embedding(3, 2, weights=np.array([[0, 0], [1, 2], [3, 4]]))])
    >>> model.predict([[2, 1]])
    array([[[3., 4.],
            [1., 2.]]], dtype=float32)
    >>> model.predict([[2, 3]])
    Traceback (most recent call last):
    thalweg.errors.DataError: layer 'embedding' takes ids from 0 to 2, but x holds 3 in row 0
    """

    takes_numbers = True

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: initializers.InitializerLike = "uniform",
        embeddings_regularizer: RegularizerLike = None,
        embeddings_constraint: ConstraintLike = None,
        mask_zero: bool = False,
        weights: ArrayLike | None = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        input_length: int | None = None,
        sparse: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.input_dim = whole("Embedding's input_dim", input_dim)
        if self.input_dim > MOST_IDS:
            raise ArgumentError(f"Embedding's input_dim is at most 2²⁴ (float32 holds no larger ids), got {input_dim}")
        self.output_dim = whole("Embedding's output_dim", output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        if weights is not None:
            self.embeddings_initializer = initializers.get(self.given(weights))
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        if mask_zero:
            raise ArgumentError(
                "Embedding: no layer takes a mask yet, so mask_zero has to be False: id 0 is an id like any other"
            )
        if lora_rank is not None or lora_alpha is not None:
            raise ArgumentError("Embedding: low-rank adaptation isn't supported: leave out lora_rank and lora_alpha")
        self.input_length = None if input_length is None else whole("Embedding's input_length", input_length)
        self.sparse = bool(sparse)

    @property
    def embeddings(self) -> Variable | None:
        """W, once the input's shape is known."""
        self.build_around()
        return getattr(self, "W", None)

    def given(self, weights: Any) -> Array:
        """The table that `weights` holds, as an array or, as in Keras, a list of one array."""
        listed = isinstance(weights, (list, tuple)) and len(weights) == 1 and np.ndim(weights[0]) == 2
        array = to_numbers(weights[0] if listed else weights, "Embedding's weights")
        shape = (self.input_dim, self.output_dim)
        if array.shape != shape:
            raise ShapeError(f"Embedding's weights have the shape {shape}, the given array {array.shape}")
        return array

    def build(self, input_shape: Shape) -> None:
        if self.input_length is not None and input_shape[-1:] != (self.input_length,):
            held = input_shape[-1] if input_shape else 1
            raise ShapeError(f"input_length is {self.input_length}, but a row holds {held} ids")
        self.W = self.add_weight(
            "W",
            (self.input_dim, self.output_dim),
            self.embeddings_initializer,
            self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )

    def on_arrays(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        ids = np.asarray(arguments[0])
        if ids.dtype.kind in "buif" and ids.ndim:
            wrong = np.argwhere(~((ids >= 0) & (ids < self.input_dim) & (ids == np.floor(ids))))
            if len(wrong):
                wanted, row = ids[tuple(wrong[0])], wrong[0][0]
                raise DataError(
                    f"layer {self.shown_name} takes ids from 0 to {self.input_dim - 1}, but row {row} has {wanted}"
                )
        return super().on_arrays(arguments, named)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        if isinstance(x, Constant):  # positions, say, which are the same for every row
            return self.looked_up(program, x)
        return program.embedding(x, self.W, self.sparse)

    def looked_up(self, program: Builder, ids: Constant) -> Buffer:
        """The vectors of ids that are known when the program is written."""
        numbers = ids.values.astype(np.int64)
        if np.any(numbers != ids.values) or numbers.min() < 0 or numbers.max() >= self.input_dim:
            raise DataError(
                f"layer {self.shown_name} takes ids from 0 to {self.input_dim - 1}, but got {ids.values.tolist()}"
            )
        return program.take(self.W, numbers, 0)

    def get_config(self) -> dict[str, Any]:
        return {
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": regularizers.serialize(self.embeddings_regularizer),
            "embeddings_constraint": constraints.serialize(self.embeddings_constraint),
            "input_length": self.input_length,
            "sparse": self.sparse,
            "name": self.name,
        }
