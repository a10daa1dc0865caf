"""Formulas that users write: read, checked and differentiated. A formula is data and is never executed.

Python's own parser turns the text into a tree; the few kinds of nodes that a formula may have become an expression in
the language of formulas, in its better form, and everything else is refused with a line that points at it.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache, partial, reduce

import numpy as np

from thalweg import words
from thalweg.errors import ArgumentError, FormulaError
from thalweg.program.formula.collecting import Product, call, constant, operations
from thalweg.program.formula.collecting import text as written
from thalweg.program.formula.equation import Equation
from thalweg.program.formula.language import CONSTANTS, evaluate, names_in, of_text
from thalweg.program.formula.rewriting import Forms, from_value, slope_of
from thalweg.program.formula.simplify import number
from thalweg.support.naming import choose

LONGEST = 500  # characters
DEEPEST = 40  # levels of brackets and operators
LARGEST_POWER = 64
LARGEST_NUMBER = 1e30  # its inverse is the smallest: within float32, with room to multiply
MOST_OPERATIONS = 2000  # of a derivative, as it is written: equal parts count as often as they occur
RESERVED = {"pi": math.pi, "e": math.e}
SYMBOLS = {"x": "h", "y_pred": "p", "y_true": "y"}  # the equation's names for the variables

# The closed list of functions that a formula may call → how many numbers they take.
FUNCTIONS: dict[str, int] = {
    **dict.fromkeys(("exp", "expm1", "log", "log1p", "sqrt", "square", "abs", "sign", "sin", "cos", "tan"), 1),
    **dict.fromkeys(("arctan", "atan", "sinh", "cosh", "tanh", "sigmoid", "softplus", "relu", "erf"), 1),
    **dict.fromkeys(("min", "max", "pow"), 2),
    "where": 3,
}
# Those that the language of formulas lacks.
DEFINED = {"square": "x**2", "tan": "sin(x) / cos(x)", "atan": "arctan(x)", "relu": "max(x, 0)"}


@dataclass(frozen=True)
class Formula:
    """A formula in some variables, with named constants and trainable parameters, and its equation.

    >>> f = formula("x * sigmoid(1.702 * x)", ("x",))
    >>> f.equation.value, f.equation.slope
    ('h*sigmoid(1.702*h)', 'sigmoid(1.702*h)*(1 + 1.702*h*(1 - sigmoid(1.702*h)))')
    """

    text: str
    variables: tuple[str, ...]
    constants: tuple[tuple[str, float], ...] = ()
    parameters: tuple[str, ...] = ()
    equation: Equation = field(default=Equation("", "0", "0"), compare=False, repr=False)


@lru_cache(maxsize=256)
def formula(
    text: str,
    variables: tuple[str, ...],
    constants: tuple[tuple[str, float], ...] = (),
    parameters: tuple[str, ...] = (),
) -> Formula:
    """Reads a formula in x, or in y_pred and y_true; differentiates by the first of these and by each parameter."""
    if not isinstance(text, str):
        raise ArgumentError(f"a formula is a text such as 'x * sigmoid(x)', got {text!r}")
    check_names(variables, [name for name, _ in constants], parameters)
    symbols = SYMBOLS | {name: f"p{n}" for n, name in enumerate(parameters)}
    reader = Reader(text, {name: symbols[name] for name in (*variables, *parameters)}, dict(constants))
    value = reader.expression()
    for name, _ in constants:
        if name not in reader.used:
            raise FormulaError(words.Said("the formula doesn't use its constant {name!r}", name=name))
    for name in parameters:
        if name not in reader.used:
            raise FormulaError(words.Said("the formula doesn't use its parameter {name!r}", name=name))
    try:
        slopes = [slope(value, name, symbols[name], reader.forms) for name in (variables[0], *parameters)]
        first, *others = (written(e) for e in slopes)
        kind = "formula" if variables == ("x",) else "formula loss"
        equation = Equation(kind, written(value), first, cost=10, by_parameter=tuple(others))
    except ArithmeticError:
        raise FormulaError(words.Said("the formula has no finite real value")) from None
    check_somewhere_finite(equation)
    return Formula(text, variables, constants, parameters, equation)


def slope(value: ast.expr, name: str, symbol: str, forms: Forms) -> ast.expr:
    """The derivative of a formula by one of its names; from the activation alone, if that is enough."""
    forms.shorter = True
    result = slope_of(value, symbol, forms)
    said = None
    if number(result) == 0:
        said = words.Said("the derivative with respect to {name} is 0 everywhere: nothing can be learned", name=name)
    elif operations(result) > (most := MOST_OPERATIONS):
        said = words.Said("the derivative with respect to {name} exceeds {most} operations", name=name, most=most)
    if said is not None:
        raise FormulaError(said)
    return (from_value(value, symbol) if "h" in names_in(result) else None) or result


def check_names(variables: Sequence[str], constants: Sequence[str], parameters: Sequence[str]) -> None:
    taken = {*variables, *RESERVED, *CONSTANTS, *FUNCTIONS}
    for name in [*constants, *parameters]:
        if not isinstance(name, str) or not name.isidentifier() or not name.isascii() or len(name) > 30:
            raise ArgumentError(f"a constant's or parameter's name is a short word of letters, got {name!r}")
        if name in taken or name.startswith("_"):
            raise ArgumentError(f"the name {name!r} has a meaning of its own in formulas: choose another")
        taken.add(name)


def check_somewhere_finite(equation: Equation) -> None:
    """Refuses a formula that is NaN or infinite at every point tried."""
    random = np.random.default_rng(0)
    values = {name: random.uniform(-3, 3, 100) for name in ("h", "p", "y")}
    values |= {f"p{n}": random.uniform(0, 3, 100) for n in range(len(equation.by_parameter))}
    with np.errstate(all="ignore"):
        values["a"] = value = evaluate(equation.value, values, np)
        slopes = [evaluate(text, values, np) for text in (equation.slope, *equation.by_parameter)]
    first, *others = (np.isfinite(np.broadcast_to(part, 100)).any() for part in (value, *slopes))
    if not first:
        raise FormulaError(words.Said("the formula's value is not a finite number anywhere between -3 and 3"))
    if not all(others):
        raise FormulaError(words.Said("the formula's derivative is not a finite number anywhere between -3 and 3"))


def pointed(said: words.Said, text: str, start: int, end: int = -1) -> FormulaError:
    """An error that points at a place of the text."""
    shown = "".join(c if c.isprintable() else "?" for c in text)
    start = min(start, len(text))
    marks = " " * start + "^" * max(1, min(end, len(text)) - start)
    return FormulaError(words.Said("{said}\n    {shown}\n    {marks}", said=said, shown=shown, marks=marks))


def largest_power(e: ast.expr) -> Fraction:
    return max((abs(n) for _, n in Product.of(e).factors.values()), default=Fraction(0))


class Reader:
    """Turns the tree of a text into an expression of the language, node by node.

    symbols: the equation's names for the formula's.
    """

    def __init__(self, text: str, symbols: Mapping[str, str], constants: Mapping[str, float]) -> None:
        self.text = text
        self.symbols, self.constants = symbols, constants
        self.forms = Forms()
        self.used: set[str] = set()

    def error(self, said: words.Said, node: ast.AST) -> FormulaError:
        """An error that points at a node, whose offsets Python counts in bytes of UTF-8."""
        line = self.text.encode()
        start, end = (len(line[: getattr(node, f)].decode(errors="ignore")) for f in ("col_offset", "end_col_offset"))
        return pointed(said, self.text, start, end)

    def expression(self) -> ast.expr:
        tree = self.tree()
        result = self.number_or_expression(tree.body, 0)
        if not any(name in self.used for name in self.symbols):
            raise FormulaError(words.Said("the formula doesn't depend on {names}", names=" or ".join(self.symbols)))
        return result

    def tree(self) -> ast.Expression:
        text, most, count = self.text, LONGEST, len(self.text)
        if not text.strip():
            raise ArgumentError(words.Said("the formula is empty"))
        if count > most:
            said = words.Said("a formula has at most {most} characters, this one has {count}", most=most, count=count)
            raise ArgumentError(said)
        for place, letter in enumerate(text):
            if not letter.isascii() or not letter.isprintable():
                said = words.Said("a formula can't contain the character {letter!r}", letter=letter)
                raise pointed(said, text, place)
        if text != text.lstrip():
            raise pointed(words.Said("a formula can't begin with a space"), text, 0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python warns about `1if x`
                return ast.parse(text, mode="eval")
        except SyntaxError as error:
            said = words.Said("the formula has a syntax error: {error}", error=error.msg)
            raise pointed(said, text, error.offset - 1 if error.offset else len(text)) from None
        except (ValueError, RecursionError, MemoryError):
            raise FormulaError(words.Said("the formula is nested too deeply")) from None

    def number_or_expression(self, node: ast.expr, depth: int) -> ast.expr:
        """The node's expression. One without variables becomes a number at once, so that none grows without bound."""
        if depth > DEEPEST:
            raise self.error(words.Said("the formula is nested more than {most} levels deep", most=DEEPEST), node)
        try:
            result = self.forms.better(self.convert(node, depth + 1))
            if operations(result) > MOST_OPERATIONS:  # tan u is sin u/cos u
                raise FormulaError(words.Said("the formula is nested too deeply"))
            if largest_power(result) > 2 * LARGEST_POWER:
                raise FormulaError(words.Said("a power in the formula is larger than {most}", most=LARGEST_POWER))
            n = number(result)
            return result if n is None or isinstance(node, ast.Constant) else self.number(float(n), node)
        except ArithmeticError:
            raise self.error(words.Said("this has no finite real value"), node) from None

    def number(self, value: float, node: ast.AST) -> ast.expr:
        if not math.isfinite(value):
            raise self.error(words.Said("this has no finite real value"), node)
        if value == 0 or 1 / LARGEST_NUMBER <= abs(value) <= LARGEST_NUMBER:
            return constant(value)
        said = words.Said("this number is {value:g}: numbers must lie between 1e-30 and 1e30 in magnitude", value=value)
        raise self.error(said, node)

    def convert(self, node: ast.expr, depth: int) -> ast.expr:
        def inner(part: ast.expr) -> ast.expr:
            return self.number_or_expression(part, depth)

        match node:
            case ast.Constant(value=value) if type(value) in (int, float):
                try:
                    return self.number(float(value), node)  # type: ignore[arg-type]
                except OverflowError:
                    raise self.error(words.Said("this number is too large"), node) from None
            case ast.Name(id=name):
                return self.named(name, node)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                return ast.UnaryOp(sign, inner(operand)) if isinstance(sign, ast.USub) else inner(operand)
            case ast.BinOp(left=left, op=operator, right=right):
                return self.operation(operator, inner(left), inner(right), node)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self.call(name, arguments, node, depth)
            case ast.IfExp(test=test, body=body, orelse=other):
                return call("where", self.condition(test, depth), inner(body), inner(other))
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp():
                said = words.Said("a comparison can only be the condition of where(…, …, …) or of … if … else …")
                raise self.error(said, node)
            case ast.Call():
                raise self.error(words.Said("a formula can't contain this"), node)
        kind = type(node).__name__.lower()
        raise self.error(words.Said("a formula can't contain this ({kind})", kind=kind), node)

    def named(self, name: str, node: ast.AST) -> ast.expr:
        self.used.add(name)
        if name in self.symbols:
            return ast.Name(self.symbols[name])
        if name in self.constants:
            return self.number(self.constants[name], node)
        if name in RESERVED:
            return self.number(RESERVED[name], node)
        if name in FUNCTIONS:
            raise self.error(words.Said("{name} is a function: write {name}(…)", name=name), node)
        known = [*self.symbols, *self.constants, *RESERVED]
        said = words.Said("unknown name {name!r} in the formula. It knows: {known}", name=name, known=known)
        raise self.error(said, node)

    def operation(self, operator: ast.operator, left: ast.expr, right: ast.expr, node: ast.AST) -> ast.expr:
        match operator:
            case ast.Add() | ast.Sub() | ast.Mult() | ast.Div():
                if isinstance(operator, ast.Div) and number(right) == 0:
                    raise self.error(words.Said("this divides by 0"), node)
                return ast.BinOp(left, operator, right)
            case ast.Pow():
                return self.power(left, right, node)
            case ast.BitXor():
                raise self.error(words.Said("a power is written **, not ^"), node)
        raise self.error(words.Said("a formula can use only + - * / and **"), node)

    def power(self, base: ast.expr, exponent: ast.expr, node: ast.AST) -> ast.expr:
        n = number(exponent)
        result: ast.expr = ast.BinOp(base, ast.Pow(), exponent)
        if n is None:
            return result
        within = -LARGEST_POWER <= n <= LARGEST_POWER
        if not within or largest_power(result := self.forms.better(result)) > LARGEST_POWER:
            raise self.error(words.Said("a power can't be larger than {most}", most=LARGEST_POWER), node)
        return result

    def call(self, name: str, arguments: list[ast.expr], node: ast.Call, depth: int) -> ast.expr:
        if name not in FUNCTIONS:
            try:
                choose("function in the formula", name, FUNCTIONS)
            except ArgumentError as error:
                raise self.error(
                    words.Said("{error}", context="unknown function", error=str(error)), node.func
                ) from None
        count: int = FUNCTIONS[name]
        if len(arguments) != count and not (name in ("min", "max") and len(arguments) > 1):
            said = words.Said(
                "{name} takes 1 argument, got {given}" if count == 1 else "{name} takes {count} arguments, got {given}",
                name=name,
                count=count,
                given=len(arguments),
            )
            raise self.error(said, node)
        if name == "where":
            values = [self.number_or_expression(a, depth) for a in arguments[1:]]
            return call(name, self.condition(arguments[0], depth), *values)
        first, *others = (self.number_or_expression(a, depth) for a in arguments)
        if name == "pow":
            return self.power(first, others[0], node)
        if name in DEFINED:
            return of_text(DEFINED[name], {"x": first})
        return reduce(partial(call, name), others, first) if others else call(name, first)  # max(a, b, c): nested

    def condition(self, node: ast.expr, depth: int) -> ast.expr:
        if depth > DEEPEST:
            raise self.error(words.Said("the formula is nested more than {most} levels deep", most=DEEPEST), node)
        match node:
            case ast.Compare(left=left, ops=operators, comparators=others):
                sides = [self.number_or_expression(n, depth + 1) for n in (left, *others)]
                if not all(isinstance(operator, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for operator in operators):
                    raise self.error(words.Said("a condition compares with <, <=, > or >="), node)
                return ast.Compare(sides[0], operators, sides[1:])
            case ast.BoolOp(op=operator, values=parts):
                return ast.BoolOp(operator, [self.condition(part, depth + 1) for part in parts])
            case ast.UnaryOp(op=ast.Not() as operator, operand=operand):
                return ast.UnaryOp(operator, self.condition(operand, depth + 1))
        raise self.error(words.Said("a condition is a comparison such as x > 0"), node)
