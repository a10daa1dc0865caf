"""Two kinds of input: the mean of the words of a text, and columns of a table, which an adapted layer standardizes."""

import numpy as np

import thalweg as keras
from thalweg import layers, ops

VOCABULARY, LENGTH = 200, 20


class MeanOfWords(layers.Layer):
    """The mean of the embeddings of a text's words; 0 stands for no word."""

    def __init__(self, vocabulary, size, **kwargs):
        super().__init__(**kwargs)
        self.embedding = layers.Embedding(vocabulary, size)

    def call(self, tokens):
        words = ops.expand_dims(ops.cast(ops.not_equal(tokens, 0), "float32"), axis=-1)
        return ops.sum(self.embedding(tokens) * words, axis=1) / ops.maximum(ops.sum(words, axis=1), 1.0)


keras.utils.set_random_seed(0)
draw = np.random.default_rng(0)
rows = 2000
lengths = draw.integers(5, LENGTH + 1, size=rows)
texts = [draw.integers(1, VOCABULARY, size=length) for length in lengths]
tokens = keras.utils.pad_sequences(texts, maxlen=LENGTH, padding="post")
tone = draw.normal(size=VOCABULARY)
table = np.stack([draw.normal(30, 10, size=rows), draw.normal(5000, 2000, size=rows)], axis=1).astype("float32")
score = np.array([np.sum(tone[text]) / np.sqrt(len(text)) for text in texts]) + (table[:, 0] - 30) / 10
sold = (score > 0).astype("float32")

normalization = layers.Normalization()
normalization.adapt(table[:1500])

text_input = keras.Input(shape=(LENGTH,), dtype="int32", name="text")
table_input = keras.Input(shape=(2,), name="table")
text_features = MeanOfWords(VOCABULARY, 8)(text_input)
table_features = layers.Dense(8, activation="relu")(normalization(table_input))
x = layers.concatenate([text_features, table_features])
x = layers.Dense(16, activation="relu")(x)
output = layers.Dense(1, activation="sigmoid", name="sold")(x)

model = keras.Model([text_input, table_input], output)
model.compile(optimizer=keras.optimizers.Adam(0.01), loss="binary_crossentropy", metrics=["accuracy"])
model.fit({"text": tokens[:1500], "table": table[:1500]}, sold[:1500], epochs=15, batch_size=32, verbose=0)

loss, accuracy = model.evaluate({"text": tokens[1500:], "table": table[1500:]}, sold[1500:], verbose=0)
shuffled = model.evaluate({"text": tokens[1500:][::-1], "table": table[1500:]}, sold[1500:], verbose=0)[1]
assert accuracy > 0.8
assert accuracy > shuffled + 0.08  # the text matters
print(f"text and table: accuracy {accuracy:.3f}, with the texts of other rows {shuffled:.3f}")
