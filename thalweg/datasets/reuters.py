"""Reuters: 11,228 newswires on 46 topics, as lists of word numbers (Reuters-21578)."""

from __future__ import annotations

import numpy as np

from thalweg.datasets.fetching import GOOGLE, Folder, Source, fetch
from thalweg.datasets.pickled import Array, read_arrays
from thalweg.datasets.words import as_objects, limited, marked, read_index, short, shuffled
from thalweg.support.checks import number

SOURCE = Source(
    "reuters.npz", GOOGLE + "reuters.npz", "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"
)
INDEX = Source("reuters_word_index.json", GOOGLE + "reuters_word_index.json", "4d44cc38712099c9e383dc6e5f11a921")
TOPICS = (
    "cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship cotton carcass "
    "crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin strategic-metal livestock retail ipi "
    "iron-steel rubber heat jobs lei bop zinc orange pet-chem dlr gas silver wpi hog lead"
)


def load_data(
    path: Folder = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int | None = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
    folder: Folder = None,
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """(x_train, y_train), (x_test, y_test): newswires as lists of word numbers, and the number of each one's topic.

    Args:
        test_split: the share for testing. The others: see `thalweg.datasets.imdb.load_data`.
    """
    share = number("test_split", test_split, 0, 1)
    file = fetch(SOURCE, folder, path)
    x, y = read_arrays(file, ["x", "y"])
    rows, labels = shuffled(x, y, np.random.RandomState(seed), file)
    rows, labels = short(marked(rows, start_char, index_from), labels, maxlen)
    rows = limited(rows, num_words, skip_top, oov_char)
    first = int(len(rows) * (1 - share))
    return (as_objects(rows[:first]), labels[:first]), (as_objects(rows[first:]), labels[first:])


def get_word_index(path: Folder = "reuters_word_index.json", folder: Folder = None) -> dict[str, int]:
    """The number of each word, without `index_from`."""
    return read_index(fetch(INDEX, folder, path))


def get_label_names() -> tuple[str, ...]:
    """The 46 topics, in the order of their numbers.

    >>> get_label_names()[3]
    'earn'
    """
    return tuple(TOPICS.split())
