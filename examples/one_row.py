"""The tutorial's first program: one row through one sigmoid unit, one step of gradient descent.

By hand in NumPy, and by thalweg; the two agree in every value. Run: python examples/one_row.py
"""

import numpy as np

import thalweg


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def sigmoid_prime(x):
    return sigmoid(x) * (1 - sigmoid(x))


x = np.array([0.5, -0.2, 0.1, 0.9, -0.4])
y = np.array(0.6)
learn_rate = 0.5
w = np.array([0.1, 0.3, -0.2, 0.4, 0.2])

# By hand.
h = np.dot(x, w)
y_predict = sigmoid(h)
error = y - y_predict
error_term = error * sigmoid_prime(h)
delta_w = learn_rate * error_term * x

# By thalweg: the loss ½·Σ(y − ŷ)², whose derivative with respect to ŷ is minus the error.
model = thalweg.Sequential(
    [thalweg.Input((5,)), thalweg.layers.Dense(1, activation="sigmoid", use_bias=False)],
    engine="reference",
    dtype="float64",
)
model.compile(optimizer=thalweg.optimizers.SGD(learn_rate), loss=thalweg.losses.SumSquaredError(half=True))
model.set_weights([w[:, None]])
values = model.trace(x[None], [[y]])

print(model.program(batch_size=1))
print()
for name, by_hand, by_program in [
    ("h", h, values["h"]),
    ("y_predict", y_predict, values["y_pred"]),
    ("error", error, -values["dy_pred"]),
    ("error_term", error_term, -values["dh"]),
    ("delta_w", delta_w, -learn_rate * values["dW"]),
    ("w after the step", w + delta_w, values["w"][:5]),
]:
    print(f"{name:17} by hand {np.round(by_hand, 6)}   by thalweg {np.round(by_program.ravel(), 6)}")
    assert np.allclose(by_hand, by_program.ravel(), rtol=1e-12, atol=0)
