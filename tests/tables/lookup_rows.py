"""The table of layers at a model's entry: (how it is made, what it is given, what it returns).

Most are the examples of Keras's documentation.
"""

from collections.abc import Callable
from typing import Any

from thalweg.layers import (
    CategoryEncoding,
    Discretization,
    HashedCrossing,
    Hashing,
    IntegerLookup,
    Layer,
    StringLookup,
    TextVectorization,
)
from thalweg.layers.lookups.lookup import Lookup

WORDS = ["a", "b", "c", "d"]
NUMBERS = [12, 36, 1138, 42]
IDF = [0.25, 0.75, 0.6, 0.4]
SAID = ["foo bar", "bar baz", "baz bada boom"]
TEXT = [["a", "c", "d"], ["d", "z", "b"]]
LONGER = [["a", "c", "d", "d"], ["d", "z", "b", "z"]]
INTEGERS = [[12, 1138, 42], [42, 1000, 36]]
MORE = [[12, 1138, 42, 42], [42, 7, 36, 7]]
LETTERS = [["A"], ["B"], ["C"], ["D"], ["E"]]


def adapted(layer: Any, data: Any) -> Lookup:
    layer.adapt(data)
    return layer


LETTER_COLUMN, NUMBER_COLUMN = [["A"], ["B"], ["A"], ["B"], ["A"]], [[101], [101], [101], [102], [102]]
LOOKUPS: dict[type[Layer], list[tuple[Callable[[], Any], Any, Any]]] = {
    StringLookup: [
        (lambda: StringLookup(vocabulary=WORDS), TEXT, [[1, 3, 4], [4, 0, 2]]),
        (lambda: adapted(StringLookup(), TEXT), TEXT, [[5, 3, 1], [1, 2, 4]]),
        (lambda: adapted(StringLookup(max_tokens=3), TEXT), TEXT, [[0, 0, 1], [1, 2, 0]]),
        (lambda: StringLookup(vocabulary=WORDS, num_oov_indices=2), [["a", "c", "d"], ["m", "z", "b"]],
         [[2, 4, 5], [0, 1, 3]]),
        (lambda: StringLookup(vocabulary=["x"], num_oov_indices=3, salt=[133, 137]), LETTERS,
         [[1], [2], [1], [0], [2]]),
        (lambda: StringLookup(vocabulary=WORDS, num_oov_indices=0), ["d", "a"], [3, 0]),
        (lambda: StringLookup(vocabulary=WORDS, mask_token=""), [["a", ""], ["z", "d"]], [[2, 0], [1, 5]]),
        (lambda: StringLookup(vocabulary=WORDS, output_mode="one_hot"), ["a", "b", "c", "d", "z"],
         [[0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [1, 0, 0, 0, 0]]),
        (lambda: StringLookup(vocabulary=WORDS, output_mode="one_hot", mask_token=""), [["a"], [""]],
         [[0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]),
        (lambda: StringLookup(vocabulary=WORDS, output_mode="multi_hot"), LONGER, [[0, 1, 0, 1, 1], [1, 0, 1, 0, 1]]),
        (lambda: StringLookup(vocabulary=WORDS, output_mode="count"), LONGER, [[0, 1, 0, 1, 2], [2, 0, 1, 0, 1]]),
        (lambda: StringLookup(vocabulary=WORDS, output_mode="count", max_tokens=6, pad_to_max_tokens=True), LONGER,
         [[0, 1, 0, 1, 2, 0], [2, 0, 1, 0, 1, 0]]),
        (lambda: StringLookup(vocabulary=WORDS, output_mode="tf_idf", idf_weights=IDF), LONGER,
         [[0, 0.25, 0, 0.6, 0.8], [1, 0, 0.75, 0, 0.4]]),
        (lambda: StringLookup(vocabulary=["[UNK]", *WORDS], output_mode="tf_idf", idf_weights=[0.9, *IDF]), LONGER,
         [[0, 0.25, 0, 0.6, 0.8], [1.8, 0, 0.75, 0, 0.4]]),
        (lambda: StringLookup(vocabulary=WORDS, invert=True), [[1, 3, 4], [4, 0, 2]],
         [["a", "c", "d"], ["d", "[UNK]", "b"]]),
        (lambda: StringLookup(vocabulary=WORDS, invert=True, mask_token="-"), [0, 1, 2, 5, 6, -1],
         ["-", "[UNK]", "a", "d", "[UNK]", "[UNK]"]),
    ],
    TextVectorization: [
        (lambda: adapted(TextVectorization(output_sequence_length=4), SAID), [["foo qux bar"], ["qux baz"]],
         [[4, 1, 3, 0], [1, 2, 0, 0]]),
        (lambda: TextVectorization(vocabulary=["foo", "bar"]), ["Foo, foo bar!", ""], [[2, 2, 3], [0, 0, 0]]),
        (lambda: TextVectorization(vocabulary=["foo", "bar"], output_mode="multi_hot"), [["bar bar x"], [""]],
         [[1, 0, 1], [0, 0, 0]]),
        (lambda: TextVectorization(vocabulary=["foo", "bar"], output_mode="binary"), [["bar bar"], ["foo"]],
         [[0, 0, 1], [0, 1, 0]]),
        (lambda: TextVectorization(6, output_mode="count", pad_to_max_tokens=True, vocabulary=["foo", "bar"]),
         [["bar bar x"], ["foo"]], [[1, 0, 2, 0, 0, 0], [0, 1, 0, 0, 0, 0]]),
        (lambda: TextVectorization(output_mode="tf_idf", vocabulary=["foo", "bar"], idf_weights=[0.5, 0.25]),
         [["bar bar x"], ["foo"]], [[0.375, 0, 0.5], [0, 0.5, 0]]),
        (lambda: TextVectorization(ngrams=2, output_sequence_length=5, vocabulary=["a", "b", "a b", "b a"]),
         [["a b a"], ["b"]], [[2, 3, 2, 4, 5], [3, 0, 0, 0, 0]]),
        (lambda: TextVectorization(ngrams=(2,), output_sequence_length=2, vocabulary=["a b"]), [["a b a"], ["b"]],
         [[2, 1], [0, 0]]),
        (lambda: TextVectorization(split="character", output_sequence_length=3, vocabulary=["早", "安"]),
         [["早安！"], ["安"]], [[2, 3, 1], [3, 0, 0]]),
        (lambda: TextVectorization(split=None, vocabulary=["a", "b"]), [["a", "B"], ["x", ""]], [[2, 3], [1, 0]]),
    ],
    IntegerLookup: [
        (lambda: IntegerLookup(vocabulary=NUMBERS), INTEGERS, [[1, 3, 4], [4, 0, 2]]),
        (lambda: adapted(IntegerLookup(), INTEGERS), INTEGERS, [[5, 2, 1], [1, 3, 4]]),
        (lambda: IntegerLookup(vocabulary=NUMBERS, num_oov_indices=2), [[12, 1138, 42], [37, 1000, 36]],
         [[2, 4, 5], [1, 0, 3]]),
        (lambda: IntegerLookup(vocabulary=[7], num_oov_indices=9, oov_method="farmhash"), [[5, 7, -12]],
         [[int(Hashing(9)(["5"])[0]), 9, int(Hashing(9)(["-12"])[0])]]),
        (lambda: IntegerLookup(vocabulary=[7], num_oov_indices=9, oov_method="farmhash", salt=3), [[5, 7, -12]],
         [[int(Hashing(9, salt=3)(["5"])[0]), 9, int(Hashing(9, salt=3)(["-12"])[0])]]),
        (lambda: IntegerLookup(vocabulary=NUMBERS, mask_token=0), [[0, 12], [7, 42]], [[0, 2], [1, 5]]),
        (lambda: IntegerLookup(vocabulary=NUMBERS, output_mode="one_hot"), [12, 36, 1138, 42, 7],
         [[0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [1, 0, 0, 0, 0]]),
        (lambda: IntegerLookup(vocabulary=NUMBERS, output_mode="multi_hot"), MORE, [[0, 1, 0, 1, 1], [1, 0, 1, 0, 1]]),
        (lambda: IntegerLookup(vocabulary=NUMBERS, output_mode="count"), MORE, [[0, 1, 0, 1, 2], [2, 0, 1, 0, 1]]),
        (lambda: IntegerLookup(vocabulary=NUMBERS, output_mode="tf_idf", idf_weights=IDF), MORE,
         [[0, 0.25, 0, 0.6, 0.8], [1, 0, 0.75, 0, 0.4]]),
        (lambda: IntegerLookup(vocabulary=[-1, *NUMBERS], output_mode="tf_idf", idf_weights=[0.9, *IDF]), MORE,
         [[0, 0.25, 0, 0.6, 0.8], [1.8, 0, 0.75, 0, 0.4]]),
        (lambda: IntegerLookup(vocabulary=NUMBERS, invert=True), [[1, 3, 4], [4, 0, 2]],
         [[12, 1138, 42], [42, -1, 36]]),
    ],
    CategoryEncoding: [
        (lambda: CategoryEncoding(4, output_mode="one_hot"), [3, 2, 0, 1],
         [[0, 0, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]),
        (lambda: CategoryEncoding(3, output_mode="one_hot"), [[0, 2]], [[[1, 0, 0], [0, 0, 1]]]),
        (lambda: CategoryEncoding(4), [[0, 1], [0, 0], [1, 2], [3, 1]],
         [[1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0], [0, 1, 0, 1]]),
        (lambda: CategoryEncoding(4), [0, 3, 3], [1, 0, 0, 1]),
        (lambda: CategoryEncoding(4, output_mode="count"), [[0, 1], [0, 0]], [[1, 1, 0, 0], [2, 0, 0, 0]]),
    ],
    Discretization: [
        (lambda: Discretization([0.0, 1.0, 2.0]), [[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]],
         [[0, 2, 3, 1], [1, 3, 2, 1]]),
        (lambda: adapted(Discretization(num_bins=4), [[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]]),
         [[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]], [[0, 2, 3, 2], [1, 3, 3, 1]]),
        (lambda: Discretization([0.7]), [[0.7], [0.69], [float("inf")]], [[1], [0], [1]]),
        (lambda: Discretization([0, 2], output_mode="one_hot"), [[-1], [1], [5]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
        (lambda: Discretization([0, 2], output_mode="multi_hot"), [[-1, 1], [5, 5]], [[1, 1, 0], [0, 0, 1]]),
        (lambda: Discretization([0, 2], output_mode="count"), [[-1, 1], [5, 5]], [[1, 1, 0], [0, 0, 2]]),
    ],
    HashedCrossing: [  # those of Keras's documentation
        (lambda: HashedCrossing(5), [LETTER_COLUMN, NUMBER_COLUMN], [[1], [4], [1], [1], [3]]),
        (lambda: HashedCrossing(5, output_mode="one_hot"), [LETTER_COLUMN[:2], NUMBER_COLUMN[:2]],
         [[0, 1, 0, 0, 0], [0, 0, 0, 0, 1]]),
    ],
    Hashing: [
        (lambda: Hashing(3), LETTERS, [[1], [0], [1], [1], [2]]),
        (lambda: Hashing(3, mask_value=""), [["A"], ["B"], [""], ["C"], ["D"]], [[1], [1], [0], [2], [2]]),
        (lambda: Hashing(3, salt=[133, 137]), LETTERS, [[1], [2], [1], [0], [2]]),
        (lambda: Hashing(3, salt=133), LETTERS, [[0], [0], [2], [1], [0]]),
        (lambda: Hashing(3, output_mode="one_hot"), LETTERS[:2], [[0, 1, 0], [1, 0, 0]]),
        (lambda: Hashing(3, output_mode="count"), [["A", "C", "E"]], [[0, 2, 1]]),
        (lambda: Hashing(3, output_mode="multi_hot"), [["A", "C", "E"]], [[0, 1, 1]]),
    ],
}  # fmt: skip
