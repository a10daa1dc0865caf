"""Damage: one sign or number of an equation is changed, in every place; each time a check has to notice it."""

import ast
import re
from collections.abc import Callable, Iterator

import pytest
from equation_checks import OF_LOSSES, activations, check_activation, check_losses, check_slope, derivative
from operation_statements import check_operation

from thalweg.program.formula.equation import Equation
from thalweg.program.formula.functions import FUNCTIONS
from thalweg.program.formula.operations import BINARY, UNARY

OTHERS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
OTHERS |= {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}
LIMIT = "x"  # the name of h where it is kept within a domain, which changes nothing that can be measured
SMALLEST = 1e-6  # what is smaller, and what it is added to, is there against a division by 0
EQUATIONS = {equation: (name, numbers) for name, equation, numbers in activations()}


class Damage(ast.NodeTransformer):
    """Changes the operator, sign, number or function with this index."""

    def __init__(self, index: int) -> None:
        self.index, self.count = index, 0

    def hit(self) -> bool:
        self.count += 1
        return self.count - 1 == self.index

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        return node if ast.unparse(node.targets[0]) == LIMIT else self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if any(isinstance(n, ast.Constant) and 0 < n.value <= SMALLEST for n in (node.left, node.right)):
            return self.generic_visit(node)
        self.generic_visit(node)
        if type(node.op) in OTHERS and self.hit():
            return ast.BinOp(node.left, OTHERS[type(node.op)](), node.right)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if type(node.ops[0]) in OTHERS and self.hit():
            return ast.Compare(node.left, [OTHERS[type(node.ops[0])](), *node.ops[1:]], node.comparators)
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return node.operand if isinstance(node.op, ast.USub) and self.hit() else node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return node if 0 < node.value <= SMALLEST or not self.hit() else ast.Constant(node.value + 1)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        function = ast.unparse(node.func)
        node.args = [self.visit(a) for a in node.args]
        if function != "where" and self.hit():
            return ast.Call(ast.Name({"min": "max", "max": "min", "tanh": "sin"}.get(function, "tanh")), node.args, [])
        return node


def damaged(text: str) -> Iterator[str]:
    """The text with one operator, sign, number or function changed, for each of them."""
    count = Damage(-1)
    count.visit(ast.parse(text))
    if text == "a":
        yield "2 * a"
    for index in range(count.count):
        yield ast.unparse(Damage(index).visit(ast.parse(text)))


def unnoticed(equation: Equation, field: str, check: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The damages of a text that the check lets through."""
    check()
    result = []
    for text in damaged(getattr(equation, field)):
        with monkeypatch.context() as patch:
            patch.setitem(equation.__dict__, field, text)
            try:
                check()
            except (AssertionError, ArithmeticError):
                continue
            result.append(text)
    return result


@pytest.mark.parametrize("equation", EQUATIONS, ids=lambda e: e.name)
def test_every_damage_of_an_activation_is_noticed(equation, monkeypatch):
    name, numbers = EQUATIONS[equation]
    right = derivative(equation, numbers)
    assert not unnoticed(equation, "value", lambda: check_activation(name), monkeypatch)
    assert not unnoticed(equation, "slope", lambda: check_slope(equation, numbers, right), monkeypatch)


@pytest.mark.parametrize("equation", OF_LOSSES, ids=lambda e: e.name)
def test_every_damage_of_a_loss_is_noticed(equation, monkeypatch):
    right = [(numbers, derivative(equation, numbers)) for numbers in OF_LOSSES[equation]]

    def check() -> None:
        for numbers, slope in right:
            check_slope(equation, numbers, slope)

    assert not unnoticed(equation, "value", lambda: check_losses(equation), monkeypatch)
    assert not unnoticed(equation, "slope", check, monkeypatch)


def right_operation(name: str) -> bool:
    try:
        check_operation(name)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_wrong_function_is_noticed(name, monkeypatch):
    """By the activations, losses and operations whose equations call it."""
    right = FUNCTIONS[name].value
    wrong = FUNCTIONS[name]._replace(value=lambda xp, *arguments: 1.01 * right(xp, *arguments) + 0.03)
    monkeypatch.setitem(FUNCTIONS, name, wrong)
    noticed = 0
    for equation, (activation, _) in EQUATIONS.items():
        if re.search(rf"\b{name}\(", equation.value):
            with pytest.raises(AssertionError):
                check_activation(activation)
            noticed += 1
    for equation in OF_LOSSES:
        if re.search(rf"\b{name}\(", equation.value):
            with pytest.raises(AssertionError):
                check_losses(equation)
            noticed += 1
    for operation in (*BINARY, *UNARY):
        if re.search(rf"\b{name}\(", (BINARY | UNARY)[operation].value):
            noticed += not right_operation(operation)
    of_others = ("pochhammer", "normal_density", "mish_gate_slope")
    assert noticed or name in of_others
