"""Graphs as lines of Python that call NumPy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.program.graphs.sizes import of_rows
from thalweg.program.graphs.traced_values import Shape, Value, walk
from thalweg.program.ir.instruction import Buffer

WIDTH = 100  # letters of an expression, more or less; longer ones are divided
SHOWN = 16  # elements of a constant that is written out; larger ones are kept with the weights
BINARY = {
    "power": ("**", 9), "multiply": ("*", 7), "divide": ("/", 7), "matmul": ("@", 7), "remainder": ("%", 7),
    "floor_divide": ("//", 7), "add": ("+", 6), "subtract": ("-", 6),
    "right_shift": (">>", 5), "left_shift": ("<<", 5),
    "bitwise_and": ("&", 4), "bitwise_xor": ("^", 3), "bitwise_or": ("|", 2),
    "equal": ("==", 1), "not_equal": ("!=", 1), "less": ("<", 1), "less_equal": ("<=", 1),
    "greater": (">", 1), "greater_equal": (">=", 1),
}  # fmt: skip
"""Python's operators, and how closely they bind."""
UNARY, ATOM = 8, 10
REDUCTIONS = ("sum", "prod", "max", "min", "any", "all", "argmax", "argmin")
Text = tuple[str, int]  # an expression, and how closely its outermost operator binds


class Expressions:
    """Base of what writes values as expressions; these call NumPy, where a subclass has nothing else.

    names: of the arrays that are given.
    kept: large constants by name, which the file has to define; it grows.
    """

    def __init__(self, names: Mapping[Buffer, str], kept: dict[str, np.ndarray[Any, Any]]) -> None:
        self.names, self.kept = names, kept
        self.views = {(b.storage, b.shape): name for b, name in names.items() if b.view_of is not None}
        self.known: dict[Value, str] = {}  # values that have a name by now
        self.temporaries = 0
        self.lengths: dict[Value, int] = {}

    def lines(self, results: Sequence[tuple[Buffer, Value]]) -> Iterator[tuple[str | Buffer, Value]]:
        """What is computed, in order: names of parts, or the arrays that become something, with their values.

        A part has a name if several others need it, or if it is long. An array that becomes something keeps its old
        elements for those that still read them.
        """
        values = walk([value for _, value in results])
        uses = Counter(o for v in values for o in v.operands)
        final: dict[Value, list[Buffer]] = {}
        for buffer, value in results:
            final.setdefault(value, []).append(buffer)
        later: list[tuple[Buffer, Value]] = []
        units = [v for v in values if v in final or (not trivial(v) and (uses[v] > 1 or self.long(v, uses)))]
        own = set(units)
        for k, v in enumerate(units):
            read = {b.storage for other in units[k + 1 :] for b in leaves(other, own)}
            ready = [b for b in final.get(v, ()) if b.storage not in read]
            later += [(b, v) for b in final.get(v, ()) if b.storage in read]
            if v not in final or (len(ready) < len(final[v]) and not trivial(v)):
                self.temporaries += 1
                yield (name := f"t{self.temporaries}"), v
                self.known[v] = name
            for buffer in ready:
                yield buffer, v
                self.known.setdefault(v, self.names[buffer])
        yield from later

    def long(self, v: Value, uses: Counter[Value]) -> bool:
        """Whether the expression of a value is better divided. It is asked of operands first."""
        own = sum(self.lengths.get(o, 0) for o in v.operands if uses[o] == 1 or trivial(o))
        length = own + len(v.function) + 4 * (1 + len(v.operands))
        self.lengths[v] = 0 if length > WIDTH else length
        return length > WIDTH

    def text(self, v: Value) -> Text:
        """A value as an expression."""
        if v in self.known:
            return self.known[v], ATOM
        if v.function in BINARY:
            return self.binary(v)
        if v.function in ("negative", "invert"):
            return ("-" if v.function == "negative" else "~") + self.inner(v.operands[0], UNARY), UNARY
        own = getattr(self, f"_{v.function}", None)
        if own is not None:
            result: Text | str = own(v, v.options)
            return result if isinstance(result, tuple) else (result, ATOM)
        if v.function in REDUCTIONS:
            return self.reduction(v), ATOM
        return self.call(v), ATOM

    def call(self, v: Value) -> str:
        """A value for which there is nothing else: a function by its name."""
        return f"np.{v.function}({', '.join(self.text(o)[0] for o in v.operands)})"

    def inner(self, v: Value, binding: int) -> str:
        """An operand, in parentheses if its operator binds less closely."""
        text, own = self.text(v)
        return text if own >= binding else f"({text})"

    def binary(self, v: Value) -> Text:
        sign, binding = BINARY[v.function]
        one, other = v.operands
        power = v.function == "power"
        left = self.inner(one, binding + (power or binding == 1))
        right = self.inner(other, binding + (not power))
        return f"{left} {sign} {right}" if not power else f"{left}**{right}", binding

    def reduction(self, v: Value) -> str:
        axis: Any = v.options["axis"]
        every = len(axis) == v.operands[0].ndim
        told = [] if every else [f"axis={axis[0] if len(axis) == 1 else axis}"]
        told += ["keepdims=True"] * v.options["keepdims"]
        return f"{self.inner(v.operands[0], ATOM)}.{v.function}({', '.join(told)})"

    def view_of(self, buffer: Buffer, shape: Shape) -> str:
        """The name that an array has under another shape; "" if it has none."""
        return self.views.get((buffer, shape[buffer.per_row :]), "")

    def shape(self, shape: Shape) -> str:
        return tupled(map(str, shape))

    def _name(self, v: Value, options: Mapping[str, Any]) -> str:
        return self.names[options["buffer"]]

    def _constant(self, v: Value, options: Mapping[str, Any]) -> Text:
        elements = options["elements"]
        if not elements.ndim:
            return number(elements[()])
        if elements.size <= SHOWN:
            return f"np.array({listed(elements)}, np.{v.dtype.name})", ATOM
        for name, other in self.kept.items():
            if other.dtype == elements.dtype and np.array_equal(other, elements, equal_nan=v.dtype.kind == "f"):
                return name, ATOM
        name = f"constant{len(self.kept) + 1}"
        self.kept[name] = elements
        return name, ATOM

    def _rows(self, v: Value, options: Mapping[str, Any]) -> str:
        return "rows"

    def _size(self, v: Value, options: Mapping[str, Any]) -> str:
        return f"({options['size']})"

    def _step(self, v: Value, options: Mapping[str, Any]) -> str:
        return "iteration" if options["name"] == "update" else str(options["name"])

    def _drawn(self, v: Value, options: Mapping[str, Any]) -> str:
        return f"uniform(SEED, iteration, {options['stream']}, {self.shape(v.shape)})"

    def _arange(self, v: Value, options: Mapping[str, Any]) -> str:
        return f"np.arange({v.shape[0]})"

    def _astype(self, v: Value, options: Mapping[str, Any]) -> Text:
        (x,) = v.operands
        if "weak" in x.options:  # a number, which takes the type of the arrays beside it
            return self.text(x)
        return f"{self.inner(x, ATOM)}.astype(np.{v.dtype.name})", ATOM

    def _reshape(self, v: Value, options: Mapping[str, Any]) -> str:
        (x,) = v.operands
        if x.function == "name" and self.view_of(x.options["buffer"], v.shape):
            return self.view_of(x.options["buffer"], v.shape)
        told = ", ".join("-1" if of_rows(n) else str(n) for n in v.shape)
        return f"{self.inner(v.operands[0], ATOM)}.reshape({told or '()'})"

    def _transpose(self, v: Value, options: Mapping[str, Any]) -> str:
        axes, x = options["axes"], self.inner(v.operands[0], ATOM)
        return f"{x}.T" if axes == tuple(range(len(axes)))[::-1] else f"{x}.transpose{axes}"

    def _slice(self, v: Value, options: Mapping[str, Any]) -> str:
        (x,) = v.operands
        parts = [
            sliced(start, step, count, whole)
            for start, step, count, whole in zip(options["starts"], options["steps"], v.shape, x.shape, strict=True)
        ]
        while parts[-1] == ":":
            parts.pop()
        return f"{self.inner(x, ATOM)}[{', '.join(parts)}]"

    def _pad(self, v: Value, options: Mapping[str, Any]) -> str:
        told = f", constant_values={number(options['value'])[0]}" if options["value"] else ""
        return f"np.pad({self.text(v.operands[0])[0]}, {options['widths']}{told})"

    def _concatenate(self, v: Value, options: Mapping[str, Any]) -> str:
        return f"np.concatenate([{', '.join(self.text(o)[0] for o in v.operands)}], axis={options['axis']})"

    def _take(self, v: Value, options: Mapping[str, Any]) -> str:
        x, places = self.text(v.operands[0])[0], self.text(v.operands[1])[0]
        return f"np.take({x}, {places}, axis={options['axis']})"

    def _take_along_axis(self, v: Value, options: Mapping[str, Any]) -> str:
        x, places = self.text(v.operands[0])[0], self.text(v.operands[1])[0]
        return f"np.take_along_axis({x}, {places}, axis={options['axis']})"

    def _broadcast_to(self, v: Value, options: Mapping[str, Any]) -> str:
        return f"np.broadcast_to({self.text(v.operands[0])[0]}, {self.shape(v.shape)})"

    def _along(self, v: Value, options: Mapping[str, Any]) -> str:
        return f"np.{v.function}({self.text(v.operands[0])[0]}, axis={options['axis']})"

    _cumsum = _cumprod = _sort = _argsort = _along

    def _bincount(self, v: Value, options: Mapping[str, Any]) -> str:
        places, weights = (self.text(o)[0] for o in v.operands)
        return f"np.bincount({places}, {weights}, minlength={v.shape[0]})"

    def _erf(self, v: Value, options: Mapping[str, Any]) -> str:
        return f"{v.function}({self.text(v.operands[0])[0]})"

    _ndtr = _erf


def one_line(text: str) -> str:
    """A text for people as a comment, or in a docstring, which it can't end: a table's header may hold anything."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown.replace("\\", "/").replace('"', "'")


def trivial(v: Value) -> bool:
    """Whether a value may be written wherever it is used."""
    if v.function in ("reshape", "transpose", "astype"):
        return trivial(v.operands[0]) and (v.function != "astype" or "weak" in v.operands[0].options)
    return v.function in ("name", "rows", "step") or (v.function == "constant" and not v.shape)


def sliced(start: int, step: int, count: int, whole: int) -> str:
    """The part of an axis that is taken."""
    if (start, step, count) == (0, 1, whole):
        return ":"
    if step < 0:
        end = start + step * count
        return f"{'' if start == whole - 1 else start}:{'' if end < 0 else end}:{step}"
    end = start + step * (count - 1) + 1
    return f"{start or ''}:{'' if end == whole else end}{f':{step}' if step != 1 else ''}"


def tupled(parts: Iterator[str]) -> str:
    texts = list(parts)
    return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"


def number(x: Any) -> Text:
    """A number of a constant, as short as it is read back."""
    if x.dtype.kind == "b" if hasattr(x, "dtype") else isinstance(x, bool):
        return str(bool(x)), ATOM
    if np.isnan(x):
        return "np.nan", ATOM
    if np.isinf(x):
        return ("np.inf", ATOM) if x > 0 else ("-np.inf", UNARY)
    text = str(x)
    text = text[:-2] if text.endswith(".0") and "e" not in text else text
    return text, UNARY if text[0] == "-" else ATOM


def listed(elements: np.ndarray[Any, Any]) -> str:
    """An array as nested lists."""
    if not elements.ndim:
        return number(elements[()])[0]
    return f"[{', '.join(listed(e) for e in elements)}]"


def leaves(value: Value, units: set[Value]) -> set[Buffer]:
    """The arrays that the expression of a value reads, in which other units are names."""
    found, waiting, seen = set[Buffer](), list(value.operands), set[Value]()
    while waiting:
        v = waiting.pop()
        if v.function == "name":
            found.add(v.options["buffer"])
        elif v not in units and v not in seen:
            seen.add(v)
            waiting += v.operands
    return found if value.function != "name" else {value.options["buffer"]}
