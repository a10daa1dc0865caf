"""What fit(..., record=True) measures, against NumPy by hand; that it changes nothing; and the file."""

import json
import pickle
import zipfile

import numpy as np
import pytest

from thalweg import Input, Model, Sequential, layers, optimizers, schedules
from thalweg.callbacks import Callback, EarlyStopping, TerminateOnNaN
from thalweg.errors import ArgumentError, DivergedError, ModelFileError
from thalweg.recordings import Recording
from thalweg.recordings.recording import HISTOGRAMS, STATISTICS

RATE = 0.5
ENGINES = ("native", "reference")


def data(rows=40, columns=3, seed=0):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, columns)).astype(np.float32)
    return x, (x[:, :1] > 0).astype(np.float32)


def small(engine="native", **more):
    model = Sequential(
        [Input((3,)), layers.Dense(4, "relu", name="hidden"), layers.Dense(1, "sigmoid", name="out")],
        seed=1, engine=engine,
    )  # fmt: skip
    model.compile(optimizers.SGD(RATE, **more), "mse")
    return model


def step_by_hand(weights, x, y):
    """Pre-activations, outputs and gradients of the small network, mean squared error."""
    W1, b1, W2, b2 = (np.asarray(w, np.float64) for w in weights)
    h1 = x @ W1 + b1
    a1 = np.maximum(h1, 0)
    h2 = a1 @ W2 + b2
    a2 = 1 / (1 + np.exp(-h2))
    dh2 = 2 * (a2 - y) / len(x) * a2 * (1 - a2)
    dh1 = dh2 @ W2.T * (h1 > 0)
    return (h1, a1), (h2, a2), [x.T @ dh1, dh1.sum(0), a1.T @ dh2, dh2.sum(0)]


def flat(arrays):
    return np.concatenate([np.ravel(a) for a in arrays])


@pytest.mark.parametrize("engine", ENGINES)
def test_the_numbers_of_a_sample_are_those_by_hand(engine):
    (x, y), model = data(), small(engine)
    weights = model.get_weights()
    weights[0][:, 2] = -abs(weights[0][:, 2])  # a unit that dies on positive inputs …
    weights[1][2] = -9  # … and on all others
    weights[2][:] *= 40  # saturates the output
    model.set_weights(weights)
    model.fit(x, y, batch_size=40, epochs=1, verbose=0, record=True)
    recording = model.recording
    hidden, out, gradients = step_by_hand(weights, x, y)
    assert recording.layers == ["hidden", "out"]
    assert recording.iterations.tolist() == [0]
    for number, (h, a) in enumerate((hidden, out)):
        w, g = flat(weights[2 * number : 2 * number + 2]), flat(gradients[2 * number : 2 * number + 2])
        expected = {
            "weight_norm": np.linalg.norm(w),
            "gradient_norm": np.linalg.norm(g),
            "update_norm": RATE * np.linalg.norm(g),
            "weight_mean_abs": abs(w).mean(),
            "update_mean_abs": RATE * abs(g).mean(),
            "update_ratio": RATE * abs(g).mean() / abs(w).mean(),
            "activation_mean": a.mean(),
            "activation_std": a.std(),
            "dead": (h.max(0) <= 0).mean() if number == 0 else np.nan,
            "saturated": (abs(h) >= 5).mean() if number == 1 else np.nan,
            "equal_units": 0,
        }
        assert expected.keys() == recording.statistics.keys() == set(STATISTICS)
        for name, value in expected.items():
            measured = recording.of(recording.layers[number])[name][0]
            np.testing.assert_allclose(measured, value, 2e-4, 1e-6, err_msg=name)
        for name, values in {"weights": w, "gradients": g, "updates": -RATE * g, "activations": a}.items():
            counts, low, high = (part[0, number] for part in recording.histograms[name])
            np.testing.assert_allclose([low, high], [values.min(), values.max()], 1e-3, 1e-6)
            by_numpy, _ = np.histogram(values, 32)
            assert counts.sum() == values.size
            assert abs(counts - by_numpy).sum() <= 0.1 * values.size + 2, name  # values at the edge of a bin
    assert 0 < recording.statistics["dead"][0, 0] < 1
    assert 0 < recording.statistics["saturated"][0, 1] < 1


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("lanes", [1, 2])
def test_batch_losses_are_those_of_train_on_batch(engine, lanes):
    if engine == "reference" and lanes > 1:
        pytest.skip("the reference engine has one lane")
    x, y = data(45)
    both = [small(engine) for _ in range(2)]
    both[0].fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0, record=True, lanes=lanes)
    recording = both[0].recording
    batches = [(x[k : k + 16], y[k : k + 16]) for _ in range(3) for k in (0, 16, 32)]
    expected = [both[1].train_on_batch(*batch) for batch in batches]
    assert recording.batch_iterations.tolist() == list(range(9))
    np.testing.assert_allclose(recording.batch_losses, expected, 1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_learning_rate_of_every_step_is_kept(engine, tmp_path):
    x, y = data(40)
    schedule = schedules.CosineDecay(0.01, 30, warmup_target=1.0, warmup_steps=10)
    model = small(engine)
    model.compile(optimizers.SGD(schedule), "mse")
    model.fit(x, y, batch_size=4, epochs=4, verbose=0, record=True)
    recording = model.recording
    assert recording.batch_iterations.tolist() == list(range(40))
    np.testing.assert_allclose(recording.batch_rates, [schedule(step) for step in range(40)], 1e-6)
    assert recording.batch_rates.max() == recording.batch_rates[10] == 1.0
    recording.save(tmp_path / "new.npz")
    assert np.array_equal(Recording.load(tmp_path / "new.npz").batch_rates, recording.batch_rates)
    rewritten(tmp_path / "new.npz", "batch_rates.npy", None)  # as an older version wrote it
    steps, rates = Recording.load(tmp_path / "new.npz").course_of_rates
    assert np.array_equal(steps, recording.iterations)
    assert np.array_equal(rates, recording.learning_rates)


def test_penalties_are_part_of_the_losses_and_told_apart():
    x, y = data()
    model = Sequential([Input((3,)), layers.Dense(1, kernel_regularizer="l2")], seed=0)
    model.compile("sgd", "mse")
    kernel = model.get_weights()[0]
    model.fit(x, y, epochs=2, verbose=0, record=True)
    np.testing.assert_allclose(model.recording.facts["initial_penalty"], 0.01 * (kernel**2).sum(), 1e-5)
    np.testing.assert_allclose(
        np.average(model.recording.batch_losses[:2], weights=[32, 8]), model.history.history["loss"][0]
    )
    assert model.recording.facts["penalty"] is True


def dense(seed):
    stack = [Input((6,)), layers.Dense(300, "tanh"), layers.Dense(300), layers.BatchNormalization(), layers.ReLU()]
    return Sequential([*stack, layers.Dropout(0.2), layers.Dense(3, "softmax")], seed=seed)


def convolutional(seed):
    stack = [Input((8, 8, 1)), layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()]
    return Sequential([*stack, layers.Dense(3, "softmax")], seed=seed)


def embedded(seed):
    stack = [Input((4,)), layers.Embedding(50, 3, name="words"), layers.GlobalAveragePooling1D()]
    return Sequential([*stack, layers.Dense(3, "softmax")], seed=seed)


def rows_for(make):
    draw = np.random.default_rng(0)
    x = {
        dense: draw.normal(size=(200, 6)),
        convolutional: draw.integers(0, 255, (200, 8, 8, 1)).astype(np.uint8),
        embedded: draw.integers(0, 50, (200, 4)).astype(np.float64),
    }[make]
    return x, draw.integers(0, 3, 200)


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize("make", [dense, convolutional, embedded])
@pytest.mark.parametrize("accumulation", [None, 3])
def test_the_weights_are_the_same_bits_with_and_without_a_recording(make, lanes, accumulation):
    vectors, histories = [], []
    for record in (False, True):
        model = make(3)
        optimizer = optimizers.Adam(0.01, gradient_accumulation_steps=accumulation)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        x, y = rows_for(make)
        model.fit(x, y, epochs=4, verbose=0, lanes=lanes, record=record)
        assert (model.recording is not None) == record
        vectors.append(model.vector.copy())
        histories.append(model.history.history)
    assert np.array_equal(*vectors)
    assert histories[0] == histories[1]
    recording = model.recording
    at = (recording.iterations + 1) % (accumulation or 1)
    assert (at == 0).all()  # steps that update
    assert (recording.statistics["update_norm"][-1] > 0).all()
    assert (recording.statistics["gradient_norm"] > 0).all()


@pytest.mark.parametrize("lanes", [1, 2])
def test_gradients_are_complete(lanes):
    """Also those that lanes share, which otherwise leave no trace, and those of which few rows are written."""
    for make in (dense, embedded):
        model, twin = make(3), make(3)
        x, y = rows_for(make)
        for one in (model, twin):
            one.compile("sgd", "sparse_categorical_crossentropy")
        if make is dense:  # dropout draws by its step, and a trace is of the next
            model.layers[4].rate = twin.layers[4].rate = 0
        model.fit(x, y, batch_size=200, epochs=2, verbose=0, record=True, lanes=lanes, shuffle=False)
        for step in (0, 1):
            values = twin.trace(x, y)
            for place, layer in enumerate(model.recording.layers):
                arrays = [p for path, p in twin.named_parameters() if path.rpartition("/")[0] == layer and p.trainable]
                norm = np.linalg.norm(flat([values["d" + p.buffer.name] for p in arrays]))
                measured = model.recording.statistics["gradient_norm"][step, place]
                np.testing.assert_allclose(measured, norm, 1e-4, 1e-7, err_msg=f"{layer} in step {step}")
            twin.train_on_batch(x, y)


def test_equal_units_are_found_and_stay_equal():
    x, y = data()
    model = Sequential([Input((3,)), layers.Dense(4, "tanh", kernel_initializer="ones"), layers.Dense(1)], seed=0)
    model.compile("sgd", "mse")
    w = model.get_weights()
    w[0][:, 3] += 0.1
    w[2][:] = [[0.1], [0.1], [0.1], [0.3]]
    model.set_weights(w)
    model.fit(x, y, epochs=3, verbose=0, record=True)
    np.testing.assert_array_equal(model.recording.statistics["equal_units"][:, 0], 0.75)
    np.testing.assert_array_equal(model.recording.statistics["equal_units"][:, 1], 0.0)


def test_what_cannot_be_had_is_nan():
    x, y = data()
    frozen = layers.Dense(4, "elu", name="frozen")
    frozen.trainable = False
    model = Sequential([Input((3,)), frozen, layers.Dense(4), layers.Activation("tanh"), layers.Dense(1)], seed=0)
    model.compile("sgd", "mse")
    model.fit(x, y, epochs=1, verbose=0, record=True)
    of = model.recording.of("frozen")
    assert (of["weight_norm"] > 0).all()
    for name in ("gradient_norm", "update_ratio", "dead", "saturated"):
        assert np.isnan(of[name]).all(), name
    second = model.recording.of(model.recording.layers[1])  # whose activation is a layer of its own
    assert np.isfinite(second["saturated"]).all()
    assert np.isnan(second["dead"]).all()
    assert (abs(second["activation_mean"]) < 1).all()


def test_the_path_leads_from_the_first_weights_to_the_last():
    x, y = data()
    model = small()
    first = model.get_weights()
    model.fit(x, y, epochs=30, verbose=0, record=True)
    recording = model.recording
    assert recording.path_iterations[0] == 0
    assert recording.path_iterations[-1] == 60
    assert (np.diff(recording.path_iterations) > 0).all()
    for one, other in ((recording.weights_at(0), first), (recording.weights_at(-1), model.get_weights())):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_path_of_many_weights_is_thinned_out(monkeypatch):
    from thalweg.recordings import recorder

    x, y = data()
    for limit, most in ((4 * 21 * 5, 5), (4 * 21, 0)):
        monkeypatch.setattr(recorder, "PATH_BYTES", limit)
        model = small()
        model.fit(x, y, epochs=50, verbose=0, record=True)
        path = model.recording.path
        assert (0 if path is None else len(path)) <= most
        if path is not None:
            assert model.recording.path_iterations[[0, -1]].tolist() == [0, 100]
            np.testing.assert_array_equal(path[-1], flat(model.get_weights()))


def test_samples_and_losses_are_thinned_out(monkeypatch):
    from thalweg.recordings import recorder, timetable

    monkeypatch.setattr(recorder, "MOST_SAMPLES", 20)
    monkeypatch.setattr(recorder, "LEAST_SAMPLES", 20)
    monkeypatch.setattr(recorder, "MOST_LOSSES", 50)
    monkeypatch.setattr(timetable, "SHARE", 1e9)
    monkeypatch.setattr(timetable, "SURE", 0.0)
    x, y = data()
    model = small()
    model.fit(x, y, epochs=100, verbose=0, record=True)
    recording = model.recording
    assert 10 <= len(recording) <= 21
    assert recording.iterations[[0, -1]].tolist() == [0, 199]
    assert 25 <= len(recording.batch_losses) <= 50
    assert len(set(np.diff(recording.batch_iterations))) == 1


def test_facts_of_model_and_data():
    x, y = data(50)
    held = np.concatenate([x[:3], x[:2] + 1])
    model = small()
    model.fit(x, y, batch_size=20, epochs=4, verbose=0, record=True, validation_data=(held, y[:5]))
    facts, sample = model.recording.facts, model.recording.sample
    assert json.loads(json.dumps(facts)) == facts
    expected = {
        "loss": "mean_squared_error", "output_activation": "sigmoid", "optimizer": "SGD", "learning_rate": RATE,
        "batch": 20, "epochs": 4, "steps": 12, "steps_per_epoch": 3, "rows": 50, "held_rows": 5, "weighted": False,
        "penalty": False, "target_kind": "numbers", "twins": {"equal": 3, "looked_at": 5}, "diverged": None,
        "stopped": False, "shuffle": True,
        "weights": [["hidden/W", [3, 4]], ["hidden/b", [4]], ["out/W", [4, 1]], ["out/b", [1]]],
    }  # fmt: skip
    assert {name: facts[name] for name in expected} == expected
    np.testing.assert_allclose(facts["target_mean"], [y.mean()], 1e-6)
    assert facts["history"]["val_loss"] == model.history.history["val_loss"]
    assert [layer["kind"] for layer in facts["architecture"]] == ["Dense", "Dense"]
    np.testing.assert_array_equal(sample.x, x)
    np.testing.assert_array_equal(sample.held_x, held)


@pytest.mark.parametrize(
    ("loss", "units", "activation", "y", "kind", "counts"),
    [
        ("binary_crossentropy", 1, "sigmoid", [[0], [1], [1], [1]], "binary", [1, 3]),
        ("binary_crossentropy", 2, "sigmoid", [[0, 1], [1, 1], [1, 0], [1, 0]], "multilabel", [3, 2]),
        ("sparse_categorical_crossentropy", 3, "softmax", [0, 2, 2, 2], "classes", [1, 0, 3]),
        ("categorical_crossentropy", 2, "softmax", [[0, 1], [1, 0], [1, 0], [1, 0]], "one-hot", [3, 1]),
    ],
)
def test_classes_are_counted(loss, units, activation, y, kind, counts):
    model = Sequential([Input((2,)), layers.Dense(units, activation)], seed=0)
    model.compile("sgd", loss)
    model.fit(np.ones((4, 2)), np.array(y, float), verbose=0, record=True)
    assert (model.recording.facts["target_kind"], model.recording.facts["class_counts"]) == (kind, counts)


def test_several_inputs_and_outputs_are_recorded_without_a_sample():
    a, b = Input((3,), name="a"), Input((2,), name="b")
    h = layers.Dense(4, "relu", name="common")(layers.Concatenate()([a, b]))
    model = Model([a, b], [layers.Dense(1, name="one")(h), layers.Dense(2, "softmax", name="two")(h)], seed=0)
    model.compile("adam", ["mse", "sparse_categorical_crossentropy"])
    draw = np.random.default_rng(0)
    x = [draw.normal(size=(30, 3)), draw.normal(size=(30, 2))]
    model.fit(x, [draw.normal(size=(30, 1)), draw.integers(0, 2, 30)], epochs=2, verbose=0, record=True)
    recording = model.recording
    assert sorted(recording.layers) == ["common", "one", "two"]
    assert np.isfinite(recording.of("common")["dead"]).all()
    assert recording.sample.x is None
    assert recording.facts["twins"] is None
    assert recording.facts["target_kind"] is None
    assert recording.facts["loss"] == ["mean_squared_error", "sparse_categorical_crossentropy"]


def test_generators_are_recorded():
    def batches():
        draw = np.random.default_rng(0)
        while True:
            yield draw.normal(size=(8, 3)), draw.normal(size=(8, 1))

    model = small()
    model.fit(batches(), steps_per_epoch=5, epochs=3, verbose=0, record=True)
    assert len(model.recording.batch_losses) == 15
    assert model.recording.iterations[-1] == 14


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("ended_by_callback", [False, True])
def test_a_training_that_diverges_leaves_its_recording(engine, ended_by_callback):
    x, y = data()
    model = Sequential([Input((3,)), layers.Dense(4, "relu"), layers.Dense(1)], seed=0, engine=engine)
    model.compile(optimizers.SGD(30.0), "mse")
    fit = {"epochs": 100, "verbose": 0, "record": True}
    if ended_by_callback:
        model.fit(x, y, callbacks=[TerminateOnNaN(raise_error=False)], **fit)
    else:
        with pytest.raises(DivergedError):
            model.fit(x, y, **fit)
    recording = model.recording
    assert "not finite" in recording.facts["diverged"]
    assert recording.facts["stopped"]
    steps = recording.facts["steps"]
    assert recording.iterations[-1] == steps  # the step that failed
    assert np.isnan(recording.statistics["update_norm"][-1]).all()
    assert np.isfinite(recording.statistics["update_norm"][:-1]).all()
    assert recording.path_iterations[-1] == steps
    np.testing.assert_array_equal(recording.path[-1], flat(model.get_weights()).astype(np.float32))
    assert np.isfinite(recording.statistics["weight_norm"]).all()
    assert recording.batch_losses[steps - 1] > recording.batch_losses[0]
    assert np.isfinite(recording.batch_losses).all()


def test_a_first_step_that_fails_is_recorded():
    x, y = data()
    model = small()
    with pytest.raises(DivergedError):
        model.fit(np.full_like(x, np.nan), y, verbose=0, record=True)
    assert model.recording.iterations.tolist() == [0]
    assert model.recording.facts["steps"] == 0
    assert np.isfinite(model.recording.statistics["weight_norm"]).all()


class Stop(Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


def test_fits_that_end_early_are_recorded():
    x, y = data()
    model = small()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, epochs=9, verbose=0, record=True, callbacks=[Stop()])
    assert model.recording.facts["stopped"]
    assert model.recording.facts["steps"] == 6
    model.fit(x, y, epochs=9, verbose=0, record=True, callbacks=[EarlyStopping("loss", patience=0, min_delta=9.0)])
    assert model.recording.facts["steps"] == 4
    assert model.recording.path_iterations[-1] == 4


def test_a_recording_belongs_to_the_last_fit_and_is_not_pickled():
    x, y = data()
    model = small()
    assert model.recording is None
    model.fit(x, y, verbose=0, record=True)
    assert pickle.loads(pickle.dumps(model)).recording is None
    assert model.recording is not None
    model.fit(x, y, verbose=0)
    assert model.recording is None


@pytest.mark.parametrize("given", ["often", "yes", -1, 0, None, np.nan, np.inf, []])
def test_what_is_recorded_is_said_by_true_false_or_seconds(given):
    with pytest.raises(ArgumentError, match="record is True, False, or the seconds that samples may take"):
        small().fit(*data(), verbose=0, record=given)


def test_batches_one_by_one_are_recorded_alike():
    class Batches(Callback):
        def on_train_batch_end(self, batch, logs=None):
            pass

    x, y = data()
    losses = []
    for callbacks in ([], [Batches()]):
        model = small()
        model.fit(x, y, batch_size=8, epochs=3, verbose=0, record=True, callbacks=callbacks)
        losses.append(model.recording.batch_losses)
    np.testing.assert_allclose(*losses, 1e-12)


# --- the file ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded():
    x, y = data(50)
    model = small()
    model.fit(x, y, epochs=5, verbose=0, record=True, validation_split=0.2)
    return model.recording


def test_a_recording_is_the_same_after_saving(recorded, tmp_path):
    path = tmp_path / "recording.npz"
    recorded.save(path)
    again = Recording.load(path)
    assert (again.layers, again.facts) == (recorded.layers, recorded.facts)
    arrays, others = recorded.arrays(), again.arrays()
    assert arrays.keys() == others.keys()
    for name, values in arrays.items():
        np.testing.assert_array_equal(values, others[name], err_msg=name)
        assert values.dtype == others[name].dtype
    assert set(again.histograms) == set(HISTOGRAMS)


def test_a_recording_without_samples_is_kept_too(tmp_path):
    Recording(facts={"loss": "mse"}).save(tmp_path / "r.npz")
    again = Recording.load(tmp_path / "r.npz")
    assert (len(again), again.facts, again.path) == (0, {"loss": "mse"}, None)


def rewritten(path, name, content):
    """The archive with another content for one of its files, or without it."""
    with zipfile.ZipFile(path) as old:
        files = {member: old.read(member) for member in old.namelist()}
    if content is None:
        del files[name]
    else:
        files[name] = content(files[name])
    with zipfile.ZipFile(path, "w") as new:
        for member, octets in files.items():
            new.writestr(member, octets)


def npy(array):
    import io

    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("iterations.npy", None),
        ("statistics/dead.npy", lambda old: npy(np.zeros((2, 9)))),
        ("histograms/weights/counts.npy", lambda old: npy(np.zeros((1, 2, 3)))),
        ("path.npy", lambda old: npy(np.zeros((2, 5), np.float32))),
        ("facts.npy", lambda old: npy(np.frombuffer(b'["no object"]', np.uint8))),
        *(
            ("facts.npy", lambda old, facts=facts: npy(np.frombuffer(facts, np.uint8)))
            for facts in (
                b'{"weights": [["W", ["x"]]]}',
                b'{"weights": null}',
                b'{"epochs": "x"}',
                b'{"architecture": ["x"]}',
                b'{"class_counts": [1, "a"]}',
                b'{"initial_penalty": "x"}',
                b'{"history": [1]}',
                b'{"twins": {}}',
                b'{"history": {"loss": "x"}}',
                b'{"columns": [3]}',
            )
        ),
        ("batch_losses.npy", lambda old: old[:100]),
        ("batch_losses.npy", lambda old: npy(np.array([object()]))),
        ("learning_rates.npy", lambda old: npy(np.array(["text"] * 3))),
        ("batch_rates.npy", lambda old: npy(np.zeros(2))),
    ],
)
def test_damaged_files_are_refused(recorded, tmp_path, name, content):
    path = tmp_path / "recording.npz"
    recorded.save(path)
    rewritten(path, name, content)
    with pytest.raises(ModelFileError, match="is damaged"):
        Recording.load(path)


def test_cut_files_and_other_files_are_refused(recorded, tmp_path):
    path = tmp_path / "recording.npz"
    recorded.save(path)
    whole = path.read_bytes()
    for octets in (whole[: len(whole) // 2], b"", b"text"):
        path.write_bytes(octets)
        with pytest.raises(ModelFileError):
            Recording.load(path)
    with pytest.raises(ModelFileError, match="No such file"):
        Recording.load(tmp_path / "none.npz")


def test_unknown_layers_and_missing_paths_are_named(recorded):
    with pytest.raises(ArgumentError, match=r"places 0 to \d+, got 9999"):
        recorded.weights_at(9999)
    with pytest.raises(ArgumentError, match=r"'typo'.*hidden, out"):
        recorded.of("typo")
    with pytest.raises(ArgumentError, match="no path"):
        Recording().weights_at(0)
