"""Every layer and activation: shapes, parameters, description, saving, learning, and the two engines alike."""

from typing import Any

import numpy as np
import pytest
from layer_rows import CASES, OWN, ROWS, Tied, alone, data, network

import thalweg
from thalweg import Sequential, activations, layers
from thalweg.layers import (
    Activation,
    Dense,
    Dropout,
    Flatten,
    Input,
    LeakyReLU,
    Residual,
    merging,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:the mask of its input ends"),  # at the Flatten behind each layer
    pytest.mark.usefixtures("mostly_ready_kernels"),
]


def test_every_layer_has_a_row():
    assert set(layers.CLASSES.values()) | {Tied} == set(ROWS)
    functions = {name for name in merging.__all__ if name.islower()}  # add(…) is Add()(…)
    assert functions == {c.__name__.lower() for c in ROWS if issubclass(c, merging.Merge)}
    edges = {"quantile_edges", "tree_edges"}
    others = {"Input", "InputLayer", "Layer", "Wrapper", "serialize", "deserialize", *edges, *functions}
    assert set(layers.__all__) - set(layers.aliases.__all__) == {*layers.CLASSES, *others}


@pytest.mark.parametrize(("make", "shape", "output", "count"), CASES)
def test_shapes_and_number_of_parameters(make, shape, output, count):
    layer = make()
    assert not layer.built
    model = alone(layer, shape)
    assert model.count_params() == layer.count_params() == count
    assert layer.built
    assert layer.output_shape == model.row_out == output
    zeros = [np.zeros((7, *s)) for s in (shape if isinstance(shape, list) else [shape])]
    assert model.predict(zeros if isinstance(shape, list) else zeros[0]).shape == (7, *output)
    assert [w.shape for w in layer.get_weights()] == [p.buffer.shape for _, p in layer.all_parameters()]


@pytest.mark.parametrize(("make", "shape", "output", "count"), CASES)
def test_description_makes_an_equal_layer(make, shape, output, count):
    layer = make()
    description = layers.serialize(layer)
    again = layers.deserialize(description, OWN)
    assert type(again) is type(layer)
    assert layers.serialize(again) == description
    alone(layer, shape).build()
    assert layers.serialize(layer)["config"]["name"] == layer.default_name  # now it has one


@pytest.mark.parametrize(("make", "shape", "output", "count"), [c for c in CASES if isinstance(c.values[1], tuple)])
def test_every_layer_takes_keras_s_arguments(make, shape, output, count):
    """`input_shape`, `dtype` and `trainable`, which no class names itself; see test_keras_arguments.py."""
    description = layers.serialize(make())
    given = {"trainable": False, "dtype": "float32", "input_shape": list(shape)}
    layer = layers.deserialize(description | {"config": description["config"] | given}, OWN)
    assert layer.trainable is False
    assert layer.declared == {"input_shape": shape, "dtype": "float32"}
    assert layer.get_config() == description["config"] | {"trainable": False}
    assert Sequential([layer]).input_shape[1:] == shape


@pytest.mark.parametrize(("make", "shape", "output", "count"), CASES)
def test_saved_and_loaded_it_predicts_the_same_bits(make, shape, output, count, tmp_path):
    x, y = data(make, shape)
    model = network(make, shape)
    model.fit(x, y, epochs=2, verbose=0)
    model.save(tmp_path / "model.safetensors")
    again = thalweg.load_model(tmp_path / "model.safetensors", OWN)
    assert np.array_equal(again.predict(x), model.predict(x))
    assert [type(layer) for layer in again.layers] == [type(layer) for layer in model.layers]
    assert again.evaluate(x, y) == model.evaluate(x, y)


@pytest.mark.parametrize(("make", "shape", "output", "count"), CASES)
def test_training_lowers_the_loss(make, shape, output, count):
    x, y = data(make, shape)
    model = network(make, shape)
    before = model.evaluate(x, y)[0]
    model.fit(x, y, epochs=1, batch_size=len(y), verbose=0)
    assert model.evaluate(x, y)[0] < before


@pytest.mark.parametrize(("make", "shape", "output", "count"), CASES)
def test_both_engines_are_at_the_same_place_after_three_steps(make, shape, output, count):
    x, y = data(make, shape)
    native, reference = network(make, shape), network(make, shape, engine="reference", dtype="float64")
    reference.set_weights(native.get_weights())
    for model in (native, reference):
        model.fit(x, y, batch_size=20, epochs=2, verbose=0)  # 4 steps, shuffled alike
    for one, other in zip(native.get_weights(), reference.get_weights(), strict=True):
        assert one.dtype == np.float32
        assert other.dtype == np.float64
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(native.predict(x), reference.predict(x), rtol=1e-4, atol=1e-5)


# --- what single layers do -------------------------------------------------------------------------------------------


def test_dense_is_the_product_it_says():
    x = np.random.default_rng(0).normal(size=(6, 4, 3))
    model = Sequential([Dense(2, "tanh")], seed=1, engine="reference", dtype="float64")
    result = model.predict(x)
    W, b = model.get_weights()
    np.testing.assert_allclose(result, np.tanh(x @ W + b), rtol=1e-14)


def test_flatten_keeps_the_last_axis_fastest():
    x = np.arange(48.0).reshape(2, 4, 3, 2)
    assert np.array_equal(Sequential([Flatten()]).predict(x), x.reshape(2, 24))


def test_add_is_a_residual_connection():
    x = np.random.default_rng(0).normal(size=(6, 3))
    inner = Dense(3, use_bias=False)
    model = Sequential([Residual([inner])], engine="reference", dtype="float64")
    result = model.predict(x)
    np.testing.assert_allclose(result, x + x @ inner.get_weights()[0], rtol=1e-14)


def test_dropout_acts_in_training_only_and_keeps_the_mean():
    x = np.ones((2000, 8))
    model = Sequential([Input((8,)), Dropout(0.25), Dense(1, use_bias=False, kernel_initializer="ones")], seed=5)
    model.compile("sgd", "mse")
    assert np.array_equal(model.predict(x), np.full((2000, 1), 8, np.float32))
    dropped = model.trace(x, np.zeros(2000))["r"]
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((dropped == 0).mean() - 0.25) < 0.02  # 16,000 draws: four standard deviations are 0.014
    assert abs(dropped.mean(axis=0) - 1).max() < 0.06


def test_dropout_draws_a_new_mask_each_step_and_for_each_layer():
    x = np.ones((64, 8))
    model = Sequential([Input((8,)), Dropout(0.5), Dropout(0.5), Dense(1)], seed=5)
    model.compile("sgd", "mse")
    first = model.trace(x, np.zeros(64))
    model.train_on_batch(x, np.zeros(64))
    second = model.trace(x, np.zeros(64))
    assert (first["r"] != second["r"]).any()
    both = (first["r"] > 0) & (first["r′"] > 0)  # independent masks leave a quarter of the elements
    assert 0.15 < both.mean() < 0.35


def test_dropout_seed_decides_over_the_mask_of_its_own_layer():
    def mask(seed: int | None, model_seed: int = 5) -> Any:
        model = Sequential([Input((8,)), Dropout(0.5, seed=seed), Dense(1)], seed=model_seed)
        model.compile("sgd", "mse")
        return model.trace(np.ones((64, 8)), np.zeros(64))["r"]

    assert np.array_equal(mask(1), mask(1))
    assert (mask(1) != mask(2)).any()
    assert (mask(1) != mask(None)).any()
    assert (mask(None, 5) != mask(None, 6)).any()


def test_names_are_keras_names_and_count_up():
    model = Sequential(
        [Input((3,)), Dense(3), Dense(3, name="mine"), LeakyReLU(), Dense(3), Residual([Dense(3), Dense(3)])]
    )
    assert [layer.name for layer in model.layers] == ["dense", "mine", "leaky_re_lu", "dense_1", "residual"]
    model.build()
    assert [name for name, _ in model.named_parameters()][-4:] == [
        "residual/dense/W", "residual/dense/b", "residual/dense_1/W", "residual/dense_1/b",
    ]  # fmt: skip
    assert model.get_layer("mine") is model.layers[1]
    assert model.get_layer(index=-1) is model.layers[-1]


# --- activations -----------------------------------------------------------------------------------------------------

H = np.array([[-30.0, -2.0, -0.5, 0.0, 0.5, 2.0, 30.0]])
FORMULAS = {
    "linear": H,
    "sigmoid": 1 / (1 + np.exp(-H)),
    "tanh": np.tanh(H),
    "relu": np.maximum(H, 0),
    "leaky_relu": np.where(H > 0, H, 0.2 * H),
    "softmax": np.exp(H) / np.exp(H).sum(),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_activation_is_its_formula_by_call_and_in_a_network(name):
    function = activations.get(name)
    np.testing.assert_allclose(function(H), FORMULAS[name], rtol=1e-12, atol=1e-300)
    assert function(H.astype(np.float32)).dtype == np.float32
    model = Sequential([Input((7,)), Activation(name)])
    np.testing.assert_allclose(model.predict(H), FORMULAS[name], rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("name", FORMULAS)
def test_activation_comes_back_from_its_description(name):
    function = activations.get(name)
    assert activations.get(activations.serialize(function)) == function
    assert activations.get(function) is function


def test_an_activation_of_other_constants_comes_back_too():
    steep = activations.BuiltInFunction("leaky_relu", activations.leaky_relu.kind, (0.7,))
    assert activations.get(activations.serialize(steep)) == steep
    assert steep(np.array([-1.0]))[0] == -0.7
