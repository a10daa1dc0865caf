"""An argument that isn't there is refused with the nearest name that is, wherever a call may name one."""

import inspect

import numpy as np
import pytest

import thalweg
from thalweg import (
    Input,
    Model,
    Sequential,
    activations,
    applications,
    backend,
    callbacks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    random,
    regularizers,
    saving,
    schedules,
    sklearn,
    utils,
)
from thalweg.errors import ArgumentError, SignatureError
from thalweg.support.naming import constructor_names


def passing_on(function):
    """The parameter that takes any named argument, if a function has one."""
    return next((p for p in inspect.signature(function).parameters.values() if p.kind is p.VAR_KEYWORD), None)


KINDS = {
    layers: layers.Layer, losses: losses.Loss, metrics: metrics.Metric, optimizers: optimizers.Optimizer,
    initializers: initializers.Initializer, regularizers: regularizers.Regularizer,
    constraints: constraints.Constraint, schedules: schedules.LearningRateSchedule, callbacks: callbacks.Callback,
}  # fmt: skip
PASSING_ON = {"MeanMetricWrapper"}  # takes any argument, for its function
CLASSES = [
    made
    for module, kind in KINDS.items()
    for made in {id(c): c for c in vars(module).values() if inspect.isclass(c) and issubclass(c, kind)}.values()
    if made.__name__ not in PASSING_ON
]
CLASSES += [Input, Sequential, thalweg.BatchPredictor, utils.FeatureSpace, thalweg.data.OnDisk]
CLASSES += [getattr(sklearn, name) for name in sklearn.__all__]
FUNCTIONS = [
    Model.compile, Model.evaluate, Model.export, Model.fit, Model.get_layer, Model.load_weights, Model.predict_on_batch,
    Model.profile, Model.report, Model.save, Model.save_weights, Model.summary, Model.test_on_batch,
    Model.train_on_batch, sklearn.MLPClassifier.fit, sklearn.TabularClassifier.cross_validate,
    sklearn.TabularClassifier.export, sklearn.TabularClassifier.fit, thalweg.find_learning_rate, thalweg.load_model,
    thalweg.load_run, thalweg.lsuv, thalweg.tune,
    *(getattr(thalweg.data, name) for name in ("infer_task", "read_table", "split_rows", "write_table")),
]  # fmt: skip
MODULES = (
    activations, applications, backend, constraints, initializers, layers, losses, metrics, models, ops, ops.image,
    ops.linalg, optimizers, random, regularizers, saving, schedules, utils,
)  # fmt: skip
FUNCTIONS += [f for module in MODULES for name, f in vars(module).items() if inspect.isfunction(f) and name[0] != "_"]
FUNCTIONS = list({f: None for f in FUNCTIONS if passing_on(f) is None and ".support." not in f.__module__})


def misspelt(name, names):
    """A name with a letter too few, or with one too many, that is none of the others."""
    k = len(name) // 2
    shorter = name[:k] + name[k + 1 :]
    ways = (*[shorter] * (len(shorter) > 3), f"{name}s", f"{name}{name[-1]}")  # s is near to too many
    return next(n for n in ways if n not in names)


def suggested(call, name, names):
    wrong = misspelt(name, names)
    with pytest.raises(SignatureError) as error:
        call(**{wrong: None})
    assert f"has no argument {wrong!r}; did you mean {name!r}? Choose from: " in str(error.value)
    assert isinstance(error.value, ArgumentError)
    assert isinstance(error.value, TypeError)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_argument_of_every_class_is_suggested(kind):
    names = constructor_names(kind)
    taken = {p.name for p in inspect.signature(kind).parameters.values() if p.kind is not p.VAR_KEYWORD}
    assert taken <= names
    for name in names:
        suggested(kind, name, names)


def test_those_are_all_kinds():
    assert len(CLASSES) > 250
    assert sum(len(constructor_names(kind)) for kind in CLASSES) > 1500
    assert len(FUNCTIONS) > 200


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__qualname__)
def test_every_argument_of_a_function_is_suggested(function):
    parameters = inspect.signature(function).parameters.values()
    names = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)} - {"self"}
    for name in names:
        suggested(function, name, names)


def test_what_the_sentence_says():
    with pytest.raises(SignatureError, match=r"^Dense has no argument 'kernal_initializer'; did you mean 'kernel_"):
        layers.Dense(3, kernal_initializer="zeros")
    with pytest.raises(SignatureError, match=r"^Dense has no argument 'unit'; did you mean 'units'\?"):
        layers.Dense(unit=3)  # rather than that units are missing
    model = Sequential([Input((2,)), layers.Dense(1)])
    with pytest.raises(SignatureError, match=r"^Model.compile has no argument 'metric'; did you mean 'metrics'\?"):
        model.compile("sgd", "mse", metric=["mae"])
    with pytest.raises(SignatureError, match=r"^Model.fit has no argument 'epoch'; did you mean 'epochs'\?"):
        model.fit(np.ones((2, 2)), np.ones(2), epoch=3)
    with pytest.raises(SignatureError, match=r"^Dense has no argument 'zzz'\. Choose from: activation, "):
        layers.Dense(3, zzz=1)


class Scaled(layers.Layer):
    def __init__(self, factor, **rest):
        super().__init__(**rest)
        self.factor = factor


class Wide(layers.Dense):
    def __init__(self, *, width=9, **rest):
        self.width = rest.pop("breadth", width)
        super().__init__(self.width, **rest)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Scaled(facter=1.0), "Scaled has no argument 'facter'; did you mean 'factor'?"),
        (lambda: Scaled(1.0, nmae="s"), "Scaled has no argument 'nmae'; did you mean 'name'?"),
        (lambda: Wide(widht=3), "Wide has no argument 'widht'; did you mean 'width'?"),
        (lambda: Wide(use_bais=True), "Wide has no argument 'use_bais'; did you mean 'use_bias'?"),
    ],
)
def test_a_constructor_of_one_s_own_passes_on_what_it_doesn_t_know(call, said):
    with pytest.raises(SignatureError) as error:
        call()
    assert str(error.value).startswith(said)


def test_what_isn_t_about_names_is_told_as_it_is():
    """An error inside a call isn't blamed on an argument that a constructor takes by itself."""
    assert Wide(breadth=3).width == 3
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'factor'"):
        Scaled()

    class Broken(layers.Layer):
        def __init__(self, **rest):
            rest.pop("unheard_of")
            super().__init__(**rest)
            len(3)

    with pytest.raises(TypeError, match=r"object of type 'int' has no len\(\)"):
        Broken(unheard_of=1)


def test_what_passes_arguments_on_to_training_knows_them_all():
    x, y = np.ones((4, 2)), np.ones(4)
    with pytest.raises(SignatureError, match="compare has no argument 'seed'; did you mean 'seeds'"):
        thalweg.compare("activation", x, y, seed=1)
    with pytest.raises(SignatureError, match="compare has no argument 'epoch'; did you mean 'epochs'"):
        thalweg.compare("activation", x, y, epoch=1)
