"""Embedding: the vectors of ids, and the update of those rows of the table alone that occur in a batch."""

import copy

import embedding_rows
import numpy as np
import pytest
from harness import OPTIONAL, TWICE, Case, Shape
from optimizer_equations import EQUATIONS

from thalweg import Input, Model, Sequential, load_model, ops, optimizers
from thalweg.callbacks import Callback
from thalweg.engine import ENGINES, make_executor, usable_lanes
from thalweg.errors import ArgumentError, DataError, ShapeError, ThalwegError
from thalweg.layers import Concatenate, Dense, Embedding, Flatten, GlobalAveragePooling1D, Layer
from thalweg.optimizers import SGD, Adam, AdamW
from thalweg.program.passes.draft import Request

IDS, WIDTH, LENGTH, BATCH, STEPS = 12, 5, 3, 16, 20
RNG = np.random.default_rng(5)
# The first batch has every id; later ones miss some, and repeat others within a row.
X = np.concatenate(
    [np.arange(BATCH * LENGTH).reshape(BATCH, LENGTH) % IDS, *RNG.integers(0, IDS, (STEPS - 1, BATCH, LENGTH)) // 2 * 2]
)
X[BATCH::7, 1:] = X[BATCH::7, :1]
OPTIMIZERS = [
    pytest.param(name, options, id=f"{name}{n}")
    for name, (_, *variants) in EQUATIONS.items()
    if optimizers.CLASSES[name].elementwise
    for n, options in enumerate([{}, *variants])
]
Y = np.random.default_rng(6).normal(size=(len(X), WIDTH))


def averaged(optimizer, **options):
    """The mean of the vectors, learned by squared error: only the table is trained."""
    model = Sequential([Input((LENGTH,)), Embedding(IDS, WIDTH, "normal"), GlobalAveragePooling1D()], seed=1, **options)
    model.compile(optimizer, "mse")
    return model


def flattened(optimizer, sparse=True, **options):
    """All vectors, to a dense layer, which is trained too."""
    table = Embedding(IDS, WIDTH, "normal", sparse=sparse)
    model = Sequential([Input((LENGTH,)), table, Flatten(), Dense(WIDTH)], seed=1, **options)
    model.compile(optimizer, "mse")
    return model


def fit(model, x=X, epochs=1, **options):
    return model.fit(x, Y[: len(x)], batch_size=BATCH, epochs=epochs, shuffle=False, verbose=0, **options)


def named(model):
    """The names of the instructions of a training step."""
    return [row.name for row in model.schedule()]


# --- the vectors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4,), (2, 3), (1,)])
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_an_id_is_replaced_by_its_row_of_the_table(shape, engine):
    model = Sequential([Input(shape), Embedding(7, 3)], engine=engine)
    ids = RNG.integers(0, 7, (50, *shape))
    model.build()
    (W,) = model.get_weights()
    assert np.array_equal(model.predict(ids), W[ids])
    assert np.array_equal(model.predict(ids.astype(np.uint8)), W[ids])
    assert np.array_equal(model.predict(ids.astype(np.float32), batch_size=9), W[ids])
    assert np.abs(W).max() <= 0.05


def test_the_initial_table_may_be_given():
    W = RNG.normal(size=(7, 3)).astype(np.float32)
    for weights in (W, [W]):
        model = Sequential([Input((2,)), Embedding(7, 3, weights=weights)])
        assert np.array_equal(model.predict([[6, 0]]), W[[[6, 0]]])


@pytest.mark.parametrize("flags", [0, TWICE, OPTIONAL, OPTIONAL | TWICE])
def test_ids_that_are_not_rows_give_nan_and_no_gradient(flags):
    """The kernel's own check: the array is the caller's, and ids may be computed."""
    wrong = 0
    for seed in range(50):
        case = Case(embedding_rows.look_up, Shape(9, 4, 5, 3, flags, seed))
        ids = embedding_rows.ids_of(case, 0.2)
        case.values[case.instruction.ids] = case.values[ids]
        got, want = case.native()["h"], case.reference()["h"]
        assert np.array_equal(np.isnan(got), np.isnan(want))
        known = np.isin(case.values[ids], np.arange(5))
        lost = ~known.reshape(9, -1).all(axis=1) if flags & TWICE else ~known
        assert np.array_equal(np.isnan(got).all(axis=-1).reshape(lost.shape), lost)
        wrong += lost.sum()
    assert wrong > 50


# --- the sparse update ---------------------------------------------------------------------------------------------


def by_the_equation(name, options, W, x=X):
    """The table after all steps, each of which changes rows and slots of the ids of its batch alone."""
    equation, slots = EQUATIONS[name][0], {}
    for t, first in enumerate(range(0, len(x), BATCH), start=1):
        ids, y = x[first : first + BATCH], Y[first : first + BATCH]
        G = np.zeros_like(W)
        slope = 2 * (W[ids].mean(axis=1) - y) / y.size / LENGTH
        np.add.at(G, ids, slope[:, None])
        after = copy.deepcopy(slots)
        new, rows = equation(W, G, t, after, **options), np.unique(ids)
        W = W.copy()
        W[rows] = new[rows]
        for key, value in after.items():
            if key in slots and np.ndim(value):
                slots[key][rows] = value[rows]
            else:
                slots[key] = value
    return W


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_every_optimizer_updates_the_rows_of_the_batch_alone(name, options):
    model = averaged(optimizers.CLASSES[name](**options), engine="reference", dtype="float64")
    model.build()
    (W,) = model.get_weights()
    want = by_the_equation(name, options, W)
    assert np.abs(want - W).max() > 1e-5
    fit(model)
    np.testing.assert_allclose(model.get_weights()[0], want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("lanes", [1, 2, 3])
@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_both_engines_are_at_the_same_place_after_twenty_steps(name, options, lanes):
    for make in (averaged, flattened):
        reference = make(optimizers.CLASSES[name](**options), engine="reference", dtype="float64")
        native = make(optimizers.CLASSES[name](**options))
        reference.build()
        native.set_weights(reference.get_weights())
        fit(reference)
        fit(native, lanes=lanes)
        for one, other in zip(native.get_weights(), reference.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-4)
        for one, other in zip(native.slots, reference.slots, strict=True):
            np.testing.assert_allclose(one, other, rtol=2e-2, atol=2e-4)


@pytest.mark.parametrize("options", [{"engine": "reference"}, {"lanes": 1}, {"lanes": 2}])
def test_rows_that_do_not_occur_keep_their_weights_and_slots_bit_for_bit(options):
    lanes = options.pop("lanes", None)
    model = flattened(AdamW(0.01, weight_decay=0.1, amsgrad=True), **options)
    fit(model, lanes=lanes)
    before = [model.get_weights()[0].copy(), *(tables(model))]
    x = np.where(np.isin(X, (3, 8)), 4, X)
    fit(model, x, epochs=2, lanes=lanes)
    after = [model.get_weights()[0], *tables(model)]
    assert len(after) == 4
    for old, new in zip(before, after, strict=True):
        same = (old == new).all(axis=1)
        assert same[[3, 8]].all()
        assert not same[[0, 2, 4]].any()


def tables(model):
    """The optimizer's vectors for the table, as (ids, width)."""
    size, stride = IDS * WIDTH, -(-model.vector.size // 16) * 16
    return [slot[:size].reshape(IDS, WIDTH).copy() for slot in model.slots.reshape(-1, stride)]


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_the_same_lanes_give_the_same_bits(lanes):
    found = []
    for _ in range(2):
        model = flattened(Adam(0.01))
        fit(model, epochs=3, lanes=lanes)
        found.append(model.vector.copy())
    assert np.array_equal(*found)


@pytest.mark.parametrize("lanes", [1, 2])
def test_a_large_batch_of_several_blocks(lanes):
    x, y = RNG.integers(0, 500, (600, 40)), RNG.normal(size=(600, 1))
    models = []
    for options in ({"engine": "reference"}, {}):
        model = Sequential([Input((40,)), Embedding(500, 33), Flatten(), Dense(1)], seed=4, **options)
        model.compile(SGD(0.5, momentum=0.5, clipvalue=0.002), "mse")
        model.fit(x, y, batch_size=300, epochs=2, verbose=0, lanes=lanes if not options else None)
        models.append(model)
    for one, other in zip(*(m.get_weights() for m in models), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_last_batch_of_fewer_rows_than_lanes():
    model, other = flattened(Adam(0.01)), flattened(Adam(0.01), engine="reference")
    x = X[: BATCH + 1]
    fit(model, x, epochs=4, lanes=2)
    fit(other, x, epochs=4)
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


def test_two_tables_of_one_network_with_two_inputs():
    more = RNG.integers(0, 9, (len(X), 2))

    def network(**options):
        ids, others = Input((LENGTH,), name="ids"), Input((2,), name="others")
        means = [
            GlobalAveragePooling1D()(Embedding(IDS, 4, name="words")(ids)),
            Flatten()(Embedding(9, 3, name="colors")(others)),
        ]
        model = Model([ids, others], Dense(WIDTH)(Concatenate()(means)), seed=2, **options)
        model.compile(Adam(0.01), "mse")
        model.fit([X, more], Y, batch_size=BATCH, epochs=2, verbose=0)
        return model

    native, reference = network(), network(engine="reference")
    assert named(native).count("table reduce") == 2
    for one, two in zip(native.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-4)
    with pytest.raises(DataError, match="layer 'colors' takes ids from 0 to 8, but x of 'others' holds 9 in row 3"):
        native.predict([X, np.where(np.arange(len(X))[:, None] == 3, 9, more)])


@pytest.mark.parametrize("lanes", [1, 2])
def test_a_table_before_a_wide_layer_whose_gradient_the_lanes_share(lanes):
    x, y = RNG.integers(0, 300, (160, 12)), RNG.normal(size=(160, 1))
    models = []
    for options in ({"engine": "reference"}, {}):
        table = [Embedding(300, 20), Flatten()]
        model = Sequential([Input((12,)), *table, Dense(160, "tanh"), Dense(220, "tanh"), Dense(1)], seed=4, **options)
        model.compile(Adam(0.001), "mse")
        model.fit(x, y, batch_size=32, epochs=3, verbose=0, lanes=lanes if not options else None)
        models.append(model)
    shared = make_executor("native", models[1]._compiled.training_job(models[1]._compiled.data(x, y), 32, lanes, True))
    assert len(shared.shared_gradients) == 2
    for one, other in zip(*(m.get_weights() for m in models), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_work_on_scattered_rows_alone_takes_one_lane(monkeypatch):
    monkeypatch.setattr("thalweg.engine.lanes.cores", lambda: 2)
    for layers, lanes in (([], 1), ([Dense(512, "relu")], 2)):
        model = Sequential([Input((99,)), Embedding(20_000, 64), GlobalAveragePooling1D(), *layers, Dense(1)])
        model.compile("adam", "mse")
        model.build()
        program, _ = model._compiled.lower(Request("training", 128))
        assert usable_lanes(None, program, 128, ENGINES["native"]) == lanes


# --- the dense update ----------------------------------------------------------------------------------------------

DENSE = {
    "clipnorm": lambda: Adam(0.01, clipnorm=0.1),
    "global_clipnorm": lambda: Adam(0.01, global_clipnorm=0.1),
    "use_ema": lambda: Adam(0.01, use_ema=True),
    "accumulation": lambda: Adam(0.01, gradient_accumulation_steps=2),
    "lamb": lambda: optimizers.Lamb(0.01),
    "adafactor": lambda: optimizers.Adafactor(0.01),
    "muon": lambda: optimizers.Muon(0.01),
}


@pytest.mark.parametrize("name", [*DENSE, "sparse=False"])
def test_what_needs_whole_arrays_updates_every_row(name):
    make = DENSE.get(name, lambda: Adam(0.01))
    native, reference = (
        flattened(make(), sparse=name in DENSE, **options)
        for options in ({}, {"engine": "reference", "dtype": "float64"})
    )
    reference.build()
    native.set_weights(reference.get_weights())
    assert "table reduce" not in named(native)
    assert "table reduce" in named(flattened(Adam(0.01)))
    fit(native, lanes=2)
    fit(reference)
    for one, two in zip(native.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=2e-3, atol=2e-4)
    before = native.get_weights()[0]
    fit(native, np.where(X == 3, 4, X))
    assert (native.get_weights()[0] != before).all(axis=1)[3] or name == "adafactor"


@pytest.mark.parametrize("option", [{"embeddings_regularizer": "l2"}, {"embeddings_constraint": "unit_norm"}])
def test_a_penalty_or_a_constraint_makes_the_gradient_dense(option):
    models = []
    for engine in ("native", "reference"):
        model = Sequential(
            [Input((LENGTH,)), Embedding(IDS, WIDTH, **option), GlobalAveragePooling1D()], seed=3, engine=engine
        )
        model.compile(Adam(0.01), "mse")
        assert "table reduce" not in named(model)
        fit(model)
        models.append(model)
    np.testing.assert_allclose(*(m.get_weights()[0] for m in models), rtol=1e-3, atol=1e-5)


def test_a_second_use_makes_the_gradient_dense_if_a_loss_depends_on_it():
    for loss, sparse in ((["mse", None], True), (["mse", "mse"], False)):
        x, table = Input((LENGTH,)), Embedding(IDS, WIDTH)
        model = Model(x, [GlobalAveragePooling1D()(table(x)), Flatten()(table(x))])
        model.compile(Adam(0.01), loss)
        assert ("table reduce" in named(model)) == sparse


def test_the_gradient_agrees_with_a_central_difference():
    model = flattened(SGD(1.0), engine="reference", dtype="float64")
    model.build()
    before, y = model.get_weights(), Y
    model.fit(X, y, batch_size=len(X), verbose=0)
    direction = [RNG.normal(size=w.shape) for w in before]
    slope = sum(((w - new) * d).sum() for w, new, d in zip(before, model.get_weights(), direction, strict=True))
    losses = []
    for step in (1e-5, -1e-5):
        model.set_weights([w + step * d for w, d in zip(before, direction, strict=True)])
        losses.append(model.evaluate(X, y, verbose=0))
    assert slope == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-6)


# --- as part of a model --------------------------------------------------------------------------------------------


def test_the_mean_is_computed_with_the_look_up():
    model = averaged(Adam(0.01))
    assert "average pooling" not in named(model)
    assert "average pooling" in [row.name for row in model.schedule(after="normalize and add")]
    np.testing.assert_allclose(model.predict(X), model.get_weights()[0][X].mean(axis=1), rtol=1e-5, atol=1e-7)
    fit(model)
    assert np.isfinite(model.trace(X, Y)["dW"]).all()  # in which every value is shown


def test_frozen_factors_and_clipping():
    model = flattened(SGD(0.1, learning_rate_factors={"embedding": 0.0}))
    fit(model)
    frozen = flattened(SGD(0.1))
    frozen.layers[0].trainable = False
    frozen.compile(SGD(0.1), "mse")
    fit(frozen)
    for one, two in zip(model.get_weights(), frozen.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6)
    clipped = averaged(SGD(1.0, clipvalue=1e-3))
    clipped.build()
    before = clipped.get_weights()[0]
    clipped.train_on_batch(X[:BATCH], Y[:BATCH])
    assert np.abs(clipped.get_weights()[0] - before).max() == pytest.approx(1e-3, rel=1e-3)


def test_saved_and_loaded_it_continues_bit_for_bit(tmp_path):
    once, twice = flattened(Adam(0.01)), flattened(Adam(0.01))
    fit(once, epochs=4, validation_split=0.2)
    fit(twice, epochs=2, validation_split=0.2)
    twice.save(tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    fit(again, epochs=2, validation_split=0.2)
    assert np.array_equal(once.vector, again.vector)
    assert np.array_equal(once.slots, again.slots)


def test_it_learns_which_words_matter():
    x = RNG.integers(0, 50, (400, 8))
    y = (x < 10).any(axis=1).astype(float)
    model = Sequential([Input((8,)), Embedding(50, 8), GlobalAveragePooling1D(), Dense(1, "sigmoid")], seed=0)
    model.compile(Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=30, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] > 0.97


# --- what raises ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wrong", "shown"), [(12, "12"), (-1, "-1"), (2.5, "2.5"), (np.nan, "nan"), (1e9, "1e+09")])
def test_a_wrong_id_is_named_with_its_layer_and_row(wrong, shown):
    model = flattened(Adam())
    x = X.astype(np.float32)
    x[7, 1] = wrong
    sentence = rf"layer 'embedding' takes ids from 0 to 11, but x holds {shown.replace('+', '[+]')} in row 7"
    for call in (fit, model.predict, lambda x: model.evaluate(x, Y), lambda x: model.predict(x, batch_size=9)):
        with pytest.raises(DataError, match=sentence):
            call(model, x) if call is fit else call(x)
    with pytest.raises(DataError, match=sentence):
        model.fit(X, Y, validation_data=(x, Y), verbose=0)


@pytest.mark.parametrize("lanes", [1, 2])
def test_an_id_that_changes_while_fit_runs_is_found(lanes):
    x = X.astype(np.float32)

    class Spoiler(Callback):
        def on_epoch_end(self, epoch, logs=None):
            x[5, 2] = 1e6

    with pytest.raises(ThalwegError, match=r"x holds 1e\+06 where an id from 0 to 11 is needed"):
        fit(flattened(Adam()), x, epochs=3, callbacks=[Spoiler()], lanes=lanes)


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"input_dim": 0}, ArgumentError, "input_dim has to be a whole number of at least 1"),
        ({"input_dim": 1 << 25}, ArgumentError, "input_dim is at most 2²⁴"),
        ({"output_dim": 2.5}, ArgumentError, "output_dim has to be a whole number"),
        ({"lora_rank": 4}, ArgumentError, "low-rank adaptation"),
        ({"weights": np.zeros((2, 2))}, ShapeError, r"have the shape \(5, 3\), the given array \(2, 2\)"),
    ],
)
def test_arguments_that_can_not_be_honoured(options, error, sentence):
    with pytest.raises(error, match=sentence):
        Embedding(**({"input_dim": 5, "output_dim": 3} | options))


def test_the_length_of_a_row_may_be_stated():
    stated = Embedding(5, 2, input_length=3)
    assert Sequential([Input((3,)), stated]).predict([[4, 0, 1]]).shape == (1, 3, 2)
    assert stated.get_config()["input_length"] == 3
    with pytest.raises(ShapeError, match="input_length is 4, but a row holds 3 ids"):
        Sequential([Input((3,)), Embedding(5, 2, input_length=4)]).build()


def test_ids_do_not_come_from_a_trained_layer():
    model = Sequential([Input((3,)), Dense(2), Embedding(5, 2)])
    model.compile("sgd", "mse")
    with pytest.raises(ThalwegError, match="the loss does not depend on"):
        model.fit(np.zeros((4, 3)), np.zeros((4, 2, 2)), verbose=0)


class Places(Layer):
    """Adds a vector for each place, whose ids are an array."""

    def __init__(self, ids):
        super().__init__()
        self.ids, self.table = ids, Embedding(3, 2)

    def call(self, x):
        return x + self.table(self.ids)


@pytest.mark.parametrize("ids", [np.arange(3), np.arange(3)[None], np.array([2, 0, 1])], ids=["places", "row", "order"])
def test_ids_that_are_known_beforehand_choose_rows_that_are_trained(ids):
    x = np.random.default_rng(0).normal(size=(20, 3, 2)).astype(np.float32)
    layer = Places(ids)
    model = Sequential([Input((3, 2)), layer], seed=1)
    model.compile(SGD(1.0), "mse")
    model.build()
    before = layer.table.get_weights()[0]
    np.testing.assert_allclose(model.predict(x), x + before[np.asarray(ids)].reshape(1, 3, 2), rtol=1e-6)
    model.fit(x, x, batch_size=20, epochs=1, shuffle=False, verbose=0)
    np.testing.assert_allclose(layer.table.get_weights()[0], before * (1 - 2 / 6), rtol=1e-5)  # the mean of 6 squares


def test_known_ids_that_are_not_rows_raise():
    with pytest.raises(DataError, match=r"takes ids from 0 to 2, but got \[0.0, 1.0, 3.0\]"):
        Places(np.array([0, 1, 3]))(Input((3, 2)))


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_row_may_be_one_id(engine):
    a, b = Input((), dtype="int32", name="a"), Input((), name="b")
    table = Embedding(4, 3)
    vector = table(a)
    assert (a.shape, vector.shape) == ((None,), (None, 3))
    model = Model(
        {"a": a, "b": b}, Dense(1)(ops.concatenate([vector, ops.expand_dims(b, -1)], axis=-1)), engine=engine, seed=0
    )
    model.compile(Adam(0.05), "mse")
    ids, numbers = np.arange(40) % 4, np.linspace(-1, 1, 40, dtype=np.float32)
    data, y = {"a": ids, "b": numbers}, (ids % 2 + numbers)[:, None]
    losses = model.fit(data, y, batch_size=10, epochs=40, verbose=0).history["loss"]
    assert losses[-1] < 0.05 * losses[0]
    dense = model.layers[-1].get_weights()
    expected = np.column_stack([table.get_weights()[0][ids], numbers]) @ dense[0] + dense[1]
    np.testing.assert_allclose(model.predict(data), expected, atol=1e-5)


def test_a_layer_that_needs_an_axis_refuses_a_row_of_one_number():
    with pytest.raises(ShapeError, match=r"Dense 'dense' needs an axis besides the rows, .* give Input\(\(1,\)\)"):
        Dense(2)(Input(()))


@pytest.mark.parametrize("wrong", [4, -1, 1.5, np.nan])
def test_on_arrays_an_id_beyond_the_table_is_told_with_its_row(wrong):
    layer = Embedding(4, 2)
    assert np.isfinite(layer(np.array([[0, 3], [1, 2]]))).all()
    with pytest.raises(DataError, match=rf"'embedding' takes ids from 0 to 3, but row 1 has {wrong}"):
        layer(np.array([[0, 3], [1, wrong]]))
