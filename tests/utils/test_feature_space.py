"""FeatureSpace: what each kind of feature becomes, in a call and in networks, from every form of data."""

import numpy as np
import pandas as pd
import pytest

from thalweg import Input, Model, layers, saving
from thalweg.errors import ArgumentError, DataError, ModelFileError, ShapeError, ThalwegError
from thalweg.utils import FeatureSpace

TABLE = {
    "size": [0.5, -1.0, 2.0, 0.0, 3.5, 1.0],
    "price": [10.0, 20.0, 30.0, 40.0, 50.0, 60.0],
    "heat": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
    "age": [3.0, 40.0, 41.0, 12.0, 77.0, 25.0],
    "rooms": [1, 2, 2, 3, 3, 3],
    "code": [101, -7, 300, 5, 101, 42],
    "town": ["köln", "rome", "rome", "oslo", "köln", "rome"],
    "street": ["a", "b", "c", "d", "e", "f"],
}
NEW = {
    "size": [1.5, -2.0],
    "price": [35.0, 80.0],
    "heat": [0.5, -0.5],
    "age": [50.0, 1.0],
    "rooms": [3, 9],
    "code": [-7, 8],
    "town": ["oslo", "x"],
    "street": ["zz", ""],
}
# What Keras 3.15 on TensorFlow 2 returns for NEW, by feature; columns of ones are given by their place.
VECTORS = {
    "age": (3, [2, 0]),
    "code": (5, [2, 2]),
    "heat": [0.0, -2.0],
    "price": [0.0, 2.634930372238159],
    "rooms": (3, [1, 0]),
    "size": [1.5, -2.0],
    "street": (4, [2, 3]),
    "town": (4, [3, 0]),
    "age_X_code": (5, [1, 4]),
    "town_X_rooms": (3, [0, 1]),
}
NUMBERS = {
    "age": [2, 0],
    "code": [2, 2],
    "heat": [0.0, -2.0],
    "price": [0.0, 2.634930372238159],
    "rooms": [1, 0],
    "size": [1.5, -2.0],
    "street": [2, 3],
    "town": [3, 0],
    "age_X_street": [41, 32],
    "town_X_rooms": [18, 4],
}


def kinds(**options):
    """A feature of each kind."""
    return {
        "size": "float",
        "price": "float_normalized",
        "heat": FeatureSpace.float_rescaled(2.0, -1.0),
        "age": FeatureSpace.float_discretized(3, **options),
        "rooms": FeatureSpace.integer_categorical(max_tokens=3, num_oov_indices=1, **options),
        "code": FeatureSpace.integer_hashed(5, **options),
        "town": FeatureSpace.string_categorical(**options),
        "street": FeatureSpace.string_hashed(4, **options),
    }


def whole(output_mode="concat", data=TABLE):
    crosses = [("town", "rooms"), FeatureSpace.cross(("age", "code"), crossing_dim=5)]
    space = FeatureSpace(kinds(), output_mode, crosses, crossing_dim=3)
    space.adapt(data)
    return space


def vectors():
    """VECTORS as arrays, in the order of a concatenation."""
    made = {}
    for name, value in VECTORS.items():
        made[name] = np.eye(value[0])[value[1]] if isinstance(value, tuple) else np.array(value)[:, None]
    return made


ROW = np.concatenate(list(vectors().values()), axis=1).astype(np.float32)


def test_vectors_are_keras_s():
    found = whole()(NEW)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, ROW, rtol=1e-6)


def test_a_dict_has_each_of_them():
    found = whole("dict")(NEW)
    assert list(found) == list(VECTORS)
    for name, wanted in vectors().items():
        np.testing.assert_allclose(found[name], wanted, rtol=1e-6, err_msg=name)


def test_whole_numbers_are_keras_s():
    crosses = [
        FeatureSpace.cross(("town", "rooms"), 30, output_mode="int"),
        FeatureSpace.cross(("age", "street"), crossing_dim=50, output_mode="int"),
    ]
    space = FeatureSpace(kinds(output_mode="int"), "dict", crosses)
    space.adapt(TABLE)
    found = space(NEW)
    assert list(found) == [*sorted(kinds()), "age_X_street", "town_X_rooms"]
    for name, wanted in NUMBERS.items():
        np.testing.assert_allclose(found[name], np.array(wanted)[:, None], rtol=1e-6, err_msg=name)
    assert found["age"].dtype.kind == found["town_X_rooms"].dtype.kind == "i"


def test_kinds_by_name_have_the_default_bins():
    given = {"age": "float_discretized", "code": "integer_hashed", "street": "string_hashed"}
    space = FeatureSpace(given, "dict", hashing_dim=6, num_discretization_bins=4)
    space.adapt(TABLE)
    found = space({name: NEW[name] for name in given})
    assert {name: v.shape for name, v in found.items()} == {"age": (2, 4), "code": (2, 6), "street": (2, 6)}


def test_boundaries_that_are_given_need_no_adapt():
    feature = FeatureSpace.float_discretized(None, bin_boundaries=[0.0, 10.0])
    assert FeatureSpace({"age": feature})({"age": [-1.0, 4.0, 10.0]}).tolist() == np.eye(3).tolist()


def batches_of(table):
    """Batches of two rows."""
    return ({name: values[k : k + 2] for name, values in table.items()} for k in range(0, 6, 2))


class Dataset:
    """What has a pass of batches as tf.data does: here rows alone."""

    def as_numpy_iterator(self):
        return ({name: values[k] for name, values in TABLE.items()} for k in range(6))


@pytest.mark.parametrize(
    "data",
    [
        lambda: {name: np.array(values) for name, values in TABLE.items()},
        lambda: {name: np.array(values)[:, None] for name, values in TABLE.items()},
        lambda: pd.DataFrame(TABLE | {"target": range(6)}),
        lambda: batches_of(TABLE | {"target": range(6)}),
        Dataset,
    ],
    ids=["arrays", "columns", "frame", "generator", "dataset"],
)
def test_every_form_of_data_teaches_the_same(data):
    np.testing.assert_allclose(whole(data=data())(NEW), ROW, rtol=1e-6)


def test_forms_of_rows():
    space = whole()
    frame = pd.DataFrame(NEW)
    np.testing.assert_array_equal(space(frame), space(NEW))
    np.testing.assert_array_equal(space({name: frame[name] for name in NEW}), space(NEW))
    one = space({name: values[0] for name, values in NEW.items()})
    assert one.shape == ROW[0].shape
    np.testing.assert_allclose(one, ROW[0], rtol=1e-6)
    assert whole("dict")({name: values[1] for name, values in NEW.items()})["town"].tolist() == [1, 0, 0, 0]


def test_adapting_again_learns_anew():
    space = FeatureSpace({"town": "string_categorical", "price": "float_normalized"})
    for _ in range(2):
        space.adapt(TABLE)
    assert space.preprocessors["town"].get_vocabulary() == ["[UNK]", "rome", "köln", "oslo"]
    space({"town": ["rome"], "price": [1.0]})
    space.adapt({"town": ["a", "b"], "price": [1.0, 3.0]})
    assert space({"town": ["a"], "price": [4.0]}).tolist() == [[2.0, 0.0, 0.0, 1.0]]


@pytest.mark.parametrize("output_mode", ["concat", "dict"])
def test_networks_take_columns_or_what_they_become(output_mode, tmp_path):
    space = whole(output_mode)
    inputs, features = space.get_inputs(), space.get_encoded_features()
    assert list(inputs) == list(TABLE)
    assert space.get_encoded_features() is features
    joined = features if output_mode == "concat" else layers.Concatenate()(list(features.values()))
    outputs = layers.Dense(1)(joined)
    of_columns, of_features = Model(inputs, outputs), Model(features, outputs)
    given = space(NEW)
    np.testing.assert_allclose(of_columns.predict(NEW), of_features.predict(given), rtol=1e-5)
    np.testing.assert_allclose(Model(inputs, joined).predict(NEW), ROW, rtol=1e-6)
    of_features.compile("sgd", "mse")
    before = of_columns.predict(NEW)
    of_features.fit(given, np.ones((2, 1)), verbose=0)
    assert not np.array_equal(of_columns.predict(NEW), before)
    of_columns.save(tmp_path / "model.safetensors")
    again = saving.load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict(NEW), of_columns.predict(NEW))


def test_tensors_of_another_network_are_encoded():
    space = whole()
    inputs = {name: Input((1,), dtype=x.kind) for name, x in space.get_inputs().items()}
    np.testing.assert_allclose(Model(list(inputs.values()), space(inputs)).predict(list(NEW.values())), ROW, rtol=1e-6)


@pytest.mark.parametrize("output_mode", ["concat", "dict"])
def test_a_file_holds_what_was_learned(output_mode, tmp_path):
    space = whole(output_mode)
    space.save(tmp_path / "space.keras")
    again = saving.load_model(tmp_path / "space.keras")
    assert (again.name, again.output_mode, list(again.crossers)) == ("feature_space", output_mode, list(space.crossers))
    found, wanted = again(NEW), space(NEW)
    for name in wanted if output_mode == "dict" else [...]:
        np.testing.assert_array_equal(found[name], wanted[name])
    again.get_inputs()


def test_a_configuration_without_data_has_still_to_learn():
    space = FeatureSpace.from_config(FeatureSpace(kinds(), crosses=[("town", "rooms")]).get_config())
    assert [c.feature_names for c in space.crosses] == [("town", "rooms")]
    with pytest.raises(ThalwegError, match="has to learn the feature 'price'"):
        space(NEW)


def test_a_layer_of_ones_own():
    text = layers.TextVectorization(output_mode="multi_hot")
    space = FeatureSpace({"text": FeatureSpace.feature("string", text, "float"), "size": "float"})
    space.adapt({"text": ["a b", "b"], "size": [1.0, 2.0]})
    assert space({"text": ["a", "b c"], "size": [5.0, 6.0]}).tolist() == [[5, 0, 0, 1], [6, 1, 1, 0]]


class Scaled(layers.Layer):
    def build(self, input_shape):
        self.factor = self.add_weight(shape=(1,), initializer="ones")

    def call(self, x):
        return x * self.factor


def saved(feature, folder):
    space = FeatureSpace({"size": feature})
    space({"size": [1.0]})
    space.save(folder / "space.safetensors")


def twice(space):
    space.get_inputs()
    space.adapt(TABLE)


own = FeatureSpace.feature
town = {"town": "string_categorical"}
WRONG = {
    "no features": (lambda _: FeatureSpace({}), ArgumentError, "one at least"),
    "a kind": (lambda _: FeatureSpace({"a": "floats"}), ArgumentError, "did you mean 'float'"),
    "a mode": (lambda _: FeatureSpace(town, "list"), ArgumentError, "unknown output_mode of FeatureSpace"),
    "a crossing": (lambda _: FeatureSpace(town, crosses=[("town", "b")]), ArgumentError, "crossing 'town_X_b' 'b'"),
    "one to cross": (lambda _: FeatureSpace(town, crosses=[("town",)]), ArgumentError, "two features or more"),
    "a text to cross": (lambda _: FeatureSpace(town, crosses=["town"]), ArgumentError, "two features or more"),
    "crossed twice": (lambda _: FeatureSpace(kinds(), crosses=[("age", "code")] * 2), ArgumentError, "a name for each"),
    "a layer": (lambda _: own("float32", "relu", "float"), ArgumentError, "preprocessor is a layer"),
    "a mode of a feature": (lambda _: own("float32", layers.Identity(), "count"), ArgumentError, "output_mode of a"),
    "a type": (lambda _: own("text", layers.Identity(), "float"), ArgumentError, "unknown dtype of a feature"),
    "bins and boundaries": (
        lambda _: FeatureSpace.float_discretized(3, [0.0]), ArgumentError, "either bin_boundaries, or num_bins"),
    "not adapted": (lambda _: FeatureSpace(town)({"town": ["a"]}), ThalwegError, "call its adapt"),
    "inputs before": (lambda _: FeatureSpace(town).get_inputs(), ThalwegError, "call its adapt"),
    "adapted when drawn": (lambda _: twice(whole()), ThalwegError, "is part of networks by now"),
    "whole numbers in a vector": (
        lambda _: FeatureSpace({"a": FeatureSpace.integer_hashed(3, output_mode="int")})({"a": [1]}),
        ArgumentError, "whole numbers of 'a' can't be concatenated"),
    "floats as ones": (
        lambda _: FeatureSpace({"a": own("float32", layers.Identity(), "one_hot")})({"a": [1.0]}),
        ArgumentError, "Identity, makes no whole numbers"),
    "unknown numbers as ones": (
        lambda _: FeatureSpace({"a": own("string", layers.TextVectorization(vocabulary=["b"]), "one_hot")})(
            {"a": ["b"]}),
        ArgumentError, "how many numbers a TextVectorization makes"),
    "an array": (lambda _: whole()(np.ones((2, 8))), DataError, "takes a dict of columns or a frame, got ndarray"),
    "a column too few": (lambda _: whole()({"size": [1.0]}), DataError, "have no column 'price'"),
    "a column too many": (lambda _: whole()(NEW | {"y": [1, 2]}), DataError, "has no feature 'y'"),
    "two lengths": (lambda _: whole()(NEW | {"size": [1.0]}), ShapeError, "columns of different lengths"),
    "text for numbers": (lambda _: whole()(NEW | {"size": ["a", "b"]}), DataError, "feature 'size' have to be numbers"),
    "a missing word": (lambda _: whole()(NEW | {"town": ["a", None]}), DataError, "no value in row 1"),
    "data with targets": (lambda _: whole(data=iter([(TABLE, [1])])), DataError, "without targets"),
    "a column to adapt": (lambda _: whole(data={"price": [1.0]}), DataError, "have no column 'age'"),
    "weights in a file": (lambda p: saved(own("float32", Scaled(), "float"), p), ArgumentError, "'size' has weights"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "said"), WRONG.values(), ids=WRONG)
def test_refused(call, error, said, tmp_path):
    with pytest.raises(error, match=said) as caught:
        call(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_refused(tmp_path, monkeypatch):
    space = FeatureSpace({"size": "float"})
    monkeypatch.setattr(space, "get_config", lambda: {"features": {"size": {"config": {}}}})
    space.save(tmp_path / "space.safetensors")
    with pytest.raises(ModelFileError, match="can't be turned into a model"):
        saving.load_model(tmp_path / "space.safetensors")
