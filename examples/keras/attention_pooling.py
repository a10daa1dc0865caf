"""Multiple-instance learning: a bag of digits is positive if one of them is a 9; attention pooling says which one."""

import numpy as np
from sklearn.datasets import load_digits

import thalweg as keras
from thalweg import layers, ops

BAG, POSITIVE = 5, 9


class MILAttentionLayer(layers.Layer):
    """The weights of the instances of a bag, softmaxₖ wᵀ(tanh(V hₖ) ⊙ sigmoid(U hₖ))."""

    def __init__(self, weight_params_dim, kernel_initializer="glorot_uniform", use_gated=True, **kwargs):
        super().__init__(**kwargs)
        self.weight_params_dim = weight_params_dim
        self.use_gated = use_gated
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.regularizer = keras.regularizers.get(keras.regularizers.L2(1e-4))

    def build(self, input_shape):
        shape = (input_shape[-1], self.weight_params_dim)
        arguments = {"initializer": self.kernel_initializer, "regularizer": self.regularizer, "trainable": True}
        self.v_weight_params = self.add_weight(shape=shape, name="v", **arguments)
        self.w_weight_params = self.add_weight(shape=(self.weight_params_dim, 1), name="w", **arguments)
        if self.use_gated:
            self.u_weight_params = self.add_weight(shape=shape, name="u", **arguments)
        super().build(input_shape)

    def call(self, instances):
        hidden = ops.tanh(ops.tensordot(instances, self.v_weight_params, axes=1))
        if self.use_gated:
            hidden = hidden * ops.sigmoid(ops.tensordot(instances, self.u_weight_params, axes=1))
        return ops.softmax(ops.tensordot(hidden, self.w_weight_params, axes=1), axis=1)


def make_bags(images, labels, count, generator):
    """Bags of digits; half of them hold one 9, and no other holds any."""
    others, nines = np.flatnonzero(labels != POSITIVE), np.flatnonzero(labels == POSITIVE)
    bags, y = generator.choice(others, size=(count, BAG)), (np.arange(count) % 2).astype("float32")
    bags[np.arange(1, count, 2), generator.integers(BAG, size=count // 2)] = generator.choice(nines, size=count // 2)
    return images[bags], labels[bags] == POSITIVE, y


keras.utils.set_random_seed(0)
digits = load_digits()
images, generator = (digits.data / 16).astype("float32"), np.random.default_rng(0)
x_train, _, y_train = make_bags(images[:1200], digits.target[:1200], 2000, generator)
x_test, where, y_test = make_bags(images[1200:], digits.target[1200:], 600, generator)

inputs = layers.Input(shape=(BAG, 64))
embeddings = layers.Dense(32, activation="relu")(layers.Dense(64, activation="relu")(inputs))
alpha = MILAttentionLayer(weight_params_dim=32, name="alpha")(embeddings)
pooled = ops.sum(alpha * embeddings, axis=1)
model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(pooled))
model.compile(optimizer=keras.optimizers.Adam(2e-3), loss="binary_crossentropy", metrics=["accuracy"])
history = model.fit(x_train, y_train, batch_size=32, epochs=15, verbose=0).history["loss"]

accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
weights = keras.Model(model.input, model.get_layer("alpha").output).predict(x_test[1::2], verbose=0)
found = np.mean(weights[:, :, 0].argmax(axis=1) == where[1::2].argmax(axis=1))
assert history[-1] < 0.3 * history[0]
assert accuracy > 0.8
assert found > 0.7
print(f"attention pooling: loss {history[0]:.3f} → {history[-1]:.3f}, accuracy {accuracy:.3f}, nines found {found:.3f}")
