"""What a network for texts makes of one row: its states over the steps, where it looks, what it writes itself."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.play.requests.refusal import RefusedError, told
from thalweg.play.training.network import Network
from thalweg.views.insides.forward_pass import passed
from thalweg.views.insides.unrolled import looked, unrolled

Array = NDArray[Any]

WRITTEN = 60
"""Letters that the network writes."""
WRITES_AGAIN = 0.5
"""Seconds from one text to the next while it trains: each letter is a prediction."""
STATES = 32
"""Units whose states are shown."""


class Reading:
    """The pictures of a network that reads texts or sentences; of others there are none."""

    def __init__(self, network: Network) -> None:
        self.network = network
        exercise = network.exercise
        self.vocabulary = exercise.vocabulary
        self.letters = exercise.classes is not None and exercise.classes is exercise.vocabulary
        self.written, self.begun, self.again = "", "", 0.0

    def ids(self, said: str) -> Array:
        """A text or a sentence as the network takes it, (1, steps).

        Raises:
            RefusedError: the data have no such letter or word, or it isn't as long as their sentences.
        """
        vocabulary, steps = self.vocabulary or [], self.network.exercise.x.shape[1]
        parts = list(said) if self.letters else said.split()
        for part in parts:
            if part not in vocabulary:
                if self.letters:
                    raise RefusedError("the text that it learns from has no letter {part}", part=part)
                known = ", ".join(vocabulary)
                raise RefusedError("it doesn't know the word {part}; it knows {known}", part=part, known=known)
        if not self.letters and len(parts) != steps:
            raise RefusedError("a sentence has {steps} words, as those that it learns from", steps=steps)
        before = [" " if " " in vocabulary else vocabulary[0]] * steps  # what stands before the beginning
        return np.array([[vocabulary.index(part) for part in [*before, *parts][-steps:]]], np.float32)

    def shown(self, said: str, row: int, iteration: int) -> dict[str, Any] | None:
        """What is drawn of a text that was typed, or of a training row."""
        if self.vocabulary is None:
            return None
        exercise, unread = self.network.exercise, None
        x = exercise.x[min(row, len(exercise.x) - 1)][None]
        try:
            x = self.ids(said) if said else x
        except RefusedError as error:  # then it reads the row
            unread = told(error)
        found = passed(self.network.model, x)
        steps, looks = unrolled(self.network.model, found), looked(self.network.model, found)
        shares = np.asarray(found[found.output], np.float32)[0]
        shares = np.array([1 - shares[0], shares[0]], np.float32) if len(shares) == 1 else shares
        tokens = [self.vocabulary[int(place)] for place in x[0]]
        result: dict[str, Any] = {"tokens": tokens, "probabilities": shares, "letters": self.letters}
        result |= {"unread": unread} if unread is not None else {}
        result["probability"] = float(shares[-1])
        result["classes"] = exercise.classes
        result["likeliest"] = (exercise.classes or [])[int(shares.argmax())]
        if steps:
            states = steps[-1].states[0]
            result |= {"states": np.ascontiguousarray(states[:, :STATES].T, np.float32), "state": states[-1].copy()}
        if looks:
            result["attention"] = np.ascontiguousarray(looks[-1].weights[0].mean(axis=0), np.float32)
            result["last"] = result["attention"][-1].copy()
        if self.letters:
            result["written"] = self.continued("".join(tokens), x, iteration)
        return result

    def continued(self, begins: str, x: Array, iteration: int) -> str:
        """What the network writes behind a text.

        Each letter is drawn by the square of its probability, as unlikely ones lead it where it has never been.
        """
        if begins == self.begun and time.monotonic() < self.again:
            return self.written
        draw = np.random.default_rng(iteration)
        vocabulary, row, text = self.vocabulary or [], x.copy(), ""
        for _ in range(WRITTEN):
            shares = np.asarray(self.network.model.predict(row, verbose=0)[0], np.float64) ** 2
            place = int(draw.choice(len(shares), p=shares / shares.sum())) if np.isfinite(shares).all() else 0
            text += vocabulary[place]
            row = np.concatenate([row[:, 1:], [[np.float32(place)]]], axis=1)
        self.written, self.begun, self.again = text, begins, time.monotonic() + WRITES_AGAIN
        return text
