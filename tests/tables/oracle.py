"""Formulas as SymPy expressions: an independent word on values and derivatives, in any precision."""

import ast

import sympy as sp
from mpmath import mp


class Where(sp.Function):
    """A choice, whose pieces have derivatives of their own. SymPy's Piecewise takes its time to solve conditions."""

    def _eval_derivative(self, s):
        condition, x, y = self.args
        return Where(condition, x.diff(s), y.diff(s))


LESS, LESS_EQUAL, AND, OR, NOT = map(sp.Function, ("LESS", "LESS_EQUAL", "AND", "OR", "NOT"))
CODE = {
    "Where": lambda condition, x, y: x if condition else y,
    "LESS": lambda x, y: x < y,
    "LESS_EQUAL": lambda x, y: x <= y,
    "AND": lambda *parts: all(parts),
    "OR": lambda *parts: any(parts),
    "NOT": lambda part: not part,
}


def above(x, y):
    return LESS(y, x)


def log1p(u):
    return sp.log(1 + u)


def sigmoid(u):
    return 1 / (1 + sp.exp(-u))


def softplus(u):
    return sp.log(1 + sp.exp(u))


def normal(u):
    return (1 + sp.erf(u / sp.sqrt(2))) / 2


def mish_gate_slope(u):
    return (1 - sp.tanh(softplus(u)) ** 2) * sigmoid(u)


FUNCTIONS = {
    "exp": sp.exp, "log": sp.log, "log1p": log1p, "sin": sp.sin, "cos": sp.cos, "tan": sp.tan, "sqrt": sp.sqrt,
    "arctan": sp.atan, "atan": sp.atan, "sinh": sp.sinh, "cosh": sp.cosh, "tanh": sp.tanh, "erf": sp.erf,
    "sigmoid": sigmoid, "softplus": softplus, "normal": normal, "mish_gate_slope": mish_gate_slope,
    "expm1": lambda u: sp.exp(u) - 1,
    "square": lambda u: u**2,
    "pow": lambda u, v: u**v,
    "normal_density": lambda u: sp.exp(-(u**2) / 2) / sp.sqrt(2 * sp.pi),
    "logcosh": lambda u: sp.log(sp.cosh(u)),
    "tanh_shrink": lambda u: u - sp.tanh(u),
    "mish_gate": lambda u: sp.tanh(softplus(u)),
    "relu": lambda u: Where(above(u, 0), u, sp.S.Zero),
    "abs": lambda u: Where(above(u, 0), u, -u),
    "sign": lambda u: Where(above(u, 0), sp.S.One, Where(LESS(u, 0), -sp.S.One, sp.S.Zero)),
    "where": Where,
}  # fmt: skip
COMPARISONS = {ast.Lt: LESS, ast.LtE: LESS_EQUAL, ast.Gt: above, ast.GtE: lambda x, y: LESS_EQUAL(y, x)}
ARITHMETIC = {
    ast.Add: lambda x, y: x + y,
    ast.Sub: lambda x, y: x - y,
    ast.Mult: lambda x, y: x * y,
    ast.Div: lambda x, y: x / y,
    ast.Pow: lambda x, y: x**y,
}


def expression(text, names):
    """A text, with an expression for each of its names."""

    def of(e):
        match e:
            case ast.Constant(value=n):
                return sp.Rational(repr(n))
            case ast.Name(id=name):
                return names[name] if name in names else {"pi": sp.pi, "e": sp.E}[name]
            case ast.UnaryOp(op=op, operand=x):
                return {ast.USub: lambda u: -u, ast.UAdd: lambda u: u, ast.Not: NOT}[type(op)](of(x))
            case ast.BinOp(left=x, op=op, right=y):
                return ARITHMETIC[type(op)](of(x), of(y))
            case ast.IfExp(test=test, body=x, orelse=y):
                return Where(of(test), of(x), of(y))
            case ast.BoolOp(op=op, values=parts):
                return (AND if isinstance(op, ast.And) else OR)(*map(of, parts))
            case ast.Compare(left=x, ops=ops, comparators=others):
                sides = [of(side) for side in (x, *others)]
                return AND(*(COMPARISONS[type(op)](*pair) for op, *pair in zip(ops, sides, sides[1:], strict=False)))
            case ast.Call(func=ast.Name(id="max" | "min" as name), args=arguments):
                first, *rest = map(of, arguments)
                for other in rest:
                    first = Where((above if name == "max" else LESS)(first, other), first, other)
                return first
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return FUNCTIONS[name](*map(of, arguments))
        raise TypeError(ast.unparse(e))

    return of(ast.parse(text, mode="eval").body)


def symbol(name):
    return sp.Symbol(name, real=True)


def numbers(expressions, symbols, at, digits=40):
    """The values of expressions at points, tuples of the symbols' numbers; None where one isn't finite and real."""
    compute = sp.lambdify(symbols, expressions, [CODE, "mpmath"])
    for point in at:
        with mp.workdps(digits):
            try:
                values = [mp.mpmathify(v) for v in compute(*map(mp.mpf, point))]
            except (ArithmeticError, ValueError, TypeError):  # TypeError: compares a complex number
                values = [mp.nan]
            real = all(mp.isfinite(v) and abs(mp.im(v)) < 1e-25 * (1 + abs(v)) for v in values)
            yield [mp.re(v) for v in values] if real else None
