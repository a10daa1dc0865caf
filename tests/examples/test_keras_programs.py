"""The programs of examples/keras run with thalweg, and with Keras where installed; docs/keras-programs.md lists them.

Each ends with assertions about what it learnt, so a program that runs to its end has shown it.
"""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from forked_programs import forking
from keras_programs import PROGRAMS, in_keras, looks_up_text, note, noted, run_in, with_keras

import thalweg
from thalweg import layers, ops
from thalweg.errors import ThalwegError

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "keras-programs.md").read_text(encoding="utf-8")
each = pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)

X = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
Y = X[:, :1]


def fitted(*stack, loss="mse", x=X, y=Y, **options):
    """Trains these layers for an epoch."""
    model = thalweg.Sequential([thalweg.Input((4,)), *stack])
    model.compile("adam", loss, **options)
    model.fit(x, y, verbose=0)


def trained(call):
    """The same, with a layer that has this `call`."""
    fitted(type("Own", (layers.Layer,), {"call": call})(), layers.Dense(1))


def overridden(base, *names):
    """Overrides each of these methods, every one of which has to raise."""
    for name in names:
        with pytest.raises(ThalwegError):
            type("Own", (base,), {name: lambda self, *_: None})
    raise ThalwegError("all did")


def branching(self, x):
    return x if x[0] > 0 else -x


class Assigning(layers.Layer):
    """Changes a weight in `call`."""

    def build(self, input_shape):
        self.variable = self.add_weight(shape=(4,), initializer="zeros", trainable=False)

    def call(self, x):
        self.variable.assign(self.variable * 0.9)
        return x + self.variable


def optimizer_for_two():
    adam = thalweg.optimizers.Adam()
    for _ in range(2):
        thalweg.Sequential([thalweg.Input((4,)), layers.Dense(1)]).compile(adam, "mse")


def using_another(layer):
    """Trains a model whose call uses a layer that isn't its own."""
    own = {"call": lambda self, x: layer(x)}
    model = type("Using", (thalweg.Model,), own)()
    model.compile("adam", "mse")
    model.fit(X, np.zeros((32, 2)), verbose=0)


class Acting(thalweg.Model):
    """Its step takes two targets for one output."""

    def __init__(self):
        super().__init__()
        self.value = layers.Dense(1)

    def call(self, x):
        return self.value(x)

    def train_step(self, data):
        x, (action, value) = data
        loss = ops.mean(action * (self(x) - value) ** 2)
        self.minimize(loss)
        return {"loss": loss}


def several_targets():
    model = Acting()
    model.compile("adam")
    model.fit(X, [Y, Y], verbose=0)


def raising(*calls):
    """Each of these has to raise."""

    def run_all():
        for call in calls:
            with pytest.raises((ThalwegError, AttributeError, TypeError)):
                call()
        raise ThalwegError("all did")

    return run_all


RAISES = {  # first cell of the page's table → what raises
    "`train_step` with a backend's gradients: `tf.GradientTape`, `loss.backward()`, `optimizer.apply`, "
    "`optimizer.apply_gradients`": raising(
        lambda: thalweg.optimizers.Adam().apply_gradients([]), lambda: thalweg.optimizers.Adam().apply([])
    ),
    "`predict_step`, `metrics` overridden": lambda: overridden(thalweg.Model, "predict_step", "metrics"),
    "one optimizer for two models": optimizer_for_two,
    "operations that mix the rows of a batch: `x - ops.mean(x, axis=0)`, `ops.matmul(x, ops.transpose(x))`": raising(
        lambda: trained(lambda self, x: x - ops.mean(x, axis=0)),
        lambda: trained(lambda self, x: ops.matmul(x, ops.transpose(x))),
    ),
    "`self.add_weight` in a `Model`": lambda: thalweg.models.Sequential().add_weight(shape=(3,)),
    "a layer with weights that a `call` uses and that isn't an attribute of its class, such as a global "
    "`data_augmentation`": lambda: using_another(layers.Dense(2)),
    "a built-in layer whose `call` is overridden: `class Standardized(layers.Conv2D)`": lambda: type(
        "Standardized", (layers.Conv2D,), {"call": lambda self, x: x}
    ),
    "`metric.update_state(…)` in the `call` of a layer": lambda: trained(
        lambda self, x: thalweg.metrics.Mean().update_state(x)
    ),
    "several targets of a `train_step` in a list, `fit(x, [action, value])`": several_targets,
    "`if` or `while` on a tensor": lambda: trained(branching),
    "a Boolean mask as an index: `x[x > 0]`": lambda: trained(lambda self, x: x[x > 0]),
    "`self.variable.assign(…)` in `call`": lambda: fitted(Assigning(), layers.Dense(1)),
    "axes of unknown length besides the steps: `keras.Input((None, None, 3))`": lambda: thalweg.Input((None, None, 3)),
    "`compile(weighted_metrics=[…])`": lambda: fitted(layers.Dense(1), weighted_metrics=["mae"]),
    "constraints that are Python functions": lambda: layers.Dense(1, kernel_constraint=lambda w: w),
    "`activity_regularizer` of a layer of one's own": lambda: type("Own", (layers.Layer,), {})(
        activity_regularizer="l2"
    ),
    "`compile` without an optimizer": lambda: thalweg.Sequential([layers.Dense(1)]).compile(loss="mse"),
    '`dtype="float16"`, "bfloat16"': raising(
        lambda: fitted(layers.Dense(1, dtype="float16")), lambda: fitted(layers.Dense(1, dtype="bfloat16"))
    ),
    '`data_format="channels_first"`': lambda: layers.Conv2D(2, 3, data_format="channels_first"),
    "`BatchNormalization` in `model(x, training=True)` on arrays": lambda: thalweg.Sequential(
        [thalweg.Input((4,)), layers.BatchNormalization()]
    )(X, training=True),
}


@pytest.fixture(scope="module")
def with_thalweg():
    """Runs a program, and returns what it prints."""
    with forking(["sklearn.datasets", "thalweg"], "-W", "error", PYTHONPATH=str(ROOT)) as run:
        yield run


@pytest.fixture(scope="module")
def run_with_keras():
    """The same, for programs of Keras."""
    with with_keras() as run:
        yield run


@each
def test_it_runs_with_thalweg(program, with_thalweg):
    assert len(with_thalweg(program).splitlines()) == 1


@each
def test_it_runs_with_keras(program, keras, request, tmp_path):
    if looks_up_text(program):
        pytest.importorskip("tensorflow", reason="Keras looks up text with TensorFlow")
    if noted().get(program.stem) != note(program):
        assert len(run_in(tmp_path, program, request.getfixturevalue("run_with_keras")).splitlines()) == 1


def test_a_program_runs_again_if_it_or_keras_has_changed(keras, tmp_path, monkeypatch):
    changed = tmp_path / "changed.py"
    changed.write_text(PROGRAMS[0].read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert note(changed) != note(PROGRAMS[0])
    before = note(changed)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "100.0")
    assert note(changed) != before


def test_what_a_program_does_ends_with_it(with_thalweg, tmp_path):
    (wrong := tmp_path / "wrong.py").write_text("import thalweg\nthalweg.there = 1 / 1\n1 / 0")
    (right := tmp_path / "right.py").write_text("import thalweg\nprint(hasattr(thalweg, 'there'))")
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        with_thalweg(wrong)
    assert with_thalweg(right) == "False\n"


@each
def test_it_is_a_short_program_of_keras_that_asserts(program):
    tree = ast.parse(program.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert 25 <= len(program.read_text(encoding="utf-8").splitlines()) <= 80
    assert any(isinstance(statement, ast.Assert) for statement in tree.body[-12:])
    assert "thalweg" not in in_keras(program), "nothing but the imports and a file's ending change"
    ast.parse(in_keras(program))


def test_the_page_lists_every_program():
    programs = PAGE[: PAGE.index("## What still raises")]
    assert sorted(re.findall(r"^\| `(\w+)` \|", programs, re.MULTILINE)) == [path.stem for path in PROGRAMS]


def table():
    """First cells of the section "What still raises", without its head."""
    section = PAGE[PAGE.index("## What still raises") :]
    return [cell.strip() for cell in re.findall(r"^\|(.*?)\|", section, re.MULTILINE)][2:]


@pytest.mark.parametrize("what", table(), ids=lambda what: re.sub(r"\W+", "-", what)[:40])
def test_what_raises(what):
    with pytest.raises((ThalwegError, AttributeError, TypeError)):
        RAISES[what]()


def test_every_row_of_what_raises_is_tested():
    assert sorted(RAISES) == sorted(table())
