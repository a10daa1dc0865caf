"""Batches that are made one by one: training on them is training on the arrays that they make up."""

import signal
import threading
import time

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, Sequential, utils
from thalweg.callbacks import LambdaCallback
from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.layers import Concatenate, Dense, Normalization
from thalweg.support import progress

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


def uneven():
    for first, after in ((0, 5), (5, 15), (15, 18), (18, 28), (28, 40), (40, 50)):
        yield X[first:after], Y[first:after], W[first:after]


def broken():
    yield X[:10], Y[:10]
    raise KeyError("rows")


class Broken(Batches):
    def __getitem__(self, index):
        if index == 2:
            raise OSError(2)
        return super().__getitem__(index)


class Growing:
    """As tf.data's datasets of unknown length: passes of so many batches."""

    def __init__(self, *counts):
        self.counts, self.made = counts, 0

    def as_numpy_iterator(self):
        self.made += 1
        return iter([(X[:10], Y[:10])] * self.counts[min(self.made, len(self.counts)) - 1])


def fit(x, **more):
    compiled().fit(x, verbose=0, **more)


WRONG = [
    (lambda: fit(Batches(X, Y), y=Y), ArgumentError, "leave out y, sample_weight"),
    (lambda: fit(Batches(X, Y), batch_size=5), ArgumentError, "leave out y, sample_weight"),
    (lambda: fit(endless(X, Y), steps_per_epoch=0), ArgumentError, "steps_per_epoch has to be a whole number"),
    (lambda: fit((b for b in [(X, Y)]), epochs=2), DataError, "generator has no more batches"),
    (lambda: fit((b for b in [(X, Y)]), steps_per_epoch=2), DataError, "ended after 1 of the 2 batches"),
    (lambda: fit((b for b in uneven()), record=True), ShapeError, "one number of rows"),
    (lambda: fit(b for b in [(X, Y, W, W)]), DataError, "got 4 parts"),
    (lambda: compiled().evaluate(Batches(X, Y), Y), ArgumentError, "give it alone"),
    (lambda: Batches(X, workers=-1), ArgumentError, "workers has to be a whole number"),
    (lambda: fit(broken()), DataError, "generator failed in batch 2 of a pass: KeyError: 'rows'"),
    (lambda: compiled().evaluate(broken()), DataError, "failed in batch 2"),
    (lambda: compiled().predict(broken()), DataError, "failed in batch 2"),
    (lambda: fit(Broken(X, Y, workers=2), shuffle=False), DataError, "Broken failed in batch 3 of a pass: OSError: 2"),
    (lambda: fit(Growing(3, 4), epochs=2), DataError, "has more than the 3 batches"),
    (lambda: fit(Growing(3, 2), epochs=2), DataError, "ended after 2 of the 3 batches"),
    (lambda: compiled().evaluate(Batches(X, Y), batch_size=3), ArgumentError, "leave out batch_size"),
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


class Log(LambdaCallback):
    """What is made and trained on, in turn."""

    def __init__(self):
        self.seen = []
        super().__init__(on_train_batch_end=lambda batch, logs: self.seen.append(f"trained {batch}"))

    def slow(self, count, seconds=0.06):
        for k in range(count):
            time.sleep(seconds)
            self.seen.append(f"made {k}")
            yield X[:10], Y[:10]


def test_a_batch_is_trained_on_before_the_next_one_is_made():
    log = Log()
    compiled().fit(log.slow(4), steps_per_epoch=4, verbose=0, callbacks=[log])
    assert log.seen == [f"{what} {k}" for k in range(4) for what in ("made", "trained")]


def test_without_a_length_one_more_is_made_to_see_the_end():
    log, params = Log(), []
    model = compiled()
    watch = LambdaCallback(on_train_begin=lambda logs: params.append(model.history.params["steps"]))
    model.fit(log.slow(4), verbose=0, callbacks=[log, watch])
    made = [line for line in log.seen if line.startswith("made")]
    assert log.seen.index("trained 0") < log.seen.index("made 3")
    assert len(made) == 4
    assert params == [None]


def test_uneven_batches_are_trained_on_as_they_are():
    ours, plain = compiled(), compiled()
    loss = ours.fit(uneven(), verbose=0).history["loss"][0]
    logs = [(len(x), plain.train_on_batch(x, y, w)[0]) for x, y, w in uneven()]
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(ours.get_weights(), plain.get_weights(), strict=True))
    assert np.isclose(loss, sum(n * value for n, value in logs) / 50, rtol=1e-5)
    ours, plain = compiled(), compiled()
    ours.fit(uneven(), steps_per_epoch=6, verbose=0)
    plain.fit(Ones(list(uneven())), shuffle=False, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(ours.get_weights(), plain.get_weights(), strict=True))
    assert np.allclose(ours.evaluate(uneven(), verbose=0), ours.evaluate(X, Y, sample_weight=W, verbose=0))
    assert np.allclose(ours.predict(x for x, _, _ in uneven()), ours.predict(X), atol=1e-6)


def test_weights_of_some_batches_only():
    ours, plain = compiled(), compiled()
    parts = [(X[:8], Y[:8]), (X[8:16], Y[8:16], W[8:16]), (X[16:24], Y[16:24])]
    ours.fit(iter(parts), verbose=0)
    for part in parts:
        plain.train_on_batch(*part)
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(ours.get_weights(), plain.get_weights(), strict=True))


class Ones(utils.PyDataset):
    def __init__(self, batches):
        self.parts = batches  # without the base's __init__, as older programs

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, index):
        return self.parts[index]


def test_a_smaller_last_batch_of_a_slow_stream():
    def parts():
        for first in range(0, 44, 10):
            time.sleep(0.06)
            yield X[first : min(first + 10, 44)], Y[first : min(first + 10, 44)]

    plain = compiled()
    wanted = plain.fit(X[:44], Y[:44], batch_size=10, shuffle=False, verbose=0).history
    for more in ({}, {"steps_per_epoch": 5}):
        ours = compiled()
        assert ours.fit(parts(), verbose=0, **more).history == wanted
        assert all(np.array_equal(a, b) for a, b in zip(ours.get_weights(), plain.get_weights(), strict=True))


@pytest.mark.parametrize("more", [{"workers": 3}, {"workers": 3, "max_queue_size": 1}, {"workers": 0}])
def test_workers_change_nothing(more):
    ours, plain = compiled(), compiled()
    arrays = X[:44], Y[:44], W[:44]
    data = Batches(*arrays, **more)
    assert ours.fit(data, epochs=3, verbose=0).history == plain.fit(Batches(*arrays), epochs=3, verbose=0).history
    assert data.ended == 3
    assert ours.evaluate(data, verbose=0) == plain.evaluate(Batches(*arrays), verbose=0)
    assert np.array_equal(ours.predict(data), plain.predict(X[:44]))


def test_processes_change_nothing_either():
    ours, plain = compiled(), compiled()
    data = Batches(X[:44], Y[:44], workers=2, use_multiprocessing=True)
    wanted = plain.fit(Batches(X[:44], Y[:44]), epochs=2, verbose=0).history
    assert ours.fit(data, epochs=2, verbose=0).history == wanted
    assert data.ended == 2
    assert not data.asked  # it was another process


class Endless(utils.PyDataset):
    def __len__(self):
        return 1000

    def __getitem__(self, index):
        time.sleep(0.01)
        return X[:10], Y[:10]


def test_ctrl_c_ends_the_workers():
    pressed = LambdaCallback(on_train_batch_end=lambda batch, logs: batch == 3 and signal.raise_signal(signal.SIGINT))
    model = compiled()
    with pytest.raises(KeyboardInterrupt):
        model.fit(Endless(workers=4), verbose=0, callbacks=[pressed])
    assert model.history.interrupted
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and any("thalweg-batches" in t.name for t in threading.enumerate()):
        time.sleep(0.01)
    assert not any("thalweg-batches" in t.name for t in threading.enumerate())


def test_what_a_generator_raises_is_the_cause():
    with pytest.raises(DataError) as caught:
        fit(broken(), steps_per_epoch=5)
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_stream_of_tensorflow_s_kind():
    ours, plain = compiled(), compiled()
    wanted = plain.fit(np.tile(X[:10], (3, 1)), np.tile(Y[:10], (3, 1)), 10, 2, shuffle=False, verbose=0).history
    assert ours.fit(Growing(3), epochs=2, verbose=0, validation_data=Growing(2)).history["loss"] == wanted["loss"]


def test_a_loader_of_pytorch():
    torch = pytest.importorskip("torch")
    from torch.utils.data import DataLoader, TensorDataset

    loader = DataLoader(TensorDataset(torch.tensor(X), torch.tensor(Y)), batch_size=8)
    ours, plain = compiled(), compiled()
    history = ours.fit(loader, epochs=2, verbose=0, validation_data=loader).history
    wanted = plain.fit(X, Y, 8, 2, shuffle=False, verbose=0, validation_data=(X, Y)).history
    assert history == wanted
    assert ours.evaluate(loader, verbose=0) == plain.evaluate(X, Y, verbose=0)
    assert np.array_equal(ours.predict(loader), plain.predict(X))
    mean = Normalization()
    mean.adapt(x for x, _ in loader)
    assert np.allclose(mean.mean, X.mean(axis=0))


def test_validation_is_made_anew_after_each_epoch():
    held = Batches(X, Y)
    compiled().fit(X, Y, epochs=3, verbose=0, validation_data=held)
    assert held.ended == 3
    taken = []
    tapped = (taken.append(1) or batch for batch in endless(X, Y))
    compiled().fit(X, Y, epochs=3, verbose=0, validation_data=tapped, validation_steps=2)
    assert len(taken) == 6
    once = ((X[k : k + 10], Y[k : k + 10]) for k in range(0, 50, 10))
    history = compiled().fit(X, Y, epochs=2, verbose=0, validation_data=once).history
    assert len(history["val_loss"]) == 2


def test_callbacks_see_the_batches_of_an_evaluation():
    model, seen = compiled(), []
    model.fit(X, Y, verbose=0)
    listener = LambdaCallback(on_test_batch_end=lambda batch, logs: seen.append((batch, logs["loss"])))
    scores = model.evaluate(Batches(X, Y), verbose=0, callbacks=[listener])
    assert [batch for batch, _ in seen] == [0, 1, 2, 3, 4]
    assert seen[-1][1] == scores[0]
    assert np.allclose(scores, model.evaluate(X, Y, verbose=0))
    stop = LambdaCallback(on_test_batch_end=lambda batch, logs: setattr(model, "stop_evaluating", batch == 1))
    assert model.evaluate(Batches(X, Y), verbose=0, callbacks=[stop])[0] == seen[1][1]


def test_a_line_says_how_many_rows_were_predicted(capsys):
    compiled().predict(Batches(X, Y), verbose=1)
    assert capsys.readouterr().out.startswith("50 rows in")


def test_a_long_epoch_without_a_length_says_its_steps(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LONG", 0.0)
    compiled().fit(Log().slow(5), callbacks=[LambdaCallback(on_train_batch_end=lambda batch, logs: None)])
    assert "epoch 1/1, step 3  loss" in capsys.readouterr().out


@pytest.mark.parametrize("engine", ["reference", "jax"])
def test_other_engines_take_streams(engine):
    if engine == "jax":
        pytest.importorskip("jax")
    model, plain = (Sequential([Dense(1, input_dim=4)], seed=0, engine=engine) for _ in range(2))
    model.compile("sgd", "mse")
    plain.compile("sgd", "mse")
    wanted = plain.fit(X[:44], Y[:44], 10, verbose=0, shuffle=False).history["loss"]
    parts = ((X[k : min(k + 10, 44)], Y[k : min(k + 10, 44)]) for k in range(0, 44, 10))
    assert np.allclose(model.fit(parts, verbose=0).history["loss"], wanted)
