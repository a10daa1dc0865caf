"""What can be said against an equation: its slope against a derivative, its value against other words for it."""

import ast
from collections.abc import Iterator
from typing import Any

import numpy as np
from activation_rows import ROWS as STATEMENTS
from loss_statements import ROWS as LOSSES

from thalweg.activations import NAMES
from thalweg.program.formula import parsing
from thalweg.program.formula.equation import Equation
from thalweg.program.formula.language import evaluate, trees

H = np.concatenate([np.random.default_rng(0).uniform(-5, 5, 300), [-6.7, 6.7]])
KINKS = np.array([-3, -1, -0.5, 0, 0.5, 1, 1.5, 3, 6])
H = np.concatenate([H, KINKS - 1e-3, KINKS + 1e-3])  # both sides of every kink and jump
PLACES = [*np.linspace(0.03, 0.98, 24), -0.4, 1e-9, 1 - 1e-9, 1.7]
P, Y = (v.ravel() for v in np.meshgrid(PLACES, [0.0, 1.0, 0.3, 0.85, 1.2]))
FAR = [-40.0, -40.0, -20.0, -20.0, 20.0, 20.0, 40.0, 40.0]

# The functions that users' formulas lack, in words that these have.
WORDS = {
    "logcosh": "log(cosh(x))",
    "tanh_shrink": "x - tanh(x)",
    "normal": "(1 + erf(x / sqrt(2))) / 2",
    "normal_density": "exp(-(x**2) / 2) / sqrt(2 * pi)",
    "mish_gate": "tanh(softplus(x))",
}
SYMBOLS = {"h": "x", "p": "y_pred", "y": "y_true"}


class Users(ast.NodeTransformer):
    """Rewrites an expression as a user's formula, numbers in the place of arguments."""

    def __init__(self, names: dict[str, ast.expr]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.names.get(node.id, ast.Name(SYMBOLS.get(node.id, node.id)))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        arguments = [self.visit(a) for a in node.args]
        if isinstance(node.func, ast.Name) and node.func.id in WORDS:
            return Users({"x": arguments[0]}).visit(ast.parse(WORDS[node.func.id], mode="eval").body)
        return ast.Call(node.func, arguments, [])

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        sides = [self.visit(side) for side in (node.left, *node.comparators)]
        if isinstance(node.ops[0], ast.Eq):  # x = y as y ≤ x ≤ y
            return ast.Compare(sides[1], [ast.LtE(), ast.LtE()], [sides[0], sides[1]])
        return ast.Compare(sides[0], node.ops, sides[1:])


def users_formula(text: str, numbers: dict[str, float]) -> str:
    """A text of the language as a user's formula."""
    names: dict[str, ast.expr] = {k: ast.Constant(v if np.isfinite(v) else 1e30) for k, v in numbers.items()}
    names["inf"] = ast.Constant(1e30)
    definitions, value = trees(text)
    for name, part in definitions:
        names[name] = Users(dict(names)).visit(ast.parse(ast.unparse(part), mode="eval").body)
    return ast.unparse(Users(names).visit(ast.parse(ast.unparse(value), mode="eval").body))


def derivative(equation: Equation, numbers: dict[str, float]) -> str:
    """The derivative of an equation's value, as of a user's formula."""
    variables = ("y_pred", "y_true") if equation in OF_LOSSES else ("x",)
    longest, most = parsing.LONGEST, parsing.MOST_OPERATIONS
    parsing.LONGEST = parsing.MOST_OPERATIONS = 10**6
    try:
        return parsing.formula(users_formula(equation.value, numbers), variables).equation.slope
    finally:
        parsing.LONGEST, parsing.MOST_OPERATIONS = longest, most


def check_slope(equation: Equation, numbers: dict[str, float], want: str = "") -> None:
    """The slope is the derivative (or `want`) at many points."""
    values = {"p": P, "y": Y} if equation in OF_LOSSES else {"h": H}
    if "focal" in equation.name:  # whose powers of 0 count; other losses have a kink there
        values["p"] = np.round(P, 8)
    exact = {"rtol": 1e-7, "atol": 1e-9}
    if equation.activation is not None:  # logits so large that probabilities are clipped, where slopes are tiny
        values = {"p": np.append(P, FAR), "y": np.append(Y, [0.0, 1.0] * (len(FAR) // 2))}
        exact = {"rtol": 1e-5, "atol": 1e-13}
    with np.errstate(all="ignore"):
        a = evaluate(equation.value, values | numbers, np)
        right = evaluate(want or derivative(equation, numbers), values | {"a": a}, np)
        slope = evaluate(equation.slope, values | {"a": a} | numbers, np)
    np.testing.assert_allclose(slope + 0 * a, right + 0 * a, **exact)
    check_kinks(equation)


# Where a slope is no derivative: function, arguments, h, what it is there.
KINKED = [
    ("relu", {}, 0.0, 0.0),
    ("relu", {"negative_slope": 0.35}, 0.0, 0.35),
    ("relu", {"negative_slope": 0.35, "max_value": 5.0}, 0.0, 0.0),
    ("relu", {"negative_slope": 0.35, "threshold": 1.25}, 1.25, 0.0),
]
EVEN = ("absolute error", "percentage error", "quantile", "huber", "log cosh", "squared error")  # 0 where p = y


def check_kinks(equation: Equation) -> None:
    """The slopes at kinks are as documented."""
    for name, arguments, h, want in KINKED:
        function = NAMES[name].using(**arguments)
        if function.equation is equation:
            values = {"h": np.array([h])} | function.numbers()
            values["a"] = evaluate(equation.value, values, np)
            np.testing.assert_array_equal(evaluate(equation.slope, values, np), want)
    if equation.name in EVEN:
        values = {"p": np.array([0.5]), "y": np.array([0.5])} | OF_LOSSES[equation][0]
        np.testing.assert_array_equal(evaluate(equation.slope, values, np), 0)


def check_activation(name: str) -> None:
    """The values are those of the independent statements."""
    for row in STATEMENTS:
        if row.name == name:
            h = np.clip(H, *row.among).reshape(-1, 4)
            with np.errstate(all="ignore"):
                want = row.statement(h, **row.arguments)
                np.testing.assert_allclose(NAMES[name].using(**row.arguments)(h), want, rtol=1e-9, atol=1e-11)


def check_losses(equation: Equation) -> None:
    """The rows of every loss that is this equation are those of the independent statement."""
    for loss, y, p, rows, _ in LOSSES.values():
        with np.errstate(all="ignore"):
            if loss.kind is equation:
                np.testing.assert_allclose(loss(y, p), rows.mean(), rtol=1e-9)


def activations() -> Iterator[tuple[str, Equation, dict[str, Any]]]:
    """Every equation of the catalogue: its function's name, and numbers for its arguments."""
    for row in STATEMENTS:
        equation = getattr(NAMES[row.name].using(**row.arguments), "equation", None)
        if equation is not None:
            yield row.name, equation, NAMES[row.name].using(**row.arguments).numbers()


OF_LOSSES: dict[Equation, list[dict[str, float]]] = {}  # with numbers for the arguments
for loss, *_ in LOSSES.values():
    if isinstance(loss.kind, Equation):
        OF_LOSSES.setdefault(loss.kind, []).append({n: float(loss.option(n)) for n in loss.kind.arguments})
