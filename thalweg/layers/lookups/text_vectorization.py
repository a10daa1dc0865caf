"""TextVectorization: texts become the indices of their words, or vectors that count them."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from dataclasses import InitVar
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.layers import kinds
from thalweg.layers.layer import Array, Shape
from thalweg.layers.lookups.lookup import Sparse, mode
from thalweg.layers.lookups.vocabulary import Encoding, MostTokens, Words
from thalweg.support.arguments import Checked, Taken, arguments, default
from thalweg.support.checks import whole
from thalweg.support.frames import as_texts
from thalweg.support.naming import choose
from thalweg.support.registry import REGISTERED

__all__ = ["TextVectorization"]

LOWERED = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
STRIPPED = str.maketrans("", "", string.punctuation)
CHANGES = {"lower": LOWERED, "strip_punctuation": STRIPPED, "lower_and_strip_punctuation": LOWERED | STRIPPED}
SPLITS: dict[str, Callable[[str], list[str]]] = {
    "whitespace": re.compile("[^ \t\n\r\v\f]+").findall,  # other spaces don't part words, as in TensorFlow
    "character": list,
}
PADDING = ""


def named_or_function(*names: str) -> kinds.Check:
    """The check of one of some names, a function, the name of a registered one, or None."""

    def check(what: str, value: Any) -> Any:
        if value is None or value in names or callable(value):
            return value
        known = {name: name for name in names} | dict(REGISTERED)
        return choose(what, value, known)

    return check


def widths(what: str, value: Any) -> int | list[int]:
    """The longest n-grams, or the lengths of all of them."""
    return [whole(what, width) for width in value] if isinstance(value, (list, tuple)) else whole(what, value)


Function = Callable[[Any], Any]
Change = Annotated[Function | str | None, Checked(named_or_function(*CHANGES))]
Split = Annotated[Function | str | None, Checked(named_or_function(*SPLITS))]
Widths = Annotated[Taken[int | tuple[int, ...] | None, int | list[int] | None], Checked(kinds.optional(widths))]
Ragged = Annotated[bool, Checked(kinds.only(False, " makes dense arrays: leave ragged False"), kept=False)]


@arguments
class TextVectorization(Words):
    """Each text becomes the indices of its words, 0 for padding and 1 for unknown ones; or a vector of its words.

    A text is changed (`standardize`), taken apart (`split`), and its tokens are joined by spaces to `ngrams`; then each
    is looked up, see `StringLookup`.

    Args:
        max_tokens: the most indices that `adapt` makes, special ones included.
        standardize: "lower_and_strip_punctuation", "lower", "strip_punctuation" (of ASCII: other letters and signs are
            left as they are, as in Keras); None; or a function of an array of texts that returns one.
        split: "whitespace", "character", None, for rows of tokens; or a function from an array of texts (rows,) to a
            list of tokens for each.
        ngrams: 2 for words and pairs, (2, 3) for pairs and triples alone.
        output_mode: "int": the indices (rows, tokens), filled up with 0; "multi_hot", "count": vectors, see
            `CategoryEncoding`; "tf_idf": counts times weights. "binary" is Keras's older name of "multi_hot".
        output_sequence_length: how many indices a row has, more are cut off; as many as the longest text, by default.
            In a model, "int" needs it.
        pad_to_max_tokens: whether vectors have the length max_tokens however many words there are.
        vocabulary: the words, or the path of a text file with one in each line; None: `adapt` learns them.
        idf_weights: for output_mode="tf_idf" with a vocabulary: a weight for each word.
        sparse, ragged: have to be False. encoding: of texts given as bytes.

    Raises:
        ShapeError: rows of several texts, where they are to be split.

    A file holds a function's name: to load it, register it by `saving.register_keras_serializable`.

    >>> layer = TextVectorization(output_sequence_length=4)
    >>> layer.adapt(["foo bar", "bar baz", "baz bada boom"])
    >>> layer.get_vocabulary()
    ['', '[UNK]', 'baz', 'bar', 'foo', 'boom', 'bada']
    >>> layer([["Foo qux bar!"], ["qux baz"]])
    array([[4, 1, 3, 0],
           [1, 2, 0, 0]])
    """

    max_tokens: MostTokens = None
    standardize: Change = "lower_and_strip_punctuation"
    split: Split = "whitespace"
    ngrams: Widths = default(None)
    output_mode: Annotated[str, Checked(mode("int", "multi_hot", "count", "tf_idf"))] = "int"
    output_sequence_length: Annotated[int | None, Checked(kinds.optional(whole))] = None
    pad_to_max_tokens: bool = False
    vocabulary: InitVar[Any] = None
    idf_weights: InitVar[ArrayLike | None] = None
    sparse: Sparse = False
    ragged: Ragged = False
    encoding: Encoding = "utf-8"
    name: str | None = None

    num_oov_indices, mask_token, oov_token, invert = 1, PADDING, "[UNK]", False

    def __post_init__(self, vocabulary: Any, idf_weights: Any) -> None:
        if self.output_sequence_length is not None and self.output_mode != "int":
            raise ArgumentError(
                f"TextVectorization's output_sequence_length belongs to output_mode='int', not to {self.output_mode!r}"
            )
        super().__post_init__(vocabulary, idf_weights)

    # --- from texts to tokens ------------------------------------------------------------------------------------

    def tokens_of(self, array: Array) -> Array:
        """The tokens of texts, objects (rows, most tokens), filled up with the padding; (tokens,) of a text alone."""
        texts = self.standardized(array)
        if self.split is None:
            if self.ngrams is None or not texts.ndim:
                return texts
            rows = [list(row) for row in texts.reshape(-1, texts.shape[-1]).tolist()]
            return filled([self.joined(row) for row in rows]).reshape(*texts.shape[:-1], -1)
        if (texts.ndim > 1 and texts.shape[-1] != 1) or texts.ndim > 2:
            raise ShapeError(
                f"{self.spelled} splits one text a row, (rows,) or (rows, 1), got the shape {texts.shape}: with "
                "split=None it takes rows of tokens"
            )
        said = texts.reshape(-1)
        tokens = filled([self.joined(row) for row in self.taken_apart(said)])
        return tokens if array.ndim else tokens[0]

    def standardized(self, array: Array) -> Array:
        """The texts as `standardize` changes them."""
        if self.standardize is None:
            return array
        if callable(self.standardize):
            changed = as_texts(self.standardize(array.astype(str)), f"{self.spelled} after its standardize")
            if changed.shape != array.shape:
                raise ShapeError(f"{self.spelled}: its standardize made {changed.shape} of the shape {array.shape}")
            return changed
        table = CHANGES[self.standardize]
        result = np.empty(array.size, object)
        result[:] = [text.translate(table) for text in array.reshape(-1).tolist()]
        return result.reshape(array.shape)

    def taken_apart(self, texts: Array) -> list[list[str]]:
        """The tokens of each text (rows,)."""
        if not callable(self.split):
            return [SPLITS[str(self.split)](text) for text in texts.tolist()]
        rows = [[str(token) for token in row] for row in self.split(texts.astype(str))]
        if len(rows) != len(texts):
            raise DataError(f"{self.spelled}: its split made {len(rows)} rows of {len(texts)} texts")
        return rows

    def joined(self, tokens: list[str]) -> list[str]:
        """The n-grams of tokens: all of the first length, then all of the next."""
        if self.ngrams is None:
            return tokens
        lengths = range(1, self.ngrams + 1) if isinstance(self.ngrams, int) else self.ngrams
        return [" ".join(tokens[k : k + n]) for n in lengths for k in range(len(tokens) - n + 1)]

    # --- looking up ----------------------------------------------------------------------------------------------

    def indices(self, array: Array) -> Array:
        found = super().indices(self.tokens_of(array))
        length = self.output_sequence_length
        if length is None:
            return found
        if found.ndim == array.ndim == 1 and self.split is None:
            raise ShapeError(f"{self.spelled} with split=None and output_sequence_length takes rows of tokens")
        result = np.zeros((*found.shape[:-1], length), np.int64)
        kept = found[..., :length]
        result[..., : kept.shape[-1]] = kept
        return result

    def converted_shape(self, shape: Shape) -> Shape:
        if self.split is not None and shape not in ((), (1,)):
            raise ShapeError(f"{self.spelled} splits one text a row: give Input((1,), dtype='string'), not {shape}")
        if self.output_mode != "int":
            return (*shape[:-1], self.depth)
        if self.split is None and self.ngrams is None and self.output_sequence_length is None:
            return shape
        if self.output_sequence_length is None:
            raise ArgumentError(f"{self.spelled} in a model needs output_sequence_length: how many indices a row has")
        return (*shape[:-1], self.output_sequence_length)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for argument in ("standardize", "split"):
            if callable(config[argument]):
                config[argument] = called(config[argument], f"{self.spelled}: its {argument}")
        return config


def filled(rows: list[list[str]]) -> Array:
    """Rows of tokens as one array, objects (rows, most tokens)."""
    result = np.full((len(rows), max(map(len, rows), default=0)), PADDING, object)
    for k, row in enumerate(rows):
        result[k, : len(row)] = row
    return result


def called(function: Any, what: str) -> str:
    """The name under which a function is found again."""
    name: str = getattr(function, "__name__", "")
    if not name.isidentifier():
        raise ArgumentError(f"{what} is a lambda, which has no name under which it could be found again")
    return name
