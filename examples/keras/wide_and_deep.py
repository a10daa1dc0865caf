"""Wide and deep: crossed categories go straight to the output, embeddings and numbers through hidden layers."""

import numpy as np

import thalweg as keras
from thalweg import layers

VOCABULARIES = {"city": 12, "product": 30}

keras.utils.set_random_seed(0)
draw = np.random.default_rng(0)
rows = 3000
features = {name: draw.integers(size, size=(rows, 1)) for name, size in VOCABULARIES.items()}
features["price"] = draw.normal(size=(rows, 1)).astype("float32")
features["age"] = draw.normal(size=(rows, 1)).astype("float32")
likes = draw.normal(size=(12, 30))[features["city"], features["product"]]  # nothing but the pair tells
score = 1.5 * likes - features["price"] + np.sin(2 * features["age"])
bought = (score > 0).astype("float32")


def create_model_inputs():
    """An input for each feature, by its name."""
    return {
        name: layers.Input(name=name, shape=(1,), dtype="int64" if name in VOCABULARIES else "float32")
        for name in features
    }


inputs = create_model_inputs()
crossed = layers.Add()([inputs["product"] * VOCABULARIES["city"], inputs["city"]])
wide = layers.Flatten()(layers.Embedding(12 * 30, 1, embeddings_regularizer=keras.regularizers.l2(1e-5))(crossed))

deep = [layers.Flatten()(layers.Embedding(size, 4)(inputs[name])) for name, size in VOCABULARIES.items()]
deep = layers.concatenate([*deep, inputs["price"], inputs["age"]])
for units in [32, 16]:
    deep = layers.Dense(units)(deep)
    deep = layers.BatchNormalization()(deep)
    deep = layers.ReLU()(deep)
    deep = layers.Dropout(0.1)(deep)

merged = layers.concatenate([wide, deep])
outputs = layers.Dense(units=1, activation="sigmoid")(merged)
model = keras.Model(inputs=inputs, outputs=outputs)
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=0.01),
    loss=keras.losses.BinaryCrossentropy(),
    metrics=[keras.metrics.BinaryAccuracy(name="accuracy")],
)

train, test = ({name: values[part] for name, values in features.items()} for part in (slice(2400), slice(2400, None)))
model.fit(train, bought[:2400], epochs=15, batch_size=64, verbose=0)
_, accuracy = model.evaluate(test, bought[2400:], verbose=0)
chance = max(bought[2400:].mean(), 1 - bought[2400:].mean())
assert accuracy > chance + 0.2
print(f"wide and deep: accuracy {accuracy:.3f}, the larger class {chance:.3f}")
