"""fit, evaluate and predict: the contract that users of Keras know."""

import threading

import numpy as np
import pytest

import thalweg
from thalweg import Sequential
from thalweg.layers import Dense, Flatten, Input
from thalweg.optimizers import SGD

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(50, 4))
Y = X @ [1.0, -2.0, 0.5, 0.0] + 0.1 * RANDOM.normal(size=50)
LABELS = (Y > 0).astype(int) + (Y > 1)
FLOAT64 = {"engine": "reference", "dtype": "float64"}
ENGINES = pytest.mark.parametrize("options", [{}, FLOAT64], ids=["native", "reference"])


def regression(rate=0.05, **options):
    model = Sequential([Input((4,)), Dense(6, "tanh"), Dense(1)], seed=3, **options)
    model.compile(SGD(rate), "mse", metrics=["mae"])
    return model


def classifier(**options):
    model = Sequential([Input((4,)), Dense(6, "tanh"), Dense(3, "softmax")], seed=3, **options)
    model.compile(SGD(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def same(model, other):
    return all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights(), strict=True))


def fit(model, x=X, y=Y, **more):
    return model.fit(x, y, verbose=0, **more).history


# --- batches and order -----------------------------------------------------------------------------------------------


@ENGINES
@pytest.mark.parametrize("batch_size", [1, 7, 25, 50])
def test_every_batch_is_a_step_and_the_last_one_is_smaller(options, batch_size):
    model, by_hand = regression(**options), regression(**options)
    fit(model, batch_size=batch_size, epochs=2, shuffle=False)
    assert model.optimizer.iterations == 2 * -(-50 // batch_size)
    for _ in range(2):
        for first in range(0, 50, batch_size):
            by_hand.train_on_batch(X[first : first + batch_size], Y[first : first + batch_size])
    assert same(model, by_hand)


def test_the_batch_size_is_32_unless_said_and_never_more_than_the_rows():
    default, said = regression(), regression()
    fit(default)
    fit(said, batch_size=32)
    assert same(default, said)
    assert default.optimizer.iterations == 2
    larger, all_rows = regression(), regression()
    fit(larger, batch_size=1000)
    fit(all_rows, batch_size=50)
    assert same(larger, all_rows)
    assert larger.optimizer.iterations == 1


@ENGINES
def test_shuffling_takes_every_row_once_in_a_new_order_each_epoch(options):
    from thalweg.program.ir.counter import permutation

    shuffled, by_hand = regression(**options), regression(**options)
    fit(shuffled, batch_size=8, epochs=2)
    for epoch in range(2):
        order = permutation(3, epoch, 50)
        for first in range(0, 50, 8):
            rows = order[first : first + 8]
            by_hand.train_on_batch(X[rows], Y[rows])
    assert same(shuffled, by_hand)
    straight = regression(**options)
    fit(straight, batch_size=8, epochs=2, shuffle=False)
    assert not same(shuffled, straight)


@ENGINES
def test_the_loss_of_an_epoch_is_the_mean_over_all_rows(options):
    model = regression(rate=0.0, **options)
    history = fit(model, batch_size=7, epochs=2)
    loss, mae = model.evaluate(X, Y)
    assert history["loss"] == pytest.approx([loss] * 2, rel=1e-6)
    assert history["mae"] == pytest.approx([mae] * 2, rel=1e-6)
    assert loss == pytest.approx(((model.predict(X)[:, 0] - Y) ** 2).mean(), rel=1e-6)


def test_epochs_is_the_number_of_the_last_epoch():
    model = regression()
    history = model.fit(X, Y, epochs=5, initial_epoch=2, verbose=0)
    assert history is model.history
    assert history.epoch == [2, 3, 4]
    assert len(history.history["loss"]) == 3
    assert history.records()[0] == {"epoch": 2, "loss": history.history["loss"][0], "mae": history.history["mae"][0]}
    assert model.fit(X, Y, epochs=0, verbose=0).history == {}
    assert model.fit(X, Y, epochs=2, initial_epoch=2, verbose=0).epoch == []


# --- validation ------------------------------------------------------------------------------------------------------


@ENGINES
def test_validation_split_holds_back_the_last_rows(options):
    split, given = regression(**options), regression(**options)
    first = fit(split, validation_split=0.3, epochs=3)
    second = fit(given, X[:35], Y[:35], validation_data=(X[35:], Y[35:]), epochs=3)
    assert first == second
    assert same(split, given)
    assert list(first) == ["loss", "mae", "val_loss", "val_mae"]
    assert first["val_loss"][-1] == pytest.approx(split.evaluate(X[35:], Y[35:])[0], rel=1e-6)


def test_validation_data_goes_before_validation_split():
    one, other = regression(), regression()
    assert fit(one, validation_data=(X[:5], Y[:5]), validation_split=0.5) == fit(other, validation_data=(X[:5], Y[:5]))


def test_validation_rows_may_be_weighted():
    model = regression(rate=0.0)
    weight = np.arange(50) / 10
    loss = fit(model, validation_data=(X, Y, weight))["val_loss"][0]
    assert loss == pytest.approx((weight * (model.predict(X)[:, 0] - Y) ** 2).mean(), rel=1e-5)
    assert fit(model, sample_weight=weight, validation_split=0.2)["val_loss"][0] == pytest.approx(
        model.evaluate(X[40:], Y[40:], sample_weight=weight[40:])[0], rel=1e-6
    )


# --- weights of rows -------------------------------------------------------------------------------------------------


@ENGINES
def test_class_weight_is_the_equivalent_sample_weight(options):
    by_class, by_row = classifier(**options), classifier(**options)
    weights = {0: 0.5, 1: 3.0, 2: 1.25}
    rows = np.array([weights[label] for label in LABELS.tolist()])
    assert fit(by_class, y=LABELS, class_weight=weights, epochs=3) == fit(
        by_row, y=LABELS, sample_weight=rows, epochs=3
    )
    assert same(by_class, by_row)
    both, product = classifier(**options), classifier(**options)
    more = np.arange(50) / 16
    fit(both, y=LABELS, class_weight=weights, sample_weight=more)
    fit(product, y=LABELS, sample_weight=more * rows)
    assert same(both, product)


def test_class_weight_counts_one_hot_targets_too():
    numbers, one_hot = classifier(), classifier()
    one_hot.compile(SGD(0.05), "categorical_crossentropy", metrics=["accuracy"])
    weights = {0: 0.5, 1: 3.0, 2: 1.25}
    fit(numbers, y=LABELS, class_weight=weights)
    fit(one_hot, y=np.eye(3)[LABELS], class_weight=weights)
    for a, b in zip(numbers.get_weights(), one_hot.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_class_weight_is_for_training_alone():
    plain, weighted = classifier(), classifier()
    plain.optimizer.learning_rate = weighted.optimizer.learning_rate = 0.0
    weights = {0: 0.5, 1: 3.0, 2: 1.25}
    one, other = (
        fit(plain, y=LABELS, validation_split=0.4),
        fit(weighted, y=LABELS, validation_split=0.4, class_weight=weights),
    )
    assert one["val_loss"] == other["val_loss"]
    assert one["loss"] != other["loss"]


@ENGINES
def test_rows_of_weight_0_count_for_nothing_but_the_number_of_rows(options):
    weight = np.ones(50)
    weight[30:] = 0
    weighted, fewer = regression(**options), regression(0.05 * 30 / 50, **options)
    fit(weighted, sample_weight=weight, batch_size=50, epochs=3)
    fit(fewer, X[:30], Y[:30], batch_size=30, epochs=3)
    for a, b in zip(weighted.get_weights(), fewer.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


# --- shapes ----------------------------------------------------------------------------------------------------------


@ENGINES
def test_one_column_of_targets_has_either_shape(options):
    flat, column = regression(**options), regression(**options)
    assert fit(flat) == fit(column, y=Y[:, None])
    assert same(flat, column)
    assert flat.predict(X).shape == (50, 1)


@ENGINES
def test_one_row(options):
    model = regression(**options)
    before = model.evaluate(X[:1], Y[:1])[0]
    fit(model, X[:1], Y[:1], epochs=20)
    assert model.evaluate(X[:1], Y[:1])[0] < before / 2
    assert model.predict(X[:1]).shape == (1, 1)


def test_one_number_a_row_is_an_input_of_one_column():
    model = Sequential([Dense(1)], seed=3)
    model.compile(SGD(0.1), "mse")
    model.fit(np.arange(10.0), 2 * np.arange(10.0), verbose=0)
    assert model.input_shape == (None, 1)
    assert model.predict([1.0, 2.0]).shape == (2, 1)


def test_images_through_flatten_and_through_dense_on_the_last_axis():
    images = RANDOM.normal(size=(20, 5, 3))
    flat = Sequential([Flatten(), Dense(1)], seed=3)
    flat.compile(SGD(0.01), "mse")
    history = flat.fit(images, images.sum(axis=(1, 2)), epochs=30, verbose=0).history["loss"]
    assert history[-1] < history[0] / 2
    last = Sequential([Dense(2, "tanh"), Dense(3)], seed=3)
    last.compile(SGD(0.05), "mse", metrics=["mae", "mse"])
    history = last.fit(images, images, epochs=30, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert history["loss"] == pytest.approx(history["mse"], rel=1e-6)
    assert last.predict(images).shape == (20, 5, 3)


@pytest.mark.parametrize("kind", ["int8", "uint8", "int64", "bool", "float16", "float32", "float64", "list", "fortran"])
def test_numbers_of_any_kind_are_taken(kind):
    x = RANDOM.integers(0, 2, (50, 4))
    given = x.tolist() if kind == "list" else np.asfortranarray(x) if kind == "fortran" else x.astype(kind)
    one, other = regression(), regression()
    fit(one, x.astype(np.float32))
    fit(other, given)
    assert same(one, other)
    assert np.array_equal(one.predict(given), one.predict(x[:, :]))


def test_the_arrays_given_are_not_changed():
    x, y, weight = (a.astype(np.float32) for a in (X, Y[:, None], np.ones((50, 1))))
    before = [a.copy() for a in (x, y, weight)]
    model = regression()
    fit(model, x, y, sample_weight=weight, epochs=2)
    model.evaluate(x, y)
    model.predict(x)
    assert all(np.array_equal(a, b) for a, b in zip(before, (x, y, weight), strict=True))


def test_strided_views_are_read_rightly():
    wide = np.repeat(X.astype(np.float32), 2, axis=1)
    one, other = regression(), regression()
    fit(one)
    fit(other, wide[:, ::2], Y[::-1][::-1])
    assert same(one, other)


# --- evaluate, predict, one batch ------------------------------------------------------------------------------------


@ENGINES
def test_evaluate_answers_in_keras_forms(options):
    model = regression(**options)
    loss, mae = model.evaluate(X, Y)
    assert model.evaluate(X, Y, return_dict=True) == {"loss": loss, "mae": mae}
    assert model.test_on_batch(X, Y) == [loss, mae]
    assert model.test_on_batch(X, Y, return_dict=True) == {"loss": loss, "mae": mae}
    model.compile("sgd", "mse")
    assert model.evaluate(X, Y) == loss  # a number where there are no metrics
    assert model.evaluate(X, Y, batch_size=7) == pytest.approx(loss, rel=1e-6)


@ENGINES
def test_train_on_batch_answers_with_the_loss_before_the_step(options):
    model = regression(**options)
    before = model.evaluate(X, Y)
    assert model.train_on_batch(X, Y) == pytest.approx(before, rel=1e-6)
    assert model.evaluate(X, Y)[0] < before[0]
    weights = np.arange(50) / 10
    expected = model.evaluate(X, Y, sample_weight=weights)[0]
    assert model.train_on_batch(X, Y, sample_weight=weights, return_dict=True)["loss"] == pytest.approx(
        expected, rel=1e-6
    )


@ENGINES
def test_predict_is_the_same_in_every_form(options):
    model = regression(**options)
    whole = model.predict(X)
    assert whole.dtype == model.dtype
    assert np.array_equal(model(X), whole)
    assert np.array_equal(model.predict_on_batch(X), whole)
    np.testing.assert_allclose(model.predict(X, batch_size=7), whole, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(np.concatenate([model.predict(row[None]) for row in X]), whole, rtol=1e-6, atol=1e-6)


def test_a_fit_in_another_thread_needs_no_signals():
    model, results = regression(), []
    thread = threading.Thread(target=lambda: results.append(fit(model, epochs=3)))
    thread.start()
    thread.join()
    other = regression()
    assert fit(other, epochs=3) == results[0]
    assert same(model, other)


def test_a_model_is_frozen_as_a_whole_as_in_keras():
    model = regression()
    model.trainable = False
    assert [layer.trainable for layer in model.layers] == [False, False]
    with pytest.raises(thalweg.errors.ThalwegError, match="no weights to train"):
        fit(model)
    model.trainable = True
    assert model.trainable
    before = model.get_weights()
    fit(model)
    assert all(not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_the_history_knows_what_was_asked_for():
    history = regression().fit(X, Y, epochs=3, batch_size=10, verbose=0)
    assert history.params == {"epochs": 3, "steps": 5, "verbose": 0}
