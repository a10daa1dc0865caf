"""Text classification with a transformer: tokens and their positions are embedded, a block of attention, an average."""

import numpy as np

import thalweg as keras
from thalweg import layers, ops

VOCABULARY, LENGTH, WIDTH, HEADS = 200, 24, 32, 2


class SelfAttention(layers.Layer):
    def __init__(self, num_heads, embed_dim, **kwargs):
        super().__init__(**kwargs)
        self.num_heads, self.embed_dim = num_heads, embed_dim
        self.query, self.key, self.value = layers.Dense(embed_dim), layers.Dense(embed_dim), layers.Dense(embed_dim)
        self.combine = layers.Dense(embed_dim)

    def separate_heads(self, x):
        x = ops.reshape(x, (-1, ops.shape(x)[1], self.num_heads, self.embed_dim // self.num_heads))
        return ops.transpose(x, (0, 2, 1, 3))

    def call(self, inputs):
        query, key, value = (self.separate_heads(f(inputs)) for f in (self.query, self.key, self.value))
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) / (self.embed_dim // self.num_heads) ** 0.5
        attended = ops.transpose(ops.matmul(ops.softmax(scores, axis=-1), value), (0, 2, 1, 3))
        return self.combine(ops.reshape(attended, (-1, ops.shape(inputs)[1], self.embed_dim)))


class TransformerBlock(layers.Layer):
    def __init__(self, embed_dim, num_heads, ff_dim, rate=0.1, **kwargs):
        super().__init__(**kwargs)
        self.att = SelfAttention(num_heads, embed_dim)
        self.ffn = keras.Sequential([layers.Dense(ff_dim, activation="relu"), layers.Dense(embed_dim)])
        self.layernorm1, self.layernorm2 = (layers.LayerNormalization(epsilon=1e-6) for _ in range(2))
        self.dropout1, self.dropout2 = layers.Dropout(rate), layers.Dropout(rate)

    def call(self, inputs, training=None):
        attn_output = self.dropout1(self.att(inputs), training=training)
        out1 = self.layernorm1(inputs + attn_output)
        return self.layernorm2(out1 + self.dropout2(self.ffn(out1), training=training))


class TokenAndPositionEmbedding(layers.Layer):
    def __init__(self, maxlen, vocab_size, embed_dim, **kwargs):
        super().__init__(**kwargs)
        self.token_emb = layers.Embedding(input_dim=vocab_size, output_dim=embed_dim)
        self.pos_emb = layers.Embedding(input_dim=maxlen, output_dim=embed_dim)

    def call(self, x):
        positions = ops.arange(start=0, stop=ops.shape(x)[-1], step=1)
        return self.token_emb(x) + self.pos_emb(positions)


def make_texts(rows, generator):
    """Words in random order, 0 behind them; good if praise (1–9) occurs more often than blame (10–18)."""
    texts = generator.integers(1, VOCABULARY, size=(rows, LENGTH - 4))
    praise = np.where(generator.random(texts.shape) < 0.2, generator.integers(1, 10, size=texts.shape), 0)
    blame = np.where(generator.random(texts.shape) < 0.2, generator.integers(10, 19, size=texts.shape), 0)
    texts = np.where(praise > 0, praise, np.where(blame > 0, blame, texts))
    score = ((texts > 0) & (texts < 10)).sum(axis=1) - ((texts >= 10) & (texts < 19)).sum(axis=1)
    texts, score = texts[score != 0], score[score != 0]
    return keras.utils.pad_sequences(texts, maxlen=LENGTH, padding="post"), (score > 0).astype("int32")


keras.utils.set_random_seed(0)
inputs = layers.Input(shape=(LENGTH,))
x = TokenAndPositionEmbedding(LENGTH, VOCABULARY, WIDTH)(inputs)
x = TransformerBlock(WIDTH, HEADS, ff_dim=32)(x)
x = layers.Dropout(0.1)(layers.GlobalAveragePooling1D()(x))
x = layers.Dropout(0.1)(layers.Dense(20, activation="relu")(x))
model = keras.Model(inputs=inputs, outputs=layers.Dense(2, activation="softmax")(x))

generator = np.random.default_rng(0)
(x_train, y_train), (x_val, y_val) = make_texts(4000, generator), make_texts(1000, generator)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x_train, y_train, batch_size=32, epochs=4, validation_data=(x_val, y_val), verbose=0).history
loss, accuracy = history["loss"], history["val_accuracy"][-1]
assert loss[-1] < 0.4 * loss[0]
assert accuracy > 0.9
print(f"text transformer: loss {loss[0]:.3f} → {loss[-1]:.3f}, accuracy {accuracy:.3f}")
