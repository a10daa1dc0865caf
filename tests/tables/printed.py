"""Printed formulas read back: a parser of the signs of mathematics that a listing uses, which computes as it reads."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

TOKENS = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?|∞|½)|(?P<name>π|[^\W\d½²³][^\W½²³]*)|(?P<sign>mean|[^\s\w]|[²³]))"
)
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "ln": np.log, "log": np.log, "tanh": np.tanh, "cosh": np.cosh, "sinh": np.sinh, "sin": np.sin, "cos": np.cos,
    "arctan": np.arctan, "sign": np.sign, "erf": special.erf, "σ": special.expit, "Φ": special.ndtr,
    "φ": lambda x: np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), "min": np.minimum, "max": np.maximum,
    "√": np.sqrt, "arctan2": np.arctan2, "floor": np.floor, "ceil": np.ceil, "round": np.round, "mod": np.mod,
    "pow": np.power,
}  # fmt: skip
NUMBERS = {"∞": np.inf, "½": 0.5}
COMPARISONS = {
    "<": np.less, "≤": np.less_equal, ">": np.greater, "≥": np.greater_equal, "=": np.equal, "≠": np.not_equal,
}  # fmt: skip


class Unreadable(Exception):
    """Not in the signs that are understood."""


class Transposed:
    """xᵀ, a factor of a matrix product."""

    def __init__(self, x: Any) -> None:
        self.x = x


class Matrix(np.ndarray):
    """What isn't per row and has two axes: a factor of a matrix product."""


def product(x: Any, y: Any) -> Any:
    if isinstance(x, Transposed):
        return x.x.reshape(-1, x.x.shape[-1]).T @ np.asarray(y).reshape(-1, y.shape[-1])
    if isinstance(y, Transposed):
        return np.asarray(x) @ np.asarray(y.x).T
    if isinstance(y, Matrix) and np.ndim(x) and np.ndim(y) == 2:
        return np.asarray(x) @ np.asarray(y)
    return x * y


class Reader:
    """Computes one expression. `value` gives the value of a name, `total` that of Σ, `mean` that of mean."""

    def __init__(self, text: str, value: Callable[[str], Any], total: Callable, mean: Callable) -> None:
        self.tokens, place = [], 0
        while place < len(text.rstrip()):
            found = TOKENS.match(text, place)
            if found is None:
                raise Unreadable(text[place:])
            self.tokens.append(found.group().strip())
            place = found.end()
        self.place, self.value, self.total, self.mean = 0, value, total, mean

    def all(self) -> Any:
        result = self.choice()
        if self.next is not None:
            raise Unreadable(" ".join(self.tokens[self.place :]))
        return result

    @property
    def next(self) -> str | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def take(self, *wanted: str) -> str | None:
        if self.next in wanted:
            self.place += 1
            return self.tokens[self.place - 1]
        return None

    def need(self, sign: str) -> None:
        if not self.take(sign):
            raise Unreadable(f"{sign} is missing before {self.next}")

    def choice(self) -> Any:
        condition = self.either()
        if not self.take("?"):
            return condition
        x = self.choice()
        self.need(":")
        return np.where(condition, x, self.choice())

    def either(self) -> Any:
        result = self.both()
        while self.take("or"):
            result = np.logical_or(result, self.both())
        return result

    def both(self) -> Any:
        result = self.contrary()
        while self.take("and"):
            result = np.logical_and(result, self.contrary())
        return result

    def contrary(self) -> Any:
        return np.logical_not(self.contrary()) if self.take("not") else self.comparison()

    def comparison(self) -> Any:
        left = self.sum()
        result = None
        while sign := self.take(*COMPARISONS):
            right = self.sum()
            one = COMPARISONS[sign](left, right)
            result, left = one if result is None else np.logical_and(result, one), right
        return left if result is None else result

    def sum(self) -> Any:
        result = self.product()
        while sign := self.take("+", "−"):
            term = self.product()
            result = result + term if sign == "+" else result - term
        return result

    def product(self) -> Any:
        result = self.signed()
        while sign := self.take("·", "/"):
            factor = self.signed()
            result = product(result, factor) if sign == "·" else result / factor
        return result

    def signed(self) -> Any:
        if self.take("−"):
            return -self.signed()
        if self.take("Σ"):
            over_rows = self.words("over", "rows", "of")
            return self.total(self.product(), over_rows)
        if self.take("mean"):
            over_rows = self.words("over", "rows", "of")
            return self.mean(self.product(), over_rows)
        return self.power()

    def words(self, *words: str) -> bool:
        if self.next != words[0]:
            return False
        for word in words:
            self.need(word)
        return True

    def power(self) -> Any:
        exponential = self.next == "e" and self.tokens[self.place + 1 : self.place + 2] == ["^"]
        result = np.e if exponential and self.take("e") else self.atom()
        while sign := self.take("²", "³", "^"):
            if sign == "^":
                negative = self.take("−")
                exponent = self.power()
                result = np.power(result, -exponent if negative else exponent)
            else:
                result = result ** "  ²³".index(sign)
        return result

    def atom(self) -> Any:
        token = self.next
        if token is None:
            raise Unreadable("it ends too soon")
        self.place += 1
        if token == "(":
            return self.closed(self.choice(), ")")
        if token == "[":
            return self.closed(self.choice(), "]") * 1.0
        if token == "|":
            return np.abs(self.closed(self.sum(), "|"))
        if token in NUMBERS or token[0].isdecimal():
            return NUMBERS.get(token) or float(token)
        if token not in FUNCTIONS:
            return self.part(self.value(token))
        if not self.take("("):
            return FUNCTIONS[token](self.atom())
        arguments = [self.choice()]
        while self.take(","):
            arguments.append(self.choice())
        return self.closed(FUNCTIONS[token](*arguments), ")")

    def part(self, x: Any) -> Any:
        """x, or x[2:5]ᵀ, some rows of a matrix."""
        if not self.take("["):
            return x
        first = int(self.tokens[self.place])
        self.place += 1
        self.need(":")
        rows = slice(first, int(self.tokens[self.place]))
        self.place += 1
        self.need("]")
        self.need("ᵀ")
        return Transposed(x[rows])

    def closed(self, result: Any, sign: str) -> Any:
        self.need(sign)
        return result


def pieces(formula: str) -> list[tuple[str, str, str]]:
    """(name, "=" or "+=", expression) for each equation of a formula, and for each part that it names."""
    result, depth, start = [], 0, 0
    formula = re.sub(r"  \(for all .*?\)", "", formula).replace(" with ", ", ")
    for place, letter in enumerate(formula + ","):
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            left, sign, right = formula[start:place].partition("= ")
            if not sign:
                raise Unreadable(formula[start:place])
            how = left[-1] if left[-1] in "+−" else ""
            result.append((left.strip("+− "), f"{how}=", right))
            start = place + 1
    return result
