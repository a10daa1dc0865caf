"""Every activation against an independent statement, PyTorch and Keras: values and slopes, at extreme places too."""

import ast
import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from activation_rows import ROWS

from thalweg import Model, Sequential, activations, load_model, losses
from thalweg.activations import NAMES, catalogue
from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import Activation, Dense, Input, Layer
from thalweg.optimizers import SGD

RANDOM = np.random.default_rng(5)
PLACES = np.concatenate([np.linspace(-9.03, 9.04, 74), [-1e4, 1e4, -60, 60, -0.01, 0.0017]])
H = PLACES.astype(np.float32).reshape(20, 4)
COVECTOR = RANDOM.normal(size=H.shape).astype(np.float32)
CASES = [(row.name, row.arguments) for row in ROWS]
every_case = pytest.mark.parametrize(("name", "arguments"), CASES, ids=[f"{n}{a or ''}" for n, a in CASES])


def ours(function, h, engine="native", dtype="float32"):
    """Values, and the derivative of Σ covector·value by h: one step of gradient descent from h, as a kernel."""
    rows = len(h)
    model = Sequential(
        [Input((rows,)), Dense(h.shape[1], use_bias=False), Activation(function)], engine=engine, dtype=dtype
    )
    model.compile(SGD(1.0), losses.SumSquaredError(half=True, reduction="sum"))
    model.set_weights([h])
    a = model.predict(np.eye(rows))
    covector = COVECTOR[:, : a.shape[1]]
    # ½(a − y)² has the derivative a − y: with y = a − covector it is the covector.
    model.train_on_batch(np.eye(rows), a - covector)
    return a, h - model.get_weights()[0], covector


def check(function, theirs, h=H):
    """The derivative goes through a weight of h's size and a target of a's, so it is measured by those."""
    a, dh, covector = ours(function, h)
    want, slope = theirs(h.astype(np.float64), covector.astype(np.float64))
    ordinary = (abs(h) < 100).all(axis=1)
    np.testing.assert_allclose(a, want, rtol=1e-5, atol=1e-30)
    size = 3e-6 * max(1, abs(a[ordinary]).max() / 3)
    np.testing.assert_allclose(dh[ordinary], slope[ordinary], rtol=1e-5, atol=size)
    np.testing.assert_allclose(dh[~ordinary], slope[~ordinary], rtol=1e-5, atol=2e-3)


# --- the independent statements ------------------------------------------------------------------------------------


def slopes(statement, h, covector, step=1e-6):
    """The derivative of Σ covector·statement(h) by h, by central differences."""
    moved = [[statement(h + sign * step * unit) for sign in (1, -1)] for unit in np.eye(h.shape[1])]
    return np.stack([((up - down) / (2 * step) * covector).sum(axis=1) for up, down in moved], axis=1)


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.name}{row.arguments or ''}" for row in ROWS])
def test_agrees_with_its_independent_statement(row):
    def theirs(h, covector):
        with np.errstate(all="ignore"):
            return row.statement(h, **row.arguments), slopes(lambda h: row.statement(h, **row.arguments), h, covector)

    check(NAMES[row.name].using(**row.arguments), theirs, np.clip(H, *row.among))


def test_every_activation_has_an_independent_statement():
    """Each, and each again with every one of its arguments."""
    missing = NAMES.keys() - {row.name for row in ROWS}
    assert not missing, f"state these in tests/tables/activation_rows.py: {sorted(missing)}"
    for name, function in NAMES.items():
        given = {argument for row in ROWS if row.name == name for argument in row.arguments}
        assert given == set(function.argument_names()), f"{name} has to be stated with {function.argument_names()}"


# --- PyTorch -------------------------------------------------------------------------------------------------------


def torch_functions(torch):
    F = torch.nn.functional
    names = (
        "sigmoid tanh relu relu6 silu mish softplus softsign hardtanh celu elu selu leaky_relu logsigmoid tanhshrink"
    )

    def torch_gelu(h, approximate=False):  # F.gelu loses its digits in the tail
        return F.gelu(h, approximate="tanh") if approximate else h * torch.special.erfc(-h * 0.5**0.5) / 2

    table = {name: getattr(F, name) for name in names.split()}
    table |= {
        "linear": lambda h: h,
        "hard_tanh": F.hardtanh,
        "log_sigmoid": F.logsigmoid,
        "tanh_shrink": F.tanhshrink,
        "hard_sigmoid": F.hardsigmoid,
        "hard_silu": F.hardswish,
        "softplus": lambda h: -F.logsigmoid(-h),  # PyTorch's own is linear from 20 on
        "leaky_relu": lambda h, negative_slope=0.2: F.leaky_relu(h, negative_slope),
        "hard_shrink": lambda h, threshold=0.5: F.hardshrink(h, threshold),
        "soft_shrink": lambda h, threshold=0.5: F.softshrink(h, threshold),
        "threshold": lambda h, threshold, default_value: F.threshold(h, threshold, default_value),
        "gelu": torch_gelu,
        "exponential": torch.exp,
        "gaussian": lambda h: torch.exp(-h * h),
        "sine": torch.sin,
        "arctan": torch.atan,
        "golu": lambda h: h * torch.exp(-torch.exp(-h)),
        "bent_identity": lambda h: h + (torch.sqrt(h * h + 1) - 1) / 2,
        "squareplus": lambda h, b=4.0: (h + torch.sqrt(h * h + b)) / 2,
        "softmax": lambda h: torch.softmax(h, dim=-1),
        "log_softmax": lambda h: torch.log_softmax(h, dim=-1),
        "glu": lambda h: F.glu(h, dim=-1),
    }  # fmt: skip
    return table


@every_case
def test_agrees_with_pytorch(name, arguments):
    torch = pytest.importorskip("torch")
    table = torch_functions(torch)
    if name not in table or (name == "relu" and arguments):
        pytest.skip("PyTorch doesn't have it")

    def theirs(h, covector):
        h = torch.tensor(h, requires_grad=True)
        value = table[name](h, **arguments)
        (value * torch.tensor(covector)).sum().backward()
        return value.detach().numpy(), h.grad.numpy()

    h = np.clip(H, -60, 60 if name != "exponential" else 3) if name in ("exponential", "squareplus", "golu") else H
    h = np.clip(h, -4, 60) if name == "gelu" else h  # PyTorch's loses its digits in the tail
    check(NAMES[name].using(**arguments), theirs, h)


# --- Keras ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keras_on_jax():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    pytest.importorskip("jax")
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "jax":
        pytest.skip("Keras runs on another backend here")
    return keras


@every_case
def test_agrees_with_keras(name, arguments, keras_on_jax):
    import jax

    function = getattr(keras_on_jax.activations, name, None)
    if function is None:
        pytest.skip("Keras doesn't have it")
    if name == "sparsemax":
        pytest.skip("Keras's rows don't sum to 1 (3.15): see the test of its definition")

    def theirs(h, covector):
        with (jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64)(True):
            f = lambda h: function(h, **arguments)  # noqa: E731
            h = jax.numpy.asarray(h)
            value, pull = jax.vjp(f, h)
            return np.asarray(value), np.asarray(pull(jax.numpy.asarray(covector, value.dtype))[0])

    h = np.clip(H, -60, 60 if name != "exponential" else 3) if name in ("exponential", "squareplus") else H
    h = np.clip(h, -4, 60) if name == "gelu" else h  # JAX's loses its digits in the tail
    check(NAMES[name].using(**arguments), theirs, h)


# --- what has no peer ----------------------------------------------------------------------------------------------


def test_sparsemax_is_the_nearest_point_among_the_probabilities():
    """a = max(h − τ, 0) with one τ for a row, and Σ a = 1: the conditions that characterise the projection."""
    a, dh, covector = ours("sparsemax", H / 9)
    np.testing.assert_allclose(a.sum(axis=1), 1, rtol=1e-6)
    for row, h, da, d in zip(a, H / 9, covector, dh, strict=True):
        inside = row > 0
        tau = (h - row)[inside]
        np.testing.assert_allclose(tau, tau[0], rtol=1e-5, atol=1e-6)
        assert (h[~inside] <= tau[0] + 1e-6).all()
        want = np.where(inside, da - da[inside].mean(), 0)
        np.testing.assert_allclose(d, want, atol=1e-5 if abs(h).max() < 100 else 2e-3)


# ∞·0 or ∞ − ∞ somewhere: what infinity gives isn't promised, as in Keras.
NOT_PROMISED = {
    *("gelu", "silu", "mish", "golu", "softsign", "hard_silu", "tanh_shrink", "squareplus"),
    *("bent_identity", "sine"),
}


@every_case
def test_nan_stays_nan_and_infinity_gives_what_the_reference_gives(name, arguments):
    function = NAMES[name].using(**arguments)
    h = np.array([[np.nan, 0.5, -0.5, 2.0], [np.inf, 0.5, -0.5, 2.0], [-np.inf, 0.5, -0.5, 2.0]], np.float32)
    model = Sequential([Input((4,)), Activation(function)])
    model.build()
    with np.errstate(all="ignore"):
        a, want = [], []
        for row in h:
            program_value = model_value(model, row[None])
            a.append(program_value)
            want.append(function(row[None].astype(np.float64)))
    a, want = np.concatenate(a), np.concatenate(want)
    assert np.isnan(a[0, 0])
    if function.rowwise or name in NOT_PROMISED:
        return
    np.testing.assert_allclose(a[1:], want[1:], rtol=1e-5)


def model_value(model, x):
    """The layer's kernel on values that `predict` would refuse at the boundary."""
    from thalweg.engine.native.compiler.compile import callable_of
    from thalweg.engine.native.kernels.table import kernel_of
    from thalweg.engine.native.layouts.state import Reals, State
    from thalweg.engine.native.runtime.table_rows import row
    from thalweg.program.builder import Builder
    from thalweg.program.ir.instruction import Buffer

    program = Builder(training=False)
    result = model.layers[-1].forward(program, Buffer("h", x.shape[1:]))
    if not program.instructions:
        return x
    i = program.instructions[0]
    h, a = np.ascontiguousarray(x), np.zeros((len(x), *result.shape), np.float32)
    places = SimpleNamespace(address={i.h: h.ctypes.data, i.a: a.ctypes.data}.get)
    words, reals = row(i, places)
    o, c = np.array(words, np.int64), np.array([*reals, 0.0])
    s, f = np.zeros(State.size, np.int64), np.zeros(Reals.size)
    s[State.rows] = len(x)
    callable_of(kernel_of(i))(*(v.ctypes.data for v in (o, c, s, f)))
    return a


# --- arguments, descriptions, facts --------------------------------------------------------------------------------


@every_case
def test_comes_back_from_its_description(name, arguments):
    function = NAMES[name].using(**arguments)
    again = activations.get(activations.serialize(function))
    assert again == function
    np.testing.assert_array_equal(again(H % 7), function(H % 7))


def misnamed(text):
    """The statements of a catalogue whose variable has another name than the function, or one that is taken."""
    calls = [node for node in ast.parse(text).body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)]
    names = [(node.targets[0].id, node.value.args[0].value) for node in calls]
    return [pair for pair in names if pair[0] != pair[1]] + [pair for pair, n in Counter(names).items() if n > 1]


def test_every_name_is_given_once():
    found = misnamed(Path(catalogue.__file__).read_text(encoding="utf-8"))
    assert not found, f"name the variable as the function, and no two alike: {found}"
    assert misnamed('a = f("a")\nb = f("a")\na = f("a")') == [("b", "a"), ("a", "a")]


@pytest.mark.parametrize("name", NAMES)
def test_the_facts_are_all_there(name):
    f = NAMES[name]
    assert all((f.formula, f.derivative, f.range, f.use))
    assert "{" not in f.formula + f.derivative
    assert getattr(activations, name) is f


def test_arguments_are_checked():
    with pytest.raises(ArgumentError, match="did you mean 'alpha'"):
        activations.elu.using(alhpa=1)
    with pytest.raises(ArgumentError, match="elu's alpha has to be a number in"):
        activations.elu.using(alpha=-1)
    with pytest.raises(ArgumentError, match="tanh takes no arguments, got alpha"):
        activations.tanh.using(alpha=1)
    with pytest.raises(ArgumentError, match="threshold has no defaults"):
        Dense(3, "threshold")
    with pytest.raises(ArgumentError, match="threshold needs a value for default_value"):
        activations.threshold.using(threshold=1)
    with pytest.raises(ArgumentError, match="axis can only be -1"):
        activations.softmax(H, axis=0)
    with pytest.raises(ShapeError, match="glu halves the last axis"):
        Sequential([Input((3,)), Activation("glu")]).build()
    assert activations.get("swish") is activations.silu
    assert activations.relu.using(max_value=None) == activations.relu


CALLED = {
    "relu": lambda x: activations.relu(x),
    "its argument": lambda x: activations.relu(x, max_value=0.5),
    "using": lambda x: activations.elu.using(alpha=0.5)(x),
    "softmax": lambda x: activations.softmax(x, axis=-1),
    "axis by number": lambda x: activations.softmax(x, axis=1),
    "linear": lambda x: activations.linear(x),
}


@pytest.mark.parametrize("call", CALLED.values(), ids=CALLED)
def test_called_on_a_tensor_it_is_part_of_the_network(call, tmp_path):
    x = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    inputs = Input((4,))
    model = Model(inputs, Dense(2, name="out")(call(inputs)), seed=0)
    front = Model(inputs, call(inputs))
    np.testing.assert_allclose(front.predict(x), call(x), atol=1e-6)
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(load_model(tmp_path / "m.safetensors").predict(x), model.predict(x))


class Activated(Layer):
    """A weight and a tensor, each through an activation."""

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="w")

    def call(self, x):
        return activations.gelu(x) * activations.tanh(self.w)


def test_called_in_a_layer_of_ones_own():
    x = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    layer = Activated()
    model = Sequential([Input((4,)), layer], seed=0)
    model.compile(SGD(0.1), "mse")
    np.testing.assert_allclose(model.predict(x), activations.gelu(x) * np.tanh(1.0), atol=1e-6)
    model.fit(x, 0 * x, verbose=0)
    assert np.all(layer.get_weights()[0] < 1)


def test_an_activation_over_an_axis_of_weights_alone_raises():
    class Wrong(Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(4,), name="w")

        def call(self, x):
            return x * activations.sparsemax(self.w)

    with pytest.raises(ArgumentError, match=r"activations\.sparsemax works on values of each row"):
        Wrong()(Input((4,)))
