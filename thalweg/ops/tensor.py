"""Tensors without numbers: values of a graph that is being drawn, and of a program that is being written.

A `Symbol` stands for the result of a call in a graph: `Input(…)`, or a layer or an operation that got symbols. To write
a program, the calls are repeated on `Traced` values, whose operations append instructions. Weights (`WeightBuffer`) may
stand wherever traced values do.
"""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.errors import AbsentNameError, ArgumentError, ShapeError, ThalwegError
from thalweg.ops.any_length import common_lengths, merged, of_any_length
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import PARAMETERS, WORKSPACE, Buffer
from thalweg.support import hooks
from thalweg.support.nested import leaves, mapped

Shape = tuple[int, ...]
FUNCTIONS: dict[str, Callable[..., Any]] = {}  # the operations by name; Python's operators find theirs here
OF_ARRAYS = {  # NumPy's names of Python's operators, and ours
    **{name: name for name in ("add", "subtract", "multiply", "divide", "floor_divide", "power", "matmul")},
    **{name: name for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")},
    **{f"bitwise_{name}": f"logical_{name}" for name in ("and", "or", "xor")},
    "remainder": "mod",
}
ALONG = ("sum", "mean", "stack", "concatenate")  # of means over the rows, too: both orders give the same
_program: ContextVar[Builder | None] = ContextVar("program", default=None)


def operator(name: str, turned: bool = False) -> Any:
    """One of Python's operators as an operation. turned: of a value that stands on the right."""

    def apply(self: Any, *other: Any) -> Any:
        return FUNCTIONS[name](*other, self) if turned else FUNCTIONS[name](self, *other)

    return apply


class Operators:
    """Base of values on which Python's operators are operations of `thalweg.ops`."""

    __slots__ = ()
    shape: Any

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if instead := hooks.TENSOR_LACKS.get(name):
                raise AbsentNameError(f"{caller()}: a tensor has no {name}: {instead}", name=name, obj=self)
            return object.__getattribute__(self, name)  # raises Python's error

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **named: Any) -> Any:
        """An operator with an array on the left, a += b too, whose a is the tensor from then on; NumPy's functions
        themselves are refused."""
        onto = named.get("out")
        rebound = onto is not None and len(named) == len(onto) == 1 and onto[0] is inputs[0]
        if ufunc.__name__ not in OF_ARRAYS or method != "__call__" or (named and not rebound):
            raise not_numpy(ufunc.__name__)
        return FUNCTIONS[OF_ARRAYS[ufunc.__name__]](*inputs)

    __add__, __radd__ = operator("add"), operator("add", turned=True)
    __sub__, __rsub__ = operator("subtract"), operator("subtract", turned=True)
    __mul__, __rmul__ = operator("multiply"), operator("multiply", turned=True)
    __truediv__, __rtruediv__ = operator("divide"), operator("divide", turned=True)
    __floordiv__, __rfloordiv__ = operator("floor_divide"), operator("floor_divide", turned=True)
    __mod__, __rmod__ = operator("mod"), operator("mod", turned=True)
    __pow__, __rpow__ = operator("power"), operator("power", turned=True)
    __matmul__, __rmatmul__ = operator("matmul"), operator("matmul", turned=True)
    __and__ = __rand__ = operator("logical_and")
    __or__ = __ror__ = operator("logical_or")
    __xor__ = __rxor__ = operator("logical_xor")
    __lt__, __le__ = operator("less"), operator("less_equal")
    __gt__, __ge__ = operator("greater"), operator("greater_equal")
    __neg__, __abs__, __invert__ = operator("negative"), operator("abs"), operator("logical_not")
    __getitem__ = operator("get_item")

    def __pos__(self) -> Any:
        return self


class Tensor(Operators):
    """Base of tensors: a shape, beginning with None for the rows of the batch, and no numbers.

    >>> import thalweg
    >>> x = thalweg.Input((4,))
    >>> (x * 2 + 1).shape
    (None, 4)
    """

    __slots__ = ()

    __eq__, __ne__ = operator("equal"), operator("not_equal")
    __hash__ = object.__hash__

    def __len__(self) -> int:
        if not self.shape or self.shape[0] is None:
            raise TypeError("the number of rows isn't known when a network is drawn")
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Any]:
        return (self[k] for k in range(len(self)))

    def __bool__(self) -> bool:
        raise ThalwegError(
            f"{caller()}: a condition on a tensor can't be a Python if or while, as a network is drawn once, "
            "before there is data; use ops.where(condition, a, b)"
        )

    def __float__(self) -> float:
        return float(self.__array__())  # which raises

    __int__ = __float__

    @property
    def ndim(self) -> int:
        """The number of axes, rows included."""
        return len(self.shape)

    rank = ndim

    @property
    def dtype(self) -> str:
        """The type of the numbers: all are computed in the model's."""
        return "float32"

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise ThalwegError(
            f"{caller()}: a tensor of a network has no numbers before there is data: compute with it in thalweg.ops; "
            "what a train_step returns is logged"
        )

    def __array_function__(self, function: Any, *_: Any) -> Any:
        raise not_numpy(function.__name__)


class Traced(Tensor):
    """A value of the program that is being written."""

    __slots__ = ("buffer", "program")

    def __init__(self, program: Builder, buffer: Buffer) -> None:
        self.program, self.buffer = program, buffer

    @property
    def shape(self) -> tuple[int | None, ...]:
        """(None for the rows, …), without None where the value is the same for all rows."""
        return (None, *self.buffer.shape) if self.buffer.per_row else self.buffer.shape

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.buffer.name}: {self.shape}>"


class OverRows(Tensor):
    """The mean (or the sum) over the rows of the batch, of as many numbers as a row has: known when a batch has ended.

    It may be scaled, shifted, added to others, joined with them and summed up: whatever gives the same if it is done
    to the numbers of each row. What is given to `add_loss`, or returned as a loss, is one number.
    """

    __slots__ = ("total", "value")

    def __init__(self, value: Any, total: bool) -> None:
        self.value, self.total = value, total

    @property
    def shape(self) -> Shape:
        """The shape of the mean, without rows."""
        return tuple(self.value.shape[1:])

    def linear(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> OverRows:
        """An operation on means: the same one on the numbers of each row, where that is the same."""
        given = [*leaves([arguments, named])]
        others = [a for a in given if isinstance(a, OverRows)]
        fits = all(self.fits(a) for a in given) and not named
        additive = name in ("add", "subtract") and (not self.total or len(others) == len(given))
        scaling = len(others) == 1 and (name == "multiply" or (name == "divide" and arguments[0] is self))
        along = name in ALONG
        if any(o.total != self.total for o in others) or not (
            along or (fits and (additive or scaling or name == "negative"))
        ):
            raise ThalwegError(
                f"{caller()}: a {'sum' if self.total else 'mean'} over the rows of a batch is known only when the "
                f"batch has ended: it can be scaled and added to others of its kind, not used in {name}"
            )
        if along:
            arguments, named = (), self.behind_rows(name, arguments, named)
        each = mapped([arguments, named], lambda a: a.value if isinstance(a, OverRows) else a)
        return OverRows(FUNCTIONS[name](*each[0], **each[1]), self.total)

    def fits(self, value: Any) -> bool:
        """Whether this mean, and another or numbers, have the shape of this one together."""
        if isinstance(value, Operators):
            return isinstance(value, OverRows) and value.shape == self.shape
        sizes = np.shape(value)
        return np.asarray(value).dtype.kind in "buif" and self.shape[len(self.shape) - len(sizes) :] == sizes

    def behind_rows(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        """The arguments by name, with axes of the mean as axes of each row's numbers, of which axis 0 are the rows."""
        bound = inspect.signature(FUNCTIONS[name]).bind(*arguments, **named)
        bound.apply_defaults()
        given = dict(bound.arguments)
        if not all(isinstance(v, OverRows) for v in leaves(next(iter(given.values())))):
            raise refuse(f"{name} of means over the rows of a batch takes nothing else")
        rank = len(self.shape) + (name == "stack")

        def moved(axis: Any) -> int:
            if not isinstance(axis, (int, np.integer)) or not -rank <= axis < rank:
                raise refuse(f"{name} of a mean over the rows, of shape {self.shape}, has no axis {axis!r}")
            return int(axis) % rank + 1

        axis = given["axis"]
        given["axis"] = tuple(range(1, rank + 1)) if axis is None else mapped(axis, moved)
        return given


class Symbol(Tensor):
    """Base of values of a graph: the `index`-th result of a call, or an input.

    Of a sequence of any length, shapes are known for some lengths that stand for all: `lengths` has those of a row and
    of its mask for each, the first of which are `row_shape` and `mask_shape`; `shape` has None where they differ.
    """

    __slots__ = ("index", "lengths", "mask_shape", "name", "node", "over_rows", "row_shape", "shape")

    def __init__(
        self,
        node: Call | None,
        index: int,
        shape: tuple[int | None, ...],
        name: str,
        over: bool,
        mask_shape: Shape | None = None,
        lengths: dict[int, tuple[Shape, Shape | None]] | None = None,
    ) -> None:
        self.node, self.index, self.name, self.over_rows = node, index, name, over
        self.shape = shape
        self.row_shape: Shape = tuple(n for n in shape[1:] if n is not None)
        self.mask_shape = mask_shape  # of a row of its mask, if it has one
        self.lengths = lengths or {}
        if lengths:
            self.row_shape, self.mask_shape = next(iter(lengths.values()))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {self.shape}>"


class Result(Symbol):
    """What a call returned."""

    __slots__ = ()


class Call:
    """A call of a layer or an operation in a graph, and where the user's code made it."""

    __slots__ = ("arguments", "function", "line", "named", "result")

    def __init__(self, function: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        self.function, self.arguments, self.named, self.line = function, arguments, named, caller()
        self.result: Any = None  # a structure of symbols

    def inputs(self) -> list[Symbol]:
        """The symbols among the arguments."""
        return [a for a in leaves([self.arguments, self.named]) if isinstance(a, Symbol)]

    def run(self, values: dict[int, Any]) -> None:
        """Repeats the call on the values of a program, by the id of their symbol; adds those of its results."""

        def valued(a: Any) -> Any:
            return values[id(a)] if isinstance(a, Symbol) else a

        result = self.function(*mapped(self.arguments, valued), **mapped(self.named, valued))
        for symbol, value in zip(leaves(self.result), leaves(result), strict=True):
            values[id(symbol)] = value


def probe(program: Builder, symbol: Symbol, length: int | None = None) -> Any:
    """A value like the symbol's, for finding out shapes; of a sequence of any length, like one of this length."""
    if symbol.over_rows:
        return OverRows(Traced(program, Buffer("x", symbol.shape)), False)
    per_row = bool(symbol.shape) and symbol.shape[0] is None
    shape, mask = symbol.row_shape, symbol.mask_shape
    if length is not None:
        shape, mask = symbol.lengths.get(length, (shape, mask))
    if not per_row:
        shape = tuple(n for n in symbol.shape if n is not None)
    value = Buffer("x", shape, WORKSPACE if per_row else PARAMETERS, per_row)
    if mask is not None:
        program.masks[value] = Buffer("mask", mask)
    return Traced(program, value)


def record(function: Any, arguments: tuple[Any, ...], named: dict[str, Any], name: str) -> Any:
    """The symbols of a call's results; its shapes are found by calling it on values without numbers.

    Once, or, if there is a sequence of any length among them, for each of the lengths that stand for all.
    """
    call = Call(function, arguments, named)
    results: dict[int | None, tuple[Any, Builder]] = {}
    errors: list[ThalwegError] = []
    lengths = common_lengths(call.inputs())
    known: list[int | None] = [*lengths] or [None]
    for length in known:
        try:
            results[length] = performed(call, length)
        except ThalwegError as error:
            if not lengths:
                raise
            errors.append(error)
    if lengths and len(results) < 2:
        raise of_any_length(name, errors)
    count = 0

    def symbol(*values: Any) -> Result:
        nonlocal count
        count += 1
        if isinstance(values[0], OverRows):
            return Result(call, count - 1, values[0].shape, name, True)
        found = [shapes_of(value, program) for value, (_, program) in zip(values, results.values(), strict=True)]
        shape = merged(s for s, _ in found)  # type: ignore[misc]
        differ = any(other != found[0] for other in found) or len(found) < len(lengths)
        standing = {n: (tuple(s[1:]), mask) for n, (s, mask) in zip(results, found, strict=True)} if differ else None
        return Result(call, count - 1, shape, name, False, found[0][1], standing)  # type: ignore[arg-type]

    firsts = [list(leaves(result)) for result, _ in results.values()]
    places = iter(zip(*firsts, strict=True))
    call.result = mapped(next(iter(results.values()))[0], lambda _: symbol(*next(places)))
    return call.result


def performed(call: Call, length: int | None) -> tuple[Any, Builder]:
    """What a call returns for values without numbers, and the program to which they belong."""
    program = Builder(training=False)
    values = {id(s): probe(program, s, length) for s in call.inputs()}

    def valued(a: Any) -> Any:
        return values[id(a)] if isinstance(a, Symbol) else a

    with writing(program):
        return call.function(*mapped(call.arguments, valued), **mapped(call.named, valued)), program


def shapes_of(value: Any, program: Builder) -> tuple[tuple[int | None, ...], Shape | None]:
    """The shape of a value of a program, and that of a row of its mask."""
    found = traced(value, program)
    mask = program.masks.get(found.buffer)
    return found.shape, None if mask is None else mask.shape


@contextmanager
def writing(program: Builder) -> Iterator[None]:
    """While it is open, operations on weights alone append their instructions to this program."""
    token = _program.set(program)
    try:
        yield
    finally:
        _program.reset(token)


def program_of(values: list[Any]) -> Builder:
    """The program that operations on these values belong to."""
    found = {id(v.program): v.program for v in values if isinstance(v, Traced)}
    if len(found) > 1:
        raise ThalwegError(f"{caller()}: the tensors belong to two networks that are drawn separately")
    program = next(iter(found.values()), None) or _program.get()
    if program is None:
        raise ThalwegError(
            f"{caller()}: operations on weights belong in a layer's call(self, x); their numbers are in weight.numpy()"
        )
    return program


def current() -> Builder | None:
    """The program that is being written, if one is."""
    return _program.get()


def operand_shape(x: Any) -> Shape:
    """The shape of a row of a value in a program."""
    if not isinstance(x, Traced) or not x.buffer.per_row:
        raise refuse("a tensor with a value for each row is needed")
    return x.buffer.shape


def traced(value: Any, program: Builder) -> Traced:
    """A value as one of the program: a weight, a number or an array too."""
    if isinstance(value, Traced):
        return value
    if isinstance(value, Buffer):
        return Traced(program, value)
    if isinstance(value, OverRows):
        raise ShapeError("a mean over the rows of the batch is a loss, no output")
    return Traced(program, program.constant(np.asarray(value, np.float64)))


def caller() -> str:
    """The line of the user's code that is being executed: file, number and text."""
    frame = inspect.currentframe()
    others = (__name__.partition(".")[0] + ".", "contextlib.", "numpy.")
    while frame is not None and (frame.f_globals.get("__name__", "") + ".").startswith(others):
        frame = frame.f_back
    if frame is None:
        return "here"
    name, line = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(name, line).strip()
    short = name.replace("\\", "/").rpartition("/")[2]
    return f"{short}, line {line}" + (f" ({text})" if text else "")


def not_numpy(name: str) -> ThalwegError:
    """The error for a function of NumPy on a tensor."""
    ours = f"use ops.{name}" if name in FUNCTIONS else "look for its like in thalweg.ops"
    return ThalwegError(
        f"{caller()}: numpy.{name} can't compute with a tensor of a network, which has no numbers: {ours}"
    )


def refuse(what: str) -> ArgumentError:
    """An error that names the user's line."""
    return ArgumentError(f"{caller()}: {what}")
