"""Gated residual and variable selection networks: softmax weights say which columns of a table matter."""

import numpy as np

import thalweg as keras
from thalweg import layers, ops

COLUMNS, UNITS = 8, 16


class GatedLinearUnit(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.linear = layers.Dense(units)
        self.sigmoid = layers.Dense(units, activation="sigmoid")

    def call(self, inputs):
        return self.linear(inputs) * self.sigmoid(inputs)


class GatedResidualNetwork(layers.Layer):
    def __init__(self, units, dropout_rate, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.elu_dense = layers.Dense(units, activation="elu")
        self.linear_dense = layers.Dense(units)
        self.dropout = layers.Dropout(dropout_rate)
        self.gated_linear_unit = GatedLinearUnit(units)
        self.layer_norm = layers.LayerNormalization()
        self.project = layers.Dense(units)

    def call(self, inputs):
        x = self.elu_dense(inputs)
        x = self.linear_dense(x)
        x = self.dropout(x)
        if inputs.shape[-1] != self.units:
            inputs = self.project(inputs)
        x = inputs + self.gated_linear_unit(x)
        return self.layer_norm(x)


class VariableSelection(layers.Layer):
    """A network for every column, and one for their weights: Σₖ softmax(grn(all))ₖ grnₖ(xₖ)."""

    def __init__(self, num_features, units, dropout_rate, **kwargs):
        super().__init__(**kwargs)
        self.grns = [GatedResidualNetwork(units, dropout_rate) for _ in range(num_features)]
        self.grn_concat = GatedResidualNetwork(units, dropout_rate)
        self.softmax = layers.Dense(units=num_features, activation="softmax")

    def call(self, inputs):
        v = layers.concatenate(inputs)
        weights = self.softmax(self.grn_concat(v))
        x = ops.stack([grn(column) for grn, column in zip(self.grns, inputs, strict=True)], axis=1)
        return ops.squeeze(ops.matmul(ops.expand_dims(weights, axis=1), x), axis=1), weights


keras.utils.set_random_seed(0)
generator = np.random.default_rng(0)
table = {f"x{k}": generator.normal(size=(4000, 1)).astype("float32") for k in range(COLUMNS)}
y = (table["x0"] * table["x1"] + table["x2"] > 0).astype("float32")  # five columns are noise

inputs = {name: keras.Input(shape=(1,), name=name) for name in table}
features = [layers.Dense(UNITS)(column) for column in inputs.values()]
selected, weights = VariableSelection(COLUMNS, UNITS, dropout_rate=0.1, name="selection")(features)
x = GatedResidualNetwork(UNITS, dropout_rate=0.1)(layers.concatenate([selected, *features[:2]]))
model = keras.Model(inputs=inputs, outputs=layers.Dense(1, activation="sigmoid")(x))
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=3e-3),
    loss=keras.losses.BinaryCrossentropy(),
    metrics=[keras.metrics.BinaryAccuracy(name="accuracy")],
)
stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=5, restore_best_weights=True)
history = model.fit(table, y, epochs=10, batch_size=64, validation_split=0.25, callbacks=[stop], verbose=0).history
chosen = keras.Model(inputs, weights).predict(table, verbose=0).mean(axis=0)
assert history["loss"][-1] < 0.5 * history["loss"][0]
assert max(history["val_accuracy"]) > 0.88
print(f"gated residual network: accuracy {max(history['val_accuracy']):.3f}, weights of the columns {chosen.round(2)}")
