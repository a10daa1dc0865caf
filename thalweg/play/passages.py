"""Texts and sentences, as NumPy functions that need nothing else: an exported program holds their text."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def windows(text: str, window: int) -> tuple[Array, Array, list[str]]:
    """Every `window` letters of a text by their places in its alphabet, the place of the next letter, the alphabet."""
    alphabet = sorted(set(text))
    codes = np.array([alphabet.index(letter) for letter in text])
    x = np.lib.stride_tricks.sliding_window_view(codes, window)[:-1]
    return x.astype(np.float32), codes[window:], alphabet


def judgements() -> tuple[Array, Array, list[str]]:
    """Short sentences as numbers of words, whether each praises (1) or blames (0), and the words.

    Three of the words before the last one turn it round: "not good" blames, and "never dull" praises.
    """
    turns = {"really": 0, "very": 0, "so": 0, "not": 1, "never": 1, "hardly": 1}
    ends = {"good": 1, "great": 1, "lovely": 1, "fine": 1, "bad": 0, "dull": 0, "poor": 0, "awful": 0}
    words = ["the", "film", "book", "soup", "song", "was", *turns, *ends]
    x, y = [], []
    for thing in ("film", "book", "soup", "song"):
        for turn, turned in turns.items():
            for end, praise in ends.items():
                x.append([words.index(word) for word in ("the", thing, "was", turn, end)])
                y.append(praise ^ turned)
    return np.array(x, np.float32), np.array(y), words
