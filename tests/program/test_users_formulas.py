"""Users' formulas beside SymPy: values, derivatives, kinks, stable forms, and the limits of what is read."""

import random

import conformance_formulas as conformance
import numpy as np
import pytest
from equation_checks import OF_LOSSES, activations, users_formula

from thalweg.errors import ArgumentError, FormulaError
from thalweg.program.formula import parsing
from thalweg.program.formula.language import evaluate
from thalweg.program.formula.parsing import formula

pytest.importorskip("sympy")
import oracle  # which imports SymPy

AT = [-2.137, -0.731, 0.413, 1.893]


def compared(text, variables=("x",), parameters=(), tolerance=1e-9):
    """At how many points value and derivatives are SymPy's; raises where one isn't."""
    equation = formula(text, variables, (), parameters).equation
    symbols = {name: oracle.symbol(f"p{n}") for n, name in enumerate(parameters)}
    symbols |= {name: oracle.symbol(parsing.SYMBOLS[name]) for name in variables}
    ours = {str(s): s for s in symbols.values()}
    given = oracle.expression(text, symbols)
    value = oracle.expression(equation.value, ours)
    wanted = [given, *(given.diff(symbols[name]) for name in (variables[0], *parameters))]
    slopes = [oracle.expression(slope, ours | {"a": value}) for slope in (equation.slope, *equation.by_parameter)]
    points = [[x, *(0.37 + 0.29 * n for n in range(1, len(symbols)))] for x in AT]
    order = [*map(symbols.get, variables), *map(symbols.get, parameters)]
    count = 0
    for right, found in zip(*(oracle.numbers(e, order, points) for e in (wanted, [value, *slopes])), strict=True):
        if right is not None:
            assert found is not None, f"{text} has a value, {equation} has none"
            for r, f in zip(right, found, strict=True):
                assert abs(f - r) <= tolerance * (1 + abs(r)), f"{text}: {f}, not {r}: {equation}"
            count += 1
    return count


TABLE = [(text, ("x",), ()) for text in conformance.PLAIN]
TABLE += [(text, ("x",), names) for text, names in conformance.WITH_PARAMETERS]
TABLE += [(text, ("y_pred", "y_true"), ()) for text in conformance.LOSSES]
TABLE += [
    (text, ("x",), ("a",))
    for text in ("x**a", "a**x", "(x + a)/(x - a)", "x*sigmoid(a*x)", "log(1 + a**2*exp(x))", "(x**2 + a)**a")
]


@pytest.mark.parametrize(("text", "variables", "names"), TABLE)
def test_the_derivatives_of_formulas_are_sympys(text, variables, names):
    assert compared(text, variables, names)


def catalogue():
    """The equations of activations and losses as users would write them."""
    for name, equation, numbers in activations():
        yield pytest.param(users_formula(equation.value, numbers), ("x",), id=f"{name} {list(numbers.values())}")
    for equation, every in OF_LOSSES.items():
        yield pytest.param(users_formula(equation.value, every[0]), ("y_pred", "y_true"), id=equation.name)


@pytest.mark.parametrize(("text", "variables"), [*catalogue()])
def test_the_derivatives_of_the_catalogue_are_sympys(text, variables, monkeypatch):
    monkeypatch.setattr(parsing, "LONGEST", 10**6)
    assert compared(text, variables)


LEAVES = [*["x"] * 7, "2", "3", "0.5", "1", "1.7"]
ONE = ["exp", "log", "sqrt", "abs", "sin", "cos", "tan", "arctan", "tanh", "sigmoid", "softplus", "erf", "expm1",
       "log1p", "relu", "square", "sinh", "cosh", "sign"]  # fmt: skip
SHAPES = ["({}) + ({})", "({}) - ({})", "({}) * ({})", "({}) / ({})", "max({}, {})", "min({}, {})", "({})*x + ({})",
          "({}) + ({})", "({}) * ({})", "where(x > 0.1, {}, {})", "({}) if ({}) < 0.3 else x"]  # fmt: skip
FORMED = ["1/(1 + exp({}))", "log(1 + exp({}))", "exp({}) - 1", "2 - 2*erf({})", "3 + 3*tanh({})", "log(cosh({}))",
          "log(sigmoid({}))", "tanh(softplus({}))", "({})*sign(x)", "({})**2", "({})**3", "({})**0.5", "({})**-1",
          "({})**1.5", "({})**-2", "({})**x", "2**({})", "-({})", "exp({})*exp(-x)", "(({})**2)**0.5",
          "exp({})*sigmoid(-x)", "(x + 1)/({})", "sinh(x)*cosh(x)**-1*({})", "exp(2*log({}))"]  # fmt: skip


def written(draw, depth):
    """A formula by chance."""
    if depth == 0 or draw.random() < 0.1:
        return draw.choice(LEAVES)
    kind = draw.random()
    if kind < 0.4:
        return draw.choice(SHAPES).format(written(draw, depth - 1), written(draw, depth - 1))
    if kind < 0.7:
        return draw.choice(FORMED).format(written(draw, depth - 1))
    return f"{draw.choice(ONE)}({written(draw, depth - 1)})"


def test_the_derivatives_of_a_thousand_formulas_are_sympys():
    draw, read, tried = random.Random(7), 0, 0
    for _ in range(1000):
        text = written(draw, 3)
        try:
            tried += compared(text, tolerance=1e-8) > 0
            read += 1
        except FormulaError:
            continue
    assert read > 600
    assert tried > 0.9 * read


# --- kinks and stable forms ------------------------------------------------------------------------------------------

KINKS = {  # formula → (x, slope there)
    "max(x, 0)": (0, 0), "max(0, x)": (0, 1), "relu(x)": (0, 0), "min(x, 0)": (0, 0), "min(0, x)": (0, 1),
    "max(2*x, x)": (0, 1), "min(2*x, x)": (0, 1), "max(x, x**2, -x)": (0, -1), "max(3*x, 0) + min(x, 1)": (1, 3),
    "abs(x)": (0, 0), "abs(x) + x": (0, 1), "sqrt(x**2)": (0, 0), "x*sign(x)": (0, 0), "x if x > 0 else 2*x": (0, 2),
    "x if x >= 0 else 2*x": (0, 1), "x if x < 0 else 2*x": (0, 2), "where(x <= 0, tanh(x), 3*x)": (0, 1),
    "where(0 < x, x, exp(x) - 1)": (0, 1), "x if x > 0 else 3*tanh(x)": (0, 3), "x if -1 <= x <= 1 else 3*x": (1, 1),
    "x if not x < 1 else 5*x": (1, 1), "x if x > 1 or x < 1 else 7*x": (1, 7), "x if 0 > x else 0": (0, 0),
}  # fmt: skip


@pytest.mark.parametrize("text", KINKS)
def test_a_slope_at_a_kink_is_that_of_the_piece_that_gives_the_value(text):
    x, slope = KINKS[text]
    equation = formula(text, ("x",)).equation
    values = {"h": np.float64(x)}
    values["a"] = evaluate(equation.value, values, np)
    assert evaluate(equation.slope, values, np) == slope


STABLE = {  # formula → value and slope
    "log(1 + exp(x))": ("softplus(h)", "sigmoid(h)"),
    "log(exp(2*x) + 1)": ("softplus(2*h)", "2*sigmoid(2*h)"),
    "1/(1 + exp(-x))": ("sigmoid(h)", "a*(1 - a)"),
    "3/(2 + 2*exp(x))": ("1.5*sigmoid(-h)", "-a*(1 - 0.6666666666666666*a)"),
    "1/(2 + exp(x))": ("1/(2 + exp(h))", "-exp(h)/(2 + exp(h))**2"),
    "exp(x)/(exp(x) + 1)": ("sigmoid(h)", "a*(1 - a)"),
    "exp(2*x)/(1 + exp(x))**2": ("sigmoid(h)**2", "2*sigmoid(h)**2*(1 - sigmoid(h))"),
    "x/(1 + exp(-x))**2": ("h*sigmoid(h)**2", "sigmoid(h)**2*(1 + 2*h*(1 - sigmoid(h)))"),
    "log(cosh(x))": ("logcosh(h)", "tanh(h)"),
    "log(sigmoid(x))": ("-softplus(-h)", "sigmoid(-h)"),
    "log(exp(x))": ("h", "1"),
    "exp(3*log(x))": ("h**3", "3*h**2"),
    "log(1 + x**2)": ("log1p(h**2)", "2*h/(1 + h**2)"),
    "exp(x) - 1": ("expm1(h)", "1 + a"),
    "2*exp(-x) - 2": ("2*expm1(-h)", "-(2 + a)"),
    "1 + expm1(x)": ("exp(h)", "a"),
    "exp(x)*exp(-x)*x": ("h", "1"),
    "e**x": ("exp(h)", "a"),
    "exp(x)**2": ("exp(2*h)", "2*a"),
    "1 - erf(x)": ("2*normal(-1.4142135623730951*h)", "-2.8284271247461903*normal_density(-1.4142135623730951*h)"),
    "x*(1 + erf(x/sqrt(2)))/2": ("h*normal(h)", "normal(h) + h*normal_density(h)"),
    "1 - tanh(x)": ("2*sigmoid(-2*h)", "-2*a*(1 - 0.5*a)"),
    "3 + 3*tanh(x/2)": ("6*sigmoid(h)", "a*(1 - 0.16666666666666666*a)"),
    "tanh(softplus(x))": ("mish_gate(h)", "mish_gate_slope(h)"),
    "sinh(x)/cosh(x)": ("tanh(h)", "1 - a**2"),
    "x*sign(x)": ("abs(h)", "sign(h)"),
    "sqrt(x**2)": ("abs(h)", "sign(h)"),
    "(4*x**2)**0.5": ("2*abs(h)", "2*sign(h)"),
    "abs(-2*x)": ("2*abs(h)", "2*sign(h)"),
    "abs(3*x) + x*sign(2*x)": ("4*abs(h)", "4*sign(h)"),
    "tanh(-x) - cos(-x)": ("-tanh(h) - cos(h)", "tanh(h)**2 + sin(h) - 1"),
    "x + x": ("2*h", "2"),
    "x*x": ("h**2", "2*h"),
    "x**0.5": ("sqrt(h)", "0.5/a"),
    "x**2.5": ("h**2*sqrt(h)", "2.5*h*sqrt(h)"),
    "x**1.5/(x**2 + 2)**1.5": (
        "h*sqrt(h)/((2 + h**2)*sqrt(2 + h**2))",
        "sqrt(h)*(3 - 1.5*h**2)/((2 + h**2)**2*sqrt(2 + h**2))",
    ),
    "1/x": ("1/h", "-a**2"),
    "sqrt(4*x + 1)": ("sqrt(1 + 4*h)", "2/a"),
    "tan(x)": ("sin(h)/cos(h)", "1 + a**2"),
    "x/(1 + abs(x))": ("h/(1 + abs(h))", "1/(1 + abs(h))**2"),
    "x if 3*tanh(x) > 0 else 0": ("where(h > 0, h, 0)", "where(a > 0, 1, 0)"),
    "x if -tanh(x) > 0 else 0": ("where(-tanh(h) > 0, h, 0)", "where(-tanh(h) > 0, 1, 0)"),
    "x if -x > 0 else 0": ("where(-h > 0, h, 0)", "where(-h > 0, 1, 0)"),
    "3*x if x >= 0 else 2*exp(x) - 2": ("where(h >= 0, 3*h, 2*expm1(h))", "where(a >= 0, 3, 2 + a)"),
    "max(x, 0)": ("max(h, 0)", "where(a > 0, 1, 0)"),
    "0.1*(3*x)": ("0.3*h", "0.3"),
}
FAR = np.array([-1e4, -50, -1e-9, 1e-9, 50, 1e4])


@pytest.mark.parametrize("text", STABLE)
def test_stable_forms(text):
    """Their texts, and that they keep all digits of values where others overflow or cancel."""
    equation = formula(text, ("x",)).equation
    assert (equation.value, equation.slope) == STABLE[text]
    h = oracle.symbol("h")
    right = oracle.numbers([oracle.expression(text, {"x": h})], [h], FAR[:, None], digits=5000)
    with np.errstate(all="ignore"):
        found = evaluate(equation.value, {"h": FAR}, np)
    for x, r, f in zip(FAR, right, found, strict=True):
        if r is not None:
            np.testing.assert_allclose(f, float(r[0]), rtol=1e-11, err_msg=f"{text} at {x}")


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["x - x", "x/x", "x**0", "exp(x)*exp(-x)", "0*x", "sign(x)*x*sign(x) - abs(x)*sign(x)"]
)
def test_what_collects_to_a_number_has_no_derivative(text):
    with pytest.raises(FormulaError, match="derivative with respect to x is 0 everywhere"):
        formula(text, ("x",))


def nested(form, depth, inner="x"):
    for _ in range(depth):
        inner = form.replace("{}", inner)
    return inner


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (nested("tan({})", 35), "nested too deeply"),
        ("x**64*x**64*x**64", "a power in the formula is larger than 64"),
        ("(x**60*(x + 1))**60", "a power can't be larger than 64"),
        ("x**-65", "a power can't be larger than 64"),
        ("(x - x)**-1", "this has no finite real value"),
        ("(-2)**x", "no finite real value"),
        ("*".join(["(1e30*x)"] * 14), "no finite real value"),
        (nested("tan({})", 7), "exceeds 2000 operations"),
    ],
)
def test_what_is_too_large_is_refused(text, message):
    with pytest.raises((FormulaError, ArgumentError), match=message):
        formula(text, ("x",))


@pytest.mark.parametrize(
    "text",
    ["(x + 1)**64", nested("({} + 1)**1.5", 17), nested("(x + {})**x", 19), nested("sigmoid({})", 35),
     nested("sin({})*x", 17), nested("x*(1 + {})", 18), "*".join(f"(x+{n})" for n in range(1, 40)),
     "/".join(f"(x+{n})" for n in range(1, 39)), "**".join(["(x+2)"] * 30), "+".join(f"x/(x+{n})" for n in range(38)),
     "((x+1)**8 + 1)**8", "(1.23456789*x)**64*(1.23456789*x)**60"],
)  # fmt: skip
def test_a_formula_of_any_shape_is_read(text):
    """None grows without bound on the way: this would take hours."""
    equation = formula(text, ("x",)).equation
    assert len(equation.value) < 3 * len(text) + 400
    assert len(equation.slope) < 20_000
