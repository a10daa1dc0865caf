"""Files of Keras's that are damaged, too large or up to something: one sentence, nothing executed.

They need h5py alone: Keras isn't asked.
"""

import copy
import io
import json
import zipfile

import numpy as np
import pytest

from thalweg.errors import MissingPackageError, ModelFileError, ThalwegError
from thalweg.models import load_model

h5py = pytest.importorskip("h5py", exc_type=ImportError)

KERNEL, BIAS = np.arange(12, dtype="f").reshape(4, 3) / 7, np.array([0.5, -1, 2], "f")
DENSE = {
    "module": "keras.layers", "class_name": "Dense", "registered_name": None,
    "config": {"name": "dense", "trainable": True, "dtype": "float32", "units": 3, "activation": "relu"},
}  # fmt: skip
INPUT = {
    "module": "keras.layers", "class_name": "InputLayer", "registered_name": None,
    "config": {"batch_shape": [None, 4], "dtype": "float32", "sparse": False, "name": "input_layer"},
}  # fmt: skip
CONFIG = {
    "module": "keras", "class_name": "Sequential", "registered_name": None,
    "config": {"name": "sequential", "trainable": True, "dtype": "float32", "layers": [INPUT, DENSE]},
}  # fmt: skip


def h5(change=None, **datasets):
    """A model.weights.h5 with the arrays of the dense layer."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        group = file.create_group("layers/dense/vars")
        group.attrs["name"] = "dense"
        for name, array in ({"0": KERNEL, "1": BIAS} | datasets).items():
            if array is not None:
                group[name] = array
        if change is not None:
            change(file, group)
    return content.getvalue()


def written(path, config=CONFIG, weights=None, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        archive.writestr("model.weights.h5", h5() if weights is None else weights)
    return path


def changed(**dense):
    """The configuration with another dense layer."""
    config = copy.deepcopy(CONFIG)
    layer = config["config"]["layers"][1]
    layer["config"] |= dense.pop("config", {})
    layer |= dense
    return config


def refused(path, words, read=load_model):
    with pytest.raises(ThalwegError, match=words) as error:
        read(path)
    assert "\n" not in str(error.value)
    return error.value


def test_a_file_is_read_without_keras(tmp_path):
    model = load_model(written(tmp_path / "x"))
    assert model.get_weights()[0].tobytes() == KERNEL.tobytes()
    x = np.ones((2, 4), "f")
    np.testing.assert_allclose(model.predict(x), np.maximum(x @ KERNEL + BIAS, 0), rtol=1e-6)
    assert [model.name, model.layers[0].name] == ["sequential", "dense"]
    packed = load_model(written(tmp_path / "y", method=zipfile.ZIP_DEFLATED))
    assert packed.get_weights()[1].tobytes() == BIAS.tobytes()


def test_without_h5py_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("thalweg.support.extras.find_spec", lambda name: None)
    error = refused(written(tmp_path / "x"), r"model: an HDF5 file needs h5py: pip install 'thalweg\[keras\]'$")
    assert isinstance(error, MissingPackageError)


def legacy(path, config=None, **attributes):
    """An .h5 of Keras 2."""
    layers = [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 4], "dtype": "float32", "sparse": False,
                                                 "ragged": False, "name": "dense_input"}},
        {"class_name": "Dense", "config": {
            "name": "dense", "trainable": True, "dtype": "float32", "units": 3, "activation": "relu", "use_bias": True,
            "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
            "bias_initializer": {"class_name": "Zeros", "config": {}}, "kernel_regularizer": None,
            "bias_regularizer": None, "activity_regularizer": None, "kernel_constraint": None, "bias_constraint": None,
        }},
    ]  # fmt: skip
    config = config or {"class_name": "Sequential", "config": {"name": "sequential", "layers": layers}}
    metric = {"name": "mae", "dtype": "float32", "fn": "mean_absolute_error"}
    adam = {"name": "Adam", "learning_rate": 0.01, "decay": 0.0, "beta_1": 0.9, "beta_2": 0.999, "amsgrad": False}
    training = {
        "loss": "mse",
        "metrics": [[{"class_name": "MeanMetricWrapper", "config": metric}]],
        "weighted_metrics": None,
        "loss_weights": None,
        "optimizer_config": {"class_name": "Adam", "config": adam},
    }
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["training_config"] = json.dumps(training).encode()
        file.attrs["keras_version"] = b"2.11.0"
        for name, value in attributes.items():
            file.attrs[name] = value
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"dense"]
        inner = group.create_group("dense")
        inner.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        inner["dense/kernel:0"], inner["dense/bias:0"] = KERNEL, BIAS
    return path


def test_a_file_of_keras_2_is_read(tmp_path):
    model = load_model(legacy(tmp_path / "x.h5"))
    assert model.get_weights()[0].tobytes() == KERNEL.tobytes()
    assert model.optimizer.get_config()["learning_rate"] == 0.01
    assert model.evaluate(np.ones((2, 4)), np.ones((2, 3)), verbose=0, return_dict=True).keys() == {
        "loss", "mean_absolute_error",
    }  # fmt: skip


def test_a_functional_model_of_keras_2_is_read(tmp_path):
    """Whose calls are lists, and where models inside count theirs from 1."""

    def layer(kind, name, nodes, **config):
        return {"class_name": kind, "config": {"name": name, **config}, "name": name, "inbound_nodes": nodes}

    start = {"batch_input_shape": [None, 4], "dtype": "float32"}
    inner = {
        "name": "inner", "layers": [
            layer("InputLayer", "in", [], batch_input_shape=[None, 3], dtype="float32"),
            layer("Activation", "tanh", [[["in", 0, 0, {}]]], trainable=True, activation="tanh"),
        ], "input_layers": [["in", 0, 0]], "output_layers": [["tanh", 0, 0]],
    }  # fmt: skip
    config = {
        "name": "model", "layers": [
            layer("InputLayer", "a", [], **start),
            layer("Dense", "dense", [[["a", 0, 0, {}]]], units=3, trainable=True),
            {"class_name": "Functional", "config": inner, "name": "inner", "inbound_nodes": [[["dense", 0, 0, {}]]]},
            layer("Add", "add", [[["inner", 1, 0, {}], ["dense", 0, 0, {}]]], trainable=True),
        ], "input_layers": [["a", 0, 0]], "output_layers": [["add", 0, 0], ["inner", 1, 0]],
    }  # fmt: skip
    model = load_model(legacy(tmp_path / "x.h5", {"class_name": "Functional", "config": config}), compile=False)
    x = np.ones((2, 4), "f")
    h = x @ KERNEL + BIAS
    for got, want in zip(model.predict(x), (np.tanh(h) + h, np.tanh(h)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)


LAMBDA = {
    "class_name": "Lambda",
    "config": {
        "name": "trap",
        "function": {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None}},
    },
}
HOSTILE = [
    (LAMBDA, "layer 'trap' is a Lambda, which holds a Python function, which a file can't be trusted with"),
    ({"module": "os", "class_name": "system"}, "layer 'dense' is 'system' of 'os', no class of Keras's"),
    ({"module": "builtins", "class_name": "eval"}, "layer 'dense' is 'eval' of 'builtins'"),
    ({"module": "kerasy.layers"}, "layer 'dense' is 'Dense' of 'kerasy.layers', no class of Keras's"),
    ({"registered_name": "mine>Dense"}, "layer 'dense' is 'mine>Dense' of 'keras.layers', no class of Keras's"),
    ({"class_name": "MelSpectrogram"}, "layer 'dense' is 'MelSpectrogram', which isn't known here: compute the"),
    ({"class_name": "__class__"}, "layer 'dense' is '__class__', which isn't known here"),
    ({"class_name": ["Dense"]}, "can't be turned into a model"),
    ({"config": {"kernel_initializer": {"class_name": "FromFile", "config": {"path": "/etc/passwd"}}}},
     "the kernel_initializer of Dense 'dense' is 'FromFile', which isn't known here"),
    ({"config": {"kernel_initializer": "FromFile"}}, "is the initializer 'FromFile', which isn't known here"),
    ({"config": {"kernel_regularizer": {"class_name": "FunctionRegularizer", "config": {"function": "x"}}}},
     "is 'FunctionRegularizer', which isn't known here"),
    ({"config": {"activation": "x * x"}}, "Dense 'dense' has the activation 'x \\* x', which isn't known here"),
    ({"config": {"activation": {"custom": "f"}}}, "Dense 'dense' has the activation .* isn't known here"),
    ({"config": {"units": 10**9}}, "the configuration says .* weights, more than the file can hold"),
    ({"config": {"units": 10**30}}, "units has to be less than"),
    ({"config": {"units": {"class_name": "x"}}}, "units of Dense 'dense' is .* isn't known here"),
    ({"config": {"units": 2}}, "'layers/dense/vars/0' has the shape \\(4, 3\\), the network needs \\(4, 2\\)"),
    ({"config": {"dtype": "float16"}}, "Dense 'dense' computes in 'float16': only networks in float32 are read"),
    ({"config": {"lora_rank": 4}}, "Dense 'dense' has lora_rank=4, which isn't known here"),
    ({"config": {"shiny": True}}, "Dense 'dense' has shiny=True, which isn't known here"),
    ({"config": {"name": "a/b"}}, "a layer's name is a word without '/'"),
    ({"config": {"name": "other"}}, "contradicts itself: layer 'other' is 'dense' there"),
    ({"config": None}, "can't be turned into a model"),
]  # fmt: skip


@pytest.mark.parametrize(("dense", "words"), HOSTILE)
def test_a_configuration_is_only_data(dense, words, tmp_path):
    config = changed(**{k: v for k, v in dense.items() if v is not None})
    if "config" in dense and dense["config"] is None:
        del config["config"]["layers"][1]["config"]
    refused(written(tmp_path / "x.keras", config), words)


GRAPHS = [
    ({"class_name": "MyModel"}, "the model is 'MyModel', not a Sequential or a functional Model"),
    ({"module": "my.models"}, "the model is 'Sequential' of 'my.models', no class of Keras's"),
    ({"class_name": "Functional"}, "can't be turned into a model"),
    ([], "can't be turned into a model: the model is None"),
    ("null", "can't be turned into a model: the model is None"),
]


@pytest.mark.parametrize(("config", "words"), GRAPHS)
def test_a_model_that_is_none_is_refused(config, words, tmp_path):
    refused(written(tmp_path / "x.keras", CONFIG | config if isinstance(config, dict) else config), words)


def functional(**nodes):
    """A functional model of two dense layers, with these calls."""
    layers = [INPUT | {"name": "input_layer", "inbound_nodes": []}]
    for name, histories in nodes.items():
        calls = [
            {"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": h}}], "kwargs": {}}
            for h in histories
        ]
        layers.append(changed(config={"name": name})["config"]["layers"][1] | {"name": name, "inbound_nodes": calls})
    config = {"name": "f", "layers": layers, "input_layers": ["input_layer", 0, 0], "output_layers": ["b", 0, 0]}
    return {"module": "keras.src.models.functional", "class_name": "Functional", "config": config}


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ({"a": [["b", 0, 0]], "b": [["a", 0, 0]]}, "the calls of layer 'a' go round in a circle"),
        ({"b": [["c", 0, 0]]}, "a call needs 'c', which no layer is called"),
        ({"b": [["input_layer", 0, 7]]}, "layer 'input_layer' has 1 outputs, none with the number 7"),
        ({"b": [["input_layer", 5, 0]]}, "the calls of layer 'b' go round in a circle, or their tensors are missing"),
        ({"b": []}, "layer 'b' isn't called 1 times"),
        ({"b": [["input_layer", "x", 0]]}, "can't be turned into a model"),
    ],
)
def test_calls_that_make_no_graph_are_refused(nodes, words, tmp_path):
    refused(written(tmp_path / "x.keras", functional(**nodes)), words)


def test_deep_and_endless_configurations_are_refused(tmp_path):
    refused(
        written(tmp_path / "deep.keras", "[" * 10_000 + "]" * 10_000), "config.json can't be read .nested too deeply"
    )
    deep = CONFIG
    for n in range(60):
        deep = {**CONFIG, "config": {"name": f"s{n}", "layers": [deep]}}
    refused(written(tmp_path / "inside.keras", deep), "more than 50 networks are inside each other")
    many = {
        **CONFIG,
        "config": {
            "name": "s",
            "layers": [changed(config={"name": f"d{n}"})["config"]["layers"][1] for n in range(10_001)],
        },
    }
    refused(written(tmp_path / "many.keras", many), "more than 10,000 layers")
    refused(written(tmp_path / "no.keras", "{"), "config.json can't be read")


def link(kind):
    def change(file, group):
        del group["0"]
        group["0"] = kind

    return change


def virtual(file, group):
    del group["0"]
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4, 3))
    group.create_virtual_dataset("0", layout)


def replaced(**options):
    def change(file, group):
        del group["0"]
        group.create_dataset("0", **options)

    return change


def external(file, group):
    del group["0"]
    group.create_dataset("0", (4, 3), "f4", external=[("/etc/passwd", 0, 48)])


def group_instead(file, group):
    del group["0"]
    group.create_group("0")


ARRAYS = [
    (link(h5py.SoftLink("/layers/dense/vars/1")), "has a link at 'layers/dense/vars/0'"),
    (link(h5py.ExternalLink("/etc/passwd", "/x")), "has a link at 'layers/dense/vars/0'"),
    (virtual, "keeps 'layers/dense/vars/0' in another place"),
    (external, "keeps 'layers/dense/vars/0' in another place"),
    (group_instead, "lacks the array 'layers/dense/vars/0'"),
    (replaced(data=KERNEL, compression="lzf"), "by another filter than gzip"),
    (replaced(data=KERNEL, shuffle=True), "by another filter than gzip"),
    (replaced(data=KERNEL.astype("f8")), "as float64: only float32 is read"),
    (replaced(data=np.array([[b"x"] * 3] * 4)), "only float32 is read"),
    (replaced(shape=(10**7, 10**6), dtype="f4", chunks=(1000, 1000), compression="gzip"), "has the shape"),
    (lambda file, group: group.create_dataset("2", data=BIAS), "holds 3 arrays for layer 'dense', which has 2"),
    (lambda file, group: file.create_dataset("layers/lstm/vars/0", data=BIAS), "holds weights of layers/lstm"),
    (lambda file, group: group.attrs.__setitem__("name", 3), "an attribute holds int64, not a text"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "words"), ARRAYS)
def test_an_array_is_of_the_file_itself(change, words, tmp_path):
    refused(written(tmp_path / "x.keras", weights=h5(change)), words)


def test_gzip_is_read(tmp_path):
    model = load_model(written(tmp_path / "x.keras", weights=h5(replaced(data=KERNEL, compression="gzip"))))
    assert model.get_weights()[0].tobytes() == KERNEL.tobytes()


def test_sizes_are_checked_before_anything_is_read(tmp_path, monkeypatch):
    bomb = tmp_path / "bomb.keras"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(CONFIG))
        archive.writestr("model.weights.h5", bytes(50 << 20))
    monkeypatch.setenv("THALWEG_MAX_BYTES", "1000000")
    refused(bomb, "model.weights.h5 in .* takes 52,428,800 bytes, more than the 1,000,000 bytes allowed")
    large = changed(config={"units": 10**6})
    weights = h5(lambda file, group: (file.__delitem__("layers/dense/vars/0"), file.__delitem__("layers/dense/vars/1"),
        group.create_dataset("0", (4, 10**6), "f4", chunks=(1, 10**5), compression="gzip"),
        group.create_dataset("1", (10**6,), "f4", chunks=(10**5,), compression="gzip")))  # fmt: skip
    refused(written(tmp_path / "shape.keras", large, weights), "more than the file can hold")
    monkeypatch.delenv("THALWEG_MAX_BYTES")
    assert load_model(tmp_path / "shape.keras").count_params() == 5 * 10**6
    monkeypatch.setattr("thalweg.exchange.archives.MOST_TEXT", 100)
    refused(written(tmp_path / "text.keras"), "config.json in .* more than the 100 bytes allowed")


def test_archives_that_are_none_are_refused(tmp_path):
    for leave, words in (
        ("config.json", "without config.json, so it is no model"),
        ("model.weights.h5", "has no model.weights.h5"),
    ):
        with zipfile.ZipFile(tmp_path / "x.keras", "w") as archive:
            for name, content in {"config.json": json.dumps(CONFIG), "model.weights.h5": h5()}.items():
                if name != leave:
                    archive.writestr(name, content)
        refused(tmp_path / "x.keras", words)
    refused(written(tmp_path / "w.keras", weights=b"no HDF5"), "is damaged, or its weights are no HDF5")
    refused(written(tmp_path / "m.keras", method=zipfile.ZIP_BZIP2), "packed in a way that Keras doesn't use")
    (tmp_path / "h.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    refused(tmp_path / "h.h5", "is damaged, or its weights are no HDF5")
    with h5py.File(tmp_path / "e.h5", "w") as file:
        file["x"] = BIAS
    refused(tmp_path / "e.h5", "e.h5 holds weights only; make the model")
    model = load_model(written(tmp_path / "x.keras"))
    refused(tmp_path / "e.h5", "is an HDF5 file without weights of Keras's", model.load_weights)


@pytest.mark.parametrize("seed", range(4))
def test_damage_is_one_sentence(seed, tmp_path):
    """Bytes changed, left out and cut off, in both kinds of files."""
    draw = np.random.default_rng(seed)
    whole = [(written(tmp_path / "x.keras")).read_bytes(), legacy(tmp_path / "x.h5").read_bytes()]
    for n in range(60):
        content = bytearray(whole[n % 2])
        if n % 3 == 0:
            content = content[: draw.integers(8, len(content))]
        else:
            for place in draw.integers(8, len(content), 6):
                content[place] = draw.integers(256)
        (tmp_path / "d").write_bytes(content)
        said = ""
        try:
            assert load_model(tmp_path / "d").count_params() == 15
        except ThalwegError as error:
            said = str(error)
        assert "\n" not in said


def test_weights_that_do_not_fit_change_nothing(tmp_path):
    model = load_model(written(tmp_path / "x.keras"))
    (tmp_path / "bad.weights.h5").write_bytes(h5(**{"0": KERNEL + 1, "1": BIAS[:2]}))
    with pytest.raises(ModelFileError, match="'layers/dense/vars/1' has the shape"):
        model.load_weights(tmp_path / "bad.weights.h5")
    assert model.get_weights()[0].tobytes() == KERNEL.tobytes()
    (tmp_path / "good.weights.h5").write_bytes(h5(**{"0": KERNEL + 1}))
    model.load_weights(tmp_path / "good.weights.h5")
    assert (model.get_weights()[0] == KERNEL + 1).all()
