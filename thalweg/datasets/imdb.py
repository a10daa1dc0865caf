"""IMDB: 50,000 reviews of films, positive or negative, as lists of word numbers (Maas et al., ACL 2011)."""

from __future__ import annotations

import numpy as np

from thalweg.datasets.fetching import GOOGLE, Folder, Source, fetch
from thalweg.datasets.pickled import Array, read_arrays
from thalweg.datasets.words import as_objects, limited, marked, read_index, short, shuffled

SOURCE = Source("imdb.npz", GOOGLE + "imdb.npz", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f")
INDEX = Source("imdb_word_index.json", GOOGLE + "imdb_word_index.json", "bfafd718b763782e994055a2d397834f")


def load_data(
    path: Folder = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int | None = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
    folder: Folder = None,
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """(x_train, y_train), (x_test, y_test): 25,000 reviews each, as lists of word numbers, and 1 for positive ones.

    Words are numbered by how often they occur, the most frequent is 1; here `index_from` is added.

    Args:
        path: the file's name in the folder, or its whole path. folder: see `thalweg.datasets`.
        num_words: the limit of the numbers; words from there on become `oov_char`. skip_top: so do words below it.
        maxlen: only reviews with fewer words are returned. seed: of the shuffle.
        start_char: the number in front of each review, or None. oov_char: None leaves the words out.
    """
    file = fetch(SOURCE, folder, path)
    x_train, y_train, x_test, y_test = read_arrays(file, ["x_train", "y_train", "x_test", "y_test"])
    random = np.random.RandomState(seed)
    parts = []
    for x, y in ((x_train, y_train), (x_test, y_test)):
        rows, labels = shuffled(x, y, random, file)
        parts.append(short(marked(rows, start_char, index_from), labels, maxlen))
    rows = limited([row for rows, _ in parts for row in rows], num_words, skip_top, oov_char)
    first = len(parts[0][0])
    return (as_objects(rows[:first]), parts[0][1]), (as_objects(rows[first:]), parts[1][1])


def get_word_index(path: Folder = "imdb_word_index.json", folder: Folder = None) -> dict[str, int]:
    """The number of each word, without `index_from`."""
    return read_index(fetch(INDEX, folder, path))
