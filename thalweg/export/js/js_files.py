"""A network as JavaScript, for a page without a connection: a function of arrays, and the weights as base64."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from thalweg.export.exported_network import Network
from thalweg.export.identifiers import identifiers
from thalweg.export.js.js_text import ARRAYS, OWN, JavaScriptPrinter
from thalweg.export.small_weights import replaced, small_weights
from thalweg.program.ir.instruction import DOUBLE, Buffer
from thalweg.program.loops.elements import Storage
from thalweg.program.loops.nests import GIVEN, MEMORY, RESULT, TABLE, WEIGHT, Array, Names
from thalweg.program.loops.printer import Type, comment, indented
from thalweg.program.loops.routine import Routine, routine_of

WORDS = """
    await break case catch class const continue debugger default delete do else enum export extends false finally for
    function if implements import in instanceof interface let new null package private protected public return static
    super switch this throw true try typeof var void while with yield arguments eval undefined NaN Infinity Math Number
    Float32Array Float64Array Int32Array Int8Array Uint8Array RangeError RegExp Date Map Object Array String atob
    numbers predict predict_proba answer error memory own p q row place float32 float64 int32 int8 uint8
    SPACE AROUND BLANKS NUMBER INFINITE POWERS MISSING GAPS COLUMNS CLASSES bare spelled gap meanings read quoted
    number quantity plainly clock category date Boolean module
"""
TAKEN = {*WORDS.split(), *OWN}
"""Names that no array has."""
FLOAT = np.dtype(np.float32)
NEXT = "\n * "
"""Between the lines of a title."""
EIGHT_BITS = "Weights of eight bits: W[..., j] = W_scale[j]*q[..., j], W_scale[j] = max |W[..., j]|/127."
MODULE = "export {{ {} }};"
SCRIPT = """if (typeof module === "object") {{ // in Node: import and require
    module.exports = {{ {} }};
}}"""
READ = """/* The numbers of an array, as base64 of little-endian ones. */
function numbers(text, kind) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new kind(bytes.buffer);
}
"""


def js_file(
    network: Network,
    title: str,
    int8: bool = False,
    module: bool = False,
    table: Iterable[str] | None = None,
    gives: str = "predict",
) -> str:
    """A program with a function `predict(x)`: arrays of numbers, one row each → the output, or a list of several.

    network: of `network_of(model, 1)`. An id that isn't one of its table's is a RangeError. int8: whether matrices,
    kernels and tables are of eight bits; see `small_weights.py`. module: whether it is an ES module; otherwise it is a
    script, which Node takes, too. table: the lines of a `predict` that reads cells; the network's function is called
    `answer` then. gives: the functions that are for others.
    """
    told = [title, EIGHT_BITS] if int8 else [title]
    lines = [
        f"/* {comment(NEXT.join(told))} */", "", *READ.split("\n"),
        *network_lines(network, "predict" if table is None else "answer", int8), *(table or ()),
        "", (MODULE if module else SCRIPT).format(gives),
    ]  # fmt: skip
    return "\n".join(lines).rstrip() + "\n"


def kept(routine: Routine) -> Iterator[str]:
    """The weights and tables, each as text."""
    for a, numbers in constants(routine):
        yield f'const {a.name} = numbers("{base64.b64encode(numbers.tobytes()).decode()}", {ARRAYS[a.dtype.name]});'


def network_lines(
    network: Network, name: str, int8: bool = False, kept: Callable[[Routine], Iterable[str]] = kept
) -> list[str]:
    """The function that computes a row, after what it needs. kept: makes the lines that define the constants."""
    computed = (a.buffer.storage for s in network.statements for a in s.assignments)
    names = identifiers((*network.inputs, *network.outputs, *network.weights, *computed), TAKEN)
    arrays: dict[Buffer, Array] = {}

    def stored(b: Buffer) -> Array:
        if b not in arrays:
            arrays[b] = Array(names[b], b.size, np.dtype(np.float64) if b.dtype == DOUBLE else FLOAT)
        return arrays[b]

    for b, values in network.weights.items():
        arrays[b] = Array(names[b], b.size, FLOAT, WEIGHT, values.reshape(-1))
    small = small_weights(network, arrays) if int8 else {}
    for b in network.inputs:
        stored(b).where = GIVEN
    results = [stored(b.storage) for b in network.outputs]
    for array in results:
        if array.where == MEMORY:
            array.where = RESULT
    storage = Storage(stored, Names([*names.values(), *(s.scale.name for s in small.values())]), 1)
    routine = replaced(routine_of(network.statements, storage, results), small)
    printer = JavaScriptPrinter()
    body = [line for block in routine.blocks for line in ("", *printer.block(block))]
    own = [line for name in sorted(printer.own) for line in (*OWN[name].split("\n"), "")]
    function = [f"function {name}({', '.join(names[b] for b in network.inputs)}) {{"]
    function += [*indented(inside(network, names, arrays, results, body)), "}"]
    return [*own, *kept(routine), *memory(routine), "", *function]


def inside(
    network: Network, names: Mapping[Buffer, str], arrays: Mapping[Buffer, Array], results: list[Array], body: list[str]
) -> list[str]:
    """The lines within the function."""
    noted = any("error = " in line for line in body)
    given = [f"{names[b]} = {ARRAYS[arrays[b].dtype.name]}.from({names[b]});" for b in network.inputs]
    new = [
        f"const {a.name} = new {ARRAYS[a.dtype.name]}({a.size});" for a in dict.fromkeys(results) if a.where == RESULT
    ]
    told = ", ".join(a.name for a in results)
    return [
        *given, *new, *["let error = 0;"] * noted, *body, "",
        *['if (error) {', '    throw new RangeError("an id isn\'t one of its table\'s");', "}"] * noted,
        f"return {told if len(results) == 1 else f'[{told}]'};",
    ]  # fmt: skip


def constants(routine: Routine) -> Iterator[tuple[Array, np.ndarray[tuple[int], Type]]]:
    """The weights and tables, and their numbers as the target holds them, little-endian."""
    for a in routine.arrays:
        if a.where in (WEIGHT, TABLE):
            assert a.numbers is not None
            yield a, np.ascontiguousarray(a.numbers, plain(a.dtype)).reshape(-1)


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
