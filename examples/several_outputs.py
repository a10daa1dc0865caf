"""Several output units: the weights become a matrix, with a column for each unit; the steps stay the same.

Run: python examples/several_outputs.py
"""

import numpy as np

import thalweg


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


generator = np.random.default_rng(0)
X = generator.normal(size=(50, 5))
Y = (X[:, :3] > 0).astype(float)  # three yes-or-no answers for each row
W = generator.normal(scale=0.3, size=(5, 3))
learn_rate, epochs = 0.5, 200

model = thalweg.Sequential(
    [thalweg.Input((5,)), thalweg.layers.Dense(3, activation="sigmoid", use_bias=False)],
    engine="reference",
    dtype="float64",
)
model.compile(
    optimizer=thalweg.optimizers.SGD(learn_rate),
    loss=thalweg.losses.SumSquaredError(half=True),
    metrics=["binary_accuracy"],
)
model.set_weights([W])

for _ in range(epochs):
    y_predict = sigmoid(X @ W)
    error = Y - y_predict
    error_term = error * y_predict * (1 - y_predict)
    W = W + learn_rate * X.T @ error_term / len(X)

history = model.fit(X, Y, batch_size=len(X), epochs=epochs, verbose=0)
print(model.program(batch_size=len(X)))
print()
print("W by hand:\n", np.round(W, 4))
print("W by thalweg:\n", np.round(model.get_weights()[0], 4))
print(f"share of right answers: {history.history['binary_accuracy'][-1]:.3f}")
assert np.allclose(W, model.get_weights()[0], rtol=1e-12, atol=1e-12)
