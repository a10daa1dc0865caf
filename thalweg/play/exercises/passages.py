"""Texts and sentences to learn from: which letter comes next, and what a sentence says."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.play.exercises import planar
from thalweg.play.exercises.exercise import Exercise, sources
from thalweg.play.requests.bounds import LETTERS
from thalweg.play.requests.page_state import State
from thalweg.play.requests.refusal import RefusedError

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


def letters(state: State) -> Exercise:
    """A text, whose next letter is to be told from those before it; its end is held back."""
    text, window, share = state.data["text"], state.data["window"], state.data["share"]
    x, y, alphabet = windows(text, window) if len(text) > window + 1 else (np.zeros((0, 0)), np.zeros(0), [])
    if not 2 < len(alphabet) <= LETTERS:
        raise RefusedError(
            "a text to learn from is longer than {window} letters, and has 3 to {most} different ones",
            window=window + 1,
            most=LETTERS,
        )
    train = len(x) - round(share * len(x))
    code = f"x, y, alphabet = windows({text!r}, {window})\n"
    code += f"x, y, x_held, y_held = x[:{train}], y[:{train}], x[{train}:], y[{train}:]"
    return Exercise(
        task="multiclass",
        x=x[:train],
        y=y[:train],
        held_x=x[train:],
        held_y=y[train:],
        inputs=[f"−{place}" for place in range(window, 0, -1)],
        targets=["next"],
        classes=alphabet,
        sight=None,
        code=f"{sources(windows)}\n\n\n{code}",
        vocabulary=alphabet,
    )


def sentences(state: State) -> Exercise:
    """Sentences that praise or blame."""
    share, seed = state.data["share"], state.data["seed"]
    x, y, words = judgements()
    train, held = planar.divided(len(x), share, seed)
    code = "x, y, words = judgements()\n"
    code += f"train, held = divided(len(x), share={share}, seed={seed})\n"
    code += "x, y, x_held, y_held = x[train], y[train], x[held], y[held]"
    return Exercise(
        task="binary",
        x=x[train],
        y=y[train],
        held_x=x[held],
        held_y=y[held],
        inputs=[f"word {place}" for place in range(1, x.shape[1] + 1)],
        targets=["praise"],
        classes=["blame", "praise"],
        sight=None,
        code=f"{sources(judgements, planar.divided)}\n\n\n{code}",
        vocabulary=words,
    )
