"""StringLookup and IntegerLookup: words and category numbers become indices into a vocabulary, given or learned."""

from __future__ import annotations

import codecs
from collections import Counter
from dataclasses import InitVar
from itertools import repeat
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.errors import ArgumentError, DataError, NotFoundError, ThalwegError
from thalweg.layers import kinds
from thalweg.layers.layer import Array, Shape
from thalweg.layers.lookups.lookup import (
    DROPPED,
    MODES,
    NUMBERS,
    TEXT,
    Lookup,
    Salt,
    Sparse,
    bins_of,
    encode,
    mode,
    whole_numbers,
)
from thalweg.ops.variable import to_numbers
from thalweg.support.arguments import Checked, arguments, default
from thalweg.support.frames import as_texts
from thalweg.support.naming import choose

__all__ = ["IntegerLookup", "StringLookup"]

UNKNOWN = -2  # a token that isn't in the vocabulary, before it gets its index
SHOWN = 3  # tokens in a message


def encoding_of(what: str, encoding: Any) -> str:
    """The name of a way to write text as bytes."""
    try:
        return codecs.lookup(encoding).name
    except (LookupError, TypeError):
        raise ArgumentError(f"{what} is a name such as 'utf-8', got {encoding!r}") from None


def int64(what: str, value: Any) -> str:
    """The only type of a vocabulary of numbers."""
    if value != "int64":
        raise ArgumentError(f"{what} is 'int64', got {value!r}")
    return "int64"


Encoding = Annotated[str, Checked(encoding_of)]
MostTokens = Annotated[int | None, Checked(kinds.optional(kinds.least(2)))]
OutputMode = Annotated[str, Checked(mode(*MODES, "tf_idf"))]
Method = Annotated[str, Checked(lambda what, value: choose("oov_method", value, ("floormod", "farmhash")))]


class Vocabulary(Lookup):
    """Base of lookups: a vocabulary is the mask token, the out-of-vocabulary tokens, then the tokens.

    A subclass has `to_tokens`, `counted` and `found`, which depend on what tokens are.
    """

    max_tokens: MostTokens
    num_oov_indices: kinds.Index
    mask_token: Any
    oov_token: Any
    invert: bool
    pad_to_max_tokens: bool

    def __post_init__(self, vocabulary: Any, idf_weights: Any) -> None:
        kind = type(self).__name__
        self.mask_token = None if self.mask_token is None else self.to_tokens([self.mask_token])[0]
        self.oov_token = None if self.oov_token is None else self.to_tokens([self.oov_token])[0]
        if self.pad_to_max_tokens and self.max_tokens is None:
            raise ArgumentError(f"{kind} with pad_to_max_tokens needs max_tokens")
        if self.invert and self.output_mode != "int":
            raise ArgumentError(f"{kind} with invert has output_mode='int', not {self.output_mode!r}")
        self.tokens: list[Any] | None = None  # without mask and out-of-vocabulary tokens
        self.places: dict[Any, int] = {}  # token → index
        self.idf_weights: Array | None = None  # one for each index
        self.given = vocabulary is not None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
        elif idf_weights is not None:
            raise ArgumentError(f"{kind}'s idf_weights belong to a vocabulary: give both")

    def to_tokens(self, values: Any) -> list[Any]:
        """The values as a list of tokens, checked."""
        raise NotImplementedError

    def tokens_of(self, array: Array) -> Array:
        """The tokens in an array of values that were read: the values, unless a subclass takes them apart."""
        return array

    def counted(self, array: Array) -> dict[Any, int]:
        """How often each token occurs."""
        raise NotImplementedError

    def found(self, array: Array) -> Array:
        """The index of each token; UNKNOWN where it isn't in the vocabulary."""
        raise NotImplementedError

    def bucket(self, unknown: Array) -> Array:
        """Which of several out-of-vocabulary indices each unknown token gets."""
        raise NotImplementedError

    # --- the vocabulary ------------------------------------------------------------------------------------------

    @property
    def special(self) -> list[Any]:
        """The tokens in front: the mask, which only whole indices have, and the out-of-vocabulary tokens."""
        return [self.mask_token] * self.oov_start + [self.oov_token] * self.num_oov_indices

    @property
    def oov_start(self) -> int:
        """The first out-of-vocabulary index."""
        return int(self.mask_token is not None and self.output_mode == "int")

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens in the order of their indices, with or without those for masked and unknown values."""
        return (self.special if include_special_tokens else []) + list(self.tokens or [])

    def vocabulary_size(self) -> int:
        """The number of indices: tokens, out-of-vocabulary indices, and the mask."""
        return len(self.special) + len(self.tokens or [])

    def set_vocabulary(self, vocabulary: Any, idf_weights: ArrayLike | None = None) -> None:
        """Replaces the vocabulary: a list or array of tokens, or the path of a text file with one in each line.

        It may begin with the special tokens. `idf_weights`, one for each token, are needed with output_mode="tf_idf".
        """
        if (idf_weights is None) == (self.output_mode == "tf_idf"):
            needs = "needs" if idf_weights is None else "takes no"
            raise ArgumentError(f"{self.spelled} with output_mode={self.output_mode!r} {needs} idf_weights")
        given = self.to_tokens(lines(vocabulary) if isinstance(vocabulary, (str, Path)) else vocabulary)
        if not given:
            raise ArgumentError(f"{self.spelled} can't have an empty vocabulary")
        count = len(self.special)
        tokens = given[count:] if given[:count] == self.special else given
        self.check_tokens(tokens)
        if idf_weights is None:
            self.take(tokens, None)
            return
        weights = to_numbers(idf_weights, "idf_weights").astype(np.float32)
        if weights.shape != (len(given),):
            raise ArgumentError(f"{self.spelled} needs {len(given)} idf_weights, got the shape {weights.shape}")
        front = np.full(count if tokens is given else 0, weights.mean(), np.float32)
        self.take(tokens, np.concatenate([front, weights]))

    def check_tokens(self, tokens: list[Any]) -> None:
        """Raises unless the tokens can be a vocabulary."""
        if len(set(tokens)) < len(tokens):
            twice = [token for token, count in Counter(tokens).items() if count > 1]
            raise ArgumentError(f"{self.spelled} got a vocabulary that repeats {few(twice)}")
        kept = [self.mask_token, self.oov_token if self.invert else None]
        for token in kept:
            if token is not None and token in tokens:
                raise ArgumentError(
                    f"{self.spelled} got a vocabulary with {token!r} inside: leave out mask and out-of-vocabulary "
                    f"tokens, or begin with all of them, {self.special}"
                )
        if self.max_tokens is not None and len(self.special) + len(tokens) > self.max_tokens:
            size = len(self.special) + len(tokens)
            raise ArgumentError(f"{self.spelled} got a vocabulary of {size} tokens, max_tokens is {self.max_tokens}")

    def take(self, tokens: list[Any], weights: Array | None) -> None:
        """Makes these checked tokens the vocabulary."""
        size = len(self.special) + len(tokens)
        if self.built and self.output_mode != "int" and not self.pad_to_max_tokens and size != self.vocabulary_size():
            raise ThalwegError(
                f"{self.spelled} is part of a model, the size of its vocabulary can't change any more: "
                f"it is {self.vocabulary_size()}, not {size}"
            )
        self.tokens, self.idf_weights = tokens, weights
        self.places = dict(zip(tokens, range(len(self.special), size), strict=True))

    def adapt(self, data: Any) -> None:
        """Learns the vocabulary: the tokens, frequent ones first, of equally frequent ones the greater.

        The data may come in batches. Keeps the first tokens if there are more than max_tokens. With
        output_mode="tf_idf" every row is a document, and a token's weight is ln(1 + documents / (1 + documents with
        the token)).
        """
        from thalweg.batches.makers import arrays_of

        if self.given:
            raise ArgumentError(f"{self.spelled} was given its vocabulary: make one without it to adapt it")
        counts: Counter[Any] = Counter()
        inside: Counter[Any] = Counter()  # how many rows hold a token
        rows = 0
        for part in arrays_of(data, f"{self.spelled}.adapt"):
            array = self.tokens_of(self.read(part))
            array = array.reshape(len(array), -1) if array.ndim > 1 else array.reshape(-1, 1)
            counts.update(self.counted(array))
            rows += len(array)
            for row in array.tolist() if self.output_mode == "tf_idf" else ():
                inside.update(set(row))
        if not counts:
            raise DataError(f"{self.spelled}.adapt needs tokens to learn, got an empty array")
        for token in (self.mask_token, self.oov_token):
            counts.pop(token, None)
        tokens = sorted(counts, key=lambda token: (counts[token], token), reverse=True)
        if self.max_tokens is not None:
            tokens = tokens[: max(self.max_tokens - len(self.special), 0)]
        weights: Array | None = None
        if self.output_mode == "tf_idf":
            weights = np.log(1 + rows / (1 + np.array([inside[token] for token in tokens], np.float64)))
            front = np.full(len(self.special), weights.mean() if len(weights) else 0.0)
            weights = np.concatenate([front, weights]).astype(np.float32)
        self.take(tokens, weights)

    # --- looking up ----------------------------------------------------------------------------------------------

    @property
    def depth(self) -> int:
        if self.pad_to_max_tokens and self.max_tokens is not None:
            return self.max_tokens
        if self.output_mode != "int":
            self.check_known()
        return self.vocabulary_size()

    def check_known(self) -> None:
        """Raises if there is no vocabulary yet."""
        if self.tokens is None:
            raise ThalwegError(f"{self.spelled} has no vocabulary yet: call its adapt(data), or give vocabulary=[…]")

    def connect(self, input_shape: Shape) -> Shape:
        if self.invert and self.takes_text:
            raise ArgumentError(
                f"{self.spelled} with invert makes text, which a network can't take: call it on the data"
            )
        return super().connect(input_shape)

    @property
    def takes_text(self) -> bool:
        """Whether tokens are text."""
        raise NotImplementedError

    @property
    def takes(self) -> tuple[str, ...]:
        return (TEXT,) if self.takes_text and not self.invert else (NUMBERS,)

    def convert(self, values: Any) -> Array:
        self.check_known()
        if self.invert:
            return self.inverted(whole_numbers(values, self.spelled))
        if self.output_mode != "tf_idf":
            return super().convert(values)
        assert self.idf_weights is not None
        weights = np.zeros(self.depth, np.float32)
        weights[: len(self.idf_weights)] = self.idf_weights
        return encode(self.indices(self.read(values)), "count", self.depth) * weights

    def indices(self, array: Array) -> Array:
        result = self.found(array)
        if self.mask_token is not None:
            result[array == self.mask_token] = 0 if self.output_mode == "int" else DROPPED
        unknown = result == UNKNOWN
        if not unknown.any():
            return result
        if self.num_oov_indices == 0:
            found = few(list(dict.fromkeys(array[unknown].tolist())))
            raise DataError(f"{self.spelled} has no index for unknown tokens such as {found}: set num_oov_indices=1")
        several = self.num_oov_indices > 1
        result[unknown] = self.oov_start + (self.bucket(array[unknown]) if several else 0)
        return result

    def inverted(self, indices: Array) -> Array:
        """The token of each index; the out-of-vocabulary token for indices that have none."""
        tokens = np.array([*self.get_vocabulary(), self.oov_token], dtype=object if self.takes_text else np.int64)
        inside = (indices >= 0) & (indices < len(tokens) - 1)
        result = np.asarray(tokens[np.where(inside, indices, len(tokens) - 1)])
        return result.astype(str) if self.takes_text else result

    def get_config(self) -> dict[str, Any]:
        weights = None if self.idf_weights is None else self.idf_weights.tolist()
        learned = {"vocabulary": None if self.tokens is None else self.get_vocabulary(), "idf_weights": weights}
        return super().get_config() | learned


def lines(path: str | Path) -> list[str]:
    """The lines of a text file."""
    if not Path(path).is_file():
        raise NotFoundError(f"there is no vocabulary file {path}; a vocabulary of one token is a list, [{str(path)!r}]")
    return Path(path).read_text("utf-8").splitlines()


def few(tokens: list[Any]) -> str:
    """The first tokens, for a message."""
    return ", ".join(map(repr, tokens[:SHOWN])) + (f" and {len(tokens) - SHOWN} more" if len(tokens) > SHOWN else "")


class Words(Vocabulary):
    """Base of lookups whose tokens are text."""

    encoding: str
    salt: Any = None

    takes_text = True

    def read(self, values: Any) -> Array:
        return as_texts(values, self.spelled, self.encoding)

    def to_tokens(self, values: Any) -> list[str]:
        texts = as_texts(values, f"{type(self).__name__}'s vocabulary", self.encoding)
        return [str(token) for token in texts.ravel().tolist()]

    def counted(self, array: Array) -> dict[str, int]:
        return Counter(array.ravel().tolist())

    def found(self, array: Array) -> Array:
        cells = array.ravel().tolist()
        places = map(self.places.get, cells, repeat(UNKNOWN))
        return np.fromiter(places, np.int64, len(cells)).reshape(array.shape)

    def bucket(self, unknown: Array) -> Array:
        return bins_of([text.encode() for text in unknown.tolist()], self.num_oov_indices, self.salt)


@arguments
class StringLookup(Words):
    """Text becomes an index into a vocabulary: 0 for unknown words, 1, 2, … for known ones.

    Args:
        max_tokens: the most indices that `adapt` makes, special ones included. num_oov_indices: how many indices
            unknown words share, by FarmHash if there are several; with 0 they raise.
        mask_token: a word that gets the index 0 and moves the others up; vectors leave it out.
        oov_token: what `invert` returns for indices of unknown words, and their name in the vocabulary.
        vocabulary: the words, or the path of a text file with one in each line; None: `adapt` learns them.
        idf_weights: for output_mode="tf_idf" with a vocabulary: a weight for each word.
        invert: whether to turn indices into words.
        output_mode: "int": the index; "one_hot", "multi_hot", "count": vectors, see `CategoryEncoding`; "tf_idf":
            counts times weights.
        pad_to_max_tokens: whether vectors have the length max_tokens however many words there are.
        sparse: has to be False. encoding: of words given as bytes.
        salt: the key of SipHash, which then takes FarmHash's place, see `Hashing`.

    In a model it stands first, behind `Input(shape, dtype="string")`; the vocabulary is saved with the model.

    >>> layer = StringLookup()
    >>> layer.adapt([["a", "c", "d"], ["d", "z", "b"]])
    >>> layer.get_vocabulary()
    ['[UNK]', 'd', 'z', 'c', 'b', 'a']
    >>> layer([["a", "c", "d"], ["d", "new", "b"]])
    array([[5, 3, 1],
           [1, 0, 4]])
    >>> StringLookup(vocabulary=layer.get_vocabulary(), invert=True)([1, 0]).tolist()
    ['d', '[UNK]']
    """

    max_tokens: MostTokens = None
    num_oov_indices: kinds.Index = 1
    mask_token: str | None = None
    oov_token: str = "[UNK]"
    vocabulary: InitVar[Any] = None
    idf_weights: InitVar[ArrayLike | None] = None
    invert: bool = False
    output_mode: OutputMode = "int"
    pad_to_max_tokens: bool = False
    sparse: Sparse = False
    encoding: Encoding = "utf-8"
    name: str | None = None
    salt: Salt = default(None)


@arguments
class IntegerLookup(Vocabulary):
    """Whole numbers become indices into a vocabulary: 0 for unknown numbers, 1, 2, … for known ones.

    Args:
        vocabulary: the numbers, or the path of a text file with one in each line; None: `adapt` learns them.
        vocabulary_dtype: "int64".
        num_oov_indices: how many indices unknown numbers share; with 0 they raise.
        oov_method: which of several: "floormod", number mod num_oov_indices; "farmhash", by a hash, see `Hashing`.
        salt: the key of SipHash, which then takes FarmHash's place.
        max_tokens, mask_token, oov_token, idf_weights, invert, output_mode, sparse, pad_to_max_tokens: see
            `StringLookup`.

    >>> IntegerLookup(vocabulary=[12, 36, 1138, 42])([[12, 1138, 42], [42, 1000, 36]])
    array([[1, 3, 4],
           [4, 0, 2]])
    >>> IntegerLookup(vocabulary=[12, 36, 1138, 42], invert=True)([1, 0])
    array([12, -1])
    """

    max_tokens: MostTokens = None
    num_oov_indices: kinds.Index = 1
    mask_token: int | None = None
    oov_token: int = -1
    vocabulary: InitVar[Any] = None
    vocabulary_dtype: Annotated[str, Checked(int64, kept=False)] = "int64"
    idf_weights: InitVar[ArrayLike | None] = None
    invert: bool = False
    output_mode: OutputMode = "int"
    sparse: Sparse = False
    pad_to_max_tokens: bool = False
    oov_method: Method = "floormod"
    salt: Salt = default(None)
    name: str | None = None

    def __post_init__(self, vocabulary: Any, idf_weights: Any) -> None:
        if self.salt is not None and self.oov_method != "farmhash":
            raise ArgumentError("IntegerLookup's salt needs oov_method='farmhash'")
        super().__post_init__(vocabulary, idf_weights)

    takes_text = False

    def read(self, values: Any) -> Array:
        return whole_numbers(values, self.spelled)

    def to_tokens(self, values: Any) -> list[int]:
        if isinstance(values, list) and any(isinstance(v, str) for v in values):
            try:
                values = [int(v) for v in values]  # the lines of a file
            except ValueError as error:
                raise DataError(f"IntegerLookup's vocabulary has to be whole numbers: {error}") from None
        return [int(token) for token in whole_numbers(values, "IntegerLookup's vocabulary").ravel().tolist()]

    def counted(self, array: Array) -> dict[int, int]:
        numbers, counts = np.unique(array, return_counts=True)
        return dict(zip(numbers.tolist(), counts.tolist(), strict=True))

    def found(self, array: Array) -> Array:
        if not self.places:
            return np.full(array.shape, UNKNOWN, np.int64)
        tokens = np.array(self.tokens, np.int64)
        order = np.argsort(tokens)
        sorted_tokens = tokens[order]
        at = np.minimum(np.searchsorted(sorted_tokens, array), len(tokens) - 1)
        return np.where(sorted_tokens[at] == array, order[at] + len(self.special), UNKNOWN)

    def bucket(self, unknown: Array) -> Array:
        if self.oov_method == "floormod":
            return unknown % self.num_oov_indices
        return bins_of([b"%d" % n for n in unknown.tolist()], self.num_oov_indices, self.salt)
