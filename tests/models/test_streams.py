"""Batches that are made one by one: training on them is training on the arrays that they make up."""

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, Sequential, utils
from thalweg.callbacks import LambdaCallback
from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.layers import Concatenate, Dense

X = np.random.default_rng(0).normal(size=(50, 4)).astype("f")
Y = X[:, :1] - X[:, 1:2]
W = np.random.default_rng(1).uniform(0, 2, 50).astype("f")


class Batches(utils.PyDataset):
    """The rows of arrays, in batches of ten."""

    def __init__(self, *arrays, rows=10, **kwargs):
        super().__init__(**kwargs)
        self.arrays, self.rows, self.ended, self.asked = arrays, rows, 0, []

    def __len__(self):
        return -(-len(self.arrays[0]) // self.rows)

    def __getitem__(self, index):
        self.asked.append(index)
        return tuple(a[index * self.rows :][: self.rows] for a in self.arrays)

    def on_epoch_end(self):
        self.ended += 1


def endless(*arrays, rows=10):
    while True:
        for first in range(0, len(arrays[0]), rows):
            yield tuple(a[first : first + rows] for a in arrays)


def compiled():
    model = Sequential([Dense(5, "tanh", input_dim=4), Dense(1)], seed=0)
    model.compile("adam", "mse", metrics=["mae"])
    return model


@pytest.mark.parametrize("arrays", [(X, Y), (X, Y, W)], ids=["x, y", "x, y, weights"])
@pytest.mark.parametrize(("make", "more"), [(Batches, {"shuffle": False}), (endless, {"steps_per_epoch": 5})])
def test_it_is_training_on_the_arrays(make, more, arrays):
    ours, plain = compiled(), compiled()
    history = ours.fit(make(*arrays), epochs=3, verbose=0, validation_data=make(*arrays), validation_steps=5, **more)
    weights = {} if len(arrays) == 2 else {"sample_weight": W}
    wanted = plain.fit(X, Y, batch_size=10, epochs=3, shuffle=False, verbose=0, validation_data=arrays, **weights)
    assert history.history == wanted.history
    assert all(np.array_equal(a, b) for a, b in zip(ours.get_weights(), plain.get_weights(), strict=True))
    assert ours.evaluate(make(*arrays), steps=5, verbose=0) == plain.evaluate(*arrays[:2], **weights, verbose=0)
    assert np.array_equal(ours.predict(make(X), steps=5), plain.predict(X))


def test_every_epoch_is_made_anew_and_in_another_order():
    data = Batches(X[:44], Y[:44])  # the last batch has 4 rows, and comes last
    seen = []
    compiled().fit(data, epochs=3, verbose=0, callbacks=[LambdaCallback(on_epoch_begin=lambda e, logs: seen.append(e))])
    orders = [tuple(data.asked[k : k + 5]) for k in range(0, 15, 5)]
    assert seen == [0, 1, 2]
    assert data.ended == 3
    assert len(set(orders)) == 3
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)
    again = Batches(X[:44], Y[:44])
    compiled().fit(again, epochs=3, verbose=0)
    assert again.asked == data.asked  # the model's seed fixes the order


def test_an_epoch_may_be_a_part_of_a_dataset():
    data = Batches(X, Y)
    history = compiled().fit(data, epochs=2, steps_per_epoch=2, verbose=0)
    assert len(data.asked) == 4
    assert len(history.epoch) == 2


def test_several_inputs_and_a_generator_that_ends():
    a, b = Input((2,), name="a"), Input((2,), name="b")
    model = Model([a, b], Dense(1)(Concatenate()([a, b])))
    model.compile("sgd", "mse")
    parts = ({"a": X[k : k + 25, :2], "b": X[k : k + 25, 2:]} for k in (0, 25))
    history = model.fit(((x, Y[:25]) for x in parts), verbose=0)
    assert len(history.history["loss"]) == 1
    assert model.predict({"a": X[:3, :2], "b": X[:3, 2:]} for _ in range(2)).shape == (6, 1)


def test_class_weights_and_an_unbuilt_model():
    model = Sequential([Dense(3, "softmax")], seed=0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    labels = np.arange(50) % 3
    model.fit(Batches(X, labels), class_weight={0: 2.0, 1: 0.0, 2: 1.0}, shuffle=False, epochs=2, verbose=0)
    plain = Sequential([Dense(3, "softmax")], seed=0)
    plain.compile("sgd", "sparse_categorical_crossentropy")
    plain.fit(X, labels, 10, 2, class_weight={0: 2.0, 1: 0.0, 2: 1.0}, shuffle=False, verbose=0)
    assert np.array_equal(model.get_weights()[0], plain.get_weights()[0])


def fit(x, **more):
    compiled().fit(x, verbose=0, **more)


WRONG = [
    (lambda: fit(Batches(X, Y), y=Y), ArgumentError, "leave out y, sample_weight"),
    (lambda: fit(Batches(X, Y), batch_size=5), ArgumentError, "leave out y, sample_weight"),
    (lambda: fit(endless(X, Y), steps_per_epoch=0), ArgumentError, "steps_per_epoch has to be a whole number"),
    (lambda: fit((b for b in [(X, Y)]), epochs=2), DataError, "generator has no more batches"),
    (lambda: fit((b for b in [(X, Y)]), steps_per_epoch=2), DataError, "ended after 1 of the 2 batches"),
    (lambda: fit(b for b in [(X[:2], Y[:2]), (X[:3], Y[:3]), (X[:2], Y[:2])]), ShapeError, "one number of rows"),
    (lambda: fit(b for b in [(X, Y, W, W)]), DataError, "got 4 parts"),
    (lambda: compiled().evaluate(Batches(X, Y), Y), ArgumentError, "give it alone"),
    (lambda: Batches(X, workers=4), ArgumentError, "leave out workers"),
]


@pytest.mark.parametrize(("make", "kind", "words"), WRONG)
def test_what_cannot_be_is_said_in_a_sentence(make, kind, words):
    with pytest.raises(kind, match=words):
        make()


def test_the_old_name_is_the_same():
    assert utils.Sequence is utils.PyDataset
    with pytest.raises(TypeError, match="abstract"):
        utils.PyDataset()
    assert Batches(X).num_batches == 5
    assert thalweg.utils.PyDataset.on_epoch_end(Batches(X)) is None
