"""Structured data: each column of a table has its own preprocessing layer, and its own name in a dict of inputs."""

import numpy as np

import thalweg as keras
from thalweg import layers

keras.utils.set_random_seed(0)
draw = np.random.default_rng(0)
rows = 2000
table = {
    "pain": draw.choice(["typical", "atypical", "none", "asymptomatic"], size=(rows, 1)),
    "vessels": draw.integers(4, size=(rows, 1)),
    "age": draw.uniform(30, 80, size=(rows, 1)).astype("float32"),
    "pressure": draw.normal(130, 18, size=(rows, 1)).astype("float32"),
    "cholesterol": draw.normal(240, 50, size=(rows, 1)).astype("float32"),
}
score = (
    1.5 * (table["pain"] == "asymptomatic")
    + 1.0 * np.isin(table["vessels"], (1, 3))
    + 1.5 * ((table["age"] > 45) & (table["age"] < 60))  # neither young nor old: no line through it
    + 0.04 * (table["pressure"] - 130)
    + 0.02 * (table["cholesterol"] - 240)
)
target = (score + 0.2 * draw.normal(size=(rows, 1)) > 1.5).astype("float32")


def part(rows):
    """These rows of the table, by column."""
    return {name: values[rows] for name, values in table.items()}


train, test = part(slice(0, 1500)), part(slice(1500, None))


def encode_numerical_feature(feature, name):
    """(x − mean) / standard deviation."""
    normalizer = layers.Normalization()
    normalizer.adapt(train[name])
    return normalizer(feature)


def encode_categorical_feature(feature, name, is_string):
    """A one-hot vector of the categories that the training rows have."""
    lookup_class = layers.StringLookup if is_string else layers.IntegerLookup
    lookup = lookup_class(output_mode="one_hot")
    lookup.adapt(train[name])
    return lookup(feature)


def encode_ranges(feature, bins):
    """A one-hot vector of the range in which a number lies."""
    return layers.Discretization(bin_boundaries=bins, output_mode="one_hot")(feature)


types = {"pain": "string", "vessels": "int64"}
inputs = {name: keras.Input(shape=(1,), name=name, dtype=types.get(name, "float32")) for name in table}
features = layers.concatenate(
    [
        encode_categorical_feature(inputs["pain"], "pain", is_string=True),
        encode_categorical_feature(inputs["vessels"], "vessels", is_string=False),
        encode_ranges(inputs["age"], [40.0, 45.0, 50.0, 55.0, 60.0, 65.0]),
        encode_numerical_feature(inputs["pressure"], "pressure"),
        encode_numerical_feature(inputs["cholesterol"], "cholesterol"),
    ]
)
x = layers.Dropout(0.2)(layers.Dense(32, activation="relu")(features))
output = layers.Dense(1, activation="sigmoid")(x)
model = keras.Model(inputs, output)
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
model.fit(train, target[:1500], epochs=30, batch_size=32, verbose=0)

_, accuracy = model.evaluate(test, target[1500:], verbose=0)
chance = max(target[1500:].mean(), 1 - target[1500:].mean())
assert accuracy > 0.85
assert accuracy > chance + 0.15
patient = {"pain": "asymptomatic", "vessels": 1, "age": 52.0, "pressure": 150.0, "cholesterol": 300.0}
risk = model.predict({name: np.array([[value]]) for name, value in patient.items()}, verbose=0)[0, 0]
assert risk > 0.9
print(f"structured data: accuracy {accuracy:.3f}, the larger class {chance:.3f}; a patient's risk {risk:.2f}")
