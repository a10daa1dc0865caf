"""A small GPT writes: a transformer learns the next letter of a text, at every place of a passage, and then goes on.

Run: python examples/gpt.py [TEXT] [STEPS]
TEXT is a file, by default Tiny Shakespeare, a megabyte of his plays, which is downloaded; .gz is unpacked. Sizes are
those that nanoGPT (github.com/karpathy/nanoGPT) takes on a CPU.
"""

import gzip
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np

import thalweg
from thalweg import Input, Model
from thalweg.layers import Dense, Dropout, LayerNormalization, MultiHeadAttention, TokenAndPositionEmbedding
from thalweg.losses import SparseCategoricalCrossentropy

SHAKESPEARE = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
BLOCKS, HEADS, WIDTH, CONTEXT, BATCH, DROPOUT = 4, 4, 128, 64, 12, 0.0
REPORT = 250  # steps


def read(path: str | None) -> str:
    """The text of a file, or Shakespeare's."""
    if path is None:
        with urllib.request.urlopen(SHAKESPEARE) as answer:
            return answer.read().decode()
    raw = Path(path).read_bytes()
    return (gzip.decompress(raw) if path.endswith(".gz") else raw).decode("utf-8")


def gpt(letters: int, seed: int = 0) -> Model:
    """ids (rows, CONTEXT) → the logits of the letter after each."""
    ids = Input((CONTEXT,), dtype="int32")
    h = TokenAndPositionEmbedding(letters, CONTEXT, WIDTH)(ids)
    for _ in range(BLOCKS):
        x = LayerNormalization()(h)
        h = h + Dropout(DROPOUT)(MultiHeadAttention(HEADS, WIDTH // HEADS)(x, x, use_causal_mask=True))
        x = LayerNormalization()(h)
        h = h + Dropout(DROPOUT)(Dense(WIDTH)(Dense(4 * WIDTH, "gelu")(x)))
    model = Model(ids, Dense(letters, use_bias=False)(LayerNormalization()(h)), seed=seed)
    optimizer = thalweg.optimizers.AdamW(1e-3, weight_decay=0.1, beta_2=0.99, clipnorm=1.0)
    model.compile(optimizer, SparseCategoricalCrossentropy(from_logits=True))
    return model


class Writer:
    """A model and the letters that it knows."""

    def __init__(self, text: str, seed: int = 0) -> None:
        self.letters = sorted(set(text))
        self.ids = np.array([{letter: k for k, letter in enumerate(self.letters)}[letter] for letter in text])
        self.model = gpt(len(self.letters), seed)
        self.draw = np.random.default_rng(seed)

    def passages(self, ids: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Passages from anywhere in the text, and the same ones a letter later."""
        first = self.draw.integers(0, len(ids) - CONTEXT, count)[:, None] + np.arange(CONTEXT)
        return ids[first], ids[first + 1]

    def learn(self, steps: int) -> float:
        """Trains on nine tenths of the text; says the loss on both parts, and how many letters a second it learns."""
        seen, unseen = np.split(self.ids, [len(self.ids) * 9 // 10])
        loss = np.nan
        for done in range(0, steps, REPORT):
            some = min(REPORT, steps - done)
            begin = time.perf_counter()
            history = self.model.fit(*self.passages(seen, some * BATCH), batch_size=BATCH, epochs=1, verbose=0).history
            speed = some * BATCH * CONTEXT / (time.perf_counter() - begin)
            loss = self.model.evaluate(*self.passages(unseen, 20 * BATCH), batch_size=BATCH, verbose=0)
            shown = f"loss {history['loss'][0]:.3f}, on the last tenth {loss:.3f}, {speed:,.0f} letters a second"
            print(f"step {done + some:,}: {shown}", flush=True)
        return float(loss)

    def write(self, beginning: str, count: int, temperature: float = 0.8) -> str:
        """Goes on after the beginning: every letter is drawn from those that may follow the last ones."""
        text = beginning
        for _ in range(count):
            known = [self.letters.index(letter) for letter in text[-CONTEXT:]]
            ids = np.zeros((1, CONTEXT))
            ids[0, : len(known)] = known  # no place looks at those behind it
            logits = self.model.predict(ids, verbose=0)[0, len(known) - 1] / temperature
            shares = np.exp(logits - logits.max(), dtype=float)
            text += self.letters[self.draw.choice(len(shares), p=shares / shares.sum())]
        return text


def main(path: str | None = None, steps: str = "2000") -> None:
    """Learns and writes."""
    text = read(path)
    writer = Writer(text)
    print(f"{len(text):,} letters, {len(writer.letters)} different, {writer.model.count_params():,} weights")
    writer.learn(int(steps))
    print("\n" + writer.write("\n", 500))


if __name__ == "__main__":
    main(*sys.argv[1:])
