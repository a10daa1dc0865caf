"""Models on disk: everything comes back, and a file that isn't whole is never taken for one."""

import copy
import json
import os
import pickle
import re
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import thalweg
from thalweg import Sequential, load_model
from thalweg.callbacks import Callback, ModelCheckpoint
from thalweg.errors import ArgumentError, MissingPackageError, ModelFileError, ThalwegError
from thalweg.layers import Activation, Dense, Dropout, Flatten, Input, Layer, LeakyReLU, Residual
from thalweg.losses import BinaryCrossentropy
from thalweg.metrics import BinaryAccuracy
from thalweg.models import model_file as saving
from thalweg.optimizers import SGD, Adam
from thalweg.regularizers import L1L2
from thalweg.support import extras

X = np.random.default_rng(0).normal(size=(20, 3, 2))
Y = (X.sum(axis=(1, 2)) > 0).astype(float)


def rich(**options):
    """A model in which everything differs from its default."""
    layers = [
        Input((3, 2), name="pixels"),
        Dense(4, "leaky_relu", kernel_initializer=thalweg.initializers.RandomNormal(0.1, 0.3, seed=5), name="first"),
        Flatten(),
        Dropout(0.2, seed=9),
        Residual([Dense(5, "relu", use_bias=False), LeakyReLU(0.1), Dense(12, kernel_regularizer=L1L2(0.1, 0.2))]),
        Activation("tanh"),
        Dense(1, "sigmoid", bias_regularizer="l2", bias_initializer="ones"),
    ]
    model = Sequential(layers, name="rich", seed=11, **options)
    model.compile(
        Adam(0.003, 0.8, 0.95, 1e-5), BinaryCrossentropy(label_smoothing=0.1), ["accuracy", BinaryAccuracy(0.3)]
    )
    return model


def small(path, **options):
    model = Sequential([Input((2,)), Dense(2, "tanh")], seed=1, **options)
    model.compile(SGD(momentum=0.9), "mse")
    model.fit(np.eye(2), np.eye(2), verbose=0)
    model.save(path)
    return model


@pytest.mark.parametrize("options", [{}, {"engine": "reference", "dtype": "float64"}])
def test_everything_comes_back(options, tmp_path):
    model = rich(**options)
    model.fit(X, Y, epochs=3, verbose=0)
    model.save(tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    assert saving.describe(again._compiled) == saving.describe(model._compiled)
    assert [n for n, _ in again.named_parameters()] == [n for n, _ in model.named_parameters()]
    for one, other in zip(again.get_weights(), model.get_weights(), strict=True):
        assert one.dtype == other.dtype == model.dtype
        assert np.array_equal(one, other)
    assert np.array_equal(again.slots, model.slots)
    assert (again.name, again.seed, again.engine, again.dtype) == ("rich", 11, model.engine, model.dtype)
    assert again.evaluate(X, Y, return_dict=True) == model.evaluate(X, Y, return_dict=True)
    assert list(again.evaluate(X, Y, return_dict=True)) == ["loss", "accuracy", "binary_accuracy"]


def test_a_model_before_training_and_before_compiling(tmp_path):
    compiled, bare = rich(), Sequential([Input((3,)), Dense(2)], seed=1)
    for model in (compiled, bare):
        model.save(tmp_path / "model")
        again = load_model(tmp_path / "model")
        assert again.compiled == model.compiled
        assert np.array_equal(again.vector, model.vector)
    with pytest.raises(ThalwegError, match="compile"):
        load_model(tmp_path / "model").fit(X, Y)


def test_names_that_could_be_mistaken(tmp_path):
    """A layer called "optimizer" with a weight called "v", beside the optimizer's own v."""

    class Weighted(Layer):
        def build(self, input_shape):
            self.v = self.add_weight("v", (input_shape[-1], 2), "ones")

        def forward(self, program, x):
            return program.affine(x, self.v)

    model = Sequential([Input((2,)), Weighted(name="optimizer"), Dense(2, name="layer é 層")], seed=1)
    model.compile(SGD(momentum=0.9), "mse")
    model.fit(np.eye(2), np.eye(2), verbose=0)
    model.save(tmp_path / "model")
    again = load_model(tmp_path / "model", {"Weighted": Weighted})
    assert np.array_equal(again.vector, model.vector)
    assert np.array_equal(again.slots, model.slots)
    model.save_weights(tmp_path / "weights")
    again.load_weights(tmp_path / "weights")
    again.load_weights(tmp_path / "model")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize("options", [{}, {"engine": "reference", "dtype": "float64"}])
def test_a_copy_in_memory_is_a_model_of_its_own(copied, options):
    """Its weights are still views of its vector: what is set is predicted with, what is trained is read."""
    model, whole = rich(**options), rich(**options)
    assert not copied(Sequential([Dense(1)])).built
    model.fit(X, Y, verbose=0)
    model.predict(X)
    again = copied(model)
    assert np.array_equal(again.predict(X), model.predict(X))
    before = model.vector.copy()
    again.fit(X, Y, verbose=0)
    whole.fit(X, Y, epochs=2, verbose=0)
    assert np.array_equal(model.vector, before)
    for one, other in zip(again.get_weights(), whole.get_weights(), strict=True):
        assert np.array_equal(one, other)  # the optimizer has gone along too
    again.set_weights([0 * w for w in again.get_weights()])
    assert (again.predict(X) == 0.5).all()


def test_a_users_layer_needs_its_class(tmp_path):
    class Mine(Layer):
        def forward(self, program, x):
            return x

    Sequential([Input((2,)), Mine()]).save(tmp_path / "model")
    assert type(load_model(tmp_path / "model", {"Mine": Mine}).layers[0]) is Mine
    with pytest.raises(ModelFileError, match=r"unknown layer 'Mine'.*custom_objects"):
        load_model(tmp_path / "model")


# --- weights alone ---------------------------------------------------------------------------------------------------


def test_weights_alone(tmp_path):
    model, other = rich(), rich()
    other.set_weights([w + 1 for w in other.get_weights()])
    model.save_weights(tmp_path / "weights")
    other.load_weights(tmp_path / "weights")
    assert np.array_equal(other.vector, model.vector)
    model.save(tmp_path / "model")
    other.set_weights([w + 1 for w in other.get_weights()])
    other.load_weights(tmp_path / "model")  # of a whole model too
    assert np.array_equal(other.vector, model.vector)
    with pytest.raises(ModelFileError, match="holds weights only"):
        load_model(tmp_path / "weights")


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([Dense(2), Dense(2)], r"missing \['dense_1/W', 'dense_1/b'\]"),
        ([Dense(2, use_bias=False)], r"unexpected \['dense/b'\]"),
        ([Dense(3)], r"dense/W has the shape \(2, 3\), in the file \(2, 2\)"),
        ([Dense(2, name="other")], "missing .*other/W.* unexpected .*dense/W"),
    ],
)
def test_weights_that_do_not_fit_change_nothing(layers, words, tmp_path):
    small(tmp_path / "model")
    model = Sequential([Input((2,)), *layers])
    before = model.get_weights()
    with pytest.raises(ModelFileError, match=words) as caught:
        model.load_weights(tmp_path / "model")
    assert "\n" not in str(caught.value)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


# --- files -----------------------------------------------------------------------------------------------------------


def test_files_are_whole_or_not_there(tmp_path, monkeypatch):
    model = small(tmp_path / "model")
    before = (tmp_path / "model").read_bytes()
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk gone")))
    with pytest.raises(ModelFileError, match="can't be written: disk gone"):
        model.save(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model").read_bytes() == before


def test_files_get_the_usual_permissions(tmp_path):
    mask = os.umask(0o027)
    try:
        small(tmp_path / "model")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == 0o640


def test_where_a_model_can_not_be_saved_is_said(tmp_path):
    model = small(tmp_path / "model")
    (tmp_path / "folder").mkdir()
    for path, words in (
        (tmp_path / "folder", "is a folder"),
        (tmp_path / "none" / "model", "does not exist"),
        ("/proc/model", "can't be written"),
    ):
        with pytest.raises(ModelFileError, match=words):
            model.save(path)
    with pytest.raises(ModelFileError, match="is not overwritten"):
        model.save(tmp_path / "model", overwrite=False)
    with pytest.raises(ModelFileError, match="is not overwritten"):
        model.save_weights(tmp_path / "model", overwrite=False)


def refused(path, words=None):
    with pytest.raises(ModelFileError, match=words) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_what_is_no_model_file_is_said(tmp_path):
    refused(tmp_path / "none", "there is no model file")
    refused(tmp_path, "is a folder")
    for name, content in (
        ("empty", b""),
        ("text", b"Lorem ipsum " * 50),
        ("zeros", bytes(1000)),
        ("ones", b"\xff" * 99),
    ):
        (tmp_path / name).write_bytes(content)
        refused(tmp_path / name, "is not a model file, or it is damaged")
    save_file({"dense/W": np.eye(2)}, tmp_path / "foreign")
    refused(tmp_path / "foreign", "not one that thalweg wrote")
    save_file({"dense/W": np.eye(2)}, tmp_path / "foreign", {"thalweg": "{}"})
    refused(tmp_path / "foreign", "checksum")


def test_a_bit_flipped_anywhere_is_noticed(tmp_path):
    small(tmp_path / "model")
    content = (tmp_path / "model").read_bytes()
    assert len(content) < 4000
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        (tmp_path / "damaged").write_bytes(damaged)
        refused(tmp_path / "damaged")
    (tmp_path / "damaged").write_bytes(content)
    load_model(tmp_path / "damaged")


def test_a_file_cut_off_or_grown_anywhere_is_noticed(tmp_path):
    small(tmp_path / "model")
    content = (tmp_path / "model").read_bytes()
    for length in range(len(content)):
        (tmp_path / "damaged").write_bytes(content[:length])
        refused(tmp_path / "damaged")
    for more in (b"\0", b"\0" * 64, content):
        (tmp_path / "damaged").write_bytes(content + more)
        refused(tmp_path / "damaged")


def test_a_description_that_lies_is_refused(tmp_path):
    """With a checksum that fits: written by other hands, not damaged."""
    model = small(tmp_path / "model")
    arrays, description = saving.read(tmp_path / "model")
    assert load_model(tmp_path / "model").vector.tolist() == model.vector.tolist()

    def change(*path_and_value):
        *path, last, value = path_and_value
        changed = json.loads(json.dumps(description))
        place = changed
        for key in path:
            place = place[key]
        if value is None:
            del place[last]
        else:
            place[last] = value
        return changed

    layer = ("layers", 0)
    lies = [
        change("format", "2"), change("input_shape", None), change("input_shape", [3]), change("input_shape", "two"),
        change("input_shape", []), change("layers", []), change("layers", 7), change(*layer, "class_name", "Dens"),
        change(*layer, "class_name", None), change(*layer, "config", 7), change(*layer, "config", "units", 3),
        change(*layer, "config", "units", -1), change(*layer, "config", "colour", "red"), change("layers", 0, "x"),
        change(*layer, "config", "activation", "tan"), change("seed", -1), change("seed", "x"), change("engine", "gpu"),
        change("dtype", "float16"), change("dtype", "float64"), change("epochs_trained", "many"),
        change("compile", "optimizer", "class_name", "Adm"), change("compile", "optimizer", "config", "momentum", 7),
        change("compile", "optimizer", "config", "momentum", 0.0), change("compile", "optimizer", 3),
        change("compile", "loss", 3), change("compile", "loss", "class_name", "Mse"), change("compile", "metrics", 3),
        change("compile", "metrics", [3]), change("compile", "iterations", "x"), change("compile", 7),
    ]  # fmt: skip
    for lie in lies:
        saving.write(tmp_path / "lie", arrays, lie, overwrite=True)
        refused(tmp_path / "lie")
    for name in arrays:
        for array in (arrays[name][..., :-1], None):
            fewer = {n: a for n, a in arrays.items() if n != name} | ({} if array is None else {name: array.copy()})
            saving.write(tmp_path / "lie", fewer, description, overwrite=True)
            refused(tmp_path / "lie", "doesn't fit|contradicts itself")


def test_what_a_file_needs_that_is_not_installed_is_said(tmp_path, monkeypatch):
    path = tmp_path / "layer.safetensors"
    Sequential([Input((2,)), Dense(1)]).save(path)
    monkeypatch.setattr(Dense, "__init__", lambda self, *_, **__: extras.need("nothing", "plot", "a layer"))
    said = (
        rf"^{re.escape(str(path))} can't be turned into a model: a layer needs nothing: pip install 'thalweg\[plot\]'$"
    )
    with pytest.raises(MissingPackageError, match=said):
        load_model(path)


def test_a_checkpoint_in_the_middle_of_an_epoch_goes_on_exactly(tmp_path):
    """Saved while training runs: the counter of steps, the slots and the weights belong together."""
    x = np.random.default_rng(0).normal(size=(64, 2))

    class Save(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.save(tmp_path / f"{epoch}")

    model = Sequential([Input((2,)), Dense(8, "tanh"), Dropout(0.5), Dense(2)], seed=1)
    model.compile("adam", "mse")
    model.fit(x, x, batch_size=10, epochs=4, verbose=0, callbacks=[Save()])
    again = load_model(tmp_path / "1")
    again.fit(x, x, batch_size=10, epochs=2, verbose=0)
    assert np.array_equal(again.vector, model.vector)


OTHERS = ["x.pt", "x.pkl", "x.onnx", "x.npz", "x.json", "x.zip"]


@pytest.mark.parametrize("name", OTHERS)
def test_a_name_of_another_format_is_refused(name, tmp_path):
    model = Sequential([Input((2,)), Dense(1)])
    words = rf"{name}: a model is saved as a safetensors file, so call it {name.rpartition('.')[0]}\.safetensors$"
    for save in (model.save, model.save_weights, ModelCheckpoint):
        with pytest.raises(ArgumentError, match=words):
            save(tmp_path / name)
    assert not list(tmp_path.iterdir())
    for free in ("x", "x.safetensors", "x.thalweg", "x.v2"):
        model.save(tmp_path / free)


@pytest.mark.parametrize("name", ["x.keras", "x.h5", "x.HDF5"])
def test_names_of_keras_are_taken(name, tmp_path):
    model = Sequential([Input((2,)), Dense(1)])
    model.save(tmp_path / name)
    again = load_model(tmp_path / name)
    assert np.array_equal(again.get_weights()[0], model.get_weights()[0])
    again.save_weights(tmp_path / "x.weights.h5")
    model.load_weights(tmp_path / "x.weights.h5")


def test_files_of_keras_hold_no_state_of_a_training(tmp_path):
    """What load_model and load_weights make of them: tests/export/test_keras_files.py."""
    model = Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse")
    with zipfile.ZipFile(tmp_path / "x.keras", "w") as archive:
        archive.writestr("metadata.json", "{}")
    (tmp_path / "x.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    for name in ("x.keras", "x.h5"):
        with pytest.raises(ModelFileError, match=f"{name} is a file of Keras's, which has no state of a training here"):
            model.load_state(tmp_path / name)


def test_a_model_may_be_loaded_uncompiled(tmp_path):
    model = small(tmp_path / "model")
    again = load_model(tmp_path / "model", compile=False)
    assert again.vector.tolist() == model.vector.tolist()
    with pytest.raises(ThalwegError, match="compile"):
        again.evaluate(np.eye(2), np.eye(2), verbose=0)


def test_the_functions_of_keras_s_module_do_what_the_methods_do(tmp_path):
    model = small(tmp_path / "first")
    thalweg.saving.save_model(model, tmp_path / "model")
    again = thalweg.saving.load_model(tmp_path / "model")
    assert again.vector.tolist() == model.vector.tolist()
    thalweg.saving.save_weights(model, tmp_path / "weights")
    again.set_weights([0 * w for w in again.get_weights()])
    thalweg.saving.load_weights(again, tmp_path / "weights")
    assert again.vector.tolist() == model.vector.tolist()


def test_a_description_may_name_a_model_before_any_was_made():
    """In a fresh process, where `thalweg.layers` alone has been imported."""
    code = (
        "from thalweg.layers import deserialize\n"
        "inside = [{'class_name': 'Dense', 'config': {'units': 3}}]\n"
        "print(type(deserialize({'class_name': 'Sequential', 'config': {'layers': inside}})).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "Sequential\n"


@thalweg.saving.register_keras_serializable()
class Ready(thalweg.Model):
    """Has its weights from the start."""

    def __init__(self, **options):
        super().__init__(**options)
        self.dense = Dense(3)
        self.build((None, 4))

    def call(self, x):
        return self.dense(x)


def test_a_model_that_is_built_in_its_constructor_comes_back(tmp_path):
    model = Ready()
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(20, 4))
    model.fit(x, x[:, :3], verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert np.array_equal(again.predict(x), model.predict(x))
    for one in (model, again):
        one.fit(x, x[:, :3], verbose=0)
    assert np.array_equal(again.vector, model.vector)
