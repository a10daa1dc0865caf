"""The tutorial's second program: many rows, delta_w summed over the rows and divided by their number, for some epochs.

The same loop in NumPy and in thalweg on 400 rows, with the time of each. Run: python examples/many_rows.py
"""

import time

import numpy as np

import thalweg


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


generator = np.random.default_rng(0)
features = generator.normal(size=(400, 5))
targets = (features @ [1.0, -2.0, 0.5, 0.0, 1.5] > 0).astype(float)
start = generator.normal(scale=5**-0.5, size=5)
learn_rate, epochs = 0.5, 100

# By hand, as in the tutorial.
weights = start.copy()
begin = time.perf_counter()
for _ in range(epochs):
    del_w = np.zeros(weights.shape)
    for x, y in zip(features, targets, strict=True):
        h = np.dot(x, weights)
        y_predict = sigmoid(h)
        error = y - y_predict
        error_term = error * y_predict * (1 - y_predict)
        del_w += error_term * x
    weights += learn_rate * del_w / len(features)
by_hand = time.perf_counter() - begin

# By thalweg: a batch of all rows is one step an epoch.
model = thalweg.Sequential([thalweg.Input((5,)), thalweg.layers.Dense(1, activation="sigmoid", use_bias=False)])
model.compile(optimizer=thalweg.optimizers.SGD(learn_rate), loss=thalweg.losses.SumSquaredError(half=True))
model.set_weights([start[:, None]])
model.train_on_batch(features, targets)  # compiles the kernels, once
model.set_weights([start[:, None]])
begin = time.perf_counter()
history = model.fit(features, targets, batch_size=len(features), epochs=epochs, verbose=0)
by_thalweg = time.perf_counter() - begin

print("loss, every 20 epochs:", np.round(history.history["loss"][::20], 4))
print("weights by hand:   ", np.round(weights, 5))
print("weights by thalweg:", np.round(model.get_weights()[0].ravel(), 5))
print(f"by hand {by_hand * 1e3:.0f} ms, by thalweg {by_thalweg * 1e3:.1f} ms for {epochs} epochs")
assert np.allclose(weights, model.get_weights()[0].ravel(), atol=1e-5)
