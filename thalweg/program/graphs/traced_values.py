"""What an instruction computes, as a graph of NumPy's functions: its reference is called with arrays that note what is
done to them.

So every instruction can leave by its reference alone. A target writes these functions in its own language.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import DTypeLike

from thalweg.errors import ThalwegError
from thalweg.program.graphs.sizes import Size, of_rows
from thalweg.program.ir.instruction import Buffer
from thalweg.program.ir.traced_names import advice

Shape = tuple[int, ...]
FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""What stands for a function of NumPy's that isn't elementwise, by its name: see `value_functions.py`."""
REDUCED = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}
"""What an elementwise function makes of an axis."""


@dataclass(eq=False, slots=True, repr=False)
class Value(NDArrayOperatorsMixin):
    """An array of a graph: a function of others.

    Attributes:
        function: NumPy's name of it; "name" for an array that is given, "constant" for one whose elements are known.
        operands: the arrays it is a function of.
        shape: with ROWS, or a multiple, where the number of rows is open.
        options: what else the function takes, such as `axis`, by NumPy's names, all of them and in one form.
    """

    function: str
    operands: tuple[Value, ...]
    shape: Shape
    dtype: np.dtype[Any]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def T(self) -> Value:
        return transposed(self, tuple(range(self.ndim))[::-1])

    def __len__(self) -> int:
        if of_rows(self.shape[0]):
            raise ThalwegError("the number of rows isn't known: write x.shape[0], of which arrays can be made")
        return self.shape[0]

    def __repr__(self) -> str:
        return f"{self.function}{self.shape}"

    def __bool__(self) -> bool:
        raise ThalwegError(
            "numbers that aren't there yet can't decide which way to go; write xp.where(condition, a, b)"
        )

    def __float__(self) -> float:
        raise ThalwegError("its numbers aren't there yet: leave float() and int() away, or write x.astype(dtype)")

    def __int__(self) -> int:
        return int(float(self))  # which raises

    def __setitem__(self, places: Any, new: Any) -> None:
        raise ThalwegError("an array that is given never changes; write x = xp.where(places, new, x)")

    __array__ = None  # NumPy must not try to look at its elements
    __hash__ = object.__hash__  # the mixin's == compares elements

    def __iter__(self) -> Iterator[Value]:
        if of_rows(self.shape[0]):
            raise ThalwegError("it takes the rows one by one, as a Python function of a number does; compute with all")
        return (self[k] for k in range(len(self)))

    def __getitem__(self, places: Any) -> Value:
        return picked(self, places if isinstance(places, tuple) else (places,))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *operands: Any, **options: Any) -> Any:
        if method == "reduce":
            (x,) = operands
            return reduced(REDUCED[ufunc.__name__], x, options.get("axis", 0))
        if "out" in options:
            raise ThalwegError("an array that is given never changes; write x = x + y for x += y, and leave out= away")
        if ufunc.nout > 1:
            raise ThalwegError(f"xp.{ufunc.__name__} returns several arrays; compute each by a function of its own")
        if method != "__call__" or options.keys() - {"dtype"}:
            return NotImplemented
        result = called(ufunc, *operands)
        return result.astype(options["dtype"]) if "dtype" in options else result

    def __array_function__(self, function: Callable[..., Any], types: Any, operands: Any, options: Any) -> Any:
        try:
            own = FUNCTIONS[function.__name__]
        except KeyError:
            name = function.__name__
            raise ThalwegError(f"xp.{name} has no rule; {advice(name)}") from None
        return own(*operands, **options)

    def reshape(self, *shape: Any) -> Value:
        return reshaped(self, shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape)

    def transpose(self, *axes: Any) -> Value:
        wanted = axes[0] if len(axes) == 1 and isinstance(axes[0], tuple | list) else axes
        return transposed(self, tuple(wanted) or tuple(range(self.ndim))[::-1])

    def swapaxes(self, one: int, other: int) -> Value:
        axes = list(range(self.ndim))
        axes[one], axes[other] = axes[other], axes[one]
        return transposed(self, tuple(axes))

    def astype(self, dtype: DTypeLike, copy: bool = True) -> Value:
        kind = np.dtype(dtype)
        return self if kind == self.dtype else Value("astype", (self,), self.shape, kind)

    def copy(self) -> Value:
        return self

    def ravel(self) -> Value:
        return reshaped(self, (-1,))

    def cumsum(self, axis: Any = None) -> Value:
        return FUNCTIONS["cumsum"](self, axis)

    def repeat(self, repeats: int, axis: Any = None) -> Value:
        return FUNCTIONS["repeat"](self, repeats, axis)

    def sum(self, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Value:
        return reduced("sum", self, axis, dtype, keepdims=keepdims)

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> Value:
        return FUNCTIONS["mean"](self, axis, keepdims=keepdims)

    def max(self, axis: Any = None, *, keepdims: bool = False) -> Value:
        return reduced("max", self, axis, keepdims=keepdims)

    def min(self, axis: Any = None, *, keepdims: bool = False) -> Value:
        return reduced("min", self, axis, keepdims=keepdims)

    def prod(self, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Value:
        return reduced("prod", self, axis, dtype, keepdims=keepdims)

    def all(self, axis: Any = None, *, keepdims: bool = False) -> Value:
        return reduced("all", self, axis, keepdims=keepdims)

    def any(self, axis: Any = None, *, keepdims: bool = False) -> Value:
        return reduced("any", self, axis, keepdims=keepdims)

    def argmax(self, axis: int) -> Value:
        return reduced("argmax", self, axis)


def named(buffer: Buffer, shape: Shape, dtype: DTypeLike) -> Value:
    """An array that is given: that of a buffer."""
    return Value("name", (), shape, np.dtype(dtype), {"buffer": buffer})


def constant(elements: Any) -> Value:
    """An array whose elements are known."""
    array = np.asarray(elements)
    return Value("constant", (), array.shape, array.dtype, {"elements": array})


def value_of(x: Any) -> Value:
    if isinstance(x, Size):
        return weak("size", dtype=np.int64, size=x)
    return x if isinstance(x, Value) else constant(x)


def broadcast(*shapes: Shape) -> Shape:
    """The common shape, as NumPy finds it, which refuses so large a number as ROWS."""
    width = max(map(len, shapes))
    aligned = [(1,) * (width - len(shape)) + shape for shape in shapes]
    found = tuple(max(sizes) if min(sizes) else 0 for sizes in zip(*aligned, strict=True))
    if any(size not in (1, whole) for shape in aligned for size, whole in zip(shape, found, strict=True)):
        raise ValueError(f"shapes don't fit: {shapes}")
    return found


def called(ufunc: np.ufunc, *operands: Any) -> Value:
    """An elementwise function, or the product of matrices."""
    name = ufunc.__name__.removesuffix(" (vectorized)")
    if name == "isnan":
        return operands[0] != operands[0]
    if name == "isfinite" and operands[0].dtype.kind != "f":
        return operands[0] == operands[0]
    if name.startswith("logical_") and any(kind_of(x) != np.dtype(bool) for x in operands):
        return called(ufunc, *(x if kind_of(x) == np.dtype(bool) else value_of(x) != 0 for x in operands))
    kinds = [kind_of(x) for x in operands]
    *_, dtype = ufunc.resolve_dtypes((*kinds, *[None] * ufunc.nout))
    if dtype.kind == "O":  # one of ours, made of a function of Python's numbers
        dtype = np.result_type(*operands) if not any(isinstance(x, Value) for x in operands) else operands[0].dtype
    taken = [to_kind(x, kinds, dtype) for x in operands]
    if not any(isinstance(kind, np.dtype) for kind in kinds):
        return weak(name, tuple(taken), dtype)
    if name != "matmul":
        return Value(name, tuple(taken), broadcast(*(x.shape for x in taken)), dtype)
    one, other = taken
    if one.ndim < 2 or other.ndim < 2:
        raise ThalwegError("a product of vectors has no rule; write x[None, :] @ W, or (x * y).sum(-1)")
    if one.shape[-1] != other.shape[-2]:
        raise ValueError(f"shapes don't fit: {one.shape} @ {other.shape}")
    shape = (*broadcast(one.shape[:-2], other.shape[:-2]), one.shape[-2], other.shape[-1])
    return Value(name, (one, other), shape, dtype)


def weak(function: str, operands: tuple[Value, ...] = (), dtype: DTypeLike = np.float64, **options: Any) -> Value:
    """A number that takes the type of the arrays beside it, as Python's do."""
    return Value(function, operands, (), np.dtype(dtype), {**options, "weak": True})


def is_weak(x: Any) -> bool:
    return isinstance(x, Value) and "weak" in x.options


def kind_of(x: Any) -> Any:
    """The type of an operand; of Python's numbers, which take that of the arrays beside them, Python's."""
    if is_weak(x):
        return float if x.dtype.kind == "f" else int
    number = isinstance(x, int | float) and not isinstance(x, bool | np.generic)
    return (float if isinstance(x, float) else int) if number else np.dtype(getattr(x, "dtype", bool))


def to_kind(x: Any, kinds: Sequence[Any], dtype: np.dtype[Any]) -> Value:
    """An operand; Python's numbers become those of the arrays beside them, as NumPy does it."""
    arrays = [kind for kind in kinds if isinstance(kind, np.dtype)]
    if is_weak(x):
        return x.astype(np.result_type(*arrays, kind_of(x)())) if arrays else x
    if isinstance(x, Value):
        return x
    if isinstance(x, Size):
        return open_size(x, np.result_type(*arrays, 0) if arrays else np.dtype(np.int64))
    if isinstance(x, bool | int | float):
        common = np.result_type(*arrays, x) if arrays else np.result_type(type(x))
        return constant(np.asarray(x, common))
    return constant(x)


def open_size(size: Size, dtype: DTypeLike) -> Value:
    """A size as a number of a type: so many times the rows if it is no more than that."""
    if list(size.terms) != [("rows",)]:
        return weak("size", dtype=np.int64, size=size).astype(dtype)
    rows, times = weak("rows", dtype=np.int64), size.terms["rows",]
    counted: Value = rows if times == 1 else rows * times
    return counted.astype(dtype)


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """Axes counted from 0; None for all."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(axis_of(a, ndim) for a in (axis if isinstance(axis, tuple | list) else (axis,)))


def axis_of(axis: int, ndim: int) -> int:
    """An axis counted from 0. Raises AxisError, a ValueError, where there is none."""
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    return axis % ndim


def reduced(name: str, x: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Value:
    if dtype is not None and name not in ("sum", "prod"):
        raise ThalwegError(f"xp.{name} takes an axis and keepdims=, and no more")
    axes = axes_of(axis, x.ndim)
    if dtype is not None:
        x = x.astype(dtype)
    shape = tuple(1 if a in axes else n for a, n in enumerate(x.shape) if keepdims or a not in axes)
    kind = x.dtype
    if kind.kind == "b":  # as NumPy has it
        name = {"max": "any", "min": "all"}.get(name, name)
        x = x.astype(np.int64) if name.startswith("arg") else x
    if name in ("all", "any"):
        kind = np.dtype(bool)
        x = x if x.dtype == kind else x != 0
    elif name in ("argmax", "argmin"):
        kind = np.dtype(np.int64)
    elif name in ("sum", "prod") and kind.kind in "biu" and kind.itemsize < 8:  # wide enough, as NumPy has it
        kind = np.dtype(np.int64)
        x = x.astype(kind)
    return Value(name, (x,), shape, kind, {"axis": axes, "keepdims": keepdims})


def reshaped(x: Value, shape: Any) -> Value:
    wanted = tuple(
        n if isinstance(n, int) else int(n) for n in (shape if isinstance(shape, tuple | list) else (shape,))
    )
    if -1 in wanted:
        known = -math.prod(wanted)
        wanted = tuple(x.size // known if n == -1 else n for n in wanted)
    if math.prod(wanted) != x.size:
        raise ValueError(f"{x.shape} can't become {wanted}")
    if wanted == x.shape:
        return x
    if x.function == "reshape":
        (x,) = x.operands
    return x if wanted == x.shape else Value("reshape", (x,), wanted, x.dtype)


def transposed(x: Value, axes: Sequence[int]) -> Value:
    axes = axes_of(tuple(axes), x.ndim)
    if axes == tuple(range(x.ndim)):
        return x
    if sorted(axes) != list(range(x.ndim)):
        raise ValueError(f"axes {axes} aren't those of an array of {x.ndim}, each once")
    return Value("transpose", (x,), tuple(x.shape[a] for a in axes), x.dtype, {"axes": axes})


def picked(x: Value, places: tuple[Any, ...]) -> Value:
    """x[places]: slices, whole numbers, None and …; or arrays of places along the first axes."""
    if any(isinstance(p, Value | np.ndarray | list) for p in places):
        return FUNCTIONS["gathered"](x, places)
    wide = sum(p is not None and p is not Ellipsis for p in places)
    if Ellipsis not in places:
        places = (*places, Ellipsis)
    at = places.index(Ellipsis)
    places = (*places[:at], *[slice(None)] * (x.ndim - wide), *places[at + 1 :])
    starts, steps, between, after, axis = [], [], [], [], 0
    for p in places:
        if p is None:
            after.append(1)
            continue
        size = x.shape[axis]
        if of_rows(size) and not is_of_any_rows(p, size):
            raise ThalwegError("the number of rows isn't known: no place among them but the first and the last is")
        if isinstance(p, slice):
            start, step, count = stretch(p, size)
            after.append(count)
        else:
            start, step, count = axis_of(p, size), 1, 1
        starts.append(start)
        steps.append(step)
        between.append(count)
        axis += 1
    if tuple(between) != x.shape or any(step != 1 for step in steps):
        x = Value("slice", (x,), tuple(between), x.dtype, {"starts": tuple(starts), "steps": tuple(steps)})
    return reshaped(x, after)


def is_of_any_rows(p: Any, size: int) -> bool:
    """Whether an index is that of one row or more, however many there are."""
    if not isinstance(p, slice):
        return p in (0, -1)
    ends = (p.start, p.stop) if (p.step or 1) > 0 else (None, None if p.start is p.stop is None else 0)
    return ends[0] in (None, 0, 1) and ends[1] in (None, -1, size)


def stretch(p: slice, size: int) -> tuple[int, int, int]:
    """(first, step, how many) of a slice, whose ends may be open sizes."""
    step = 1 if p.step is None else p.step
    ends = [end if end is None or end >= 0 else max(end + size, 0 if step > 0 else -1) for end in (p.start, p.stop)]
    if step > 0:
        start, stop = (size if end is None else min(end, size) for end in (0 if ends[0] is None else ends[0], ends[1]))
        return start, step, max(0, (stop - start + step - 1) // step)
    start = size - 1 if ends[0] is None else min(ends[0], size - 1)
    stop = -1 if ends[1] is None else ends[1]
    return start, step, max(0, (start - stop - step - 1) // -step)


def walk(values: Sequence[Value]) -> list[Value]:
    """All values of a graph, each after its operands."""
    found: dict[Value, None] = {}
    waiting = list(reversed(values))
    while waiting:
        value = waiting[-1]
        new = [o for o in value.operands if o not in found]
        waiting.extend(reversed(new))
        if not new:
            found[waiting.pop()] = None
    return list(found)
