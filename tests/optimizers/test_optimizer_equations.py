"""Every optimizer against an independent statement of its equation; a wrong sign in its text is noticed."""

import ast
import copy

import numpy as np
import pytest
from optimizer_equations import EQUATIONS

from thalweg import Sequential, optimizers
from thalweg.errors import DivergedError
from thalweg.layers import Dense, Input

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(24, 5)), RANDOM.normal(size=(24, 2))
X[:, 3] = 0  # a weight whose gradient is always 0
CASES = [(name, options) for name, (_, *others) in EQUATIONS.items() for options in ({}, *others)]
EACH = pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{'-'.join(o)}" for n, o in CASES])


def gradients(weights):
    """Of the mean squared error of x·W + b over rows and outputs."""
    W, b = weights
    error = 2 * (X @ W + b - Y) / Y.size
    return [X.T @ error, error.sum(axis=0)]


def expected(name, options, weights, steps):
    """The weights after some steps of the independent equation."""
    states = [{} for _ in weights]
    for t in range(1, steps + 1):
        pairs = zip(weights, gradients(weights), states, strict=True)
        weights = [EQUATIONS[name][0](w, g, t, s, **options) for w, g, s in pairs]
    return weights


def trained(name, options, steps, **engine):
    """The weights before and after some steps of the model."""
    model = Sequential([Input((5,)), Dense(2, bias_initializer="ones")], seed=2, **engine)
    model.compile(optimizers.CLASSES[name](**options), "mse")
    model.build()
    start = [w.astype(np.float64) for w in model.get_weights()]
    for _ in range(steps):
        model.train_on_batch(X, Y)
    assert model.optimizer.iterations == steps
    return start, model.get_weights()


def test_every_optimizer_has_an_independent_statement():
    missing = set(optimizers.CLASSES) - set(EQUATIONS)
    assert not missing, f"write these once more, in NumPy, in tests/tables/optimizer_equations.py: {sorted(missing)}"


def test_an_optimizer_without_one_is_noticed(monkeypatch):
    monkeypatch.setitem(optimizers.CLASSES, "Forgotten", optimizers.SGD)
    with pytest.raises(AssertionError, match="Forgotten"):
        test_every_optimizer_has_an_independent_statement()


@EACH
@pytest.mark.parametrize("steps", [1, 2, 20])
def test_steps_follow_the_equation(name, options, steps):
    start, got = trained(name, options, steps, engine="reference", dtype="float64")
    for left, right in zip(got, expected(name, options, start, steps), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-13)


@EACH
def test_native_steps_follow_the_equation(name, options):
    start, got = trained(name, options, 20)
    for left, right in zip(got, expected(name, options, start, 20), strict=True):
        np.testing.assert_allclose(left, right, rtol=2e-5, atol=1e-5)


# --- damage ----------------------------------------------------------------------------------------------------------

OTHER = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Lt: ast.Gt, ast.Gt: ast.Lt}
FUNCTIONS = {"sqrt": "abs", "abs": "sqrt", "min": "max", "max": "min", "sign": "abs"}


def damaged(text):
    """Every text that differs from this one in one sign, number or function."""
    tree = ast.parse(text)
    for number, node in enumerate(ast.walk(tree)):
        other = copy.deepcopy(tree)
        place = list(ast.walk(other))[number]
        match node:
            case ast.BinOp() | ast.AugAssign() if type(node.op) in OTHER:
                place.op = OTHER[type(node.op)]()
            case ast.UnaryOp(op=ast.USub()):
                place.operand = ast.UnaryOp(ast.USub(), place.operand)
            case ast.Constant(value=value):
                place.value = value + 0.5
            case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS:
                place.func.id = FUNCTIONS[name]
            case _:
                continue
        yield ast.unparse(other)


@pytest.mark.parametrize("name", [name for name in EQUATIONS if optimizers.CLASSES[name].equation])
def test_one_wrong_sign_number_or_function_is_noticed(name, monkeypatch):
    kind, variants = optimizers.CLASSES[name], [options for case, options in CASES if case == name]
    step, unnoticed = kind.step, []
    texts = [step(kind(**options))[1] for options in variants]
    for text in dict.fromkeys(texts):
        for wrong in damaged(text):
            swap = {text: wrong}
            monkeypatch.setattr(kind, "step", lambda o, swap=swap: (step(o)[0], swap.get(step(o)[1], step(o)[1])))
            try:
                for options in (o for o, own in zip(variants, texts, strict=True) if own == text):
                    test_steps_follow_the_equation(name, options, 12)
            except (AssertionError, DivergedError, ZeroDivisionError):
                continue
            unnoticed.append(wrong)
    assert not unnoticed, "\n\n".join(unnoticed)
