"""A network as C99: one file and its header, without memory that is allocated, and without <math.h>."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.errors import ArgumentError, ThalwegError
from thalweg.export.c.c_functions import INFIX, MATHS, OWN, SPLITMIX, declared
from thalweg.export.c.c_text import CPrinter, type_of
from thalweg.export.exported_network import Network
from thalweg.export.identifiers import identifiers
from thalweg.export.small_weights import replaced, small_weights
from thalweg.program.graphs.traced_program import Statement
from thalweg.program.ir.instruction import DOUBLE, Buffer, Instruction
from thalweg.program.loops.elements import Storage
from thalweg.program.loops.nests import GIVEN, MEMORY, RESULT, VECTOR, WEIGHT, Array, Block, Names, arrays_written
from thalweg.program.loops.printer import bare, comment, indented
from thalweg.program.loops.routine import Routine, copied, routine_of

WORDS = """
    auto break case char const continue default do double else enum extern float for goto if inline int long register
    restrict return short signed sizeof static struct switch typedef union unsigned void volatile while main NULL
    error row rows learning_rate iteration update penalties memory own p q drawn mixed splitmix key_of size_t steps
    weights
"""
TAKEN = {
    *WORDS.split(), *OWN, *INFIX, *(name + suffix for name in MATHS.values() for suffix in ("", "f")),
}  # fmt: skip
"""Names that no array has."""
WIDTH = 120  # letters of a line
FLOAT = np.dtype(np.float32)


@dataclass(frozen=True)
class Source:
    """The texts of a .c file and of its header."""

    code: str
    header: str


@dataclass
class Function:
    """A function of the file.

    Attributes:
        given, results: its operands, before `more`.
        first: lines before the blocks; a name that they define and nothing uses is left out.
        ends: what it returns where nothing has failed.
    """

    name: str
    given: Sequence[Array]
    results: Sequence[Array]
    routine: Routine
    more: Sequence[str] = ()
    first: Sequence[str] = ()
    last: Sequence[str] = ()

    @property
    def head(self) -> str:
        return head_of(self.name, self.given, self.results, self.more)

    def lines(self, printer: CPrinter) -> list[str]:
        """Its text. Prints the blocks once more: a printer notes what they need."""
        body = [line for block in self.routine.blocks for line in ("", *printer.block(block))]
        text = "\n".join(body)
        noted = bool(re.search(r"\berror\b", text))
        written = {a for block in self.routine.blocks for a in arrays_written(block.steps)}
        places = [pointer(a, a in written) for a in self.routine.arrays if shares(a)]
        first = [line for line in self.first if used(line, text)]
        ends = [*self.last, f"return {'error' if noted else 0};"]
        unused = [f"(void){a.name};" for a in self.given if a not in self.routine.arrays]
        inner = [*places, *first, *["int error = 0;"] * noted, *unused, *body, "", *ends]
        return [self.head, "{", *indented(inner), "}"]


def c_files(network: Network, name: str, title: str, int8: bool = False) -> Source:
    """A function `NAME_predict` for one row, and `NAME_predict_rows`.

    network: of `network_of(model, 1)`. int8: whether matrices, kernels and tables are of eight bits; see
    `small_weights.py`.

    Raises:
        ArgumentError: `name` isn't one that C takes.
        ThalwegError: the network draws random numbers to predict, or has something that C can't say.
    """
    checked(name)
    shared = {b: Array(n, b.size, FLOAT, WEIGHT) for b, n in identifiers(network.weights, taken(name)).items()}
    for b, array in shared.items():
        array.numbers = network.weights[b].reshape(-1)
    small = small_weights(network, shared) if int8 else {}
    predict = prediction(network, name, shared, [s.scale.name for s in small.values()])
    predict.routine = replaced(predict.routine, small)
    printer = CPrinter()
    lines = predict.lines(printer)
    shown = {b: small[array].numbers if array in small else array for b, array in shared.items()}
    shown = {b: array for b, array in shown.items() if array in predict.routine.arrays}  # not tables of trees
    told = [f"One row: {shapes_of(network)}; numbers along the last axis beside each other."]
    if small:
        told += ["Weights of eight bits: W[..., j] = W_scale[j]*q[..., j], W_scale[j] = max |W[..., j]|/127."]
    return Source(
        file_of(title, name, printer, weights_told(network, shown), [predict.routine], [lines, by_rows(predict)]),
        header(title, name, [*told, *needs(printer, [predict.routine]), unknown(name)], heads(predict)),
    )


def taken(name: str) -> set[str]:
    return {*TAKEN, name, *(f"{name}_{what}" for what in ("predict", "predict_rows", "train_step", "loss"))}


def checked(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or name in TAKEN:
        raise ArgumentError(f"C takes no function of the name {name!r}: letters, digits and _, a letter first")


def prediction(network: Network, name: str, shared: Mapping[Buffer, Array], used: Iterable[str] = ()) -> Function:
    """What predicts one row. shared: the weights. used: other names that the file has."""
    for s in network.statements:
        if streams_of(s):
            raise ThalwegError(f"{s.instruction.formula}: C draws random numbers in training alone, not to predict")
    own = [*network.inputs, *network.outputs, *computed(network.statements)]
    names = identifiers((b for b in own if b not in shared), {*taken(name), *used, *(a.name for a in shared.values())})
    arrays = dict(shared)
    storage = Storage(lambda b: stored(b, arrays, names, 1), Names({*names.values(), *used_by(shared)}), 1)
    for b in network.inputs:
        arrays[b] = Array(names[b], b.size, kind_of(b), GIVEN)
    results, last = [], []
    for b in network.outputs:
        if b in arrays or b.view_of is not None:  # it can't be where it is computed
            result = Array(f"{names[b]}_" if b in arrays else names[b], b.size, kind_of(b), RESULT)
            source = storage.array_of(b.storage)
            last.append(Block(f"{result.name} = {source.name}", copied(source, result, storage)))
        else:
            result = arrays[b] = Array(names[b], b.size, kind_of(b), RESULT)
        results.append(result)
    routine = routine_of(network.statements, storage, results, last)
    return Function(f"{name}_predict", [arrays[b] for b in network.inputs], results, routine)


def computed(statements: Iterable[Any]) -> Iterator[Buffer]:
    return (a.buffer.storage for s in statements for a in s.assignments)


def used_by(arrays: Mapping[Buffer, Array]) -> set[str]:
    return {a.name for a in arrays.values()} | {a.region for a in arrays.values() if a.region}


def stored(b: Buffer, arrays: dict[Buffer, Array], names: Mapping[Buffer, str], rows: int) -> Array:
    """The array of what is computed for so many rows."""
    if b not in arrays:
        size = b.size * (rows if b.per_row else 1)
        arrays[b] = Array(names[b], size, kind_of(b))
    return arrays[b]


def kind_of(b: Buffer) -> np.dtype[Any]:
    return np.dtype(np.float64) if b.dtype == DOUBLE else FLOAT


def streams_of(s: Statement) -> tuple[int, ...]:
    """The streams of random numbers that a statement draws from."""
    return s.instruction.streams if isinstance(s.instruction, Instruction) else ()


# --- texts


def head_of(name: str, given: Iterable[Array], results: Iterable[Array], more: Sequence[str] = ()) -> str:
    read = [f"const {type_of(a.dtype)} *{a.name}" for a in given]
    return f"int {name}({', '.join([*read, *(f'{type_of(a.dtype)} *{a.name}' for a in results), *more])})"


def shares(a: Array) -> bool:
    """Whether it is a place in a larger array."""
    return a.where == MEMORY or (a.where == VECTOR and a.name != a.region)


def pointer(a: Array, written: bool) -> str:
    whole = a.region if a.where == VECTOR else memory_name(a.dtype)
    return f"{'' if written else 'const '}{type_of(a.dtype)} *const {a.name} = {whole} + {a.offset};"


def used(line: str, text: str) -> bool:
    """Whether a text uses the name that a line defines."""
    name = line.partition(" = ")[0].rpartition(" ")[2]
    return bool(re.search(rf"\b{name}\b", text))


def memory_name(dtype: np.dtype[Any]) -> str:
    return "memory" if dtype == FLOAT else f"memory_{type_of(dtype)}"


def memory_of(routines: Iterable[Routine]) -> dict[np.dtype[Any], int]:
    """How many numbers of each type functions need that never run at the same time."""
    most: dict[np.dtype[Any], int] = {}
    for routine in routines:
        for dtype, count in routine.memory.items():
            most[dtype] = max(count, most.get(dtype, 0))
    return most


def file_of(
    title: str, name: str, printer: CPrinter, weights: Iterable[str], routines: Sequence[Routine],
    functions: Iterable[Sequence[str]],
) -> str:  # fmt: skip
    """The text of a .c file."""
    memory = [f"static {type_of(t)} {memory_name(t)}[{n}];" for t, n in memory_of(routines).items()]
    lines = [
        f"/* {comment(title)} */", f'#include "{name}.h"', "", *declarations(printer), *weights,
        *(line for routine in routines for table in routine.tables for line in constant(table)),
        *memory, *[""] * bool(memory),
    ]  # fmt: skip
    for function in functions:
        lines += [*function, ""]
    return "\n".join(lines[:-1]) + "\n"


def declarations(printer: CPrinter) -> list[str]:
    """The functions that the blocks need: those of the library, and those that C lacks."""
    maths = [declared(name) for name in sorted(printer.maths)]
    texts = [text for _, text in sorted(printer.own.items())] + [SPLITMIX] * bool(printer.streams)
    own = [line for text in texts for line in text.split("\n")]
    return [*maths, *[""] * bool(maths), *own]


def weights_told(network: Network, arrays: Mapping[Buffer, Array]) -> Iterator[str]:
    for b, array in arrays.items():
        if b in network.weights:
            yield f"/* {comment(b.name)} {b.shape} */"
            yield from constant(array)


def constant(a: Array, kind: str = "static const") -> Iterator[str]:
    """An array with its numbers; without, where all are 0."""
    assert a.numbers is not None
    if kind == "static" and not a.numbers.any():
        yield f"static {type_of(a.dtype)} {a.name}[{a.size}];"
    else:
        yield f"{kind} {type_of(a.dtype)} {a.name}[{a.size}] = {{"
        yield from numbers(a.numbers, a.dtype)
        yield "};"
    yield ""


def numbers(values: Any, dtype: np.dtype[Any]) -> Iterator[str]:
    line, printer = "   ", CPrinter()
    for value in values:
        text = printer.number(value, dtype)
        text = f" {bare(text) if math.isfinite(value) else text},"
        if len(line) + len(text) > WIDTH:
            yield line
            line = "   "
        line += text
    yield line


def by_rows(predict: Function) -> list[str]:
    """The function that calls the other for each row."""
    operands = ", ".join(f"{a.name} + row * {a.size}" for a in (*predict.given, *predict.results))
    return [
        rows_head(predict),
        "{",
        "    int error = 0;",
        "",
        "    for (size_t row = 0; row < rows; row++) {",
        f"        const int own = {predict.name}({operands});",
        "        error = own ? own : error;",
        "    }",
        "    return error;",
        "}",
    ]


def rows_head(predict: Function) -> str:
    return head_of(f"{predict.name}_rows", predict.given, predict.results, ["size_t rows"])


def heads(predict: Function) -> list[str]:
    return [predict.head, rows_head(predict)]


def shapes_of(network: Network) -> str:
    names = identifiers((*network.inputs, *network.outputs), TAKEN)
    return ", ".join(f"{name} {b.shape}" for b, name in names.items())


def needs(printer: CPrinter, routines: Iterable[Routine]) -> list[str]:
    maths = ", ".join(sorted(printer.maths)) or "nothing"
    size = sum(dtype.itemsize * count for dtype, count in memory_of(routines).items())
    return [
        f"Needs {maths} of the library of <math.h>, {size} bytes of static memory for what is computed;",
        "compilers may call memset and memcpy, too.",
        "Not for two threads at a time: they would share that memory.",
    ]


def unknown(name: str) -> str:
    return f"Returns 0, or {name.upper()}_UNKNOWN_ID where an id isn't one of its table's: what depends on it is NaN."


def header(title: str, name: str, told: Iterable[str], functions: Iterable[str], more: Sequence[str] = ()) -> str:
    """The text of the .h file."""
    big = name.upper()
    lines = [
        f"/* {comment(title)}", " *", *(f" * {comment(line)}".rstrip() for line in told), " */",
        f"#ifndef {big}_H", f"#define {big}_H", "",
        "#include <stddef.h>", "#include <stdint.h>", "",
        f"#define {big}_UNKNOWN_ID 1", *more, "",
        *(f"{function};" for function in functions), "",
        "#endif",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
