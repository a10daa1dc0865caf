"""Buffers and instructions: what a program is made of.

An instruction holds, in one place, its formula as printed, the buffers it reads and writes, its adjoint (the
instructions that carry derivatives backwards through it), its reference and its cost. How a machine computes it, an
engine knows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import FrozenInstanceError, dataclass, field, fields
from functools import cache, cached_property
from typing import Any, ClassVar, NamedTuple, Protocol, dataclass_transform

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.program.ir.counter import Key, halves, key, uniform

Array = NDArray[Any]
Shape = tuple[int, ...]

# The regions of memory. Each is one flat vector; a buffer is a stretch of one of them.
DATA = "data"  # the caller's arrays: all rows of x, y and the sample weights
PARAMETERS = "parameters"  # every weight and bias of the network
GRADIENTS = "gradients"  # laid out like the parameters
SLOTS = "slots"  # the optimizer's vectors, laid out like the parameters, followed by the state of the loss
WORKSPACE = "workspace"  # activations and their adjoints, planned by liveness
TOTALS = "totals"  # float64 running sums of the loss and the metrics
LOSS, ROWS, PENALTY, FIRST_METRIC = 0, 1, 2, 3  # places in TOTALS
NORMS = "norms"  # float64 sums over gradients
REGIONS = (DATA, PARAMETERS, GRADIENTS, SLOTS, WORKSPACE, TOTALS, NORMS)

# The types of numbers, by NumPy's names but for the first.
FLOAT = "float"  # the program's real type: float32, or float64 when the reference engine is asked for it
BYTES = "uint8"  # 0 … 255, as in pictures
DOUBLE = "float64"  # sums over many rows, whatever the real type
DTYPES = (FLOAT, BYTES, DOUBLE)


@dataclass(eq=False, slots=True)
class Buffer:
    """A named stretch of memory; a `per_row` buffer holds an array of `shape` for every row of the batch.

    Its numbers are of the program's real type, "float", unless `dtype` names another: "uint8" for bytes, "float64" for
    running sums and norms. Ids, classes and row numbers travel as "float".
    """

    name: str
    shape: tuple[int, ...]
    region: str = WORKSPACE
    per_row: bool = True
    offset: int = -1  # in elements from the start of its region; -1: to be placed by the memory plan
    view_of: Buffer | None = None  # the same storage under another shape
    dtype: str = FLOAT  # one of DTYPES

    @property
    def size(self) -> int:
        """Elements of one row (or of the whole buffer when it isn't per row)."""
        return math.prod(self.shape)

    @property
    def storage(self) -> Buffer:
        """The buffer whose memory this one uses: itself unless it is a view."""
        return self if self.view_of is None else self.view_of.storage

    def __str__(self) -> str:
        return self.name


class Constant(Buffer):
    """Numbers that belong to the program itself: the same for every row, and not trained."""

    __slots__ = ("values",)

    def __init__(self, name: str, values: ArrayLike) -> None:
        self.values: Array = np.array(values, np.float64, order="C")
        super().__init__(name, self.values.shape, DATA, per_row=False)


@dataclass(frozen=True)
class Stated:
    """What an instruction computes, as statements in the language of formulas, see `thalweg.program.formula`.

    They hold for each element, with NumPy's broadcasting: the axes of a row are aligned at the end, and those of the
    rows, of what is per row, come before them. A name that is neither among `values` nor `numbers` is a part of the
    others, or one of the step's: t, iteration, learning_rate, rows and batch_rows, penalties. What is assigned to a
    value becomes one along every axis that the value lacks, by `combine`: its sum, prod, max or min.
    """

    text: str
    values: Mapping[str, Buffer]
    numbers: Mapping[str, float] = field(default_factory=dict)
    combine: str = "sum"


class Carry(NamedTuple):
    """A value that a loop carries from step to step."""

    memory: Buffer  # at the beginning of a step
    after: Buffer  # at its end
    adjoint: Buffer  # of `after`, as far as later steps have contributed to it
    given: bool  # whether the loss depends on the last one


class Adjoints(Protocol):
    """What an instruction asks for when it writes its adjoint; `autodiff.py` answers."""

    def __call__(self, value: Buffer) -> Buffer:
        """The finished adjoint of a value that this instruction wrote."""
        ...

    def wants(self, value: Buffer) -> bool:
        """Whether anything trainable depends on this value, so that its adjoint has to be computed."""
        ...

    def into(self, value: Buffer) -> Buffer:
        """A place for one contribution to the adjoint of a value that this instruction read."""
        ...

    def pass_on(self, adjoint: Buffer, value: Buffer) -> Iterator[Instruction]:
        """Makes a finished adjoint, unchanged, a contribution to that of a value that this instruction read."""
        ...

    def total(self, value: Buffer) -> Buffer:
        """The adjoint once every contribution is in, to be added to in place."""
        ...

    def known(self, value: Buffer) -> bool:
        """Whether the loss depends on a value that this instruction wrote, so that it has a finished adjoint."""
        ...

    def of_part(
        self,
        part: Sequence[Instruction],
        wanted: Sequence[Buffer],
        ends: Mapping[Buffer, Sequence[Buffer]],
        carries: Sequence[Carry],
    ) -> tuple[list[Instruction], Adjoints]:
        """The backward half of one step of a loop, and what is known of its adjoints then.

        ends: the contributions to adjoints that come from outside. What isn't per row among `wanted` is left as its
        contributions, in `places`.
        """
        ...

    def places(self, value: Buffer) -> Sequence[Buffer]:
        """The contributions to an adjoint."""
        ...


@dataclass(frozen=True, kw_only=True)
class StepState:
    """What a reference may know of the step besides its arrays.

    An array library may trace all but the numbers of rows and the seed: then it needs the keys, too.
    """

    rows: int = 0  # of the batch, or of the part of it that is computed
    first_row: int = 0  # where they start in the batch
    batch_rows: int = 0  # rows in the whole batch
    iteration: int = 1  # steps done so far, this one included (counts from 1)
    update: int = 1  # weight updates so far, this one included; with accumulated gradients one for several steps
    seed: int = 0
    learning_rate: float = 0.0
    penalties: float = 1.0  # the factor of the l1 and l2 penalties on weights
    order: Array = field(default_factory=lambda: np.arange(0))  # the numbers of these rows in the data
    keys: Mapping[int, Key] | None = None  # of the random numbers, by stream; None: made of seed and iteration

    def key(self, stream: int) -> Key:
        """The key of a stream's random numbers in this step."""
        return halves(key(self.seed, self.iteration, stream)) if self.keys is None else self.keys[stream]

    def drawn(self, xp: Any, stream: int, row: tuple[int, ...]) -> Array:
        """Numbers in [0, 1) for every row, of shape (rows, *row). They depend on no array."""
        size = math.prod(row)
        numbers: Array = uniform(xp, self.key(stream), self.first_row * size, self.rows * size)
        return numbers.reshape(self.rows, *row)


@dataclass_transform(eq_default=False, frozen_default=True, field_specifiers=(field,))
class Instruction:
    """One operation of a program. A subclass becomes a dataclass, whose `Buffer` fields are the operands.

    What it reads and writes never changes, so `operands`, `inputs` and `outputs` are found once.
    """

    name: ClassVar[str]  # as printed
    printed: ClassVar[str]  # the formula, with the names of fields in braces
    writes: ClassVar[tuple[str, ...]]  # the fields that are written; every other buffer is only read
    reduces: ClassVar[tuple[str, ...]] = ()  # the written fields that are sums over the rows, and not per row
    differentiates: ClassVar[tuple[str, ...]] = ()  # the fields read to whose adjoints it contributes
    accumulates: ClassVar[bool] = False  # adds to a gradient that is otherwise finished
    dtypes: ClassVar[Mapping[str, str]] = {}  # the fields that aren't of the real type; sums and norms need no entry
    shapes: ClassVar[str] = ""  # of operands, by names of axes: see `thalweg.program.passes.fitting`
    due: ClassVar[bool] = False  # in an update: is skipped in steps that only accumulate gradients

    def __init_subclass__(cls, kw_only: bool = False) -> None:
        """Makes a constructor alone: what Python writes for a frozen dataclass takes three times as long to import.

        Raises:
            ThalwegError: the reference can't be traced: file, line and what to write. A class that was typed where no
                text is kept is checked when it is first traced.
        """
        dataclass(eq=False, repr=False, kw_only=kw_only)(cls)
        if not cls.__module__.startswith("thalweg."):  # a test checks those
            from thalweg.program.ir.traceable import check

            check(cls)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in vars(self) or name not in vars(type(self))["__dataclass_fields__"]:
            raise FrozenInstanceError(f"{self.title}: an instruction never changes, nor does its {name}")
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        shown = (f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr)  # type: ignore[arg-type]
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: the fields, without what is found once and what engines keep beside them."""
        return fields_of(self)

    @property
    def title(self) -> str:
        """The name as printed."""
        return self.name

    @property
    def formula(self) -> str:
        """The operation with the real names of its buffers: `printed`, or what a subclass makes of it."""
        return self.printed.format_map(Attributes(self))

    @property
    def runs(self) -> tuple[Instruction, ...]:
        """The instructions that it runs itself: a listing has them below it."""
        return ()

    @property
    def heading(self) -> str:
        """The formula, without those of `runs`."""
        return self.formula

    @property
    def stated(self) -> Stated | None:
        """The operation as statements, for programs that know no instructions; None for what isn't elementwise."""
        return None

    @cached_property
    def named_operands(self) -> Mapping[str, Buffer | tuple[Buffer, ...] | None]:
        """Every buffer field, by name, in order of declaration; None where an optional one is absent."""
        return {name: v for name, v in fields_of(self).items() if v is None or isinstance(v, Buffer)}

    @cached_property
    def operands(self) -> tuple[Buffer | None, ...]:
        """The operands in this order, those of a tuple one by one."""
        return tuple(b for v in self.named_operands.values() for b in (v if isinstance(v, tuple) else (v,)))

    @cached_property
    def outputs(self) -> tuple[Buffer, ...]:
        """The buffers written."""
        return tuple(b for b in (getattr(self, name) for name in self.writes) if b is not None)

    @cached_property
    def results(self) -> tuple[Buffer | None, ...]:
        """Those for which the reference returns something: the fields in `writes`, and those of a tuple one by one."""
        values = (getattr(self, name) for name in self.writes)
        return tuple(b for v in values for b in (v if isinstance(v, tuple) else (v,)))

    @cached_property
    def inputs(self) -> tuple[Buffer, ...]:
        """The buffers read."""
        outputs = self.outputs
        return tuple(b for b in self.operands if b is not None and not any(b is o for o in outputs))

    @property
    def sizes(self) -> Mapping[str, int | tuple[int, ...]]:
        """The whole numbers that an engine is told besides the number of rows, by name; a tuple for any number."""
        return {}

    @property
    def constants(self) -> Mapping[str, float | tuple[float, ...]]:
        """The real numbers that it depends on, by name; a tuple for any number. By default, its fields of that type."""
        return {name: float(getattr(self, name)) for name in real_fields(type(self))}  # type: ignore[arg-type]

    @property
    def labels(self) -> tuple[Buffer, int] | None:
        """The operand that has to hold class numbers, if there is one, and how many classes there are."""
        return None

    @property
    def matrix_size(self) -> int:
        """Elements of the matrix for a product; 0 for anything else."""
        return 0

    @property
    def fits(self) -> bool:
        """Whether operands and attributes fit together, as far as `shapes` can't say it."""
        return True

    @property
    def streams(self) -> tuple[int, ...]:
        """The streams of random numbers that it draws from."""
        return (self.stream,) if hasattr(self, "stream") else ()

    def differentiable(self) -> tuple[Buffer, ...]:
        """The buffers to whose adjoints this instruction contributes."""
        values = (getattr(self, name) for name in self.differentiates)
        return tuple(b for v in values for b in (v if isinstance(v, tuple) else (v,)) if b is not None)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        """The instructions that compute the adjoints of the inputs from those of the outputs."""
        raise NotImplementedError(f"{self.title} has no adjoint")

    def reference(self, *args: Any, **kwargs: Any) -> Any:
        """The operation as a pure function: `reference(self, xp, x, W, b) -> h` takes arrays and returns arrays.

        `xp` is the array library, NumPy or one with its functions. The other parameters are named after the operands
        that are read: each is a read-only array (None for an absent operand, a tuple for several). An output is among
        them if its previous value matters. A parameter called `step` is the `StepState`.

        Returns one array, or a tuple in the order of `writes`, with None for what is not written. For the running
        sums (TOTALS) it is what these rows add, for instructions that `reduce` the sum over them, for those that
        `accumulate` the summand, and for all others the new value: the executor adds or sets, see `execute` there.
        """
        raise NotImplementedError

    def flops(self, rows: int) -> int:
        """Floating-point operations for a batch of `rows` (a multiplication and an addition count as two)."""
        return 0

    def bytes(self, rows: int) -> int:
        """Bytes read and written for a batch of `rows`, each buffer counted once, in float32."""
        touched = (b for b in self.operands if b is not None)
        return sum(4 * b.size * (rows if b.per_row else 1) for b in touched)

    @property
    def per_row(self) -> bool:
        """Whether it is computed for every row of the batch, rather than once a step."""
        return any(b.per_row for b in self.operands if b is not None)


def fields_of(i: Instruction) -> dict[str, Any]:
    """The fields of an instruction with their values."""
    return {name: getattr(i, name) for name in field_names(type(i))}  # type: ignore[arg-type]


@cache
def field_names(kind: Any) -> tuple[str, ...]:
    """The names of a dataclass's fields."""
    return tuple(field.name for field in fields(kind))


@cache
def real_fields(kind: Any) -> tuple[str, ...]:
    """The names of a dataclass's fields that are real numbers."""
    return tuple(field.name for field in fields(kind) if field.type == "float")


class Attributes:
    """What an object has, by name: for the braces of a template."""

    def __init__(self, of: object) -> None:
        self.of = of

    def __getitem__(self, name: str) -> Any:
        return getattr(self.of, name)


def number(xp: Any, value: Any, like: Array) -> Array:
    """A number of a step in the type of an array: what is computed with it keeps that type, also if it is traced."""
    result: Array = xp.asarray(value, like.dtype)
    return result


def summed_at(xp: Any, places: Array, values: Array, count: int) -> Array:
    """(count,): at each place the sum of the values that belong there. Array libraries differ in how they are told."""
    size = {"minlength" if xp.__name__ == "numpy" else "length": count}
    result: Array = xp.bincount(places.reshape(-1), values.reshape(-1), **size)
    return result


def rows_of(value: Array) -> Array:
    """A view of (rows, …) as (rows, everything else)."""
    return value.reshape(value.shape[0], -1)


def front_replaced(xp: Any, x: Array, front: Array) -> Array:
    """x with its first elements replaced by `front`."""
    replaced: Array = xp.concatenate([front.reshape(-1), x.reshape(-1)[front.size :]]).reshape(x.shape)
    return replaced
