"""Keras as a second opinion on every optimizer and schedule: the same gradients, the same weights after 50 steps."""

import os

import numpy as np
import pytest
from quick_jax import quickly_compiled

from thalweg import Sequential, optimizers, schedules
from thalweg.layers import Dense, Input

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")
jax = pytest.importorskip("jax")

if keras.backend.backend() != "jax":
    pytest.skip("needs the JAX backend", allow_module_level=True)

RANDOM = np.random.default_rng(4)
X = RANDOM.normal(size=(24, 5)).astype(np.float32)
Y = RANDOM.normal(size=(24, 3)).astype(np.float32)
STEPS = 50


def ours(optimizer, lanes=1):
    model = Sequential([Input((5,)), Dense(7, "tanh", name="hidden"), Dense(3, name="output")], seed=3)
    model.compile(optimizer, "mse")
    model.build()
    start = model.get_weights()
    for _ in range(STEPS):  # not `fit`, which ends with the average of the weights
        model.train_on_batch(X, Y)
    return start, model.get_weights()


def theirs(optimizer, start, excluded=()):
    """Their optimizer on gradients that NumPy computes in float64, so that nothing but the step is compared."""
    names = ("hidden/W", "hidden/b", "output/W", "output/b")
    variables = [keras.Variable(w, name=n.replace("/", "_")) for w, n in zip(start, names, strict=True)]
    if excluded:
        optimizer.exclude_from_weight_decay(var_names=excluded)
    optimizer.build(variables)
    state, weights = [v.value for v in optimizer.variables], [v.value for v in variables]
    step = quickly_compiled(optimizer.stateless_apply, state, weights, weights)
    for _ in range(STEPS):
        W1, b1, W2, b2 = (np.asarray(w, np.float64) for w in weights)
        a = np.tanh(X @ W1 + b1)
        error = 2 * (a @ W2 + b2 - Y) / Y.size
        back = error @ W2.T * (1 - a * a)
        gradients = [X.T @ back, back.sum(axis=0), a.T @ error, error.sum(axis=0)]
        weights, state = step(state, [g.astype(np.float32) for g in gradients], weights)
    return [np.asarray(w) for w in weights]


NAMES = sorted(name for name in optimizers.CLASSES if hasattr(keras.optimizers, name))
OWN = {
    "SGD": [{"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}],
    "RMSprop": [{"momentum": 0.5}, {"centered": True}, {"momentum": 0.5, "centered": True, "rho": 0.8}],
    "Adam": [{"amsgrad": True, "beta_2": 0.9}],
    "AdamW": [{"weight_decay": 0.1}],
    "Adagrad": [{"initial_accumulator_value": 0.5, "epsilon": 1e-3}],
    "Adafactor": [{"clip_threshold": 0.5, "relative_step": False, "epsilon_2": 0.1}],
    "Ftrl": [
        {"l1_regularization_strength": 0.01, "l2_regularization_strength": 0.1},
        {"learning_rate_power": -0.7, "beta": 0.3, "l2_shrinkage_regularization_strength": 0.05},
    ],
    "Muon": [{"nesterov": False, "rms_rate": None, "exclude_layers": ["output"]}, {"adam_lr_ratio": 0.5}],
    "ScheduleFreeAdamW": [{"warmup_steps": 20}],
}
COMMON = {
    "clipnorm": {"clipnorm": 0.05},
    "clipvalue": {"clipvalue": 0.02},
    "global_clipnorm": {"global_clipnorm": 0.1},
    "weight_decay": {"weight_decay": 0.05},
    "ema": {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 10},
    "accumulation": {"gradient_accumulation_steps": 3},
    "all": {
        "weight_decay": 0.02, "global_clipnorm": 0.2, "use_ema": True, "ema_momentum": 0.8,
        "ema_overwrite_frequency": 4, "gradient_accumulation_steps": 2,
    },
}  # fmt: skip
CASES = [
    *((name, {}) for name in NAMES),
    *((name, arguments) for name, several in OWN.items() for arguments in several),
    *(("Adam", arguments) for arguments in COMMON.values()),
    *((name, COMMON["all"]) for name in ("SGD", "Lamb", "Muon", "Adafactor", "Nadam", "ScheduleFreeAdamW")),
]


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=[f"{n}-{'-'.join(a)}" for n, a in CASES])
def test_fifty_steps_end_at_kerass_weights(name, arguments):
    # RMSprop's steps don't shrink at the minimum, where rounding decides their signs: it is kept away from there.
    rate = {"learning_rate": {"Adadelta": 1.0, "Ftrl": 0.1, "RMSprop": 0.001}.get(name, 0.01)}
    start, got = ours(getattr(optimizers, name)(**rate, **arguments))
    want = theirs(getattr(keras.optimizers, name)(**rate, **arguments), start)
    for left, right in zip(got, want, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-5)
    assert max(abs(right - before).max() for right, before in zip(want, start, strict=True)) > 1e-3


def test_biases_can_be_kept_from_decaying():
    optimizer = optimizers.AdamW(0.01, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    start, got = ours(optimizer)
    want = theirs(keras.optimizers.AdamW(0.01, weight_decay=0.5), start, ["_b$"])
    for left, right in zip(got, want, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-5)


SCHEDULES = [
    ("ExponentialDecay", (0.1, 70, 0.9), {}),
    ("ExponentialDecay", (0.1, 70, 0.9), {"staircase": True}),
    ("PiecewiseConstantDecay", ([100, 500], [0.1, 0.02, 0.003]), {}),
    ("PolynomialDecay", (0.1, 300), {"power": 2.0}),
    ("PolynomialDecay", (0.1, 300), {"cycle": True}),
    ("InverseTimeDecay", (0.1, 50, 0.4), {}),
    ("InverseTimeDecay", (0.1, 50, 0.4), {"staircase": True}),
    ("CosineDecay", (0.1, 800), {"alpha": 0.1}),
    ("CosineDecay", (0.01, 800), {"warmup_target": 0.2, "warmup_steps": 100}),
    ("CosineDecayRestarts", (0.1, 90), {"m_mul": 0.8, "alpha": 0.05}),
    ("CosineDecayRestarts", (0.1, 90), {"t_mul": 1.0}),
]


@pytest.mark.parametrize(("name", "given", "named"), SCHEDULES)
def test_a_thousand_steps_of_every_schedule(name, given, named):
    steps = np.arange(1000)
    got = getattr(schedules, name)(*given, **named)(steps)
    want = np.asarray(jax.vmap(getattr(keras.optimizers.schedules, name)(*given, **named))(steps))
    close = np.isclose(got, want, rtol=1e-5, atol=1e-7)
    if name == "CosineDecayRestarts":  # Keras rounds to float32: a restart may come one step later
        assert (~close).sum() <= 4
    else:
        assert close.all()


def test_every_schedule_of_keras_has_a_row():
    both = [name for name in schedules.CLASSES if hasattr(keras.optimizers.schedules, name)]
    assert set(both) == {name for name, *_ in SCHEDULES}
