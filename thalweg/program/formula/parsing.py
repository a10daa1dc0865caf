"""Formulas that users write: read, checked and differentiated. A formula is data and is never executed.

Python's own parser turns the text into a tree; the few kinds of nodes that a formula may have become a SymPy expression
one by one, and everything else is refused with a line that points at it. The expression becomes an equation in the
language of formulas, like the built-in ones.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from thalweg import words
from thalweg.errors import ArgumentError, FormulaError
from thalweg.program.formula.equation import Equation
from thalweg.program.formula.language import CONSTANTS, evaluate
from thalweg.support.extras import need
from thalweg.support.naming import choose

if TYPE_CHECKING:
    from thalweg.program.formula.algebra import Expression

LONGEST = 500  # characters
DEEPEST = 40  # levels of brackets and operators
LARGEST_POWER = 64
LARGEST_NUMBER = 1e30  # its inverse is the smallest: within float32, with room to multiply
MOST_OPERATIONS = 2000  # of a derivative
RESERVED = ("pi", "e")
VALUE = "_value"  # the symbol of the formula's own value in a slope


# The equation's names for the variables of a user's formula, and for its own value in a slope.
SYMBOLS = {"x": "h", VALUE: "a", "y_pred": "p", "y_true": "y"}


@dataclass(frozen=True)
class Formula:
    """A formula in some variables, with named constants and trainable parameters, and its equation.

    >>> f = formula("x * sigmoid(1.702 * x)", ("x",))
    >>> f.equation.value, f.equation.slope
    ('h*sigmoid(1.702*h)', '(1 + 1.702*h*(1 - sigmoid(1.702*h)))*sigmoid(1.702*h)')
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
    need("sympy", "jit", "a formula")
    import sympy as sp

    from thalweg.program.formula import rewriting

    check_names(text, variables, [name for name, _ in constants], parameters)
    reader = Reader(text, [*variables, *parameters], dict(constants))
    expression = rewriting.stable(reader.expression())
    check_real(expression)
    for kind, name in [("constant", n) for n, _ in constants] + [("parameter", n) for n in parameters]:
        if name not in reader.used:
            raise FormulaError(
                words.Said(
                    "the formula doesn't use its constant {name!r}"
                    if kind == "constant"
                    else "the formula doesn't use its parameter {name!r}",
                    name=name,
                )
            )
    symbols = SYMBOLS | {name: f"p{n}" for n, name in enumerate(parameters)}
    slopes = []
    for name in (variables[0], *parameters):
        slope = rewriting.derivative(expression, symbol(name))
        if slope == 0:
            raise FormulaError(
                words.Said("the derivative with respect to {name} is 0 everywhere: nothing can be learned", name=name)
            )
        check_real(slope)
        if sp.count_ops(slope) > MOST_OPERATIONS:
            raise FormulaError(
                words.Said(
                    "the derivative with respect to {name} exceeds {most} operations", name=name, most=MOST_OPERATIONS
                )
            )
        if variables == ("x",):
            slope = rewriting.from_value(expression, slope, symbol("x"), symbol(VALUE))
        slopes.append(rewriting.text(slope, symbols))
    kind = "formula" if variables == ("x",) else "formula loss"
    value = rewriting.text(expression, symbols)
    equation = Equation(kind, value, slopes[0], cost=10, by_parameter=tuple(slopes[1:]))
    check_somewhere_finite(equation)
    return Formula(text, variables, constants, parameters, equation)


def symbol(name: str) -> Expression:
    import sympy as sp

    return sp.Symbol(name, real=True)


def check_names(text: str, variables: Sequence[str], constants: Sequence[str], parameters: Sequence[str]) -> None:
    """Checks that the names of constants and parameters are valid and not taken."""
    from thalweg.program.formula.algebra import FUNCTIONS

    taken = {*variables, *RESERVED, *CONSTANTS, *FUNCTIONS}
    for name in [*constants, *parameters]:
        if not isinstance(name, str) or not name.isidentifier() or not name.isascii() or len(name) > 30:
            raise ArgumentError(f"a constant's or parameter's name is a short word of letters, got {name!r}")
        if name in taken or name.startswith("_"):
            raise ArgumentError(f"the name {name!r} has a meaning of its own in formulas: choose another")
        taken.add(name)


def check_real(expression: Expression) -> None:
    """Refuses imaginary or infinite parts, and functions without code."""
    import sympy as sp

    from thalweg.program.formula.algebra import known_function

    if expression.has(sp.I, sp.zoo, sp.nan, sp.oo, -sp.oo):
        raise FormulaError(words.Said("the formula has no finite real value"))
    for node in sp.preorder_traversal(expression):
        known = node.is_Add or node.is_Mul or node.is_Pow or node.is_Symbol or node.is_Number or node.is_NumberSymbol
        if not known and not known_function(node.func):
            name = node.func.__name__
            raise FormulaError(words.Said("the formula can't be differentiated: {name} has no derivative", name=name))
        if node.is_Pow and node.exp.is_Number and abs(node.exp) > 2 * LARGEST_POWER:
            raise FormulaError(words.Said("a power in the formula is larger than {most}", most=LARGEST_POWER))


def check_somewhere_finite(equation: Equation) -> None:
    """Refuses a formula that is NaN or infinite at every point tried."""
    import numpy as np

    random = np.random.default_rng(0)
    values = {name: random.uniform(-3, 3, 100) for name in ("h", "p", "y")}
    values |= {f"p{n}": random.uniform(0, 3, 100) for n in range(len(equation.by_parameter))}
    with np.errstate(all="ignore"):
        values["a"] = value = evaluate(equation.value, values, np)
        slopes = [evaluate(text, values, np) for text in (equation.slope, *equation.by_parameter)]
    for part in (value, *slopes):
        if not np.isfinite(np.broadcast_to(part, 100)).any():
            raise FormulaError(
                words.Said(
                    "the formula's value is not a finite number anywhere between -3 and 3"
                    if part is value
                    else "the formula's derivative is not a finite number anywhere between -3 and 3"
                )
            )


def pointed(said: words.Said, text: str, start: int, end: int = -1) -> FormulaError:
    """An error that points at a place of the text."""
    shown = "".join(c if c.isprintable() else "?" for c in text)
    start = min(start, len(text))
    marks = " " * start + "^" * max(1, min(end, len(text)) - start)
    return FormulaError(words.Said("{said}\n    {shown}\n    {marks}", said=said, shown=shown, marks=marks))


class Reader:
    """Turns the tree of a text into a SymPy expression, node by node."""

    def __init__(self, text: str, symbols: Sequence[str], constants: Mapping[str, float]) -> None:
        self.text = text
        self.symbols, self.constants = symbols, constants
        self.used: set[str] = set()

    def error(self, said: words.Said, node: ast.AST) -> FormulaError:
        """An error that points at a node, whose offsets Python counts in bytes of UTF-8."""
        line = self.text.encode()
        start, end = (len(line[: getattr(node, f)].decode(errors="ignore")) for f in ("col_offset", "end_col_offset"))
        return pointed(said, self.text, start, end)

    def expression(self) -> Expression:
        tree = self.tree()
        result = self.number_or_expression(tree.body, 0)
        if not any(name in self.used for name in self.symbols):
            raise FormulaError(words.Said("the formula doesn't depend on {names}", names=" or ".join(self.symbols)))
        return result

    def tree(self) -> ast.Expression:
        text = self.text
        if not text.strip():
            raise ArgumentError(words.Said("the formula is empty"))
        if len(text) > LONGEST:
            raise ArgumentError(
                words.Said(
                    "a formula has at most {most} characters, this one has {count}", most=LONGEST, count=len(text)
                )
            )
        for place, letter in enumerate(text):
            if not letter.isascii() or not letter.isprintable():
                raise pointed(
                    words.Said("a formula can't contain the character {letter!r}", letter=letter), text, place
                )
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

    def number_or_expression(self, node: ast.expr, depth: int) -> Expression:
        """The node's expression. One without variables becomes a number at once, so that none grows without bound."""
        import numpy as np
        import sympy as sp

        from thalweg.program.formula import rewriting

        if depth > DEEPEST:
            raise self.error(words.Said("the formula is nested more than {most} levels deep", most=DEEPEST), node)
        result = self.convert(node, depth + 1)
        if not result.free_symbols and not isinstance(node, ast.Constant):
            try:
                with np.errstate(all="ignore"):
                    value = float(evaluate(rewriting.text(result, {}), {}, np))
            except (TypeError, ValueError, OverflowError, KeyError, ZeroDivisionError):
                value = math.nan
            result = self.number(value, node)
        if result.has(sp.I, sp.zoo, sp.nan, sp.oo, -sp.oo):
            raise self.error(words.Said("this has no finite real value"), node)
        return result

    def number(self, value: float, node: ast.AST) -> Expression:
        import sympy as sp

        if not math.isfinite(value):
            raise self.error(words.Said("this has no finite real value"), node)
        if abs(value) > LARGEST_NUMBER or 0 < abs(value) < 1 / LARGEST_NUMBER:
            said = words.Said(
                "this number is {value:g}: numbers must lie between 1e-30 and 1e30 in magnitude", value=value
            )
            raise self.error(said, node)
        return sp.Rational(repr(float(value))) if value != int(value) or abs(value) > 1e15 else sp.Integer(int(value))

    def convert(self, node: ast.expr, depth: int) -> Expression:
        def inner(part: ast.expr) -> Expression:
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
                return -inner(operand) if isinstance(sign, ast.USub) else inner(operand)
            case ast.BinOp(left=left, op=operator, right=right):
                return self.operation(operator, inner(left), inner(right), node)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self.call(name, arguments, node, depth)
            case ast.IfExp(test=test, body=body, orelse=other):
                from thalweg.program.formula.algebra import where

                return where(self.condition(test, depth), inner(body), inner(other))
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp():
                said = words.Said("a comparison can only be the condition of where(…, …, …) or of … if … else …")
                raise self.error(said, node)
            case ast.BinOp() | ast.Call():
                raise self.error(words.Said("a formula can't contain this"), node)
        kind = type(node).__name__.lower()
        raise self.error(words.Said("a formula can't contain this ({kind})", kind=kind), node)

    def named(self, name: str, node: ast.AST) -> Expression:
        from thalweg.program.formula.algebra import FUNCTIONS

        self.used.add(name)
        if name in self.symbols:
            return symbol(name)
        if name in self.constants:
            return self.number(self.constants[name], node)
        if name in RESERVED:
            return self.number(math.pi if name == "pi" else math.e, node)
        if name in FUNCTIONS:
            raise self.error(words.Said("{name} is a function: write {name}(…)", name=name), node)
        known = [*self.symbols, *self.constants, *RESERVED]
        said = words.Said("unknown name {name!r} in the formula. It knows: {known}", name=name, known=known)
        raise self.error(said, node)

    def operation(self, operator: ast.operator, left: Expression, right: Expression, node: ast.AST) -> Expression:
        match operator:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
            case ast.Div():
                if right == 0:
                    raise self.error(words.Said("this divides by 0"), node)
                return left / right
            case ast.Pow():
                return self.power(left, right, node)
            case ast.BitXor():
                raise self.error(words.Said("a power is written **, not ^"), node)
        raise self.error(words.Said("a formula can use only + - * / and **"), node)

    def power(self, base: Expression, exponent: Expression, node: ast.AST) -> Expression:
        import sympy as sp

        if exponent.is_Number and abs(exponent) > LARGEST_POWER:
            raise self.error(words.Said("a power can't be larger than {most}", most=LARGEST_POWER), node)
        if base.is_Number and exponent.is_Number:
            try:
                value = float(base) ** float(exponent)
            except (OverflowError, ZeroDivisionError):
                value = math.inf
            return self.number(value if isinstance(value, float) else math.nan, node)
        result = base**exponent
        if result.is_Pow and result.exp.is_Number and abs(result.exp) > LARGEST_POWER:
            raise self.error(words.Said("a power can't be larger than {most}", most=LARGEST_POWER), node)
        return sp.sympify(result)  # the argument is an expression, not a text

    def call(self, name: str, arguments: list[ast.expr], node: ast.Call, depth: int) -> Expression:
        from thalweg.program.formula.algebra import FUNCTIONS

        if name not in FUNCTIONS:
            try:
                choose("function in the formula", name, FUNCTIONS)
            except ArgumentError as error:
                raise self.error(
                    words.Said("{error}", context="unknown function", error=str(error)), node.func
                ) from None
        count: int = FUNCTIONS[name][0]
        function: Any = FUNCTIONS[name][1]
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
            return function(self.condition(arguments[0], depth), *values)
        values = [self.number_or_expression(a, depth) for a in arguments]
        if name == "pow":
            return self.power(values[0], values[1], node)
        result = function(*values[:count])
        for more in values[count:]:  # max(a, b, c) is max(max(a, b), c)
            result = function(result, more)
        return result

    def condition(self, node: ast.expr, depth: int) -> Expression:
        from thalweg.program.formula.algebra import both, either, less, less_equal, negation

        if depth > DEEPEST:
            raise self.error(words.Said("the formula is nested more than {most} levels deep", most=DEEPEST), node)
        match node:
            case ast.Compare(left=left, ops=operators, comparators=others):
                values = [self.number_or_expression(n, depth + 1) for n in (left, *others)]
                result = None
                for operator, x, y in zip(operators, values, values[1:], strict=False):
                    match operator:
                        case ast.Lt() | ast.Gt():
                            one = less(x, y) if isinstance(operator, ast.Lt) else less(y, x)
                        case ast.LtE() | ast.GtE():
                            one = less_equal(x, y) if isinstance(operator, ast.LtE) else less_equal(y, x)
                        case _:
                            raise self.error(words.Said("a condition compares with <, <=, > or >="), node)
                    result = one if result is None else both(result, one)
                return result
            case ast.BoolOp(op=operator, values=parts):
                conditions = [self.condition(part, depth + 1) for part in parts]
                join = both if isinstance(operator, ast.And) else either
                result = conditions[0]
                for more in conditions[1:]:
                    result = join(result, more)
                return result
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return negation(self.condition(operand, depth + 1))
        raise self.error(words.Said("a condition is a comparison such as x > 0"), node)
