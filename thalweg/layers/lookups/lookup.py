"""Layers that turn text, category numbers or ranges into numbers for the network. Names and arguments are Keras's.

They compute in NumPy, on the caller's whole array, before the network gets it: called directly, or as the first layers
of a model. Layers with a vocabulary are in `vocabulary.py`.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.errors import ArgumentError, DataError, ShapeError, ThalwegError
from thalweg.layers import kinds
from thalweg.layers.layer import Array, Layer, Shape
from thalweg.layers.lookups.fingerprints import fingerprint64, siphash
from thalweg.ops.tensor import Call, Result, Symbol
from thalweg.ops.variable import to_numbers
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import Buffer
from thalweg.support import hooks
from thalweg.support.arguments import Checked, Taken, arguments, default
from thalweg.support.checks import whole
from thalweg.support.frames import as_texts, holds_text
from thalweg.support.naming import choose

__all__ = ["CategoryEncoding", "Discretization", "Hashing"]

TEXT, NUMBERS = "text", "numbers"
DROPPED = -1  # the index of what isn't encoded at all
EXACT = 1 << 24  # whole numbers up to here are exact in float32


class Lookup(Layer):
    """Base of layers that convert the caller's arrays: in a model they stand first, right behind `Input`.

    A subclass has `read`, which checks values and makes them an array; `indices`, which finds an index for each; and
    `depth`, the number of indices.
    """

    uncalled = hooks.LOOKUP

    output_mode: str

    def read(self, values: Any) -> Array:
        """The values as an array, checked."""
        raise NotImplementedError

    def indices(self, array: Array) -> Array:
        """The index of each value; −1 for one that isn't encoded."""
        raise NotImplementedError

    @property
    def depth(self) -> int:
        """The number of indices, which is the length of an encoded value."""
        raise NotImplementedError

    @property
    def takes(self) -> tuple[str, ...]:
        """What the values may be: text, numbers."""
        return (NUMBERS,)

    @property
    def spelled(self) -> str:
        """The layer in messages."""
        return f"{type(self).__name__} {self.name!r}" if self.name else type(self).__name__

    def convert(self, values: Any) -> Array:
        """The indices of the values, or their encoding, as `output_mode` says."""
        return encode(self.indices(self.read(values)), self.output_mode, self.depth)

    def __call__(self, values: Any) -> Any:
        """The same on arrays, lists, and columns and frames of data; on an `Input`, the tensor of the result."""
        if not isinstance(values, Symbol):
            return self.convert(values)
        if not self.follows(values):
            raise self.misplaced()
        if not self.built:
            self.connect(values.row_shape)
        return self.noted((values,), values.row_shape)

    def follows(self, symbol: Symbol) -> bool:
        """Whether a tensor is an input, or what look-ups make of one."""
        return symbol.node is None or isinstance(symbol.node.function, Lookup)

    def noted(self, arguments: tuple[Any, ...], shape: Shape) -> Result:
        """The tensor of a call on tensors whose rows have this shape."""
        call = Call(self, arguments, {})
        made = Result(call, 0, (None, *self.converted_shape(shape)), self.name or self.default_name, False)
        call.result = made
        return made

    def converted_shape(self, shape: Shape) -> Shape:
        """The shape of a row of the result, for rows of this shape."""
        if self.output_mode == "int":
            return shape
        kept = shape if self.output_mode == "one_hot" and shape[-1:] != (1,) else shape[:-1]
        return (*kept, self.depth)

    def connect(self, input_shape: Shape) -> Shape:
        self.check_free()
        if self.output_mode == "int" and self.depth > EXACT:
            raise ArgumentError(
                f"{self.spelled} has {self.depth:,} indices, a model's numbers are exact up to {EXACT:,}"
            )
        output_shape = self.converted_shape(input_shape)
        self.input_shape, self.output_shape = input_shape, output_shape
        return output_shape

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        raise self.misplaced()

    def misplaced(self) -> ThalwegError:
        """The error for a place behind or inside other layers."""
        return ThalwegError(
            f"{self.spelled} converts the caller's arrays, so it stands first in a model, right behind Input, and not "
            "behind or inside other layers; outside of a model, call it on the data"
        )


def encode(indices: Array, mode: str, depth: int, weights: Array | None = None) -> Array:
    """Indices as vectors of `depth` numbers (float32); as they are with the mode "int".

    one_hot: a vector for each index, with a 1 at its place. multi_hot: a vector for the indices along the last axis,
    with a 1 for each that occurs. count: how often it occurs, or the sum of its weights.
    """
    if mode == "int":
        return indices
    if mode == "one_hot":
        indices = indices[..., 0] if indices.ndim > 1 and indices.shape[-1] == 1 else indices
        shape = indices.shape
        rows = indices.reshape(-1, 1)
    else:
        indices = np.atleast_1d(indices)
        shape = indices.shape[:-1]
        rows = indices.reshape(math.prod(shape), indices.shape[-1])
    held = rows != DROPPED
    cells = (rows + depth * np.arange(len(rows))[:, None])[held]
    if mode == "count":
        chosen = None if weights is None else weights.reshape(rows.shape)[held]
        result = np.bincount(cells, chosen, len(rows) * depth).astype(np.float32)
    else:
        result = np.zeros(len(rows) * depth, np.float32)
        result[cells] = 1
    return result.reshape(*shape, depth)


def whole_numbers(values: Any, what: str) -> Array:
    """`values` as whole numbers; anything else raises, and names the first one's row."""
    array = to_numbers(values, what)
    if array.dtype.kind == "f":
        bad = ~(np.abs(array) < 2.0**63) | (array != np.trunc(array))
        refuse(bad, array, f"{what} takes whole numbers")
    elif array.dtype.kind == "u":
        refuse(array > np.iinfo(np.int64).max, array, f"{what} takes whole numbers below 2⁶³")
    return array.astype(np.int64)


def refuse(bad: Array, array: Array, expected: str) -> None:
    """Raises if any value is bad; the message has its row."""
    if bad.any():
        place = int(np.argmax(np.ravel(bad)))
        row = place * len(array) // array.size if array.ndim else 0
        value = np.ravel(array)[place]
        raise DataError(f"{expected}, but row {row} holds {value:g}")


MODES = ("int", "one_hot", "multi_hot", "count")


OLDER = {"binary": "multi_hot", "tf-idf": "tf_idf"}
"""Names of modes that Keras still takes."""


def mode(*modes: str, older: bool = True) -> kinds.Check:
    """The check of an output mode, and whether older names are taken."""

    def check(what: str, value: Any) -> str:
        named = OLDER.get(value, value) if older and isinstance(value, str) else value
        return choose(f"output_mode of {kinds.owner(what)}", named if named in modes else value, modes)

    return check


def key_of(what: str, salt: Any) -> list[int]:
    """SipHash's key, two whole numbers, from one or two."""
    keys = list(salt) if isinstance(salt, (list, tuple)) else [salt, salt]
    if len(keys) != 2:
        raise ArgumentError(f"{what} is a whole number or two, got {salt!r}")
    return [whole(what, key, 0) for key in keys]


def known(what: str, value: Any) -> int:
    """A number of tokens."""
    if value is None:
        raise ArgumentError("CategoryEncoding needs num_tokens; IntegerLookup learns the numbers from data")
    return whole(what, value)


def boundaries(what: str, values: ArrayLike) -> list[float]:
    """Increasing numbers."""
    given = to_numbers(values, what).astype(np.float64)
    if given.ndim != 1 or np.isnan(given).any() or (np.diff(given) < 0).any():
        raise ArgumentError(f"{what} are increasing numbers, got {values!r}")
    numbers: list[float] = given.tolist()
    return numbers


def word_or_number(what: str, value: Any) -> str | int | None:
    """A text, a whole number, or None."""
    return value if value is None or isinstance(value, str) else whole(what, value, -(1 << 63))


Mode = Annotated[str, Checked(mode(*MODES, older=False))]
Boundaries = Annotated[Taken[ArrayLike | None, list[float] | None], Checked(kinds.optional(boundaries))]
Sparse = Annotated[bool, Checked(kinds.only(False, " makes dense arrays: leave sparse False"), kept=False)]
Salt = Annotated[Taken[kinds.Sizes | None, list[int] | None], Checked(kinds.optional(key_of))]


@arguments
class CategoryEncoding(Lookup):
    """Whole numbers 0 … num_tokens − 1 as vectors of num_tokens numbers.

    Args:
        num_tokens: how many numbers there are.
        output_mode: "multi_hot": the numbers along the last axis become one vector, with a 1 for each that occurs;
            "count": how often it occurs; "one_hot": each number becomes a vector of its own.
        sparse: has to be False.

    Raises:
        DataError: a value that isn't one of the numbers.

    >>> CategoryEncoding(4, output_mode="one_hot")([3, 0])
    array([[0., 0., 0., 1.],
           [1., 0., 0., 0.]], dtype=float32)
    >>> CategoryEncoding(4)([[0, 1], [0, 0]])
    array([[1., 1., 0., 0.],
           [1., 0., 0., 0.]], dtype=float32)
    >>> CategoryEncoding(4, output_mode="count")([[0, 1], [0, 0]], count_weights=[[0.5, 2.0], [1.0, 3.0]])
    array([[0.5, 2. , 0. , 0. ],
           [4. , 0. , 0. , 0. ]], dtype=float32)
    """

    num_tokens: Annotated[Taken[int | None, int], Checked(known)] = default(None)
    output_mode: Annotated[str, Checked(mode(*MODES[1:]))] = "multi_hot"
    sparse: Sparse = False
    name: str | None = None

    @property
    def depth(self) -> int:
        return self.num_tokens

    def read(self, values: Any) -> Array:
        array = whole_numbers(values, self.spelled)
        bad = (array < 0) | (array >= self.num_tokens)
        refuse(bad, array, f"{self.spelled} takes numbers from 0 to {self.num_tokens - 1}")
        return array

    def indices(self, array: Array) -> Array:
        return array

    def __call__(self, values: Any, count_weights: ArrayLike | None = None) -> Any:
        """The vectors; `count_weights` are summed instead of counted, one for each value."""
        if count_weights is None:
            return super().__call__(values)
        if self.output_mode != "count":
            raise ArgumentError(f"count_weights belong to output_mode='count', not to {self.output_mode!r}")
        array, weights = self.read(values), to_numbers(count_weights, "count_weights")
        if weights.shape != array.shape:
            raise ShapeError(f"count_weights has the shape {weights.shape}, the values have {array.shape}")
        return encode(array, "count", self.depth, weights)


@arguments
class Discretization(Lookup):
    """The number of the range in which a value lies: 0 below the first boundary, 1 from there to the second, …

    A boundary belongs to the range above it. Values and boundaries are compared in float32, as in Keras.

    Args:
        bin_boundaries: the boundaries, in increasing order. num_bins: or how many ranges `adapt` makes, about equally
            full. One of them has to be given.
        epsilon: the error that `adapt` allows a quantile: it looks at 1/epsilon of the sorted values.
        output_mode: "int": the range's number; "one_hot", "multi_hot", "count": vectors, see `CategoryEncoding`.
        sparse: has to be False.

    >>> Discretization([0.0, 1.0, 2.0])([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]])
    array([[0, 2, 3, 1],
           [1, 3, 2, 1]])
    >>> layer = Discretization(num_bins=4)
    >>> layer.adapt(np.arange(1000))
    >>> layer([0, 400, 999])
    array([0, 1, 3])
    """

    bin_boundaries: Boundaries = default(None)
    num_bins: Annotated[int | None, Checked(kinds.optional(whole))] = None
    epsilon: Annotated[float, Checked(kinds.within(1e-9, 1))] = 0.01
    output_mode: Mode = "int"
    sparse: Sparse = False
    name: str | None = None

    def __post_init__(self) -> None:
        if (self.bin_boundaries is None) == (self.num_bins is None):
            raise ArgumentError("Discretization takes either bin_boundaries, or num_bins and a call of adapt")

    def adapt(self, data: ArrayLike) -> None:
        """Measures the boundaries on all numbers of the data, by quantiles of a summary, as Keras does."""
        from thalweg.batches.makers import arrays_of

        if self.num_bins is None:
            raise ArgumentError(f"{self.spelled} was given its boundaries: make one with num_bins to adapt it")
        parts = [self.read(part).reshape(-1) for part in arrays_of(data, f"{self.spelled}.adapt")]
        values = np.sort(np.concatenate(parts))
        if not values.size:
            raise DataError(f"{self.spelled}.adapt needs numbers to measure, got an empty array")
        step = max(len(values) * self.epsilon, 1)
        kept = values[int(step) - 1 :: int(step)]
        summary = condensed(kept, np.full(len(kept), step, np.float32), self.epsilon)
        boundaries = condensed(*summary, 1 / self.num_bins)[0][:-1].tolist()
        if self.built and self.output_mode != "int" and len(boundaries) + 1 != self.depth:
            raise ThalwegError(f"{self.spelled} is part of a model, its number of ranges can't change any more")
        self.bin_boundaries = boundaries

    @property
    def depth(self) -> int:
        return len(self.known_boundaries()) + 1

    def known_boundaries(self) -> list[float]:
        """The boundaries; raises if there are none yet."""
        if self.bin_boundaries is None:
            raise ThalwegError(f"{self.spelled} has no boundaries yet: call its adapt(data) first")
        return self.bin_boundaries

    def read(self, values: Any) -> Array:
        array = to_numbers(values, self.spelled).astype(np.float32)
        refuse(np.isnan(array), array, f"{self.spelled} takes numbers")
        return array

    def indices(self, array: Array) -> Array:
        boundaries = np.array(self.known_boundaries(), np.float32)
        return np.searchsorted(boundaries, array, side="right").astype(np.int64)

    def get_config(self) -> dict[str, Any]:
        measured = {} if self.bin_boundaries is None else {"num_bins": None}
        return super().get_config() | measured


def condensed(values: Array, weights: Array, epsilon: float) -> tuple[Array, Array]:
    """About 1/epsilon of the sorted values, at equal steps of the summed weights, and the weights between them."""
    if len(values) * epsilon < 1:
        return values, weights
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    sums = weights.cumsum()
    at = np.interp(shares, sums / sums[-1], values)
    reached = np.interp(shares, sums / sums[-1], sums)
    return at.astype(np.float32), np.diff(reached, prepend=0).astype(np.float32)


def bins_of(texts: list[bytes], bins: int, key: list[int] | None) -> Array:
    """The hash of each text mod `bins`: FarmHash, or SipHash with a key."""
    hashes = fingerprint64(texts) if key is None else siphash(texts, (key[0], key[1]))
    return (hashes % np.uint64(bins)).astype(np.int64)


@arguments
class Hashing(Lookup):
    """Text or whole numbers become one of num_bins indices by a hash, without a vocabulary: index = hash mod num_bins.

    The hash is FarmHash's Fingerprint64, or SipHash-2-4 with a salt, of the text in UTF-8 or the number in decimal
    digits: Keras's indices, on every machine.

    Args:
        num_bins: the number of indices.
        mask_value: a value that gets the index 0; the others then share the remaining indices.
        salt: SipHash's key: two whole numbers, or one that is taken twice.
        output_mode: "int": the index; "one_hot", "multi_hot", "count": vectors, see `CategoryEncoding`.
        sparse: has to be False.

    >>> Hashing(3)([["A"], ["B"], ["C"], ["D"], ["E"]]).ravel()
    array([1, 0, 1, 1, 2])
    >>> Hashing(3, salt=[133, 137])(["A", "B", "C", "D", "E"])
    array([1, 2, 1, 0, 2])
    """

    num_bins: kinds.Count
    mask_value: Annotated[str | int | None, Checked(word_or_number)] = None
    salt: Salt = default(None)
    output_mode: Mode = "int"
    sparse: Sparse = False
    name: str | None = None

    @property
    def depth(self) -> int:
        return self.num_bins

    @property
    def takes(self) -> tuple[str, ...]:
        return TEXT, NUMBERS

    def read(self, values: Any) -> Array:
        text = holds_text(values)
        if self.mask_value is not None and text != isinstance(self.mask_value, str):
            kind = TEXT if text else NUMBERS
            raise DataError(f"{self.spelled} has the mask_value {self.mask_value!r}, but was given {kind}")
        return as_texts(values, self.spelled) if text else whole_numbers(values, self.spelled)

    def indices(self, array: Array) -> Array:
        if array.dtype == object:
            result = self.hashed([text.encode() for text in array.ravel().tolist()])
        else:
            numbers, places = np.unique(array, return_inverse=True)
            result = self.hashed([b"%d" % n for n in numbers.tolist()])[places.reshape(-1)]
        result = result.reshape(array.shape)
        if self.mask_value is not None and self.num_bins > 1:
            return np.where(array == self.mask_value, 0, result + 1)
        return result

    def hashed(self, texts: list[bytes]) -> Array:
        """The indices of texts, without that of the mask."""
        bins = self.num_bins - (self.mask_value is not None and self.num_bins > 1)
        return bins_of(texts, bins, self.salt)
