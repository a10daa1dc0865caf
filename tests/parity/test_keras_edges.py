"""Keras as a second opinion where numbers are hard: kinks of activations, gradients of any size, single rows."""

import os

import numpy as np
import pytest

from thalweg import Sequential, activations, losses, metrics, optimizers
from thalweg.errors import ShapeError, ThalwegError
from thalweg.layers import Activation, Dense, Input

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")
jax = pytest.importorskip("jax")
from quick_jax import quickly_compiled  # noqa: E402 — needs JAX

if keras.backend.backend() != "jax":
    pytest.skip("needs the JAX backend", allow_module_level=True)

# --- activations at their kinks --------------------------------------------------------------------------------------

POINTS = np.array([-6, -5, -4, -3, -2, -1, -0.5, -0.25, 0, 0.25, 0.5, 1, 2, 3, 4, 5, 6], np.float32)
RELU = [
    {"threshold": t, "negative_slope": s, "max_value": m}
    for t in (0.0, 1.0, 5.0)
    for s in (0.0, 0.5)
    for m in (None, 1.0, 5.0, 6.0)
]
KINKS = [
    *(("relu", arguments) for arguments in RELU),
    *((n, {}) for n in ("relu6", "hard_sigmoid", "hard_silu", "hard_tanh", "sparse_plus", "sparse_sigmoid")),
    *((n, {}) for n in ("elu", "celu", "selu", "softsign", "squareplus")),
    *(("leaky_relu", {"negative_slope": s}) for s in (0.0, 0.2, 1.0)),
    *((n, {"threshold": t}) for n in ("soft_shrink", "hard_shrink") for t in (0.0, 0.5, 1.0)),
    *(("threshold", {"threshold": t, "default_value": d}) for t in (-1.0, 0.0, 1.0) for d in (0.0, -5.0)),
]
# Where Keras's backends disagree about the slope at a kink: name → the kinks there, and ours.
DIVIDED = {
    "leaky_relu": lambda arguments: {0.0: arguments["negative_slope"]},  # PyTorch and TensorFlow; JAX 1
    "hard_tanh": lambda arguments: {-1.0: 0, 1.0: 0},  # PyTorch; JAX 1
    "sparse_sigmoid": lambda arguments: {-1.0: 0, 1.0: 0},  # PyTorch; JAX the mean of both sides
    "relu": lambda arguments: (
        {0.0: arguments["negative_slope"]}
        if arguments["threshold"] == 0 and arguments["max_value"] is None
        else {}
        if arguments["max_value"] is None or arguments["max_value"] <= arguments["threshold"]
        else {arguments["max_value"]: 0}  # JAX ½, PyTorch 1
    ),
}


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize(("name", "arguments"), KINKS, ids=[f"{n}-{'-'.join(map(str, a.values()))}" for n, a in KINKS])
def test_values_and_slopes_at_the_kinks(name, arguments, engine):
    their = getattr(keras.activations, name)
    want = np.asarray(their(POINTS, **arguments))
    slopes = np.asarray(jax.vmap(jax.grad(lambda x: their(x[None], **arguments)[0]))(POINTS))
    own = DIVIDED.get(name, lambda arguments: {})(arguments)
    slopes = np.array([own.get(float(x), slope) for x, slope in zip(POINTS, slopes, strict=True)])
    function = getattr(activations, name).using(**arguments)
    np.testing.assert_allclose(function(POINTS), want, rtol=1e-6, atol=1e-7)
    layers = [Input((1,)), Dense(len(POINTS), use_bias=False), Activation(function)]
    model = Sequential(layers, engine=engine)
    model.compile("sgd", losses.SumSquaredError(half=True))
    model.set_weights([POINTS[None]])
    got = model.predict([[1.0]])
    np.testing.assert_allclose(got[0], want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.trace([[1.0]], got - 1)["dW"][0], slopes, rtol=1e-5, atol=1e-6)


# --- gradients of any size -------------------------------------------------------------------------------------------

RANDOM = np.random.default_rng(5)
START = [RANDOM.normal(size=shape).astype(np.float32) for shape in ((3, 4), (4,))]
GRADIENTS = RANDOM.normal(size=(4, 3, 4)).astype(np.float32)
SIZES = (0.0, 1e-30, 1e-16, 1e-10, 1.0, 1e10, 1e18)  # results below 1.2e-38, such as squares, are 0
MORE = [
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("SGD", {"clipnorm": 1.0}),
    ("SGD", {"global_clipnorm": 1.0}),
    ("RMSprop", {"centered": True, "momentum": 0.5}),
    ("Adam", {"amsgrad": True}),
    ("Ftrl", {"learning_rate_power": -0.7}),
    ("Ftrl", {"initial_accumulator_value": 0.0}),
]
OPTIMIZERS = [*((name, {}) for name in sorted(optimizers.CLASSES) if hasattr(keras.optimizers, name)), *MORE]
ALONE = {  # where Keras's float32 comes to its end first, and both our engines go on
    ("Lamb", 1e-30),  # the squares of u underflow in its norm: Keras takes no ratio
}


def our_steps(optimizer, size, engine):
    """The weights after each step on given gradients: those of Σ ŷ·y with unit vectors as inputs."""
    model = Sequential([Input((3,)), Dense(4)], engine=engine)
    model.compile(optimizer, losses.FormulaLoss("y_pred*y_true", reduction="sum"))
    model.set_weights(START)
    result = []
    for gradient in GRADIENTS:
        model.train_on_batch(np.eye(3), (4 * gradient * size).astype(np.float32))
        result += model.get_weights()
    return np.concatenate([w.ravel() for w in result])


def their_steps(optimizer, size):
    variables = [keras.Variable(w) for w in START]
    optimizer.build(variables)
    state, weights = [v.value for v in optimizer.variables], [v.value for v in variables]
    step = quickly_compiled(optimizer.stateless_apply, state, weights, weights)
    result = []
    for gradient in GRADIENTS:
        g = (4 * gradient * size).astype(np.float32) / 4
        weights, state = step(state, [g, g.sum(axis=0)], weights)
        result += weights
    return np.concatenate([np.ravel(w) for w in result])


@pytest.mark.parametrize(("name", "arguments"), OPTIMIZERS, ids=[f"{n}-{'-'.join(a)}" for n, a in OPTIMIZERS])
def test_optimizers_on_gradients_of_any_size(name, arguments):
    for size in SIZES:
        ours = [our_steps(getattr(optimizers, name)(**arguments), size, e) for e in ("native", "reference")]
        assert np.isfinite(ours).all(), size
        scale = np.abs(ours[1]).max() + 1e-32  # below, XLA's denormals are 0
        np.testing.assert_allclose(*ours, rtol=1e-4, atol=1e-6 * scale, err_msg=str(size))
        want = their_steps(getattr(keras.optimizers, name)(**arguments), size)
        if (name, size) in ALONE or not np.isfinite(want).all():
            assert not np.allclose(ours[0], want, rtol=1e-4), f"{size}: no exception is needed any more"
            continue
        np.testing.assert_allclose(ours[0], want, rtol=1e-4, atol=1e-6 * scale, err_msg=str(size))


# --- one dimension is one row ----------------------------------------------------------------------------------------

N = 6
RAW = RANDOM.normal(size=N).astype(np.float32)
OTHER = RANDOM.normal(size=N).astype(np.float32)
SHARES = (np.exp(RAW) / np.exp(RAW).sum()).astype(np.float32)
INSIDE = (1 / (1 + np.exp(-RAW))).astype(np.float32)
BITS = np.array([1, 0, 1, 1, 0, 0], np.float32)
ONE_HOT = np.eye(N, dtype=np.float32)[2]
SIGNS = 2 * BITS - 1
PAIRS = {  # of targets and predictions; all others compare two vectors of any numbers
    "BinaryCrossentropy": (BITS, INSIDE), "BinaryFocalCrossentropy": (BITS, INSIDE), "BinaryAccuracy": (BITS, INSIDE),
    "Dice": (BITS, INSIDE), "Tversky": (BITS, INSIDE), "AUC": (BITS, INSIDE),
    "Precision": (BITS, INSIDE), "Recall": (BITS, INSIDE), "TruePositives": (BITS, INSIDE),
    "FalsePositives": (BITS, INSIDE), "TrueNegatives": (BITS, INSIDE), "FalseNegatives": (BITS, INSIDE),
    "CategoricalCrossentropy": (ONE_HOT, SHARES), "CategoricalFocalCrossentropy": (ONE_HOT, SHARES),
    "CategoricalAccuracy": (ONE_HOT, SHARES), "TopKCategoricalAccuracy": (ONE_HOT, SHARES),
    "CategoricalHinge": (ONE_HOT, RAW), "KLDivergence": (SHARES[::-1].copy(), SHARES),
    "Poisson": (abs(OTHER), abs(RAW)), "MeanSquaredLogarithmicError": (abs(OTHER), abs(RAW)),
    "Hinge": (SIGNS, RAW), "SquaredHinge": (SIGNS, RAW),
}  # fmt: skip
OPTIONS = {
    "Precision": [{}, {"top_k": 3}, {"top_k": 3, "thresholds": 0.6}],
    "Recall": [{}, {"top_k": 3}, {"top_k": 3, "thresholds": 0.6}],
    "TopKCategoricalAccuracy": [{"k": 2}, {"k": 5}],
    "Dice": [{"axis": -1}],
    "PearsonCorrelation": [{}, {"axis": 0}],
    "Tversky": [{"axis": -1}],
}
REFUSED = {  # of one dimension, or of as many class numbers as outputs, by both or by us
    "R2Score", "FBetaScore", "F1Score", "SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy",
    "SparseCategoricalCrossentropy", "CategoricalGeneralizedCrossEntropy",
}  # fmt: skip
SINGLE = [
    (ours, theirs, options)
    for ours, theirs in ((losses, keras.losses), (metrics, keras.metrics))
    for name in ours.CLASSES
    if hasattr(theirs, name) and name not in REFUSED
    for options in OPTIONS.get(name, [{}])
    for ours, theirs in [(getattr(ours, name), getattr(theirs, name))]
]


@pytest.mark.parametrize(("ours", "theirs", "options"), SINGLE)
def test_one_dimension_is_one_row(ours, theirs, options):
    y, p = PAIRS.get(ours.__name__, (OTHER, RAW))
    assert ours(**options)(y, p) == pytest.approx(float(theirs(**options)(y, p)), rel=1e-5, abs=1e-6)
    if issubclass(ours, losses.Loss):
        options = options | {"reduction": "sum"}
        assert ours(**options)(y, p) == pytest.approx(float(theirs(**options)(y, p)), rel=1e-5, abs=1e-6)


def test_one_dimension_holds_many_rows_where_one_has_no_score():
    many = [v[:, None] for v in (OTHER, RAW)]
    assert metrics.R2Score()(OTHER, RAW) == metrics.R2Score()(*many)
    assert metrics.F1Score()(BITS, INSIDE) == metrics.F1Score()(BITS[:, None], INSIDE[:, None])
    multi = metrics.AUC(multi_label=True)
    assert multi(BITS, INSIDE) == metrics.AUC()(BITS[:, None], INSIDE[:, None])


def test_a_row_of_one_dimension_takes_one_class_number_and_one_weight():
    loss = losses.SparseCategoricalCrossentropy()
    assert loss(2, SHARES) == pytest.approx(-np.log(SHARES[2]))
    with pytest.raises(ShapeError, match="class numbers"):
        loss(np.zeros(N), SHARES)
    with pytest.raises(ShapeError, match=r"one dimension is one row, so give \(rows, 1\)"):
        losses.MeanSquaredError()(OTHER, RAW, sample_weight=np.ones(N))
    for name in REFUSED & metrics.CLASSES.keys():
        if name.startswith("Sparse"):
            with pytest.raises(ThalwegError):
                metrics.CLASSES[name]()(np.zeros(N), SHARES)
