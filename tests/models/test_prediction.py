"""Prediction: the prepared path, the path of many rows, many threads; and populations."""

import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import thalweg
from thalweg import errors, layers
from thalweg.engine import ENGINES
from thalweg.models import predictor as prediction


def network(seed=0, **options):
    stack = [thalweg.Input((7,)), layers.Dense(33, "relu"), layers.Dropout(0.5), layers.Dense(3, "softmax")]
    return thalweg.Sequential(stack, seed=seed, **options)


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(1000, 7)).astype(np.float32)


def test_where_objects_have_another_layout_everything_takes_the_path_of_many_rows(rows, monkeypatch):
    """As in a free-threaded Python, whose objects the compiled method can't read."""
    expected = network().predict(rows[:3])
    monkeypatch.setitem(ENGINES, "native", replace(ENGINES["native"], predictor=None))
    model = network()
    np.testing.assert_array_equal(model.predict(rows[:3]), expected)
    assert model._predictor.native is None


def test_both_paths_agree_with_the_reference(rows, monkeypatch):
    model, reference = network(), network(engine="reference")
    expected = reference.predict(rows)
    for count in (1, 2, 15, 16, 17, 1000):
        prepared = model.predict(rows[:count])
        many = model.predict(rows[:count], lanes=2)
        assert np.allclose(prepared, expected[:count], atol=1e-6)
        assert np.allclose(many, expected[:count], atol=1e-6)
    monkeypatch.setattr(prediction, "MANY_FLOPS", 1)
    model = network()
    assert np.allclose(model.predict(rows), expected, atol=1e-6)
    assert np.allclose(model.predict(rows, batch_size=13), expected, atol=1e-6)


def test_one_lane_that_is_asked_for_takes_a_few_rows_at_once(rows, monkeypatch):
    model = network()
    expected = model.predict(rows[:3])
    monkeypatch.setattr(type(model._predictor), "many", lambda *_: pytest.fail("a job was made"))
    assert np.array_equal(model.predict(rows[:3], lanes=1), expected)
    with pytest.raises(pytest.fail.Exception):
        model.predict(rows[:3], lanes=2)


def test_more_rows_than_the_workspace_is_planned_for(monkeypatch):
    monkeypatch.setattr(prediction, "MANY_FLOPS", 10**12)
    x = np.random.default_rng(1).normal(size=(9001, 7)).astype(np.float32)
    assert np.allclose(network().predict(x), network(engine="reference").predict(x), atol=1e-6)


def test_the_prepared_path_follows_the_weights(rows):
    model = network()
    before = model.predict(rows[:5])
    model.set_weights([w * 2 for w in model.get_weights()])
    assert not np.allclose(before, model.predict(rows[:5]))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(rows, np.zeros(1000), epochs=20, verbose=0)
    assert model.predict(rows[:5])[:, 0].min() > 0.9


def test_inputs_that_are_not_ready(rows):
    model = network()
    expected = model.predict(rows[:4])
    readonly = rows[:4].copy()
    readonly.flags.writeable = False
    for given in (
        rows[:4].astype(np.float64),
        rows[:4].tolist(),
        np.asfortranarray(rows[:4]),
        rows[:8:2].copy(),
        readonly,
    ):
        result = model.predict(given)
        assert result.shape == (4, 3)
    assert np.array_equal(model.predict(readonly), expected)
    assert np.array_equal(model.predict(np.asfortranarray(rows[:4])), expected)
    for wrong in (rows[:, :6], rows[:0], rows[0], np.array(["a"])):
        with pytest.raises(errors.ThalwegError):
            model.predict(wrong)
    with pytest.raises(errors.ArgumentError):
        model.predict(rows, verbose=7)


def test_every_form_of_the_same_numbers_gives_the_same_bits(rows):
    """The prepared path reads NumPy's arrays by themselves, so whatever they may be is tried."""

    class Own(np.ndarray):
        pass

    model = network()
    x = rows[:4].astype(np.int8).astype(np.float32)
    expected = model.predict(x)
    wide = np.zeros((4, 14), np.float32)
    wide[:, ::2] = x
    shifted = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(4, 7)
    for given in (
        x.astype(np.float64), x.astype(np.float16), x.astype(np.int8), x.astype(">f4"), x.tolist(), tuple(x.tolist()),
        list(x), np.asfortranarray(x), wide[:, ::2], x[::-1].copy()[::-1], x.view(Own), pickle.loads(pickle.dumps(x)),
        x.astype(np.dtype("f4", metadata={"of": "mine"})), np.ma.masked_array(x), memoryview(x), shifted,
        x.astype("O"),
    ):  # fmt: skip
        assert model.predict(given).tobytes() == expected.tobytes(), type(given)
    bits = (np.abs(x) % 2).astype(np.uint8)
    assert model.predict(bits).tobytes() == model.predict(bits.astype(np.float32)).tobytes()
    assert model.predict(bits.astype(bool)).tobytes() == model.predict(bits.astype(np.float32)).tobytes()
    broken = x.copy()
    broken[1, 2] = np.nan
    assert np.isnan(model.predict(broken)).any(axis=1).tolist() == [False, True, False, False]
    for wrong in (1.0, np.float32(1), np.zeros((), np.float32), x[None], x[:, :3], x[:0], None, "x", {}):
        with pytest.raises(errors.ThalwegError):
            model.predict(wrong)


def test_references_are_counted(rows):
    model = network()
    for given in (rows[:3].copy(), rows[:300].copy(), rows[:1].astype(np.float64)):
        model.predict(given)
        before = [sys.getrefcount(it) for it in (given, np.ndarray, given.dtype)]
        results = [model.predict(given) for _ in range(50)]
        count = sys.getrefcount(results[0])
        assert count == 2  # the list's, and the argument's
        del results
        assert [sys.getrefcount(it) for it in (given, np.ndarray, given.dtype)] == before


def test_other_threads_run_during_a_long_prediction(monkeypatch):
    """And with the same bits, whether they may or not."""
    x = np.random.default_rng(2).normal(size=(3000, 7)).astype(np.float32)
    monkeypatch.setattr(prediction, "LONG_FLOPS", 10**12)
    expected = network().predict(x)
    monkeypatch.setattr(prediction, "LONG_FLOPS", 1)
    model = network()
    model.build()
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(lambda _: model.predict(x), range(40)):
            assert result.tobytes() == expected.tobytes()


def test_the_result_is_the_callers_own(rows):
    model = network()
    first = model.predict(rows[:3])
    kept = first.copy()
    model.predict(rows[3:6])
    assert np.array_equal(first, kept)


def test_many_threads_predict_with_one_model(rows):
    model = network()
    expected = np.concatenate([model.predict(rows[i : i + 10]) for i in range(0, 1000, 10)])

    def work(_):
        return np.concatenate([model.predict(rows[i : i + 10]) for i in range(0, 1000, 10)])

    with ThreadPoolExecutor(8) as pool:
        for result in pool.map(work, range(32)):
            assert np.array_equal(result, expected)


def test_a_model_without_weights_predicts():
    model = thalweg.Sequential([thalweg.Input((2,)), layers.Activation("relu")])
    assert model.predict([[-1.0, 2.0]]).tolist() == [[0.0, 2.0]]


def population(count):
    models = [network(seed) for seed in range(count)]
    for model in models:
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return models


def test_fit_many_has_the_bits_of_fit(rows):
    y = (rows[:, 0] > 0).astype(int)
    together, alone = population(5), population(5)
    histories = thalweg.fit_many(together, rows, y, epochs=3, batch_size=50, validation_split=0.2)
    for model, other, history in zip(together, alone, histories, strict=True):
        expected = other.fit(rows, y, epochs=3, batch_size=50, validation_split=0.2, verbose=0, lanes=1)
        assert history.history == expected.history
        assert all(map(np.array_equal, model.get_weights(), other.get_weights()))


def test_fit_many_refuses_what_it_cannot_do(rows):
    models = population(2)
    y = np.zeros(1000)
    for arguments in ({"callbacks": [thalweg.callbacks.History()]}, {"verbose": 1}, {"lanes": 0}):
        with pytest.raises(errors.ArgumentError):
            thalweg.fit_many(models, rows, y, **arguments)
    with pytest.raises(errors.ArgumentError, match="takes a list of models"):
        thalweg.fit_many(models[0], rows, y)
    with pytest.raises(errors.ArgumentError, match="twice"):
        thalweg.fit_many([models[0], models[0]], rows, y)
    with pytest.raises(errors.DataError):
        thalweg.fit_many(models, rows, y + 7)


def test_a_call_in_training_drops_other_units_each_time(rows):
    model = network()
    first, second = model(rows, training=True), model(rows, training=True)
    assert not np.array_equal(first, second)
    assert not np.allclose(first, model.predict(rows), atol=1e-3)
    assert np.allclose(model(rows, training=False), model.predict(rows))
    plain = thalweg.Sequential([thalweg.Input((7,)), layers.Dense(3, "tanh")], seed=1)
    assert np.allclose(plain(rows, training=True), plain.predict(rows), atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_training_that_a_functional_model_states_holds_in_every_use(rows, training, tmp_path):
    """In Keras 3.15 `fit`, `predict` and `model(x, training=…)` override it; here it means what it says."""
    x = thalweg.Input((7,))
    model = thalweg.Model(x, layers.Dropout(0.5, name="drop")(x, training=training))
    model.save(tmp_path / "m.safetensors")
    for one in (model, thalweg.load_model(tmp_path / "m.safetensors"), thalweg.models.clone_model(model)):
        for y in (one.predict(rows), one(rows), one(rows, training=True), one(rows, training=False)):
            assert (y == 0).any() == training


def first_and_last():
    """Layers that read x or write the result themselves, by the shape of a row."""
    flat, image = thalweg.Input((5,)), (6, 6, 3)
    hidden = layers.Dense(3, "relu")(flat)
    yield "joined last", (5,), lambda: thalweg.Model(flat, layers.Concatenate()([flat, hidden]))
    yield "joined first", (5,), lambda: thalweg.Model(flat, layers.Dense(2)(layers.Concatenate()([hidden, flat])))
    yield "added", (5,), lambda: thalweg.Model(flat, layers.Add()([layers.Dense(5)(flat), flat]))
    yield "embedding", (4,), lambda: thalweg.Sequential([thalweg.Input((4,)), layers.Embedding(5, 3)])
    stacks = {
        "dense": ((7,), [layers.Dense(3)]),
        "softmax": ((7,), [layers.Softmax()]),
        "flatten": (image, [layers.Flatten()]),
        "permute": (image, [layers.Permute((2, 3, 1))]),
        "slice": (image, [layers.Cropping2D(1)]),
        "padding": (image, [layers.ZeroPadding2D(1)]),
        "upsampling": (image, [layers.UpSampling2D(2)]),
        "convolution": (image, [layers.Conv2D(2, 3)]),
        "transposed": (image, [layers.Conv2DTranspose(2, 3)]),
        "transposed strides": (image, [layers.Conv2DTranspose(2, 3, strides=2, padding="same")]),
        "depthwise": (image, [layers.DepthwiseConv2D(3)]),
        "separable": (image, [layers.SeparableConv2D(4, 3)]),
        "pooling": (image, [layers.MaxPooling2D(2)]),
        "mean": (image, [layers.GlobalAveragePooling2D()]),
        "norm": (image, [layers.BatchNormalization()]),
        "layer norm": ((7,), [layers.LayerNormalization()]),
        "prelu": ((7,), [layers.PReLU()]),
        "rescaling": ((7,), [layers.Rescaling(2.0, 1.0)]),
        "parallel": ((7,), [layers.Parallel([layers.Dense(2), layers.Dense(3)])]),
    }
    for name, (shape, stack) in stacks.items():
        yield name, shape, lambda shape=shape, stack=stack: thalweg.Sequential([thalweg.Input(shape), *stack])


@pytest.mark.parametrize(("name", "shape", "make"), [pytest.param(*row, id=row[0]) for row in first_and_last()])
def test_what_reads_the_rows_or_writes_the_result_finds_them(name, shape, make):
    """The prepared path writes the caller's addresses into the table of kernels."""
    x = np.random.default_rng(0).integers(0, 5, (9, *shape)).astype(np.float32)
    model = make()
    expected = model.predict(x, batch_size=9)
    for rows in (1, 2, 9):
        np.testing.assert_allclose(model.predict(x[:rows]), expected[:rows], rtol=1e-5, atol=1e-6)
    assert np.abs(expected).sum() > 0
