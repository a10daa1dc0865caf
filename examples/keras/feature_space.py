"""A feature space: the columns of a table become one vector, each by its kind, and pairs of columns by a crossing."""

import numpy as np

import thalweg as keras
from thalweg import layers

keras.utils.set_random_seed(0)
draw = np.random.default_rng(0)
rows = 2000
table = {
    "thal": draw.choice(["fixed", "normal", "reversible"], size=rows).tolist(),
    "slope": draw.integers(4, size=rows),
    "sex": draw.integers(2, size=rows),
    "age": draw.uniform(30, 80, size=rows).astype("float32"),
    "pressure": draw.normal(130, 18, size=rows).astype("float32"),
    "oldpeak": draw.uniform(0, 6, size=rows).astype("float32"),
}
young = table["age"] < 55
score = (
    1.5 * ((table["sex"] == 1) == young)  # neither alone says anything
    + 1.0 * (np.array(table["thal"]) == "fixed")
    + 0.03 * (table["pressure"] - 130)
    + 0.3 * (table["oldpeak"] - 3)
)
target = (score + 0.2 * draw.normal(size=rows) > 1).astype("float32")[:, np.newaxis]


def part(rows):
    """These rows of the table, by column."""
    return {name: values[rows] for name, values in table.items()}


train, test = part(slice(0, 1500)), part(slice(1500, None))

FeatureSpace = keras.utils.FeatureSpace
feature_space = FeatureSpace(
    features={
        "thal": FeatureSpace.string_categorical(num_oov_indices=0),
        "slope": FeatureSpace.integer_categorical(num_oov_indices=0),
        "sex": FeatureSpace.integer_categorical(num_oov_indices=0),
        "age": FeatureSpace.float_discretized(num_bins=10),
        "pressure": FeatureSpace.float_normalized(),
        "oldpeak": FeatureSpace.float_rescaled(scale=1 / 3, offset=-1.0),
    },
    crosses=[FeatureSpace.cross(feature_names=("sex", "age"), crossing_dim=64), ("thal", "slope")],
    crossing_dim=16,
    output_mode="concat",
)
feature_space.adapt(train)

inputs = feature_space.get_inputs()
encoded_features = feature_space.get_encoded_features()
x = layers.Dense(32, activation="relu")(encoded_features)
x = layers.Dropout(0.2)(x)
predictions = layers.Dense(1, activation="sigmoid")(x)

# One network learns from rows that are encoded already, the other takes the columns as they are, with the same layers.
training_model = keras.Model(inputs=encoded_features, outputs=predictions)
training_model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
inference_model = keras.Model(inputs=inputs, outputs=predictions)

rows_of_numbers = np.asarray(feature_space(train))
assert rows_of_numbers.shape == (1500, 3 + 4 + 2 + 10 + 1 + 1 + 64 + 16)
training_model.fit(rows_of_numbers, target[:1500], epochs=20, batch_size=32, verbose=0)

_, accuracy = training_model.evaluate(np.asarray(feature_space(test)), target[1500:], verbose=0)
chance = max(target[1500:].mean(), 1 - target[1500:].mean())
assert accuracy > 0.85
assert accuracy > chance + 0.15

patient = {"thal": "fixed", "slope": 2, "sex": 1, "age": 40.0, "pressure": 150.0, "oldpeak": 4.5}
one = {name: keras.ops.convert_to_tensor([value]) for name, value in patient.items()}
risk = inference_model.predict(one, verbose=0)[0, 0]
assert risk > 0.9
print(f"feature space: accuracy {accuracy:.3f}, the larger class {chance:.3f}; a patient's risk {risk:.2f}")
