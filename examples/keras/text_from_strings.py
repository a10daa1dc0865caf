"""Text from strings: one model takes the words as they are, looks them up, and takes the mean of their embeddings."""

import numpy as np

import thalweg as keras
from thalweg import layers

LENGTH = 8
GOOD = ["great", "lovely", "superb", "moving", "funny", "clever", "gripping", "warm"]
BAD = ["dull", "boring", "awful", "clumsy", "cold", "tedious", "silly", "flat"]
FILLER = ["the", "a", "film", "plot", "it", "was", "and", "very", "actors", "scene", "music", "story", "with"]

keras.utils.set_random_seed(0)
draw = np.random.default_rng(0)


def review(good):
    """A few words; one or two of them tell what the writer thought."""
    telling = draw.choice(GOOD if good else BAD, size=draw.integers(1, 3))
    words = [*telling, *draw.choice(FILLER, size=draw.integers(3, 7))]
    return (list(draw.permutation(words)) + [""] * LENGTH)[:LENGTH]


liked = draw.integers(2, size=600)
words = np.array([review(good) for good in liked])
labels = liked.astype("float32")[:, np.newaxis]
train, test = slice(0, 450), slice(450, None)

lookup = layers.StringLookup(mask_token="")
lookup.adapt(words[train])

inputs = keras.Input(shape=(LENGTH,), dtype="string", name="words")
ids = lookup(inputs)
x = layers.Embedding(lookup.vocabulary_size(), 8, name="embedding")(ids)
x = layers.GlobalAveragePooling1D()(x)
outputs = layers.Dense(1, activation="sigmoid")(x)
model = keras.Model(inputs, outputs)
model.compile(optimizer=keras.optimizers.Adam(0.01), loss="binary_crossentropy", metrics=["accuracy"])
model.fit(words[train], labels[train], epochs=30, batch_size=32, verbose=0)

_, accuracy = model.evaluate(words[test], labels[test], verbose=0)
assert accuracy > 0.95
new = np.array([["a", "superb", "film", "", "", "", "", ""], ["an", "unheard", "of", "tedious", "plot", "", "", ""]])
good, bad = model.predict(new, verbose=0)[:, 0]
assert good > 0.5 > bad
print(f"text from strings: accuracy {accuracy:.3f}; {' '.join(new[0]).strip()}: {good:.2f}")
