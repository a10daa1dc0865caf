"""Embedding: a trained vector for every id. Masking: steps that don't count. Names and defaults are Keras's."""

from __future__ import annotations

from dataclasses import InitVar
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg import initializers, ops
from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.layers import kinds
from thalweg.layers.layer import Array, Layer, Shape
from thalweg.ops.masks import set_mask
from thalweg.ops.tensor import Traced
from thalweg.ops.variable import WeightBuffer, to_numbers
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import Buffer, Constant
from thalweg.support.arguments import Checked, arguments, default
from thalweg.support.checks import whole

__all__ = ["Embedding", "Masking"]

MOST_IDS = 1 << 24  # up to which float32, in which ids travel, holds every whole number


FULL_RANK = kinds.only(None, ": low-rank adaptation isn't supported: leave out lora_rank and lora_alpha")


def number_of_ids(what: str, value: Any) -> int:
    """As many as float32 can tell apart."""
    ids = whole(what, value)
    if ids > MOST_IDS:
        raise ArgumentError(f"{what} is at most 2²⁴ (float32 holds no larger ids), got {value}")
    return ids


@arguments
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
        mask_zero: whether id 0 is padding, which a mask leaves out of layers, loss and metrics behind it, as in Keras.
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

    input_dim: Annotated[int, Checked(number_of_ids)]
    output_dim: kinds.Count
    embeddings_initializer: kinds.Initializer = default("uniform")
    embeddings_regularizer: kinds.Regularizer = default(None)
    embeddings_constraint: kinds.Constraint = default(None)
    mask_zero: bool = False
    weights: InitVar[ArrayLike | None] = None
    lora_rank: Annotated[int | None, Checked(FULL_RANK, kept=False)] = None
    lora_alpha: Annotated[float | None, Checked(FULL_RANK, kept=False)] = None
    input_length: Annotated[int | None, Checked(kinds.optional(whole))] = None
    sparse: bool = True
    name: str | None = None

    def __post_init__(self, weights: Any) -> None:
        if weights is not None:
            self.embeddings_initializer = initializers.get(self.given(weights))

    @property
    def embeddings(self) -> WeightBuffer | None:
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

    @property
    def supports_masking(self) -> bool:  # type: ignore[override]
        """Whether ids have a mask."""
        return self.mask_zero

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """1 for every id that isn't 0, with mask_zero; otherwise that of rows that were filled up, if they were."""
        if self.mask_zero:
            return ops.not_equal(inputs, 0)
        return previous_mask if isinstance(inputs, Traced) and inputs.program.lengths else None

    def build(self, input_shape: Shape = ()) -> None:
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


@arguments
class Masking(Layer):
    """z = x, with a mask: a step doesn't count where all its numbers are `mask_value`      (rows, steps, …) → the same

    Such a step becomes 0. The mask, (rows, steps), goes through layers whose `supports_masking` is True. Those that
    take it, as GlobalAveragePooling1D or one of your own with `call(self, x, mask)`, leave the step out, and so do loss
    and metrics of an output that still has it. It ends, with a warning, at a layer that doesn't support masks.

    Args:
        mask_value: what all numbers of such a step are.

    >>> import numpy as np
    >>> from thalweg import Input, Sequential
    >>> from thalweg.layers import GlobalAveragePooling1D
    >>> model = Sequential([Input((3, 1)), Masking(), GlobalAveragePooling1D()])
    >>> model.predict(np.array([[[4.0], [2.0], [0.0]]]))
    array([[3.]], dtype=float32)
    """

    mask_value: kinds.Real = 0.0
    name: str | None = None

    supports_masking = True

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """1 for every step with a number that isn't `mask_value`."""
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, x: Any) -> Any:
        """x, and 0 where a step doesn't count."""
        counts = ops.any(ops.not_equal(x, self.mask_value), axis=-1, keepdims=True)
        result = ops.where(counts, x, 0.0)
        if isinstance(result, Traced):
            set_mask(result, ops.squeeze(counts, -1))
        return result
