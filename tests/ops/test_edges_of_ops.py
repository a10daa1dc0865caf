"""Edges of Keras's functions: of arrays that are empty or have one axis, of arguments at the ends of their range."""

import numpy as np
import pytest

from thalweg import Input, Model, activations, layers, load_model, ops, random, saving
from thalweg.errors import ArgumentError, ModelFileError, ShapeError, ThalwegError
from thalweg.support.registry import custom_object_scope

IMAGE = np.zeros((3, 3, 2))
A = np.arange(12.0).reshape(3, 4)


def doubled(x):
    return 2 * x


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (lambda: ops.logsumexp([]), -np.inf),
        (lambda: ops.logsumexp(np.zeros((2, 0)), axis=1), [-np.inf, -np.inf]),
        (lambda: ops.all([]), True),
        (lambda: ops.any([]), False),
        (lambda: ops.max(np.array([]), initial=1.5), 1.5),
        (lambda: ops.mean(np.full(4, 3e38, "f")), np.float32(3e38)),
        (lambda: ops.mean([1, 2]), 1.5),
        (lambda: ops.log_softmax([1000.0, 0.0]), [0, -1000]),
        (lambda: ops.count_nonzero(A, 1, keepdims=True), [[3], [4], [4]]),
        (lambda: ops.tril(np.full((2, 2), np.inf)), [[np.inf, 0], [np.inf, np.inf]]),
        (lambda: ops.norm(A, 1), np.linalg.norm(A, 1)),
        (lambda: ops.norm(A, 2), np.linalg.norm(A, 2)),
        (lambda: ops.norm(A, np.inf), np.linalg.norm(A, np.inf)),
        (lambda: ops.norm(A, "nuc", (1, 0)), np.linalg.norm(A, "nuc", (1, 0))),
        (lambda: ops.norm(A), np.linalg.norm(A)),
        (lambda: ops.norm(A[0], 2), np.linalg.norm(A[0])),
        (lambda: ops.where(A > 9), np.where(A > 9)),
        (lambda: ops.outer(A, [1.0, 2.0]), np.outer(A, [1, 2])),
        (lambda: ops.average(A, 0, [1, 2, 3]), np.average(A, 0, [1, 2, 3])),
        (lambda: ops.average(A, 1, [1, 2, 3, 4]), np.average(A, 1, [1, 2, 3, 4])),
        (lambda: ops.average(A, weights=A), np.average(A, weights=A)),
        (lambda: ops.flip(A), A[::-1, ::-1]),
        (lambda: ops.roll(A, 1), np.roll(A, 1)),
        (lambda: ops.repeat(A, 2), np.repeat(A, 2)),
        (lambda: ops.moveaxis(A, (0, 1), (1, 0)), A.T),
        (lambda: ops.linspace(0, 1, 4, endpoint=False), [0, 0.25, 0.5, 0.75]),
        (lambda: ops.diagonal(A, 1), [1, 6, 11]),
        (lambda: ops.diagonal(A[None].repeat(2, 0)), np.diagonal(A[None].repeat(2, 0))),
        (lambda: ops.full_like([1, 2], 0.5, "float32"), [0.5, 0.5]),
        (lambda: random.dropout(A, 1.0), np.zeros((3, 4))),
        (lambda: activations.threshold([-1.0, 2.0], 0, 5), [5, 2]),
        (lambda: activations.relu([-1.0, 9.0], 0.5, 6), [-0.5, 6]),
    ],
)
def test_on_arrays(got, want):
    np.testing.assert_allclose(got(), want, rtol=1e-6)


def test_types_that_are_asked_for():
    assert ops.full_like(A, 1.5, "int32").dtype == "int32"
    assert ops.zeros_like([1, 2], "float32").dtype == "float32"
    assert ops.linspace(0, 1, 3, dtype="float32").dtype == "float32"
    assert random.normal((2,), dtype="float64").dtype == "float64"
    assert ops.mean(np.ones(3, "f")).dtype == "float32"


def test_numbers_that_are_dropped_together():
    kept = random.dropout(np.ones((50, 4)), 0.5, noise_shape=(50, 1), seed=0)
    assert {tuple(row) for row in kept} == {(0, 0, 0, 0), (2, 2, 2, 2)}


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_dropout_of_all_numbers_in_a_network(engine):
    x = Input((3,))
    model = Model(x, layers.Lambda(lambda x: random.dropout(x, 1.0))(x), engine=engine)
    assert not model.predict(np.full((2, 3), np.inf)).any()


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_shape_that_begins_with_the_rows_is_that_of_an_array_too(engine):
    def call(x):
        rows = ops.shape(x)[0]
        ones = ops.reshape(ops.ones([rows, 1, 1]), [rows, -1, 1])
        return x + ops.broadcast_to(ones, (rows, 2, 3))

    x = Input((2, 3))
    model = Model(x, layers.Lambda(call)(x), engine=engine)
    assert np.array_equal(model.predict(np.zeros((4, 2, 3))), np.ones((4, 2, 3)))


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: ops.where(A, A), "both x1 and x2"),
        (lambda: ops.where(Input((3,))), "isn't known when it is drawn"),
        (lambda: ops.tril([1.0, 2.0]), "tril takes matrices"),
        (lambda: ops.triu(Input((3,))), "the number of rows"),
        (lambda: ops.outer(Input((3,)), Input((3,))), "einsum"),
        (lambda: ops.image.crop_images(IMAGE, 2, 0, target_height=2, target_width=2), "top_cropping=2"),
        (lambda: ops.image.crop_images(IMAGE, 3, 0, 0, 0), "don't fit a height of 3"),
        (lambda: ops.image.extract_patches(IMAGE, 4), "the window spans 4 elements"),
        (lambda: ops.image.extract_patches(IMAGE, (2,)), "two or three axes"),
        (lambda: ops.image.extract_patches(IMAGE, 2, 0), "positive sizes"),
        (lambda: ops.image.resize(IMAGE, (3, 3), data_format="channels_first"), "channels_last"),
        (lambda: ops.image.resize(Input((3, 3)), (3, 3)), "4 axes with the rows"),
        (lambda: ops.image.hsv_to_rgb(Input((3, 3, 2))), "three channels"),
        (lambda: ops.qr(Input((3, 3)), "r"), "mode of qr"),
        (lambda: ops.qr(A, "r"), "mode of qr"),
        (lambda: ops.qr(Input((3,))), "takes matrices"),
        (lambda: ops.eigh(Input((3, 4))), "square matrices"),
        (lambda: ops.eigh(Input((33, 33))), "up to 32 rows, got 33"),
        (lambda: ops.svd(Input((20, 13))), "at most 32, got 20 and 13"),
        (lambda: ops.lstsq(Input((3, 2)), Input((3,)), rcond=0.1), "no rcond"),
        (lambda: ops.lstsq(Input((3, 2)), Input((3, 2, 1))), "as many axes as a"),
        (lambda: ops.image.gaussian_blur(IMAGE, 3), "two numbers as kernel_size"),
        (lambda: ops.image.gaussian_blur(IMAGE, (3, 0)), "kernel_size"),
        (lambda: ops.image.gaussian_blur(IMAGE, (3, 3), (1.0, 0.0)), "sigma"),
        (lambda: ops.image.map_coordinates(IMAGE, np.zeros((2, 4)), 1), "each of 3 axes"),
        (lambda: ops.image.map_coordinates(Input((3, 3)), Input((3, 4)), 1), "each of 2 axes"),
        (lambda: ops.image.map_coordinates(A, Input((2, 4)), 1), r"takes inputs \(rows, …\) of it"),
        (lambda: ops.image.map_coordinates(A, np.zeros((2, 4)), 3), "the order 0"),
        (lambda: ops.image.perspective_transform(IMAGE, np.ones((4, 2)), np.ones((1, 4, 3))), "four points"),
        (lambda: ops.image.perspective_transform(IMAGE, np.ones((4, 2)), np.ones((4, 2))), "singular"),
        (lambda: ops.image.elastic_transform(IMAGE, sigma=0), "sigma"),
        (lambda: ops.diagonal(Input((3, 3))), "axis 0 mixes the rows"),
        (lambda: ops.diagonal(Input((3, 3)), 3, 1, 2), "empty"),
        (lambda: ops.flip(Input((3,))), "axis 0 mixes the rows"),
        (lambda: ops.roll(Input((3,)), 1), "axis 0 mixes the rows"),
        (lambda: ops.moveaxis(A, (0, 1), 1), "as many places as axes"),
        (lambda: ops.moveaxis(A, 2, 0), "axes 0 … 1"),
        (lambda: ops.norm(Input((3, 3)), 2, (1, 2)), "singular values"),
        (lambda: ops.norm(np.ones((2, 2, 2)), 1), "along one axis"),
        (lambda: ops.norm(A, 3, (0, 1)), "no others"),
        (lambda: ops.norm(A, "fro", 0), "a number as its order"),
        (lambda: ops.average(A, (0, 1), [1, 2, 3]), "average's weights"),
        (lambda: random.normal((2,), dtype="int32"), "floats"),
        (lambda: random.dropout(A, 1.5), "dropout's rate"),
        (lambda: activations.threshold(A, 0, 0, 0), "threshold, default_value"),
        (lambda: activations.relu(A, 0, negative_slope=1), "each once"),
        (lambda: activations.tanh(A, 1), "x alone"),
        (lambda: Input(batch_shape=(None, None, None, 8)), "only the first axis"),
        (lambda: Input(batch_shape=8), "every other axis"),
    ],
)
def test_what_is_refused(call, told):
    with pytest.raises(ThalwegError, match=told):
        call()


def test_the_shape_that_a_lambda_promises_is_checked(tmp_path):
    x = Input((4,))
    with pytest.raises(ShapeError, match=r"rows of shape \(5,\), its function returns \(4,\)"):
        layers.Lambda(doubled, output_shape=(5,))(x)
    with pytest.raises(ShapeError, match="returns"):
        layers.Lambda(doubled, output_shape=lambda shape: (*shape, 2))(x)
    with pytest.raises(ArgumentError, match="whole number"):
        layers.Lambda(doubled, output_shape="4")
    assert layers.Lambda(doubled, output_shape=lambda shape: shape)(x).shape == (None, 4)
    Model(x, layers.Lambda(doubled, output_shape=4)(x)).save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors", {"doubled": doubled})
    with pytest.raises(ModelFileError, match="returns"):
        load_model(tmp_path / "m.safetensors", {"doubled": lambda x: x[:, :2]})
    assert again.predict(np.ones((1, 4))).tolist() == [[2, 2, 2, 2]]


def own(factor, name="gate"):
    def gate(x):
        return factor * x

    gate.__qualname__ = gate.__name__ = name
    gate.__module__ = f"module{factor}"
    return gate


def test_two_functions_of_one_name_are_refused(tmp_path):
    one, other = own(1), own(2)
    x = Input((2,))
    model = Model(x, layers.Dense(2, one)(layers.Dense(2, other)(x)))
    with pytest.raises(ArgumentError, match="two functions called 'gate'"):
        model.save(tmp_path / "m.safetensors")
    Model(x, layers.Dense(2, one)(layers.Dense(2, one)(x))).save(tmp_path / "m.safetensors")
    with custom_object_scope({}):
        saving.register_keras_serializable()(one)
        saving.register_keras_serializable()(one)
        saving.register_keras_serializable()(own(1))  # a cell that is run again
        with pytest.raises(ArgumentError, match=r"'gate' is already the name of module1.gate"):
            saving.register_keras_serializable("Other")(other)
        saving.register_keras_serializable(name="gate2")(other)


def test_an_activation_of_a_built_in_name_is_refused():
    with (
        custom_object_scope({"relu": own(3, "relu")}),
        pytest.raises(ArgumentError, match="two activations called 'relu'"),
    ):
        layers.Dense(2, "relu")
    assert layers.Dense(2, "relu").activation == activations.relu
