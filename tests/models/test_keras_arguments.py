"""What Keras's arguments do here: of every layer, of compile and fit, and models made from their configuration."""

import copy
import json

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, Sequential, layers, losses, metrics, models, utils
from thalweg.callbacks import EarlyStopping
from thalweg.errors import ArgumentError, DataError, ShapeError, ThalwegError, ThalwegWarning
from thalweg.layers import Dense

X = np.random.default_rng(0).normal(size=(50, 4)).astype("f")
Y = X[:, :1]


class Scaled(layers.Layer):
    """A layer in Keras's manner, which passes on what it doesn't know."""

    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def forward(self, program, x):
        return program.add(x, x)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


# --- of every layer --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given", [{"input_shape": (4,)}, {"input_dim": 4}, {"batch_input_shape": (None, 4)}, {"batch_shape": [32, 4]}]
)
@pytest.mark.parametrize("make", [lambda **k: Dense(3, **k), lambda **k: Scaled(**k)], ids=["Dense", "own"])
def test_a_first_layer_may_say_the_input_s_shape(make, given):
    model = Sequential([make(**given), Dense(2)])
    assert model.input_shape == (None, 4)
    assert model.predict(X).shape == (50, 2)


def test_the_shape_is_that_of_the_input_or_raises():
    Sequential([Input((4,)), Dense(3, input_shape=(4,)), Dense(2, input_dim=3)]).build()
    model = Sequential([Dense(3, input_dim=4), Dense(2, input_dim=5)])
    with pytest.raises(ShapeError, match=r"'dense_1' was given input_shape=\(5,\), but its input is \(3,\)"):
        model.build()
    with pytest.raises(ShapeError, match="was given input_shape"):
        Sequential([Input((5,)), Dense(3, input_dim=4)]).build()


@pytest.mark.parametrize("dtype", ["float16", "mixed_bfloat16", "int32", np.float16, np.dtype("int8"), 3])
def test_a_type_that_no_model_computes_in_raises(dtype):
    with pytest.raises(ArgumentError, match="Dense: a layer computes in the type of its model"):
        Dense(3, dtype=dtype)


def test_a_type_that_is_not_the_model_s_raises():
    Sequential([Dense(3, input_dim=4, dtype=np.float64)], engine="reference", dtype="float64").build()
    for inner in (Dense(3, dtype="float64"), layers.Residual([Dense(4, dtype="float64")])):
        model = Sequential([Input((4,)), inner])
        with pytest.raises(ArgumentError, match="'dense' was given dtype='float64', but its model computes in float32"):
            model.build()
        assert not model.built


def test_a_shape_that_is_none_raises():
    for given, words in (
        ({"input_shape": (4, None)}, "only the first axis of a row"),
        ({"input_shape": ()}, r"can't be empty: give \(1,\)"),
        ({"input_dim": 2.5}, "input_dim has to be a whole number"),
        ({"input_dim": 3, "input_shape": (3,)}, "only one of input_shape and input_dim"),
    ):
        with pytest.raises(ArgumentError, match=words):
            Dense(3, **given)
    with pytest.raises(TypeError, match="inputshape"):
        Dense(3, inputshape=(3,))


def test_a_frozen_layer_stays_frozen_in_files_and_copies(tmp_path):
    model = Sequential([Dense(3, input_dim=4, trainable=False), Scaled(trainable=False), Dense(1)])
    model.compile("sgd", "mse")
    before = [w.numpy() for w in model.weights[:2]]
    model.fit(X, Y, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.layers[0].get_weights(), strict=True))
    model.save(tmp_path / "m.safetensors")
    again = thalweg.load_model(tmp_path / "m.safetensors", {"Scaled": Scaled})
    assert [layer.trainable for layer in again.layers] == [False, False, True]
    assert [w.path for w in again.trainable_weights] == ["dense_1/W", "dense_1/b"]


# --- weights ---------------------------------------------------------------------------------------------------------


def test_the_weights_of_a_model_are_arrays_with_names():
    model = Sequential([Dense(3, input_dim=4, name="first"), layers.BatchNormalization(), Dense(1, use_bias=False)])
    assert [w.path for w in model.weights] == [path for path, _ in model.named_parameters()]
    assert [w.path for w in model.non_trainable_weights] == ["batch_normalization/μ", "batch_normalization/σ²"]
    assert len(model.trainable_variables) == len(model.variables) - 2
    kernel = model.layers[0].kernel
    assert kernel.shape == (4, 3)
    assert np.array_equal(np.asarray(kernel), model.get_weights()[0])
    kernel.assign(np.ones((4, 3)))
    assert np.array_equal(model.get_weights()[0], np.ones((4, 3)))
    assert model.layers[2].bias is None
    assert model.layers[1].moving_variance.numpy().tolist() == [1, 1, 1]
    with pytest.raises(ShapeError, match="has the shape"):
        kernel.assign(np.ones(3))


def test_before_it_is_built_a_model_has_no_weights_and_a_summary(capsys):
    model = Sequential([Dense(3), layers.BatchNormalization()])
    assert model.weights == model.trainable_weights == []
    assert model.layers[0].kernel is None
    assert model.layers[1].moving_mean is None
    model.summary()
    shown = capsys.readouterr().out
    assert shown.count("?") == 2
    assert shown.count("0 (unbuilt)") == 2
    assert not model.built
    model.build((None, 4))
    model.summary()
    shown = capsys.readouterr().out
    assert "?" not in shown
    assert "unbuilt" not in shown
    assert "Non-trainable params: 6" in shown


# --- compile, fit, evaluate, predict ---------------------------------------------------------------------------------


def compiled(**more):
    model = Sequential([Dense(1, input_dim=4)], seed=0)
    model.compile("sgd", "mse", **more)
    return model


def test_what_means_nothing_here_is_told_once():
    compiled(run_eagerly=False, steps_per_execution=1, jit_compile="auto", auto_scale_loss=True)
    with pytest.warns(ThalwegWarning, match="compile: run_eagerly, jit_compile without effect") as told:
        compiled(run_eagerly=True, jit_compile=True)
    assert len(told) == 1
    assert told[0].filename == __file__
    with pytest.warns(ThalwegWarning, match="compile: steps_per_execution, auto_scale_loss without effect"):
        compiled(steps_per_execution=8, auto_scale_loss=False)
    with pytest.raises(ArgumentError, match="steps_per_execution has to be a whole number"):
        compiled(steps_per_execution=0)


def test_a_function_of_keras_is_its_loss_or_metric():
    model = Sequential([Dense(1, input_dim=4)])
    model.compile("sgd", losses.mean_absolute_error, [metrics.mean_squared_error, metrics.binary_accuracy])
    assert model.loss == losses.MeanAbsoluteError()
    assert [named.key for named in model.metrics] == ["mean_squared_error", "binary_accuracy"]
    assert copy.deepcopy(losses.huber) is losses.huber
    with pytest.raises(TypeError, match="only the class has a reduction"):
        losses.huber(Y, Y, reduction="sum")


def test_validation_after_some_epochs_has_its_epochs_in_the_records():
    history = compiled().fit(X, Y, epochs=5, validation_split=0.2, validation_freq=2, verbose=0)
    assert len(history.history["loss"]) == 5
    assert len(history.history["val_loss"]) == 2
    assert [record["epoch"] for record in history.records() if "val_loss" in record] == [1, 3]
    history = compiled().fit(X, Y, epochs=5, validation_split=0.2, validation_freq=(1, 5), verbose=0)
    assert [record["epoch"] for record in history.records() if "val_loss" in record] == [0, 4]


def test_validation_on_the_first_batches():
    model = compiled()
    history = model.fit(X, Y, validation_data=(X, Y), validation_steps=3, validation_batch_size=4, verbose=0)
    assert history.history["val_loss"] == [model.evaluate(X[:12], Y[:12], verbose=0)]
    assert model.evaluate(X, Y, steps=3, batch_size=4, verbose=0) == model.evaluate(X[:12], Y[:12], verbose=0)
    assert np.array_equal(model.predict(X, steps=1), model.predict(X[:32]))
    assert model.predict(X, steps=9, batch_size=3, callbacks=[]).shape == (27, 1)


def test_numbers_of_batches_that_cannot_be_raise():
    model = compiled()
    model.fit(X, Y, batch_size=10, steps_per_epoch=5, verbose=0)
    with pytest.raises(ArgumentError, match="steps_per_epoch=2, but 50 rows are 5 batches of 10"):
        model.fit(X, Y, batch_size=10, steps_per_epoch=2, verbose=0)
    for more in (
        {"validation_freq": 0},
        {"validation_freq": [0, 2]},
        {"validation_steps": 0},
        {"validation_freq": 1.5},
    ):
        with pytest.raises(ArgumentError, match="has to be a whole number"):
            model.fit(X, Y, validation_split=0.2, verbose=0, **more)
    with pytest.raises(ArgumentError, match="steps has to be a whole number"):
        model.predict(X, steps=0)
    with pytest.raises(ArgumentError, match="monitors 'val_loss', which isn't logged"):
        model.fit(X, Y, validation_split=0.2, validation_freq=2, callbacks=[EarlyStopping("val_loss")], verbose=0)


# --- from configurations ---------------------------------------------------------------------------------------------


def branched():
    x = Input((4,), name="measured")
    h = Dense(3, activation="relu", name="hidden")(x)
    inner = Sequential([Dense(3, input_dim=3), layers.Dropout(0.5)], name="inner")
    return Model(x, [Dense(2, name="left")(inner(h)), Dense(1, name="right")(h)], name="branched", seed=7)


def chain():
    first = Dense(3, kernel_regularizer="l2", input_dim=4, trainable=False)
    return Sequential([first, layers.Residual([Dense(3)]), Dense(2, "softmax")], name="chain", seed=3)


@pytest.mark.parametrize("make", [chain, branched, lambda: Sequential([Dense(3), Dense(1)])])
def test_a_configuration_makes_an_equal_model(make):
    model = make()
    config = model.get_config()
    assert json.loads(json.dumps(config)) == config
    for again in (
        type(model).from_config(config), models.model_from_json(model.to_json(indent=1)), models.clone_model(model),
    ):  # fmt: skip
        assert again is not model
        assert again.get_config() == config
        assert type(again) is type(model)
        assert [layer.trainable for layer in again.layers] == [layer.trainable for layer in model.layers]
        if model.inputs:
            again.set_weights(model.get_weights())
            for a, b in zip(flat(again.predict(X)), flat(model.predict(X)), strict=True):
                assert np.array_equal(a, b)


def flat(outputs):
    return outputs if isinstance(outputs, list) else [outputs]


def test_a_clone_has_weights_of_its_own():
    model = Sequential([Dense(8, input_dim=4)])
    clones = [models.clone_model(model) for _ in range(2)]
    drawn = [m.get_weights()[0] for m in (model, *clones)]
    assert not np.array_equal(drawn[1], drawn[2])  # no seed was given: an ensemble of clones differs
    assert np.array_equal(models.clone_model(chain()).get_weights()[0], chain().get_weights()[0])
    clones[0].layers[0].kernel.assign(np.zeros((4, 8)))
    assert model.get_weights()[0].any()


def test_a_clone_may_have_other_layers():
    def wider(layer):
        return (
            Dense(5) if isinstance(layer, layers.Residual) else Dense.from_config(layer.get_config() | {"name": None})
        )

    model = models.clone_model(chain(), clone_function=wider)
    model.build()
    assert [layer.output_shape for layer in model.layers] == [(3,), (5,), (2,)]
    for make, words in (
        (lambda: models.clone_model(3), "takes a model"),
        (lambda: models.clone_model(chain(), Input((4,))), "inputs of its own"),
        (lambda: models.clone_model(branched(), clone_function=lambda layer: layer), "for a Sequential"),
        (lambda: models.model_from_json("{"), "takes what model.to_json"),
        (lambda: models.model_from_json('{"class_name": "Sequentil", "config": {}}'), "unknown class of model"),
    ):
        with pytest.raises(ArgumentError, match=words):
            make()


def test_models_inside_models_are_saved(tmp_path):
    model = branched()
    model.save(tmp_path / "m.safetensors")
    again = thalweg.load_model(tmp_path / "m.safetensors")
    for a, b in zip(again.predict(X), model.predict(X), strict=True):
        assert np.array_equal(a, b)


def test_own_layers_are_named_in_custom_objects():
    model = Sequential([Input((4,)), Scaled(3.0), Dense(1)])
    with pytest.raises(ArgumentError, match="unknown layer 'Scaled'"):
        models.model_from_json(model.to_json())
    assert models.model_from_json(model.to_json(), {"Scaled": Scaled}).layers[0].factor == 3.0


# --- utils and backend -----------------------------------------------------------------------------------------------


def test_sequences_are_padded():
    rows = [[1], [2, 3], [4, 5, 6], []]
    assert utils.pad_sequences(rows).tolist() == [[0, 0, 1], [0, 2, 3], [4, 5, 6], [0, 0, 0]]
    assert utils.pad_sequences(rows, 2, padding="post").tolist() == [[1, 0], [2, 3], [5, 6], [0, 0]]
    assert utils.pad_sequences(rows, 2, truncating="post", value=9).tolist() == [[9, 1], [2, 3], [4, 5], [9, 9]]
    assert utils.pad_sequences(rows, 0).shape == (4, 0)
    assert utils.pad_sequences([np.ones((2, 3)), np.ones((1, 3))], dtype="float32").shape == (2, 2, 3)
    assert thalweg.preprocessing.sequence.pad_sequences is utils.pad_sequences
    for arguments, kind in (
        (([1, 2],), DataError), ((rows, -1), ArgumentError), ((rows, 2, "int32", "before"), ArgumentError),
        (([np.ones((2, 3)), np.ones((1, 4))],), ShapeError),
    ):  # fmt: skip
        with pytest.raises(kind):
            utils.pad_sequences(*arguments)


def test_rows_are_normalised():
    assert np.allclose(np.linalg.norm(utils.normalize(X), axis=1), 1)
    assert np.allclose(abs(utils.normalize(X, axis=0, order=1)).sum(axis=0), 1)  # where Keras raises
    assert utils.normalize([[0.0, 0.0]]).tolist() == [[0, 0]]


def test_the_backend_is_one():
    backend = thalweg.backend
    assert backend.backend() == "thalweg"
    backend.set_floatx("float32")
    backend.set_image_data_format("channels_last")
    backend.clear_session()
    for wrong in (lambda: backend.set_floatx("float16"), lambda: backend.set_image_data_format("channels_first")):
        with pytest.raises(ThalwegError):
            wrong()
