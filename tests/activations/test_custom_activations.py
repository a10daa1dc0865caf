"""Activations that are pairs of Python functions: what they compute, what is refused, how they are saved."""

import math
from math import exp as e_to_the

import numpy as np
import pytest

from thalweg import Sequential, activations, load_model
from thalweg.activations import custom
from thalweg.errors import ArgumentError, MissingPackageError, ModelFileError
from thalweg.layers import Activation, Dense, Input, Residual
from thalweg.support import extras

LIMIT = 3.0
X = np.linspace(-4, 4, 81)


def logistic(h):
    """Comments and docstrings are no part of what is compiled."""
    if h > 0:
        return 1 / (1 + e_to_the(-h))
    e = math.exp(h)  # no overflow
    return e / (1 + e)


def logistic_slope(h: float) -> float:
    e = np.exp(-abs(h))
    return e / (1 + e) ** 2


def model(activation, **options):
    made = Sequential([Input((3,)), Residual([Dense(3, activation)]), Dense(1)], seed=1, **options)
    made.compile("adam", "mse")
    return made


def test_it_trains_as_the_built_in_function_and_as_the_reference():
    own = custom("logistic", logistic, logistic_slope)
    np.testing.assert_allclose(own(X), activations.sigmoid(X), rtol=1e-14)
    x = np.random.default_rng(0).normal(size=(64, 3)) * 3
    results = []
    for made in (model(own), model("sigmoid"), model(own, engine="reference", dtype="float64")):
        made.fit(x, x.sum(axis=1), epochs=5, verbose=0)
        results.append(made.predict(x))
    np.testing.assert_allclose(results[0], results[1], rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(results[0], results[2], rtol=2e-4, atol=2e-5)
    assert "= logistic(h1)" in str(made.program())
    assert "logistic′(h1)" in str(made.program())


def test_two_lambdas_on_a_line_are_told_apart():
    cube = custom("cube", lambda h: h**3, lambda h: 3 * h * h)
    assert (cube.formula, cube.derivative) == ("h ** 3", "3 * h * h")
    x = np.array([[-2.0, 0.5, 3.0]])
    np.testing.assert_allclose(
        Sequential([Input((3,)), Dense(3, cube, kernel_initializer="identity")]).predict(x), x**3
    )
    line, flat = custom("line", lambda h: 2.0 * h, lambda h: 2.0), custom("flat", lambda h: 1.0, lambda h: 0.0)
    assert [(f.formula, f.derivative) for f in (line, flat)] == [("2.0 * h", "2.0"), ("1.0", "0.0")]
    same = custom("cube", lambda h: h**3, lambda h: 3 * h * h)  # old versions of pytest move what stands in an assert
    other = custom("cube", lambda h: h**3 + h, lambda h: 3 * h * h + 1)
    assert cube == same
    assert cube != other


def test_a_wrong_derivative_is_found_and_a_kink_is_allowed():
    with pytest.raises(ArgumentError, match=r"wrong: at -4 it is 12, the value's slope is 48"):
        custom("cube", lambda h: h**3, lambda h: 3 * abs(h))
    for side in (lambda h: float(h > 0), lambda h: float(h >= 0)):
        custom("ramp", lambda h: max(h, 0.0), side)
    with pytest.raises(ArgumentError, match="at 0 it is 2"):
        custom("ramp", lambda h: max(h, 0.0), lambda h: 2.0 if h == 0 else float(h > 0))
    with pytest.raises(ArgumentError, match="at 1 it is 0, the value's slope is 1"):  # at one round point alone
        custom("ramp", lambda h: max(h, 0.0), lambda h: float(h > 0 and h != 1))
    saw = lambda h: (h * 1e5) % 1.0 / 1e5  # noqa: E731 — a kink wherever one looks
    with pytest.raises(ArgumentError, match="derivative of saw is wrong"):
        custom("saw", saw, lambda h: 0.5 + 0 * h)


def made_inside(limit):
    return lambda h: min(h, limit)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (made_inside(3), r"can't use variables of the enclosing function \(limit\)"),
        (lambda h: min(h, LIMIT), "uses LIMIT, but may use only math, numpy and numbers"),
        (lambda h: logistic(h), "uses logistic, but may use only"),
        (lambda h, k: h * k, "has to take one argument, it takes h, k"),
        (lambda h=1.0: h, "without a default"),
        (lambda h: None, "can't be computed"),
        (lambda h: math.log(-1 - h * h), "not a finite number anywhere"),
        (np.tanh, "has to be a Python function"),
        (eval("lambda h: h"), "no source that can be read"),
    ],
)
def test_what_cant_be_compiled_is_refused(value, message):
    with pytest.raises(ArgumentError, match=message):
        custom("own", value, lambda h: 1.0)


@pytest.mark.parametrize("name", ["relu", "swish", "two words", "", 3])
def test_it_needs_a_name_of_its_own(name):
    with pytest.raises(ArgumentError, match="has a name of its own"):
        custom(name, logistic, logistic_slope)


def test_what_cant_be_compiled_is_said_when_the_model_is():
    odd = custom("odd", lambda h: np.format_float_positional(h) and h, lambda h: 1.0)
    said = r"value of the activation odd can't be compiled: \S+: format_float_positional can't be called"
    with pytest.raises(ArgumentError, match=said):
        Sequential([Input((2,)), Dense(2, odd)]).predict(np.ones((1, 2)))


def test_without_llvmlite_it_works_in_the_reference_engine_and_says_what_the_native_one_needs(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    own, x = custom("own", lambda h: 2 * h, lambda h: 2.0), np.ones((1, 2))
    reference = Sequential([Input((2,)), Activation(own)], engine="reference")
    assert reference.predict(x).tolist() == [[2.0, 2.0]]
    said = r"^the activation own, a Python function, needs llvmlite: pip install 'thalweg\[jit\]'$"
    with pytest.raises(MissingPackageError, match=said):
        Sequential([Input((2,)), Activation(own)]).predict(x)


def test_a_file_holds_its_name_and_loading_needs_the_functions(tmp_path):
    own = custom("logistic", logistic, logistic_slope)
    before = model(own)
    before.save(tmp_path / "own.thalweg")
    x = np.ones((2, 3))
    again = load_model(tmp_path / "own.thalweg", custom_objects={"logistic": own})
    np.testing.assert_array_equal(again.predict(x), before.predict(x))
    with pytest.raises(ModelFileError, match=r"'logistic' is a pair of Python functions.*give it in custom_objects$"):
        load_model(tmp_path / "own.thalweg")


def listed(h):
    """A function with a comment, and lines of its own."""
    doubled = h * 2  # twice

    parts = [h, doubled]
    return parts[0]


@pytest.mark.parametrize(
    ("function", "line", "said"),
    [
        (listed, 4, r"List \(\[h, doubled\]\) isn't in the language of kernels: use a tuple"),
        (lambda h: {1: h}[1], 0, r"Dict \({1: h}\) isn't in the language"),
        (lambda h: h + 99999999999999999999 - 1e20 + h, 0, "99999999999999999999 is beyond the whole numbers"),
    ],
)
def test_an_error_names_the_line_of_the_file_that_defines_the_function(function, line, said):
    own = custom("odd", function, lambda h: 1.0)
    line += function.__code__.co_firstlineno
    with pytest.raises(ArgumentError, match=f"test_custom_activations.py:{line}: {said}"):
        Sequential([Input((2,)), Activation(own)]).predict(np.ones((1, 2)))
