"""Whatever Keras has is here, or raises with one sentence that says what to use instead; the page lists the same."""

import importlib
import re

import pytest
from keras_names import KINDS, module_here, names_of, on_page, public, rendered, stored

import thalweg
from thalweg import absent
from thalweg.errors import AbsentModuleError, AbsentNameError

ABSENT = [(module, name) for module, names in absent.INSTEAD.items() for name in names]
EXTRA = {"estimator", "np_utils", "text", "experimental", "CuDNNLSTM", "CuDNNGRU", "GroupedQueryAttention"}
EXTRA |= {"GradientTape"}  # older, TensorFlow's, …


def untold(pairs):
    """Those that are neither here nor answered for, alone or by a module around them that isn't there."""
    found = []
    for path, name in pairs:
        module = module_here(path)
        if module is None or hasattr(module, name):
            continue
        try:
            getattr(module, name)
        except AbsentNameError:
            continue
        except AttributeError:
            found.append(f"{path}.{name}")
    return found


def test_every_name_that_was_written_down_is_here_or_answered_for():
    _, pairs = stored()
    assert len(pairs) > 1000
    assert not untold(pairs), "name these in thalweg/absent.py"


def test_every_name_of_keras_is_here_or_answered_for(keras):
    pairs = names_of(keras)
    assert not untold(pairs), "name these in thalweg/absent.py"
    version, written = stored()
    if version == keras.__version__:
        assert written == pairs


def test_a_name_that_is_missing_is_found():
    assert untold([("layers", "Dense"), ("layers", "LSTM"), ("layers", "BrandNew"), ("applications", "VGG16")]) == [
        "layers.BrandNew"
    ]


def test_no_row_is_stale():
    _, pairs = stored()
    for module, name in ABSENT:
        place = module_here(module)
        assert name not in vars(place), f"{module}.{name} is here now: take it out of thalweg/absent.py"
        theirs = ("optimizers.schedules" if module == "schedules" else module, name)
        assert theirs in pairs or name in EXTRA, f"Keras has no {module}.{name}"


@pytest.mark.parametrize(("module", "name"), ABSENT)
def test_a_name_is_answered_for_wherever_it_is_asked_for(module, name):
    place, instead = module_here(module), absent.INSTEAD[module][name]
    whole = f"thalweg.{module}".strip(".")
    said = re.escape(f"{whole} has no {name}: {instead}")
    with pytest.raises(AbsentNameError, match=f"^{said}$"):
        getattr(place, name)
    assert not hasattr(place, name)
    with pytest.raises(AbsentModuleError, match=f"^{said}$"):
        exec(f"from {whole} import {name}")
    with pytest.raises(ModuleNotFoundError, match=f"^{said}$"):
        importlib.import_module(f"{whole}.{name}.inside")


def test_other_names_are_python_s_errors():
    with pytest.raises(AttributeError, match=r"module 'thalweg\.layers' has no attribute 'Dens'") as caught:
        thalweg.layers.Dens  # noqa: B018
    assert not isinstance(caught.value, AbsentNameError)
    with pytest.raises(ImportError, match="cannot import name 'Dens'"):
        exec("from thalweg.layers import Dens")
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'thalweg\.nothing'"):
        importlib.import_module("thalweg.nothing")
    assert importlib.util.find_spec("thalweg.nothing") is None
    exec("from thalweg.utils import to_categorical; from thalweg.random import normal; import thalweg.layers.core")


def test_a_sentence_names_what_is_there():
    """Words such as MaxPooling2D or TabularClassifier in a sentence are names of thalweg, or of other libraries."""
    from thalweg import sklearn

    held = set().union(*map(public, (thalweg, sklearn, *(module_here(m) for m in absent.NAMES))))
    others = {"NumPy", "SciPy", "ImageNet", "PyDataset", "FOLDER", "Keras", "Sequential"}
    for instead in {text for names in absent.INSTEAD.values() for text in names.values()}:
        assert instead[-1] not in ".;:"
        words = set(re.findall(r"\b[A-Z]\w*[a-z]\w*[A-Z0-9]\w*", instead))
        assert not words - held - others, instead
        for path in re.findall(r"(?:ops|layers|activations|losses|schedules|initializers)\.[a-z]\w+", instead):
            module, name = path.split(".")
            assert hasattr(getattr(thalweg, module), name), path


# --- objects ---------------------------------------------------------------------------------------------------------


def built(keras):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.build()
    return model


def drawn(keras):
    x = keras.Input((4,))
    return keras.Model(x, keras.layers.Dense(2)(x))


OBJECTS = {
    "a Sequential": built,
    "a functional model": drawn,
    "an InputLayer": lambda keras: drawn(keras).layers[0],
    "a layer": lambda keras: built(keras).layers[0],
    "an Embedding": lambda keras: keras.layers.Embedding(3, 2),
    "a Conv2D": lambda keras: keras.layers.Conv2D(2, 2),
    "a BatchNormalization": lambda keras: keras.layers.BatchNormalization(),
    "a random layer": lambda keras: keras.layers.RandomFlip(),
    "an optimizer": lambda keras: keras.optimizers.Adam(),
    "a loss": lambda keras: keras.losses.MeanSquaredError(),
    "a metric": lambda keras: keras.metrics.MeanSquaredError(),
    "a mean": lambda keras: keras.metrics.Mean(),
    "an AUC": lambda keras: keras.metrics.AUC(),
    "an initializer": lambda keras: keras.initializers.HeNormal(),
    "a regularizer": lambda keras: keras.regularizers.L2(),
    "a constraint": lambda keras: keras.constraints.MaxNorm(),
    "a schedule": lambda keras: keras.optimizers.schedules.CosineDecay(0.1, 10),
    "a callback": lambda keras: keras.callbacks.EarlyStopping("loss"),
    "another callback": lambda keras: keras.callbacks.ReduceLROnPlateau("loss"),
    "a checkpoint": lambda keras: keras.callbacks.ModelCheckpoint("m.keras"),
    "a history": lambda keras: keras.callbacks.History(),
}


@pytest.mark.parametrize("what", OBJECTS)
def test_every_attribute_of_an_object_is_here_or_answered_for(what, keras):
    theirs, ours = OBJECTS[what](keras), OBJECTS[what](thalweg)
    untold = []
    for name in sorted(public(theirs) - public(ours)):
        assert not hasattr(ours, name)
        try:
            getattr(ours, name)
        except AttributeError as error:
            untold += [] if isinstance(error, AbsentNameError) else [name]
    assert not untold, f"name these of {what} in thalweg/support/hooks.py"


def test_other_attributes_are_python_s_errors_and_an_error_inside_stays():
    model = built(thalweg)
    with pytest.raises(AttributeError, match="'Sequential' object has no attribute 'to_jsn'"):
        model.to_jsn  # noqa: B018

    class Own(thalweg.layers.Layer):
        @property
        def broken(self):
            return self.nothing

    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        Own().broken  # noqa: B018


def test_what_an_object_lacks_is_told():
    said = "Sequential has no predict_step: a step is compiled: choose loss and optimizer in compile"
    with pytest.raises(AbsentNameError, match=said):
        built(thalweg).predict_step  # noqa: B018
    with pytest.raises(AbsentNameError, match="a model is saved by save"):
        built(thalweg).get_state_tree()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_is_there_is_called_lacking(kind):
    base = KINDS[kind]
    assert not set(base.lacking) & set(dir(base))
    assert base.lacking.keys() or base.uncalled.keys()


def test_the_page_is_the_table():
    assert on_page().strip() == rendered().strip(), "python tests/tables/keras_names.py writes it"
