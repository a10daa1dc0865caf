"""The same seed and lanes give the same bits: in another process, in other chunks, over a save and a load."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import thalweg
from thalweg import Sequential, load_model
from thalweg.engine.native.scheduling import blocks
from thalweg.layers import Dense, Dropout, Input, Residual
from thalweg.models import trainer as training
from thalweg.optimizers import SGD, Adam
from thalweg.program.ir import counter

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(300, 6)), RANDOM.integers(0, 3, 300)
ENGINES = [{}, {"engine": "reference"}, {"engine": "reference", "dtype": "float64"}]
OPTIMIZERS = [lambda: SGD(0.05), lambda: SGD(0.05, momentum=0.9), lambda: SGD(0.05, 0.9, nesterov=True), lambda: Adam()]


def network(optimizer=Adam, seed=7, **options):
    layers = [
        Input((6,)),
        Dense(24, "tanh"),
        Dropout(0.3),
        Residual([Dense(24, "relu"), Dropout(0.1)]),
        Dense(3, "softmax"),
    ]
    model = Sequential(layers, seed=seed, **options)
    model.compile(optimizer(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model, epochs=6, **more):
    return model.fit(X, Y, batch_size=32, epochs=epochs, verbose=0, **more).history


def bits(model):
    return b"".join(w.tobytes() for w in model.get_weights())


def same(one, other):
    return bits(one) == bits(other)


# --- processes -------------------------------------------------------------------------------------------------------

SCRIPT = """
import sys
sys.path[:0] = {paths!r}
import hashlib
from test_determinism import bits, fit, network
for lanes in (1, 2):
    model = network()
    history = fit(model, lanes=lanes)
    print(hashlib.sha256(bits(model) + repr(history).encode()).hexdigest())
"""


def test_two_processes_get_the_same_bits_on_one_lane_and_on_two():
    paths = [str(Path(__file__).parent), str(Path(thalweg.__file__).parents[1])]
    outputs = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT.format(paths=paths)],
            env=os.environ | {"PYTHONHASHSEED": str(number)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for number in (1, 2)
    ]
    assert len(outputs[0]) == 2
    assert outputs[0] == outputs[1]


def test_two_lanes_with_work_for_both_get_the_same_bits_again(monkeypatch):
    monkeypatch.setattr(blocks, "LEAST_BLOCK", 16)
    monkeypatch.setattr(blocks, "WORKSPACE_BYTES", 1)
    models = [network() for _ in range(4)]
    for model in models:
        fit(model, epochs=20, lanes=2)
    assert len({bits(model) for model in models}) == 1


def test_another_seed_gives_other_weights_another_order_and_another_mask():
    assert not same(network(seed=7), network(seed=8))
    assert (counter.permutation(7, 0, 300) != counter.permutation(8, 0, 300)).any()
    assert (counter.permutation(7, 0, 300) != counter.permutation(7, 1, 300)).any()
    one, other = network(seed=7), network(seed=8)
    other.set_weights(one.get_weights())
    fit(one)
    fit(other)
    assert not same(one, other)


def test_set_random_seed_fixes_models_without_a_seed():
    def first():
        return bits(Sequential([Input((6,)), Dense(4)]))

    thalweg.utils.set_random_seed(3)
    one, two = first(), first()
    thalweg.utils.set_random_seed(3)
    assert [first(), first()] == [one, two]
    assert one != two


# --- chunks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", ENGINES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_cut_into_chunks_changes_nothing(optimizer, options, monkeypatch):
    results = []
    for seconds in (1e-9, 1e-3, 1e9):
        monkeypatch.setattr(training, "CHUNK_SECONDS", seconds)
        model = network(optimizer, **options)
        results.append((bits(model), fit(model), bits(model)))
    assert results[0] == results[1] == results[2]
    assert results[0][0] != results[0][2]


@pytest.mark.parametrize("event", ["on_train_batch_end", "on_epoch_end"])
@pytest.mark.parametrize("lanes", [1, 2])
def test_a_callback_that_listens_changes_nothing(event, lanes):
    plain, heard = network(), network()
    listener = thalweg.callbacks.LambdaCallback(**{event: lambda number, logs: None})
    assert fit(plain, lanes=lanes) == fit(heard, lanes=lanes, callbacks=[listener])
    assert same(plain, heard)


def test_validation_changes_nothing():
    plain, validated = network(), network()
    loss = fit(plain)["loss"]
    assert fit(validated, validation_data=(X[:50], Y[:50]))["loss"] == loss
    assert same(plain, validated)


def test_several_fits_are_one_fit():
    whole, parts = network(), network()
    fit(whole, epochs=6)
    for epochs in (1, 2, 3):
        fit(parts, epochs=epochs)
    assert same(whole, parts)


def test_batches_by_hand_are_an_epoch_without_shuffling():
    whole, by_hand = network(), network()
    fit(whole, epochs=2, shuffle=False, lanes=1)
    for _ in range(2):
        for first in range(0, 300, 32):
            by_hand.train_on_batch(X[first : first + 32], Y[first : first + 32])
    assert same(whole, by_hand)


# --- saving ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", ENGINES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_loaded_model_goes_on_as_if_nothing_had_happened(optimizer, options, tmp_path):
    whole, first = network(optimizer, **options), network(optimizer, **options)
    fit(whole, epochs=3)
    fit(first, epochs=1)
    first.save(tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    assert again.predict(X).tobytes() == first.predict(X).tobytes()
    assert again.evaluate(X, Y) == first.evaluate(X, Y)
    fit(again, epochs=3, initial_epoch=1)  # epochs 1 and 2: in the same order, with the same masks and slots
    assert same(again, whole)


def test_saving_twice_gives_the_same_file(tmp_path):
    model = network()
    fit(model, epochs=1)
    for name in ("one", "two"):
        model.save(tmp_path / name)
    load_model(tmp_path / "one").save(tmp_path / "three")
    files = {(tmp_path / name).read_bytes() for name in ("one", "two", "three")}
    assert len(files) == 1


# --- the counter -----------------------------------------------------------------------------------------------------


def test_permutations_are_permutations_and_differ():
    orders = [counter.permutation(3, epoch, 100) for epoch in range(50)]
    assert all(np.array_equal(np.sort(order), np.arange(100)) for order in orders)
    places = np.array(orders)[:, 0]
    assert len({order.tobytes() for order in orders}) == 50
    assert len(set(places.tolist())) > 25  # of 50 draws of 100 about 39 differ


def test_uniform_numbers_are_uniform_and_independent():
    def uniform(seed, iteration, stream, first, count):
        return counter.uniform(np, counter.halves(counter.key(seed, iteration, stream)), first, count)

    u = uniform(3, 1, 0, 0, 100_000).astype(np.float64)
    assert u.dtype == np.float64
    assert 0 <= u.min() < u.max() < 1
    assert abs(u.mean() - 0.5) < 0.004  # four standard errors
    assert abs(u.var() - 1 / 12) < 0.001
    assert abs(np.histogram(u, 20, (0, 1))[0] - 5000).max() < 350  # 5 standard deviations of 69
    for other in ((4, 1, 0), (3, 2, 0), (3, 1, 1)):
        assert abs(np.corrcoef(u, uniform(*other, 0, 100_000))[0, 1]) < 0.013
    assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 0.013
    assert np.array_equal(uniform(3, 1, 0, 40, 10), uniform(3, 1, 0, 0, 50)[40:])


SHUFFLED = """from thalweg.engine.native.linalg.hashing import shuffle


def shuffled(o, c, s, f):
    shuffle(o[: s[0]], s[1], s[2])
"""


@pytest.mark.jit
def test_the_native_shuffle_is_the_reference_one():
    from thalweg.engine.native.compiler.compile import callable_of
    from thalweg.engine.native.compiler.kernel import Kernel

    shuffled = callable_of(Kernel("test", "shuffled", SHUFFLED))
    for n in (1, 2, 3, 100, 1000):
        order, given = np.zeros(n, np.int64), np.array([n, -5, 2])  # a seed above 2⁶³ as the bits of a negative number
        shuffled(order.ctypes.data, None, given.ctypes.data, None)
        assert np.array_equal(order, counter.permutation(2**64 - 5, 2, n))
