"""Two outputs of one network: a penguin's mass and its species, each with its loss, loss weight and metrics."""

import csv
from pathlib import Path

import numpy as np

import thalweg as keras
from thalweg import layers

SPECIES = ["Adelie", "Chinstrap", "Gentoo"]
MEASURES = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]

keras.utils.set_random_seed(0)
with open(Path(__file__).parents[1] / "penguins.csv", encoding="utf-8") as file:
    penguins = [row for row in csv.DictReader(file) if row["body_mass_g"] and row["sex"]]
np.random.default_rng(0).shuffle(penguins)
x = np.array([[float(row[name]) for name in MEASURES] for row in penguins], dtype="float32")
mass = np.array([[float(row["body_mass_g"]) / 1000] for row in penguins], dtype="float32")  # kg
species = np.array([SPECIES.index(row["target"]) for row in penguins])

normalization = layers.Normalization()
normalization.adapt(x[:250])
inputs = keras.Input(shape=(3,), name="measures")
h = layers.Dense(32, activation="relu")(normalization(inputs))
h = layers.Dense(32, activation="relu")(h)
outputs = {
    "mass": layers.Dense(1, name="mass")(h),
    "species": layers.Dense(3, activation="softmax", name="species")(h),
}
model = keras.Model(inputs, outputs)
model.compile(
    optimizer=keras.optimizers.RMSprop(1e-2),
    loss={"mass": keras.losses.Huber(), "species": keras.losses.SparseCategoricalCrossentropy()},
    loss_weights={"mass": 1.0, "species": 0.2},
    metrics={"mass": [keras.metrics.MeanAbsoluteError(name="mae")], "species": ["accuracy"]},
)
history = model.fit(x[:250], {"mass": mass[:250], "species": species[:250]}, epochs=60, batch_size=32, verbose=0)

scores = model.evaluate(x[250:], {"mass": mass[250:], "species": species[250:]}, verbose=0, return_dict=True)
predictions = model.predict(x[250:], verbose=0)
typical = np.mean(np.abs(mass[250:] - np.median(mass)))
assert np.isclose(np.mean(np.abs(predictions["mass"] - mass[250:])), scores["mass_mae"], rtol=1e-3)
assert scores["mass_mae"] < 0.6 * typical
assert scores["species_accuracy"] > 0.9
assert np.isclose(scores["loss"], scores["mass_loss"] + 0.2 * scores["species_loss"], rtol=1e-3)
print(f"multi output: mass to {scores['mass_mae']:.2f} kg ({typical:.2f}), species {scores['species_accuracy']:.2f}")
