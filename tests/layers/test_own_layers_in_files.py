"""Layers and models of one's own in files and clones: what a constructor was called with is kept, or `save` refuses."""

import copy
import pickle

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, Sequential, layers, load_model, models, ops
from thalweg.errors import ArgumentError, ModelFileError
from thalweg.layers import Dense, Layer

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)


class Passing(Layer):
    """Computes nothing, and has no get_config."""

    def call(self, x):
        return x


class Scaled(Layer):
    def __init__(self, factor, power=1, **options):
        super().__init__(**options)
        self.factor, self.power = factor, power

    def call(self, x):
        return self.factor * x**self.power


class Shaped(Passing):
    def __init__(self, shape, table=None, **options):
        super().__init__(**options)
        self.shape, self.table = shape, table


class Nameless(Passing):
    def __init__(self, size):
        super().__init__()
        self.size = size


class Wide(Dense):
    """Its constructor isn't Dense's, whose get_config it has."""

    def __init__(self, factor, **options):
        super().__init__(8, **options)
        self.factor = factor


class Told(Scaled):
    def get_config(self):
        return {**super().get_config(), "factor": self.factor, "power": self.power}


class More(Told):
    """Below a class with a get_config, another constructor."""

    def __init__(self, extra, **options):
        super().__init__(2.0, **options)
        self.extra = extra


class Applied(Layer):
    def __init__(self, function, **options):
        super().__init__(**options)
        self.function = function

    def call(self, x):
        return self.function(x)


class Listed(Passing):
    def __init__(self, *sizes):
        super().__init__()
        self.sizes = sizes


class Forgetful(Passing):
    def __init__(self, one, other, **options):
        super().__init__(**options)
        self.one = one

    def get_config(self):
        return {**super().get_config(), "one": self.one}


class Net(Model):
    def __init__(self, width, activation=None):
        super().__init__()
        self.width, self.out = width, Dense(width, activation)

    def call(self, x):
        return self.out(x)


class Around(Model):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x):
        return self.inner(x)


def chain(layer):
    return Sequential([Input((3,)), layer, Dense(2)], seed=1)


def again(model, folder, *kinds):
    model.save(folder / "m.safetensors")
    other = load_model(folder / "m.safetensors", custom_objects={kind.__name__: kind for kind in kinds})
    assert np.array_equal(other.predict(X), model.predict(X))
    return other


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Scaled(3.0), {"factor": 3.0, "power": 1, "name": "scaled"}),
        (lambda: Scaled(power=2, factor=0.5, name="s", trainable=False), {"factor": 0.5, "power": 2, "name": "s"}),
        (lambda: Scaled(np.float32(0.5), np.int64(2)), {"factor": 0.5, "power": 2}),
        (lambda: Shaped((2, (3, "x")), {"a": [1, (2,)]}), {"shape": (2, (3, "x")), "table": {"a": [1, (2,)]}}),
        (lambda: Shaped(shape=[None, True]), {"shape": [None, True], "table": None}),
        (lambda: Nameless(4), {"size": 4, "name": "nameless"}),
        (lambda: Wide(2.0, activation="relu", name="w"), {"factor": 2.0, "units": 8, "name": "w"}),
        (lambda: More(7, name="m"), {"extra": 7, "factor": 2.0, "name": "m"}),
        (lambda: Told(1.5), {"factor": 1.5, "power": 1}),
        (lambda: Passing(name="p"), {"name": "p"}),
    ],
)
def test_the_arguments_of_a_constructor_come_back_from_a_file(make, told, tmp_path):
    layer = make()
    kind, trainable = type(layer), layer.trainable
    loaded = again(chain(layer), tmp_path, kind).layers[0]
    cloned = models.clone_model(chain(make())).layers[0]
    x = Input((3,))
    drawn = models.clone_model(Model(x, Dense(1)(make()(x)))).layers[1]
    written = models.model_from_json(chain(make()).to_json(), {kind.__name__: kind}).layers[0]
    for one in (loaded, cloned, drawn, written):
        assert type(one) is kind
        assert one.trainable == trainable
        for name, value in told.items():
            assert (getattr(one, name), type(getattr(one, name))) == (value, type(value))


def test_the_arguments_are_those_that_were_given():
    sizes = [1, 2]
    layer = Shaped(sizes)
    sizes.append(3)
    assert layer.get_config() == {"shape": [1, 2], "name": None}
    assert copy.deepcopy(layer).get_config() == pickle.loads(pickle.dumps(layer)).get_config() == layer.get_config()
    assert Nameless(4).get_config() == {"size": 4}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Applied(ops.abs), "Applied was made with function, which is of the type function, and a file holds"),
        (lambda: Listed(1, 2), r"Listed was made with \*sizes, whose values have no names, and a file holds"),
        (lambda: Shaped(np.ones(3)), "Shaped was made with shape, which is of the type ndarray"),
        (lambda: Shaped({1: 2}), "Shaped was made with shape, which is of the type dict"),
        (lambda: Shaped([object()]), "Shaped was made with shape, which is of the type list"),
        (lambda: Forgetful(1, 2), "Forgetful can't be made again from what its get_config returns, name, one: missing"),
        (lambda: Forgetful(np.ones(2), 2), "Forgetful can't be made again"),
        (lambda: Told(np.ones(3)), "a file can't hold Told's factor, of the type ndarray: it holds numbers"),
    ],
)
def test_what_can_t_be_kept_is_refused_before_anything_is_written(make, said, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_text("as it was")
    model = chain(make())
    with pytest.raises(ArgumentError, match=said):
        model.save(path)
    assert path.read_text() == "as it was"
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]
    model.save_weights(path)
    model.load_weights(path)


def test_models_of_one_s_own_keep_their_arguments_too(tmp_path):
    model = Net(3, activation="tanh")
    model(X)
    assert model.get_config() == {"width": 3, "activation": "tanh"}
    loaded = again(model, tmp_path, Net)
    assert loaded.width == models.clone_model(model).width == 3
    around = Around(Dense(2))
    around(X)
    with pytest.raises(ArgumentError, match="Around was made with inner, which is of the type Dense"):
        around.save(tmp_path / "none.safetensors")
    assert not (tmp_path / "none.safetensors").exists()


def test_a_model_of_tensors_is_what_its_graph_says(tmp_path):
    class Drawn(Model):
        def __init__(self, width, function):
            x = Input((3,))
            super().__init__(x, Dense(width, function)(x))

    model = Drawn(2, thalweg.activations.get("relu"))
    model.layers[1].trainable = False
    assert {"calls", "layers"} <= model.get_config().keys()
    assert not again(model, tmp_path).layers[1].trainable


def test_a_class_called_like_one_of_thalweg_s_is_told_from_it(tmp_path):
    kind = type("Dense", (Scaled,), {})
    model = chain(kind(2.0))
    for other in (models.clone_model(model), again(model, tmp_path, kind)):
        assert [type(layer) for layer in other.layers] == [kind, Dense]


def test_two_classes_of_one_name_are_refused():
    one, other = type("Own", (Passing,), {}), type("Own", (Passing,), {})
    model = Sequential([Input((3,)), one(), other()])
    with pytest.raises(ArgumentError, match="two classes called 'Own', and a file tells them apart by their names"):
        models.clone_model(model)


def doubled(x):
    return 2 * x


def test_a_clone_has_the_functions_of_its_model():
    model, before = chain(layers.Lambda(doubled)), set(thalweg.support.registry.REGISTERED)
    clone = models.clone_model(model)
    clone.set_weights(model.get_weights())
    assert np.array_equal(clone.predict(X), model.predict(X))
    assert set(thalweg.support.registry.REGISTERED) == before


def test_a_file_without_its_class_says_so(tmp_path):
    chain(Scaled(3.0)).save(tmp_path / "m.safetensors")
    with pytest.raises(ModelFileError, match=r"unknown layer 'Scaled'.*give your own layers in custom_objects"):
        load_model(tmp_path / "m.safetensors")


# --- what else Keras's layers say of themselves -----------------------------------------------------------------------


def test_recurrent_layers_support_masks():
    cells = (layers.LSTM(2), layers.GRU(2), layers.SimpleRNN(2), layers.RNN(layers.LSTMCell(2)))
    cells += (layers.ConvLSTM1D(2, 3), layers.Bidirectional(layers.GRU(2)), layers.TimeDistributed(Dense(2)))
    assert all(layer.supports_masking for layer in cells)
    assert layers.Embedding(3, 2, mask_zero=True).supports_masking
    assert not layers.Embedding(3, 2).supports_masking
    assert not layers.LSTMCell(2).supports_masking


def test_a_normalization_is_built_once_it_has_adapted():
    layer = layers.Normalization()
    assert not layer.built
    layer.adapt([[1.0, 2.0], [3.0, 6.0]])
    assert layer.built
    assert layer.adapted
    model = Sequential([Input((2,)), layer])  # of which it becomes a part
    np.testing.assert_allclose(model.predict([[3.0, 4.0]]), [[1, 0]], atol=1e-6)
    other = layers.Normalization(mean=0.0, variance=4.0)
    assert not other.built
    other.build((None, 2))
    assert other.built


def test_an_embedding_is_built_without_a_shape():
    layer = layers.Embedding(5, 2)
    layer.build()
    assert layer.built
    assert layer.embeddings.shape == (5, 2)
    table = layer(np.arange(5))
    model = Sequential([Input((4,)), layer, layers.Flatten(), Dense(1)])
    assert model.output_shape == (None, 1)
    assert np.array_equal(layer(np.arange(5)), table)
    x = Input((7,))
    assert Model(x, layer(x)).output_shape == (None, 7, 2)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Dense(3).build(), "Dense.build takes the shape of its inputs, .*missing a required argument"),
        (lambda: Dense(3).build((None, 4), 2), "Dense.build takes the shape of its inputs, .*too many positional"),
        (lambda: Dense(3).build(shape=(None, 4)), "Dense.build takes the shape of its inputs"),
        (lambda: layers.LSTM(3).build(), "LSTM.build takes the shape of its inputs"),
        (lambda: layers.TimeDistributed(Dense(2)).build(), "TimeDistributed.build takes the shape of its inputs"),
    ],
)
def test_a_build_without_its_shape_says_what_it_takes(call, said):
    with pytest.raises(ArgumentError, match=said):
        call()
