"""A network as C99: one file and its header, without memory that is allocated, and without <math.h>."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from thalweg.errors import ArgumentError
from thalweg.export.c_functions import INFIX, MATHS, OWN, SPLITMIX, declared
from thalweg.export.c_text import Printer, bare, comment, indented, number, type_of
from thalweg.export.elements import Storage
from thalweg.export.loops import (
    GIVEN,
    MEMORY,
    RESULT,
    TABLE,
    VECTOR,
    WEIGHT,
    Array,
    Block,
    Names,
)
from thalweg.export.names import identifiers
from thalweg.export.network import Network
from thalweg.export.routine import Routine, copied, routine_of
from thalweg.program.ir.instruction import Buffer

KEYWORDS = ["auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float", "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed", "sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "main", "NULL", "error", "row", "rows", "learning_rate", "iteration", "update", "penalties", "memory", "own", "p", "q", "drawn", "splitmix", "size_t"]
WIDTH = 120  # letters of a line


def taken() -> set[str]:
    """Names that no array has."""
    functions = {name + suffix for name in MATHS.values() for suffix in ("", "f")}
    return {*KEYWORDS, *functions, *OWN, *INFIX}


@dataclass
class Source:
    """The texts of a .c file and of its header."""

    code: str
    header: str


@dataclass
class Parts:
    """What a file is made of, besides its functions."""

    tables: list[Array] = field(default_factory=list)
    memory: dict[np.dtype[Any], int] = field(default_factory=dict)


def c_files(network: Network, name: str, title: str) -> Source:
    """A function `NAME_predict` for one row, and `NAME_predict_rows`.

    network: of `network_of(model, 1)`.

    Raises:
        ArgumentError: `name` isn't one that C takes.
    """
    checked(name)
    storage, given, results, last = storage_of(network, name)
    routine = routine_of(network.statements, storage, results, last)
    printer = Printer()
    body = function(routine, printer, head_of(f"{name}_predict", given, results))
    arrays = [a for a in routine.arrays if a.where in (WEIGHT, TABLE)]
    constants = [line for a in arrays for line in constant(a)]
    rows = by_rows(name, given, results)
    lines = [
        f"/* {comment(title)} */",
        f'#include "{name}.h"',
        "",
        *declarations(printer),
        *constants,
        *shared(routine.memory),
        *body,
        "",
        *rows,
    ]
    return Source("\n".join(lines) + "\n", header(name, title, given, results, printer, network, bytes_of(routine)))


def checked(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or name in KEYWORDS:
        raise ArgumentError(f"C takes no function of the name {name!r}: letters, digits and _, a letter first")


def storage_of(network: Network, name: str) -> tuple[Storage, list[Array], list[Array], list[Block]]:
    """The arrays of a network, those given and those returned, and copies to these where they need them."""
    buffers = [*network.inputs, *network.outputs, *network.weights]
    computed = (a.buffer.storage for s in network.statements for a in s.assignments)
    names = identifiers((*buffers, *computed), {*taken(), name, f"{name}_predict", f"{name}_predict_rows"})
    storage = Storage(lambda b: arrays[b] if b in arrays else made(b), Names(names.values()), 1)
    arrays: dict[Buffer, Array] = {}

    def made(b: Buffer) -> Array:
        arrays[b] = Array(names[b], b.size, np.dtype(np.float64 if b.dtype == "float64" else np.float32))
        return arrays[b]

    for b, numbers in network.weights.items():
        arrays[b] = Array(names[b], b.size, numbers.dtype, WEIGHT, numbers.reshape(-1))
    given = []
    for b in network.inputs:
        arrays[b] = Array(names[b], b.size, np.dtype(np.float32), GIVEN)
        given.append(arrays[b])
    results, last = [], []
    for b in network.outputs:
        if b in arrays or b.view_of is not None:
            result = Array(names[b] if b not in arrays else f"{names[b]}_result", b.size, np.dtype(np.float32), RESULT)
            steps = copied(storage.array_of(b.storage), result, storage)
            last.append(Block(f"{result.name} = {b.storage}", steps))
        else:
            result = arrays[b] = Array(names[b], b.size, np.dtype(np.float32), RESULT)
        results.append(result)
    return storage, given, results, last


# --- texts


def head_of(name: str, given: Iterable[Array], results: Iterable[Array], more: Sequence[str] = ()) -> str:
    operands = [f"const float *{a.name}" for a in given] + [f"float *{a.name}" for a in results] + list(more)
    return f"int {name}({', '.join(operands)})"


def function(routine: Routine, printer: Printer, head: str) -> list[str]:
    """A function that runs the blocks."""
    lines = [line for block in routine.blocks for line in ("", *printer.block(block))]
    noted = any("error = " in line for line in lines)
    places = [pointer(a, routine) for a in routine.arrays if a.where in (MEMORY, VECTOR)]
    return [
        head,
        "{",
        *indented(places),
        *indented(["int error = 0;"] * noted),
        *indented(lines),
        "",
        f"    return {'error' if noted else 0};",
        "}",
    ]


def pointer(a: Array, routine: Routine) -> str:
    """The place of an array that shares memory."""
    whole = a.region if a.where == VECTOR else memory_name(a.dtype)
    written = any(a in block_writes for block_writes in (writes_of(routine),))
    return f"{'' if written else 'const '}{type_of(a.dtype)} *const {a.name} = {whole} + {a.offset};"


def writes_of(routine: Routine) -> set[Array]:
    from thalweg.export.loops import arrays_written

    return {a for block in routine.blocks for a in arrays_written(block.steps)}


def memory_name(dtype: np.dtype[Any]) -> str:
    return "memory" if dtype == np.float32 else f"memory_{type_of(dtype)}"


def shared(memory: dict[np.dtype[Any], int] | Any) -> list[str]:
    """The memory of what is computed."""
    lines = [f"static {type_of(t)} {memory_name(t)}[{n}];" for t, n in memory.items() if n]
    return [*lines, ""] if lines else []


def bytes_of(routine: Routine) -> int:
    return sum(t.itemsize * n for t, n in routine.memory.items())


def constant(a: Array) -> Iterator[str]:
    """An array of numbers that never change."""
    yield f"static const {type_of(a.dtype)} {a.name}[{a.size}] = {{"
    yield from numbers(a.numbers, a.dtype)
    yield "};"
    yield ""


def numbers(values: Any, dtype: np.dtype[Any]) -> Iterator[str]:
    line = "   "
    for value in values.reshape(-1):
        text = f" {bare(number(value, dtype))}," if np.isfinite(value) else f" {number(value, dtype)},"
        if len(line) + len(text) > WIDTH:
            yield line
            line = "   "
        line += text
    yield line


def declarations(printer: Printer) -> list[str]:
    maths = [declared(name) for name in sorted(printer.maths)]
    texts = [text for _, text in sorted(printer.own.items())] + [SPLITMIX] * bool(printer.streams)
    own = [line for text in texts for line in text.split("\n")]
    return [*maths, *[""] * bool(maths), *own]


def by_rows(name: str, given: Sequence[Array], results: Sequence[Array]) -> list[str]:
    """The function that calls the other for each row."""
    operands = ", ".join(f"{a.name} + row * {a.size}" for a in (*given, *results))
    return [
        head_of(f"{name}_predict_rows", given, results, ["size_t rows"]),
        "{",
        "    int error = 0;",
        "",
        "    for (size_t row = 0; row < rows; row++) {",
        f"        const int own = {name}_predict({operands});",
        "        if (own) {",
        "            error = own;",
        "        }",
        "    }",
        "    return error;",
        "}",
    ]


def header(
    name: str, title: str, given: Sequence[Array], results: Sequence[Array], printer: Printer, network: Network,
    memory: int,
) -> str:  # fmt: skip
    guard = f"{name.upper()}_H"
    shapes = [
        f"{a.name} {tuple(b.shape)}"
        for a, b in zip((*given, *results), (*network.inputs, *network.outputs), strict=True)
    ]
    needs = ", ".join(sorted(printer.maths)) or "nothing"
    lines = [
        f"/* {comment(title)}",
        " *",
        f" * One row: {comment(', '.join(shapes))}, float32, numbers along the last axis beside each other.",
        f" * Needs {needs} of <math.h>'s library; and {memory} bytes of static memory besides the weights.",
        " * Not to be called by two threads at a time: they would share that memory.",
        f" * Returns 0, or {name.upper()}_UNKNOWN_ID where an id isn't one of its table's: what depends on it is NaN.",
        " */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        "#include <stddef.h>",
        "#include <stdint.h>",
        "",
        f"#define {name.upper()}_UNKNOWN_ID 1",
        "",
        f"{head_of(f'{name}_predict', given, results)};",
        f"{head_of(f'{name}_predict_rows', given, results, ['size_t rows'])};",
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"
