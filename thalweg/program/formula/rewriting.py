"""Users' formulas in better forms: the same functions, shorter, faster, and without overflow or cancellation."""

from __future__ import annotations

import ast
import math
from fractions import Fraction

from thalweg.program.formula.collecting import Product, Sum, call, constant, exact, folded, is_sum, key, parted, times
from thalweg.program.formula.collecting import operations as size
from thalweg.program.formula.derivatives import of
from thalweg.program.formula.language import CONSTANTS, names_in, of_text
from thalweg.program.formula.simplify import number, rebuilt, truth

ONE = Fraction(1)
ODD = ("sin", "arctan", "sinh", "tanh", "erf", "sign")  # f(−x) = −f(x)
EVEN = ("cos", "cosh", "abs", "logcosh")  # f(−x) = f(x)
KEEPING_SIGN = ("expm1", "tanh", "sinh", "arctan", "erf")  # f(x) > 0 where x > 0, f(x) < 0 where x < 0
COMPOSED = {  # a function of a function of x → the same without the large or tiny numbers between
    ("log", "exp"): "x",
    ("log", "cosh"): "logcosh(x)",
    ("log", "sigmoid"): "-softplus(-x)",
    ("tanh", "softplus"): "mish_gate(x)",
}
MOST_TERMS = 6  # of a sum from which common factors are taken
LONGEST_VALUE = 30  # operations of a value by which its slope may be written
RANGE = 10**30  # numbers between this and its inverse are taken out of powers


def name_of(e: ast.expr) -> str:
    """The name of the function that is called; "" for what is no call."""
    return key(e.func) if isinstance(e, ast.Call) else ""


def argument(e: ast.expr, *names: str) -> ast.expr | None:
    """The first argument of a call of one of these functions; None for what is no such call."""
    return e.args[0] if isinstance(e, ast.Call) and name_of(e) in names else None


class Forms:
    """Turns expressions into their better forms, from the innermost parts outwards.

    value: an expression in whose place the name a stands. shorter: common factors are taken out of sums.

    Raises:
        ArithmeticError: a part has no finite real value.
    """

    def __init__(self, value: ast.expr | None = None, shorter: bool = False) -> None:
        self.value, self.shorter = value, shorter
        self.known: dict[int, tuple[ast.expr, ast.expr]] = {}  # by id: an expression, which is kept so, and its form

    def better(self, e: ast.expr) -> ast.expr:
        if id(e) not in self.known:
            result = self.by_value(self.form(e))
            self.known |= {id(part): (part, result) for part in (e, result)}
        return self.known[id(e)][1]

    def form(self, e: ast.expr) -> ast.expr:
        match e:
            case ast.Constant() if (n := number(e)) is not None:
                return constant(n)
            case ast.Name(id=name):
                return constant(CONSTANTS[name]) if name in CONSTANTS else e
            case ast.BinOp(left=x, op=ast.Add() | ast.Sub() as op, right=y):
                return self.sum(Sum().add(self.better(x)).add(self.better(y), 1 if isinstance(op, ast.Add) else -1))
            case ast.BinOp(left=x, op=ast.Mult() | ast.Div() as op, right=y):
                factor = self.better(y) if isinstance(op, ast.Mult) else self.power(self.better(y), -ONE)
                return self.product(Product.of(self.better(x)).multiply(factor))
            case ast.UnaryOp(op=ast.USub(), operand=x):
                return self.product(Product.of(self.better(x), -1))
            case ast.BinOp(left=x, op=ast.Pow(), right=y):
                base, exponent = self.better(x), self.better(y)
                if (n := number(exponent)) is not None:
                    return self.power(base, exact(n))
                at_e = key(base) == key(constant(math.e))
                return self.call("exp", exponent) if at_e else ast.BinOp(base, ast.Pow(), exponent)
            case ast.Call(func=ast.Name(id="where"), args=[test, x, y]):
                test, x, y = self.condition(test), self.better(x), self.better(y)
                holds = True if key(x) == key(y) else truth(test)
                return call("where", test, x, y) if holds is None else x if holds else y
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self.call(name, *map(self.better, arguments))
        raise TypeError(f"not part of a formula: {ast.unparse(e)}")

    def condition(self, e: ast.expr) -> ast.expr:
        match e:
            case ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
                return rebuilt(e, self.condition)
            case ast.Compare(left=x, ops=ops, comparators=others):
                sides = [self.better(side) for side in (x, *others)]
                sides = [bare(side) for side in sides] if 0 in map(number, sides) else sides
                return ast.Compare(sides[0], ops, sides[1:])
        raise TypeError(f"not a condition: {ast.unparse(e)}")

    # --- sums and products ---------------------------------------------------------------------------------------

    def sum(self, s: Sum) -> ast.expr:
        result = self.with_number(s)
        return self.factored(s, result) if self.shorter and 1 < len(s.terms) + bool(s.number) <= MOST_TERMS else result

    def with_number(self, s: Sum) -> ast.expr:
        """c·eᵘ − c as c·expm1(u) and back; c ± c·erf(u) as 2c·Φ(±√2·u); c ± c·tanh(u) as 2c·σ(±2u)."""
        c = s.number
        for place, (f, factor) in s.terms.items() if c else ():
            u, name = argument(f, "exp", "expm1", "erf", "tanh"), name_of(f)
            if u is None or abs(factor) != abs(c):
                continue
            if name in ("exp", "expm1"):
                if factor != (c if name == "expm1" else -c):
                    continue
                f = self.call("exp" if name == "expm1" else "expm1", u)
            else:
                u = times(factor / c, by_root(u) if name == "erf" else times(2, u))
                f, factor = self.call("normal" if name == "erf" else "sigmoid", u), 2 * c
            others = {k: part for k, part in s.terms.items() if k != place}
            return Sum(Fraction(0), others).add(f, factor).written()
        return s.written()

    def factored(self, s: Sum, plain_form: ast.expr) -> ast.expr:
        """The shortest form of a sum: as it is, or with powers that its terms share taken out of it."""
        terms = [Product.of(e, c) for e, c in s.terms.values()] + [Product(s.number)] * bool(s.number)
        found = {k: base for p in terms for k, (base, _) in p.factors.items()}
        exponents = {k: sorted(p.factors[k][1] if k in p.factors else Fraction(0) for p in terms) for k in found}
        shared = {k: n for k, n in exponents.items() if n.count(Fraction(0)) < len(terms) - 1}
        outwards = {k: n[0] if n[0] > 0 else n[-1] for k, n in shared.items() if n[0] > 0 or n[-1] < 0}
        lowest = {k: n[0] for k, n in shared.items() if n[0]}
        factor = terms[0].number if len({abs(p.number) for p in terms}) == 1 else ONE
        forms = [plain_form]
        for common in (outwards, lowest) if lowest != outwards else (lowest,):  # (1 + 1/u)/u, or (u + 1)/u²
            if common or factor not in (1, -1):
                inner, outer = Sum(), Product(factor, {k: (found[k], n) for k, n in common.items()})
                for p in terms:
                    rest = Product(p.number / factor, dict(p.factors))
                    for k, n in common.items():
                        rest.raise_by(found[k], -n)
                    inner.add(self.product(rest))
                forms.append(self.product(outer.multiply(self.with_number(inner))))
        return min(forms, key=size)

    def product(self, p: Product) -> ast.expr:
        if not p.number:
            return constant(0)
        for base, n in p.factors.values():
            if (found := self.replacement(p, base, n)) is not None:
                new, gone = found
                for other, m in gone:
                    p.raise_by(other, -m)
                return self.product(p.multiply(new))
        match [*p.factors.values()]:
            case [(ast.Call(func=ast.Name(id="where"), args=[test, x, y]), n)] if n == 1 and p.number != 1:
                return call("where", test, *(self.product(Product.of(piece, p.number)) for piece in (x, y)))
        if not self.shorter:
            return p.written()
        result = Product(p.number, dict(sorted(p.factors.items(), key=lambda item: size(item[1][0])))).written()
        return min(result, Sum().add(result).written(), key=size)  # 3·(1 + a/3) is 3 + a

    def replacement(
        self, p: Product, base: ast.expr, n: Fraction
    ) -> tuple[ast.expr, list[tuple[ast.expr, Fraction]]] | None:
        """Another form of one or two factors of a product, of which the first is baseⁿ, and these."""
        u, name = argument(base, "exp", "sign", "sinh"), name_of(base)
        if u is None:
            if n < 0 and n.denominator == 1 and is_sum(base):
                s = Sum().add(base)
                (f, c), *others = s.terms.values()
                if not others and c == s.number and (u := argument(f, "exp")) is not None:  # 1/(1 + eᵘ) = σ(−u)
                    return times(c ** int(n), self.power(self.call("sigmoid", times(-1, u)), -n)), [(base, n)]
            return None
        for other, m in p.factors.values():
            v, both = argument(other, "exp", "sigmoid"), [(base, n), (other, m)]
            if name == "exp" and v is not None and other is not base:
                s = Sum().add(u, n).add(v, m)
                if name_of(other) == "exp":  # eᵘ·eᵛ
                    return self.call("exp", s.written()), both
                if m > 0 and not s.number and not s.terms:  # eᵘ·σ(−u) = σ(u)
                    return self.power(self.call("sigmoid", times(-1, v)), m), both
            if name == "sign" and n == m == 1 and key(other) == key(u):  # u·sign(u)
                return self.call("abs", u), both
            if name == "sinh" and n == -m and key(other) == key(call("cosh", u)):
                return self.power(self.call("tanh", u), n), both
        return (self.call("exp", times(n, u)), [(base, n)]) if name == "exp" and n != 1 else None

    def power(self, e: ast.expr, n: Fraction) -> ast.expr:
        p, whole = Product.of(e), n.denominator == 1
        if n in (0, 1):
            return e if n else constant(1)
        if (u := argument(e, "exp")) is not None:
            return self.call("exp", times(n, u))
        if not p.factors:
            return constant(p.number ** int(n)) if whole else folded(ast.BinOp(e, ast.Pow(), constant(n)))
        exponents = [m for _, m in p.factors.values()]
        root = p.number == 1 and len(exponents) == 1 and exponents[0].denominator > 1  # √u has u ≥ 0
        if root or n == -1 or (whole and 1 <= abs(p.number ** int(n)) * RANGE <= RANGE**2):
            return self.product(Product(p.number ** int(n), {k: (base, m * n) for k, (base, m) in p.factors.items()}))
        if p.number > 0 and not whole and all(m.denominator == 1 and m % 2 == 0 for m in exponents):
            result = Product.of(folded(ast.BinOp(constant(p.number), ast.Pow(), constant(n))))
            for base, m in p.factors.values():
                result.raise_by(self.call("abs", base), m * n)
            return self.product(result)
        return Product(ONE, {key(e): (e, n)}).written()

    # --- functions -----------------------------------------------------------------------------------------------

    def call(self, name: str, x: ast.expr, *others: ast.expr) -> ast.expr:
        plain_form = call(name, x, *others)
        factor, rest = parted(x)
        if None not in map(number, (x, *others)):
            return folded(plain_form)
        if (name, name_of(x)) in COMPOSED:
            return self.better(of_text(COMPOSED[name, name_of(x)], {"x": x.args[0]}))  # type: ignore[attr-defined]
        if name == "sqrt":
            return self.power(x, Fraction(1, 2))
        if name == "abs" and all(n.denominator == 1 and n % 2 == 0 for _, n in Product.of(rest).factors.values()):
            return times(abs(factor), rest)
        if name in ("abs", "sign") and factor != 1:
            return times(abs(factor) if name == "abs" else factor / abs(factor), self.call(name, rest))
        if name in ODD + EVEN and factor < 0:
            return times(-1 if name in ODD else 1, self.call(name, times(-1, x)))
        if name == "exp" and (u := argument(rest, "log")) is not None:
            return self.power(u, factor)
        if name == "log" and is_sum(x) and not (s := Sum(-ONE).add(x)).number:
            rest = self.sum(s)
            u = argument(rest, "exp")
            return self.call("log1p", rest) if u is None else self.call("softplus", u)
        return plain_form

    def by_value(self, e: ast.expr) -> ast.expr:
        """An expression with powers of `value`, up to a factor, as powers of the name a."""
        if self.value is None or isinstance(e, ast.Name | ast.Constant):
            return e
        p, value = Product.of(e), Product.of(self.value)
        n, *others = {p.factors.get(k, (base, Fraction(0)))[1] / m for k, (base, m) in value.factors.items()}
        own = value.factors.get(key(e), (e, ONE))[1]
        if others or n == 0 or n.denominator > 1 or own != 1:  # the u of √u stays
            return e
        for base, m in value.factors.values():
            p.raise_by(base, -n * m)
        p.raise_by(ast.Name("a"), n)
        return self.product(Product(p.number / value.number ** int(n), p.factors))


def by_root(u: ast.expr) -> ast.expr:
    """√2·u, so that √2·(x/√2) is x again."""
    n, rest = parted(u)
    product = math.sqrt(2) * float(n)
    rounded = float(f"{product:.14g}")
    return times(exact(rounded if math.isclose(product, rounded, rel_tol=1e-15) else product), rest)


def bare(e: ast.expr) -> ast.expr:
    """An expression with the sign of e: u for c·tanh(u), c > 0; otherwise e itself."""
    factor, f = parted(e)
    u = argument(f, *KEEPING_SIGN)
    if factor > 0 and isinstance(f, ast.Name):
        return f
    return e if factor <= 0 or u is None else bare(u)


# --- slopes ----------------------------------------------------------------------------------------------------------


def slope_of(e: ast.expr, name: str, forms: Forms) -> ast.expr:
    """∂e/∂name, in better form."""
    return forms.better(of(e, {name: constant(1)}))


def from_value(e: ast.expr, name: str) -> ast.expr | None:
    """The slope in terms of the value a alone, if possible: 1 − a² for tanh(h), [a > 0] for max(h, 0)."""
    if isinstance(e, ast.Name) or size(e) > LONGEST_VALUE:
        return None
    slope = slope_of(e, name, Forms(e, shorter=True))
    return pieces_from_value(e, name) if "h" in names_in(slope) else slope


def pieces_from_value(e: ast.expr, name: str) -> ast.expr | None:
    """The slope of a `where` on the sign of h whose pieces keep that sign: the value then shows which piece applies."""
    h, a, zero = ast.Name("h"), ast.Name("a"), constant(0)
    if key(e) == key(call("max", h, zero)):
        e = call("where", ast.Compare(h, [ast.Gt()], [zero]), h, zero)
    match e:
        case ast.Call(func=ast.Name(id="where"), args=[ast.Compare(left=x, ops=[op], comparators=[y]), first, second]):
            if {key(x), key(y)} != {"h", "0"}:
                return None
            # Where h > 0 strictly, a second piece that is 0 can be told from the first.
            told = number(second) == 0 and isinstance(op, ast.Gt if key(x) == "h" else ast.Lt)
            one, other = of_sign(first, name), zero if told else of_sign(second, name)
            x, y = (a if key(side) == "h" else zero for side in (x, y))
            if one is not None and other is not None:
                return Forms().better(call("where", ast.Compare(x, [op], [y]), one, other))
    return None


def of_sign(piece: ast.expr, name: str) -> ast.expr | None:
    """The slope of c·h or c·f(h), c > 0 and f(h) with the sign of h, from its value; None for others."""
    slope = slope_of(piece, name, Forms(piece, shorter=True)) if key(bare(piece)) == "h" else None
    return None if slope is None or "h" in names_in(slope) else slope
