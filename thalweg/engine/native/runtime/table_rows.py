"""What a row of the table holds of an instruction: the words and the real numbers that its kernel asks for, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import index
from typing import Any, Protocol

from thalweg.engine.native.compiler.parameters import Parameter
from thalweg.engine.native.instructions.variants import VARIANTS
from thalweg.engine.native.kernels.names import name_of
from thalweg.engine.native.kernels.table import derivation_of, kernel_of, parameters_of
from thalweg.engine.native.layouts.job import CONSTANTS, ROW_WIDTH
from thalweg.engine.native.layouts.orders import in_columns
from thalweg.program.ir.instruction import Buffer, Instruction, field_names


class Places(Protocol):
    """Where a kernel finds its operands."""

    def address(self, buffer: Buffer | None) -> int:
        """An operand's address; 0 for an absent one."""

    def weights(self, gradient: Buffer) -> int:
        """The address of the weights that are updated right after their gradient has been computed; otherwise 0."""

    def far(self, data: Buffer) -> bool:
        """Whether data exceed a core's own caches."""


FACTS: dict[str, Callable[[Places, Buffer], int]] = {  # a kernel asks for them as x_by_columns, dW_offset, …
    "by_columns": lambda places, buffer: in_columns(buffer),
    "offset": lambda places, buffer: buffer.offset,
    "weights": lambda places, buffer: places.weights(buffer),
    "far": lambda places, buffer: int(places.far(buffer)),
}


def row(i: Instruction, places: Places) -> tuple[list[int], list[float]]:
    """What the row of an instruction holds after the kernel's address, and its constants."""
    asked = parameters_of(kernel_of(i))
    if (own := derivation_of(i)) is not None:
        words = [
            places.address(own.operands[p.name]) if p.name in own.operands else own.sizes[p.name] for p in asked.words
        ]
        return fitting(i, words, [own.constants[p.name] for p in asked.reals])
    sizes, constants = i.sizes, i.constants  # which are made whenever asked for
    words = [word(i, p, sizes, places) for p in asked.words]
    reals = [real(i, p, constants) for p in asked.reals]
    if asked.rest and asked.whole:
        words += [places.address(b) for b in several(i.named_operands.get(asked.rest, ()))]
        words += several(sizes.get(asked.rest, ()))
    elif asked.rest:
        reals += several(constants.get(asked.rest, ()))
    return fitting(i, words, reals)


def fitting(i: Instruction, words: list[int], reals: list[float]) -> tuple[list[int], list[float]]:
    """The same, if a row of the table has room for them."""
    if len(words) >= ROW_WIDTH or len(reals) > CONSTANTS:
        raise OverflowError(
            f"{i.title} has more numbers than a row of the table: {len(words)} whole, {len(reals)} real"
        )
    return words, reals


def several(value: Any) -> list[Any]:
    """The values of a starred parameter."""
    return list(value) if isinstance(value, tuple) else [value]


def word(i: Instruction, p: Parameter, sizes: Mapping[str, Any], places: Places) -> int:
    """An operand's address, a whole number of the instruction, a fact about an operand, or the default."""
    if p.name in i.named_operands:
        operand = i.named_operands[p.name]
        assert not isinstance(operand, tuple)
        return places.address(operand)
    if p.name in sizes:
        return index(sizes[p.name])
    for fact, answer in FACTS.items():
        operand = i.named_operands.get(p.name.removesuffix(f"_{fact}")) if p.name.endswith(f"_{fact}") else None
        if isinstance(operand, Buffer):
            return answer(places, operand)
    return int(default_of(i, p, (*i.named_operands, *sizes), i.constants, f"{p.name}: float"))


def real(i: Instruction, p: Parameter, constants: Mapping[str, Any]) -> float:
    """A real number of the instruction, or the default."""
    if p.name in constants:
        return float(constants[p.name])  # an instruction may well say 0 or NumPy's 0.5
    return default_of(i, p, constants, (*i.named_operands, *i.sizes), p.name)


def default_of(i: Instruction, p: Parameter, names: Iterable[str], others: Iterable[str], other: str) -> float:
    """A parameter's default, which stands for a field that only the instruction's native variant has."""
    variant = VARIANTS.get(type(i))
    if p.default is None or variant is None or p.name not in field_names(variant):  # type: ignore[arg-type]
        raise missing(i, p, names, others, other)
    return p.default


def missing(i: Instruction, p: Parameter, names: Iterable[str], others: Iterable[str], other: str) -> LookupError:
    """What is asked for is not among the names; it may be among those of the other kind, and is then written so."""
    asks = f"the kernel {name_of(i)} asks for {p.name!r}"
    if p.name in others:
        return LookupError(f"{asks}, which is of another type in the instruction {i.title!r}: write `{other}`")
    return LookupError(
        f"{asks}, which the instruction {i.title!r} doesn't have; it has: "
        f"{', '.join(names) or 'nothing'}. Name an operand, a key of `sizes` or `constants`, or give a field of "
        "its native variant a default"
    )


def cells(i: Instruction) -> Iterator[tuple[int, Buffer]]:
    """The columns of an instruction's row that hold addresses of operands, and the operands."""
    asked = parameters_of(kernel_of(i))
    own = derivation_of(i)
    named = i.named_operands if own is None else own.operands
    operands = [named.get(p.name) for p in asked.words]
    operands += several(i.named_operands.get(asked.rest, ())) if asked.whole else []
    yield from ((column, b) for column, b in enumerate(operands, start=1) if isinstance(b, Buffer))
