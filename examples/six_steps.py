"""The six steps of a Keras program, with thalweg in Keras's place: only the first line differs.

Data: Palmer penguins (CC0), body measures → species. Run: python examples/six_steps.py
"""

# 1. import
import csv
from pathlib import Path

import numpy as np

import thalweg as keras

# 2. train, test
with open(Path(__file__).parent / "penguins.csv") as file:
    rows = [row for row in csv.DictReader(file) if row["bill_length_mm"] and row["body_mass_g"]]
columns = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
x = np.array([[float(row[c]) for c in columns] for row in rows], dtype="float32")
species = sorted({row["target"] for row in rows})
y = np.array([species.index(row["target"]) for row in rows])
order = np.random.default_rng(0).permutation(len(x))
train, test = order[:270], order[270:]
mean, std = x[train].mean(axis=0), x[train].std(axis=0)
x = (x - mean) / std

# 3. model = Sequential
keras.utils.set_random_seed(0)
model = keras.models.Sequential(
    [
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(3, activation="softmax"),
    ]
)

# 4. model.compile
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

# 5. model.fit
model.fit(x[train], y[train], batch_size=16, epochs=60, validation_data=(x[test], y[test]))

# 6. model.summary
model.summary()

loss, accuracy = model.evaluate(x[test], y[test], verbose=0)
print(f"test accuracy {accuracy:.3f}, loss {loss:.3f}")
print("the first five test penguins:", [species[k] for k in model.predict(x[test][:5]).argmax(axis=1)])
