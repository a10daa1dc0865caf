"""Categories of several columns together, by a hash. Names and arguments are Keras's."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import kinds
from thalweg.layers.layer import Array
from thalweg.layers.lookups.fingerprints import Words, fingerprint64, joined_fingerprints
from thalweg.layers.lookups.lookup import NUMBERS, TEXT, Lookup, Sparse, mode, whole_numbers
from thalweg.ops.tensor import Result, Symbol, Tensor
from thalweg.support.arguments import Checked, arguments
from thalweg.support.frames import as_texts, holds_text
from thalweg.support.nested import leaves

__all__ = ["HashedCrossing"]

FIRST = 0xDECAFCAFFE  # TensorFlow's key of crossings


@arguments
class HashedCrossing(Lookup):
    """Two columns or more become one of num_bins indices together, by a hash: index = hash mod num_bins.

    The hash joins FarmHash's Fingerprint64 of texts and whole numbers as they are, column after column: the indices of
    Keras with TensorFlow, on every machine. The columns have one shape, (rows,), (rows, 1) or (). In a model it stands
    behind inputs of shape (1,) or (), or behind the look-ups that follow them.

    Args:
        num_bins: the number of indices.
        output_mode: "int": the index; "one_hot": a vector of num_bins numbers, with a 1 at its place.
        sparse: has to be False.

    Raises:
        ArgumentError: fewer than two columns. ShapeError: columns of different or other shapes.
        ThalwegError: tensors that layers of a network make.

    Source: Keras's `HashedCrossing`; TensorFlow's `tf.sparse.cross_hashed`.

    >>> letters, numbers = ["A", "B", "A", "B", "A"], [101, 101, 101, 102, 102]
    >>> HashedCrossing(5)([letters, numbers])
    array([1, 4, 1, 1, 3])
    >>> HashedCrossing(5, output_mode="one_hot")([letters[:2], numbers[:2]])
    array([[0., 1., 0., 0., 0.],
           [0., 0., 0., 0., 1.]], dtype=float32)
    """

    num_bins: kinds.Count
    output_mode: Annotated[str, Checked(mode("int", "one_hot", older=False))] = "int"
    sparse: Sparse = False
    name: str | None = None

    @property
    def depth(self) -> int:
        return self.num_bins

    @property
    def takes(self) -> tuple[str, ...]:
        return TEXT, NUMBERS

    def __call__(self, values: Any) -> Any:
        """The indices of the columns' values together, or their vectors; of tensors of inputs, the tensor of these."""
        if any(isinstance(leaf, Tensor) for leaf in leaves(values)):
            return self.drawn(self.checked(values))
        return self.convert(values)

    def drawn(self, columns: list[Any]) -> Result:
        """The tensor of the result."""
        for column in columns:
            if not isinstance(column, Symbol) or not self.follows(column):
                raise self.misplaced()
        shapes = [column.row_shape for column in columns]
        if shapes[0] not in ((), (1,)) or any(shape != shapes[0] for shape in shapes):
            raise ShapeError(f"{self.spelled} takes inputs of one shape, () or (1,), got {shapes}")
        if not self.built:
            self.connect(shapes[0])
        return self.noted((columns,), shapes[0])

    def checked(self, values: Any) -> list[Any]:
        """The columns, at least two."""
        if not isinstance(values, (list, tuple)) or len(values) < 2:
            raise ArgumentError(f"{self.spelled} takes a list of two columns or more, got {type(values).__name__}")
        return list(values)

    def read(self, values: Any) -> Array:
        """The fingerprints of each column, (columns, …)."""
        columns = [self.fingerprints(column) for column in self.checked(values)]
        shape = columns[0].shape
        if any(column.shape != shape for column in columns):
            raise ShapeError(f"{self.spelled} takes columns of one shape, got {[c.shape for c in columns]}")
        if len(shape) > 2 or shape[1:] not in ((), (1,)):
            raise ShapeError(f"{self.spelled} takes columns of shape (rows,) or (rows, 1), got {shape}")
        return np.stack(columns)

    def fingerprints(self, column: Any) -> Words:
        """A number of 64 bits for each value: a text's fingerprint, or the whole number itself."""
        if not holds_text(column):
            return whole_numbers(column, self.spelled).astype(np.uint64)
        texts = as_texts(column, self.spelled)
        return fingerprint64([text.encode() for text in texts.ravel().tolist()]).reshape(texts.shape)

    def indices(self, array: Array) -> Array:
        total = np.full(array.shape[1:], FIRST, np.uint64)
        for column in array:
            total = joined_fingerprints(total, column)
        return np.asarray(total % np.uint64(self.num_bins)).astype(np.int64)
