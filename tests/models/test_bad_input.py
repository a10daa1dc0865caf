"""Bad input: an error of thalweg's own, one clear sentence that names what was given, and nothing changed."""

import re

import numpy as np
import pytest

from thalweg import Model, Sequential, activations, initializers, layers, load_model, regularizers, utils
from thalweg.errors import ArgumentError, DataError, DivergedError, ModelFileError, ShapeError, ThalwegError
from thalweg.layers import Activation, Dense, Dropout, Flatten, Input, LeakyReLU, Residual
from thalweg.optimizers import SGD

X = np.random.default_rng(0).normal(size=(20, 4))
Y = X[:, 0]
LABELS = np.arange(20) % 3


def regression():
    model = Sequential([Input((4,)), Dense(3, "tanh"), Dense(1)], seed=1)
    model.compile("sgd", "mse")
    return model


def classifier(loss="sparse_categorical_crossentropy"):
    model = Sequential([Input((4,)), Dense(3, "softmax")], seed=1)
    model.compile("sgd", loss)
    return model


def message(error, action):
    with pytest.raises(error) as caught:
        action()
    assert isinstance(caught.value, ThalwegError)
    text = str(caught.value)
    assert text
    assert "\n" not in text
    return text


# --- data ------------------------------------------------------------------------------------------------------------

LARGE = np.full((20, 4), 1e39)
TEXT = np.array([["a"] * 4] * 20)
MIXED = np.array([[1, "a", None, 2.0]] * 20, dtype=object)
BAD_DATA = {
    "more rows in y": (regression, X, np.zeros(21), ShapeError, "x has 20 rows but y has 21"),
    "fewer rows in y": (regression, X, np.zeros(3), ShapeError, "x has 20 rows but y has 3"),
    "too few columns": (regression, X[:, :3], Y, ShapeError, r"\(rows, 4\), x has the shape \(20, 3\)"),
    "an axis too many": (regression, X[:, :, None], Y, ShapeError, r"\(rows, 4\), x has the shape \(20, 4, 1\)"),
    "an axis too few": (regression, X[:, 0], Y, ShapeError, r"\(rows, 4\), x has the shape \(20\)$"),
    "a single row": (regression, X[0], Y, ShapeError, r"x has the shape \(4\); a single row is x\[None\]$"),
    "a single number": (regression, 3.0, Y, ShapeError, "x has to be an array of rows, got the single number 3.0"),
    "no rows": (regression, X[:0], Y[:0], DataError, "x has no rows"),
    "an empty list": (regression, [], [], DataError, "x has no rows"),
    "ragged rows": (regression, [[1, 2, 3, 4], [1, 2]], [1, 2], ShapeError, "x has rows of different lengths"),
    "text": (regression, TEXT, Y, DataError, "x has to be numbers, got text values"),
    "text in y": (regression, X, TEXT[:, 0], DataError, "y has to be numbers, got text values"),
    "mixed": (regression, MIXED, Y, DataError, "x has to be numbers, got mixed"),
    "None": (regression, None, Y, DataError, "x has to be numbers, got None"),
    "dates": (regression, np.full((20, 4), np.datetime64("2020-01-01")), Y, DataError, "x has to be numbers, got date"),
    "complex": (regression, X + 1j, Y, DataError, "x has to be numbers, got complex128"),
    "masked": (regression, np.ma.masked_greater(X, 0.5), Y, DataError, "x has masked values"),
    "a masked target": (regression, X, np.ma.masked_greater(Y, 0.5), DataError, "y has masked values"),
    "a number too large": (regression, LARGE, Y, DataError, "x holds a number too large for float32 in row 0"),
    "a target too large": (regression, X, LARGE[:, 0], DataError, "y holds a number too large for float32 in row 0"),
    "two columns of y": (regression, X, X[:, :2], ShapeError, r"\(rows, 2\).*needs \(rows, 1\)"),
    "label too high": (classifier, X, LABELS + 1, DataError, "0 to 2 for a network with 3 outputs, got 3 in row 2"),
    "label negative": (classifier, X, LABELS - 1, DataError, "0 to 2 .* got -1 in row 0"),
    "label broken": (classifier, X, LABELS + 0.5, DataError, "whole numbers .* got 0.5 in row 0"),
    "label missing": (classifier, X, np.where(LABELS == 1, np.nan, LABELS), DataError, "got nan in row 1"),
    "one-hot for sparse": (classifier, X, np.eye(3)[LABELS], ShapeError, "use categorical_crossentropy"),
    "numbers for one-hot": (
        lambda: classifier("categorical_crossentropy"), X, LABELS, ShapeError, "use sparse_categorical_crossentropy",
    ),
    "three classes of four": (
        lambda: classifier("categorical_crossentropy"), X, np.eye(4)[LABELS], ShapeError, r"\(rows, 4\).*\(rows, 3\)",
    ),
    "no probability": (
        lambda: classifier("binary_crossentropy"), X, 2 * np.eye(3)[LABELS], DataError, "between 0 and 1.* in row 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "x", "y", "error", "words"), BAD_DATA.values(), ids=BAD_DATA)
@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch", "validation"])
def test_bad_data_is_refused_before_anything_happens(make, x, y, error, words, method):
    model = make()
    model.build()
    before = model.vector.copy()
    if method == "validation":
        good = np.zeros(20) if make is regression else np.eye(3)[LABELS] if make is not classifier else LABELS
        text = message(error, lambda: model.fit(X, good, validation_data=(x, y), verbose=0))
    else:
        text = message(error, lambda: getattr(model, method)(x, y))
    assert re.search(words, text), text
    assert np.array_equal(model.vector, before)
    assert model.optimizer.iterations == model.epochs_trained == 0
    assert model.history is None


@pytest.mark.parametrize("name", [n for n, row in BAD_DATA.items() if "y" not in row[4] and row[1] is not X])
def test_predict_refuses_the_same_inputs(name):
    make, x, _, error, _ = BAD_DATA[name]
    message(error, lambda: make().predict(x))


def test_a_generator_of_rows_is_no_array():
    rows, model = (row for row in X), regression()
    for action in (lambda: model.fit(rows, Y), lambda: model.evaluate(rows, Y)):
        assert "generator makes batches (x, y) or (x, y, sample_weight)" in message(ArgumentError, action)
    for action in (lambda: model.train_on_batch(rows, Y), lambda: model.fit(X, rows)):
        assert "has to be numbers, got a generator" in message(DataError, action)
    assert "shape (rows, 4), x has the shape" in message(ShapeError, lambda: model.predict(rows))


ONES = np.ones(20)
BAD_FIT = {
    "batch size 0": ({"batch_size": 0}, ArgumentError, "batch_size .* at least 1, got 0"),
    "batch size of text": ({"batch_size": "32"}, ArgumentError, "batch_size has to be a whole number, got '32'"),
    "batch size 1.5": ({"batch_size": 1.5}, ArgumentError, "batch_size .* got 1.5"),
    "batch size True": ({"batch_size": True}, ArgumentError, "batch_size .* got True"),
    "negative epochs": ({"epochs": -1}, ArgumentError, "epochs .* got -1"),
    "epochs of text": ({"epochs": "ten"}, ArgumentError, "epochs .* got 'ten'"),
    "negative initial epoch": ({"initial_epoch": -1}, ArgumentError, "initial_epoch"),
    "verbose 3": ({"verbose": 3}, ArgumentError, "verbose is 0, 1, 2 or 'auto', got 3"),
    "lanes 0": ({"lanes": 0}, ArgumentError, "lanes .* got 0"),
    "lanes of text": ({"lanes": "all"}, ArgumentError, "lanes .* got 'all'"),
    "split 1": ({"validation_split": 1.0}, ArgumentError, "between 0 and 1, got 1.0"),
    "split -0.2": ({"validation_split": -0.2}, ArgumentError, "between 0 and 1, got -0.2"),
    "split of text": ({"validation_split": "0.2"}, ArgumentError, "between 0 and 1, got '0.2'"),
    "split too small": ({"validation_split": 0.99}, DataError, "leaves no row"),
    "validation of one array": ({"validation_data": X}, ArgumentError, r"validation_data is \(x, y\)"),
    "callbacks of text": ({"callbacks": ["stop"]}, ArgumentError, "got 'stop' in it"),
    "negative weights": ({"sample_weight": -ONES}, DataError, "sample_weight has to be finite and not negative"),
    "too few weights": ({"sample_weight": ONES[:3]}, ShapeError, "sample_weight has 3"),
    "weights of two columns": ({"sample_weight": np.ones((10, 2))}, ShapeError, r"one weight a row.*\(10, 2\)"),
    "shuffled as HDF5 is": ({"shuffle": "batch"}, ArgumentError, "shuffle is True or False, got 'batch'"),
    "text weights": ({"sample_weight": ["a"] * 20}, DataError, "sample_weight has to be numbers"),
    "weights too large": ({"sample_weight": 1e39 * ONES}, DataError, "sample_weight holds a number too large"),
    "class weights missing": (
        {"class_weight": {0: 1.0, 1: 1.0}},
        ArgumentError,
        r"no weight for class 2; it has \[0, 1\]",
    ),
    "class weights of a list": ({"class_weight": [1.0, 2.0]}, ArgumentError, "class_weight is a dict"),
    "class weights of nothing": ({"class_weight": {}}, ArgumentError, "class_weight is a dict"),
    "negative class weights": ({"class_weight": {0: 1, 1: 1, 2: -1}}, ArgumentError, "weight of class 2 .* got -1"),
    "class weights of text": ({"class_weight": {0: 1, 1: "a", 2: 1}}, ArgumentError, "class_weight"),
    "class names": ({"class_weight": {"a": 1, "b": 2, "c": 3}}, ArgumentError, "no weight for class 0"),
}


@pytest.mark.parametrize(("arguments", "error", "words"), BAD_FIT.values(), ids=BAD_FIT)
def test_bad_arguments_of_fit_are_refused_before_anything_happens(arguments, error, words):
    model = classifier()
    before = model.get_weights()
    with pytest.raises(error, match=words) as caught:
        model.fit(X, LABELS, **{"verbose": 0} | arguments)
    assert "\n" not in str(caught.value)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert model.history is None
    assert model.optimizer.iterations == 0


def test_bad_batch_sizes_of_the_others():
    model = regression()
    for action in (lambda: model.predict(X, batch_size=0), lambda: model.evaluate(X, Y, batch_size=-1)):
        assert "batch_size" in message(ArgumentError, action)
    assert "verbose" in message(ArgumentError, lambda: model.predict(X, verbose="loud"))
    assert "verbose" in message(ArgumentError, lambda: model.evaluate(X, Y, verbose="loud"))


def test_lanes_of_the_environment(monkeypatch):
    monkeypatch.setenv("THALWEG_LANES", "many")
    assert "THALWEG_LANES is a whole number, got 'many'" in message(ArgumentError, lambda: regression().fit(X, Y))
    monkeypatch.setenv("THALWEG_LANES", "2")
    model = Sequential([Input((4,)), Dense(1)], engine="reference")
    assert model.predict(X).shape == (20, 1)  # the reference engine has one lane whatever the environment says
    assert "one lane" in message(ArgumentError, lambda: model.predict(X, lanes=2))


# --- models ----------------------------------------------------------------------------------------------------------


def test_what_has_to_be_done_first_is_said():
    model = Sequential([Dense(1)])
    for action in (lambda: model.fit(X, Y), lambda: model.evaluate(X, Y), lambda: model.train_on_batch(X, Y)):
        assert "has to be compiled first: model.compile" in message(ThalwegError, action)
    assert "begin with Input" in message(ThalwegError, model.build)
    assert "begin with Input" in message(ThalwegError, model.get_weights)
    assert "begin with Input" in message(ThalwegError, lambda: model.input_shape)
    assert "no layers" in message(ThalwegError, lambda: Sequential().predict(X))
    nothing = Sequential([Input((4,)), Flatten()])
    nothing.compile("sgd", "mse")
    assert "no weights to train" in message(ThalwegError, lambda: nothing.fit(X, X))


def test_models_share_a_layer_that_fits_but_a_block_has_its_own():
    layer = Dense(1)
    first, second = Sequential([Input((4,)), layer]), Sequential([Input((4,)), Dense(4, name="other"), layer])
    before = first.get_weights()
    wrong = Sequential([Input((4,)), Dense(3), layer])
    assert (
        "'dense' with inputs of shape (3,): W of layer 'dense' has the shape (4, 1), for rows of shape (4,), but rows "
        "of another shape would need (3, 1)"
    ) in message(ShapeError, wrong.build)
    wrong.pop()
    wrong.add(Dense(2))
    assert wrong.predict(X).shape == (20, 2)  # the failure left nothing behind
    second.compile("sgd", "mse")
    second.fit(X, X[:, :1], verbose=0)
    after = first.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(second.get_weights()[2:], after, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert first.predict(X).shape == (20, 1)
    model = Sequential([Input((4,)), other := Dense(4)])
    assert "already in the model" in message(ArgumentError, lambda: model.add(other))
    assert len(model.layers) == 1
    inside = Sequential([Input((4,)), Residual([Dense(4), other])])
    model.build()
    assert "already belongs" in message(ThalwegError, inside.build)
    assert model.predict(X).shape == (20, 4)


def test_an_optimizer_belongs_to_one_model():
    """It counts the steps: shared, two models would spoil each other's count."""
    optimizer, first, second = SGD(0.1), regression(), regression()
    first.compile(optimizer, "mse")
    assert "this SGD belongs to another model" in message(ArgumentError, lambda: second.compile(optimizer, "mse"))
    assert second.optimizer is not optimizer
    first.fit(X, Y, verbose=0)
    first.compile(optimizer, "mae")  # its own may use it again, and it starts afresh
    assert optimizer.iterations == 0


def test_layers_that_do_not_fit_name_both_shapes_and_can_be_replaced():
    model = Sequential([Input((4,)), Dense(3), Residual([Dense(5)])])
    assert "(3,) into (5,)" in message(ShapeError, model.build)
    assert not model.built
    assert not any(layer.built for layer in model.layers)
    model.pop()
    model.add(Residual([Dense(3)]))
    assert model.predict(X).shape == (20, 3)


def test_adding_what_is_no_layer():
    model = Sequential([Input((4,)), Dense(3, name="a")])
    for thing in ("relu", Dense, None, 3, [Dense(1)]):
        assert "made of layers" in message(ArgumentError, lambda thing=thing: model.add(thing))
    assert "Input comes first" in message(ArgumentError, lambda: model.add(Input((3,))))
    assert "two layers are called 'a'" in message(ArgumentError, lambda: model.add(Dense(3, name="a")))
    assert len(model.layers) == 1
    model.build()
    outer = Sequential([Input((4,)), Dense(4)])
    Model(x := Input((4,)), outer(x))
    assert "layer of another model" in message(ThalwegError, lambda: outer.add(Dense(1)))
    assert "layer of another model" in message(ThalwegError, outer.pop)
    assert "no layers" in message(ArgumentError, Sequential().pop)
    assert "Choose from: a" in message(ArgumentError, lambda: model.get_layer("b"))
    assert "none at index 5" in message(ArgumentError, lambda: model.get_layer(index=5))
    assert "name or an index" in message(ArgumentError, model.get_layer)


def test_the_choices_are_listed_once_each():
    said = message(ArgumentError, lambda: regression().compile("sdg", "mse"))
    listed = said.partition("Choose from: ")[2].split(", ")
    assert sorted({name.lower() for name in listed}) == sorted(listed)


def test_things_print_as_what_they_are():
    model = regression()
    assert repr(model) == "<Sequential sequential: 2 layers, not built>"
    assert repr(Dense(3)) == "<Dense (unnamed)>"
    model.build()
    assert repr(model.layers) == "[<Dense dense: (4,) → (3,)>, <Dense dense_1: (3,) → (1,)>]"
    assert repr(model.optimizer) == "<SGD: learning rate 0.01, 0 steps done>"


def test_compiling_wrongly_changes_nothing():
    for model in (regression(), Sequential([Dense(1)])):
        model.compile(SGD(0.3), "mae", ["mse"])
        for arguments, words in (
            (("sdg", "mse"), "unknown optimizer 'sdg'; did you mean 'sgd'"),
            (("sgd", "msee"), "unknown loss 'msee'; did you mean 'mse'"),
            (("sgd", "mse", ["acuracy"]), "unknown metric 'acuracy'"),
            (("sgd", "mse", [3]), "got 3"),
            (("sgd", "mse", 3), "metrics"),
            (("sgd", 3), "unknown loss 3"),
            ((None, "mse"), "compile needs an optimizer"),
            ((SGD, "mse"), "the optimizer SGD is a class: make one, SGD(…)"),
        ):
            assert words in message(ArgumentError, lambda m=model, a=arguments: m.compile(*a))
        assert model.optimizer.learning_rate == 0.3
        assert model.loss.name == "mean_absolute_error"
        assert model.metric_names == ["mse"]
    built = classifier()
    built.build()
    assert "metric 'mean_squared_error' needs targets of shape (3,)" in message(
        ShapeError, lambda: built.compile("sgd", "sparse_categorical_crossentropy", ["mse"])
    )
    assert built.metric_names == []


@pytest.mark.parametrize(
    ("weights", "error", "words"),
    [
        ([np.zeros((4, 3))], ShapeError, "got 1 arrays for 4"),
        ([np.zeros((3, 4)), np.zeros(3), np.zeros((3, 1)), np.zeros(1)], ShapeError, r"dense/W .*\(4, 3\).*\(3, 4\)"),
        ([np.full((4, 3), "a"), np.zeros(3), np.zeros((3, 1)), np.zeros(1)], DataError, "dense/W have to be numbers"),
        ([[[1], [1, 2]], np.zeros(3), np.zeros((3, 1)), np.zeros(1)], ShapeError, "dense/W don't form an array"),
        ([np.zeros((4, 3)), np.zeros(3), np.zeros((3, 1)), np.array([1e39])], DataError, "dense_1/b .* too large"),
    ],
)
def test_weights_that_do_not_fit_change_nothing(weights, error, words):
    model = regression()
    before = model.get_weights()
    with pytest.raises(error, match=words) as caught:
        model.set_weights(weights)
    assert "\n" not in str(caught.value)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


# --- arguments of every part -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Dense(0), "Dense's units .* at least 1, got 0"),
        (lambda: Dense(-3), "got -3"),
        (lambda: Dense(2.0), "Dense's units has to be a whole number, got 2.0"),
        (lambda: Dense("2"), "got '2'"),
        (lambda: Dense(2, "rleu"), "unknown activation 'rleu'; did you mean 'relu'"),
        (lambda: Dense(2, kernel_initializer="glorot"), "unknown initializer 'glorot'.*Choose from: .*glorot_uniform"),
        (lambda: Dense(2, kernel_initializer=3), "an initializer is a name"),
        (lambda: Dense(2, kernel_regularizer="l3"), "unknown regularizer 'l3'"),
        (lambda: Dense(2, bias_regularizer=0.1), "unknown regularizer 0.1"),
        (lambda: Dense(2, name="a/b"), "without '/', got 'a/b'"),
        (lambda: Dense(2, name=""), "got ''"),
        (lambda: Dropout(1.0), r"Dropout's rate .*\[0, 1\), got 1.0"),
        (lambda: Dropout(-0.1), "got -0.1"),
        (lambda: Dropout("half"), "got 'half'"),
        (lambda: Dropout(float("nan")), "got nan"),
        (lambda: Dropout(0.5, seed=-1), "Dropout's seed"),
        (lambda: LeakyReLU(-0.1), "LeakyReLU's negative_slope .* got -0.1"),
        (lambda: LeakyReLU("a"), "got 'a'"),
        (lambda: Input((0,)), "at least 1, got 0"),
        (lambda: Input((None, None, 3)), "only the first axis"),
        (lambda: Input(None), "Input takes a shape"),
        (lambda: Input((2.5,)), "got 2.5"),
        (lambda: Residual([]), "at least one layer"),
        (lambda: Residual([3]), "a list of layers, got 3"),
        (lambda: Activation("soft"), "unknown activation 'soft'"),
        (
            lambda: layers.deserialize({"class_name": "Dense2", "config": {}}),
            "unknown layer 'Dense2'.*did you mean 'Dense'",
        ),
        (lambda: activations.get(3), "got 3"),
        (lambda: initializers.RandomNormal(stddev=-1.0), "RandomNormal's stddev"),
        (lambda: initializers.RandomUniform(1.0, 0.0), "RandomUniform's maxval"),
        (lambda: initializers.Constant("a"), "Constant's value"),
        (lambda: initializers.VarianceScaling(0.0), "scale has to be greater than 0, got 0.0"),
        (lambda: initializers.VarianceScaling(mode="fan"), "fan_avg, fan_in, fan_out"),
        (lambda: initializers.VarianceScaling(distribution="normal"), "truncated_normal"),
        (lambda: regularizers.get(3), "unknown regularizer 3"),
        (lambda: Sequential(seed=-1), "Sequential's seed"),
        (lambda: Sequential(seed=1.5), "Sequential's seed"),
        (lambda: Sequential(seed=2**63), "less than 2⁶³"),
        (lambda: Sequential(engine="gpu"), "unknown engine 'gpu'.*Choose from: jax, native, reference"),
        (lambda: Sequential(dtype="float64"), "needs engine='reference'"),
        (lambda: Sequential(dtype="float16", engine="reference"), "float32, float64"),
        (lambda: Sequential(dtype="real", engine="reference"), "float32, float64"),
        (lambda: regression().program("learning"), "evaluation, inference, training"),
        (lambda: regression().program(batch_size=0), "batch_size"),
        (lambda: utils.set_random_seed(-1), "a seed is a whole number from 0, got -1"),
        (lambda: utils.set_random_seed("x"), "got 'x'"),
    ],
)
def test_an_argument_out_of_range_is_said_in_one_sentence(make, words):
    with pytest.raises(ArgumentError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("labels", [["a"], [0.5], [-1], [], [np.nan]])
def test_to_categorical_takes_class_numbers(labels):
    assert "whole numbers from 0" in message(DataError, lambda: utils.to_categorical(labels))
    assert "class 3 is not below num_classes=3" in message(DataError, lambda: utils.to_categorical([0, 3], 3))


def test_every_error_is_of_one_family_and_of_the_usual_builtin_kind():
    for kind, builtin in ((DataError, ValueError), (ShapeError, ValueError), (ArgumentError, ValueError)):
        assert issubclass(kind, ThalwegError)
        assert issubclass(kind, builtin)
    assert "there is no model file" in message(ModelFileError, lambda: load_model("/nowhere/model"))


def test_a_nan_among_the_targets_of_one_of_two_outputs_is_named():
    a = Input((2,))
    model = Model(a, [Dense(1, name="one")(a), Dense(1, name="two")(a)])
    model.compile("sgd", ["mse", "mae"])
    y = np.ones((6, 1))
    y[4] = np.nan
    with pytest.raises(DivergedError, match="y2 at row 4"):
        model.fit(np.ones((6, 2)), [np.ones((6, 1)), y], epochs=1, verbose=0)
