"""PReLU, ActivityRegularization and OrthogonalRegularizer: Keras's and PyTorch's numbers, on any number of lanes."""

import os

import numpy as np
import pytest

from thalweg import Sequential, load_model, ops
from thalweg.errors import ArgumentError, ModelFileError, ShapeError
from thalweg.initializers import Constant
from thalweg.layers import GRU, ActivityRegularization, Conv2D, Dense, EinsumDense, Flatten, Input, PReLU
from thalweg.optimizers import SGD
from thalweg.program.ir.instruction import PARAMETERS, TOTALS, Buffer, StepState
from thalweg.regularizers import L1L2, L2, OrthogonalRegularizer, Regularizer

os.environ.setdefault("KERAS_BACKEND", "jax")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5)).astype(np.float32)
Y = RNG.normal(size=(60, 3)).astype(np.float32)


def twins(ours, theirs, shape, rate=0.2):
    """A model of thalweg and one of Keras from the same weights."""
    keras = pytest.importorskip("keras")
    mine, other = Sequential([Input(shape), *ours], seed=1), keras.Sequential([keras.Input(shape), *theirs(keras)])
    mine.compile(SGD(rate), "mse")
    other.compile(keras.optimizers.SGD(rate), "mse")
    other.set_weights(mine.get_weights())
    return mine, other


def assert_same_steps(mine, other, x, y, steps=6):
    """The same losses and, at the end, the same weights."""
    for step in range(steps):
        rows = slice(step % 3 * 20, step % 3 * 20 + 20)
        one, two = mine.train_on_batch(x[rows], y[rows]), other.train_on_batch(x[rows], y[rows])
        assert one == pytest.approx(float(two), rel=1e-5)
    for a, b in zip(mine.get_weights(), other.weights, strict=True):
        np.testing.assert_allclose(a, np.asarray(b.value), rtol=1e-4, atol=1e-6)
    assert mine.evaluate(x, y, verbose=0) == pytest.approx(float(other.evaluate(x, y, 60, verbose=0)), rel=1e-5)


# --- PReLU -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", [None, [1], [1, 2], [1, 2, 3], [3], [2], [1, 3]], ids=str)
def test_prelu_trains_as_in_keras(axes):
    x = RNG.normal(size=(60, 4, 3, 2)).astype(np.float32)
    start = RNG.normal(size=tuple(1 if k in (axes or []) else n for k, n in enumerate((4, 3, 2), 1)))
    mine, other = twins(
        [Dense(2), PReLU(shared_axes=axes), Flatten(), Dense(3)],
        lambda k: [
            k.layers.Dense(2), k.layers.PReLU(shared_axes=axes), k.layers.Flatten(), k.layers.Dense(3),
        ],
        (4, 3, 2),
    )  # fmt: skip
    assert mine.layers[1].name == "p_re_lu" == other.layers[1].name.rstrip("_0123456789")
    weights = mine.get_weights()
    assert weights[2].shape == start.shape
    weights[2] = start
    for model in (mine, other):
        model.set_weights(weights)
    assert_same_steps(mine, other, x, Y)
    assert abs(mine.get_weights()[2] - start).max() > 1e-3  # the slopes have moved


def test_prelu_and_both_its_gradients_are_pytorch_s():
    torch = pytest.importorskip("torch")
    model = Sequential([Input((5,)), Dense(5), PReLU("random_normal"), Dense(3)], seed=2)
    model.compile(SGD(0.1), "mse")
    W, b, alpha, V, c = [torch.tensor(w, requires_grad=True) for w in model.get_weights()]
    h = torch.tensor(X) @ W + b
    loss = ((torch.nn.functional.prelu(h, alpha) @ V + c - torch.tensor(Y)) ** 2).mean()
    loss.backward()
    values = model.trace(X, Y)
    np.testing.assert_allclose(values["dα2"], alpha.grad.numpy(), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(values["dW1"], W.grad.numpy(), rtol=1e-5, atol=1e-7)
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(float(loss.detach()), rel=1e-5)


def test_prelu_begins_as_relu_and_keeps_a_constraint():
    model = Sequential([Input((5,)), PReLU(alpha_constraint="non_neg"), Dense(3)], seed=1)
    assert np.array_equal(Sequential([PReLU()]).predict(X), np.maximum(X, 0))
    model.compile(SGD(0.5), "mse")
    model.fit(X, Y, epochs=3, verbose=0)
    free = Sequential([Input((5,)), PReLU(), Dense(3)], seed=1)
    free.compile(SGD(0.5), "mse")
    free.fit(X, Y, epochs=3, verbose=0)
    assert free.get_weights()[0].min() < 0 <= model.get_weights()[0].min()


# --- penalties -------------------------------------------------------------------------------------------------------


def test_activity_regularization_is_keras_s():
    mine, other = twins(
        [Dense(4, "tanh"), ActivityRegularization(0.1, 0.3), Dense(3)],
        lambda k: [k.layers.Dense(4, "tanh"), k.layers.ActivityRegularization(0.1, 0.3), k.layers.Dense(3)],
        (5,),
    )
    assert_same_steps(mine, other, X, Y)


def test_activity_regularization_is_the_layer_before_with_a_regularizer():
    def trained(layers):
        model = Sequential([Input((5,)), *layers, Dense(3)], seed=1)
        model.compile(SGD(0.2), "mse")
        history = model.fit(X, Y, epochs=2, verbose=0).history
        return history["loss"], [w.tobytes() for w in model.get_weights()]

    assert trained([Dense(4), ActivityRegularization(l2=0.01)]) == trained([Dense(4, activity_regularizer="l2")])
    assert trained([Dense(4), ActivityRegularization()]) == trained([Dense(4)])


def own(of, module, base):
    """A penalty as Keras's users write one, in its ops or ours."""

    class Own(base):
        def __init__(self, factor):
            self.factor = factor

        def __call__(self, x):
            return self.factor * of(module, x)

    return Own(0.3)


PENALTIES = {
    "a sum": lambda ops, x: ops.sum(ops.square(x - 1)),
    "a matrix": lambda ops, x: ops.sum(ops.square(ops.matmul(ops.transpose(x), x))),
}


@pytest.mark.parametrize(("where", "of"), [("kernel", "a sum"), ("kernel", "a matrix"), ("activity", "a sum")])
def test_a_penalty_written_in_ops_trains_as_in_keras(where, of):
    keras = pytest.importorskip("keras")
    given = {f"{where}_regularizer": own(PENALTIES[of], ops, Regularizer)}
    named = {f"{where}_regularizer": own(PENALTIES[of], keras.ops, keras.regularizers.Regularizer)}
    mine, other = twins(
        [Dense(4, "tanh", **given), Dense(3)],
        lambda keras: [keras.layers.Dense(4, "tanh", **named), keras.layers.Dense(3)],
        (5,),
        0.02,
    )
    assert_same_steps(mine, other, X, Y)


class Around(Regularizer):
    """The squares of how far weights are from a number."""

    def __init__(self, centre=0.0):
        self.centre = centre

    def __call__(self, x):
        return ops.sum(ops.square(x - self.centre))

    def get_config(self):
        return {"centre": self.centre}


def test_a_penalty_of_ones_own_is_saved(tmp_path):
    model = Sequential([Input((2,)), Dense(2, kernel_initializer="ones", kernel_regularizer=Around(3.0))])
    model.save(tmp_path / "own.keras")
    with pytest.raises(ModelFileError, match="unknown regularizer 'Around'"):
        load_model(tmp_path / "own.keras")
    loaded = load_model(tmp_path / "own.keras", custom_objects={"Around": Around})
    assert [float(loss) for loss in loaded.losses] == [16.0]


@pytest.mark.parametrize("where", ["kernel", "activity"])
def test_a_penalty_is_one_number(where):
    model = Sequential([Input((2,)), Dense(2, **{f"{where}_regularizer": ops.square})])
    model.compile("sgd", "mse")
    with pytest.raises(ArgumentError, match=r"a penalty is one number, got the shape \(2,.*take its sum or mean"):
        model.fit(X[:, :2], Y[:, :2], verbose=0)


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize(
    ("layer", "shape"),
    [(lambda **given: Dense(3, **given), (5,)), (lambda **given: EinsumDense("abc,cd->abd", (4, 3), **given), (4, 5)),
     (lambda **given: GRU(3, **given), (4, 5))],
)  # fmt: skip
def test_a_sum_of_squares_of_ones_own_is_the_built_in_one(layer, shape, lanes):
    x, y = RNG.normal(size=(60, *shape)), np.zeros((60, 3))
    found = []
    for penalty in (L2(0.4), lambda a: 0.4 * ops.sum(ops.square(a))):
        model = Sequential([Input(shape), layer(activity_regularizer=penalty), Flatten(), Dense(3)], seed=4)
        model.compile(SGD(0.02), "mse")
        losses = model.fit(x, y, batch_size=30, epochs=2, lanes=lanes, verbose=0).history["loss"]
        found.append([*losses, *np.concatenate([w.ravel() for w in model.get_weights()])])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_orthogonal_regularizer_trains_as_in_keras(mode):
    mine, other = twins(
        [Dense(7, "tanh", kernel_regularizer=OrthogonalRegularizer(0.5, mode)), Dense(3)],
        lambda k: [
            k.layers.Dense(7, "tanh", kernel_regularizer=k.regularizers.OrthogonalRegularizer(0.5, mode)),
            k.layers.Dense(3),
        ],
        (5,),
    )
    assert_same_steps(mine, other, X, Y)


@pytest.mark.parametrize("mode", ["rows", "columns"])
@pytest.mark.parametrize("shape", [(2, 1), (5, 4), (4, 37), (40, 33)])
def test_orthogonal_gradient_is_a_central_difference(mode, shape):
    if shape[mode == "columns"] < 2:
        shape = shape[::-1]
    W, sums = Buffer("W", shape, PARAMETERS, per_row=False), Buffer("s", (1,), TOTALS, per_row=False)
    penalty = OrthogonalRegularizer(0.3, mode).lower(W, sums)
    dW = Buffer("dW", shape, per_row=False)

    class Derivatives:
        wants = staticmethod(lambda value: True)
        total = staticmethod(lambda value: dW)

    def value(weights, gradient=False):
        total, _, U, P = penalty.reference(np, weights, StepState(batch_rows=1))
        if gradient:
            (step,) = penalty.adjoint(Derivatives())
            return step.reference(np, U, P)
        return total

    weights, direction = RNG.normal(size=shape), RNG.normal(size=shape)
    difference = (value(weights + 1e-6 * direction) - value(weights - 1e-6 * direction)) / 2e-6
    assert (value(weights, gradient=True) * direction).sum() == pytest.approx(difference, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("mode", ["rows", "columns"])
@pytest.mark.parametrize("vectors", [2, 4, 16, 17])
@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_lanes_without_a_vector_of_their_own_have_the_same_gradient(mode, vectors, lanes):
    """Few vectors leave lanes without one, but each lane updates its share of the weights by all of them."""
    inputs, units = (vectors, 20) if mode == "rows" else (20, vectors)

    def trained(**how):
        model = Sequential(
            [Input((inputs,)), Dense(units, kernel_regularizer=OrthogonalRegularizer(5.0, mode)), Dense(3)], seed=3
        )
        model.compile(SGD(0.01), "mse")
        x = np.random.default_rng(5).normal(size=(60, inputs))
        model.fit(x, Y, batch_size=60, epochs=1, verbose=0, **how)
        return model.get_weights()[0]

    np.testing.assert_allclose(trained(lanes=lanes), trained(lanes=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_orthogonal_regularizer_is_alike_on_engines_and_lanes_and_does_what_it_says(mode, tmp_path):
    def trained(regularizer, lanes=None, **options):
        model = Sequential([Input((40,)), Dense(35, kernel_regularizer=regularizer), Dense(3)], seed=3, **options)
        model.compile(SGD(0.1), "mse")
        x = np.random.default_rng(5).normal(size=(60, 40))
        history = model.fit(x, Y, batch_size=32, epochs=30, verbose=0, lanes=lanes).history["loss"]
        return model, history, model.evaluate(x, Y, verbose=0, lanes=lanes)

    def angle(model):
        W = model.get_weights()[0].astype(np.float64)
        W = W if mode == "rows" else W.T
        U = W / np.linalg.norm(W, axis=1, keepdims=True)
        return abs(U @ U.T - np.eye(len(U))).sum() / (len(U) * (len(U) - 1))

    penalty = OrthogonalRegularizer(20.0, mode)
    reference, losses, score = trained(penalty, engine="reference", dtype="float64")
    reference_weights = reference.get_weights()
    for lanes in (1, 2, 3):
        native, mine, ours = trained(penalty, lanes)
        again, _, _ = trained(penalty, lanes)
        assert [w.tobytes() for w in native.get_weights()] == [w.tobytes() for w in again.get_weights()]
        np.testing.assert_allclose(mine[0], losses[0], rtol=1e-5)
        assert ours == pytest.approx(score, rel=0.05)  # kinks: products near 0 may have another sign
        for one, other in zip(native.get_weights(), reference_weights, strict=True):
            assert abs(one - other).max() < 0.05
    free, _, _ = trained(None)
    assert angle(reference) < 0.5 * angle(free)
    native.save(tmp_path / "m")
    assert load_model(tmp_path / "m").layers[0].kernel_regularizer == penalty


@pytest.mark.parametrize("mode", ["rows", "columns"])
@pytest.mark.parametrize("penalty", [L2(0.3), None], ids=["l2", "orthogonal"])
def test_a_wide_matrix_has_its_penalty_on_any_lanes(mode, penalty):
    """Its gradient by the rows is made just before the update, where lanes share it: the penalty comes after."""
    penalty = penalty or OrthogonalRegularizer(50.0, mode)
    x, y = RNG.normal(size=(64, 200)), RNG.normal(size=(64, 2))

    def step(lanes, **options):
        model = Sequential([Input((200,)), Dense(180, "tanh", kernel_regularizer=penalty), Dense(2)], seed=3, **options)
        model.compile(SGD(0.5), "mse")
        before = model.get_weights()[0].astype(np.float64)
        model.fit(x, y, batch_size=64, verbose=0, lanes=lanes)
        return model.get_weights()[0] - before

    reference = step(None, engine="reference", dtype="float64")
    for lanes in (1, 2, 3):
        np.testing.assert_allclose(step(lanes), reference, rtol=2e-3, atol=1e-5)
    assert abs(reference).max() > 1e-2


def test_a_vector_of_zeros_has_no_direction():
    for mode in ("rows", "columns"):
        model = Sequential([Input((4,)), Dense(4, kernel_regularizer=OrthogonalRegularizer(1.0, mode))], seed=0)
        model.compile(SGD(0.1), "mse")
        W = np.ones((4, 4))
        W[0] = 0
        W[:, 1] = 0
        model.set_weights([W, np.zeros(4)])
        assert model.evaluate(np.zeros((2, 4)), np.zeros((2, 4)), verbose=0) == pytest.approx(0.5)  # 3 of 6 pairs
        model.fit(np.zeros((2, 4)), np.zeros((2, 4)), verbose=0)
        assert np.isfinite(model.get_weights()[0]).all()


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: PReLU(shared_axes=[0]), ArgumentError, "shared axis has to be a whole number of at least 1, got 0"),
        (lambda: Sequential([Input((3,)), PReLU(shared_axes=[2])]).build(), ShapeError, r"\[2\] go beyond the axes"),
        (lambda: PReLU(0.25), ArgumentError, "initializer"),
        (lambda: ActivityRegularization(-1), ArgumentError, "ActivityRegularization's l1"),
        (lambda: OrthogonalRegularizer(0.1, "diagonal"), ArgumentError, "columns, rows"),
        (lambda: OrthogonalRegularizer(-0.1), ArgumentError, "OrthogonalRegularizer's factor"),
        (lambda: Dense(2, activity_regularizer=OrthogonalRegularizer()), ArgumentError, "penalty on matrices"),
        (
            lambda: Sequential([Input((4, 4, 1)), Conv2D(2, 3, kernel_regularizer="orthogonal_regularizer")]).build(),
            ShapeError, "needs a matrix of at least two rows, not the shape",
        ),
        (
            lambda: Sequential([Input((4,)), Dense(1, kernel_regularizer=OrthogonalRegularizer(1, "columns"))]).build(),
            ShapeError, "at least two columns",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_in_one_sentence(make, error, words):
    with pytest.raises(error, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_prelu_takes_a_constant_start():
    model = Sequential([PReLU(Constant(0.25))])
    np.testing.assert_allclose(model.predict(X), np.where(X > 0, X, 0.25 * X), rtol=1e-6)


# --- L1 and L2, by hand ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("on", ["kernel_regularizer", "activity_regularizer"])
def test_l1_and_l2_are_the_sums_of_the_textbook(on, engine):
    """The loss, and one step of gradient descent, where the loss itself is 0."""
    W, x, rate = np.array([[2.0], [-3.0]]), np.array([[1.0, 0.0], [0.0, 1.0]]), 0.1
    model = Sequential([Input((2,)), Dense(1, use_bias=False, **{on: L1L2(0.3, 0.05)})], engine=engine)
    model.compile(SGD(rate), "mse")
    model.set_weights([W])
    share = 1 if on == "kernel_regularizer" else 1 / len(x)  # of activities, the mean over the rows
    penalty = share * (0.3 * (2 + 3) + 0.05 * (4 + 9))
    assert model.evaluate(x, x @ W, verbose=0) == pytest.approx(penalty)
    model.fit(x, x @ W, epochs=1, verbose=0)
    slopes = share * np.array([[0.3 + 0.1 * 2], [-0.3 - 0.1 * 3]])
    assert model.get_weights()[0] == pytest.approx(W - rate * slopes)
