"""Rows on a disk, and streams of several windows: the same bits as the same rows in memory, in the same order."""

import pickle

import numpy as np
import pytest

from thalweg import Input, Sequential
from thalweg.batches import on_disk, streams
from thalweg.batches.arrays import contiguous
from thalweg.batches.ordering import Ordering, Taken
from thalweg.batches.streams import PyDataset
from thalweg.callbacks import BackupAndRestore, Callback
from thalweg.data import OnDisk
from thalweg.errors import ArgumentError, DataError, DivergedError, ShapeError
from thalweg.layers import BatchNormalization, Dense, Dropout

ROWS = 3017
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(ROWS, 9)).astype("f")
Y = X[:, :1] - X[:, 1:2]
W = DRAW.uniform(0, 2, ROWS).astype("f")


def compiled(engine="native"):
    model = Sequential([Input((9,)), Dense(16, "relu"), BatchNormalization(), Dropout(0.3), Dense(1)], seed=3)
    model.compile("adam", "mse", metrics=["mae"], **({} if engine == "native" else {"engine": engine}))
    return model


class InOrder(Ordering):
    def __init__(self, source, seed):
        self.source, self.seed = source, seed

    def epoch(self, number):
        return Taken(self.source.order(self.seed, number))


@pytest.fixture
def source(tmp_path, monkeypatch):
    """The rows in files, in windows of a few hundred."""
    monkeypatch.setattr(on_disk, "WINDOW_BYTES", 20_000)
    mapped = []
    for name, array in (("x", X), ("y", Y), ("w", W)):
        array.tofile(tmp_path / name)
        mapped.append(np.memmap(tmp_path / name, "f4", "r", shape=array.shape))
    return OnDisk(*mapped, batch_size=32)


def same(ours, theirs):
    return all(np.array_equal(a, b) for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True))


@pytest.mark.parametrize("lanes", [1, 2])
def test_it_is_training_in_memory_in_the_same_order(source, lanes):
    ours, plain = compiled(), compiled()
    history = ours.fit(source, epochs=3, verbose=0, lanes=lanes)
    order = InOrder(source, 3)
    wanted = plain.fit(X, Y, 32, 3, sample_weight=W, shuffle=order, verbose=0, lanes=lanes)
    assert len(list(source.shuffled(3, 0))) > 5
    assert history.history == wanted.history
    assert same(ours, plain)
    assert ours.evaluate(source, verbose=0) == pytest.approx(plain.evaluate(X, Y, sample_weight=W, verbose=0), 1e-6)
    assert ours.evaluate(source, verbose=0, steps=3) == pytest.approx(
        plain.evaluate(X[:96], Y[:96], sample_weight=W[:96], verbose=0), 1e-6
    )
    assert np.allclose(ours.predict(OnDisk(source.arrays[0])), plain.predict(X), atol=1e-6)


def test_the_reference_engine_takes_windows_too(source):
    ours, plain = (Sequential([Input((9,)), Dense(4, "tanh"), Dense(1)], seed=3, engine="reference") for _ in range(2))
    for model in (ours, plain):
        model.compile("sgd", "mse")
    history = ours.fit(source, epochs=2, verbose=0)
    wanted = plain.fit(X, Y, 32, 2, sample_weight=W, shuffle=InOrder(source, 3), verbose=0)
    assert history.history == wanted.history
    assert same(ours, plain)


def test_every_epoch_has_all_rows_in_another_order(source):
    orders = [source.order(3, epoch) for epoch in range(3)]
    for order in orders:
        assert np.array_equal(np.sort(order), np.arange(ROWS))
    assert not np.array_equal(orders[0], orders[1])
    assert np.array_equal(source.order(3, 2), orders[2])
    assert not np.array_equal(source.order(4, 2), orders[2])
    unshuffled, plain = compiled(), compiled()
    unshuffled.fit(source, verbose=0, shuffle=False)
    plain.fit(X, Y, 32, sample_weight=W, shuffle=False, verbose=0)
    assert same(unshuffled, plain)


def test_a_sorted_table_is_mixed():
    """A window has rows from everywhere: their mean number is near the middle, that of neighbours isn't."""
    sorted_rows = OnDisk(np.zeros((400_000, 100), np.float32), batch_size=256)
    windows = list(sorted_rows.shuffled(0, 0))
    assert len(windows) > 5
    means = [window.mean() / 400_000 for window in windows[:-1]]
    assert max(abs(mean - 0.5) for mean in means) < 0.2
    assert abs(np.arange(len(windows[0])).mean() / 400_000 - 0.5) > 0.4


def test_mapped_pages_are_given_back_unharmed(tmp_path):
    X.tofile(tmp_path / "x")
    copied = np.memmap(tmp_path / "x", "f4", "c", shape=X.shape)
    copied[:] = 7  # private: its pages exist nowhere else
    kept = np.memmap(tmp_path / "x", "f4", "r", shape=X.shape)[1000:]  # a slice
    whole = OnDisk(copied)
    assert all((window.x == 7).all() for window in whole.stream(None).windows())
    assert (copied == 7).all()
    reader = on_disk.Reader(kept, 4)
    some = reader.placed(reader.read(np.array([2, 3, 5, 2016])), np.array([1, 2, 0, 3]), 4)
    assert np.array_equal(some, X[[1005, 1002, 1003, 3016]])
    plain = np.memmap(tmp_path / "x", "f4", "r", shape=(100, 9), offset=36 * 7)
    plain_and_mapped = [plain, np.asarray(plain)]
    for array in plain_and_mapped:
        assert np.array_equal(on_disk.Reader(array, 50).read(np.arange(50)), X[7:57])
    on_disk.give_back(kept, 3, 2000)
    assert np.array_equal(kept, X[1000:])


def test_a_mapped_array_is_taken_as_it_lies_or_refused(tmp_path, monkeypatch):
    """Of the engine's type, no copy is made; another is refused if its copy is larger than memory, OnDisk takes it."""
    monkeypatch.setattr("thalweg.batches.arrays.memory_there", lambda: 1000)
    X.tofile(tmp_path / "x")
    X.astype("f8").tofile(tmp_path / "x8")
    floats = np.memmap(tmp_path / "x", "f4", "r", shape=X.shape)
    doubles = np.memmap(tmp_path / "x8", "f8", "r", shape=X.shape)
    ours, plain, windows = compiled(), compiled(), compiled()
    ours.fit(floats, Y, verbose=0)
    plain.fit(X, Y, verbose=0)
    assert same(ours, plain)
    assert np.shares_memory(contiguous(floats, "f4", "x"), floats)
    for given in (doubles, np.asarray(doubles)[1:], doubles[::2]):
        with pytest.raises(
            DataError, match=r"x is a memory-mapped file of float64, whose copy as float32 takes .*OnDisk"
        ):
            plain.fit(given, Y[: len(given)], verbose=0)
    windows.fit(OnDisk(doubles, Y), verbose=0)
    assert not same(windows, compiled())


def test_a_file_that_becomes_shorter_is_named(tmp_path):
    X.tofile(tmp_path / "x")
    source = OnDisk(np.memmap(tmp_path / "x", "f4", "r", shape=X.shape))
    with (tmp_path / "x").open("r+b") as file:
        file.truncate(5000)
    with pytest.raises(DataError, match="x has become shorter"):
        list(source.stream(None).windows())


def test_validation_data_is_read_window_by_window(source):
    ours, plain = compiled(), compiled()
    history = ours.fit(X, Y, 32, 2, validation_data=source, verbose=0).history
    wanted = plain.fit(X, Y, 32, 2, validation_data=(X, Y, W), verbose=0).history
    assert all(np.allclose(history[name], wanted[name], rtol=1e-6) for name in wanted)
    assert history["loss"] == wanted["loss"]


def batches(rows, size=32):
    while True:
        for first in range(0, rows, size):
            part = slice(first, min(first + size, rows))
            yield X[part], Y[part], W[part]


def test_a_generator_is_taken_window_by_window(monkeypatch):
    monkeypatch.setattr(streams, "WINDOW_BYTES", 20_000)
    seen = []
    stream = streams.Stream(batches(1000), 32, "steps")
    seen = [(len(w.x), w.first, w.rows) for w in stream.windows()]
    assert len(seen) > 2
    assert seen[-1][0] + seen[-1][1] == seen[-1][2] == 1000
    ours, plain = compiled(), compiled()
    history = ours.fit(batches(1000), epochs=3, steps_per_epoch=32, verbose=0)
    wanted = plain.fit(X[:1000], Y[:1000], 32, 3, sample_weight=W[:1000], shuffle=False, verbose=0)
    assert history.history == wanted.history
    assert same(ours, plain)
    assert ours.evaluate(batches(1000), steps=32, verbose=0) == pytest.approx(
        plain.evaluate(X[:1000], Y[:1000], sample_weight=W[:1000], verbose=0), 1e-6
    )


def test_a_small_batch_comes_last_wherever_it_is(monkeypatch):
    monkeypatch.setattr(streams, "WINDOW_BYTES", 2_000)
    parts = [(X[:5], Y[:5]), *((X[k : k + 32], Y[k : k + 32]) for k in range(5, 325, 32))]
    for at in (0, 1, 4, 10):
        mixed = parts[1:]
        mixed.insert(at, parts[0])
        windows = list(streams.Stream(iter(mixed), 11, "steps", even=True).windows())
        assert len(windows) > 1
        assert np.array_equal(np.concatenate([w.x for w in windows]), np.concatenate([X[5:325], X[:5]]))


def test_batches_that_differ_are_named(monkeypatch):
    monkeypatch.setattr(streams, "WINDOW_BYTES", 1)
    weighted = iter([(X[:8], Y[:8]), (X[:8], Y[:8], W[:8])])
    with pytest.raises(DataError, match="weights, and others don't"):
        compiled().fit(weighted, steps_per_epoch=2, verbose=0, record=True)
    uneven = iter([(X[:8], Y[:8]), (X[:8], Y[:8]), (X[:9], Y[:9])])
    with pytest.raises(ShapeError, match="one number of rows"):
        compiled().fit(uneven, steps_per_epoch=3, verbose=0, record=True)
    bad = X.copy()
    bad[20, 3] = np.nan
    stream = iter([(bad[k : k + 8], Y[k : k + 8]) for k in range(0, 40, 8)])
    with pytest.raises(DivergedError, match="row 20, column 3"):
        compiled().fit(stream, steps_per_epoch=5, verbose=0)


WRONG = [
    (lambda: OnDisk(X, Y[:5]), ShapeError, "x has 3017 rows but y has 5"),
    (lambda: OnDisk(X.tolist(), Y), ArgumentError, "x has to be an array of rows"),
    (lambda: OnDisk(X[:0]), DataError, "no rows"),
    (lambda: compiled().fit(OnDisk(X, Y), shuffle=InOrder(None, 0), verbose=0), ArgumentError, "an order of its own"),
    (lambda: compiled().fit(OnDisk(X, Y), batch_size=5, verbose=0), ArgumentError, "leave out y"),
    (lambda: compiled().fit(OnDisk(X, Y), steps_per_epoch=5, verbose=0), ArgumentError, "an epoch is all of them"),
]


@pytest.mark.parametrize(("make", "kind", "words"), WRONG)
def test_what_cannot_be_is_said_in_a_sentence(make, kind, words):
    with pytest.raises(kind, match=words):
        make()


def test_rows_of_files_are_sent_to_other_processes_by_their_paths(tmp_path):
    X.astype("f4").tofile(tmp_path / "x")
    x = np.memmap(tmp_path / "x", "f4", "r", shape=X.shape)
    sent = pickle.dumps(on_disk.DiskRows(x[7:], x[:-7], np.arange(5)))
    assert len(sent) < 2000
    found = pickle.loads(sent)
    assert np.array_equal(found.x, X[7:])
    assert np.array_equal(found.y, X[:-7])
    assert np.array_equal(found.at_hand, np.arange(5))
    (tmp_path / "x").unlink()
    with pytest.raises(
        DataError, match="need a folder for the converted rows, --cache, on a disk that all of them see"
    ):
        pickle.loads(sent)


class Batches(PyDataset):
    def __len__(self):
        return 7

    def __getitem__(self, index):
        return X[index * 32 : (index + 1) * 32], Y[index * 32 : (index + 1) * 32]


@pytest.mark.parametrize("made", [lambda: OnDisk(X, Y, batch_size=32), Batches])
def test_a_training_that_continues_takes_the_rows_as_one_that_was_not_interrupted(made, tmp_path, monkeypatch):
    monkeypatch.setattr(on_disk, "WINDOW_BYTES", 32 * 40 * 20)  # some windows an epoch
    whole, broken, on = compiled(), compiled(), compiled()
    whole.fit(made(), epochs=5, verbose=0)
    with pytest.raises(ValueError, match="here"):
        broken.fit(made(), epochs=5, verbose=0, callbacks=[BackupAndRestore(tmp_path), Ends()])
    history = on.fit(made(), epochs=5, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    assert history.epoch == [3, 4]
    assert np.array_equal(on.vector, whole.vector)


class Ends(Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 2:
            raise ValueError("here")
