"""Models of graphs: several inputs and outputs, shared layers and models, training, files, copies."""

import copy
import pickle

import numpy as np
import pytest
from ops_checks import FLOAT64, check_gradients

from thalweg import Input, Model, Sequential, load_model, ops
from thalweg.callbacks import EarlyStopping, ModelCheckpoint
from thalweg.errors import ThalwegError
from thalweg.layers import Add, BatchNormalization, Concatenate, Dense, Dropout
from thalweg.optimizers import SGD, Adam

RANDOM = np.random.default_rng(0)
A, B = RANDOM.normal(size=(40, 4)).astype(np.float32), RANDOM.normal(size=(40, 3)).astype(np.float32)
PRICE, KIND = RANDOM.normal(size=(40, 1)).astype(np.float32), RANDOM.integers(0, 3, 40)


def two_by_two(outputs="dict", seed=1, **options):
    """Two inputs, two outputs."""
    a, b = Input((4,), name="x"), Input((3,), name="b")
    h = Concatenate()([Dense(5, "tanh", name="of_a")(a), b])
    h = Dense(6, "relu", name="both")(h)
    price, kind = Dense(1, name="price")(h), Dense(3, "softmax", name="kind")(h)
    given = {"price": price, "kind": kind} if outputs == "dict" else [price, kind]
    return Model({"x": a, "b": b} if outputs == "dict" else [a, b], given, seed=seed, **options)


def compiled(model, optimizer="adam", **more):
    model.compile(
        optimizer,
        {"price": "mse", "kind": "sparse_categorical_crossentropy"},
        metrics={"price": ["mae"], "kind": ["accuracy"]},
        **more,
    )
    return model


X, Y = {"x": A, "b": B}, {"price": PRICE, "kind": KIND}


# --- inputs and outputs -----------------------------------------------------------------------------------------------


def test_lists_and_dicts_are_the_same_model():
    dicts, lists = compiled(two_by_two()), compiled(two_by_two("list"))
    one = dicts.fit(X, Y, epochs=3, verbose=0)
    other = lists.fit([A, B], [PRICE, KIND], epochs=3, verbose=0)
    assert one.history == other.history
    assert set(one.history) == {"loss", "price_loss", "price_mae", "kind_loss", "kind_accuracy"}
    got, listed = dicts.predict(X), lists.predict([A, B])
    assert list(got) == ["price", "kind"]
    np.testing.assert_array_equal(got["price"], listed[0])
    np.testing.assert_array_equal(got["kind"], listed[1])
    np.testing.assert_array_equal(lists.predict({"b": B, "x": A})[1], listed[1])
    np.testing.assert_array_equal(dicts(X)["kind"], listed[1])


def test_the_loss_is_the_weighted_sum():
    model = compiled(two_by_two(), loss_weights={"price": 0.25})
    logs = model.evaluate(X, Y, return_dict=True, verbose=0)
    assert logs["loss"] == pytest.approx(0.25 * logs["price_loss"] + logs["kind_loss"], rel=1e-5)
    predicted = model.predict(X)
    assert logs["price_loss"] == pytest.approx(float(((predicted["price"] - PRICE) ** 2).mean()), rel=1e-4)
    assert logs["price_mae"] == pytest.approx(float(abs(predicted["price"] - PRICE).mean()), rel=1e-4)
    assert logs["kind_accuracy"] == pytest.approx(float((predicted["kind"].argmax(1) == KIND).mean()))


def test_gradients_of_several_outputs():
    a, b = Input((4,)), Input((3,))
    h = Dense(5, "tanh")(ops.concatenate([a, b], 1))
    model = Model([a, b], [Dense(2)(h), Dense(3, "softmax")(h)], seed=2, **FLOAT64)
    y = [RANDOM.normal(size=(40, 2)), np.eye(3)[KIND]]
    check_gradients(model, [A, B], y, ["mse", "categorical_crossentropy"])


def test_engines_agree():
    native, reference = compiled(two_by_two(), SGD(0.1)), compiled(two_by_two(**FLOAT64), SGD(0.1))
    reference.set_weights(native.get_weights())
    for model in (native, reference):
        model.fit(X, Y, epochs=2, batch_size=7, verbose=0)
    for one, other in zip(native.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_an_output_without_a_loss_is_only_computed():
    a = Input((4,))
    h = Dense(5, "tanh", name="h")(a)
    model = Model(a, [Dense(1, name="price")(h), h], seed=1)
    plain_h = Dense(5, "tanh")(b := Input((4,)))
    plain = Model(b, Dense(1)(plain_h), seed=1)
    model.compile("sgd", ["mse", None])
    plain.compile("sgd", "mse")
    plain.set_weights(model.get_weights())
    model.fit(A, [PRICE, None], epochs=2, verbose=0, shuffle=False)
    plain.fit(A, PRICE, epochs=2, verbose=0, shuffle=False)
    for one, other in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    assert model.predict(A)[1].shape == (40, 5)


def test_row_weights_of_each_output():
    weights = {"price": np.linspace(0, 1, 40), "kind": np.linspace(2, 0, 40)}
    model = compiled(two_by_two())
    logs = model.evaluate(X, Y, sample_weight=weights, return_dict=True, verbose=0)
    predicted = model.predict(X)
    price = (weights["price"] * ((predicted["price"] - PRICE) ** 2)[:, 0]).mean()
    kind = (weights["kind"] * -np.log(predicted["kind"][np.arange(40), KIND])).mean()
    assert logs["loss"] == pytest.approx(price + kind, rel=1e-4)
    one = model.evaluate(X, Y, sample_weight=weights["price"], return_dict=True, verbose=0)
    other = model.evaluate(
        X, Y, sample_weight={"price": weights["price"], "kind": weights["price"]}, return_dict=True, verbose=0
    )
    assert one == other


def test_class_weights_of_the_only_output():
    a, b = Input((4,), name="a"), Input((3,), name="b")
    model = Model([a, b], Dense(3, "softmax")(Concatenate()([a, b])), seed=1)
    model.compile("sgd", "sparse_categorical_crossentropy")
    by_class, by_row = {0: 1.0, 1: 2.0, 2: 0.5}, np.array([1.0, 2.0, 0.5])[KIND]
    one, other = copy.deepcopy(model), copy.deepcopy(model)
    one.fit([A, B], KIND, class_weight=by_class, verbose=0)
    other.fit([A, B], KIND, sample_weight=by_row, verbose=0)
    for v, w in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(v, w)


def test_validation():
    split = compiled(two_by_two()).fit(X, Y, validation_split=0.25, verbose=0, epochs=2).history
    first, last = slice(0, 30), slice(30, None)
    data = ({k: v[last] for k, v in X.items()}, {k: v[last] for k, v in Y.items()})
    given_ = compiled(two_by_two()).fit(
        {k: v[first] for k, v in X.items()},
        {k: v[first] for k, v in Y.items()},
        validation_data=data,
        verbose=0,
        epochs=2,
    )
    assert split == given_.history
    assert "val_kind_accuracy" in split


def test_one_batch():
    model = compiled(two_by_two())
    before = model.test_on_batch(X, Y, return_dict=True)
    stepped = model.train_on_batch(X, Y, return_dict=True)
    assert stepped == pytest.approx(before, rel=1e-5)
    assert model.test_on_batch(X, Y, return_dict=True)["loss"] < before["loss"]
    np.testing.assert_allclose(model.predict_on_batch(X)["kind"], model.predict(X)["kind"], rtol=1e-6)


def test_callbacks(tmp_path):
    model = compiled(two_by_two(), Adam(0.05))
    path = tmp_path / "best.safetensors"
    stop = EarlyStopping("val_loss", patience=2, restore_best_weights=True)
    history = model.fit(
        X, Y, epochs=60, validation_split=0.5, verbose=0, callbacks=[stop, ModelCheckpoint(path, save_best_only=True)]
    ).history
    assert len(history["loss"]) < 60
    tail = {k: v[20:] for k, v in X.items()}, {k: v[20:] for k, v in Y.items()}
    best = min(history["val_loss"])
    assert model.evaluate(*tail, return_dict=True, verbose=0)["loss"] == pytest.approx(best, rel=1e-5)
    assert load_model(path).evaluate(*tail, return_dict=True, verbose=0)["loss"] == pytest.approx(best, rel=1e-5)


def test_lanes():
    losses = []
    for lanes in (1, 2):
        model = compiled(two_by_two())
        losses.append(model.fit(X, Y, epochs=3, batch_size=16, lanes=lanes, verbose=0).history["loss"])
        np.testing.assert_allclose(
            model.predict(X, lanes=lanes)["price"], model.predict(X, lanes=1)["price"], rtol=1e-5, atol=1e-6
        )
    np.testing.assert_allclose(*losses, rtol=1e-4)


# --- shared layers and models -----------------------------------------------------------------------------------------


def test_a_shared_layer_gets_the_sum_of_its_gradients():
    """y = a·W + 2·b·W: dW = (a + 2b)ᵀ·dy."""
    a, b = Input((4,)), Input((4,))
    shared = Dense(2, use_bias=False)
    model = Model([a, b], shared(a) + 2 * shared(b), seed=1, **FLOAT64)
    other, y = RANDOM.normal(size=(40, 4)), RANDOM.normal(size=(40, 2))
    assert len(model.layers) == 3  # two of them inputs, as in Keras
    assert len(model.get_weights()) == 1
    (dW,) = check_gradients(model, [A, other], y, "mse")
    x = A + 2 * other
    np.testing.assert_allclose(dW, x.T @ (2 * (x @ model.get_weights()[0] - y) / y.size), rtol=1e-8)


def test_common_layers_compute_in_one_type():
    inner = Model(i := Input((4,)), Dense(3, "tanh")(i), name="inner")
    with pytest.raises(ThalwegError, match=r"'whole' computes in float64.*float32"):
        Model(a := Input((4,)), Dense(2)(inner(a)), name="whole", **FLOAT64)


@pytest.mark.parametrize("options", [{}, FLOAT64])
def test_nested_models_train(options):
    inner = Model(i := Input((4,)), Dense(3, "tanh")(i), name="inner", **options)
    tail = Sequential([Dense(6, "tanh"), Dense(2)], name="tail", **options)
    model = Model(a := Input((4,)), tail(inner(a) + inner(-2 * a)), seed=1, **options)
    y = RANDOM.normal(size=(40, 2)).astype(np.float32)
    if options:
        check_gradients(model, A, y, "mse")
    before = inner.predict(A)
    model.compile("adam", "mse")
    model.fit(A, y, epochs=2, verbose=0)
    assert not np.array_equal(inner.predict(A), before)
    np.testing.assert_allclose(
        model.predict(A), tail.predict(inner.predict(A) + inner.predict(-2 * A)), rtol=1e-4, atol=1e-5
    )
    assert model.count_params() == inner.count_params() + tail.count_params() == 15 + 24 + 14


def autoencoder():
    x = Input((4,))
    code = Dense(2, "tanh", name="code")(x)
    encoder = Model(x, code, seed=1)
    return encoder, Model(x, Dense(4, name="decoded")(code), seed=2)


def test_an_encoder_shares_what_the_autoencoder_learns():
    encoder, both = autoencoder()
    before = encoder.predict(A)
    np.testing.assert_array_equal(encoder.get_weights()[0], both.get_weights()[0])
    both.compile("adam", "mse")
    both.fit(A, A, epochs=3, verbose=0)
    after = encoder.predict(A)
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(encoder.get_weights()[0], both.get_weights()[0])
    W, b = both.get_weights()[:2]
    np.testing.assert_allclose(after, np.tanh(A @ W + b), rtol=1e-4, atol=1e-5)
    encoder.set_weights([np.zeros((4, 2)), np.zeros(2)])
    np.testing.assert_allclose(both.predict(A), np.broadcast_to(both.get_weights()[3], A.shape), atol=1e-6)


@pytest.mark.parametrize("optimizer", [lambda: Adam(0.01), lambda: SGD(0.05, momentum=0.9)])
def test_a_model_made_after_training_changes_nothing(optimizer):
    """The optimizer's vectors follow when the weights move in memory."""
    runs = []
    for disturbed in (False, True):
        encoder, both = autoencoder()
        both.compile(optimizer(), "mse")
        both.fit(A, A, epochs=2, verbose=0)
        if disturbed:
            extra = Model(encoder.inputs, Dense(7, name="extra")(encoder.output), seed=3)
            extra.compile("adam", "mse")
            extra.predict(A)
        both.fit(A, A, epochs=4, initial_epoch=2, verbose=0)
        runs.append(both.get_weights())
    for one, other in zip(*runs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)


def test_models_that_were_made_apart_are_joined():
    runs = []
    for joined in (False, True):
        one = Sequential([Input((4,)), Dense(3, "tanh", name="one")], seed=1)
        two = Sequential([Input((4,)), Dense(3, "tanh", name="two")], seed=2)
        y = RANDOM.normal(size=(40, 3)) * 0 + B
        for model in (one, two):
            model.compile(Adam(0.01), "mse")
            model.fit(A, y, epochs=2, verbose=0)
        before = one.predict(A), two.predict(A)
        if joined:
            x = Input((4,))
            third = Model(x, Dense(1, name="three")(ops.concatenate([one(x), two(x)], 1)), seed=3)
            np.testing.assert_array_equal(one.predict(A), before[0])
            np.testing.assert_array_equal(two.predict(A), before[1])
            W, b = third.get_weights()[-2:]
            np.testing.assert_allclose(third.predict(A), np.concatenate(before, 1) @ W + b, rtol=1e-4, atol=1e-5)
        for model in (one, two):
            model.fit(A, y, epochs=4, initial_epoch=2, verbose=0)
        runs.append([*one.get_weights(), *two.get_weights()])
        if joined:
            third.compile("adam", "mse")
            third.fit(A, PRICE, epochs=1, verbose=0)
            assert not np.array_equal(one.get_weights()[0], runs[-1][0])
    for one, other in zip(*runs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)


def test_intermediate_outputs():
    model = compiled(two_by_two("list"))
    model.fit([A, B], [PRICE, KIND], verbose=0)
    features = Model(model.inputs, model.get_layer("both").output)
    got = features.predict([A, B])
    W, b = model.get_layer("kind").get_weights()
    logits = got @ W + b
    want = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(model.predict([A, B])[1], want, rtol=1e-4)
    every = Model(model.inputs, [layer.output for layer in model.layers])
    assert [o.shape for o in every.predict([A, B])] == [(40, *layer.output_shape) for layer in model.layers]
    chain = Sequential([Input((4,)), Dense(5, "relu"), Dense(2)], seed=1)
    cut = Model(chain.inputs, chain.layers[0].output)
    W, b = chain.get_weights()[:2]
    np.testing.assert_allclose(cut.predict(A), np.maximum(A @ W + b, 0), rtol=1e-4, atol=1e-5)


def test_a_frozen_model_inside_another():
    encoder, both = autoencoder()
    encoder.trainable = False
    both.compile("adam", "mse")
    before = both.get_weights()
    both.fit(A, A, verbose=0)
    changed = [not np.array_equal(v, w) for v, w in zip(before, both.get_weights(), strict=True)]
    assert changed == [False, False, True, True]


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [False, True], ids=["list", "dict"])
def test_a_model_may_begin_with_any_tensor(named):
    a = Input((4,), name="a")
    one, other = Dense(3, "tanh", name="one")(a), Dense(2, name="other")(a)
    both = Dense(2, name="both")(Concatenate(name="joined")([one, other]))
    whole, head = Model(a, both), Model({"u": one, "v": other} if named else [one, other, a], both)
    assert [x.name for x in head.inputs] == (["u", "v"] if named else ["one", "other", "a"])
    assert [layer.name for layer in head.layers if layer.weights] == ["both"]
    parts = [Model(a, one).predict(A), Model(a, other).predict(A), A]
    given = dict(zip("uv", parts, strict=False)) if named else parts
    np.testing.assert_allclose(head.predict(given), whole.predict(A), rtol=1e-6)
    assert whole.get_layer("both").output is both  # not that of the call on new inputs
    head.compile("sgd", "mse")
    before = whole.predict(A)
    head.fit(given, np.ones((40, 2)), verbose=0)
    assert not np.allclose(whole.predict(A), before)  # the weights are common


def test_disconnected_graphs_are_refused():
    a, b = Input((4,), name="a"), Input((4,), name="b")
    with pytest.raises(ThalwegError, match=r"disconnected.*b"):
        Model(a, Dense(2)(a + b))
    with pytest.raises(ThalwegError, match="each of them once"):
        Model([a, a], Dense(2)(a))
    with pytest.raises(ThalwegError, match="tensors made by Input"):
        Model("a", Dense(2)(a))
    with pytest.raises(ThalwegError, match="outputs"):
        Model(a, [])
    with pytest.raises(ThalwegError, match="outputs"):
        Model(a, 3)


def test_shapes_that_dont_fit_a_merge_name_the_layer():
    with pytest.raises(ThalwegError, match=r"sum.*\(None, 4\).*\(None, 3\)"):
        Add(name="sum")([Input((4,)), Input((3,))])
    with pytest.raises(ThalwegError, match="3"):
        Model(i := Input((4,)), Dense(2)(i))(Input((3,)))


@pytest.mark.parametrize(
    ("x", "y", "told"),
    [
        ([A], [PRICE, KIND], "list of 2"),
        ([A, B, B], [PRICE, KIND], "list of 2"),
        ({"x": A}, Y, "nothing for 'b'"),
        ({"x": A, "b": B, "c": B}, Y, "'c'"),
        ({"x": A, "d": B}, Y, "'d'"),
        (X, [PRICE], "list of 2"),
        (X, {"price": PRICE}, "nothing for 'kind'"),
        (X, {"price": PRICE, "kinds": KIND}, "did you mean 'kind'"),
        ({"x": A, "b": B[:-1]}, Y, "40.*39|39.*40"),
        ({"x": A, "b": A}, Y, "'b'"),
        (X, {"price": PRICE[:-1], "kind": KIND}, "40.*39|39.*40"),
    ],
)
def test_wrong_arrays_are_told_by_name(x, y, told):
    model = compiled(two_by_two())
    for use in (model.fit, model.evaluate):
        with pytest.raises(ThalwegError, match=told):
            use(x, y, verbose=0)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"loss": {"prize": "mse"}}, "did you mean 'price'"),
        ({"loss": ["mse", "mse", "mse"]}, "list of 2"),
        ({"loss": "mse", "loss_weights": {"prize": 2.0}}, "did you mean 'price'"),
        ({"loss": "mse", "metrics": {"prize": ["mae"]}}, "did you mean 'price'"),
        ({"loss": {"price": "mse"}, "metrics": {"kind": ["accuracy"]}}, "'kind' has metrics but no loss"),
    ],
)
def test_wrong_goals_are_told_by_name(arguments, told):
    with pytest.raises(ThalwegError, match=told):
        two_by_two().compile("sgd", **arguments)


# --- files and copies -------------------------------------------------------------------------------------------------


def test_training_goes_on_from_a_file(tmp_path):
    straight, stopped = compiled(two_by_two()), compiled(two_by_two())
    straight.fit(X, Y, epochs=4, verbose=0)
    stopped.fit(X, Y, epochs=2, verbose=0)
    stopped.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    again.fit(X, Y, epochs=4, initial_epoch=2, verbose=0)
    for one, other in zip(straight.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert list(again.predict(X)) == ["price", "kind"]


def test_a_model_that_shares_weights_goes_on_from_a_file(tmp_path):
    """The file holds the optimizer's numbers of its own weights, of a vector with those of other models."""
    encoder, both = autoencoder()
    encoder.compile(Adam(0.01), "mse")
    encoder.fit(A, A[:, :2], epochs=2, verbose=0)
    encoder.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    both.compile("adam", "mse")
    both.predict(A)
    for model in (encoder, again):
        model.fit(A, A[:, :2], epochs=4, initial_epoch=2, verbose=0)
    np.testing.assert_allclose(encoder.get_weights()[0], again.get_weights()[0], rtol=1e-6)
    encoder.load_state(tmp_path / "m.safetensors")
    encoder.fit(A, A[:, :2], epochs=4, initial_epoch=2, verbose=0)
    np.testing.assert_allclose(encoder.get_weights()[0], again.get_weights()[0], rtol=1e-6)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_long_graphs_are_copied(copied):
    x = h = Input((4,))
    for _ in range(500):
        h = 1.001 * h
    model = Model(x, Dense(2)(h), seed=1)
    np.testing.assert_array_equal(copied(model).predict(A), model.predict(A))


def test_structures_within_structures():
    x = Input((4,))
    parts = [Dense(1, name="one")(x), Dense(2, name="two")(x)]
    model = Model(x, {"first": parts, "second": Dense(3, name="three")(x)}, seed=1)
    assert model.output_names == ["one", "two", "three"]
    got = model.predict(A)
    assert [v.shape for v in got["first"]] == [(40, 1), (40, 2)]
    assert got["second"].shape == (40, 3)
    model.compile("sgd", "mse")
    model.fit(A, {"one": A[:, :1], "two": A[:, :2], "three": A[:, :3]}, verbose=0)


def nested():
    inner = Model(i := Input((4,)), [Dense(3, "tanh", name="t")(i), BatchNormalization(name="n")(i)], name="inner")
    tail = Sequential([Dense(6, "tanh"), Dropout(0.2), Dense(2)], name="tail")
    a, b = Input((4,), name="a"), Input((4,), name="b")
    shared = Dense(2, name="shared")
    first, second = inner(a)
    third, _ = inner(b)
    h = ops.concatenate([first * third, shared(second), shared(b)[:, ::-1]], axis=-1)
    return Model([a, b], {"tail": tail(h), "max": ops.max(h, 1, keepdims=True)}, seed=1, name="whole")


def test_a_nested_graph_survives_saving(tmp_path):
    model = nested()
    model.compile("adam", {"tail": "mse", "max": None})
    x = [A, A[::-1].copy()]
    model.fit(x, {"tail": A[:, :2]}, epochs=2, verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    for name, values in model.predict(x).items():
        np.testing.assert_array_equal(again.predict(x)[name], values)
    for m in (model, again):
        m.fit(x, {"tail": A[:, :2]}, epochs=4, initial_epoch=2, verbose=0)
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    fresh = nested()
    fresh.load_weights(tmp_path / "m.safetensors")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies(copied):
    encoder, both = autoencoder()
    both.compile("adam", "mse")
    both.fit(A, A, verbose=0)
    again = copied(both)
    np.testing.assert_array_equal(again.predict(A), both.predict(A))
    for model in (both, again):
        model.fit(A, A, epochs=3, initial_epoch=1, verbose=0)
    np.testing.assert_array_equal(again.predict(A), both.predict(A))
    again.fit(A, A, verbose=0)
    assert not np.array_equal(again.get_weights()[0], both.get_weights()[0])
    np.testing.assert_array_equal(encoder.get_weights()[0], both.get_weights()[0])
    pair = copied([encoder, both])
    pair[1].fit(A, A, verbose=0)
    np.testing.assert_array_equal(pair[0].get_weights()[0], pair[1].get_weights()[0])
    W, b = pair[0].get_weights()
    np.testing.assert_allclose(pair[0].predict(A), np.tanh(A @ W + b), rtol=1e-4, atol=1e-5)


def test_summary_and_layers(capsys):
    model = two_by_two()
    model.summary()
    printed = capsys.readouterr().out
    for name in ("of_a", "both", "price", "kind"):
        assert name in printed
    assert f"{model.count_params():,}" in printed
    assert model.get_layer("both") is model.get_layer(index=model.layers.index(model.get_layer("both")))
    with pytest.raises(ThalwegError, match="did you mean 'both'"):
        model.get_layer("bot")
    assert model.output_names == ["price", "kind"]
    assert model.input_shape == [(None, 4), (None, 3)]
    assert model.output_shape == [(None, 1), (None, 3)]
