"""Variables made by themselves: by themselves, and as weights of a layer; what layers add to a loss."""

import copy
import pickle

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, Sequential, Variable, layers, ops
from thalweg.errors import ArgumentError, ShapeError, ThalwegError
from thalweg.saving import register_keras_serializable

X = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)


@register_keras_serializable("test_variables")
class Scale(layers.Layer):
    """Has variables, alone and in a list."""

    def __init__(self, **named):
        super().__init__(**named)
        self.factor = Variable(2 * np.ones(3, "f"))
        self.shift = Variable("zeros", (3,), trainable=False, name="moved")
        self.more = [Variable("ones", (3,)), Variable([1.0, 1.0, 2.0])]

    def call(self, x):
        return x * self.factor + self.shift + self.more[0] * self.more[1]


def test_a_variable_is_kept_and_changed():
    v = Variable([1.0, 2.0])
    v.assign_add([1.0, 1.0])
    v.assign_sub([0.0, 2.0])
    assert v.value.tolist() == v.numpy().tolist() == [2.0, 1.0]
    v.assign([4.0, 5.0])
    v.value[0] = 9  # a copy
    assert np.asarray(v).tolist() == [4.0, 5.0]
    assert (float(Variable(3)), int(Variable(2.0)), Variable(1.0).trainable) == (3.0, 2, True)
    with pytest.raises(ShapeError, match="the given values"):
        v.assign([1.0])


@pytest.mark.parametrize(
    ("made", "dtype"),
    [
        (lambda: Variable(3), "int32"),
        (lambda: Variable(2.5), "float32"),
        (lambda: Variable([1.0]), "float32"),
        (lambda: Variable(np.zeros(2)), "float64"),
        (lambda: Variable(3, dtype="float32"), "float32"),
        (lambda: Variable("ones", (2,)), "float32"),
        (lambda: Variable("ones", (2,), "int32"), "int32"),
    ],
)
def test_its_type_is_that_of_its_numbers(made, dtype):
    assert made().numpy().dtype == dtype


def test_operations_compute_with_its_numbers():
    v = Variable([1.0, 4.0])
    pairs = [
        (v + 1, [2, 5]), (1 - v, [0, -3]), (np.ones(2, "f") * v, [1, 4]), (v / v, [1, 1]), (-v, [-1, -4]),
        (v**2, [1, 16]), (v @ np.ones((2, 1), "f"), [5]), (ops.sqrt(v), [1, 2]), (ops.sum(v), 5), (v[1], 4),
        (ops.concatenate([v, v]), [1, 4, 1, 4]), (ops.where(v > 2, v, 0), [0, 4]),
    ]  # fmt: skip
    for found, expected in pairs:
        assert isinstance(found, (np.ndarray, np.generic))
        assert found == pytest.approx(expected)


def test_a_layers_variables_are_its_weights():
    layer = Scale()
    assert layer(X) == pytest.approx(2 * X + [1, 1, 2])
    layer.factor.assign([3.0, 3.0, 3.0])
    model = Sequential([Input((3,)), layer, layers.Dense(1)], seed=0)
    model.compile("sgd", "mse")
    model.build()
    assert [w.path for w in model.weights[:4]] == ["scale/factor", "scale/moved", "scale/more", "scale/more_1"]
    assert layer.factor.numpy().tolist() == [3.0] * 3  # as assigned, though the model was made after that
    model.fit(X, X[:, :1], epochs=2, verbose=0)
    assert (layer.factor.numpy() != 3).all()
    assert not layer.shift.numpy().any()


def test_they_are_saved_copied_and_pickled(tmp_path):
    model = Sequential([Input((3,)), Scale(), layers.Dense(1)], seed=0)
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], verbose=0)
    model.save(tmp_path / "m.safetensors")
    expected = model.predict(X)
    for other in (thalweg.load_model(tmp_path / "m.safetensors"), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(other.predict(X), expected)
    assert copy.deepcopy(Variable([1.0])).numpy() == [1.0]


def test_a_variable_that_two_layers_use_belongs_to_the_first():
    first, second = Scale(), Scale()
    second.factor = first.factor
    assert [p.key for p in second.parameters] == ["factor", "moved", "more", "more_1"]
    assert first.factor.parameter in first.parameters
    assert first.factor.parameter not in second.parameters


class Assigning(layers.Layer):
    def __init__(self):
        super().__init__()
        self.count = Variable(0.0)

    def call(self, x):
        self.count.assign(1.0)
        return x


REFUSED = {
    "a model's": (lambda: setattr(Sequential([layers.Dense(1)]), "v", Variable(1.0)), ArgumentError, "to one inside"),
    "whole numbers": (lambda: setattr(Scale(), "v", Variable(1)), ArgumentError, "float32, this one is int32"),
    "no shape": (lambda: Variable("ones"), ArgumentError, "needs a shape"),
    "two shapes": (lambda: Variable([1.0], shape=(2,)), ArgumentError, r"shape \(2,\) was given .* \(1,\)"),
    "text": (lambda: Variable(["a"]), ThalwegError, "numbers"),
    "autocast": (lambda: Variable(1.0, autocast=False), ArgumentError, "autocast is True"),
    "aggregation": (lambda: Variable(1.0, aggregation="mean"), ArgumentError, "aggregation 'mean'"),
    "a path": (lambda: Variable(1.0, name="a/b"), ArgumentError, "a word without '/'"),
    "assigned in call": (lambda: Assigning()(X), ThalwegError, "can't assign count"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_told(name):
    make, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        make()


def test_a_layer_that_was_called_on_arrays_keeps_its_weights_in_a_model():
    dense = layers.Dense(2)
    expected = dense(X)
    assert np.abs(expected).max() > 0.1
    assert Sequential([Input((3,)), dense]).predict(X) == pytest.approx(expected, abs=1e-6)


# --- losses ----------------------------------------------------------------------------------------------------------


class Adding(layers.Layer):
    """A layer inside, with penalties of both kinds, and a term of its own."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(
            2, "tanh", kernel_initializer="ones", kernel_regularizer="l2", activity_regularizer="l1"
        )

    def call(self, x):
        h = self.dense(x)
        self.add_loss(ops.mean(ops.square(h)))
        return h


def terms():
    """The term of the layer, the penalty on the output, that on the kernel."""
    h = np.tanh(X.sum(axis=1, keepdims=True, dtype=np.float64)) * np.ones(2)
    return [(h**2).mean(), 0.01 * np.abs(h).sum(axis=1).mean(), 0.01 * 6]


def test_losses_are_the_terms_of_the_last_call_and_the_penalties():
    layer = Adding()
    assert layer.losses == []
    layer(X[:5])
    layer(X)
    assert layer.losses == pytest.approx(terms(), rel=1e-5)
    assert layer.dense.losses == pytest.approx(terms()[1:], rel=1e-5)
    layer.dense.trainable = False
    assert layer.losses == pytest.approx(terms()[:2], rel=1e-5)


@pytest.mark.parametrize(
    "regularizer", ["l1", thalweg.regularizers.OrthogonalRegularizer(0.5), lambda w: ops.sum(w) ** 2]
)
def test_every_penalty_is_one_of_the_losses(regularizer):
    dense = layers.Dense(
        2, kernel_initializer=np.array([[1.0, 0.0], [3.0, 4.0], [0.0, 1.0]]), kernel_regularizer=regularizer
    )
    dense(X)
    expected = {"L1": 0.09, "OrthogonalRegularizer": 0.5 * (0.6 + 0.8) / 3, "FunctionRegularizer": 81}
    assert dense.losses == pytest.approx([expected[type(dense.kernel_regularizer).__name__]])


@pytest.mark.parametrize("drawn", [False, True])
def test_those_of_a_model_are_what_evaluate_adds(drawn):
    x, inner, last = Input((3,)), Adding(), layers.Dense(1, kernel_regularizer="l2")
    model = Model(x, last(inner(x))) if drawn else Sequential([x, inner, last])
    model.compile("sgd", "mse")
    outputs = model(X)
    assert len(model.losses) == 4
    assert model.losses[:3] == pytest.approx(terms(), rel=1e-5)
    assert model.evaluate(X, np.zeros(32), verbose=0) == pytest.approx(
        (outputs**2).mean() + sum(model.losses), rel=1e-5
    )
    pickle.dumps(model)


def test_inside_of_a_loss_they_are_refused():
    class Own(Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1, kernel_regularizer="l2")

        def call(self, x):
            return self.dense(x)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return ops.mean(ops.square(y - y_pred)) + sum(self.losses)

    model = Own()
    model.compile("sgd")
    with pytest.raises(ThalwegError, match="added by themselves"):
        model.fit(X, X[:, :1], verbose=0)
