"""A network as JavaScript, for a page without a connection: a function of arrays, and the weights as base64."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import numpy as np

from thalweg.export.exported_network import Network
from thalweg.export.identifiers import identifiers
from thalweg.export.js.js_text import ARRAYS, OWN, JavaScriptPrinter
from thalweg.export.loops.elements import Storage
from thalweg.export.loops.nests import GIVEN, MEMORY, RESULT, TABLE, WEIGHT, Array, Names
from thalweg.export.loops.printer import Type, comment, indented
from thalweg.export.loops.routine import Routine, routine_of
from thalweg.program.ir.instruction import DOUBLE, Buffer

WORDS = """
    await break case catch class const continue debugger default delete do else enum export extends false finally for
    function if implements import in instanceof interface let new null package private protected public return static
    super switch this throw true try typeof var void while with yield arguments eval undefined NaN Infinity Math Number
    Float32Array Float64Array Int32Array Uint8Array RangeError atob numbers predict error memory own p q
"""
TAKEN = {*WORDS.split(), *OWN}
"""Names that no array has."""
FLOAT = np.dtype(np.float32)
READ = """/* The numbers of an array, as base64 of little-endian ones. */
function numbers(text, kind) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new kind(bytes.buffer);
}
"""


def js_file(network: Network, title: str) -> str:
    """A program with a function `predict(x)`: arrays of numbers, one row each → the output, or a list of several.

    network: of `network_of(model, 1)`. An id that isn't one of its table's is a RangeError.
    """
    computed = (a.buffer.storage for s in network.statements for a in s.assignments)
    names = identifiers((*network.inputs, *network.outputs, *network.weights, *computed), TAKEN)
    arrays: dict[Buffer, Array] = {}

    def stored(b: Buffer) -> Array:
        if b not in arrays:
            arrays[b] = Array(names[b], b.size, np.dtype(np.float64) if b.dtype == DOUBLE else FLOAT)
        return arrays[b]

    for b, values in network.weights.items():
        arrays[b] = Array(names[b], b.size, FLOAT, WEIGHT, values.reshape(-1))
    for b in network.inputs:
        stored(b).where = GIVEN
    results = [stored(b.storage) for b in network.outputs]
    for array in results:
        if array.where == MEMORY:
            array.where = RESULT
    storage = Storage(stored, Names(names.values()), 1)
    routine = routine_of(network.statements, storage, results)
    printer = JavaScriptPrinter()
    body = [line for block in routine.blocks for line in ("", *printer.block(block))]
    noted = any("error = " in line for line in body)
    operands = ", ".join(names[b] for b in network.inputs)
    given = [f"{names[b]} = {ARRAYS[arrays[b].dtype.name]}.from({names[b]});" for b in network.inputs]
    new = [
        f"const {a.name} = new {ARRAYS[a.dtype.name]}({a.size});" for a in dict.fromkeys(results) if a.where == RESULT
    ]
    told = ", ".join(a.name for a in results)
    inner = [
        *given, *new, *["let error = 0;"] * noted, *body, "",
        *['if (error) {', '    throw new RangeError("an id isn\'t one of its table\'s");', "}"] * noted,
        f"return {told if len(results) == 1 else f'[{told}]'};",
    ]  # fmt: skip
    functions = [line for name in sorted(printer.own) for line in (*OWN[name].split("\n"), "")]
    lines = [
        f"/* {comment(title)} */", "", *READ.split("\n"), *functions, *kept(routine), *memory(routine), "",
        f"function predict({operands}) {{", *indented(inner), "}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def kept(routine: Routine) -> Iterator[str]:
    """The weights and tables."""
    for a in routine.arrays:
        if a.where in (WEIGHT, TABLE):
            assert a.numbers is not None
            kind = ARRAYS[a.dtype.name]
            little = np.ascontiguousarray(a.numbers, plain(a.dtype))
            yield f'const {a.name} = numbers("{base64.b64encode(little.tobytes()).decode()}", {kind});'


def plain(dtype: Type) -> str:
    """The type in which an array's numbers are written."""
    return {"int64": "<f8", "bool": "|u1"}.get(dtype.name, dtype.newbyteorder("<").str)


def memory(routine: Routine) -> Iterator[str]:
    """The arrays of what is computed: places in one for each type."""
    for dtype, count in routine.memory.items():
        yield f"const memory_{dtype.name} = new {ARRAYS[dtype.name]}({count});"
    for a in routine.arrays:
        if a.where == MEMORY:
            yield f"const {a.name} = memory_{a.dtype.name}.subarray({a.offset}, {a.offset + a.size});"
