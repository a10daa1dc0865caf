"""A subclass that overrides a hook of Keras which thalweg doesn't call says so; what makes a subclass is asked for."""

import inspect
import os

import numpy as np
import pytest

from thalweg import (
    Input,
    Model,
    Sequential,
    activations,
    callbacks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    ops,
    optimizers,
    regularizers,
    schedules,
)
from thalweg.errors import ArgumentError

MODULES = (layers, losses, metrics, optimizers, regularizers, constraints, initializers, callbacks, schedules)
BASES = (
    layers.Layer, losses.Loss, metrics.Metric, optimizers.Optimizer, regularizers.Regularizer,
    constraints.Constraint, initializers.Initializer, callbacks.Callback, schedules.LearningRateSchedule,
)  # fmt: skip
ROLES = {  # base → all public classes of its kind
    base: [c for c in vars(module).values() if inspect.isclass(c) and issubclass(c, base)]
    for base, module in zip(BASES, MODULES, strict=True)
} | {Sequential: [Sequential], activations.ActivationFunction: [activations.ActivationFunction]}
# What users of Keras override most: it has to be in the tables.
USUAL = {
    layers.Layer: "__call__ compute_output_spec convolution_op",
    Sequential: "call predict_step compute_metrics make_train_function",
    optimizers.Optimizer: "update_step apply_gradients apply build",
    losses.Loss: "__call__",
    metrics.Metric: "stateless_update_state add_variable",
    regularizers.Regularizer: "from_config",
    constraints.Constraint: "__call__",
    callbacks.Callback: "get_monitor_value",
    activations.ActivationFunction: "__call__",
    initializers.Initializer: "from_config",
    schedules.LearningRateSchedule: "from_config",
}


def method(self, *arguments, **named):
    """Anything."""


def test_every_kind_has_a_table_with_what_is_usual():
    assert ROLES.keys() == USUAL.keys()
    for base, names in USUAL.items():
        assert set(names.split()) <= base.uncalled.keys()
        assert len(ROLES[base]) >= (1 if base in (Sequential, activations.ActivationFunction) else 5)


@pytest.mark.parametrize("base", ROLES, ids=lambda base: base.__name__)
def test_every_overridden_hook_of_every_class_is_named(base):
    for owner in ROLES[base]:
        called = base.uncalled.keys() - owner.uncalled.keys()  # by its own class
        assert all(getattr(owner, name) is not getattr(base, name) for name in called)
        for name, instead in owner.uncalled.items():
            for kind in (method, property(method), classmethod(method), staticmethod(method)):
                with pytest.raises(ArgumentError) as error:
                    type("Mine", (owner,), {name: kind})
                assert str(error.value) == f"Mine.{name} would never be called: {instead}"


@pytest.mark.parametrize("base", ROLES, ids=lambda base: base.__name__)
def test_a_hook_from_another_base_is_named_too_and_other_names_are_free(base):
    name = next(iter(base.uncalled))
    mixin = type("Mixin", (), {name: method})
    for bases in ((mixin, base), (base, mixin)):
        with pytest.raises(ArgumentError, match=f"Mine.{name} would never be called"):
            type("Mine", bases, {})
    free = type("Mine", (base,), {"plot": method})
    assert free.plot is method
    data = type("Mine", (base,), {name: 3})  # no code that could be called
    assert getattr(data, name) == 3


def test_a_subclass_of_a_subclass_is_checked():
    class Own(layers.Dense):
        def describe(self):
            return self.units

    assert Own(3).describe() == 3
    with pytest.raises(ArgumentError, match=r"More\.compute_output_spec would never be called"):
        type("More", (Own,), {"compute_output_spec": method})


def test_a_call_beside_a_forward_is_told():
    with pytest.raises(ArgumentError, match=r"More\.call would never be called: Dense composes its instructions"):
        type("More", (layers.Dense,), {"call": method})
    type("More", (layers.Add,), {"call": method})  # which has a call itself
    own = type("Own", (Model,), {"call": method})
    x = Input((2,))
    with pytest.raises(ArgumentError, match=r"Own\.call would never be called: it is a model of its tensors"):
        own(x, layers.Dense(1)(x))


class Weighty(layers.Layer):
    """Declares weights in all the ways that Keras allows."""

    def build(self, input_shape):
        size = input_shape[-1]
        self.named = self.add_weight(shape=(size,), initializer="ones", name="gain")
        self.placed = self.add_weight((size,), "zeros")
        self.built = True

    def call(self, x):
        return x * self.named + self.placed


def test_weights_are_declared_as_in_keras():
    model = Sequential([Input((2,)), Weighty()])
    assert [name for name, _ in model.named_parameters()] == []  # it isn't built
    assert np.array_equal(model.predict(np.eye(2)), np.eye(2))
    assert [name for name, _ in model.named_parameters()] == ["weighty/gain", "weighty/weight"]


def test_a_sequential_may_compute_its_loss():
    class Own(Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return ops.square(y - y_pred) * 2

    models = Own([Input((2,)), layers.Dense(1)], seed=0), Sequential([Input((2,)), layers.Dense(1)], seed=0)
    for model, loss, rate in zip(models, (None, "mse"), (0.05, 0.1), strict=True):
        model.compile(optimizers.SGD(rate), loss)
        model.fit(np.eye(2), [0.0, 1.0], verbose=0)
    np.testing.assert_allclose(models[0].get_weights()[0], models[1].get_weights()[0], rtol=1e-6)


# --- hooks that are called -------------------------------------------------------------------------------------------


def trained(optimizer="sgd", loss="mse", **options):
    model = Sequential([Input((2,)), layers.Dense(1, **options)], seed=0)
    model.compile(optimizer, loss)
    model.fit(np.eye(2), [0.0, 1.0], verbose=0)
    return model


def test_a_schedule_may_be_kerass_call_of_one_step():
    class Halved(schedules.CosineDecay):
        def __call__(self, step):
            return 0.5 if step < 2 else 0.25  # no array could be compared like this

    assert optimizers.SGD(Halved(0.1, 10)).rates(4).tolist() == [0.5, 0.5, 0.25, 0.25]
    assert trained(optimizers.SGD(Halved(0.1, 10))).optimizer.learning_rate == 0.5

    class Value(schedules.LearningRateSchedule):
        def value(self, step):
            return 0.1 + step

    assert optimizers.SGD(Value()).rates(2).tolist() == [0.1, 1.1]


def test_an_initializer_may_be_called_or_sampled():
    class Called(initializers.Zeros):
        def __call__(self, shape, generator=None):
            return np.full(shape, 0.25)

    class Sampled(initializers.Initializer):
        def sample(self, shape, generator):
            return np.full(shape, 0.5)

    for own, value in ((Called(), 0.25), (Sampled(), 0.5)):
        model = Sequential([Input((2,)), layers.Dense(1, kernel_initializer=own)])
        model.build()
        assert (model.get_weights()[0] == value).all()


def test_the_arguments_of_keras_are_told_from_ours():
    with pytest.raises(
        ArgumentError, match=r"Mine.score is called with \(sums, rows, output\) here, but takes \(self\)"
    ):

        class Mine(metrics.BinaryAccuracy):
            def score(self):
                return 1.0

    with pytest.raises(ArgumentError, match=r"Mine.__call__ is called with \(shape, generator\) here, but takes"):

        class Mine(initializers.Ones):
            def __call__(self, shape, dtype=None):
                return np.ones(shape)

    class Percent(metrics.BinaryAccuracy):
        def score(self, sums, rows, output):
            return 100 * super().score(sums, rows, output)

    assert Percent()([1, 0], [0.9, 0.9]) == 50


# --- what makes a subclass -------------------------------------------------------------------------------------------


class OwnLoss(losses.Loss):
    """Without an instruction."""


class OwnMetric(metrics.Metric):
    """Without an instruction."""


class OwnRegularizer(regularizers.Regularizer):
    """Without factors."""


class OwnConstraint(constraints.Constraint):
    """Without an instruction."""


class OwnInitializer(initializers.Initializer):
    """Without weights."""


class OwnOptimizer(optimizers.Optimizer):
    """Without a step."""


class OwnSchedule(schedules.LearningRateSchedule):
    """Without a value."""


class OwnLayer(layers.Layer):
    """Without instructions."""


class Unmade(layers.Dense):
    def __init__(self):
        self.units = 3


class Shapeless(layers.Layer):
    def build(self, input_shape):
        self.w = self.add_weight("w")


class SaysUnbuilt(layers.Layer):
    def build(self, input_shape):
        self.built = False


def returning_a_number(y_true, y_pred):
    return 3


def stacked(*given):
    Sequential([Input((2,)), *given]).build()


INCOMPLETE = [
    (OwnLoss, r"OwnLoss has no instruction: a loss of your own has call\(self, y_true, y_pred\), or is a formula"),
    (OwnMetric, r"OwnMetric has no update_state\(self, y_true, y_pred\): a metric of your own"),
    (OwnRegularizer, r"OwnRegularizer has no factors\(self\), nor __call__\(self, x\): either says what it adds"),
    (
        lambda: trained(kernel_constraint=OwnConstraint()),
        r"OwnConstraint has no lower\(self, W\): a constraint runs inside",
    ),
    (lambda: OwnInitializer()((2,)), r"OwnInitializer has no sample\(self, shape, generator\)"),
    (lambda: trained(OwnOptimizer(0.1)), r"OwnOptimizer has no equation: an optimizer's step is its `equation`, or"),
    (lambda: trained(optimizers.SGD(OwnSchedule())), r"OwnSchedule has no value\(self, step\)"),
    (
        lambda: stacked(OwnLayer()),
        r"OwnLayer has no call\(self, x\): a layer computes its outputs in call\(self, x\), or appends",
    ),
    (lambda: stacked(Unmade()), r"Unmade.__init__ has to call super\(\).__init__\(\) first"),
    (lambda: stacked(layers.Residual([Unmade()])), r"Unmade.__init__ has to call super\(\).__init__\(\) first"),
    (lambda: stacked(Shapeless()), "Shapeless: add_weight needs a shape, such as"),
    (lambda: stacked(SaysUnbuilt()), "SaysUnbuilt sets built = False: thalweg knows itself what is built"),
    (lambda: trained(loss=returning_a_number), "returning_a_number returned 3: compute it from"),
]


@pytest.mark.parametrize(("make", "words"), INCOMPLETE, ids=[words.partition(":")[0] for _, words in INCOMPLETE])
def test_what_is_missing_is_said_in_a_sentence(make, words):
    with pytest.raises(ArgumentError, match=words):
        make()


# --- Keras's own classes ---------------------------------------------------------------------------------------------

# Names that both have, and names that are data here; whoever makes properties of these hears of it at once.
DATA = {
    "trainable", "iterations", "learning_rate", "model", "thresholds", "output_shape", "stop_training",
    "distribute_strategy",
}  # fmt: skip
# What isn't there unless a subclass defines it; then it is called.
LOOKED_FOR = {"Layer": {"call", "compute_output_shape"}, "Loss": {"call"}}


def theirs_of(their):
    """The public methods and properties of one of Keras's classes."""
    code = {name for base in their.__mro__ for name, v in vars(base).items() if hasattr(v, "__get__")}
    inside = {name for base in their.__mro__ if not base.__module__.startswith("keras") for name in vars(base)}
    return {name for name in code - inside if not name.startswith("_")} | ({"__call__"} & code)


@pytest.mark.parametrize("base", [base for base in ROLES if base.__name__ != "ActivationFunction"])
def test_every_method_of_keras_is_called_or_in_the_table(base):
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras", exc_type=ImportError)
    rooms = (keras, *(getattr(keras, m.__name__.rpartition(".")[2]) for m in MODULES[:-1]), keras.optimizers.schedules)
    compared = 0
    for ours in ROLES[base]:
        their = next((vars(room)[ours.__name__] for room in rooms if ours.__name__ in vars(room)), None)
        if not inspect.isclass(their) or not issubclass(their, kind_of(keras, base)):
            continue
        compared += 1
        known = DATA | ours.uncalled.keys() | ours.lacking.keys() | LOOKED_FOR.get(base.__name__, set())
        known |= getattr(ours, "declared_arguments", {}).keys()
        lacking = {name for name in theirs_of(their) - known if not hasattr(ours, name)}
        assert not lacking, f"{ours.__name__} neither has {sorted(lacking)} nor says that it is never called"
    assert compared >= (1 if base is Sequential else 4)


def kind_of(keras, base):
    return keras.optimizers.schedules.LearningRateSchedule if "Rate" in base.__name__ else {
        "Layer": keras.layers.Layer, "Loss": keras.losses.Loss, "Metric": keras.metrics.Metric,
        "Optimizer": keras.optimizers.Optimizer, "Regularizer": keras.regularizers.Regularizer,
        "Constraint": keras.constraints.Constraint, "Initializer": keras.initializers.Initializer,
        "Callback": keras.callbacks.Callback, "Sequential": keras.Sequential,
    }[base.__name__]  # fmt: skip
