"""A network that writes: an LSTM learns the next letter of a text, and then goes on by itself, letter by letter.

Run: python examples/char_rnn.py [TEXT] [EPOCHS]
TEXT is a file, by default Tiny Shakespeare, a megabyte of his plays, which is downloaded; .gz is unpacked.
"""

import gzip
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np

import thalweg
from thalweg import Input, Model
from thalweg.initializers import RandomNormal
from thalweg.layers import LSTM, Dense, Embedding

SHAKESPEARE = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
STEPS, UNITS = 64, 128


def read(path: str | None) -> str:
    """The text of a file, or Shakespeare's."""
    if path is None:
        with urllib.request.urlopen(SHAKESPEARE) as answer:
            return answer.read().decode()
    raw = Path(path).read_bytes()
    return (gzip.decompress(raw) if path.endswith(".gz") else raw).decode("utf-8")


class Writer:
    """Two networks of the same layers: one learns whole passages, one takes a step with given states."""

    def __init__(self, text: str, seed: int = 0) -> None:
        self.letters = sorted(set(text))
        self.ids = np.array([{letter: k for k, letter in enumerate(self.letters)}[letter] for letter in text])
        normal = RandomNormal(stddev=1.0)  # at Keras's default, 0.05 at most, the first steps learn little
        embedding, head = Embedding(len(self.letters), 32, normal), Dense(len(self.letters), "softmax")
        lstm = LSTM(UNITS, return_sequences=True, return_state=True)
        passage = Input((STEPS,), dtype="int32")
        self.model = Model(passage, head(lstm(embedding(passage))[0]), seed=seed)
        self.model.compile(thalweg.optimizers.Adam(0.003, clipnorm=1.0), "sparse_categorical_crossentropy")
        letter, h, c = Input((1,), dtype="int32"), Input((UNITS,)), Input((UNITS,))
        outputs, *states = lstm(embedding(letter), initial_state=[h, c])
        self.stepper = Model([letter, h, c], [head(outputs), *states])

    def learn(self, epochs: int) -> float:
        """Trains on all passages, each letter's target being the next; returns the letters a second."""
        count = (len(self.ids) - 1) // STEPS * STEPS
        x, y = (self.ids[k : k + count].reshape(-1, STEPS) for k in (0, 1))
        begin = time.perf_counter()
        self.model.fit(x, y, epochs=epochs, batch_size=64)
        return epochs * count / (time.perf_counter() - begin)

    def write(self, beginning: str, count: int, temperature: float = 0.7, seed: int = 0) -> str:
        """Goes on after the beginning: every letter is drawn from those that may follow, and is the next input."""
        draw = np.random.default_rng(seed)
        state = [np.zeros((1, UNITS), np.float32)] * 2
        text = beginning
        for k in range(len(beginning) + count - 1):
            shares, *state = self.stepper.predict([[[self.letters.index(text[k])]], *state], verbose=0)
            if k >= len(beginning) - 1:
                shares = shares.ravel().astype(float) ** (1 / temperature)
                text += self.letters[draw.choice(len(shares), p=shares / shares.sum())]
        return text


def main(path: str | None = None, epochs: str = "5") -> None:
    """Learns and writes."""
    text = read(path)
    writer = Writer(text)
    speed = writer.learn(int(epochs))
    loss = writer.model.history.history["loss"][-1]
    print(f"{len(text):,} letters, {len(writer.letters)} different: loss {loss:.3f}, {speed:,.0f} letters a second\n")
    print(writer.write(text[: text.index("\n")] if "\n" in text else text[:8], 400))


if __name__ == "__main__":
    main(*sys.argv[1:])
