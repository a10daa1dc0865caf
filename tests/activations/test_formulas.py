"""Formulas: what they mean, what is refused and where, and that they train like the built-in functions."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg import Sequential, activations, initializers, load_model, losses
from thalweg.activations import formula
from thalweg.engine.native.kernels.generated.formulas import kernel_of_equation
from thalweg.errors import ArgumentError, FormulaError
from thalweg.layers import (
    Activation,
    Conv1D,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    Input,
    Residual,
    SeparableConv2D,
)
from thalweg.program.formula.language import evaluate
from thalweg.program.formula.parsing import formula as read
from thalweg.program.instructions.activations import Elementwise, ElementwiseAdjoint
from thalweg.program.ir.instruction import Buffer

X = np.linspace(-4, 4, 81)
LARGE = np.array([-1e4, -50, 50, 1e4])

# a formula → the built-in function it is
SAME = {
    "x": "linear",
    "max(x, 0)": "relu",
    "relu(x)": "relu",
    "x if x > 0 else 0.2 * x": "leaky_relu",
    "min(max(x, 0), 6)": "relu6",
    "tanh(x)": "tanh",
    "sinh(x) / cosh(x)": "tanh",
    "1 / (1 + exp(-x))": "sigmoid",
    "log(1 + exp(x))": "softplus",
    "-log(1 + exp(-x))": "log_sigmoid",
    "x * sigmoid(x)": "silu",
    "x * tanh(softplus(x))": "mish",
    "where(x > 0, x, exp(x) - 1)": "elu",
    "x / (1 + abs(x))": "softsign",
    "x * (1 + erf(x / sqrt(2))) / 2": "gelu",
    "exp(-x**2)": "gaussian",
    "atan(x)": "arctan",
    "0 if x <= -1 else (x + 1)**2 / 4 if x < 1 else x": "sparse_plus",
    "x if not (-0.5 <= x <= 0.5) else 0 * x": "hard_shrink",
    "x if x > 0.5 or x < -0.5 else 0": "hard_shrink",
}


def models(function, **options):
    made = [
        Sequential([Input((3,)), Dense(8, f), Dense(1)], seed=1, **options)
        for f in (function, activations.get(SAME[function]))
    ]
    for model in made:
        model.compile("sgd", "mse")
    return made


@pytest.mark.parametrize("text", [t for t in SAME if t != "x"])
def test_a_formula_is_the_built_in_function(text):
    np.testing.assert_allclose(activations.get(text)(X), activations.get(SAME[text])(X), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("text", ["max(x, 0)", "sinh(x) / cosh(x)", "x if not (-0.5 <= x <= 0.5) else 0 * x"])
def test_a_formula_trains_as_the_built_in_function_does(text):
    x = np.random.default_rng(0).normal(size=(64, 3)) * 3
    own, theirs = models(text)
    for model in (own, theirs):
        model.fit(x, x.sum(axis=1), epochs=5, verbose=0)
    np.testing.assert_allclose(own.predict(x), theirs.predict(x), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("text", ["log(1 + exp(x))", "log(cosh(x))", "1/(1 + exp(-x))", "log(sigmoid(x))", "tanh(x)"])
def test_known_forms_neither_overflow_nor_lose_digits(text):
    values = formula(text)(LARGE)
    want = {
        "log(1 + exp(x))": np.maximum(LARGE, 0),
        "log(cosh(x))": abs(LARGE) - np.log(2),
        "1/(1 + exp(-x))": LARGE > 0,
        "log(sigmoid(x))": np.minimum(LARGE, 0),
        "tanh(x)": np.sign(LARGE),
    }[text]
    np.testing.assert_allclose(values, want, atol=1e-20)


# text → (part of the message, where the caret begins, how long it is)
WRONG = {
    "__import__('os')": ("unknown function in the formula '__import__'", 0, 10),
    "x.__class__": ("can't contain this", 0, 11),
    "(lambda: x)()": ("can't contain this", 0, 13),
    "[x for x in x]": ("can't contain this", 0, 14),
    "x + {x}": ("can't contain this", 4, 3),
    "x[0]": ("can't contain this", 0, 4),
    "x if x else 1": ("a condition is a comparison", 5, 1),
    "x * (x > 0)": ("a comparison can only be the condition", 5, 5),
    "where(x == 0, 1, x)": ("compares with <, <=, > or >=", 6, 6),
    "x +": ("syntax error", 3, 1),
    "exp(x": ("syntax error", 3, 1),
    "2 * y": ("unknown name 'y'", 4, 1),
    "x + rleu(x)": ("did you mean 'relu'", 4, 4),
    "tanh": ("is a function: write tanh(…)", 0, 4),
    "tanh(x, x)": ("takes 1 argument, got 2", 0, 10),
    "tanh(x=x)": ("can't contain this", 0, 9),
    "x^2": ("a power is written **", 0, 3),
    "x // 2": ("+ - * / and **", 0, 6),
    "x**1000": ("can't be larger than 64", 0, 7),
    "x * 9**9**9": ("can't be larger than 64", 4, 7),
    "(x**60)**60": ("can't be larger than 64", 0, 11),
    "x + 1/0": ("divides by 0", 4, 3),
    "x + log(0)": ("no finite real value", 4, 6),
    "x * sqrt(-2)": ("no finite real value", 4, 8),
    "x * 1e40": ("between 1e-30 and 1e30", 4, 4),
    "x + 1j": ("can't contain this", 4, 2),
    "x + 'a'": ("can't contain this", 4, 3),
    "σ(x)": ("can't contain the character", 0, 1),
    "-" * 60 + "x": ("nested more than 40", 41, 20),
}


@pytest.mark.parametrize("text", WRONG)
def test_what_a_formula_cant_hold_is_refused_and_pointed_at(text):
    message, start, length = WRONG[text]
    with pytest.raises(FormulaError) as error:
        formula(text)
    said, shown, carets = str(error.value).split("\n")
    assert message in said
    assert shown == f"    {text}"
    assert carets == "    " + " " * start + "^" * length


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("2 * pi", {}, "doesn't depend on x"),
        ("where(x > 0, 1, 0)", {}, "derivative with respect to x is 0 everywhere"),
        ("sign(x)", {}, "derivative with respect to x is 0 everywhere"),
        ("sqrt(-1 - x**2)", {}, "no finite real value|not a finite number anywhere"),
        ("log(-1 - x**2)", {}, "not a finite number anywhere"),
        ("x", {"constants": {"k": 2}}, "doesn't use its constant 'k'"),
        ("x", {"parameters": {"a": 0.25}}, "doesn't use its parameter 'a'"),
        ("x * e", {"constants": {"e": 2}}, "'e' has a meaning of its own"),
        ("x * tanh", {"constants": {"tanh": 2}}, "'tanh' has a meaning of its own"),
        ("x * _a", {"constants": {"_a": 2}}, "'_a' has a meaning of its own"),
        ("x * k", {"constants": {"k": "much"}}, "the constant k has to be a number"),
        ("x * k", {"constants": {"k": 1e40}}, "between 1e-30 and 1e30"),
        ("x" + " + x" * 200, {}, "at most 500 characters"),
        ("", {}, "empty"),
    ],
)
def test_a_formula_without_sense_is_refused(text, options, message):
    with pytest.raises(ArgumentError, match=message):
        formula(text, **options)


NASTY = ["__import__", "('os')", ".system", "lambda", "eval", "exec", "open(", "[", "]", "{", "}", "'", '"', ":=", "\\"]
TOKENS = ["x", "a", "1", "2.5", "1e9", "+", "-", "*", "/", "**", "(", ")", ",", "<", ">=", " if ", " else ", " and ",
          "exp", "tanh", "max", "where", "log", "sqrt", "abs", "(x)", "(x, 1)", " ", ".", "_", "not ",
          *NASTY]  # fmt: skip
WORDS = re.compile(r"[A-Za-z_][\w.]*")
ALLOWED = re.compile(
    r"(F32|float|t\d+|x|j|k|parameters|p\d+|not|select|abs|np\.sqrt|e|maths\.\w+|return|def|function|inlined|formula_\w+)$"
)


@settings(max_examples=400, deadline=None, database=None, derandomize=True)
@given(st.one_of(st.lists(st.sampled_from(TOKENS), max_size=14).map("".join), st.text(max_size=30)))
def test_whatever_is_written_is_a_formula_or_an_error_and_never_code(text):
    try:
        f = read(text, ("x",), (), ())
    except ArgumentError:
        return
    i = Elementwise(Buffer("h", (1,)), Buffer("a", (1,)), f.equation)
    for instruction in (i, ElementwiseAdjoint(i, i.source, Buffer("da", (1,)), Buffer("dh", (1,)))):
        source = kernel_of_equation(instruction).text
        body = source[source.index("@inlined") :].split("\n\n\n")[0]
        assert all(ALLOWED.match(word) for word in WORDS.findall(body)), body


def test_constants_are_numbers_of_the_formula():
    gelu = formula("x * sigmoid(k * x)", constants={"k": 1.702})
    np.testing.assert_array_equal(gelu(X), formula("x * sigmoid(1.702 * x)")(X))
    again = activations.get(activations.serialize(gelu))
    assert again == gelu
    np.testing.assert_array_equal(again(X), gelu(X))


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_parameters_are_trained_saved_and_loaded(engine, tmp_path):
    def make():
        own = Activation("max(x, 0) + a * min(x, 0)", parameters={"a": 0.25})
        model = Sequential([Input((3,)), Dense(4), own, Dense(1)], seed=2, engine=engine)
        model.compile("adam", "mse")
        return model

    model = make()
    x = np.random.default_rng(0).normal(size=(64, 3))
    model.fit(x, abs(x).sum(axis=1), epochs=10, verbose=0)
    (a,) = model.layers[1].get_weights()
    assert a.shape == (4,)
    assert (abs(a - 0.25) > 1e-3).all()
    assert "activation/a" in dict(model.named_parameters())
    model.save(tmp_path / "own.thalweg")
    again = load_model(tmp_path / "own.thalweg")
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert again.layers[1].get_config() == model.layers[1].get_config()


def test_both_engines_agree_on_parameters():
    x = np.random.default_rng(0).normal(size=(50, 2, 3))
    y = abs(x).reshape(50, 6)
    results = []
    for options in ({"engine": "native"}, {"engine": "reference", "dtype": "float64"}):
        own = Activation("b * softplus(a * x)", parameters={"a": 1.0, "b": 0.5})
        model = Sequential([Input((2, 3)), Dense(3), own], seed=2, **options)
        model.compile("sgd", "mse")
        model.fit(x, y.reshape(50, 2, 3), epochs=20, batch_size=7, verbose=0)
        results.append(model.get_weights())
    for native, reference in zip(*results, strict=True):
        np.testing.assert_allclose(native, reference, rtol=1e-4, atol=1e-5)


def test_the_listing_shows_the_formula_and_its_derivative():
    model = Sequential([Input((3,)), Dense(4, "x * sigmoid(1.702 * x)"), Dense(1, "tanh(x)")])
    model.compile("sgd", "mse")
    text = str(model.program())
    assert "h1·σ(1.702·h1)" in text
    assert "da1·σ(1.702·h1)·(1 + 1.702·h1·(1 − σ(1.702·h1)))" in text
    assert "·(1 − y_pred²)" in text


LEAKY = {"text": "max(x, 0) + a * min(x, 0)", "parameters": {"a": 0.25}}


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_any_layer_with_an_activation_trains_its_parameters(engine, tmp_path):
    """Dense with the formula as its activation is Dense and then Activation."""
    x = np.random.default_rng(0).normal(size=(64, 3))
    results = []
    leaky = formula(**LEAKY)
    for hidden in ([Dense(4, leaky, name="d")], [Dense(4, name="d"), Activation(leaky, name="f")]):
        model = Sequential([Input((3,)), *hidden, Dense(1, name="o")], seed=2, engine=engine)
        model.compile("adam", "mse")
        model.fit(x, abs(x).sum(axis=1), epochs=10, verbose=0)
        results.append({path.rpartition("/")[2] + path[0]: np.array(p.array) for path, p in model.named_parameters()})
        model.save(tmp_path / "own.thalweg")
        again = load_model(tmp_path / "own.thalweg")
        np.testing.assert_array_equal(again.predict(x), model.predict(x))
    inside, apart = results
    np.testing.assert_array_equal(inside.pop("ad"), apart.pop("af"))
    assert all(np.array_equal(inside[key], apart[key]) for key in inside)
    assert inside.keys() == apart.keys()


@pytest.mark.parametrize(
    ("layer", "shape", "units"),
    [
        (lambda f: Conv2D(5, 3, activation=f), (6, 6, 2), 5),
        (lambda f: Conv1D(5, 3, activation=f), (6, 2), 5),
        (lambda f: DepthwiseConv2D(3, depth_multiplier=2, activation=f), (6, 6, 2), 4),
        (lambda f: SeparableConv2D(5, 3, activation=f), (6, 6, 2), 5),
        (lambda f: Residual([Dense(3, f)]), (3,), 3),
    ],
)
def test_convolutions_have_a_parameter_for_each_channel(layer, shape, units):
    one = formula(**LEAKY)
    x = np.random.default_rng(0).normal(size=(8, *shape))
    results = []
    for engine in ("native", "reference"):
        model = Sequential([Input(shape), layer(one), Flatten(), Dense(1)], seed=2, engine=engine)
        model.compile("sgd", "mse")
        model.fit(x, x.reshape(8, -1).sum(axis=1), epochs=3, verbose=0)
        (a,) = (p.array for path, p in model.named_parameters() if path.endswith("/a"))
        assert a.shape == (units,)
        assert (a != 0.25).all()
        results.append(a)
    np.testing.assert_allclose(*results, rtol=1e-4)


def test_parameters_have_names_of_their_own():
    own = formula("b * x", parameters={"b": 1.0})
    with pytest.raises(ArgumentError, match="already has weights called b: choose another name in the formula"):
        Sequential([Input((3,)), Dense(2, own)]).build()
    assert Sequential([Input((3,)), Dense(2, own, use_bias=False)]).count_params() == 8
    with pytest.raises(ArgumentError, match="belong to an activation that is given as a formula"):
        Activation("relu", parameters={"a": 1})
    with pytest.raises(FormulaError, match="unknown name 'a'"):
        Dense(2, "max(x, 0) + a * min(x, 0)")


def test_a_file_of_a_layer_with_its_parameters_apart_is_still_read():
    """The description that earlier versions wrote."""
    start = initializers.serialize(initializers.Constant(2.0))
    old = Activation("a * x", "old", constants={}, parameters={"a": start})
    assert Sequential([old]).predict([[1.0, 3.0]]).tolist() == [[2.0, 6.0]]


# --- better forms ----------------------------------------------------------------------------------------------------

FORMS = {
    "x if x > 0 else exp(x) - 1": ("expm1", "where(a > 0, 1, 1 + a)"),
    "2 * x if x >= 0 else 3 * (exp(x) - 1)": ("expm1", "where(a >= 0, 2, 3 + a)"),
    "where(x < 0, tanh(x), x)": ("tanh", "where(a < 0, 1 - a**2, 1)"),
    "max(x, 0)": ("max", "where(a > 0, 1, 0)"),
    "x * (1 + erf(x / sqrt(2))) / 2": ("h*normal(h)", "normal(h) + h*normal_density(h)"),
    "x * (0.5 - 0.5 * erf(-x / sqrt(2)))": ("h*normal(h)", "normal(h) + h*normal_density(h)"),
    "x * tanh(log(1 + exp(x)))": ("h*mish_gate(h)", "mish_gate(h) + h*mish_gate_slope(h)"),
    "1 + tanh(x / 2)": ("2*sigmoid(h)", "a*(1 - 0.5*a)"),
    "max(x, 0) + min(exp(x) - 1, 0)": ("expm1", "where(h > 0, 1, 0) + where(h < 0, exp(h), 0)"),
}


@pytest.mark.parametrize("text", FORMS)
def test_better_forms(text):
    f = formula(text)
    value, slope = FORMS[text]
    assert value in f.of.equation.value
    assert f.of.equation.slope == slope
    x, step = X + 0.003, 1e-6
    central = (f(x + step) - f(x - step)) / (2 * step)
    np.testing.assert_allclose(slope_at(f, x), central, rtol=1e-6, atol=1e-8)
    assert np.isfinite(f(X)).all()


def slope_at(f, x):
    return np.broadcast_to(evaluate(f.of.equation.slope, {"h": x, "a": f(x)}, np), x.shape)


@pytest.mark.parametrize("text", ["where(x > 0, x, -x)", "where(x > 0, x, x - 1)", "max(0, x)", "x if x >= 0 else 0"])
def test_a_slope_is_not_taken_from_a_value_that_does_not_show_the_piece(text):
    at = np.array([-2.0, -1.0, 0.0, 0.5])
    want = {"where(x > 0, x, -x)": [-1, -1, -1, 1], "where(x > 0, x, x - 1)": [1, 1, 1, 1]}.get(text, [0, 0, 1, 1])
    np.testing.assert_array_equal(slope_at(formula(text), at), want)


# --- losses --------------------------------------------------------------------------------------------------------


def fitted(loss, engine="native", dtype="float32"):
    x = np.random.default_rng(0).normal(size=(60, 3))
    y = np.stack([x.sum(axis=1), x[:, 0]], axis=1)
    model = Sequential([Input((3,)), Dense(5, "tanh"), Dense(2)], seed=3, engine=engine, dtype=dtype)
    model.compile("sgd", loss)
    history = model.fit(x, y, epochs=4, batch_size=16, verbose=0, sample_weight=np.arange(60) % 3)
    return model, history.history["loss"], model.evaluate(x, y, verbose=0)


@pytest.mark.parametrize(
    ("text", "built_in"),
    [("(y_pred - y_true)**2", "mse"), ("log(cosh(y_pred - y_true))", "log_cosh"), ("abs(y_pred - y_true)", "mae")],
)
def test_a_loss_formula_trains_as_the_built_in_loss_does(text, built_in):
    own, theirs = fitted(text), fitted(built_in)
    np.testing.assert_allclose(own[1], theirs[1], rtol=1e-4)
    np.testing.assert_allclose(own[2], theirs[2], rtol=1e-4)
    for ours, other in zip(own[0].get_weights(), theirs[0].get_weights(), strict=True):
        np.testing.assert_allclose(ours, other, rtol=1e-4, atol=1e-5)


def test_a_loss_formula_has_constants_is_listed_and_comes_back(tmp_path):
    loss = losses.FormulaLoss("k * (1 - exp(-(y_pred - y_true)**2))", constants={"k": 0.5}, reduction="sum")
    assert losses.get(losses.serialize(loss)) == loss
    assert loss([[0.0], [1.0]], [[1.0], [1.0]]) == pytest.approx(0.5 * (1 - np.exp(-1)))
    native, _, score = fitted(loss)
    _, _, want = fitted(loss, engine="reference", dtype="float64")
    assert score == pytest.approx(want, rel=1e-4)
    assert "e^(−(y_pred − y)²)" in str(native.program())
    native.save(tmp_path / "own.thalweg")
    assert load_model(tmp_path / "own.thalweg").loss == loss


def test_a_loss_formula_without_sense_is_refused():
    for text, message in [
        ("y_true**2 + 1", "derivative with respect to y_pred is 0 everywhere"),
        ("(y_pred - y)**2", "unknown name 'y'"),
        ("__import__('os')", "unknown function"),
    ]:
        with pytest.raises(FormulaError, match=message):
            losses.get(text)
